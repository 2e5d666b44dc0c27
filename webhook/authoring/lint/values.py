"""Comparisons of what has a few known values with something else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook.authoring.lint.expressions import Expressions
from webhook.authoring.lint.found import Found, within
from webhook.authoring.lint.meaning import literal
from webhook.authoring.lint.rule import error
from webhook.kubevirt.requester import Origin
from webhook.model.request import Operation
from webhook.policy.celsyntax import Kind, Node
from webhook.policy.spelling import nearest

UNKNOWN_VALUE = error(
    "unknown-value",
    "A comparison with a value that there is not",
    "Operations and origins have a few values, in one spelling: a comparison with anything else has one outcome.",
    bad="request.operation == 'Update'",
    good="request.operation == 'UPDATE'",
)

RULES = (UNKNOWN_VALUE,)

_VALUES: Mapping[str, tuple[str, ...]] = {
    "request.operation": tuple(Operation),
    "requester.origin": tuple(Origin),
    "vmim.origin": ("", *Origin),
}


def check(expressions: Expressions) -> Iterator[Found]:
    """Find comparisons with values that are none."""
    for part in expressions.parts:
        for name, node in compared_in_vain(part.node):
            written, values = str(literal(node.name)), _VALUES[name]
            by_case = {one.casefold(): one for one in values}
            close = by_case.get(written.casefold())
            hint = f"did you mean '{close}'?" if close else nearest(written, values)
            message = f"{name} is never '{written}'"
            hint = hint or f"it is one of {', '.join(filter(None, values))}"
            yield within(UNKNOWN_VALUE, part.text, node.start, message, hint)


def compared_in_vain(node: Node, bound: frozenset[str] = frozenset()) -> Iterator[tuple[str, Node]]:
    """The literals with which one of these names is compared and never equal."""
    if node.kind is Kind.RELATION and node.name in {"==", "!=", "in"}:
        left, right = node.children
        others = right.children if right.kind is Kind.LIST and node.name == "in" else (right,)
        for one, other in ((left, others), (right, (left,))):
            if one.dotted in _VALUES and one.dotted.partition(".")[0] not in bound:
                yield from ((one.dotted, it) for it in other if _is_none_of(it, _VALUES[one.dotted]))
    inner = bound | set(node.binds)
    for index, child in enumerate(node.children):
        yield from compared_in_vain(child, inner if index else bound)


def _is_none_of(node: Node, values: tuple[str, ...]) -> bool:
    found = literal(node.name) if node.kind is Kind.LITERAL else None
    return isinstance(found, str) and found not in values
