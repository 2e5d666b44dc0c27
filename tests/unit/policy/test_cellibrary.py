"""Kubernetes' CEL functions, by the examples of the Kubernetes documentation and of its source's doc comments."""

# ruff: noqa: E501 - an example is one line

import copy
import math
import re
import tracemalloc
from decimal import Decimal

import pytest
from cel_expr_python import cel
from hypothesis import example, given
from hypothesis import strategies as st

from webhook.errors import FactUnavailable
from webhook.model.facts import Attributes
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.policy import cellibrary
from webhook.policy.sequence import equal

ALICE = UserInfo(username="alice", groups=("admins", "system:authenticated"), extra={"scopes": ("all",)})
REQUEST = AdmissionRequest(
    uid="1",
    kind=GroupVersionKind("kubevirt.io", "v1", "VirtualMachine"),
    resource=GroupVersionResource("kubevirt.io", "v1", "virtualmachines"),
    name="db",
    namespace="prod",
    operation=Operation.UPDATE,
    user=ALICE,
)
ENVIRONMENT = cel.NewEnv(
    config=cellibrary.configuration(),
    extensions=cellibrary.extensions(),
    variables={
        "object": cel.Type.DYN,
        "text": cel.Type.STRING,
        "authorizer": cel.Type.Map(cel.Type.STRING, cel.Type.DYN),
    },
)


class CelError(Exception):
    """The expression gave a CEL error."""


def evaluate(expression: str, **values: object) -> object:
    values.setdefault("authorizer", cellibrary.authorizer_value(REQUEST))
    result = ENVIRONMENT.compile(expression).eval(ENVIRONMENT.Activation(values))
    if result.type() == cel.Type.ERROR:
        raise CelError(result.plain_value())
    return result.plain_value()


