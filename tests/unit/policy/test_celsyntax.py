"""The tree of an expression: kinds, places in the text, names that macros bind; and what is no expression."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.policy import loader
from webhook.policy.celsyntax import Kind, Node, SyntaxProblem, parse

ROOT = Path(__file__).parents[3]


def _shape(node: Node) -> str:
    """The tree in one line: every operation in parentheses, so that what binds tighter shows."""
    below = [_shape(child) for child in node.children]
    if node.kind in {Kind.NAME, Kind.LITERAL}:
        return node.name
    if node.kind is Kind.CONDITIONAL:
        return f"({below[0]} ? {below[1]} : {below[2]})"
    if node.kind in {Kind.AND, Kind.OR, Kind.RELATION} or (node.kind is Kind.ARITHMETIC and len(below) > 1):
        return f"({below[0]} {node.name or node.kind} {below[1]})"
    if node.kind in {Kind.NOT, Kind.ARITHMETIC}:
        return f"({node.name or node.kind}{below[0]})"
    return f"{node.kind}:{node.name}[{', '.join(below)}]"


@pytest.mark.parametrize(
    ("text", "shape"),
    [
        pytest.param("a || b && c", "(a || (b && c))", id="and-binds-tighter-than-or"),
        pytest.param("(a || b) && c", "((a || b) && c)", id="parentheses"),
        pytest.param("!a && !(b || c)", "((!a) && (!(b || c)))", id="not-binds-tightest"),
        pytest.param("a == b && c in d", "((a == b) && (c in d))", id="relations"),
        pytest.param("in_a == b", "(in_a == b)", id="a-name-that-begins-like-an-operator"),
        pytest.param("true_a || truely", "(true_a || truely)", id="a-name-that-begins-like-a-literal"),
        pytest.param("a - b - c", "((a - b) - c)", id="from-the-left"),
        pytest.param("-a * b + c % 2", "(((-a) * b) + (c % 2))", id="arithmetic"),
        pytest.param("a ? b : c ? d : e", "(a ? b : (c ? d : e))", id="conditionals-nest-to-the-right"),
        pytest.param("a.b.c", "select:c[select:b[a]]", id="fields"),
        pytest.param("a.?b.c", "select:c[select:b[a]]", id="optional-field"),
        pytest.param("a.`b-c/d`", "select:b-c/d[a]", id="quoted-field"),
        pytest.param("a[0][?'b']", "index:[index:[a, 0], 'b']", id="index"),
        pytest.param("f(a, b)", "call:f[a, b]", id="function"),
        pytest.param("f()", "call:f[]", id="function-without-arguments"),
        pytest.param("a.f(b).g()", "method:g[method:f[a, b]]", id="methods"),
        pytest.param("[1, 2u, 3.5e1, 0x1F,]", "list:[1, 2u, 3.5e1, 0x1F]", id="list-and-numbers"),
        pytest.param("[?a, b]", "list:[a, b]", id="optional-element"),
        pytest.param("{'a': 1, ?'b': c,}", "map:['a', 1, 'b', c]", id="map"),
        pytest.param("{}", "map:[]", id="empty-map"),
        pytest.param("Type{field: a}", "message:[Type, a]", id="message"),
        pytest.param(r"""'it\'s' + "b" + r'\d' + b'c'""", r"""((('it\'s' + "b") + r'\d') + b'c')""", id="strings"),
        pytest.param("'''a 'b'\nc''' + '' + ''", "(('''a 'b'\nc''' + '') + '')", id="triple-quotes"),
        pytest.param("a // and not b\n&& c", "(a && c)", id="comment"),
        pytest.param("null == true", "(null == true)", id="literals"),
    ],
)
def test_an_expression_is_read_as_the_language_says(text: str, shape: str) -> None:
    assert _shape(parse(text)) == shape


@pytest.mark.parametrize(
    ("text", "bound"),
    [
        ("a.all(x, x > 0)", ("x",)),
        ("a.filter(x, x > 0)", ("x",)),
        ("a.map(x, x > 0, x + 1)", ("x",)),
        ("a.exists(i, x, x > i)", ("i", "x")),
        ("a.transformMap(k, v, v)", ("k", "v")),
        ("cel.bind(x, 1 + 1, x + x)", ("x",)),
        ("a.optMap(x, x + 1)", ("x",)),
        ("a.contains(x)", ()),
        ("a.bind(x, y, z)", ()),
        ("a.map(x)", ()),
    ],
)
def test_a_macro_binds_its_names(text: str, bound: tuple[str, ...]) -> None:
    assert parse(text).binds == bound


@pytest.mark.parametrize(
    ("text", "dotted"),
    [("a", "a"), ("a.b.c", "a.b.c"), ("a[0].b", ""), ("f(a).b", ""), ("'a'.b", ""), ("a . b", "a.b")],
)
def test_a_chain_of_fields_has_a_dotted_name(text: str, dotted: str) -> None:
    assert parse(text).dotted == dotted


def test_a_node_knows_where_it_stands() -> None:
    text = "!(object.spec.a == 'x') && ( b || c )"
    cut = {node.kind: text[node.start : node.end] for node in parse(text).walk()}
    assert cut[Kind.AND] == text
    assert cut[Kind.NOT] == "!(object.spec.a == 'x')"
    assert cut[Kind.RELATION] == "object.spec.a == 'x'"
    assert cut[Kind.OR] == "b || c"


@pytest.mark.parametrize(
    ("text", "offset"),
    [("", 0), ("a +", 3), ("a..b", 2), ("'open", 0), ("a b", 2), ("(a", 2), ("a ? b", 5), ("f(,)", 2), ("a = b", 2)],
)
def test_what_is_no_expression_says_where(text: str, offset: int) -> None:
    with pytest.raises(SyntaxProblem) as caught:
        parse(text)
    assert caught.value.offset == offset


@given(st.text(alphabet="ab.?:&|!()[]{}'\"\\ ,=<+1e\n", max_size=40))
def test_any_text_is_an_expression_or_a_syntax_problem_within_it(text: str) -> None:
    try:
        node = parse(text)
    except SyntaxProblem as problem:
        places = [problem.offset]
    else:
        places = [place for one in node.walk() for place in (one.start, one.end)]
    assert all(0 <= place <= len(text) for place in places)


@given(st.recursive(
    st.sampled_from(["a", "object.b", "1", "'t'"]),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("!{}".format, inner),
        st.builds("[{}, {}].exists(x, x == {})".format, inner, inner, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
        st.builds("f({})".format, inner),
    ),
    max_leaves=12,
))  # fmt: skip
def test_the_text_of_a_node_is_that_node(text: str) -> None:
    for node in parse(text).walk():
        assert _shape(parse(text[node.start : node.end])) == _shape(node)


def test_every_expression_of_the_built_in_policies_is_read() -> None:
    documents = loader.load([ROOT / "policies"], now=datetime.now(UTC))
    expressions = [one.expression.text for policy in documents.policies for one in policy.variables]
    expressions += [one.expression.text for policy in documents.policies for one in policy.validations]
    assert len(expressions) > 100
    assert all(parse(text).end > 0 for text in expressions)
