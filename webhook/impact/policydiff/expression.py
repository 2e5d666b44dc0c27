"""What two CEL expressions have to do with each other: the same, the same but for layout, one stronger than the other.

Only what follows from the shape is said: an expression that implies another does so whatever its parts are. Where it
cannot be told, nothing is.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import TypeAlias

from webhook.impact.policydiff.change import Effect
from webhook.model.objects import JSON
from webhook.policy.celsyntax import Kind, Node, SyntaxProblem, parse

_COMMENT = re.compile(r"//[^\n]*")
_TOKEN = re.compile(r"`[^`\n]*`|[A-Za-z_][A-Za-z0-9_]*|&&|\|\||[<>=!]=|\.\?|[^\s]")
_PLAIN_TEXT = re.compile(r"""(['"])([^\\'"\n]*)\1""")
_OPENING = frozenset({"(", "[", "{", ".", ".?", "!"})
_CLOSING = frozenset({")", "]", "}", ",", ".", ".?"})
_OPENERS = frozenset({"in"})
_OPERAND = re.compile(r"""[\w`"')\]}]""")
_NUMBER = re.compile(r"-?\d+")
_STEPS = 20_000
"""Comparisons of parts of one pair of expressions; real ones take some hundreds."""


@dataclass(frozen=True, slots=True)
class Form:
    """An expression without its layout: two are equal if they have the same tree and the same tokens.

    Parentheses are in the tree and left out of the tokens.
    """

    kind: Kind
    name: str
    tokens: tuple[str, ...]
    """What stands before each child and after the last one."""
    children: tuple[Form, ...] = ()
    binds: tuple[str, ...] = ()

    @property
    def dotted(self) -> str:
        """``a.b`` for a name or a chain of fields; empty for anything else."""
        if self.kind is Kind.NAME:
            return self.name
        if self.kind is Kind.SELECT and self.tokens[-1].startswith(".") and not self.tokens[-1].startswith(".?"):
            above = self.children[0].dotted
            return f"{above}.{self.name}" if above else ""
        return ""


TRUE, FALSE = (Form(Kind.LITERAL, word, (word,)) for word in ("true", "false"))


@cache
def normal(text: str) -> str:
    """Return an expression with the one layout that all have here, without comments; what is in quotes stays."""
    try:
        literals = sorted((node.start, node.end) for node in parse(text).walk() if node.kind is Kind.LITERAL)
    except SyntaxProblem:
        return " ".join(text.split())
    tokens: list[str] = []
    at = 0
    for start, end in literals:
        tokens += [*_tokens(text[at:start]), text[start:end]]
        at = end
    tokens += _tokens(text[at:])
    return "".join(_spaced(tokens))


def _tokens(gap: str) -> list[str]:
    return _TOKEN.findall(_COMMENT.sub(" ", gap))


def _spaced(tokens: list[str]) -> Iterator[str]:
    """Put one blank around operators and none elsewhere."""
    before, operand, prefix = "(", False, False
    for token in tokens:
        applied = operand and token in {"(", "[", "{"}
        tight = prefix or applied or before in _OPENING or token in _CLOSING
        yield token if tight else f" {token}"
        prefix = token in {"-", "?"} and not operand
        operand = token not in _OPENERS and _OPERAND.match(token) is not None
        before = token


@cache
def form(text: str) -> Form | None:
    """Return the form of an expression; None for what is none."""
    try:
        return _form(parse(text), text)
    except SyntaxProblem:
        return None


def _form(node: Node, text: str) -> Form:
    if node.kind is Kind.LITERAL:
        plain = _PLAIN_TEXT.fullmatch(node.name)
        literal = json.dumps(plain[2], ensure_ascii=False) if plain else node.name
        return Form(Kind.LITERAL, literal, (literal,))
    tokens, at = [], node.start
    for child in node.children:
        tokens.append(_between(text[at : child.start]))
        at = child.end
    tokens.append(_between(text[at : node.end]))
    children = tuple(_form(child, text) for child in node.children)
    return Form(node.kind, node.name, tuple(tokens), children, node.binds)


def _between(gap: str) -> str:
    return " ".join(token for token in _tokens(gap) if token not in {"(", ")"})


def literal(value: JSON) -> Form:
    """Return a value as a form that is equal to that of the same value only."""
    if isinstance(value, bool):
        return TRUE if value else FALSE
    if isinstance(value, list):
        items = tuple(map(literal, value))
        return Form(Kind.LIST, "", ("[", *[","] * (len(items) - 1), "]") if items else ("[]",), items)
    written = json.dumps(value, ensure_ascii=False, sort_keys=True)
    plain = isinstance(value, str) and written == f'"{value}"'
    whole = isinstance(value, int) and value >= 0
    return Form(Kind.LITERAL if plain or whole else Kind.MESSAGE, written, (written,))


def filled(where: Form, values: Mapping[str, Form]) -> Form:
    """Return a form with dotted names replaced by what they stand for; what a macro binds is another thing."""
    if where.dotted in values:
        return values[where.dotted]
    inner = {name: put for name, put in values.items() if name.partition(".")[0] not in where.binds}
    return replace(where, children=tuple(filled(child, inner) for child in where.children))


def names_in(where: Form) -> Iterator[str]:
    """Yield the longest dotted names in a form."""
    if where.dotted:
        yield where.dotted
        return
    for child in where.children:
        yield from names_in(child)


def direction(before: Form | None, after: Form | None) -> Effect:
    """Say what became of a condition: weaker if it now holds wherever it did, and elsewhere as well.

    WORDING: they mean the same.
    """
    if before is None or after is None:
        return Effect.CHANGED
    first, second = settled(before), settled(after)
    wider, narrower = _Implication().holds(first, second), _Implication().holds(second, first)
    if wider and narrower:
        return Effect.WORDING
    return Effect.WEAKER if wider else Effect.STRICTER if narrower else Effect.CHANGED


def settled(where: Form) -> Form:
    """Return a form whose parts that are the same whatever the request are worked out, with negations moved inwards."""
    children = tuple(settled(child) for child in where.children)
    node = replace(where, children=children)
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


def _negated(inner: Form) -> Form | None:
    if inner in {TRUE, FALSE}:
        return FALSE if inner == TRUE else TRUE
    if inner.kind is Kind.NOT:
        return inner.children[0]
    if inner.kind not in {Kind.AND, Kind.OR}:
        return None
    turned = Kind.OR if inner.kind is Kind.AND else Kind.AND
    parts = tuple(_negated(part) or Form(Kind.NOT, "", ("!", ""), (part,)) for part in inner.children)
    return _joined(Form(turned, "", ("", turned.value, ""), parts))


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
    return "int" if _NUMBER.fullmatch(one.name) else "text" if _PLAIN_TEXT.fullmatch(one.name) else ""


class _Implication:
    """Whether one form implies another, by their shapes; gives up (says no) where they are too large."""

    def __init__(self) -> None:
        self._steps = _STEPS

    def holds(self, one: Form, other: Form) -> bool:
        self._steps -= 1
        if self._steps < 0:
            return False
        if one in {other, FALSE} or other == TRUE:
            return True
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
