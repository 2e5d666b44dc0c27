"""What a write changes for the migration configuration of VMs: the world before it and the world after it.

Both are values of one type, so a new road to exposure is a new way to make them differ.

Roads: HyperConverged and the KubeVirt CR (the cluster's settings), MigrationPolicies, and labels, by which
MigrationPolicies select: of a VMI, of a namespace, and in the template of a VM, a pool or a replica set. The labels in
a template reach no running VMI. They are those of its next start, at which nobody is asked, so each critical VM is
judged twice: as it runs and as it will start.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from webhook.kubevirt.configchange import change_of, objects_of, policies_before_and_after
from webhook.kubevirt.criticality import (
    Flag,
    critical_reason,
    critical_vmis,
    critical_vms,
    is_flagged_namespace,
    is_running,
    template_labels,
)
from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.migrationconfig import (
    NODE_NAME_LABEL,
    TARGET_NODE_LABEL,
    migration_policies,
    namespace_labels,
    settings_to_come,
)
from webhook.kubevirt.migrationfields import DANGERS, DISRUPTION, POST_COPY, Setting, Settings
from webhook.kubevirt.migrationpolicy import MigrationPolicy
from webhook.kubevirt.policychoice import PolicyChoice
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.kubevirt.templates import VM_TEMPLATE, template_of
from webhook.kubevirt.workload import is_about, vmi_of, writes_metadata
from webhook.model.facts import FactContext
from webhook.model.objects import Object, labels_of, mappings, name_of, namespace_of

CONTROLLER_LABELS = frozenset(
    {
        NODE_NAME_LABEL,
        TARGET_NODE_LABEL,
        "kubevirt.io/memory-hotplug-overhead-ratio",
        "kubevirt.io/outdatedLauncherImage",
        "kubevirt.io/vm-pool-revision-name",
        "kubevirt.io/vmi-pod-cpu-resource-limits",
        "kubevirt.io/vmi-pod-memory-resource-requests",
    }
)
"""Labels that KubeVirt itself writes on VMIs: those of today say nothing about the day when a VM migrates.

It will be on another node, and the upgrade that migrates all VMs first labels each of them ``outdatedLauncherImage``.

