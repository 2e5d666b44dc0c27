"""From which VMs a write takes the critical flag, and to which it gives it.

A VM keeps its flag from one start to the next only where its template or its namespace bears it; a label on the VMI is
gone when the VM stops. So there are two things to lose: the flag of the VMI that runs, by any of the three labels, and
the flag of every later start, by the template or the namespace. A label that goes while another one keeps the same
thing flagged takes nothing away. A stopped VM has its later starts to lose, and counts.

Source: KubeVirt ``pkg/virt-controller/watch/vm/vm.go`` (``SetupVMIFromVM``: a VMI gets the labels of the template).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook.kubevirt.configchange import objects_of
from webhook.kubevirt.criticality import Flag, is_running, template_labels
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, labels_of, name_of, namespace_of, strings, text, value
from webhook.model.request import AdmissionRequest, Operation

FIRST = 10
"""Names that are listed; the counts are of all."""

_CHECK_EVERY = 256
"""VMs between two looks at the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Labels:
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

    def lost_by(self, after: _Labels, flag: Flag) -> bool:
        """Say whether the flag is on here and no longer on after, for what exists on both sides."""
        of_vmi = self.runs(flag) and after.vmi is not None and not after.runs(flag)
        of_vm = self.stays(flag) and after.template is not None and not after.stays(flag)
        return of_vmi or of_vm


@dataclass(frozen=True, slots=True)
class FlagChange:
    """The VMs, ``NAMESPACE/NAME`` in order, that lose the flag and those that gain it."""

    losing: tuple[str, ...] = ()
    gaining: tuple[str, ...] = ()


def flag_change(context: FactContext) -> FlagChange:
    """Return whose flag this write takes or sets. Raises FactUnavailable when the time is up."""
    return context.once("flagChange", _flag_change)


def _flag_change(context: FactContext) -> FlagChange:
    flag = Flag.of(context)
    losing: list[str] = []
    gaining: list[str] = []
    for number, (name, before, after) in enumerate(_changes(context, flag)):
        if number % _CHECK_EVERY == 0:
            context.deadline.check("it was known which VMs the write flags or unflags")
        if before.lost_by(after, flag):
            losing.append(name)
        elif after.lost_by(before, flag):
            gaining.append(name)
    return FlagChange(tuple(sorted(losing)), tuple(sorted(gaining)))


def _changes(context: FactContext, flag: Flag) -> Iterator[tuple[str, _Labels, _Labels]]:
    """Yield each VM whose flagging the write may change: its name and labels before and after."""
    request = context.request
    if request.subresource:
        return
    old, new = objects_of(request)
    if is_about(request, VM) and old is not None:
        yield from _vm_write(context, flag, old, new)
    elif is_about(request, VMI) and old is not None and new is not None:
        yield from _vmi_write(context, flag, labels_of(old), labels_of(new))
    elif is_about(request, NAMESPACE) and old is not None and new is not None:
        yield from _namespace_write(context, flag, labels_of(old), labels_of(new))


def _vmi_write(
    context: FactContext, flag: Flag, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[tuple[str, _Labels, _Labels]]:
    if flag.is_on(old) == flag.is_on(new):
        return
    namespace, name = context.request.namespace, context.request.subject.name
    known = context.view.get(VMI, namespace, name)
    if known is not None and not is_running(known):
        return
    template, around = _template_of(context, namespace, name), _labels_around(context, namespace)
    before, after = (_Labels(vmi=labels, template=template, namespace=around) for labels in (old, new))
    yield f"{namespace}/{name}", before, after


def _vm_write(
    context: FactContext, flag: Flag, old: Object, new: Object | None
) -> Iterator[tuple[str, _Labels, _Labels]]:
    """A new template matters if the flag in it changes; a deletion if the VMI is left behind."""
    if flag.is_on(template_labels(old)) == (new is not None and flag.is_on(template_labels(new))):
        return
    if new is None and not leaves_vmi(context.request):
        return
    namespace, name = context.request.namespace, context.request.subject.name
    vmi, around = context.view.get(VMI, namespace, name), _labels_around(context, namespace)
    labels = labels_of(vmi) if vmi is not None and is_running(vmi) else None
    before, after = (
        _Labels(vmi=labels, template=template_labels(vm) if vm is not None else None, namespace=around)
        for vm in (old, new)
    )
    yield f"{namespace}/{name}", before, after


def _namespace_write(
    context: FactContext, flag: Flag, old: Mapping[str, str], new: Mapping[str, str]
) -> Iterator[tuple[str, _Labels, _Labels]]:
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
            _Labels(vmi=running.get(name), template=templates.get(name), namespace=labels) for labels in (old, new)
        )
        yield f"{namespace}/{name}", before, after


def _template_of(context: FactContext, namespace: str, name: str) -> Mapping[str, str] | None:
    vm = context.view.get(VM, namespace, name)
    return template_labels(vm) if vm is not None else None


def _labels_around(context: FactContext, namespace: str) -> Mapping[str, str]:
    return labels_of(context.view.get(NAMESPACE, "", namespace))


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
        f"{FIRST}, as NAMESPACE/NAME. A label on the running VMI alone does not outlast a restart, so it does not make "
        "up for one that goes from the template.",
        lambda context: list(flag_change(context).losing[:FIRST]),
    ),
    Fact("critical.losingCount", "int", "How many there are.", lambda context: len(flag_change(context).losing)),
    Fact(
        "critical.gaining",
        "list(string)",
        f"VMs that this write flags critical, now or at their next start: the first {FIRST}, as NAMESPACE/NAME.",
        lambda context: list(flag_change(context).gaining[:FIRST]),
    ),
    Fact("critical.gainingCount", "int", "How many there are.", lambda context: len(flag_change(context).gaining)),
)
