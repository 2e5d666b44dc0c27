"""Propositional logic on what boolean expressions are made of: enough to say that one can never be false.

An atom is a part that is true or false and of which nothing else is known. Atoms count as independent of each other, so
whatever is said here to be impossible is impossible; what is not recognized as such is left alone.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

_BUDGET = 2_000
"""Case distinctions that are made before the answer is "perhaps"."""


class _Form(Enum):
    CONST = "const"
    ATOM = "atom"
    NOT = "not"
    AND = "and"
    OR = "or"


@dataclass(frozen=True, slots=True)
class Formula:
    """A boolean formula; made by the functions of this module only, which simplify it."""

    form: _Form
    key: str = ""
    """Of an atom."""
    truth: bool = False
    """Of a constant."""
    parts: tuple[Formula, ...] = ()

    @property
    def constant(self) -> bool | None:
        """The value that it has in any case; None if it depends."""
        return self.truth if self.form is _Form.CONST else None


TRUE = Formula(_Form.CONST, truth=True)
FALSE = Formula(_Form.CONST, truth=False)


def const(truth: bool) -> Formula:
    """A formula that is always so."""
    return TRUE if truth else FALSE


def atom(key: str) -> Formula:
    """A part of which only this is known: it is the same wherever the key is."""
    return Formula(_Form.ATOM, key)


def negate(formula: Formula) -> Formula:
    """Not."""
    if formula.constant is not None:
        return const(not formula.constant)
    return formula.parts[0] if formula.form is _Form.NOT else Formula(_Form.NOT, parts=(formula,))


def both(*formulas: Formula) -> Formula:
    """And."""
    return _joined(_Form.AND, formulas, absorbing=FALSE, neutral=TRUE)


def either(*formulas: Formula) -> Formula:
    """Or."""
    return _joined(_Form.OR, formulas, absorbing=TRUE, neutral=FALSE)


def _joined(form: _Form, formulas: tuple[Formula, ...], *, absorbing: Formula, neutral: Formula) -> Formula:
    parts: dict[Formula, None] = {}
    for formula in formulas:
        if formula == absorbing:
            return absorbing
        if formula != neutral:
            parts.update(dict.fromkeys(formula.parts if formula.form is form else (formula,)))
    if len(parts) > 1:
        return Formula(form, parts=tuple(parts))
    return next(iter(parts), neutral)


def impossible(formula: Formula) -> bool:
    """Say whether it is false whatever its atoms are; False also where that takes too long to tell."""
    return not _may_hold(formula, [_BUDGET])


def _may_hold(formula: Formula, budget: list[int]) -> bool:
    if formula.constant is not None:
        return formula.constant
    budget[0] -= 1
    if budget[0] < 0:
        return True
    key = next(_atoms(formula))
    return any(_may_hold(_assigned(formula, key, truth), budget) for truth in (TRUE, FALSE))


def _atoms(formula: Formula) -> Iterator[str]:
    if formula.form is _Form.ATOM:
        yield formula.key
    for part in formula.parts:
        yield from _atoms(part)


def _assigned(formula: Formula, key: str, truth: Formula) -> Formula:
    if formula.form is _Form.ATOM:
        return truth if formula.key == key else formula
    parts = tuple(_assigned(part, key, truth) for part in formula.parts)
    if formula.form is _Form.NOT:
        return negate(parts[0])
    return both(*parts) if formula.form is _Form.AND else either(*parts)
