"""Which objects carry the template of a VM, and where in it the labels stand that its VMI will bear.

The labels of a running VMI come from there at its start and at no other time, so what changes here takes effect when
the VM starts next. A VirtualMachinePool overwrites the spec of its VMs under the account of virt-controller, which
nobody asks about, and a VirtualMachineInstanceReplicaSet makes VMIs without a VM: of both the write itself is judged.

Source: KubeVirt ``pkg/virt-controller/watch/vm/vm.go`` (``SetupVMIFromVM``), ``pkg/virt-controller/watch/pool/pool.go``
(``indexVMSpec``), ``pkg/virt-controller/watch/replicaset/replicaset.go`` (``scale``), ``api/pool/v1beta1/types.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.model.objects import Object, labels_of, value
from webhook.model.request import AdmissionRequest


@dataclass(frozen=True, slots=True)
class Template:
    """One kind of object that carries the template of a VM."""

    group: str
    resource: str
    kind: str
    path: tuple[str, ...]
    """Where the template stands."""

    def labels(self, found: Object | None) -> Mapping[str, str]:
        """Return the labels that it gives to VMIs; only what is a string."""
        return labels_of(value(found, *self.path))


VM_TEMPLATE = Template("kubevirt.io", "virtualmachines", "VirtualMachine", ("spec", "template"))
TEMPLATES = (
    VM_TEMPLATE,
    Template(
        "pool.kubevirt.io",
        "virtualmachinepools",
        "VirtualMachinePool",
        ("spec", "virtualMachineTemplate", "spec", "template"),
    ),
    Template(
        "kubevirt.io", "virtualmachineinstancereplicasets", "VirtualMachineInstanceReplicaSet", ("spec", "template")
    ),
)


def template_of(request: AdmissionRequest) -> Template | None:
    """Return where the object that a request writes carries a template; None for other kinds and for subresources."""
    asked = (request.resource.group, request.resource.resource)
    found = (template for template in TEMPLATES if (template.group, template.resource) == asked)
    return None if request.subresource else next(found, None)
