"""Which VMs their owners flagged critical.

A running VM is critical if the label named in Parameters is on its VMI, on the template of its VM, or on its namespace:
any one of them will do, so that taking the label off a running VMI does not unflag it. The next start of a VM, running
or not, is critical by its template or its namespace: what is on the VMI is gone then.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from webhook.kubevirt.indexkeys import FINAL_PHASES, label_pair
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.kubevirt.templates import VM_TEMPLATE
from webhook.model.facts import FactContext
from webhook.model.objects import Object, ObjectRef, labels_of, name_of, namespace_of, text


@dataclass(frozen=True, slots=True)
class Flag:
    """The label that flags a VM critical."""

    label: str
    value: str

    @classmethod
    def of(cls, context: FactContext) -> Flag:
        """The one that Parameters name."""
        return cls(text(context.parameters, "critical", "label"), text(context.parameters, "critical", "value"))

    @property
    def key(self) -> str:
        """Its index key."""
        return label_pair(self.label, self.value)

    def is_on(self, labels: Mapping[str, str]) -> bool:
        """Say whether these labels carry it."""
        return bool(self.label) and labels.get(self.label) == self.value


def template_labels(vm: Object | None) -> Mapping[str, str]:
    """Return the labels that a VM gives to its VMI."""
    return VM_TEMPLATE.labels(vm)


def critical_reason(context: FactContext, vmi: Object) -> str:
    """Say what flags this VMI: ``label migguard.io/critical=true on Namespace prod``; empty if nothing does."""
    flag, namespace, name = Flag.of(context), namespace_of(vmi), name_of(vmi)
    if flag.is_on(labels_of(vmi)):
        return f"label {flag.key} on {ObjectRef(VMI.kind, namespace, name)}"
    if flag.is_on(template_labels(context.view.get(VM, namespace, name))):
        return f"label {flag.key} on the template of {ObjectRef(VM.kind, namespace, name)}"
    if is_flagged_namespace(context, namespace):
        return f"label {flag.key} on {ObjectRef(NAMESPACE.kind, '', namespace)}"
    return ""


def is_running(vmi: Object) -> bool:
    """Say whether the VMI has not ended; one that is about to start counts."""
    return text(vmi, "status", "phase") not in FINAL_PHASES


def critical_vmis(context: FactContext) -> list[Object]:
    """Return the critical VMIs that have not ended, ordered by namespace and name; found by index."""

    def look_up(context: FactContext) -> list[Object]:
        return _in_order(vmi for vmi in _flagged(context) if is_running(vmi))

    return context.once("criticalVMIs", look_up)


def critical_vms(context: FactContext) -> list[Object]:
    """Return the VMs, running or stopped, whose next start is critical; ordered and found as the critical VMIs are."""

    def look_up(context: FactContext) -> list[Object]:
        view, flag = context.view, Flag.of(context)
        if not flag.label:
            return []
        around = view.select(NAMESPACE, "label", flag.key)
        inside = (vm for namespace in around for vm in view.select(VM, "namespace", name_of(namespace)))
        return _in_order(chain(view.select(VM, "templateLabel", flag.key), inside))

    return context.once("criticalVMs", look_up)


def _in_order(found: Iterable[Object]) -> list[Object]:
    """Each once, ordered by namespace and name."""
    unique = {(namespace_of(one), name_of(one)): one for one in found}
    return [one for _, one in sorted(unique.items(), key=lambda entry: entry[0])]


def is_flagged_namespace(context: FactContext, namespace: str) -> bool:
    """Say whether the flag is on a namespace, and so on all VMs in it."""
    return Flag.of(context).is_on(labels_of(context.view.get(NAMESPACE, "", namespace)))


def _flagged(context: FactContext) -> Iterator[Object]:
    view, flag = context.view, Flag.of(context)
    if not flag.label:
        return
    yield from view.select(VMI, "label", flag.key)
    for vm in view.select(VM, "templateLabel", flag.key):
        vmi = view.get(VMI, namespace_of(vm), name_of(vm))
        if vmi is not None:
            yield vmi
    for namespace in view.select(NAMESPACE, "label", flag.key):
        yield from view.select(VMI, "namespace", name_of(namespace))
