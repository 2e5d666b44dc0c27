"""What a write changes for the migration configuration of VMs: the world before it and the world after it.

Both are values of one type, so a new road to exposure is a new way to make them differ.

Roads: HyperConverged and the KubeVirt CR (the cluster's settings), MigrationPolicies, and the labels of a VMI or of a
namespace, by which MigrationPolicies select. Labels in the template of a VM reach no running VMI.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from webhook.kubevirt.configchange import change_of, objects_of, policies_before_and_after
from webhook.kubevirt.criticality import Flag, critical_reason, critical_vmis, is_running
from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.migrationconfig import (
    NODE_NAME_LABEL,
    TARGET_NODE_LABEL,
    at_handoff,
    cluster_settings,
    handoff_labels,
    migration_policies,
    namespace_labels,
)
from webhook.kubevirt.migrationfields import DANGERS, DISRUPTION, POST_COPY, Setting, Settings
from webhook.kubevirt.migrationpolicy import MigrationPolicy
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VMI
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import FactContext
from webhook.model.objects import Object, labels_of, mappings, namespace_of

NODE_LABELS = (NODE_NAME_LABEL, TARGET_NODE_LABEL)
"""The VMs of today will be on other nodes when they migrate some day."""

_PINNED = (POST_COPY, DISRUPTION)
"""Dangers that a MigrationPolicy can rule out whatever the cluster's settings are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that decides the migration configuration of VMIs, at one moment."""

    settings: Settings
    policies: Sequence[MigrationPolicy]
    vmi_labels: Mapping[str, str] | None = None
    """Labels of the one VMI that is judged, where they are not those of the cached one."""
    namespace_labels: Mapping[str, str] | None = None
    """Labels of the one namespace that is judged, where they are not those of the cached one."""

    def with_all_allowed(self) -> World:
        """Return this world as it would be on a cluster that allows post-copy and disruption.

        What a VM is still spared there, it is spared by a MigrationPolicy.
        """
        return replace(self, settings={**self.settings, **{name: Setting(True, "") for name in _PINNED}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What a write changes: two worlds, and the running VMIs that it may matter to."""

    before: World
    after: World
    critical: Sequence[Object]
    """Those that are critical before the write or after it."""
    copying: Sequence[Object]
    """Those whose volumes are being migrated, critical or not."""

    @property
    def moves_policies(self) -> bool:
        """Another MigrationPolicy may apply after it."""
        return self.before.settings is self.after.settings


@dataclass(slots=True)
class Judge:
    """Resolves the migration configuration of many VMIs in one world, once for each relevant set of labels."""

    context: FactContext
    world: World
    _relevant: frozenset[str] = frozenset()
    _known: dict[tuple[str, frozenset[tuple[str, str]]], Settings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._relevant = frozenset(key for policy in self.world.policies for key in policy.vmi_labels)

    def settings_of(self, vmi: Object) -> Settings:
        """Return what a migration of this VMI would be done with, at the worst, whatever nodes it goes from and to."""
        labels = handoff_labels(vmi, self.world.vmi_labels)
        namespace = namespace_of(vmi)
        key = (namespace, frozenset((name, labels[name]) for name in labels.keys() & self._relevant))
        if key not in self._known:
            self._known[key] = self._resolve(labels, namespace)
        return self._known[key]

    def _resolve(self, labels: Mapping[str, str], namespace: str) -> Settings:
        around = self.world.namespace_labels
        if around is None:
            around = namespace_labels(self.context, namespace)
        found = at_handoff(self.world.settings, self.world.policies, labels, around, unknown=NODE_LABELS)
        return found.settings


def world_now(context: FactContext) -> World:
    """Return the world as it is."""
    return World(settings=cluster_settings(context), policies=migration_policies(context))


def write_of(context: FactContext) -> Write | None:
    """Return what this write changes; None if it changes nothing that matters here."""
    return context.once("write", _write)


def _write(context: FactContext) -> Write | None:
    request = context.request
    if request.subresource:
        return None
    for watched, describe in (
        (HYPERCONVERGED, _cluster_write),
        (KUBEVIRT, _cluster_write),
        (MIGRATION_POLICY, _policy_write),
        (VMI, _vmi_write),
        (NAMESPACE, _namespace_write),
    ):
        if is_about(request, watched):
            return describe(context)
    return None


def _cluster_write(context: FactContext) -> Write | None:
    change, policies = change_of(context), migration_policies(context)
    if all(change.before[name].value == change.after[name].value for name in DANGERS):
        return None
    return Write(
        before=World(settings=change.before, policies=policies),
        after=World(settings=change.after, policies=policies),
        critical=critical_vmis(context),
        copying=_copying(context),
    )


def _policy_write(context: FactContext) -> Write | None:
    before, after = policies_before_and_after(context)
    if before == after:
        return None
    now = world_now(context)
    return Write(
        before=replace(now, policies=before),
        after=replace(now, policies=after),
        critical=critical_vmis(context),
        copying=_copying(context),
    )


def _vmi_write(context: FactContext) -> Write | None:
    labels, vmi = _labels_before_and_after(context), vmi_of(context)
    if labels is None or vmi is None or not is_running(vmi):
        return None
    flag, now = Flag.of(context), world_now(context)
    critical = any(flag.is_on(found) for found in labels) or bool(critical_reason(context, vmi))
    before, after = (replace(now, vmi_labels=found) for found in labels)
    return Write(
        before=before,
        after=after,
        critical=[vmi] if critical else (),
        copying=[vmi] if mappings(vmi, "status", "migratedVolumes") else (),
    )


def _namespace_write(context: FactContext) -> Write | None:
    labels = _labels_before_and_after(context)
    if labels is None:
        return None
    name, flag, now = context.request.subject.name, Flag.of(context), world_now(context)
    if any(flag.is_on(found) for found in labels):
        critical = [vmi for vmi in context.view.select(VMI, "namespace", name) if is_running(vmi)]
    else:
        critical = [vmi for vmi in critical_vmis(context) if namespace_of(vmi) == name]
    before, after = (replace(now, namespace_labels=found) for found in labels)
    copying = [vmi for vmi in _copying(context) if namespace_of(vmi) == name]
    return Write(before=before, after=after, critical=critical, copying=copying)


def _labels_before_and_after(context: FactContext) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
    """The labels of the object; None unless an UPDATE changes them."""
    old, new = objects_of(context.request)
    if old is None or new is None or labels_of(old) == labels_of(new):
        return None
    return labels_of(old), labels_of(new)


def _copying(context: FactContext) -> Sequence[Object]:
    return [vmi for vmi in context.view.select(VMI, "migratedVolumes", ANY) if is_running(vmi)]