HOLDS = [
    # lists
    "[1, 2, 3].isSorted()",
    "['a', 'b', 'b', 'c'].isSorted()",
    "![2.0, 1.0].isSorted()",
    "[1].isSorted() && [].isSorted()",
    "[false, true].isSorted() && [b'a', b'b'].isSorted()",
    "[duration('1s'), duration('1m')].isSorted()",
    "[timestamp('2026-01-01T00:00:00Z'), timestamp('2026-01-02T00:00:00Z')].isSorted()",
    "[1, 3].sum() == 4",
    "[1.0, 3.0].sum() == 4.0",
    "[1u, 3u].sum() == 4u",
    "[].sum() == 0",
    "[{'weight': 0.25}, {'weight': 0.75}].map(x, x.weight).sum() == 1.0",
    "[1, 3].min() == 1 && [1, 3].max() == 3",
    "[1].min() == 1 && ([0] + []).min() == 0",
    "['b', 'a'].min() == 'a' && [false, true].max()",
    "[1, 2, 2, 3].indexOf(2) == 1",
    "['a', 'b', 'b', 'c'].lastIndexOf('b') == 2",
    "[1.0].indexOf(1.1) == -1 && [].indexOf('string') == -1 && [].lastIndexOf(1) == -1",
    "[0, false].indexOf(false) == 1 && [[1, {'a': 1}]].indexOf([1, {'a': 1}]) == 0",
    "'tacocat'.indexOf('ac') == 1 && 'tacocat'.lastIndexOf('ac') == 1",
    "[3, 1, 2].sort() == [1, 2, 3]",
    "[timestamp('2026-01-02T00:00:00Z'), timestamp('2026-01-01T00:00:00Z')].sort()[0].getDate() == 1",
    "[1, 2, 2].distinct() == [1, 2]",
    "[[1], [2, 3]].flatten() == [1, 2, 3]",
    "[1, 2, 3].slice(1, 3) == [2, 3]",
    "[1, 2].reverse() == [2, 1]",
    # sets
    "sets.contains([1, 2, 3], [2]) && !sets.contains([1], [1, 2])",
    "sets.intersects([1], [1, 2]) && !sets.intersects([1], [])",
    "sets.equivalent([1, 2], [2, 1, 1]) && !sets.equivalent([1], [2])",
    # regular expressions
    "'abc 123'.find('[0-9]+') == '123'",
    "'abc 123'.find('xyz') == ''",
    "'abc 123'.find('([a-z])(?P<second>[a-z])') == 'ab'",
    r"'f(x)[(]'.find(r'\(x\)[[(\]]+') == '(x)[(]'",
    r"'a(b'.find(r'\Q(b\E') == '(b'",
    "'123 abc 456'.findAll('[0-9]*') == ['123', '456']",
    "'123 abc 456'.findAll('[0-9]*', 1) == ['123']",
    "'123 abc 456'.findAll('[0-9]+', 0) == [] && '1 2'.findAll('[0-9]', -1) == ['1', '2']",
    "'123 abc 456'.findAll('xyz') == []",
    "'1, 2, 3, 4'.findAll('[0-9]*').map(x, int(x)).sum() < 100",
    # quantities
    "isQuantity('1.3G') && isQuantity('1.3Gi') && isQuantity('10000k') && isQuantity('20') && isQuantity('20Mi')",
    "!isQuantity('1,3G') && !isQuantity('200K') && !isQuantity('Three') && !isQuantity('Mi') && !isQuantity('10Mm')",
    "quantity('12Mi') == quantity('12582912')",
    "quantity('500000G').isInteger() && quantity('50000000G').isInteger() && quantity('50k').isInteger()",
    "!quantity('9999999999999999999999999999999999999G').isInteger()",
    "quantity('50k').asInteger() == 50000",
    "quantity('9999999999999999999999999999999999999G').asApproximateFloat() > 1e45",
    "quantity('50.703k').asApproximateFloat() == 50703.0",
    "quantity('50k').sub(20000).asApproximateFloat() == 30000.0",
    "quantity('5').sign() == 1 && quantity('-5').sign() == -1 && quantity('0').sign() == 0",
    "quantity('50k').add(quantity('20k')) == quantity('70k')",
    "quantity('50k').add(20) == quantity('50020')",
    "quantity('50k').sub(quantity('20k')) == quantity('30k')",
    "quantity('50k').sub(20000) == quantity('30k')",
    "quantity('50k').add(20).sub(quantity('100k')).sub(-50000) == quantity('20')",
    "quantity('200M').compareTo(quantity('0.2G')) == 0 && quantity('200M') == quantity('0.2G')",
    "quantity('50M').compareTo(quantity('50Mi')) == -1 && quantity('50Mi').compareTo(quantity('50M')) == 1",
    "quantity('150Mi').isGreaterThan(quantity('100Mi')) && !quantity('50Mi').isGreaterThan(quantity('100Mi'))",
    "quantity('50M').isLessThan(quantity('100M')) && !quantity('100M').isLessThan(quantity('50M'))",
    # semantic versions
    "isSemver('1.0.0') && isSemver('0.1.0-alpha.1') && !isSemver('hello') && !isSemver('v1.0') && isSemver('v1.0', true)",
    "semver('v1.0.0', true) == semver('1.0.0') && semver('1.0', true) == semver('1.0.0')",
    "semver('01.01.01', true) == semver('1.1.1') && !isSemver('1.0.0-01') && !isSemver('1-rc', true)",
    "semver('1.2.3').major() == 1 && semver('1.2.3').minor() == 2 && semver('1.2.3').patch() == 3",
    "semver('1.2.3').compareTo(semver('1.2.3')) == 0 && semver('1.2.3').compareTo(semver('2.0.0')) == -1",
    "semver('1.2.3').compareTo(semver('0.1.2')) == 1 && semver('1.0.0').isGreaterThan(semver('1.0.0-rc.1'))",
    "semver('1.0.0-rc.2').isLessThan(semver('1.0.0-rc.10')) && semver('1.0.0-1').isLessThan(semver('1.0.0-a'))",
    # IP addresses
    "isIP('127.0.0.1') && isIP('::1') && !isIP('127.0.0.256') && !isIP(':::1') && !isIP('010.0.0.1')",
    "!isIP('::ffff:1.2.3.4') && !isIP('fe80::1%eth0')",
    "ip.isCanonical('127.0.0.1') && ip.isCanonical('2001:db8::abcd')",
    "!ip.isCanonical('2001:DB8::ABCD') && !ip.isCanonical('2001:db8::0:0:0:abcd')",
    "ip('127.0.0.1').family() == 4 && ip('::1').family() == 6 && string(ip('2001:DB8::1')) == '2001:db8::1'",
    "ip('0.0.0.0').isUnspecified() && !ip('127.0.0.1').isUnspecified() && ip('::').isUnspecified()",
    "ip('127.0.0.1').isLoopback() && !ip('192.168.0.1').isLoopback() && ip('::1').isLoopback()",
    "ip('224.0.0.1').isLinkLocalMulticast() && !ip('224.0.1.1').isLinkLocalMulticast()",
    "ip('ff02::1').isLinkLocalMulticast() && !ip('fd00::1').isLinkLocalMulticast()",
    "ip('169.254.169.254').isLinkLocalUnicast() && !ip('192.168.0.1').isLinkLocalUnicast()",
    "ip('fe80::1').isLinkLocalUnicast() && !ip('fd80::1').isLinkLocalUnicast()",
    "ip('192.168.0.1').isGlobalUnicast() && !ip('255.255.255.255').isGlobalUnicast()",
    "ip('2001:db8::abcd').isGlobalUnicast() && !ip('ff00::1').isGlobalUnicast()",
    # CIDRs
    "isCIDR('192.168.0.0/16') && isCIDR('::1/128') && !isCIDR('192.168.0.0/33') && !isCIDR('::1/129')",
    "!isCIDR('192.168.0.0') && !isCIDR('192.168.0.0/016') && !isCIDR('::ffff:1.2.3.4/24') && !isCIDR('10.0.0.0/+8')",
    "cidr('192.168.0.0/24').containsIP(ip('192.168.0.1')) && !cidr('192.168.0.0/24').containsIP(ip('192.168.1.1'))",
    "cidr('192.168.0.0/24').containsIP('192.168.0.1') && !cidr('192.168.0.0/24').containsIP('192.168.1.1')",
    "cidr('192.168.0.0/16').containsCIDR(cidr('192.168.10.0/24'))",
    "!cidr('192.168.1.0/24').containsCIDR(cidr('192.168.2.0/24')) && !cidr('10.0.0.0/8').containsCIDR('::/16')",
    "cidr('192.168.0.0/16').containsCIDR('192.168.10.0/24') && !cidr('192.168.1.0/24').containsCIDR('192.168.0.0/16')",
    "cidr('192.168.0.1/24').ip() == ip('192.168.0.1') && cidr('192.168.0.1/24').ip().family() == 4",
    "cidr('192.168.0.0/24') == cidr('192.168.0.0/24').masked() && cidr('192.168.0.1/24') != cidr('192.168.0.1/24').masked()",
    "cidr('192.168.0.0/16').prefixLength() == 16 && cidr('::1/128').prefixLength() == 128",
    "string(cidr('192.168.0.0/16')) == '192.168.0.0/16'",
    # URLs
    "isURL('https://user:pass@example.com:80/path?query=val#fragment') && isURL('/absolute-path')",
    "!isURL('https://a:b:c/') && !isURL('../relative-path') && !isURL('') && !isURL('https://a b/') && !isURL('/%zz')",
    "url('/path').getScheme() == '' && url('HTTPS://example.com/').getScheme() == 'https'",
    "url('https://example.com:80/').getHost() == 'example.com:80' && url('https://example.com/').getHost() == 'example.com'",
    "url('https://[::1]:80/').getHost() == '[::1]:80' && url('https://[::1]/').getHost() == '[::1]'",
    "url('/path').getHost() == '' && url('https://user@example.com/').getHost() == 'example.com'",
    "url('https://example.com:80/').getHostname() == 'example.com' && url('https://127.0.0.1:80/').getHostname() == '127.0.0.1'",
    "url('https://[::1]:80/').getHostname() == '::1' && url('/path').getHostname() == ''",
    "url('https://example.com:80/').getPort() == '80' && url('https://example.com/').getPort() == ''",
    "url('https://example.com/path').getEscapedPath() == '/path' && url('https://example.com').getEscapedPath() == ''",
    "url('https://example.com/path with spaces/').getEscapedPath() == '/path%20with%20spaces/'",
    "url('https://example.com/a%2Fb').getEscapedPath() == '/a%2Fb' && url('mailto:a@b.c').getEscapedPath() == ''",
    "url('https://example.com/path?k1=a&k2=b&k2=c').getQuery() == {'k1': ['a'], 'k2': ['b', 'c']}",
    "url('https://example.com/path?key with spaces=value+with spaces').getQuery() == {'key with spaces': ['value with spaces']}",
    "url('https://example.com/path?').getQuery() == {} && url('https://example.com/path').getQuery() == {}",
    # JSON Patch
    "jsonpatch.escapeKey('k8s.io/my~label') == 'k8s.io~1my~0label'",
    # standard extensions that Kubernetes has
    "'%s has %d'.format(['db', 2]) == 'db has 2' && ' A,b '.trim().lowerAscii().split(',') == ['a', 'b']",
    "object.?spec.?missing.orValue(3) == 3 && cel.bind(x, 2, x * x) == 4 && math.greatest([1, 2]) == 2",
    "base64.encode(b'ab') == 'YWI=' && {'a': 1}.all(key, value, value > 0)",
]


