"""The cluster that manifests are applied to: what decisions see of it, and the objects that are there already."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from webhook.admission.pipeline import World
from webhook.cluster import manifests
from webhook.cluster.snapshot import header_of
from webhook.cluster.store import Store
from webhook.impact.checking.applying import completed, last_applied
from webhook.impact.checking.ownership import without_applied
from webhook.impact.checking.unknown import NO_CLUSTER, ManifestsAlone
from webhook.impact.resourcename import plural
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.kubevirt.templates import TEMPLATES
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource, Object, mapping, name_of, namespace_of, text
from webhook.offline.state import ClusterSource, Tell, connected, world_from

_FORBIDDEN, _NOT_FOUND = 403, 404
_ALONE = "none: the migration configuration is what the manifests say, else KubeVirt's defaults"

_WATCHED = {(row.resource.group, row.kind): row for row in RESOURCES}

KINDS: Mapping[tuple[str, str], WatchedResource] = {
    **{
        (row.group, row.kind): WatchedResource(
            GroupVersionResource(row.group, "v1", row.resource), row.kind, namespaced=True, keep=()
        )
        for row in TEMPLATES
    },
    ("snapshot.kubevirt.io", "VirtualMachineRestore"): WatchedResource(
        GroupVersionResource("snapshot.kubevirt.io", "v1beta1", "virtualmachinerestores"),
        "VirtualMachineRestore",
        namespaced=True,
        keep=(),
    ),
    ("clone.kubevirt.io", "VirtualMachineClone"): WatchedResource(
        GroupVersionResource("clone.kubevirt.io", "v1beta1", "virtualmachineclones"),
        "VirtualMachineClone",
        namespaced=True,
        keep=(),
    ),
    **_WATCHED,
}
"""Kinds that policies are about, by group and kind: those that facts read, and those that are judged only.

