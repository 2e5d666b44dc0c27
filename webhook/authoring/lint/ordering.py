"""Lists made of maps, whose order is another in each run, where the order matters."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from webhook.authoring.lint.expressions import Expressions, Part
from webhook.authoring.lint.found import Found, within
from webhook.authoring.lint.rule import warning
from webhook.model.facts import FactCatalog
from webhook.policy.celsyntax import Kind, Node

UNSTABLE_ORDER = warning(
    "unstable-order",
    "The keys of a map are taken in an order that changes",
    "Maps have no order: the same request is told one thing now and another after the next start, and records differ. "
    "Sort the list before it is joined, or before one of its items is taken.",
    bad="object.metadata.labels.map(k, k).join(', ')",
    good="object.metadata.labels.map(k, k).sort().join(', ')",
)

RULES = (UNSTABLE_ORDER,)

_OF_OBJECTS = frozenset({"object", "oldObject", "namespaceObject"})
_MAPS = frozenset({"metadata", "spec", "status", "labels", "annotations", "nodeSelector", "matchLabels"})
"""Fields of objects that are maps whatever the kind. Source: Kubernetes ``apimachinery/pkg/apis/meta/v1/types.go``."""
_LISTING = frozenset({"map", "filter", "transformList"})
_KEEPING = frozenset({"filter", "map", "transformList", "distinct", "flatten", "reverse", "slice"})
"""What makes a list of a list, in the order of that."""
_TAKING = frozenset({"join", "first", "last", "slice"})
_INDIFFERENT = frozenset({"contains", "size"})
"""What of a text most often does not depend on the order of what was joined."""


def check(expressions: Expressions, catalog: FactCatalog) -> Iterator[Found]:
    """Find lists in the order of a map that are joined, or of which one item is taken."""
    maps = frozenset(name for name, fact in catalog.items() if fact.cel_type.startswith("map"))
    order = _Order(expressions, maps)
    for part in expressions.parts:
        for node in order.taken(part.node, part):
            message = "a list that is made of a map is in another order in each run, and here the order matters"
            yield within(UNSTABLE_ORDER, part.text, node.start, message, "sort() it before")


@dataclass(frozen=True, slots=True)
class _Order:
    """Tells maps, and lists in the order of one, in the expressions of a policy. Where it is not sure, it says no."""

    expressions: Expressions
    maps: frozenset[str]
    """Names of facts that are maps."""

    def taken(self, node: Node, part: Part) -> Iterator[Node]:
        """What is joined or indexed in a tree, and in the order of a map."""
        if _takes(node) and self._is_unordered(node.children[0]) and not _is_counted(part.node):
            yield node.children[0]
            return
        if _is_indifferent(node):
            return
        for child in node.children:
            yield from self.taken(child, part)

    def _is_unordered(self, node: Node) -> bool:
        if (variable := self._variable(node)) is not None:
            return self._is_unordered(variable)
        if node.kind is Kind.ARITHMETIC and node.name == "+":
            return any(self._is_unordered(child) for child in node.children)
        if node.kind is not Kind.METHOD or node.name not in _KEEPING:
            return False
        if self._is_unordered(node.children[0]):
            return not node.binds or _tells_apart(node)
        return node.name in _LISTING and bool(node.binds) and self._is_map(node.children[0]) and _tells_apart(node)

    def _is_map(self, node: Node) -> bool:
        if (variable := self._variable(node)) is not None:
            return self._is_map(variable)
        match node.kind:
            case Kind.MAP:
                return len(node.children) > 2  # noqa: PLR2004 - a key and its value alone have one order
            case Kind.NAME | Kind.SELECT:
                root, _, path = node.dotted.partition(".")
                of_object = root in _OF_OBJECTS and (not path or path.rpartition(".")[2] in _MAPS)
                return of_object or node.dotted in self.maps
            case Kind.METHOD if node.name == "orValue":
                return self._is_map(node.children[0]) or self._is_map(node.children[1])
            case Kind.CALL if node.name == "dyn":
                return self._is_map(node.children[0])
            case Kind.CONDITIONAL:
                return all(self._is_map(child) for child in node.children[1:])
            case _:
                return False

    def _variable(self, node: Node) -> Node | None:
        if node.kind is not Kind.SELECT or node.children[0].dotted != "variables":
            return None
        part = self.expressions.variables.get(node.name)
        return part.node if part is not None else None


def _takes(node: Node) -> bool:
    return node.kind is Kind.INDEX or (node.kind is Kind.METHOD and node.name in _TAKING)


def _tells_apart(node: Node) -> bool:
    """Say whether the items of a macro's list may differ: not where all are the same, or one key alone gets through."""
    body = node.children[-1]
    names = set(node.binds)
    if node.name == "filter":
        operands = body.children if body.kind is Kind.AND else (body,)
        return not any(
            one.kind is Kind.RELATION and one.name == "==" and any(side.name in names for side in one.children)
            for one in operands
        )
    return any(one.kind is Kind.NAME and one.name in names for one in body.walk())


def _is_counted(node: Node) -> bool:
    """Say whether an expression asks how many items there are, and so may make sure that there is one alone."""
    return any(one.kind in {Kind.METHOD, Kind.CALL} and one.name == "size" for one in node.walk())


def _is_indifferent(node: Node) -> bool:
    """Say whether what is below it is only looked through, or compared with the empty text."""
    if node.kind is Kind.METHOD and node.name in _INDIFFERENT:
        return True
    empty = {"''", '""'}
    return node.kind is Kind.RELATION and any(one.kind is Kind.LITERAL and one.name in empty for one in node.children)
