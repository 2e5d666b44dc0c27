"""What the API server would store if a manifest were applied, and in which order manifests are applied."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook.cluster.projection import Projection
from webhook.model.facts import WatchedResource
from webhook.model.objects import JSON, Object, annotations_of, mapping, name_of, same
from webhook.source.parsed import FilePath

LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration"
"""Where ``kubectl apply`` and Argo CD note what they applied, so that what leaves a manifest can leave the object."""

_NAME_LABEL = "kubernetes.io/metadata.name"

_SERVER_OWNED = (
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "generation",
)
"""Metadata that only the API server sets. Source: Kubernetes ``meta/v1`` ObjectMeta."""
_SHARED = ("finalizers", "ownerReferences")
"""Metadata that controllers add to what a manifest states, if it does at all."""

_FIRST = (
    "Namespace",
    "ResourceQuota",
    "ClusterRole",
    "ClusterRoleBinding",
    "Role",
    "RoleBinding",
    "NetworkAttachmentDefinition",
    "PersistentVolumeClaim",
    "HyperConverged",
    "KubeVirt",
    "MigrationPolicy",
)
_LAST = (
    "VirtualMachinePool",
    "VirtualMachineInstanceReplicaSet",
    "VirtualMachine",
    "VirtualMachineInstance",
    "VirtualMachineInstanceMigration",
)


def rank(kind: str) -> int:
    """When a kind is applied: what others refer to comes first, as Helm, kustomize and Argo CD have it.

    Source: Helm ``pkg/release/util/kind_sorter.go`` (InstallOrder); the migrations of VMs come after those.
    """
    if kind in _FIRST:
        return _FIRST.index(kind)
    return len(_FIRST) + (1 + _LAST.index(kind) if kind in _LAST else 0)


def defaulted(manifest: Object) -> Object:
    """Return an object as webhooks see it: a Namespace bears its name as a label, by which policies select it.

    Source: Kubernetes ``pkg/apis/core/v1/defaults.go`` (SetDefaults_Namespace).
    """
    if (manifest.get("apiVersion"), manifest.get("kind")) != ("v1", "Namespace"):
        return manifest
    labels = {**mapping(manifest, "metadata", "labels"), _NAME_LABEL: name_of(manifest)}
    return {**manifest, "metadata": {**mapping(manifest, "metadata"), "labels": labels}}


@dataclass(frozen=True, slots=True)
class Applied:
    """What an apply makes of an object that is there already."""

    object: dict[str, JSON]
    """As ``kubectl apply`` makes it, on the server's side or not: what nobody knows to have been applied stays."""
    replaced: dict[str, JSON] | None = None
    """As ``kubectl replace`` makes it, where it is not known what was applied last and that makes a difference."""
    left: tuple[FilePath, ...] = ()
    """The fields that make the difference: they are in the cluster, and the manifest leaves them out."""


def applied(manifest: Object, old: Object, last: Object | None = None) -> Applied:
    """Return what an apply of ``manifest`` makes of ``old``, where ``last`` was applied before.

    What is in neither the manifest nor what was applied last stays. Where that is not known (None) a field that the
    manifest leaves out may be somebody else's, and stays, or it may have left Git, and goes: both are returned.
    Metadata of the server's own and the status stay in any case.

    Source: Kubernetes documentation, "Declarative Management of Kubernetes Objects Using Configuration Files", "How
    apply calculates differences and merges changes"; "Server-Side Apply", "Field management" (fields of other managers
    stay). Lists are replaced whole, as for custom resources.
    """
    made = _over(manifest, old, last or {})
    if last is not None:
        return Applied(made)
    replaced = _over(manifest, old, old)
    left = tuple(sorted(_gone(made, replaced)))
    return Applied(made, replaced, left) if left else Applied(made)


def last_applied(obj: Object) -> Object | None:
    """Return what was applied last, as it is noted on the object; None if it is not."""
    try:
        noted = json.loads(annotations_of(obj).get(LAST_APPLIED, ""))
    except (ValueError, RecursionError):
        return None
    return noted if isinstance(noted, dict) else None


def _over(manifest: Object, old: Object, last: Object) -> dict[str, JSON]:
    merged = _merged(manifest, old, last)
    stated, held = mapping(merged, "metadata"), mapping(old, "metadata")
    owned = {key: held[key] for key in _SERVER_OWNED if key in held}
    shared = {key: held[key] for key in _SHARED if key in held}
    merged["metadata"] = {**shared, **stated, **owned}
    merged.pop("status", None)
    return {**merged, **({"status": old["status"]} if "status" in old else {})}


def _gone(
    made: Mapping[str, JSON], replaced: Mapping[str, JSON], path: tuple[str, ...] = ()
) -> Iterator[tuple[str, ...]]:
    for key, item in made.items():
        left = replaced.get(key)
        if key not in replaced:
            yield (*path, key)
        elif isinstance(item, dict) and isinstance(left, dict):
            yield from _gone(item, left, (*path, key))


def _merged(new: Mapping[str, JSON], old: Mapping[str, JSON], last: JSON) -> dict[str, JSON]:
    known = last if isinstance(last, dict) else {}
    kept = {key: item for key, item in old.items() if key not in new and key not in known}
    made = dict(kept)
    for key, item in new.items():
        before = old.get(key)
        if isinstance(item, dict) and isinstance(before, dict):
            made[key] = _merged(item, before, known.get(key))
        else:
            made[key] = item
    return made


def completed(pruned: Object, new: Object, watched: WatchedResource) -> dict[str, JSON]:
    """Return an old object of which only what facts read is known: all else is taken to be as in the new one.

    So a snapshot, which holds just those fields, makes no unchanged field look like one that was added.
    """
    filled = _completed(pruned, new, Projection.of(watched).prune(new))
    return filled if isinstance(filled, dict) else dict(pruned)


def _completed(old: JSON, new: JSON, new_kept: JSON) -> JSON:
    if isinstance(old, dict) and isinstance(new, dict) and isinstance(new_kept, dict):
        unknown = {key: item for key, item in new.items() if key not in new_kept and key not in old}
        known = {key: _completed(item, new.get(key), new_kept.get(key)) for key, item in old.items()}
        return {**unknown, **known}
    if isinstance(old, list) and same(old, new_kept):
        return new
    return old
