"""What a record keeps besides facts, so that the decision can be made again: see ``migguard replay``."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from webhook.audit.pruning import Path, Pruner
from webhook.model.fieldpath import steps
from webhook.model.objects import JSON, GroupVersionResource, Object
from webhook.model.request import AdmissionRequest

ALWAYS = tuple(
    map(
        steps,
        (
            "apiVersion",
            "kind",
            "metadata.name",
            "metadata.generateName",
            "metadata.namespace",
            "metadata.labels",
            "metadata.deletionTimestamp",
            "metadata.finalizers",
            "metadata.ownerReferences[].kind",
        ),
    )
)
"""Kept of every object."""
PRESENT = (("metadata", "annotations"), ("metadata", "ownerReferences"), ("spec",), ("status",))
"""Of these at least the names of what is in them."""
NAMESPACE = Pruner(map(steps, ("metadata.name", "metadata.labels", "status.phase")))

NOT_FOR_FACTS = frozenset({"params", "language", "exemptions"})
"""Parameters that no fact reads: values of policies' own parameters, the language of messages, limits of exemptions."""
_DIGITS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Basis:
    """What one decision rests on besides its facts, as far as it may be kept."""

    object: JSON = None
    old_object: JSON = None
    options: JSON = None
    namespace: JSON = None
    """The Namespace of the request, as the cache had it; None for a cluster-scoped object and for one not found."""
    namespace_unavailable: str = ""
    """Why the Namespace could not be told."""
    parameters: Mapping[str, str] = field(default_factory=dict)
    """See :func:`digests`."""


def digests(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return a digest of each field of the Parameters that facts depend on: a replay must have the same ones."""
    return {
        name: hashlib.sha256(json.dumps(value, sort_keys=True).encode()).hexdigest()[:_DIGITS]
        for name, value in sorted(parameters.items())
        if name not in NOT_FOR_FACTS
    }


class Keeping:
    """What is kept of requests while one policy set is in force. Safe to use from many threads."""

    def __init__(
        self,
        revision: str,
        parameters: Mapping[str, Any],
        wanted: Callable[[GroupVersionResource], tuple[set[Path], set[Path]]],
    ) -> None:
        """Set what is kept.

        Args:
            revision: Of the policy set.
            parameters: Its Parameters.
            wanted: Gives the fields of objects of a resource that are kept whole, and those of which only is kept that
                they are there; besides what is always kept.
        """
        self._revision = revision
        self._parameters = digests(parameters)
        self._wanted = wanted
        self._pruners: dict[tuple[str, str], Pruner] = {}

    def basis(
        self, request: AdmissionRequest, revision: str, namespace: Object | None, namespace_unavailable: str = ""
    ) -> Basis:
        """Return what is kept of a request that was decided by the policy set of this revision.

        Where that is another set than this (policies were loaded anew just then), what it read may be missing, which
        shows; but its Parameters are not known.
        """
        pruner = self._pruner(request.resource)
        return Basis(
            object=_pruned(pruner, request.object),
            old_object=_pruned(pruner, request.old_object),
            options=_pruned(_OPTIONS, request.options),
            namespace=NAMESPACE.prune(namespace) if namespace else None,
            namespace_unavailable=namespace_unavailable,
            parameters=self._parameters if revision == self._revision else {},
        )

    def _pruner(self, resource: GroupVersionResource) -> Pruner:
        key = (resource.group, resource.resource)
        if key not in self._pruners:
            whole, present = self._wanted(resource)
            self._pruners[key] = Pruner({*ALWAYS, *whole}, {*PRESENT, *present})
        return self._pruners[key]


_OPTIONS = Pruner(
    (name,)
    for name in ("dryRun", "fieldManager", "fieldValidation", "force", "gracePeriodSeconds", "propagationPolicy")
)


def _pruned(pruner: Pruner, node: JSON) -> JSON:
    return pruner.prune(node) if isinstance(node, dict) else None
