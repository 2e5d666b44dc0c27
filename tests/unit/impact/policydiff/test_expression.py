"""What two CEL expressions have to do with each other, by their shapes."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.impact.policydiff.change import Effect
from webhook.impact.policydiff.expression import direction
from webhook.impact.policydiff.shape import form, normal


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
