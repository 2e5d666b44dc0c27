"""What a policy test states about its cluster besides objects: answers to permission questions, and what is absent."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Attributes
from webhook.model.objects import mappings, text
from webhook.policy.spelling import nearest

_NAMESPACED = {row.kind: row.namespaced for row in RESOURCES}


@dataclass(frozen=True, slots=True)
class Review:
    """One stated answer to permission questions; ``*`` as the user is anyone."""

    user: str
    question: str
    """As :class:`Attributes` write it."""
    allowed: bool


@dataclass(frozen=True, slots=True)
class Absent:
    """One statement that the cluster has none of these but what is declared beside it; empty stands for any."""

    kind: str
    namespace: str = ""
    name: str = ""

    def covers(self, kind: str, namespace: str, name: str) -> bool:
        """Say whether an object is among those that are not there."""
        return self.kind == kind and self.namespace in {"", namespace} and self.name in {"", name}

    @classmethod
    def of(cls, node: Mapping[str, Any]) -> Absent:
        """Read one that fits its schema."""
        return cls(text(node, "kind"), text(node, "namespace"), text(node, "name"))

    def faults(self) -> Iterator[tuple[str, str, str]]:
        """Find what the schema cannot see: the field, what is wrong, and a hint."""
        if self.kind not in _NAMESPACED:
            hint = nearest(self.kind, _NAMESPACED) or f"kinds that are read: {', '.join(sorted(_NAMESPACED))}"
            yield "kind", f"no fact reads objects of kind {self.kind}", hint
        elif self.namespace and not _NAMESPACED[self.kind]:
            yield "namespace", f"{self.kind} is cluster-scoped", "remove the namespace"


def reviews_of(node: Mapping[str, Any]) -> tuple[Review, ...]:
    """The answers that a test or a case states, in its order."""
    return tuple(_review(review) for review in mappings(node, "accessReviews"))


def _review(node: Mapping[str, Any]) -> Review:
    fields = {
        name: text(node, name) for name in ("verb", "group", "resource", "subresource", "namespace", "name", "path")
    }
    question = " ".join(text(node, "canI").split()) or str(Attributes(**fields))
    return Review(text(node, "user"), question, node["allowed"])
