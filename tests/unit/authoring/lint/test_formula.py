"""Propositional logic, held against truth tables."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.authoring.lint.formula import (
    FALSE,
    TRUE,
    Formula,
    alike,
    atom,
    both,
    const,
    either,
    equality,
    impossible,
    negate,
)

NAMES = "abcd"
Truth = Callable[[Mapping[str, bool]], bool]
Pair = tuple[Formula, Truth]
"""A formula, and the same as a function of its atoms."""


def _not(one: Pair) -> Pair:
    formula, truth = one
    return negate(formula), lambda values: not truth(values)


def _both(one: Pair, other: Pair) -> Pair:
    return both(one[0], other[0]), lambda values: one[1](values) and other[1](values)


def _either(one: Pair, other: Pair) -> Pair:
    return either(one[0], other[0]), lambda values: one[1](values) or other[1](values)


def _atom(name: str) -> Pair:
    return atom(name), lambda values: values[name]


def _const(value: bool) -> Pair:
    return const(value), lambda _: value


PAIRS = st.recursive(
    st.sampled_from(NAMES).map(_atom) | st.booleans().map(_const),
    lambda inner: inner.map(_not) | st.tuples(inner, inner).map(lambda two: _both(*two))
    | st.tuples(inner, inner).map(lambda two: _either(*two)),
    max_leaves=12,
)  # fmt: skip


@given(PAIRS)
def test_what_is_impossible_is_false_in_every_line_of_the_truth_table(pair: Pair) -> None:
    formula, truth = pair
    lines = [dict(zip(NAMES, values, strict=True)) for values in product((True, False), repeat=len(NAMES))]
    assert impossible(formula) is not any(truth(line) for line in lines)
    if formula.constant is not None:
        assert all(truth(line) is formula.constant for line in lines)


def test_a_thing_has_one_value_at_most() -> None:
    a, b, other = equality("x", "'a'"), equality("x", "'b'"), equality("y", "'b'")
    assert impossible(both(a, b))
    assert impossible(both(a, either(b, negate(a))))
    assert not impossible(both(a, other))
    assert not impossible(both(negate(a), negate(b)))


def test_what_has_atoms_or_subjects_in_common_is_alike() -> None:
    assert alike(both(atom("a"), atom("b")), negate(atom("b")))
    assert alike(equality("x", "1"), equality("x", "2"))
    assert not alike(equality("x", "1"), either(equality("y", "1"), atom("a")))


def test_constants_are_folded() -> None:
    a = atom("a")
    assert both(a, TRUE) == a
    assert both(a, FALSE) == FALSE
    assert either(a, TRUE) == TRUE
    assert either(a, FALSE) == a
    assert negate(negate(a)) == a
    assert both() == TRUE
    assert either() == FALSE
    assert both(a, a) == a


def test_a_formula_of_many_atoms_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.authoring.lint.formula._BUDGET", 50)
    pigeons = [[atom(f"{pigeon} in {hole}") for hole in range(8)] for pigeon in range(9)]
    placed = [either(*holes) for holes in pigeons]
    alone = [
        negate(both(one[hole], other[hole]))
        for at, one in enumerate(pigeons)
        for other in pigeons[:at]
        for hole in range(8)
    ]
    assert impossible(both(*placed, *alone)) is False
