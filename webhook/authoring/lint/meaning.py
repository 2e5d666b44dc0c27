"""What an expression comes to for one shape of requests, as far as that can be told without evaluating it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from webhook.authoring.lint.expressions import Expressions
from webhook.authoring.lint.formula import Formula, atom, both, const, either, equality, negate
from webhook.authoring.lint.shapes import Shape, known_values, presence
from webhook.policy.celsyntax import Kind, Node


class _Open:
    """Stands for a value that is not known."""


OPEN: Final = _Open()
PRESENT: Final = _Open()
"""Stands for an object that is there."""

_WORDS: Mapping[str, Any] = {"true": True, "false": False, "null": None}
_TESTS = frozenset({"startsWith", "endsWith", "contains"})
_Names = Mapping[str, str]
"""Names that macros have declared here, and what each is called in keys."""
_FREE: _Names = {}


@dataclass(slots=True)
class Meaning:
    """Reads the expressions of a policy for one shape."""

    expressions: Expressions
    shape: Shape
    _known: Mapping[str, Any] = field(init=False)
    _present: Mapping[str, bool] = field(init=False)
    _variables: dict[str, Formula] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._known = known_values(self.shape)
        self._present = presence(self.shape)

    def formula(self, node: Node, names: _Names = _FREE) -> Formula:
        """Return when it is true."""
        match node.kind:
            case Kind.OR:
                return either(*(self.formula(child, names) for child in node.children))
            case Kind.AND:
                return both(*(self.formula(child, names) for child in node.children))
            case Kind.NOT:
                return negate(self.formula(node.children[0], names))
            case Kind.CONDITIONAL:
                test, yes, no = (self.formula(child, names) for child in node.children)
                return either(both(test, yes), both(negate(test), no))
            case Kind.RELATION:
                return self._relation(node, names)
            case _:
                return self._atom(node, names)

    def _atom(self, node: Node, names: _Names) -> Formula:
        variable = self._variable(node, names)
        if variable is not None:
            if node.name not in self._variables:
                self._variables[node.name] = self.formula(variable)
            return self._variables[node.name]
        found = self.value(node, names)
        return const(found) if isinstance(found, bool) else atom(self.key(node, names))

    def _variable(self, node: Node, names: _Names) -> Node | None:
        """What ``variables.NAME`` stands for."""
        if node.kind is not Kind.SELECT or node.children[0].dotted != "variables" or "variables" in names:
            return None
        part = self.expressions.variables.get(node.name)
        return part.node if part is not None else None

    def _relation(self, node: Node, names: _Names) -> Formula:
        left, right = node.children
        match node.name:
            case "==":
                return self._equal(left, right, names)
            case "!=":
                return negate(self._equal(left, right, names))
            case "in" if right.kind is Kind.LIST:
                return either(*(self._equal(left, item, names) for item in right.children))
            case _:
                return atom(self.key(node, names))

    def _equal(self, left: Node, right: Node, names: _Names) -> Formula:
        one, other = self.value(left, names), self.value(right, names)
        if PRESENT in (one, other) and None in (one, other):
            return const(False)
        if isinstance(one, _Open) and isinstance(other, _Open):
            return atom("==".join(sorted((self.key(left, names), self.key(right, names)))))
        if isinstance(one, _Open) or isinstance(other, _Open):
            subject, value = (left, other) if isinstance(one, _Open) else (right, one)
            return equality(self.key(subject, names), repr(value))
        return const(type(one) is type(other) and one == other)

    def value(self, node: Node, names: _Names = _FREE) -> Any:
        """Return its value, or OPEN."""
        variable = self._variable(node, names)
        if variable is not None:
            return self.value(variable)
        match node.kind:
            case Kind.LITERAL:
                return literal(node.name)
            case Kind.NAME | Kind.SELECT:
                return self._named(node.dotted, names)
            case Kind.CONDITIONAL:
                test = self.formula(node.children[0], names).constant
                return OPEN if test is None else self.value(node.children[1 if test else 2], names)
            case Kind.OR | Kind.AND | Kind.NOT | Kind.RELATION:
                truth = self.formula(node, names).constant
                return OPEN if truth is None else truth
            case Kind.CALL if node.name == "dyn":
                return self.value(node.children[0], names)
            case Kind.METHOD if node.name in _TESTS:
                return _tested(node.name, [self.value(child, names) for child in node.children])
            case _:
                return OPEN

    def _named(self, name: str, names: _Names) -> Any:
        if not name or name.partition(".")[0] in names:
            return OPEN
        if name in self._present:
            return PRESENT if self._present[name] else None
        return self._known.get(name, OPEN)

    def key(self, node: Node, names: _Names = _FREE) -> str:
        """A text that is the same for parts that mean the same, whatever their layout."""
        if node.kind is Kind.NAME:
            return names.get(node.name, node.name)
        if node.kind is Kind.LITERAL:
            found = literal(node.name)
            return node.name if isinstance(found, _Open) else repr(found)
        inner = {**names, **{name: f"@{len(names) + at}" for at, name in enumerate(node.binds)}}
        keys = [self.key(child, inner if index else names) for index, child in enumerate(node.children)]
        if node.kind is Kind.RELATION and node.name in {"==", "!="}:
            keys.sort()
        return f"{node.kind.name}.{node.name}({', '.join(keys)})"


def literal(text: str) -> Any:
    """Return the value of a simple literal, or OPEN: a text without escapes, an integer, true, false, null."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] in "'\"" and "\\" not in text and not text.startswith(("'''", '"""')):
        return text[1:-1]
    if text.isascii() and text.isdecimal():
        return int(text)
    return OPEN


def _tested(method: str, values: Sequence[Any]) -> Any:
    if not all(isinstance(one, str) for one in values):
        return OPEN
    receiver, argument = values
    if method == "startsWith":
        return receiver.startswith(argument)
    return receiver.endswith(argument) if method == "endsWith" else argument in receiver
