"""The cluster before and after manifests are applied, with what HyperConverged's operator renders from them.

A manifest counts as the whole object, as with ``kubectl replace``; status and what the API server adds stay.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from webhook.admission.pipeline import World
from webhook.cluster.projection import Projection
from webhook.errors import InputError
from webhook.impact.blastradius.files import WRITABLE
from webhook.impact.blastradius.view import Puts, PutView
from webhook.kubevirt.configchange import ConfigChange, change_of
from webhook.kubevirt.migrationconfig import KUBEVIRT_PATH, cluster_of, kubevirt_settings, rendering_of
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, VMI
from webhook.kubevirt.worlds import CONTROLLER_LABELS
from webhook.model.facts import ClusterView, Deadline, FactContext, WatchedResource
from webhook.model.objects import (
    JSON,
    Object,
    ObjectRef,
    annotations_of,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    same,
    text,
)
from webhook.model.request import AdmissionRequest, Operation
from webhook.offline.request import request_of

CONFIGURATION = (HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY)
_BY_TYPE = {(watched.resource.group, watched.kind): watched for watched in WRITABLE}
_SECONDS = 600.0
_FOREIGN_LABELS = CONTROLLER_LABELS | {"kubernetes.io/metadata.name"}
"""Labels that KubeVirt and the API server keep on VMIs and Namespaces, which no manifest takes off."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One object before and after; None where it is not there."""

    watched: WatchedResource
    old: Object | None
    new: Object | None

    @property
    def subject(self) -> Object:
        """Whichever there is, for its name."""
        found = self.new if self.new is not None else self.old
        return found if found is not None else {}

    @property
    def place(self) -> tuple[str, str]:
        """Namespace and name."""
        return namespace_of(self.subject), name_of(self.subject)

    @property
    def operation(self) -> Operation:
        """What it would be to the API server."""
        if self.new is None:
            return Operation.DELETE
        return Operation.UPDATE if self.old is not None else Operation.CREATE

    @property
    def changes(self) -> bool:
        """Whether anything changes of what migguard looks at."""
        if self.old is None or self.new is None:
            return True
        prune = Projection.of(self.watched).prune
        bodies = [{**prune(one), "metadata": None} for one in (self.old, self.new)]
        same_metadata = (labels_of(self.old), annotations_of(self.old)) == (
            labels_of(self.new),
            annotations_of(self.new),
        )
        return not (same(*bodies) and same_metadata)

    def __str__(self) -> str:
        return str(ObjectRef(self.watched.kind, *self.place))


@dataclass(frozen=True, slots=True, kw_only=True)
class Worlds:
    """The cluster before and after all that is written."""

    writes: tuple[Write, ...]
    before: FactContext
    after: FactContext
    components: tuple[str, ...] = ()
    """The components of KubeVirt that are customized otherwise."""
    notices: tuple[str, ...] = ()


def applied(new: Sequence[Object], old: Sequence[Object] | None, view: ClusterView) -> tuple[Write, ...]:
    """Return what applying the new objects writes; ``old`` None: in the place of what the cluster has.

    Raises InputError for a VMI that does not run.
    """
    before, after = ({_key(obj): obj for obj in found or ()} for found in (old, new))
    writes = []
    for key in dict.fromkeys([*before, *after]):
        watched = _BY_TYPE[key[:2]]
        stored = view.get(watched, *key[2:])
        if watched is VMI and stored is None:
            reference = ObjectRef(watched.kind, *key[2:])
            raise InputError(f"{reference} is not in the cluster", hint="a VMI comes from the start of a VM")
        first, second = (_completed(found[key], stored) if key in found else None for found in (before, after))
        writes.append(Write(watched=watched, old=stored if old is None or first is None else first, new=second))
    return tuple(writes)


def deleted(objects: Sequence[Object], view: ClusterView) -> tuple[Write, ...]:
    """Return what deleting objects writes.

    Raises InputError for one that the cluster does not have, and for one that is no configuration.
    """
    writes = []
    for obj in objects:
        watched = _BY_TYPE[_key(obj)[:2]]
        stored = view.get(watched, namespace_of(obj), name_of(obj))
        reference = ObjectRef(watched.kind, namespace_of(obj), name_of(obj))
        if watched not in CONFIGURATION:
            kinds = ", ".join(one.kind for one in CONFIGURATION)
            raise InputError(f"{reference} is no configuration that could be deleted", hint=f"kinds that are: {kinds}")
        if stored is None:
            raise InputError(f"{reference} is to be deleted, and is not in the cluster", hint="check its name")
        writes.append(Write(watched=watched, old=stored, new=None))
    return tuple(writes)


def worlds(writes: tuple[Write, ...], world: World, parameters: Mapping[str, Any], now: datetime) -> Worlds:
    """Return the cluster before and after the writes.

    Raises InputError where it cannot be told what a written object would set.
    """
    base = FactContext(
        request=_request(writes[0]),
        view=world.view,
        authorizer=world.authorizer,
        parameters=parameters,
        now=now,
        deadline=Deadline.after(_SECONDS),
    )
    before = PutView(world.view, _puts((one, one.old) for one in writes))
    after = PutView(world.view, _puts((one, one.new) for one in writes))
    written = [one for one in writes if one.watched is HYPERCONVERGED]
    if written:
        before = _reconciled(seeing(base, before), [])
        after = _reconciled(seeing(base, after), [one for one in written if one.new is None])
    found = Worlds(writes=writes, before=seeing(base, before), after=seeing(base, after))
    notices, components = list[str](), list[str]()
    for one in writes:
        if one.watched in CONFIGURATION:
            change = change_of(asking(found.before, _request(one)))
            notices += _not_told(one, change)
            components += change.components
        notices += _notices(one, world.view, found)
    return replace(found, components=tuple(dict.fromkeys(components)), notices=tuple(dict.fromkeys(notices)))


