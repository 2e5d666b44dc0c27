"""From which VMs a write takes the critical flag, and to which it gives it.

A VM keeps its flag from one start to the next only where its template or its namespace bears it; a label on the VMI is
gone when the VM stops. So there are two things to lose: the flag of the VMI that runs, by any of the three labels, and
the flag of every later start, by the template or the namespace. A label that goes while another one keeps the same
thing flagged takes nothing away. A stopped VM has its later starts to lose, and counts; so do the VMs of a pool or a
replica set, which are counted as one, by its name.

Source: KubeVirt ``pkg/virt-controller/watch/vm/vm.go`` (``SetupVMIFromVM``: a VMI gets the labels of the template).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook.kubevirt.configchange import objects_of
from webhook.kubevirt.criticality import Flag, is_running, template_labels
from webhook.kubevirt.migrationconfig import namespace_labels
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.kubevirt.templates import VM_TEMPLATE, Template, template_of
from webhook.kubevirt.workload import is_about, writes_metadata
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, labels_of, name_of, namespace_of, strings, text, value
from webhook.model.request import AdmissionRequest, Operation

FIRST = 10
"""Names that are listed; the counts are of all."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FlagLabels:
    """The labels that may flag one VM, at one moment."""

    vmi: Mapping[str, str] | None
    """None where no VMI runs."""
    template: Mapping[str, str] | None
    """None where there is no VM: a VMI of its own, or one whose VM was deleted."""
    namespace: Mapping[str, str]

    def stays(self, flag: Flag) -> bool:
        """Say whether the VM is flagged whenever it starts."""
        return self.template is not None and (flag.is_on(self.template) or flag.is_on(self.namespace))

    def runs(self, flag: Flag) -> bool:
        """Say whether a VMI runs and is flagged."""
        sources = (self.vmi, self.template or {}, self.namespace)
        return self.vmi is not None and any(flag.is_on(labels or {}) for labels in sources)

    def flagged(self, flag: Flag) -> Iterator[tuple[bool, Mapping[str, str]]]:
        """Yield what is flagged, with its labels: the VMI that runs (True), then that of the next start (False)."""
        if self.vmi is not None and self.runs(flag):
            yield True, self.vmi
        if self.template is not None and self.stays(flag):
            yield False, self.template

    def lost_by(self, after: FlagLabels, flag: Flag) -> bool:
        """Say whether the flag is on here and no longer on after, for what exists on both sides."""
        of_vmi = self.runs(flag) and after.vmi is not None and not after.runs(flag)
        of_vm = self.stays(flag) and after.template is not None and not after.stays(flag)
        return of_vmi or of_vm

    def gained_over(self, before: FlagLabels, flag: Flag) -> bool:
        """Say whether the flag is on here and was not before, or there was nothing that it could be on."""
        return (self.runs(flag) and not before.runs(flag)) or (self.stays(flag) and not before.stays(flag))


@dataclass(frozen=True, slots=True)
class FlagChange:
    """The VMs, ``NAMESPACE/NAME`` in order, that lose the flag and those that gain it."""

    losing: tuple[str, ...] = ()
    gaining: tuple[str, ...] = ()
    labels: Mapping[str, FlagLabels] = field(default_factory=dict)
    """Of those that gain it: what they bear after the write."""


def flag_change(context: FactContext) -> FlagChange:
    """Return whose flag this write takes or sets. Raises FactUnavailable when the time is up."""
    return context.once("flagChange", _flag_change)


def _flag_change(context: FactContext) -> FlagChange:
    flag = Flag.of(context)
    losing: list[str] = []
    gaining: dict[str, FlagLabels] = {}
    walked = context.deadline.walk(_changes(context, flag), "it was known which VMs the write flags or unflags")
    for name, before, after in walked:
        if before.lost_by(after, flag):
            losing.append(name)
        elif after.gained_over(before, flag):
            gaining[name] = after
    return FlagChange(tuple(sorted(losing)), tuple(sorted(gaining)), gaining)


_Change: TypeAlias = tuple[str, FlagLabels, FlagLabels]
"""A VM whose flagging the write may change: its name and labels before and after."""


def _changes(context: FactContext, flag: Flag) -> Iterator[_Change]:
    request = context.request
    if not writes_metadata(request):
        return
    old, new = objects_of(request)
    template = template_of(request)
    if template is not None:
        yield from _template_write(context, flag, template, old, new)
    elif new is None:
        return
    elif is_about(request, VMI):
        yield from _vmi_write(context, flag, old, new)
    elif is_about(request, NAMESPACE) and old is not None:
        yield from _namespace_write(context, flag, labels_of(old), labels_of(new))


