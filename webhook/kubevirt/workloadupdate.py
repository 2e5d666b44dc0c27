"""Whether a write changes what makes VMs migrate in bulk: workload updates, and evictions for the whole cluster.

Source: KubeVirt ``api/core/v1/types.go`` (``KubeVirtWorkloadUpdateStrategy``, ``evictionStrategy``); HyperConverged
``api/v1/hyperconverged_types.go`` (``VirtualizationConfig``), ``api/v1beta1/hyperconverged_types.go``.
"""

from __future__ import annotations

from webhook.kubevirt.configchange import objects_of
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import same, value
from webhook.model.request import AdmissionRequest

_STRATEGIES = ("workloadUpdateStrategy", "evictionStrategy")


def _paths(request: AdmissionRequest) -> tuple[tuple[str, ...], ...]:
    if is_about(request, KUBEVIRT):
        return ("spec", "workloadUpdateStrategy"), ("spec", "configuration", "evictionStrategy")
    if is_about(request, HYPERCONVERGED):
        parent = ("spec", "virtualization") if request.kind.version == "v1" else ("spec",)
        return tuple((*parent, name) for name in _STRATEGIES)
    return ()


def _changed(context: FactContext) -> bool:
    if context.request.subresource:
        return False
    old, new = objects_of(context.request)
    return any(not same(value(old, *path), value(new, *path)) for path in _paths(context.request))


FACTS = (
    Fact(
        "config.strategiesChanged",
        "bool",
        "This write of a HyperConverged or KubeVirt CR changes the workload update strategy, or the eviction strategy "
        "of the cluster.",
        _changed,
    ),
)
