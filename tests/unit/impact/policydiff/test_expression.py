"""What two CEL expressions have to do with each other, by their shapes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.impact.policydiff.change import Effect
from webhook.impact.policydiff.expression import direction, filled, form, literal, names_in, normal


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
    ("before", "after", "effect"),
    [
        pytest.param("a", "a || b", Effect.WEAKER, id="a way out"),
        pytest.param("a", "a && b", Effect.STRICTER, id="one more condition"),
        pytest.param("a && b", "b && a", Effect.WORDING, id="another order"),
        pytest.param("!(a && b)", "!a || !b", Effect.WORDING, id="De Morgan"),
        pytest.param("a", "true", Effect.WEAKER, id="always"),
        pytest.param("a", "false", Effect.STRICTER, id="never"),
        pytest.param("a || b", "a || c", Effect.CHANGED, id="another way out"),
        pytest.param("!a", "!(a && b)", Effect.WEAKER, id="under a negation"),
        pytest.param("x <= 20", "x <= 100", Effect.WEAKER, id="a higher limit"),
        pytest.param("x <= 20", "x < 20", Effect.STRICTER, id="a limit that is not reached"),
        pytest.param("5 < x", "x > 4", Effect.WEAKER, id="a limit on the left"),
        pytest.param("x == 3", "x >= 3", Effect.WEAKER, id="one number and more"),
        pytest.param("x in ['a']", "x in ['a', 'b']", Effect.WEAKER, id="a longer list"),
        pytest.param("x == 'a'", "x in ['a', 'b']", Effect.WEAKER, id="a value and a list"),
        pytest.param("l.all(v, p(v))", "l.all(v, p(v) || v.q)", Effect.WEAKER, id="in a macro"),
        pytest.param("l.all(v, p(v))", "m.all(v, p(v))", Effect.CHANGED, id="another list"),
        pytest.param("c ? a : b", "c ? a : b || d", Effect.WEAKER, id="in a branch"),
        pytest.param("'a' == \"a\" ? p : q", "p", Effect.WORDING, id="what is always so"),
        pytest.param("1 in [1, 2] && p", "p", Effect.WORDING, id="in a list always"),
        pytest.param("x.f", "y.f", Effect.CHANGED, id="another thing"),
        pytest.param("quantity(x).isLessThan(y)", "quantity(x).isLessThan(z)", Effect.CHANGED, id="a function"),
        pytest.param("'1' == 1 && p", "p", Effect.WEAKER, id="a comparison of two sorts is not worked out"),
    ],
)
def test_the_direction_follows_from_the_shapes(before: str, after: str, effect: Effect) -> None:
    assert direction(form(before), form(after)) is effect
    assert direction(form(after), form(before)) is effect.inverse


def test_what_is_no_expression_has_no_direction() -> None:
    assert form("a ||") is None
    assert direction(form("a ||"), form("a")) is Effect.CHANGED


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


Condition = str | tuple["Condition", ...]
NAMES = ("a", "b", "c")
CONDITIONS: st.SearchStrategy[Condition] = st.recursive(
    st.sampled_from([*NAMES, "true", "false"]),
    lambda inner: st.one_of(
        st.tuples(inner, st.sampled_from(["&&", "||"]), inner),
        st.tuples(st.just("!"), inner),
        st.tuples(inner, st.just("?"), inner, st.just(":"), inner),
    ),
    max_leaves=8,
)


def written(condition: Condition) -> str:
    return condition if isinstance(condition, str) else f"({' '.join(map(written, condition))})"


def holds(condition: Condition, values: dict[str, bool]) -> bool:
    match condition:
        case str():
            return values[condition]
        case (left, "&&", right):
            return holds(left, values) and holds(right, values)
        case (left, "||", right):
            return holds(left, values) or holds(right, values)
        case ("!", inner):
            return not holds(inner, values)
        case (asked, "?", then, ":", otherwise):
            return holds(then if holds(asked, values) else otherwise, values)
        case _:
            raise AssertionError(condition)


@given(CONDITIONS, CONDITIONS)
def test_a_direction_is_true_whatever_the_values_are(before: Condition, after: Condition) -> None:
    told = direction(form(written(before)), form(written(after)))
    assert direction(form(written(after)), form(written(before))) is told.inverse
    for values in itertools.product([True, False], repeat=len(NAMES)):
        known = {**dict(zip(NAMES, values, strict=True)), "true": True, "false": False}
        was, becomes = holds(before, known), holds(after, known)
        if told in {Effect.WEAKER, Effect.WORDING}:
            assert becomes or not was
        if told in {Effect.STRICTER, Effect.WORDING}:
            assert was or not becomes


@given(CONDITIONS)
def test_a_condition_is_the_same_as_itself(condition: Condition) -> None:
    assert direction(form(written(condition)), form(normal(written(condition)))) is Effect.WORDING