@pytest.mark.parametrize("expression", HOLDS)
def test_the_example_holds(expression: str) -> None:
    assert evaluate(expression, object={}) is True


@pytest.mark.parametrize("function", cellibrary.FUNCTIONS, ids=lambda function: function.signature)
def test_every_function_of_the_table_has_an_example(function: cellibrary.Function) -> None:
    examples = [*HOLDS, *(f"{check}.allowed().reason().errored().error()" for check, _, _ in ALLOWED)]
    call = f".{function.name}(" if function.receiver else f"{function.name}("
    assert any(call in example for example in examples)


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("[].min()", "min() of an empty list"),
        ("[].max()", "max() of an empty list"),
        ("[1, 'a'].isSorted()", "isSorted() needs elements that can be compared with each other, not number and string"),
        ("[true, 1].min()", "not bool and number"),
        ("[null].max()", "not NoneType"),
        ("['1m', '1s'].sum()", "sum() adds integers or doubles, not string"),
        ("[1, 1.5].sum()", "sum() adds integers or doubles"),
        ("[9223372036854775807, 1].sum()", "does not fit into 64 bits"),
        ("[duration('1s')].min()", "take an element of sort()"),
        ("'abc'.find('(')", "'(' is not a regular expression of RE2: missing )"),
        (r"'abc'.find(r'(a)\1')", "is not a regular expression of RE2"),
        ("quantity('200K')", "'200K' is not a quantity: 'K' is no suffix"),
        ("quantity('10Mm')", "'Mm' is no suffix"),
        ("quantity('10Mo')", "write a number and a suffix, such as 512Mi"),
        ("quantity('Three')", "'Three' is not a quantity"),
        ("quantity('Mi')", "'Mi' is not a quantity"),
        ("quantity('1e999999999')", "beyond the ±512 that are read"),
        ("quantity('9999999999999999999999999999999999999G').asInteger()", "is not a whole number of 64 bits"),
        ("quantity('0.5').asInteger()", "is not a whole number of 64 bits"),
        ("object.spec.isLessThan(quantity('1'))", "<quantity>.isLessThan(quantity) was called with something that is no quantity"),
        ("{'type': 'kubernetes.Quantity', 'value': 'NaN'}.sign()", "is not the value of a quantity"),
        ("semver('1.0.0').isLessThan(quantity('1'))", "something that is no semver"),
        ("semver('Three')", "'Three' is not a semantic version such as 1.2.3"),
        ("ip('127.0.0.256')", "'127.0.0.256' is not an IP address"),
        ("ip('::ffff:1.2.3.4')", "write 1.2.3.4"),
        ("ip('fe80::1%eth0')", "has a zone"),
        ("ip.isCanonical('nowhere')", "'nowhere' is not an IP address"),
        ("cidr('192.168.0.0/33')", "its prefix is longer than 32 bits"),
        ("cidr('192.168.0.0')", "is not a CIDR such as 10.0.0.0/8"),
        ("cidr('10.0.0.0/8').containsIP('x')", "'x' is not an IP address"),
        ("string(object.spec)", "something that is no ip"),
        ("url('https://a:b:c/')", "its host, port or an escape is not valid"),
        ("url('../relative-path')", "neither an absolute URI nor an absolute path"),
        ("authorizer.path('  ')", "path must not be empty"),
        ("authorizer.group('apps').resource(' ')", "resource must not be empty"),
        ("authorizer.serviceAccount('not@a#valid!namespace', 'validname')", "is not the name of a namespace"),
        ("authorizer.serviceAccount('valid', 'invalid@*name')", "is not the name of a service account"),
        ("authorizer.check('get')", "something that is no resourceCheck"),
        ("authorizer.group('').resource('pods').check('get')", "checks work only while a request is decided"),
        ("{'type': 'kubernetes.authorization.Authorizer', 'value': '[1, 2]'}.group('')", "not a check of the authorizer"),
        ("{'type': 'kubernetes.authorization.Decision', 'value': 'x'}.allowed()", "not a decision of the authorizer"),
    ],
)  # fmt: skip
def test_a_misuse_is_an_evaluation_error_with_a_helpful_text(expression: str, message: str) -> None:
    with pytest.raises(CelError, match=re.escape(message)):
        evaluate(expression, object={"spec": {"a": 1}})


