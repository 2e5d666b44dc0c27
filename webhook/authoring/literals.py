"""Values as CEL writes them, and maps as the typed objects that a MutatingAdmissionPolicy has to return."""

from __future__ import annotations

import re

from webhook.model.objects import JSON
from webhook.policy.celsyntax import Kind, Node

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_RESERVED = frozenset({
    "as", "break", "const", "continue", "else", "false", "for", "function", "if", "import", "in", "let", "loop",
    "namespace", "null", "package", "return", "true", "var", "void", "while",
})  # fmt: skip
"""Source: the CEL language definition, reserved words."""
_MAPS_OF_STRINGS = frozenset({"Object.metadata.annotations", "Object.metadata.labels"})
_FIELDS_OF_JSON_PATCH = frozenset({"op", "path", "from", "value"})


class Untypable(Exception):  # noqa: N818 - a property of the expression, not an accident
    """A mutation's value cannot be written as a typed object; the message says what stands in the way."""


def literal(value: JSON) -> str:
    """Return a value as a CEL literal whose parts may be of different types."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str):
        return _quoted(value)
    if isinstance(value, int | float):
        return repr(value)
    if isinstance(value, list):
        return f"[{', '.join(_loose(one) for one in value)}]"
    return "{" + ", ".join(f"{_quoted(key)}: {_loose(one)}" for key, one in value.items()) + "}"


def _loose(value: JSON) -> str:
    """A literal without a type of its own: CEL wants all values of a literal list or map to be of one type."""
    return f"dyn({literal(value)})"


def _quoted(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return "'" + "".join(one if one.isprintable() else f"\\U{ord(one):08x}" for one in escaped) + "'"


def apply_configuration(node: Node, text: str, type_name: str = "Object") -> str:
    """Return an expression of maps as one of objects: ``{'spec': {'a': 1}}`` as ``Object{spec: Object.spec{a: 1}}``.

    Source: Kubernetes, MutatingAdmissionPolicy, ``applyConfiguration.expression``.

    Raises:
        Untypable: The whole value comes from somewhere else than a literal, or a field's name is no identifier.
    """
    if node.kind is Kind.CONDITIONAL:
        condition, yes, no = node.children
        return (
            f"{_cut(condition, text)} ? {apply_configuration(yes, text, type_name)}"
            f" : {apply_configuration(no, text, type_name)}"
        )
    if node.kind is Kind.MAP and type_name not in _MAPS_OF_STRINGS:
        fields = [
            f"{optional}{key}: {apply_configuration(value, text, f'{type_name}.{key}')}"
            for optional, key, value in _entries(node, text)
        ]
        return f"{type_name}{{{', '.join(fields)}}}"
    if node.kind is Kind.LIST:
        return f"[{', '.join(apply_configuration(child, text, type_name) for child in node.children)}]"
    if type_name == "Object":
        raise Untypable(
            "its value is not written out as a map, so it cannot be given the type that the API server wants"
        )
    return _cut(node, text)


def json_patch(node: Node, text: str) -> str:
    """Return an expression of operations as one of typed ones: ``[{'op': …}]`` as ``[JSONPatch{op: …}]``.

    Source: Kubernetes, MutatingAdmissionPolicy, ``jsonPatch.expression``.

    Raises:
        Untypable: An operation comes from somewhere else than a literal.
    """
    if node.kind is Kind.CONDITIONAL:
        condition, yes, no = node.children
        return f"{_cut(condition, text)} ? {json_patch(yes, text)} : {json_patch(no, text)}"
    if node.kind is Kind.ARITHMETIC and node.name == "+":
        return " + ".join(f"({json_patch(child, text)})" for child in node.children)
    if node.kind is Kind.LIST:
        return f"[{', '.join(_operation(child, text) for child in node.children)}]"
    if node.kind is Kind.METHOD and node.name == "map" and node.binds:
        body = node.children[-1]
        return text[node.start : body.start] + _operation(body, text) + text[body.end : node.end]
    raise Untypable("its operations are not written out, so they cannot be given the type that is needed there")


def _operation(node: Node, text: str) -> str:
    if node.kind is not Kind.MAP:
        raise Untypable("an operation is not written out as a map")
    fields = []
    for optional, key, value in _entries(node, text):
        if key not in _FIELDS_OF_JSON_PATCH:
            raise Untypable(f"'{key}' is no field of a JSON Patch operation")
        fields.append(f"{optional}{key}: {_cut(value, text)}")
    return f"JSONPatch{{{', '.join(fields)}}}"


def _entries(node: Node, text: str) -> list[tuple[str, str, Node]]:
    """Each entry of a literal map: ``?`` if it is optional, its key, its value."""
    entries = []
    for key, value in zip(node.children[::2], node.children[1::2], strict=True):
        name = key.name[1:-1] if key.kind is Kind.LITERAL and key.name[:1] in {"'", '"'} else ""
        if name in _RESERVED or not _IDENTIFIER.fullmatch(name):
            raise Untypable(f"the field {_cut(key, text)} cannot be written in a typed object")
        optional = "?" if text[: key.start].rstrip().endswith("?") else ""
        entries.append((optional, name, value))
    return entries


def _cut(node: Node, text: str) -> str:
    part = text[node.start : node.end]
    return f"({part})" if node.kind in {Kind.CONDITIONAL, Kind.OR, Kind.AND} else part
