"""Whether a write changes labels by which the critical flag and MigrationPolicies find VMs.

That is known from the request alone. So what has nothing to do with labels costs nothing, and passes also while nothing
is known of the cluster.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook.kubevirt.resources import NAMESPACE, VMI
from webhook.kubevirt.templates import template_of
from webhook.kubevirt.workload import is_about, writes_metadata
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, labels_of
from webhook.model.request import AdmissionRequest, Operation


def labels_change(request: AdmissionRequest) -> bool:
    """Say whether an UPDATE changes such labels; of what else may matter it says true, as it does of other kinds."""
    if request.operation is not Operation.UPDATE:
        return True
    template = template_of(request)
    if template is None and not (writes_metadata(request) and (is_about(request, VMI) or is_about(request, NAMESPACE))):
        return True

    def labels(found: Object | None) -> Mapping[str, str]:
        return template.labels(found) if template else labels_of(found)

    return labels(request.old_object) != labels(request.object)


def _labels_change(context: FactContext) -> bool:
    return labels_change(context.request)


FACTS = (
    Fact(
        "vm.labelsChange",
        "bool",
        "For an UPDATE of a VirtualMachineInstance or Namespace: its labels change; of a VirtualMachine, "
        "VirtualMachinePool or VirtualMachineInstanceReplicaSet: those of its template do. For all others true.",
        _labels_change,
    ),
)
