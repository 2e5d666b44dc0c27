"""The cluster of a policy test: what is looked up by name must be declared, or stated to be absent."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from webhook.kubevirt.resources import NAMESPACE
from webhook.model.facts import ClusterView, WatchedResource
from webhook.model.objects import Object, ObjectRef
from webhook.offline.testing.stated import Absent

_PLAIN = re.compile(r"[a-z][a-z0-9.-]*[a-z0-9]")
"""Texts that YAML takes for texts, but for these:"""
_WORDS = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})


class DeclaredView:
    """A ClusterView that notes look-ups by name of which the test does not say what they find. Used by one thread.

    Lists and indexes are not noted: there, nothing declared is the common case, and it means that there is nothing.
    """

    def __init__(self, view: ClusterView, absent: Sequence[Absent]) -> None:
        self._view = view
        self._absent = absent
        self._unknown: dict[ObjectRef, None] = {}

    @property
    def unknown(self) -> tuple[ObjectRef, ...]:
        """What was looked up and is neither declared nor stated to be absent, in order."""
        return tuple(self._unknown)

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        found = self._view.get(watched, namespace, name)
        where = namespace if watched.namespaced else ""
        if found is None and not any(one.covers(watched.kind, where, name) for one in self._absent):
            self._unknown[ObjectRef(watched.kind, where, name)] = None
        return found

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """See ClusterView."""
        return self._view.select(watched, index, key)

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return self._view.list(watched)

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return self._view.last_known(watched)


def statement(reference: ObjectRef) -> str:
    """The YAML by which a test states that an object is absent; or that it is there, of a Namespace that is at work."""
    if reference.kind == NAMESPACE.kind:
        return f"objects:\n  - {{apiVersion: v1, kind: Namespace, metadata: {{name: {_quoted(reference.name)}}}}}"
    fields = {"kind": reference.kind, "namespace": reference.namespace, "name": reference.name}
    written = ", ".join(f"{field}: {_quoted(text)}" for field, text in fields.items() if text or field == "name")
    return f"absent:\n  - {{{written}}}"


def _quoted(text: str) -> str:
    return (
        text if _PLAIN.fullmatch(text.lower()) and text.lower() not in _WORDS else json.dumps(text, ensure_ascii=False)
    )
