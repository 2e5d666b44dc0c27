"""Variables and parameters that nothing reads."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.authoring.lint.expressions import Expressions, Role
from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.meaning import literal
from webhook.authoring.lint.rule import warning
from webhook.model.objects import mapping
from webhook.policy.celsyntax import Kind, Node

UNUSED_VARIABLE = warning(
    "unused-variable", "A variable is read by nothing", "Neither a condition, validation, mutation nor a text reads it."
)
UNUSED_PARAM = warning(
    "unused-param",
    "A parameter is read by nothing",
    "paramSchema declares it and no expression reads it: whoever sets it believes in vain that something changes.",
)

RULES = (
    UNUSED_VARIABLE,
    UNUSED_PARAM,
)


def check(expressions: Expressions) -> Iterator[Found]:
    """Find what a policy declares in vain."""
    document, variables = expressions.policy.document, expressions.variables
    readers = [part.node for part in expressions.parts if part.role is not Role.VARIABLE]
    used = {name for node in readers for name in expressions.names_behind(node)}
    for name, part in variables.items():
        if f"variables.{name}" not in used:
            message = f"nothing reads variables.{name}"
            yield at(UNUSED_VARIABLE, document, part.text.path[:-1], message, "remove it, or use it")
    read = {name for part in expressions.parts for name in _params(part.node)}
    if "" in read:
        return
    for name in mapping(expressions.policy.param_schema, "properties"):
        if name not in read:
            path = ("spec", "paramSchema", "properties", name)
            yield at(UNUSED_PARAM, document, path, f"nothing reads params.{name}", "remove it, or use it")


def _params(node: Node) -> Iterator[str]:
    """The parameters that a tree reads; an empty name where that may be any of them."""
    if node.dotted == "params":
        yield ""
    for index, child in enumerate(node.children):
        if child.dotted == "params" and index == 0 and node.kind is Kind.SELECT:
            yield node.name
        elif child.dotted == "params" and index == 0 and node.kind is Kind.INDEX:
            found = literal(node.children[1].name) if node.children[1].kind is Kind.LITERAL else ""
            yield found if isinstance(found, str) else ""
        else:
            yield from _params(child)
