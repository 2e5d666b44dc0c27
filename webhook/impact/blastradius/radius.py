"""What manifests would change for running VMs: the migration settings in force for each, before and after.

VMs whose relevant labels are the same are worked out once, and those with the same change are told together.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook.impact.blastradius.settings import Resolver
from webhook.impact.blastradius.write import Worlds
from webhook.kubevirt.criticality import Flag, critical_reason, is_flagged_namespace, is_running, template_labels
from webhook.kubevirt.migrationconfig import handoff_labels
from webhook.kubevirt.migrationfields import DANGERS, DISRUPTION, FIELDS, POST_COPY, MigrationField, Setting, Settings
from webhook.kubevirt.resources import VM, VMI
from webhook.model.facts import FactContext
from webhook.model.objects import Object, name_of, namespace_of, same

CLUSTER_WIDE = frozenset({"parallelMigrationsPerCluster", "parallelOutboundMigrationsPerNode", "nodeDrainTaintKey"})
"""Fields that count for the cluster and not for one VM's migration."""


@dataclass(frozen=True, slots=True, order=True)
class Subject:
    """A VM as it runs, or as it will from its next start on."""

    not_critical: bool
    namespace: str
    name: str
    running: bool = True

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class SettingChange:
    """One change of one setting, and the VMs that it is for; critical ones first."""

    field: MigrationField
    before: Setting
    after: Setting
    subjects: tuple[Subject, ...]

    @property
    def dangerous(self) -> bool:
        """Whether it puts a VM at risk."""
        return self.field.name in DANGERS and self.after.value is True

    @property
    def critical(self) -> int:
        """For how many critical VMs it is."""
        return sum(not one.not_critical for one in self.subjects)


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """VMs for which the same becomes something else: the MigrationPolicy that applies, or whether they are critical."""

    before: str
    after: str
    subjects: tuple[Subject, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class BlastRadius:
    """All that would change."""

    worlds: Worlds
    running: int
    """Running VMs, changed or not."""
    affected: tuple[Subject, ...]
    settings: tuple[SettingChange, ...]
    """Dangerous ones first, then those for critical VMs."""
    policies: tuple[Group, ...]
    """The MigrationPolicy that applies; empty for none."""
    critical: tuple[Group, ...]
    """What flags the VM critical; empty for nothing."""
    unprotected: tuple[Group, ...]
    """Critical VMs whom a MigrationPolicy, told as before, spares post-copy or a pause now, and none does then."""
    cluster: tuple[SettingChange, ...]
    """Of the cluster as such, for VMs to which no MigrationPolicy applies; without subjects."""

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        changes = (self.settings, self.policies, self.critical, self.unprotected, self.cluster)
        return not any(changes) and not self.worlds.components


def blast_radius(worlds: Worlds) -> BlastRadius:
    """Work out what changes. Raises FactUnavailable where the cluster's state cannot be read."""
    resolvers = (Resolver(worlds.before), Resolver(worlds.after))
    gathered = _Gathered(resolvers)
    running = 0
    for vmi in worlds.before.view.list(VMI):
        if is_running(vmi):
            running += 1
            gathered.add(_as_it_runs(vmi, worlds))
    for write in worlds.writes:
        if write.watched is VM and write.old is not None and write.new is not None:
            gathered.add(_as_it_starts(write.old, write.new, worlds))
    return BlastRadius(
        worlds=worlds,
        running=running,
        affected=tuple(sorted(gathered.affected)),
        settings=tuple(sorted(gathered.changes(), key=_importance)),
        policies=tuple(_groups(gathered.policies)),
        critical=tuple(_groups(gathered.critical)),
        unprotected=tuple(_groups(gathered.unprotected)),
        cluster=tuple(_cluster(resolvers[0].world.settings, resolvers[1].world.settings)),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Run:
    """A VM in both worlds."""

    namespace: str
    name: str
    labels: tuple[Mapping[str, str], Mapping[str, str]]
    flags: tuple[str, str]
    """What flags it critical; empty for nothing."""
    starting: bool = False


def _as_it_runs(vmi: Object, worlds: Worlds) -> _Run:
    namespace, name = namespace_of(vmi), name_of(vmi)
    then = worlds.after.view.get(VMI, namespace, name) or vmi
    return _Run(
        namespace=namespace,
        name=name,
        labels=(handoff_labels(vmi), handoff_labels(then)),
        flags=(critical_reason(worlds.before, vmi), critical_reason(worlds.after, then)),
    )


def _as_it_starts(old: Object, new: Object, worlds: Worlds) -> _Run:
    flag, namespace = Flag.of(worlds.before), namespace_of(new)

    def flagged(vm: Object, context: FactContext) -> str:
        if flag.is_on(template_labels(vm)):
            return f"label {flag.key} in its template"
        return f"label {flag.key} on its namespace" if is_flagged_namespace(context, namespace) else ""

    return _Run(
        namespace=namespace,
        name=name_of(new),
        labels=(template_labels(old), template_labels(new)),
        flags=(flagged(old, worlds.before), flagged(new, worlds.after)),
        starting=True,
    )


_Change: TypeAlias = tuple[str, str, str, str, str]
"""Field, and value and source before and after, as texts that can be compared."""


@dataclass(slots=True)
class _Gathered:
    """Changes found so far, by what changes."""

    resolvers: tuple[Resolver, Resolver]
    affected: set[Subject] = field(default_factory=set)
    policies: dict[tuple[str, str], list[Subject]] = field(default_factory=dict)
    critical: dict[tuple[str, str], list[Subject]] = field(default_factory=dict)
    unprotected: dict[tuple[str, str], list[Subject]] = field(default_factory=dict)
    _settings: dict[_Change, tuple[Setting, Setting, list[Subject]]] = field(default_factory=dict)
    _compared: dict[tuple[int, int], list[_Change]] = field(default_factory=dict)

    def add(self, run: _Run) -> None:
        """Note what changes for one VM."""
        subject = Subject(not any(run.flags), run.namespace, run.name, running=not run.starting)
        (policy, was), (then, becomes) = self._settings_of(run, spared=False)
        found = self._differing(was, becomes)
        for change in found:
            known = self._settings.setdefault(change, (was[change[0]], becomes[change[0]], []))
            known[2].append(subject)
        if policy != then:
            self.policies.setdefault((policy, then), []).append(subject)
        if bool(run.flags[0]) is not bool(run.flags[1]):
            self.critical.setdefault(run.flags, []).append(subject)
        lost = "" if subject.not_critical else self._lost_protection(run, was, becomes)
        if lost:
            self.unprotected.setdefault((lost, ""), []).append(subject)
        if found or lost or policy != then or bool(run.flags[0]) is not bool(run.flags[1]):
            self.affected.add(subject)

    def _settings_of(self, run: _Run, *, spared: bool) -> tuple[tuple[str, Settings], tuple[str, Settings]]:
        before, after = (
            resolver.settings_of(run.namespace, labels, starting=run.starting, spared=spared)
            for resolver, labels in zip(self.resolvers, run.labels, strict=True)
        )
        return before, after

    def _differing(self, was: Settings, becomes: Settings) -> list[_Change]:
        """Settings are shared by many VMs, so each pair of them is compared once."""
        key = (id(was), id(becomes))
        if key not in self._compared:
            self._compared[key] = [
                (name, _written(was[name]), was[name].source, _written(becomes[name]), becomes[name].source)
                for name in was
                if not same(was[name].value, becomes[name].value)
            ]
        return self._compared[key]

    def _lost_protection(self, run: _Run, was: Settings, becomes: Settings) -> str:
        """The MigrationPolicy that spared a critical VM, where none does any more and the cluster alone still does.

        As ``exposure.unprotected`` has it.
        """
        if was[POST_COPY].value is True or becomes[POST_COPY].value is True:
            return ""
        (_, spared), (_, sparing) = self._settings_of(run, spared=True)
        lost = (
            name for name in (POST_COPY, DISRUPTION) if spared[name].value is not True and sparing[name].value is True
        )
        return next((spared[name].source for name in lost), "")

    def changes(self) -> Iterator[SettingChange]:
        """What was found about settings."""
        fields = {one.name: one for one in FIELDS}
        for (name, *_), (before, after, subjects) in self._settings.items():
            ordered = tuple(sorted(subjects))
            yield SettingChange(field=fields[name], before=before, after=after, subjects=ordered)


def _written(setting: Setting) -> str:
    return json.dumps(setting.value, sort_keys=True)


def _importance(change: SettingChange) -> tuple[object, ...]:
    place = FIELDS.index(change.field)
    return (
        not change.dangerous,
        -change.critical,
        place,
        -len(change.subjects),
        _written(change.before),
        change.before.source,
        _written(change.after),
        change.after.source,
    )


def _groups(found: Mapping[tuple[str, str], Sequence[Subject]]) -> Iterator[Group]:
    ordered = sorted(found.items(), key=lambda one: (min(one[1]).not_critical, -len(one[1]), one[0]))
    for (before, after), subjects in ordered:
        yield Group(before=before, after=after, subjects=tuple(sorted(subjects)))


def _cluster(before: Settings, after: Settings) -> Iterator[SettingChange]:
    for one in FIELDS:
        if not same(before[one.name].value, after[one.name].value):
            yield SettingChange(field=one, before=before[one.name], after=after[one.name], subjects=())
