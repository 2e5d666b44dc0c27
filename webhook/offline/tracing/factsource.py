"""Where a fact comes from: computed once more by itself, with a note of all that is looked up for it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from webhook.admission.pipeline import World
from webhook.errors import FactUnavailable
from webhook.kubevirt.migrationfields import FIELDS
from webhook.model.facts import ClusterView, Deadline, FactCatalog, FactContext, Read, RecordingView
from webhook.model.objects import JSON, Object, ObjectRef, name_of, namespace_of
from webhook.model.request import AdmissionRequest
from webhook.offline.admit import SECONDS
from webhook.offline.tracing.steps import FactStep, Source
from webhook.policy.policyset import PolicySet

SHOWN = 10
"""Objects of one look-up that are named."""

_REASONS: Mapping[str, str] = {"vmi.critical": "vmi.criticalReason"}
"""Facts, and those that say why they are so."""
_SOURCES: Mapping[str, str] = {"migration": "migration.sources", "config.after": "config.sources"}
"""Groups of settings, and the facts that say what sets each."""
_SETTINGS = frozenset(field.name for field in FIELDS)
_NOT_SHOWN = frozenset({"authorizer"})
"""A way to ask rather than a value."""


@dataclass(frozen=True, slots=True)
class FactSources:
    """Explains facts of requests to one world at one moment."""

    policies: PolicySet
    world: World
    now: datetime

    def explain(self, name: str, request: AdmissionRequest) -> FactStep:
        """Return a fact of a request, with what it was read from."""
        view = RecordingView(self.world.view)
        context = self.context(request, view)
        catalog = self.policies.catalog
        value: JSON = None
        unavailable = ""
        try:
            value = catalog[name].resolve(context)
        except FactUnavailable as error:
            unavailable = str(error)
        reads = view.reads
        return FactStep(
            name=name,
            summary=catalog[name].summary,
            value=None if name in _NOT_SHOWN else value,
            unavailable=unavailable,
            set_by="" if unavailable else _set_by(name, catalog, context),
            sources=tuple(source_of(self.world.view, read) for read in reads),
            questions=tuple(context.questions),
        )

    def context(self, request: AdmissionRequest, view: ClusterView) -> FactContext:
        """Return what facts of a request are computed from, read through this view."""
        return FactContext(
            request=request,
            view=view,
            authorizer=self.world.authorizer,
            parameters=self.policies.parameters,
            now=self.now,
            deadline=Deadline.after(SECONDS),
        )


def _set_by(name: str, catalog: FactCatalog, context: FactContext) -> str:
    group, _, field = name.rpartition(".")
    telling = _SOURCES.get(group) if field in _SETTINGS else None
    reason = telling or _REASONS.get(name)
    if reason is None or reason not in catalog:
        return ""
    try:
        told = catalog[reason].resolve(context)
    except FactUnavailable:
        return ""
    return str(told.get(field, "")) if telling else str(told)


def source_of(view: ClusterView, read: Read) -> Source:
    """Say what one look-up found."""
    watched = read.watched
    try:
        if read.name:
            return _one(read, view.get(watched, read.namespace, read.name))
        found = view.select(watched, read.index, read.key) if read.index else view.list(watched)
    except FactUnavailable as error:
        return Source(text=f"{_asked(read)}: {error}")
    named = tuple(str(ObjectRef(watched.kind, namespace_of(one), name_of(one))) for one in found[:SHOWN])
    return Source(text=f"{_asked(read)}: {len(found)} found", objects=named, count=len(found))


def _one(read: Read, found: Object | None) -> Source:
    called = str(ObjectRef(read.watched.kind, read.namespace, read.name))
    if found is None:
        return Source(text=f"{called} (not found)")
    return Source(text=called, objects=(called,), count=1)


def _asked(read: Read) -> str:
    if read.name:
        return str(ObjectRef(read.watched.kind, read.namespace, read.name))
    name = read.watched.resource.resource
    return f"index {read.index} of {name} under {read.key}" if read.index else name
