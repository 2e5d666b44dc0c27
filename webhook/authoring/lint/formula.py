"""Propositional logic on what boolean expressions are made of: enough to say that one can never be false.

An atom is a part that is true or false. Of atoms nothing else is known, but that one thing has one value at most.
Otherwise they count as independent of each other, so whatever is said here to be impossible is impossible; what is not
recognized as such is left alone.
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
    subject: str = ""
    """Of an atom: what it compares with a value."""
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


def equality(subject: str, value: str) -> Formula:
    """An atom that says that something has a value, and so no other."""
    return Formula(_Form.ATOM, f"{subject}=={value}", subject)


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
    chosen = next(_atoms(formula))
    return any(_may_hold(_assigned(formula, chosen, truth), budget) for truth in (TRUE, FALSE))


def alike(one: Formula, other: Formula) -> bool:
    """Say whether the truth of one may have to do with that of the other: they have atoms or subjects in common."""
    return not _concerns(one).isdisjoint(_concerns(other))


def _concerns(formula: Formula) -> set[str]:
    return {found.subject or found.key for found in _atoms(formula)}


def _atoms(formula: Formula) -> Iterator[Formula]:
    if formula.form is _Form.ATOM:
        yield formula
    for part in formula.parts:
        yield from _atoms(part)


def _assigned(formula: Formula, chosen: Formula, truth: Formula) -> Formula:
    if formula.form is _Form.ATOM:
        if formula.key == chosen.key:
            return truth
        return FALSE if truth is TRUE and chosen.subject and formula.subject == chosen.subject else formula
    parts = tuple(_assigned(part, chosen, truth) for part in formula.parts)
    if formula.form is _Form.NOT:
        return negate(parts[0])
    return both(*parts) if formula.form is _Form.AND else either(*parts)
