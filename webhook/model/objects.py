"""Kubernetes objects as plain JSON, the names of kinds and resources, and safe ways to read them.

Objects in an AdmissionReview are untrusted: any field may be missing, null or of another type than its schema says
(mutating webhooks run before the API server validates). So they are read with :func:`mapping`, :func:`items` and
:func:`text`, which treat what is not of the wanted type as absent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

JSON: TypeAlias = Any
"""A JSON value: None, bool, int, float, str, list or dict of these."""

Object: TypeAlias = Mapping[str, Any]
"""A Kubernetes object as decoded JSON: shared between threads, never written."""

_EMPTY: Mapping[str, Any] = {}


@dataclass(frozen=True, slots=True)
class GroupVersionKind:
    """The type of an object, as in ``apiVersion`` and ``kind``."""

    group: str
    version: str
    kind: str

    @property
    def api_version(self) -> str:
        """``group/version``, or just the version for the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


@dataclass(frozen=True, slots=True)
class GroupVersionResource:
    """The address of a kind in the API: what a path and an RBAC rule name."""

    group: str
    version: str
    resource: str

    def __str__(self) -> str:
        return f"{self.resource}.{self.group}" if self.group else self.resource


@dataclass(frozen=True, slots=True)
class ObjectRef:
    """Names one object; its text is how messages call it, such as ``PersistentVolumeClaim prod/db-data``."""

    kind: str
    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.kind} {self.namespace}/{self.name}" if self.namespace else f"{self.kind} {self.name}"


def value(node: JSON, *path: str) -> JSON:
    """Return what stands at ``path`` below ``node``, or None where any step is missing or not a mapping."""
    for key in path:
        if not isinstance(node, dict):  # decoded JSON; asking for Mapping would take ten times as long
            return None
        node = node.get(key)
    return node


def mapping(node: JSON, *path: str) -> Mapping[str, Any]:
    """Return the mapping at ``path``; empty where it is absent or of another type."""
    found = value(node, *path)
    return found if isinstance(found, dict) else _EMPTY


def items(node: JSON, *path: str) -> Sequence[Any]:
    """Return the list at ``path``; empty where it is absent or of another type."""
    found = value(node, *path)
    return found if isinstance(found, list) else ()


def mappings(node: JSON, *path: str) -> Sequence[Mapping[str, Any]]:
    """Return the mappings in the list at ``path``, leaving out what is not a mapping."""
    return [item for item in items(node, *path) if isinstance(item, dict)]


def text(node: JSON, *path: str) -> str:
    """Return the string at ``path``; empty where it is absent or of another type."""
    found = value(node, *path)
    return found if isinstance(found, str) else ""


def strings(node: JSON, *path: str) -> Sequence[str]:
    """Return the strings in the list at ``path``."""
    return [item for item in items(node, *path) if isinstance(item, str)]


def labels_of(node: JSON) -> Mapping[str, str]:
    """Return ``metadata.labels``; only what is a string."""
    return {key: item for key, item in mapping(node, "metadata", "labels").items() if isinstance(item, str)}


def annotations_of(node: JSON) -> Mapping[str, str]:
    """Return ``metadata.annotations``; only what is a string."""
    return {key: item for key, item in mapping(node, "metadata", "annotations").items() if isinstance(item, str)}


def name_of(node: JSON) -> str:
    """Return ``metadata.name``."""
    return text(node, "metadata", "name")


def namespace_of(node: JSON) -> str:
    """Return ``metadata.namespace``; empty for a cluster-scoped object."""
    return text(node, "metadata", "namespace")


def same(left: JSON, right: JSON) -> bool:
    """Compare JSON values; unlike Python, true is not 1 and 1 is not 1.0."""
    if isinstance(left, dict) and isinstance(right, dict):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return type(left) is type(right) and bool(left == right)


def reference(node: JSON) -> ObjectRef:
    """Return how to call this object in a message."""
    return ObjectRef(text(node, "kind") or "object", namespace_of(node), name_of(node))