@pytest.mark.parametrize("expression", ["isQuantity([1])", "quantity('50k').add('20k')", "ip(1)", "[1].nothing()"])
def test_a_wrong_type_is_found_when_the_expression_is_compiled_as_by_the_api_server(expression: str) -> None:
    with pytest.raises(RuntimeError, match=r"found no matching overload|undeclared reference"):
        ENVIRONMENT.compile(expression)


ALLOWED = [
    ("authorizer.group('').resource('pods').namespace('default').check('create')", ALICE, Attributes(verb="create", group="", resource="pods", namespace="default")),
    ("authorizer.group('apps').resource('deployments').subresource('scale').name('web').check('update')", ALICE, Attributes(verb="update", group="apps", resource="deployments", subresource="scale", name="web")),
    ("authorizer.path('/healthz').check('get')", ALICE, Attributes(verb="get", group="", resource="", path="/healthz")),
    ("authorizer.requestResource.check('delete')", ALICE, Attributes(verb="delete", group="kubevirt.io", resource="virtualmachines", namespace="prod", name="db")),
    (
        "authorizer.serviceAccount('default', 'robot').group('').resource('pods').check('list')",
        UserInfo(username="system:serviceaccount:default:robot", groups=("system:serviceaccounts", "system:serviceaccounts:default", "system:authenticated")),
        Attributes(verb="list", group="", resource="pods"),
    ),
]  # fmt: skip


