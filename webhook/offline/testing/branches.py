"""The conditions inside an expression that tests should see both true and false, and how to ask for each of them.

The runtime tells only what a whole expression gives. So for each condition there are two probes: expressions of their
own that hold where the condition is reached and true, or reached and false. They are made from the text of the
expression: what stands before a condition in ``a && b``, ``a || b`` or ``c ? x : y`` becomes a clause before it, read
from left to right; a condition inside a macro is asked of each element by ``exists``::

    volumes.exists_one(v, v.shared || v.hotplug)      "was v.hotplug ever false?"
    (volumes).exists(v, !(v.shared) && !(v.hotplug))

Of ``all`` and ``exists`` only the elements up to the one that decides are asked, in lists; those of a map have no order
that would be the same tomorrow, and are all asked. A condition in whose way stands an error counts as not reached.

In the same way there is a probe for each variable of a policy: it holds where the expression reads the variable.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache

from webhook.policy.celsyntax import Kind, Node, parse

_PREDICATES = frozenset({"all", "exists", "exists_one", "existsOne", "filter"})
"""Macros whose last argument is a condition."""
_OPTIONAL = frozenset({"optMap", "optFlatMap"})
_DECIDED = frozenset({"all", "exists"})
"""Macros that end with the first element that decides."""


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

    def through(self, opening: str, closing: str = ")") -> _Way:
        """The same way, and then into something that is opened and closed again."""
        return _Way(self.text, f"{self.before}{opening}", f"{closing}{self.after}")

    def within(self, macro: Node) -> _Way:
        """The way into the body of a macro, for any of its elements."""
        names = ", ".join(macro.binds)
        subject = self.of(macro.children[0])
        if macro.name == "bind":
            return self.through(f"cel.bind({names}, {self.of(macro.children[2])}, ")
        if macro.name in _OPTIONAL:
            return self.through(f"{subject}.optMap({names}, ", ").orValue(false)")
        if macro.name in _DECIDED:
            return self._undecided(macro)
        return self.through(f"{subject}.exists({names}, ")

    def _undecided(self, macro: Node) -> _Way:
        """The way to an element of ``all`` or ``exists`` before which, in a list, none decides."""
        whole, listed, at, earlier = (f"_{name}{macro.start}" for name in ("whole", "listed", "at", "earlier"))
        goes_on = self.of(macro.children[-1]) if macro.name == "all" else f"!{self.of(macro.children[-1])}"
        way = self.through(f"cel.bind({whole}, {self.of(macro.children[0])}, ")
        if len(macro.binds) == 1:
            (element,) = macro.binds
            way = way.through(f"cel.bind({listed}, {whole}.map({element}, {element}), ")
        else:  # the first name is the index, or the key in a map
            listed, (at, element) = whole, macro.binds
            goes_on = f"cel.bind({at}, {earlier}, {goes_on})"
        none_before = f"{listed}.all({earlier}, {element}, {earlier} >= {at} || {goes_on})"
        return way.through(f"{listed}.exists({at}, {element}, ").where(f"(type(dyn({whole})) == map || {none_before})")

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
    parts = _conditions if boolean and root.kind in {Kind.AND, Kind.OR, Kind.CONDITIONAL} else _inside
    return tuple(part.way.branch(part.node) for part in parts(root, _Way(text)) if part.condition)


@lru_cache(maxsize=4096)
def readings(text: str) -> Mapping[str, str]:
    """Return the variables of its policy that an expression may read, each with the probe that says whether it does.

    Raises SyntaxProblem.
    """
    probes: dict[str, list[str]] = {}
    for part in _inside(parse(text), _Way(text)):
        _, _, name = part.node.dotted.partition("variables.")
        if not part.condition and part.node.dotted == f"variables.{name}" and "." not in name:
            probes.setdefault(name, []).append(f"{part.way.before}true{part.way.after}")
    return {name: " || ".join(f"({probe})" for probe in dict.fromkeys(ways)) for name, ways in probes.items()}


@dataclass(frozen=True, slots=True)
class _Part:
    """A part of an expression, and the way there. What is a condition is given once more as a value."""

    node: Node
    way: _Way
    condition: bool = False


def _conditions(node: Node, way: _Way) -> Iterator[_Part]:
    """The parts of a condition."""
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
        yield _Part(node, way, condition=True)
        yield from _inside(node, way)


def _inside(node: Node, way: _Way) -> Iterator[_Part]:
    """The parts of what is no condition itself."""
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
        yield _Part(node, way)
        for child in node.children:
            yield from _inside(child, way)


def _inside_macro(macro: Node, way: _Way) -> Iterator[_Part]:
    """The range (or the value that is bound), then the body: a condition, a value, or a value under a condition."""
    subject = macro.children[2] if macro.name == "bind" else macro.children[0]
    yield from _inside(subject, way)
    body = macro.children[3:] if macro.name == "bind" else macro.children[1 + len(macro.binds) :]
    way = way.within(macro)
    if len(body) > 1:
        yield from _conditions(body[0], way)
        way = way.where(way.of(body[0]))
    yield from (_conditions if macro.name in _PREDICATES else _inside)(body[-1], way)