Source: KubeVirt ``staging/src/kubevirt.io/api`` (``pool``, ``snapshot``, ``clone``).
"""


@dataclass(frozen=True, slots=True)
class Standing:
    """An object that is there already."""

    object: Object
    """As the API server sends it to webhooks."""
    last: Object | None = None
    """What was applied last; None if nobody knows."""
    rest: Object | None = None
    """What an apply starts from, where it is known what the server would take away of the object."""


@dataclass(frozen=True, slots=True)
class Unknown:
    """Whether an object is there is not known."""

    why: str


Lookup = Callable[[GroupVersionResource, str, Object], "Object | Unknown | None"]
"""Finds the object that is in the cluster: its resource, its namespace, and the manifest of it."""


def type_of(obj: Object) -> tuple[str, str]:
    """Group and kind."""
    group, slash, _ = text(obj, "apiVersion").rpartition("/")
    return (group if slash else "", text(obj, "kind"))


def resource_of(obj: Object) -> tuple[GroupVersionResource, bool]:
    """Return the resource of an object, and whether it lies in a namespace; of unknown kinds, what is most likely."""
    group, kind = type_of(obj)
    watched = KINDS.get((group, kind))
    version = text(obj, "apiVersion").rpartition("/")[2]
    if watched is not None:
        return replace(watched.resource, version=version), watched.namespaced
    return GroupVersionResource(group, version, plural(kind)), bool(namespace_of(obj))


@dataclass(slots=True)
class Ground:
    """A cluster as it is and as it becomes. Used by one thread."""

    world: World
    name: str
    """What to call it."""
    known: bool
    """Whether anything is known of it but the manifests that are applied."""
    _store: Store
    _lookup: Lookup
    _applied: dict[tuple[str, ...], Standing | None] = field(default_factory=dict)
    _count: int = 0

    def existing(self, resource: GroupVersionResource, namespace: str, obj: Object) -> Standing | Unknown | None:
        """Return the object that an apply of this one finds; None if there is none. Raises ClusterError."""
        if not name_of(obj):
            return None
        key = _key(resource, namespace, obj)
        if key in self._applied:
            return self._applied[key]
        found = self._lookup(resource, namespace, obj)
        if found is None or isinstance(found, Unknown):
            return found
        last, rest = last_applied(found), without_applied(found)
        if last is None and rest is not None:
            return Standing(_without_managed_fields(found), {}, _without_managed_fields(rest))
        return Standing(_without_managed_fields(found), last)

    def apply(self, resource: GroupVersionResource, namespace: str, obj: Object, manifest: Object) -> None:
        """Let what is judged from now on see this object, which an apply of the manifest made."""
        if name_of(obj):
            self._applied[_key(resource, namespace, obj)] = Standing(obj, manifest)
        watched = _WATCHED.get(type_of(obj))
        if watched is not None:
            metadata = {key: item for key, item in mapping(obj, "metadata").items() if key != "resourceVersion"}
            place = {"namespace": namespace} if watched.namespaced else {}
            self._count += 1  # what the server generates cannot be known; that it is unique can
            named = {"name": name_of(obj) or f"{text(obj, 'metadata', 'generateName')}({self._count})"}
            self._store.put(watched, {**obj, "metadata": {**metadata, **place, **named}})

    def delete(self, resource: GroupVersionResource, namespace: str, obj: Object) -> None:
        """Let what is judged from now on not see this object."""
        self._applied[_key(resource, namespace, obj)] = None
        watched = _WATCHED.get(type_of(obj))
        if watched is not None:
            self._store.remove(watched, namespace if watched.namespaced else "", name_of(obj))

    def unreadable(self) -> frozenset[str]:
        """Why some resources cannot be read."""
        return frozenset(filter(None, (self._store.unreadable(watched) for watched in self._store.resources)))


def bare() -> Ground:
    """Return the ground where nothing is known of the cluster."""
    store = Store(RESOURCES)
    for watched in RESOURCES:
        store.replace(watched, ())
    view = ManifestsAlone(store)
    return Ground(World(view, RBACAuthorizer(view), None), _ALONE, known=False, _store=store, _lookup=_nothing)


def ground_of(source: ClusterSource, tell: Tell) -> Ground:
    """Return the ground that a cluster, or manifests of one, give. Raises as :func:`world_from`."""
    world = world_from(source, tell)
    if not isinstance(world.view, Store):
        raise TypeError("a command's view of a cluster is a store")
    store = world.view
    if source.manifests:
        name, lookup = ", ".join(map(str, source.manifests)), _in_manifests(source, store)
    else:
        name, lookup = _in_cluster(source, store)
    return Ground(replace(world, refresher=None), name, known=True, _store=store, _lookup=lookup)


def _in_manifests(source: ClusterSource, store: Store) -> Lookup:
    if any(header_of(folder) for folder in source.manifests if folder.is_dir()):
        return _pruned(store)
    loaded = manifests.load(source.manifests, KINDS.values()).objects
    held = {(*type_of(obj), namespace_of(obj), name_of(obj)): obj for obj in loaded}

    def lookup(_: GroupVersionResource, namespace: str, obj: Object) -> Object | None:
        watched = KINDS.get(type_of(obj))
        return held.get((*type_of(obj), namespace if watched is None or watched.namespaced else "", name_of(obj)))

    return lookup


def _pruned(store: Store) -> Lookup:
    """A snapshot, or what we hold of a live cluster: only some fields of the object are known."""

    def lookup(resource: GroupVersionResource, namespace: str, obj: Object) -> Object | Unknown | None:
        watched = _WATCHED.get(type_of(obj))
        if watched is None:
            return Unknown(f"{resource} are not part of a snapshot")
        why = store.unreadable(watched)
        if why:
            return Unknown(why)
        held = store.held(watched, namespace if watched.namespaced else "", name_of(obj))
        return completed(held, obj, watched) if held is not None else None

    return lookup


def _in_cluster(source: ClusterSource, store: Store) -> tuple[str, Lookup]:
    # Imported here because the kubernetes client costs half a second, which manifests have no need of.
    from webhook.cluster.client import resource_path  # noqa: PLC0415 - see above
    from webhook.cluster.failures import StatusError  # noqa: PLC0415 - see above

    client, pruned = connected(source), _pruned(store)

    def lookup(resource: GroupVersionResource, namespace: str, obj: Object) -> Object | Unknown | None:
        watched = KINDS.get(type_of(obj))
        place = namespace if watched is None or watched.namespaced else ""
        try:
            found: Object = client.get(resource_path(resource, place, name_of(obj)))
        except StatusError as error:
            if error.status == _NOT_FOUND:
                return None
            if error.status == _FORBIDDEN and type_of(obj) in _WATCHED:  # to list is a right of its own
                return pruned(resource, namespace, obj)
            if error.status == _FORBIDDEN:
                return Unknown(f"our account lacks the RBAC verb 'get' on {resource}")
            raise
        return found

    return client.server, lookup


def _nothing(_: GroupVersionResource, __: str, ___: Object) -> Unknown:
    return Unknown(NO_CLUSTER)


def _key(resource: GroupVersionResource, namespace: str, obj: Object) -> tuple[str, ...]:
    return (str(resource), namespace, name_of(obj))


def _without_managed_fields(obj: Object) -> Object:
    """As the API server sends it to webhooks."""
    metadata = {key: item for key, item in mapping(obj, "metadata").items() if key != "managedFields"}
    return {**obj, "metadata": metadata}