@pytest.mark.parametrize(("expression", "user", "attributes"), ALLOWED)
@pytest.mark.parametrize("answer", [True, False])
def test_a_check_asks_what_was_built_up_and_gives_the_answer(
    expression: str, user: UserInfo, attributes: Attributes, answer: bool
) -> None:
    asked: list[tuple[UserInfo, Attributes]] = []

    def authorize(who: UserInfo, what: Attributes) -> bool:
        asked.append((who, what))
        return answer

    with cellibrary.authorizing(authorize):
        assert evaluate(f"{expression}.allowed()") is answer
        assert evaluate(f"{expression}.reason()") == f"{user.username} {'may' if answer else 'may not'} {attributes}"
        assert evaluate(f"{expression}.errored() || {expression}.error() != ''") is False
    assert set(map(repr, asked)) == {repr((user, attributes))}


def test_a_check_that_nobody_can_answer_is_errored_and_not_allowed() -> None:
    def authorize(_who: UserInfo, _what: Attributes) -> bool:
        raise FactUnavailable("the API server did not answer")

    check = "authorizer.group('').resource('pods').check('get')"
    with cellibrary.authorizing(authorize):
        assert evaluate(f"{check}.allowed()") is False
        assert evaluate(f"{check}.errored()") is True
        assert evaluate(f"{check}.error()") == "the API server did not answer"


