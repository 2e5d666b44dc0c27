"""The conditions inside an expression that tests should see both true and false, and how to ask for each of them.

The runtime tells only what a whole expression gives. So for each condition there are two probes: expressions of their
own that hold where the condition is reached and true, or reached and false. They are made from the text of the
expression: what stands before a condition in ``a && b``, ``a || b`` or ``c ? x : y`` becomes a clause before it, read
from left to right; a condition inside a macro is asked of each element by ``exists``::

    volumes.all(v, v.shared || v.hotplug)      "was v.hotplug ever false?"
    (volumes).exists(v, !(v.shared) && !(v.hotplug))

A condition in whose way stands an error counts as not reached.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from webhook.policy.celsyntax import Kind, Node, parse

_PREDICATES = frozenset({"all", "exists", "exists_one", "existsOne", "filter"})
"""Macros whose last argument is a condition."""
_OPTIONAL = frozenset({"optMap", "optFlatMap"})


@dataclass(frozen=True, slots=True)
class Branch:
    """One condition, ``text[start:end]`` of its expression, and the probes for it."""

    start: int
    end: int
    true: str
    """An expression that holds where the condition is reached and true."""
    false: str


@dataclass(frozen=True, slots=True)
class _Way:
    """How a part of the expression is reached: the text of a probe before and after what it asks."""

    text: str
    before: str = ""
    after: str = ""

    def of(self, node: Node) -> str:
        return f"({self.text[node.start : node.end]})"

    def where(self, *clauses: str) -> _Way:
        """The same way, under conditions."""
        return _Way(self.text, self.before + "".join(f"{clause} && " for clause in clauses), self.after)

    def within(self, macro: Node) -> _Way:
        """The way into the body of a macro, for any of its elements."""
        names = ", ".join(macro.binds)
        subject = self.of(macro.children[0])
        if macro.name == "bind":
            value = self.of(macro.children[2])
            return _Way(self.text, f"{self.before}cel.bind({names}, {value}, ", f"){self.after}")
        if macro.name in _OPTIONAL:
            return _Way(self.text, f"{self.before}{subject}.optMap({names}, ", f").orValue(false){self.after}")
        return _Way(self.text, f"{self.before}{subject}.exists({names}, ", f"){self.after}")

    def branch(self, node: Node) -> Branch:
        asked = self.of(node)
        true, false = (f"{self.before}{said}{asked}{self.after}" for said in ("", "!"))
        return Branch(node.start, node.end, true, false)


@lru_cache(maxsize=4096)
def branches(text: str, *, boolean: bool) -> tuple[Branch, ...]:
    """Return the conditions in an expression, in the order of its text.

    Of ``&&``, ``||``, ``!`` and ``?:`` these are the innermost operands: the others are true or false as those are.
    What is true or false whenever the whole ``boolean`` expression is (it is the only condition) is left out, and so
    are constants. Raises SyntaxProblem.
    """
    root = parse(text)
    while boolean and root.kind is Kind.NOT:
        root = root.children[0]
    way = _Way(text)
    if boolean and root.kind in {Kind.AND, Kind.OR, Kind.CONDITIONAL}:
        return tuple(_conditions(root, way))
    return tuple(_inside(root, way))


def _conditions(node: Node, way: _Way) -> Iterator[Branch]:
    """The conditions that make up a condition."""
    if node.kind is Kind.NOT:
        yield from _conditions(node.children[0], way)
    elif node.kind in {Kind.AND, Kind.OR}:
        for operand in node.children:
            yield from _conditions(operand, way)
            way = way.where(way.of(operand) if node.kind is Kind.AND else f"!{way.of(operand)}")
    elif node.kind is Kind.CONDITIONAL:
        condition, then, otherwise = node.children
        yield from _conditions(condition, way)
        yield from _conditions(then, way.where(way.of(condition)))
        yield from _conditions(otherwise, way.where(f"!{way.of(condition)}"))
    elif node.kind is not Kind.LITERAL:
        yield way.branch(node)
        yield from _inside(node, way)


def _inside(node: Node, way: _Way) -> Iterator[Branch]:
    """The conditions in what is no condition itself."""
    if node.kind in {Kind.AND, Kind.OR, Kind.NOT}:
        yield from _conditions(node, way)
    elif node.kind is Kind.CONDITIONAL:
        condition, then, otherwise = node.children
        yield from _conditions(condition, way)
        yield from _inside(then, way.where(way.of(condition)))
        yield from _inside(otherwise, way.where(f"!{way.of(condition)}"))
    elif node.binds:
        yield from _inside_macro(node, way)
    else:
        for child in node.children:
            yield from _inside(child, way)


def _inside_macro(macro: Node, way: _Way) -> Iterator[Branch]:
    """The range (or the value that is bound), then the body: a condition, a value, or a value under a condition."""
    subject = macro.children[2] if macro.name == "bind" else macro.children[0]
    yield from _inside(subject, way)
    body = macro.children[3:] if macro.name == "bind" else macro.children[1 + len(macro.binds) :]
    way = way.within(macro)
    if len(body) > 1:
        yield from _conditions(body[0], way)
        way = way.where(way.of(body[0]))
    yield from (_conditions if macro.name in _PREDICATES else _inside)(body[-1], way)