def seeing(context: FactContext, view: ClusterView) -> FactContext:
    """The same question asked of another cluster; nothing that was computed before counts."""
    return FactContext(
        request=context.request,
        view=view,
        authorizer=context.authorizer,
        parameters=context.parameters,
        now=context.now,
        deadline=context.deadline,
    )


def asking(context: FactContext, request: AdmissionRequest) -> FactContext:
    """Another question asked of the same cluster."""
    return replace(seeing(context, context.view), request=request)


def _key(obj: Object) -> tuple[str, str, str, str]:
    group, slash, _ = text(obj, "apiVersion").partition("/")
    return group if slash else "", text(obj, "kind"), namespace_of(obj), name_of(obj)


def _completed(obj: Object, stored: Object | None) -> Object:
    """The object as it would be stored: status, and the labels that are not its author's, are those of the cluster."""
    kept = {key: item for key, item in labels_of(stored).items() if key in _FOREIGN_LABELS}
    metadata = {**mapping(obj, "metadata"), "labels": {**kept, **labels_of(obj)}}
    if text(obj, "kind") == VMI.kind:
        return {**mapping(stored), "metadata": {**mapping(stored, "metadata"), "labels": metadata["labels"]}}
    body = {key: item for key, item in obj.items() if key != "status"}
    status = mapping(stored, "status")
    return {**body, "metadata": metadata, **({"status": status} if status else {})}


def _puts(objects: Iterable[tuple[Write, Object | None]]) -> Puts:
    puts: dict[WatchedResource, dict[tuple[str, str], Object | None]] = {}
    for write, obj in objects:
        puts.setdefault(write.watched, {})[write.place] = obj
    return puts


def _reconciled(context: FactContext, gone: Sequence[Write]) -> PutView:
    """The cluster once HyperConverged's operator has rendered the KubeVirt CR, or taken it away with itself.

    Source: HyperConverged ``controllers/handlers/kubevirt.go``; ``controllers/operands/operandHandler.go``
    (``EnsureDeleted``).
    """
    cluster = cluster_of(context)
    kubevirt = cluster.kubevirt
    if kubevirt is None:
        return PutView(context.view, {})
    place = (namespace_of(kubevirt), name_of(kubevirt))
    if any(one.place[0] == place[0] for one in gone):
        return PutView(context.view, {KUBEVIRT: {place: None}})
    rendering = rendering_of(kubevirt, cluster.hyperconverged)
    if rendering is None or rendering.error:
        return PutView(context.view, {})
    migrations = {name: rendering.settings[name].value for name in sorted(rendering.writes)}
    return PutView(context.view, {KUBEVIRT: {place: _with(kubevirt, KUBEVIRT_PATH, migrations)}})


def _with(node: Object, path: tuple[str, ...], item: Mapping[str, JSON]) -> dict[str, JSON]:
    """A copy of an object with another value at a path."""
    below: Mapping[str, JSON] = _with(mapping(node, path[0]), path[1:], item) if len(path) > 1 else item
    return {**node, path[0]: below}


def _request(write: Write) -> AdmissionRequest:
    objects = {"object": write.new, "oldObject": write.old}
    given = {name: obj for name, obj in objects.items() if obj is not None}
    return request_of({"operation": str(write.operation), "user": {"username": "migguard"}, **given}, uid="diff")


def _not_told(write: Write, change: ConfigChange) -> list[str]:
    if not change.error:
        return []
    if not write.changes:
        return [f"{write}: {change.error}"]
    raise InputError(change.error, where=str(write), hint="what this would change cannot be told: mend it first")


def _notices(write: Write, stored: ClusterView, found: Worlds) -> Iterator[str]:
    """What must be known to understand the result."""
    if write.watched not in {HYPERCONVERGED, KUBEVIRT} or not write.changes:
        return
    if write.new is None:
        yield f"with {write} KubeVirt is uninstalled, which its operators refuse while VMs run; shown are its defaults"
        return
    cluster = cluster_of(found.after)
    in_force = cluster.hyperconverged if write.watched is HYPERCONVERGED else cluster.kubevirt
    if (namespace_of(in_force), name_of(in_force)) != write.place:
        other = ObjectRef(write.watched.kind, namespace_of(in_force), name_of(in_force))
        yield f"{write} is not the one in force: that is {other}"
    elif write.watched is KUBEVIRT and rendering_of(write.new, cluster.hyperconverged) is not None:
        owner = ObjectRef(HYPERCONVERGED.kind, *_place(cluster.hyperconverged))
        yield f"{owner} renders {write}: its operator sets back what is changed here, so change it there"
    elif write.watched is HYPERCONVERGED:
        yield from _unreconciled(stored, found)


def _unreconciled(stored: ClusterView, found: Worlds) -> Iterator[str]:
    """Say so where the KubeVirt CR is not what the HyperConverged renders: compared is what is rendered of either."""
    rendered = cluster_of(found.before).kubevirt
    now = stored.get(KUBEVIRT, *_place(rendered)) if rendered is not None else None
    if rendered is None or now is None:
        return
    settings = [kubevirt_settings(one, None) for one in (now, rendered)]
    differing = [name for name in settings[0] if not same(settings[0][name].value, settings[1][name].value)]
    if differing:
        reference = ObjectRef(KUBEVIRT.kind, *_place(now))
        yield (
            f"{reference} is not what HyperConverged renders today (it differs in {', '.join(differing)}): "
            "compared is what its operator makes of either object"
        )


def _place(obj: Object | None) -> tuple[str, str]:
    return namespace_of(obj), name_of(obj)
