"""What can be done to one CEL expression: small changes, each of which a policy's own tests should notice.

Source: the operators are the classic ones of mutation testing for logic (negation, clause and operator replacement).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from webhook.policy.celsyntax import Kind, Node, parse

_LOGIC = {Kind.AND: "&&", Kind.OR: "||"}
_OTHER_LOGIC = {Kind.AND: "||", Kind.OR: "&&"}
_NEIGHBOURS = {"<": "<=", "<=": "<", ">": ">=", ">=": ">", "==": "!=", "!=": "=="}
_EQUALITY = frozenset({"==", "!="})
_QUANTIFIERS = {"all": "exists", "exists": "all", "exists_one": "exists"}
_TESTS = frozenset({*_QUANTIFIERS, "filter"})
"""Macros whose last argument is a condition."""
_BOOLEAN_METHODS = frozenset({*_QUANTIFIERS, "startsWith", "endsWith", "contains", "matches", "hasValue"})
_LOOSE = frozenset({Kind.AND, Kind.OR, Kind.CONDITIONAL, Kind.RELATION, Kind.ARITHMETIC})
_STRING = re.compile(r"""[rRbB]*['"]""")
SHOWN = 90
"""Characters of an expression's part in the name of a mutant."""


@dataclass(frozen=True, slots=True)
class Change:
    """One changed expression."""

    offset: int
    """Where in the original text the changed part begins."""
    what: str
    text: str
    """The whole expression, changed."""
    wanted: str
    """The kind of case that would notice."""


def changes(text: str, *, boolean: bool = False) -> Iterator[Change]:
    """Yield every change of an expression, in the order of its parts; ``boolean`` if it is a condition as a whole.

    An expression that says so by itself (``a && b``) is known to be boolean without that. Raises SyntaxProblem.
    """
    root = parse(text)
    seen = {text}
    for change in _Changes(text).of(root, boolean=boolean or _is_boolean(root)):
        if change.text not in seen:
            seen.add(change.text)
            yield change


def shown(text: str) -> str:
    """A part of an expression on one line, without its middle where it is long."""
    line = " ".join(text.split())
    return line if len(line) <= SHOWN else f"{line[: SHOWN // 2]} … {line[-SHOWN // 2 :]}"


def _is_boolean(node: Node) -> bool:
    if node.kind is Kind.CONDITIONAL:
        return all(map(_is_boolean, node.children[1:]))
    if node.kind is Kind.METHOD:
        return node.name in _BOOLEAN_METHODS
    if node.kind is Kind.CALL:
        return node.name == "has"
    return node.kind in {Kind.AND, Kind.OR, Kind.NOT, Kind.RELATION}


class _Changes:
    """The changes of one expression."""

    def __init__(self, text: str) -> None:
        self._text = text

    def of(self, node: Node, *, boolean: bool) -> Iterator[Change]:
        """Yield the changes of a part, and of all within; ``boolean`` where it stands for a condition."""
        if boolean:
            yield from self._negated(node)
        yield from self._own(node)
        for child, is_condition in self._parts(node, boolean=boolean):
            yield from self.of(child, boolean=is_condition)

    def _own(self, node: Node) -> Iterator[Change]:
        if node.kind in _LOGIC:
            yield from self._without_clauses(node)
            yield from self._other_logic(node)
        elif node.kind is Kind.RELATION and node.name in _NEIGHBOURS:
            yield self._neighbour(node)
        elif node.kind is Kind.CONDITIONAL:
            yield from self._forced(node)
        elif node.kind is Kind.METHOD and node.binds:
            yield from self._macro(node)
        elif node.kind is Kind.LIST and node.children and all(map(_is_text, node.children)):
            yield from self._shorter(node)

    def _parts(self, node: Node, *, boolean: bool) -> list[tuple[Node, bool]]:
        """The children, flat for a chain of one logical operator, each with whether it is a condition."""
        if node.kind in _LOGIC:
            return [(clause, True) for clause in _clauses(node)]
        if node.kind is Kind.CONDITIONAL:
            condition, *branches = node.children
            return [(condition, True), *((branch, boolean) for branch in branches)]
        last = len(node.children) - 1
        tests = node.kind is Kind.METHOD and bool(node.binds) and node.name in _TESTS
        return [(child, tests and index == last) for index, child in enumerate(node.children)]

    def _negated(self, node: Node) -> Iterator[Change]:
        wanted = f"a case that comes out another way when `{shown(self._of(node))}` is not what it is"
        if node.kind is Kind.RELATION and node.name in _EQUALITY:
            return  # its neighbour is its negation
        if node.kind is Kind.NOT:
            yield self._replaced(node, self._enclosed(node.children[0]), self._named("negate", node), wanted)
        else:
            yield self._replaced(node, f"!({self._of(node)})", self._named("negate", node), wanted)

    def _without_clauses(self, node: Node) -> Iterator[Change]:
        clauses = _clauses(node)
        decisive = "false" if node.kind is Kind.AND else "true"
        others = "true" if node.kind is Kind.AND else "false"
        for clause in clauses:
            rest = [self._enclosed(one) for one in clauses if one is not clause]
            wanted = f"a case in which `{shown(self._of(clause))}` is {decisive} and what stands beside it is {others}"
            text = f" {_LOGIC[node.kind]} ".join(rest)
            yield self._replaced(node, text, self._named("drop", clause), wanted, at=clause)

    def _other_logic(self, node: Node) -> Iterator[Change]:
        """Every operator of the chain, from its end."""
        link = node
        while link.kind is node.kind:
            left, right = link.children
            other = _OTHER_LOGIC[node.kind]
            what = f"`{_LOGIC[node.kind]}` -> `{other}` before `{shown(self._of(right))}`"
            wanted = f"a case in which just one of the sides of `{_LOGIC[node.kind]}` is true"
            yield self._replaced(
                link, f"({self._enclosed(left)} {other} {self._enclosed(right)})", what, wanted, at=right
            )
            link = left

    def _neighbour(self, node: Node) -> Change:
        left, right = node.children
        start, end = self._between(left, right, node.name)
        other = _NEIGHBOURS[node.name]
        what = f"`{shown(self._of(node))}` -> `{other}`"
        sides = "are equal, and one in which they are not" if node.name in _EQUALITY else "are equal"
        wanted = f"a case in which the sides of `{shown(self._of(node))}` {sides}"
        return Change(node.start, what, self._text[:start] + other + self._text[end:], wanted)

    def _between(self, left: Node, right: Node, operator: str) -> tuple[int, int]:
        """Where an operator stands; a parenthesis may close before it."""
        start = self._text.index(operator, left.end, right.start)
        return start, start + len(operator)

    def _forced(self, node: Node) -> Iterator[Change]:
        condition, *branches = node.children
        for branch, outcome, missed in zip(branches, ("true", "false"), ("false", "true"), strict=True):
            what = f"`{shown(self._of(condition))} ? …` is always {outcome}"
            wanted = f"a case in which `{shown(self._of(condition))}` is {missed}, and which checks what that gives"
            yield self._replaced(node, self._enclosed(branch), what, wanted)

    def _macro(self, node: Node) -> Iterator[Change]:
        body = shown(self._of(node.children[-1]))
        if node.name in _QUANTIFIERS:
            place = re.compile(rf"\.\s*({node.name})\s*\(").search(self._text, node.children[0].end)
            other = _QUANTIFIERS[node.name]
            if place:
                text = self._text[: place.start(1)] + other + self._text[place.end(1) :]
                what = f"`{node.name}` -> `{other}` of `{body}`"
                yield Change(
                    place.start(1), what, text, f"a case with two elements, one of which is `{body}`, or with none"
                )
        elif node.name == "filter":
            what = f"drop `filter` of `{body}`"
            yield self._replaced(node, self._enclosed(node.children[0]), what, f"a case with an element not `{body}`")

    def _shorter(self, node: Node) -> Iterator[Change]:
        for element in node.children:
            rest = ", ".join(self._of(one) for one in node.children if one is not element)
            what = f"drop `{self._of(element)}` of `{shown(self._of(node))}`"
            yield self._replaced(node, f"[{rest}]", what, f"a case with {self._of(element)}", at=element)

    def _named(self, verb: str, node: Node) -> str:
        return f"{verb} `{shown(self._of(node))}`"

    def _of(self, node: Node) -> str:
        return self._text[node.start : node.end]

    def _enclosed(self, node: Node) -> str:
        return f"({self._of(node)})" if node.kind in _LOOSE else self._of(node)

    def _replaced(self, node: Node, text: str, what: str, wanted: str, at: Node | None = None) -> Change:
        whole = self._text[: node.start] + text + self._text[node.end :]
        return Change((at or node).start, what, whole, wanted)


def _clauses(node: Node) -> list[Node]:
    """The operands of a chain of one logical operator."""
    found: list[Node] = []
    for child in node.children:
        found += _clauses(child) if child.kind is node.kind else [child]
    return found


def _is_text(node: Node) -> bool:
    return node.kind is Kind.LITERAL and _STRING.match(node.name) is not None
