"""CEL expressions without their layout."""

from __future__ import annotations

import pytest

from webhook.impact.policydiff.shape import filled, form, literal, names_in, normal


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("a==b", "a  ==\n  b", id="white space"),
        pytest.param("a && b", "a // why\n && b", id="a comment"),
        pytest.param("a.b[ 0 ].c( 1,2 )", "a.b[0].c(1, 2)", id="brackets"),
        pytest.param("{'a':1,'b' : -x}", "{'a' : 1, 'b': -x}", id="a map"),
        pytest.param("[? a,b]", "[?a, b]", id="an optional item"),
    ],
)
def test_layout_does_not_count(one: str, other: str) -> None:
    assert normal(one) == normal(other)
    assert form(one) == form(other)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param("'a  b'", "'a b'", id="blanks in a text"),
        pytest.param("'// a' == b", "'//  a' == b", id="what looks like a comment in a text"),
        pytest.param("a.b", "a.?b", id="an optional field"),
        pytest.param("a[b]", "a[?b]", id="an optional index"),
        pytest.param("[a]", "[?a]", id="an optional item"),
        pytest.param("{'a': b}", "{?'a': b}", id="an optional entry"),
        pytest.param("T{a: 1}", "T{b: 1}", id="the field of a message"),
        pytest.param("(a || b) && c", "a || (b && c)", id="parentheses that matter"),
        pytest.param("a in b", "ainb", id="words"),
    ],
)
def test_what_means_something_else_is_not_the_same(one: str, other: str) -> None:
    assert normal(one) != normal(other)
    assert form(one) != form(other)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("!(a||b)&&c.d(e,'x')  in f", "!(a || b) && c.d(e, 'x') in f"),
        ("-a+ -b*2", "-a + -b * 2"),
        ("a?b:c", "a ? b : c"),
        ("x.?y[?0].orValue( [] )", "x.?y[?0].orValue([])"),
        ("not an expression (", "not an expression ("),
    ],
)
def test_an_expression_is_shown_in_one_layout(written: str, shown: str) -> None:
    assert normal(written) == shown


def test_a_shown_expression_is_the_same_expression() -> None:
    written = "a.b.filter(v,  !(v.x in ['p','q'])).size()<3||has( a.c ) && {'k': [1,-2]}['k'][0] > 0"
    assert form(normal(written)) == form(written)
    assert normal(normal(written)) == normal(written)


@pytest.mark.parametrize(
    ("one", "other", "equal"),
    [
        pytest.param(["a", "b"], ["a", "c"], False, id="lists"),
        pytest.param({"a": 1}, {"a": 2}, False, id="maps"),
        pytest.param({"a": 1, "b": 2}, {"b": 2, "a": 1}, True, id="maps in another order"),
        pytest.param('a"b', "a'b", False, id="texts with quotes"),
        pytest.param(-1, 1, False, id="negative numbers"),
        pytest.param(True, "true", False, id="a truth value and a text"),
        pytest.param([], {}, False, id="nothing of two sorts"),
    ],
)
def test_a_value_is_equal_to_the_same_value_only(one: object, other: object, equal: bool) -> None:
    assert (literal(one) == literal(other)) is equal


def test_names_are_filled_in_but_where_a_macro_binds_them() -> None:
    where = form("params.x <= 3 && l.all(params, params.x) && params.y")
    assert where is not None
    result = filled(where, {"params.x": literal(5)})
    assert result == form("5 <= 3 && l.all(params, params.x) && params.y")
    assert set(names_in(result)) == {"l", "params", "params.x", "params.y"}


def test_an_expression_that_stands_in_another_many_times_counts_once() -> None:
    where, inner = form("x || y && !x"), form("a")
    assert where is not None
    assert inner is not None
    for _ in range(200):  # as a tree it has 2 ** 200 parts
        inner = filled(where, {"x": inner})
    assert inner.depth == 600
    assert inner.children[0] is inner.children[1].children[1].children[0]