def _vmi_write(context: FactContext, flag: Flag, old: Object | None, new: Object) -> Iterator[_Change]:
    if old is not None and flag.is_on(labels_of(old)) == flag.is_on(labels_of(new)):
        return
    namespace, name = context.request.namespace, context.request.subject.name
    known = context.view.get(VMI, namespace, name)
    if old is not None and known is not None and not is_running(known):
        return
    template, around = _template_of(context, namespace, name), namespace_labels(context, namespace)

    def labels(vmi: Object | None) -> FlagLabels:
        return FlagLabels(vmi=labels_of(vmi) if vmi is not None else None, template=template, namespace=around)

    yield f"{namespace}/{name}", labels(old), labels(new)


def _template_write(
    context: FactContext, flag: Flag, template: Template, old: Object | None, new: Object | None
) -> Iterator[_Change]:
    """A new template matters if the flag in it changes; a deletion if the VMI is left behind."""
    before, after = (template.labels(found) if found is not None else None for found in (old, new))
    if before is not None and flag.is_on(before) == flag.is_on(after or {}):
        return
    is_vm = template is VM_TEMPLATE
    if after is None and not (is_vm and leaves_vmi(context.request)):
        return
    namespace, name = context.request.namespace, context.request.subject.name
    vmi, around = context.view.get(VMI, namespace, name) if is_vm else None, namespace_labels(context, namespace)
    running = labels_of(vmi) if vmi is not None and is_running(vmi) else None

    def labels(given: Mapping[str, str] | None) -> FlagLabels:
        return FlagLabels(vmi=running, template=given, namespace=around)

    yield f"{namespace}/{name}", labels(before), labels(after)


def _namespace_write(
    context: FactContext, flag: Flag, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[_Change]:
    if flag.is_on(old) == flag.is_on(new):
        return
    namespace = context.request.subject.name
    running = {
        name_of(vmi): labels_of(vmi)
        for vmi in context.view.select(VMI, "namespace", namespace)
        if is_running(vmi) and namespace_of(vmi) == namespace
    }
    templates = {name_of(vm): template_labels(vm) for vm in context.view.select(VM, "namespace", namespace)}
    for name in sorted(running.keys() | templates.keys()):
        before, after = (
            FlagLabels(vmi=running.get(name), template=templates.get(name), namespace=labels) for labels in (old, new)
        )
        yield f"{namespace}/{name}", before, after


def _template_of(context: FactContext, namespace: str, name: str) -> Mapping[str, str] | None:
    vm = context.view.get(VM, namespace, name)
    return template_labels(vm) if vm is not None else None


def leaves_vmi(request: AdmissionRequest) -> bool:
    """Say whether a DELETE leaves the dependents of the object behind.

    Source: Kubernetes ``apiserver/pkg/registry/generic/registry/store.go`` (``shouldOrphanDependents``): the older
    option, then the policy, then a finalizer that the object has already.
    """
    if request.operation is not Operation.DELETE:
        return False
    older = value(request.options, "orphanDependents")
    if isinstance(older, bool):
        return older
    policy = text(request.options, "propagationPolicy")
    if policy:
        return policy == "Orphan"
    return "orphan" in strings(request.old_object, "metadata", "finalizers")


FACTS = (
    Fact(
        "critical.flag",
        "string",
        "The label that flags a VM critical, such as migguard.io/critical=true; empty if Parameters name none.",
        lambda context: Flag.of(context).key if Flag.of(context).label else "",
    ),
    Fact(
        "critical.losing",
        "list(string)",
        "VMs that this write takes the critical flag from, now or at their next start (stopped ones too): the first "
        f"{FIRST}, as NAMESPACE/NAME; a pool or replica set by its own name. A label on the running VMI alone does not "
        "outlast a restart, so it does not make up for one that goes from the template.",
        lambda context: list(flag_change(context).losing[:FIRST]),
    ),
    Fact(
        "vm.leavesVMI",
        "bool",
        "The DELETE leaves what the object owns behind (--cascade=orphan): of a VM its running VMI.",
        lambda context: leaves_vmi(context.request),
    ),
    Fact("critical.losingCount", "int", "How many there are.", lambda context: len(flag_change(context).losing)),
    Fact(
        "critical.gaining",
        "list(string)",
        "VMs that this write flags critical, or makes so, now or at their next start: the first "
        f"{FIRST}, as NAMESPACE/NAME; a pool or replica set by its own name.",
        lambda context: list(flag_change(context).gaining[:FIRST]),
    ),
    Fact("critical.gainingCount", "int", "How many there are.", lambda context: len(flag_change(context).gaining)),
)