def test_an_object_of_a_request_is_not_changed_by_functions_that_are_given_parts_of_it() -> None:
    request = {"list": [3, [1, {"a": 1}]], "map": {"b": [1]}, "text": "x"}
    before = copy.deepcopy(request)
    activation = ENVIRONMENT.Activation({"object": request})
    for expression in (
        "object.list.indexOf(object.map)",
        "object.list.indexOf([1, {'a': 1}])",
        "object.map == {'b': [1]}",
    ):
        ENVIRONMENT.compile(expression).eval(activation)
    assert ENVIRONMENT.compile("object.list.indexOf([1, {'a': 1}])").eval(activation).plain_value() == 1
    assert request == before


@pytest.mark.parametrize(
    ("expression", "most"),
    [("object.indexOf(-1)", 400), ("quantity('1Gi').isLessThan(quantity('2Gi'))", 800), ("text.find('a')", 600)],
)
def test_what_a_call_leaks_does_not_grow_with_lists_and_results(expression: str, most: int) -> None:
    compiled = ENVIRONMENT.compile(expression)
    activation = ENVIRONMENT.Activation({"object": list(range(1000, 3000)), "text": "b" * 100})
    compiled.eval(activation)
    tracemalloc.start()
    try:
        before = tracemalloc.get_traced_memory()[0]
        for _ in range(200):
            compiled.eval(activation)
        per_call = (tracemalloc.get_traced_memory()[0] - before) / 200
    finally:
        tracemalloc.stop()
    assert per_call < most


SUFFIXES: dict[str, Decimal | int] = {"": 1, "n": Decimal("1e-9"), "u": Decimal("1e-6"), "m": Decimal("1e-3"), "k": 10**3, "M": 10**6, "G": 10**9,
            "T": 10**12, "P": 10**15, "E": 10**18, "Ki": 2**10, "Mi": 2**20, "Gi": 2**30, "Ti": 2**40, "Pi": 2**50,
            "Ei": 2**60, "e3": 1000, "E-2": Decimal("0.01"), "e+1": 10}  # fmt: skip
NUMBERS = st.from_regex(r"[+-]?(0|[1-9][0-9]{0,5})(\.[0-9]{0,3})?", fullmatch=True)


def number(text: str, suffix: str) -> Decimal:
    """The value by Python's own arithmetic, with Kubernetes' cap for binary suffixes and its rounding up to nanos."""
    exact = Decimal(text) * SUFFIXES[suffix]
    if suffix.endswith("i"):
        return max(min(exact, Decimal(2**63 - 1)), Decimal(1 - 2**63))
    nanos = exact * 10**9
    away_from_zero = nanos.to_integral_value("ROUND_UP")
    return away_from_zero / 10**9


