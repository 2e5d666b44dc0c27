"""Which machine a request is about: the one that runs, or the one that a write asks for; and the one before the write.

A write of a VM or VMI is judged by what it writes: a VM's template makes the next VMI, which has no status yet. The
spec in a request is what is asked for; the status is always the cached one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.kubevirt.resources import VM, VMI
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import FactContext
from webhook.model.objects import JSON, Object, mapping, mappings, same, text, value
from webhook.model.request import AdmissionRequest, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A virtual machine as it runs or is meant to run."""

    spec: Mapping[str, JSON]
    """The ``spec`` of a VMI."""
    annotations: Mapping[str, JSON]
    """The annotations that the VMI has or will have."""
    vmi: Object | None = None
    """The cached VMI whose status goes with it; None for one that does not run yet."""
    claims: Mapping[str, Mapping[str, JSON]] = field(default_factory=dict)
    """What the VM's dataVolumeTemplates ask for of a claim, by its name; such a claim need not exist yet."""
    has_preference: bool = False
    """A VirtualMachinePreference fills in what the spec leaves open."""
    is_changed: bool = False
    """The spec is not the one that the status of ``vmi`` was computed from."""

    @property
    def domain(self) -> Mapping[str, JSON]:
        """``spec.domain``."""
        return mapping(self.spec, "domain")

    @property
    def devices(self) -> Mapping[str, JSON]:
        """``spec.domain.devices``."""
        return mapping(self.spec, "domain", "devices")

    @property
    def is_new(self) -> bool:
        """It does not run yet: KubeVirt still fills in its defaults."""
        return self.vmi is None


def asked_for(context: FactContext) -> Machine | None:
    """Return the machine that the request is about or asks for; None if there is none."""
    return context.once("machine", _asked_for)


def _asked_for(context: FactContext) -> Machine | None:
    request = context.request
    written = request.object or request.old_object
    if is_about(request, VM):
        return _of_template(written)
    vmi = vmi_of(context)
    if is_about(request, VMI):
        if request.operation is Operation.CREATE:
            return _of_vmi(written)
        return _of_vmi(written, status=vmi, changed=_is_changed(request))
    return None if vmi is None else _of_vmi(vmi, status=vmi)


def _is_changed(request: AdmissionRequest) -> bool:
    return request.object is not None and not same(value(request.object, "spec"), value(request.old_object, "spec"))


def before_write(context: FactContext) -> Machine | None:
    """Return the machine as it was before an UPDATE of a VM or VMI; None if the request is no such write.

    It is to be compared with what is asked for, so both are judged alike: by the status, or computed.
    """
    request = context.request
    if request.operation is not Operation.UPDATE:
        return None
    if is_about(request, VM):
        return _of_template(request.old_object)
    if not is_about(request, VMI):
        return None
    return _of_vmi(request.old_object, status=vmi_of(context), changed=_is_changed(request))


def _of_vmi(vmi: Object | None, *, status: Object | None = None, changed: bool = False) -> Machine:
    return Machine(
        spec=mapping(vmi, "spec"), annotations=mapping(vmi, "metadata", "annotations"), vmi=status, is_changed=changed
    )


def _of_template(vm: Object | None) -> Machine:
    template = mapping(vm, "spec", "template")
    claims = {
        text(entry, "metadata", "name"): mapping(entry, "spec", "storage") or mapping(entry, "spec", "pvc")
        for entry in mappings(vm, "spec", "dataVolumeTemplates")
    }
    return Machine(
        spec=mapping(template, "spec"),
        annotations=mapping(template, "metadata", "annotations"),
        claims=claims,
        has_preference=bool(mapping(vm, "spec", "preference")),
    )
