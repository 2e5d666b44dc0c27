"""What a case of a policy test expects of its decision, and the texts by which it says so."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.admission.natives import CATALOG
from webhook.model.decision import PatchOperation
from webhook.model.objects import JSON, mapping, value
from webhook.policy.spelling import nearest
from webhook.source.parsed import FilePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a case must come to; None where it says nothing. Texts are parts of what must be there, or /expressions/."""

    allowed: bool | None = None
    code: int | None = None
    reason: str | None = None
    policy: str | None = None
    results: Mapping[str, str] = field(default_factory=dict)
    """What each policy comes to: ``pass``, ``fail``, ``error``, ``skip``, or ``none`` for one that is not judged."""
    message: tuple[str, ...] | None = None
    warnings: tuple[str, ...] | None = None
    errors: tuple[str, ...] = ()
    """Errors of evaluation; any that is not expected fails the case."""
    patch: tuple[PatchOperation, ...] | None = None
    patched: Mapping[str, Any] | None = None
    audit_annotations: Mapping[str, str | None] = field(default_factory=dict)
    origin: str | None = None
    exemption: str | None = None
    facts: Mapping[str, JSON] = field(default_factory=dict)

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Expectation:
        """Read one that fits its schema."""
        return cls(
            allowed=node.get("allowed"),
            code=node.get("code"),
            reason=node.get("reason"),
            policy=node.get("policy"),
            results=mapping(node, "results"),
            message=_texts(node.get("message")),
            warnings=_texts(node.get("warnings")),
            errors=_texts(node.get("errors")) or (),
            patch=tuple(node["patch"]) if "patch" in node else None,
            patched=node.get("patched"),
            audit_annotations=mapping(node, "auditAnnotations"),
            origin=node.get("origin"),
            exemption=node.get("exemption"),
            facts=mapping(node, "facts"),
        )


def finds(pattern: str, where: str) -> bool:
    """Say whether a text is part of ``where``, or a ``/regular expression/`` matches in it."""
    if is_expression(pattern):
        return re.search(pattern[1:-1], where, re.DOTALL) is not None
    return pattern in where


def is_expression(pattern: str) -> bool:
    """Say whether a text is a ``/regular expression/``."""
    return len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/")


_ANYTHING = frozenset({"", ".*", ".*?"})
"""Regular expressions that are found in every text, whatever anchors stand around them."""
_EMPTY = {
    "patched": "an empty mapping is part of any object: say what must be in it, or 'patch: []' for nothing changed",
    "auditAnnotations": "name them; 'KEY: null' says that there is none of that key",
}


def faults(node: Mapping[str, Any]) -> Iterator[tuple[FilePath, str, str]]:
    """Find what the schema cannot see in an expectation: the path in it, what is wrong, and a hint."""
    yield from _saying_nothing(node)
    places: dict[FilePath, Any] = {(name,): value(node, name) for name in ("message", "warnings", "errors")}
    places |= {("auditAnnotations", key): item for key, item in mapping(node, "auditAnnotations").items()}
    for place, texts in places.items():
        for pattern in _texts(texts) or ():
            try:
                finds(pattern, "")
            except re.error as error:
                yield place, f"{pattern} is not a regular expression: {error}", ""
    for name in mapping(node, "facts"):
        if name not in CATALOG:
            yield ("facts", name), f"there is no fact '{name}'", nearest(name, CATALOG) or "see the reference of facts"


def _texts(node: Any) -> tuple[str, ...] | None:
    """One text or a list of them as a tuple; None where there is none."""
    if isinstance(node, str):
        return (node,)
    return tuple(node) if isinstance(node, list) else None


def _saying_nothing(node: Mapping[str, Any]) -> Iterator[tuple[FilePath, str, str]]:
    """Expectations that any decision meets."""
    for name, hint in _EMPTY.items():
        if name in node and not node[name]:
            yield (name,), f"'{name}' expects nothing", hint
    for pattern in _texts(node.get("message")) or ():
        if is_expression(pattern) and _finds_anything(pattern[1:-1]):
            yield ("message",), f"{pattern} is found in any message", "write some of its words, or [] for no message"


def _finds_anything(expression: str) -> bool:
    return expression != "^$" and expression.removeprefix("^").removesuffix("$") in _ANYTHING