@given(NUMBERS, st.sampled_from(sorted(SUFFIXES)), NUMBERS, st.sampled_from(sorted(SUFFIXES)))
@example("0.1", "n", "1", "n")
@example("9", "Ei", "-8", "Ei")
def test_quantities_compare_and_add_as_numbers_do(one: str, suffix: str, other: str, other_suffix: str) -> None:
    first, second = number(one, suffix), number(other, other_suffix)
    texts = {"object": {"one": one + suffix, "other": other + other_suffix}}
    assert evaluate("quantity(object.one) == quantity(object.other)", **texts) is (first == second)
    assert evaluate("quantity(object.one).isLessThan(quantity(object.other))", **texts) is (first < second)
    assert evaluate("quantity(object.one).compareTo(quantity(object.other))", **texts) == (first > second) - (
        first < second
    )
    assert evaluate(
        "quantity(object.one).add(quantity(object.other)).sub(quantity(object.one)) == quantity(object.other)", **texts
    )
    approximate = evaluate("quantity(object.one).asApproximateFloat()", **texts)
    assert isinstance(approximate, float)
    assert math.isclose(approximate, float(first), rel_tol=1e-12)


@given(st.text(max_size=30) | st.from_regex(r"[+-]?[0-9.]{0,4}[eEinumkKMGTP]{0,2}[-+]?[0-9]{0,3}", fullmatch=True))
def test_is_quantity_is_true_just_where_quantity_is_no_error(text: str) -> None:
    valid = evaluate("isQuantity(text)", text=text)
    if valid:
        assert evaluate("quantity(text) == quantity(text)", text=text) is True
    else:
        with pytest.raises(CelError, match="quantity"):
            evaluate("quantity(text)", text=text)


SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.0, 1.0, -2.5]) | st.text("ab", max_size=2)
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("ab", max_size=1), inner, max_size=2), max_leaves=5)  # fmt: skip


@given(VALUES, VALUES)
def test_index_of_has_the_equality_of_cel(element: object, wanted: object) -> None:
    values = {"object": {"list": ["other", element], "wanted": wanted, "element": element}}
    assert (
        evaluate("(object.list.indexOf(object.wanted) == 1) == (object.element == object.wanted)", **values) is True
        or wanted == "other"
    )
    assert equal(element, wanted) is evaluate("object.element == object.wanted", **values)


@given(st.lists(st.integers(-(2**40), 2**40), min_size=1, max_size=20))
def test_sum_min_max_and_order_are_those_of_python(numbers: list[int]) -> None:
    assert evaluate("object.sum()", object=numbers) == sum(numbers)
    assert evaluate("object.min()", object=numbers) == min(numbers)
    assert evaluate("object.max()", object=numbers) == max(numbers)
    assert evaluate("object.isSorted()", object=numbers) is (numbers == sorted(numbers))
    assert evaluate("object.sort() == object", object=numbers) is (numbers == sorted(numbers))


@given(st.text("ab(c", max_size=30), st.sampled_from(["a+", "[(]", "(a|b)c", r"\(", "(?:ab)*", "b(?P<x>c)", "[^a]"]))
def test_find_gives_what_a_search_finds(text: str, pattern: str) -> None:
    found = re.search(pattern, text)
    assert evaluate("text.find(object)", text=text, object=pattern) == (found.group() if found else "")


ADDRESSES = st.from_regex(
    r"(https?:)?/{0,3}([a-z]{0,3}@)?(\[[0-9a-f:.%]{0,12}\]|[a-z0-9.]{0,9})(:[0-9a-z]{0,3})?(/[ -~]{0,9})?"
)


@given(st.text(max_size=40) | ADDRESSES | st.from_regex(r"v?[0-9]{0,2}(\.[0-9]{0,2}){0,3}([-+][0-9a-z.]{0,5})?"))
@pytest.mark.parametrize("kind", ["IP", "CIDR", "URL", "Semver"])
def test_every_text_either_is_one_and_can_be_read_or_is_none_and_cannot(kind: str, text: str) -> None:
    valid = evaluate(f"is{kind}(text)", text=text)
    if valid:
        assert evaluate(f"{kind.lower()}(text) == {kind.lower()}(text)", text=text) is True
    else:
        with pytest.raises(CelError):
            evaluate(f"{kind.lower()}(text)", text=text)
