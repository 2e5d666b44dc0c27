"""What two CEL expressions have to do with each other: the same, the same but for layout, one stronger than the other.

Only what follows from the shape is said: an expression that implies another does so whatever its parts are. Where it
cannot be told, nothing is.
"""

from __future__ import annotations

import math
import re
from functools import cache
from typing import TypeAlias

from webhook.impact.policydiff.change import Effect
from webhook.impact.policydiff.shape import FALSE, PLAIN_TEXT, TRUE, Form, made, with_children
from webhook.policy.celsyntax import Kind

_NUMBER = re.compile(r"-?\d+")
_STEPS = 20_000
"""Comparisons of parts of one pair of expressions; real ones take some hundreds."""
_DEPTH = 90
"""Parts within parts; real expressions have some ten, with all that their variables stand for some thirty."""


def direction(before: Form | None, after: Form | None) -> Effect:
    """Say what became of a condition: weaker if it now holds wherever it did, and elsewhere as well.

    WORDING: they mean the same.
    """
    if before is None or after is None or max(before.depth, after.depth) > _DEPTH:
        return Effect.CHANGED
    first, second = settled(before), settled(after)
    wider, narrower = _Implication().holds(first, second), _Implication().holds(second, first)
    if wider and narrower:
        return Effect.WORDING
    return Effect.WEAKER if wider else Effect.STRICTER if narrower else Effect.CHANGED


@cache
def settled(where: Form) -> Form:
    """Return a form whose parts that are the same whatever the request are worked out, with negations moved inwards."""
    children = tuple(settled(child) for child in where.children)
    node = with_children(where, children)
    match node.kind:
        case Kind.NOT:
            return _negated(children[0]) or node
        case Kind.AND | Kind.OR:
            return _joined(node)
        case Kind.CONDITIONAL if children[0] in {TRUE, FALSE}:
            return children[1] if children[0] == TRUE else children[2]
        case Kind.RELATION:
            return _compared(node) or node
        case _:
            return node


@cache
def _negated(inner: Form) -> Form | None:
    if inner in {TRUE, FALSE}:
        return FALSE if inner == TRUE else TRUE
    if inner.kind is Kind.NOT:
        return inner.children[0]
    if inner.kind not in {Kind.AND, Kind.OR}:
        return None
    turned = Kind.OR if inner.kind is Kind.AND else Kind.AND
    parts = tuple(_negated(part) or made(Kind.NOT, "", ("!", ""), (part,)) for part in inner.children)
    return _joined(made(turned, "", ("", turned.value, ""), parts))


def _joined(node: Form) -> Form:
    """``a && true`` is ``a``; ``a && false`` is false; and the other way round for ``||``."""
    neutral, deciding = (TRUE, FALSE) if node.kind is Kind.AND else (FALSE, TRUE)
    if deciding in node.children:
        return deciding
    rest = [child for child in node.children if child != neutral]
    return node if len(rest) == len(node.children) else rest[0] if rest else neutral


def _compared(node: Form) -> Form | None:
    left, right = node.children
    if node.name == "in" and right.kind is Kind.LIST and _all_literals((left, *right.children)):
        return TRUE if left in right.children else FALSE
    if node.name in {"==", "!="} and _all_literals((left, right)):
        return TRUE if (left == right) is (node.name == "==") else FALSE
    return None


def _all_literals(forms: tuple[Form, ...]) -> bool:
    """Whether all are literals of one sort, which are equal if they are written the same."""
    sorts = {_sort_of(one) for one in forms}
    return len(sorts) == 1 and "" not in sorts


def _sort_of(one: Form) -> str:
    if one.kind is not Kind.LITERAL:
        return ""
    if one in {TRUE, FALSE}:
        return "bool"
    return "int" if _NUMBER.fullmatch(one.name) else "text" if PLAIN_TEXT.fullmatch(one.name) else ""


@cache
def _parts(where: Form, kind: Kind) -> frozenset[Form]:
    """The form itself, and what it joins by ``&&`` or by ``||``."""
    found, waiting = {where}, [where]
    while waiting:
        one = waiting.pop()
        new = set(one.children) - found if one.kind is kind else set()
        found |= new
        waiting += new
    return frozenset(found)


class _Implication:
    """Whether one form implies another, by their shapes; gives up (says no) where they are too large."""

    def __init__(self) -> None:
        self._steps = _STEPS
        self._known: dict[tuple[Form, Form], bool] = {}

    def holds(self, one: Form, other: Form) -> bool:
        if one in _parts(other, Kind.OR) or other in _parts(one, Kind.AND) or one is FALSE or other is TRUE:
            return True
        found = self._known.get((one, other))
        if found is None:
            self._steps -= 1
            found = self._steps >= 0 and self._by_shape(one, other)
            self._known[one, other] = found
        return found

    def _by_shape(self, one: Form, other: Form) -> bool:
        if other.kind is Kind.AND:
            return all(self.holds(one, part) for part in other.children)
        if one.kind is Kind.OR:
            return all(self.holds(part, other) for part in one.children)
        return self._by_part(one, other) or self._alike(one, other)

    def _by_part(self, one: Form, other: Form) -> bool:
        return (one.kind is Kind.AND and any(self.holds(part, other) for part in one.children)) or (
            other.kind is Kind.OR and any(self.holds(one, part) for part in other.children)
        )

    def _alike(self, one: Form, other: Form) -> bool:
        if one.kind is not other.kind or len(one.children) != len(other.children):
            return False
        match one.kind:
            case Kind.NOT:
                return self.holds(other.children[0], one.children[0])
            case Kind.CONDITIONAL:
                same = one.children[0] == other.children[0]
                return same and all(map(self.holds, one.children[1:], other.children[1:]))
            case Kind.METHOD if one.name in {"all", "exists"}:
                same = (one.name, one.binds, one.children[:-1]) == (other.name, other.binds, other.children[:-1])
                return same and self.holds(one.children[-1], other.children[-1])
            case Kind.RELATION:
                return _narrower(one, other)
            case _:
                return False


def _narrower(one: Form, other: Form) -> bool:
    """``x < 5`` implies ``x <= 10``, and ``x in [1]`` implies ``x in [1, 2]``."""
    if one.children[0] == other.children[0] and other.name == "in" and other.children[1].kind is Kind.LIST:
        wanted = other.children[1].children
        if one.name == "in" and one.children[1].kind is Kind.LIST:
            return set(one.children[1].children) <= set(wanted)
        return one.name == "==" and one.children[1] in wanted
    first, second = _range(one), _range(other)
    if first is None or second is None or first[0] != second[0]:
        return False
    return first[1] >= second[1] and first[2] <= second[2]


_Bound: TypeAlias = tuple[float, int]
"""A number, and 1 or -1 where just more or less than it is meant."""
_LEAST, _MOST = (-math.inf, 0), (math.inf, 0)
_MIRRORED = {"<": ">", ">": "<", "<=": ">=", ">=": "<=", "==": "=="}


def _range(relation: Form) -> tuple[Form, _Bound, _Bound] | None:
    """Return what is compared with a whole number, and the range that it must be in."""
    (left, right), operator = relation.children, relation.name
    if _sort_of(left) == "int":
        left, right, operator = right, left, _MIRRORED.get(operator, "")
    if _sort_of(right) != "int" or operator not in _MIRRORED:
        return None
    number = int(right.name)
    low = {">": (number, 1), ">=": (number, 0), "==": (number, 0)}.get(operator, _LEAST)
    high = {"<": (number, -1), "<=": (number, 0), "==": (number, 0)}.get(operator, _MOST)
    return left, low, high