Source: KubeVirt ``pkg/virt-controller/watch/vmi/lifecycle.go`` (``setLauncherContainerInfo``, ``syncMemoryHotplug``,
``updateStatus``), ``…/watch/migration/migration.go`` (``handleTargetPodHandoff``), ``…/watch/pool/pool.go``
(``injectPoolRevisionLabelsIntoVM``), ``pkg/virt-handler/migration-target.go``. ``kubevirt.io/migrationJobUID`` and
``kubevirt.io/created-by`` are on pods only.
"""

_PINNED = (POST_COPY, DISRUPTION)
"""Dangers that a MigrationPolicy can rule out whatever the cluster's settings are."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """What decides the migration configuration of VMIs besides their own labels, at one moment."""

    settings: Settings
    policies: Sequence[MigrationPolicy]
    namespace_labels: Mapping[str, str] | None = None
    """Labels of the one namespace that is judged, where they are not those of the cached one."""

    def with_all_allowed(self) -> World:
        """Return this world as it would be on a cluster that allows post-copy and disruption.

        What a VM is still spared there, it is spared by a MigrationPolicy.
        """
        return replace(self, settings={**self.settings, **{name: Setting(True, "") for name in _PINNED}})


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """A VM as it runs now, or as it will from its next start on; of a pool or replica set, its VMs."""

    namespace: str
    name: str
    before: Mapping[str, str]
    """The labels of its VMI before the write."""
    after: Mapping[str, str]
    now: bool = True

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What a write changes: two worlds, and the VMs that it may matter to."""

    before: World
    after: World
    critical: Sequence[Run]
    """Those that are critical before the write or after it."""
    copying: Sequence[Run]
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
    _choice: PolicyChoice = field(init=False)
    _relevant: frozenset[str] = field(init=False)
    _known: dict[tuple[str, frozenset[tuple[str, str]]], Settings] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self._choice = PolicyChoice.of(self.world.settings, self.world.policies, CONTROLLER_LABELS)
        selected = frozenset(key for policy in self.world.policies for key in policy.vmi_labels)
        self._relevant = selected - CONTROLLER_LABELS

    def settings_of(self, namespace: str, labels: Mapping[str, str]) -> Settings:
        """Return what a migration of a VMI with these labels would be done with, at the worst.

        Raises FactUnavailable when the time is up.
        """
        key = (namespace, frozenset((name, labels[name]) for name in labels.keys() & self._relevant))
        if key not in self._known:
            self.context.deadline.check("it was known which MigrationPolicy applies to each VM")
            self._known[key] = self._choice.choose(dict(key[1]), self._around(namespace))[1]
        return self._known[key]

    def _around(self, namespace: str) -> Mapping[str, str]:
        around = self.world.namespace_labels
        return namespace_labels(self.context, namespace) if around is None else around


def world_now(context: FactContext) -> World:
    """Return the world as it is, or is about to be."""
    return World(settings=settings_to_come(context), policies=migration_policies(context))


def write_of(context: FactContext) -> Write | None:
    """Return what this write changes; None if it changes nothing that matters here."""
    return context.once("write", _write)


def _write(context: FactContext) -> Write | None:
    request = context.request
    if not writes_metadata(request):
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
    return _template_write(context)


def _cluster_write(context: FactContext) -> Write | None:
    change, policies = change_of(context), migration_policies(context)
    if all(change.before[name].value == change.after[name].value for name in DANGERS):
        return None
    return Write(
        before=World(settings=change.before, policies=policies),
        after=World(settings=change.after, policies=policies),
        critical=_critical(context),
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
        critical=_critical(context),
        copying=_copying(context),
    )


def _vmi_write(context: FactContext) -> Write | None:
    labels, vmi = _labels_before_and_after(context, labels_of), vmi_of(context)
    if labels is None or vmi is None or not is_running(vmi):
        return None
    flag, now = Flag.of(context), world_now(context)
    critical = any(flag.is_on(found) for found in labels) or bool(critical_reason(context, vmi))
    run = replace(_as_it_runs(vmi), before=labels[0], after=labels[1])
    return Write(
        before=now,
        after=now,
        critical=[run] if critical else (),
        copying=[run] if mappings(vmi, "status", "migratedVolumes") else (),
    )


def _template_write(context: FactContext) -> Write | None:
    request, template = context.request, template_of(context.request)
    if template is None:
        return None
    labels = _labels_before_and_after(context, template.labels)
    if labels is None:
        return None
    flag, vmi, now = Flag.of(context), vmi_of(context) if template is VM_TEMPLATE else None, world_now(context)
    critical = (
        any(flag.is_on(found) for found in labels)
        or is_flagged_namespace(context, request.namespace)
        or (vmi is not None and is_running(vmi) and bool(critical_reason(context, vmi)))
    )
    run = Run(namespace=request.namespace, name=request.subject.name, before=labels[0], after=labels[1], now=False)
    return Write(before=now, after=now, critical=[run] if critical else (), copying=())


def _namespace_write(context: FactContext) -> Write | None:
    labels = _labels_before_and_after(context, labels_of)
    if labels is None:
        return None
    name, flag, now = context.request.subject.name, Flag.of(context), world_now(context)
    running = [vmi for vmi in context.view.select(VMI, "namespace", name) if is_running(vmi)]
    vms = context.view.select(VM, "namespace", name)
    if not any(flag.is_on(found) for found in labels):
        running = [vmi for vmi in running if critical_reason(context, vmi)]
        vms = [vm for vm in vms if flag.is_on(template_labels(vm))]
    critical = [*map(_as_it_runs, running), *map(_as_it_starts, vms)]
    before, after = (replace(now, namespace_labels=found) for found in labels)
    copying = [run for run in _copying(context) if run.namespace == name]
    return Write(before=before, after=after, critical=critical, copying=copying)


def _labels_before_and_after(
    context: FactContext, read: Callable[[Object], Mapping[str, str]]
) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
    """The labels of the object, or in its template; None unless an UPDATE changes them."""
    old, new = objects_of(context.request)
    if old is None or new is None or read(old) == read(new):
        return None
    return read(old), read(new)


def _as_it_runs(vmi: Object) -> Run:
    labels = labels_of(vmi)
    return Run(namespace=namespace_of(vmi), name=name_of(vmi), before=labels, after=labels)


def _as_it_starts(vm: Object) -> Run:
    labels = template_labels(vm)
    return Run(namespace=namespace_of(vm), name=name_of(vm), before=labels, after=labels, now=False)


def _critical(context: FactContext) -> Sequence[Run]:
    return [*map(_as_it_runs, critical_vmis(context)), *map(_as_it_starts, critical_vms(context))]


def _copying(context: FactContext) -> Sequence[Run]:
    return [_as_it_runs(vmi) for vmi in context.view.select(VMI, "migratedVolumes", ANY) if is_running(vmi)]
