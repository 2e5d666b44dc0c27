"""The CEL runtime behind compile and evaluate: nothing that fails may pass, and every error says where it stands."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from cel_expr_python import cel
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engine import CATALOG
from webhook.errors import Problem
from webhook.model.facts import CelType
from webhook.policy.cel import CompileError, Compiler, EvaluationError, Expression, activation, scoped
from webhook.policy.document import Text
from webhook.source.files import parse

ANY: tuple[CelType, ...] = ("dyn", "bool", "int", "double", "string", "list(map)", "map(dyn)")


def _text(expression: str) -> Text:
    (document,), _ = parse(f"expression: {_quoted(expression)}\n", "guard.yaml")
    return Text(expression, document, ("expression",))


def _quoted(expression: str) -> str:
    return "'" + expression.replace("'", "''") + "'"


def _compile(expression: str, wanted: tuple[CelType, ...] = ANY, **options: Any) -> Expression:
    return Compiler(CATALOG).compile(_text(expression), wanted, **options)


def _problems(expression: str, wanted: tuple[CelType, ...] = ANY, **options: Any) -> list[Problem]:
    with pytest.raises(CompileError) as caught:
        _compile(expression, wanted, **options)
    return list(caught.value.problems)


def _test(expression: str, **values: object) -> bool:
    return _compile(expression, ("bool",)).test(activation(values))


# A failed evaluation never passes


def test_an_evaluation_error_of_the_runtime_is_a_truthy_value_and_that_is_why_test_exists() -> None:
    environment = cel.NewEnv(variables={"object": cel.Type.DYN})
    result = environment.compile("object.absent").eval(environment.Activation({"object": {}}))

    assert result.type() == cel.Type.ERROR
    assert bool(result)
    assert bool(result.plain_value())


DEEP = {"items": list(range(200))}
FAILING = [
    pytest.param("object.absent", "absent", id="absent field"),
    pytest.param("object.absent == 1", "absent", id="comparison with an absent field"),
    pytest.param("!object.absent", "absent", id="negation of an absent field"),
    pytest.param("object.absent && true", "absent", id="and"),
    pytest.param("object.absent || false", "absent", id="or"),
    pytest.param("object.absent ? true : true", "absent", id="condition"),
    pytest.param("object.items[500] > 0", "", id="index"),
    pytest.param("object.items.all(item, item.name != '')", "", id="inside a loop"),
    pytest.param("1 / (object.items[0]) > 0", "divide by zero", id="division by zero"),
    pytest.param("9223372036854775807 + object.items[1] > 0", "overflow", id="overflow"),
    pytest.param("int('x') > 0", "", id="conversion"),
    pytest.param("timestamp('yesterday') < timestamp('2026-01-01T00:00:00Z')", "", id="time"),
    pytest.param("'a'.matches(object.regex)", "", id="broken regular expression"),
    pytest.param("quantity('many').isGreaterThan(quantity('1'))", "many", id="function of ours"),
    pytest.param("oldObject.spec == 1", "oldObject is not available", id="nothing bound"),
    pytest.param("requester.canMigrate", "requester.canMigrate is not available", id="fact that is not there"),
    pytest.param("object.items.all(a, object.items.all(b, true))", "budget", id="more than 10,000 steps"),
    pytest.param("dyn(optional.of(true))", "", id="optional truth"),
    pytest.param("dyn(object.?one)", "", id="optional field"),
    pytest.param("object.text", "str 'yes'", id="text for a truth"),
    pytest.param("object.one", "int '1'", id="number for a truth"),
    pytest.param("object.nothing", "NoneType 'None'", id="null for a truth"),
    pytest.param("object.items", "list", id="list for a truth"),
]


@pytest.mark.parametrize(("expression", "why"), FAILING)
def test_a_failed_evaluation_never_passes(expression: str, why: str) -> None:
    thing = {**DEEP, "text": "yes", "one": 1, "nothing": None, "regex": "("}

    with pytest.raises(EvaluationError) as caught:
        _test(expression, object=thing)

    assert why in str(caught.value)
    assert str(caught.value).strip()


@pytest.mark.parametrize("value", ["yes", 1, 1.0, None, [], {}, "false"], ids=repr)
def test_a_fact_of_another_type_than_it_declares_never_passes(value: object) -> None:
    with pytest.raises(EvaluationError):
        _test("requester.canMigrate", **{"requester.canMigrate": value})
    with pytest.raises(EvaluationError):
        _test("requester.canMigrate && true", **{"requester.canMigrate": value})


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("object.absent || true", True),
        ("object.absent && false", False),
        ("requester.canMigrate || true", True),
        ("has(object.absent)", False),
        ("object.items.exists(item, item == 0 || item.name == 'x')", True),
    ],
)
def test_an_error_that_does_not_matter_does_not_count(expression: str, value: bool) -> None:
    assert _test(expression, object=DEEP) is value


@pytest.mark.parametrize(
    "value",
    [object(), {1, 2}, ("tuple",), 2**64, -(2**63) - 1, {"deep": [{"er": 2**64}]}, "\ud800"],
    ids=["object", "set", "tuple", "2^64", "below 64 bit", "2^64 inside", "half a surrogate"],
)
def test_what_the_runtime_cannot_take_is_an_error_where_it_is_used_and_only_there(value: object) -> None:
    with pytest.raises(EvaluationError):
        _test("object == object", object=value)
    assert _test("oldObject == 1", object=value, oldObject=1)


json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])),
    lambda inner: (
        st.lists(inner) | st.dictionaries(st.text(st.characters(codec="utf-8", exclude_characters="\0")), inner)
    ),
    max_leaves=20,
)


@given(json_values)
def test_json_goes_through_the_runtime_unchanged(value: object) -> None:
    assert _IDENTITY.evaluate(activation({"object": value})) == value
    assert _SAME.test(activation({"object": value, "oldObject": value}))


def test_maps_come_out_in_order_of_their_keys_however_deep_they_lie() -> None:
    keys = [f"k{number}" for number in range(30)]
    shuffled = {key: {other: [{"b": 1, "a": 2}] for other in reversed(keys)} for key in keys[::-1]}
    given = _IDENTITY.evaluate(activation({"object": [shuffled]}))
    assert repr(given) == repr([{key: {other: [{"a": 2, "b": 1}] for other in sorted(keys)} for key in sorted(keys)}])
    assert repr(_compile("{'b': 1, 2: 'x', 'a': 1, 1: 'x'}").evaluate(activation({}))) == (
        "{1: 'x', 2: 'x', 'a': 1, 'b': 1}"
    )


def _outcome(expression: Expression, value: object) -> bool | None:
    try:
        return expression.test(activation({"object": value}))
    except EvaluationError:
        return None


@given(json_values)
def test_any_object_gives_true_false_or_an_evaluation_error(value: object) -> None:
    assert any(_outcome(_PROBE, value) is allowed for allowed in (True, False, None))


@pytest.mark.parametrize("depth", [30, 127])
def test_objects_as_deep_as_a_review_may_be_are_read(depth: int) -> None:
    value: object = "bottom"
    for _ in range(depth):
        value = {"a": value}

    assert _test("object.a != null", object=value)


# Compiling


@pytest.mark.parametrize(
    ("scalar", "place"),
    [
        pytest.param("expression: object.x == fooo", "1:25", id="plain"),
        pytest.param("expression:    object.x == fooo", "1:28", id="plain, further right"),
        pytest.param("expression: 'object.x == fooo'", "1:26", id="single quotes"),
        pytest.param("expression: 'object.x == ''a'' && fooo'", "1:35", id="single quotes with quotes"),
        pytest.param('expression: "object.x == fooo"', "1:26", id="double quotes"),
        pytest.param(r'expression: "object.x == \"a\" && fooo"', "1:35", id="double quotes with quotes"),
        pytest.param(r'expression: "object.x ==\n\t\u0066ooo"', "1:29", id="double quotes with escapes"),
        pytest.param("expression: |\n  object.x ==\n    fooo", "3:5", id="literal"),
        pytest.param("expression: |-\n    fooo", "2:5", id="literal, first line"),
        pytest.param("expression: |\n\n\n  object.x ==\n\n  fooo", "6:3", id="literal with empty lines"),
        pytest.param("expression: >\n  object.x ==\n  fooo", "3:3", id="folded"),
        pytest.param("expression: >-\n  object.x\n    == 1\n    && fooo", "4:8", id="folded with indentation"),
        pytest.param("expression: object.x ==\n  fooo", "2:3", id="plain over two lines"),
        pytest.param("expression: 'object.x\n  == fooo'", "2:6", id="quoted over two lines"),
        pytest.param("# é\nexpression: \"'é' == '😀' && fooo\"", "2:28", id="not ASCII"),
        pytest.param("other: 1\nexpression: |\n  // fooo in a comment\n  fooo", "4:3", id="after a comment"),
    ],
)
def test_an_error_is_placed_at_its_line_and_column_in_the_file(scalar: str, place: str) -> None:
    (document,), problems = parse(scalar, "guard.yaml")
    assert not problems
    source = Text(document.value["expression"], document, ("expression",))

    with pytest.raises(CompileError) as caught:
        Compiler(CATALOG).compile(source, ANY)

    (problem,) = caught.value.problems
    assert problem.where == f"guard.yaml:{place}"
    assert problem.message == "CEL: undeclared reference to 'fooo'"


def test_every_error_of_an_expression_is_told() -> None:
    places = [problem.where for problem in _problems("fooo == 1 && baar == 2")]

    assert places == ["guard.yaml:1:14", "guard.yaml:1:27"]


@pytest.mark.parametrize(
    ("expression", "message", "hint"),
    [
        pytest.param(
            "requester.canMigrat",
            "CEL: undeclared reference to 'requester.canMigrat'",
            "did you mean 'requester.canMigrate'?",
            id="fact misspelt",
        ),
        pytest.param(
            "requestor.canMigrate",
            "CEL: undeclared reference to 'requestor.canMigrate'",
            "did you mean 'requester.canMigrate'?",
            id="root misspelt",
        ),
        pytest.param(
            "requester", "CEL: undeclared reference to 'requester'", "did you mean 'request'?", id="only the root"
        ),
        pytest.param(
            "objekt.spec", "CEL: undeclared reference to 'objekt.spec'", "did you mean 'object'?", id="object"
        ),
        pytest.param("nothing.like.it", "CEL: undeclared reference to 'nothing.like.it'", "", id="unlike any"),
        pytest.param(
            "vmi.critical == 'yes'",
            "CEL: found no matching overload for '_==_' applied to '(bool, string)'",
            "",
            id="type of a fact",
        ),
        pytest.param(
            "volumes[0].name.size() > 'x'",
            "CEL: found no matching overload for '_>_' applied to '(int, string)'",
            "",
            id="result of a function",
        ),
        pytest.param(
            "size(migration.bandwidth)",
            "CEL: found no matching overload for 'size' applied to '(int)'",
            "",
            id="argument",
        ),
        pytest.param("object.spec.frob()", "CEL: undeclared reference to 'frob'", "", id="unknown function"),
    ],
)
def test_an_unknown_name_or_a_wrong_type_is_found_before_any_request(expression: str, message: str, hint: str) -> None:
    (problem,) = _problems(expression)

    assert problem.message == message
    assert problem.hint == hint


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        pytest.param("1 +", "CEL: Syntax error", id="unfinished"),
        pytest.param("object.spec = 1", "CEL: Syntax error", id="assignment"),
        pytest.param("'open", "CEL: Syntax error", id="open text"),
        pytest.param("object.x == 9223372036854775808", "CEL: invalid int literal", id="integer beyond 64 bit"),
        pytest.param("(" * 40 + "1" + ")" * 40, "CEL: ", id="nested deeply"),
        pytest.param("1" + "+1" * 5000, "CEL: Exceeded max recursion depth", id="long"),
    ],
)
def test_what_is_no_expression_is_told(expression: str, message: str) -> None:
    problems = _problems(expression)

    assert problems[0].message.startswith(message)
    assert problems[0].where.startswith("guard.yaml:1:")


@pytest.mark.parametrize(
    ("expression", "wanted", "given_type"),
    [
        ("1", ("bool",), "int"),
        ("'true'", ("bool",), "string"),
        ("null", ("bool",), "null"),
        ("[true]", ("bool",), "list<bool>"),
        ("true", ("string",), "bool"),
        ("{'op': 'add'}", ("list(map)",), "map<string, string>"),
        ("[]", ("map(dyn)",), "list<dyn>"),
        ("vmi.labels", ("bool",), "map<string, string>"),
    ],
)
def test_an_expression_of_the_wrong_type_is_told_what_is_needed(
    expression: str, wanted: tuple[CelType, ...], given_type: str
) -> None:
    assert _problems(expression, wanted) == [
        Problem("guard.yaml:1:13", f"the expression gives {given_type}, but {wanted[0]} is needed here")
    ]


@pytest.mark.parametrize("expression", ["timestamp('2026-01-01T00:00:00Z')", "duration('1h')"])
def test_a_time_cannot_be_passed_on_and_the_hint_says_what_to_do(expression: str) -> None:
    (problem,) = _problems(expression)

    assert problem.hint == "a time cannot be passed on: use it in place, or pass string(...) of it"


@pytest.mark.parametrize(
    "expression", ["object.spec.flag", "dyn(true)", "config.raw", "config.after.flag", "params.flag"]
)
def test_a_type_that_is_only_known_later_is_let_through(expression: str) -> None:
    assert _compile(expression, ("bool",)).type == cel.Type.DYN


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("requester.canMigrate", True),
        ("requester.missing", ["a"]),
        ("requester.origin", "User"),
        ("vmi.labels", {"a": "b"}),
        ("volumes", [{"name": "data", "sizes": [1, 2.5, None]}]),
        ("migration.bandwidth", 64),
        ("migration.ratio", 0.5),
        ("config.after", {"a": {"b": None}}),
        ("config.raw", None),
    ],
)
def test_a_fact_of_each_type_is_read_as_it_is(name: str, value: object) -> None:
    assert _compile(name, (CATALOG[name].cel_type,)).evaluate(activation({name: value})) == value


@pytest.mark.parametrize(
    ("expression", "facts"),
    [
        ("requester.canMigrate", {"requester.canMigrate"}),
        ("requester . canMigrate", {"requester.canMigrate"}),
        ("requester\n  .canMigrate", {"requester.canMigrate"}),
        ("vmi.labels.app == 'x' && vmi.critical", {"vmi.labels", "vmi.critical"}),
        ("has(vmi.labels.app)", {"vmi.labels"}),
        ("volumes.all(volume, volume.migratable)", {"volumes"}),
        ("object.requester.canMigrate", set()),
        ("object.volumes == 1", set()),
        ("config.after.x == 1", {"config.after"}),
    ],
)
def test_an_expression_knows_which_facts_it_may_read(expression: str, facts: set[str]) -> None:
    assert _compile(expression).facts == facts


# Variables, params and scopes

DECLARED: Mapping[str, Any] = {"limit": cel.Type.INT, "names": cel.Type.List(cel.Type.STRING)}


def test_an_expression_knows_which_variables_it_may_read() -> None:
    expression = _compile("variables.limit > 1 && object.variables.names == 1", variables=DECLARED)

    assert expression.variables == {"limit"}


def test_variables_have_types() -> None:
    (problem,) = _problems("variables.limit == 'x'", variables=DECLARED, scope="p0")

    assert "applied to '(int, string)'" in problem.message


def test_a_variable_that_is_not_declared_is_told_with_what_was_meant() -> None:
    (problem,) = _problems("variables.limt > 1", variables=DECLARED, scope="p0")

    assert problem.message == "CEL: undeclared reference to 'variables.limt'"
    assert problem.hint == "did you mean 'variables.limit'?"


def test_two_policies_share_an_activation_without_mixing_params_and_variables() -> None:
    first, second = (
        _compile("variables.limit + params.extra", scope=scope, variables=DECLARED) for scope in ("p1", "p10")
    )
    values = activation(
        {
            scoped("p1", "variables.limit"): 1,
            scoped("p1", "params"): {"extra": 10},
            scoped("p10", "variables.limit"): 2,
            scoped("p10", "params"): {"extra": 20},
        }
    )

    assert first.evaluate(values) == 11
    assert second.evaluate(values) == 22


@pytest.mark.parametrize("expression", ["p2.params.extra", ".params.extra", "p2.variables.limit"])
def test_a_policy_cannot_reach_the_params_or_variables_of_another(expression: str) -> None:
    (problem,) = _problems(expression, scope="p1", variables=DECLARED)

    assert "undeclared reference" in problem.message


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[{'canMigrate': false}].exists(requester, requester.canMigrate)", False),
        ("[{'limit': 7}].exists(variables, variables.limit == 7)", True),
        ("[{'extra': 7}].exists(params, params.extra == 7)", True),
        ("[1, 2].exists(object, object == 2)", True),
        ("[1].map(volumes, volumes + 1) == [2]", True),
    ],
)
def test_the_variable_of_a_loop_hides_what_has_its_name(expression: str, value: bool) -> None:
    compiled = _compile(expression, ("bool",), scope="p0", variables=DECLARED)
    values = activation(
        {
            "requester.canMigrate": True,
            "p0.variables.limit": 1,
            "p0.params": {"extra": 1},
            "object": 1,
            "volumes": [],
        }
    )

    assert compiled.test(values) is value


def test_what_is_not_bound_is_named() -> None:
    with pytest.raises(EvaluationError) as caught:
        _compile("variables.limit > 1", variables=DECLARED, scope="p3").test(activation({}))

    assert caught.value.unbound == "p3.variables.limit"


def test_a_time_inside_a_value_is_told_in_words_of_the_policy() -> None:
    made = _compile("{'at': timestamp('2026-01-01T00:00:00Z')}").evaluate(activation({}))

    with pytest.raises(EvaluationError, match=r"^variables.limit holds a datetime.datetime, which cannot be passed"):
        _compile("variables.limit > 1", variables=DECLARED, scope="p3").test(activation({"p3.variables.limit": made}))


# Threads


def test_one_expression_is_evaluated_by_many_threads_each_with_its_own_values() -> None:
    expression = _compile("object.items.filter(item, item % 2 == 0).size() == object.even", ("bool",))

    def judge(number: int) -> bool:
        values = activation({"object": {"items": list(range(number)), "even": (number + 1) // 2}})
        return all(expression.test(values) for _ in range(20))

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(judge, range(60)))


_IDENTITY = _compile("object")
_SAME = _compile("object == oldObject", ("bool",))
_PROBE = _compile("object.a.b == 1 || size(object) > 2 || object[0] == 'x'", ("bool",))
