"""Whether the cluster has memory to spare for a drain: the documented formula, in numbers.

Needed is (nodes that are drained at once) times (the highest total of VM memory requests on any one node). Spare is
what the nodes that take VMs have left: allocatable memory less the requests of all pods on them.

Source: OpenShift Virtualization, "Live migration requirements" (spare memory request capacity).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from webhook.kubevirt.indexkeys import FINAL_PHASES
from webhook.kubevirt.installation import configuration
from webhook.kubevirt.memory import (
    belongs_to,
    bytes_of,
    launched_vm,
    pod_request,
    request_of,
    shown,
)
from webhook.kubevirt.resources import NODE, POD, VMI
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, mappings, name_of, namespace_of, text, value
from webhook.model.quantity import MAX_INT64

TAKES_VMS = "kubevirt.io/schedulable"
"""Node label, ``"true"`` where virt-handler runs and is well. Source: KubeVirt ``pkg/virt-handler/heartbeat``."""
REPELLING = frozenset({"NoSchedule", "NoExecute"})
"""Taint effects that keep a pod away which does not tolerate them."""


@dataclass(frozen=True, slots=True)
class Requests:
    """The memory requests of the pods on one node, in bytes."""

    total: int
    launchers: Mapping[tuple[str, str], Sequence[Object]]
    """The virt-launcher pods, by namespace and name of their VMI."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """What a drain needs, and what there is."""

    largest_node: str
    """The node whose VMs ask for most; empty if no node has VMs."""
    largest: int
    needed: int
    spare: int

    @property
    def sufficient(self) -> bool:
        """Say whether the spare memory holds what a drain moves."""
        return self.needed <= self.spare


def nodes_of(context: FactContext) -> Sequence[Object]:
    """Return all nodes, ordered by name; empty if these are not the nodes of a KubeVirt cluster.

    virt-handler labels every node it runs on. Where no node has the label, the objects at hand (manifests, say) do not
    tell where VMs may run.
    """

    def look_up(context: FactContext) -> Sequence[Object]:
        nodes = context.view.list(NODE)
        return nodes if any(value(node, "metadata", "labels", TAKES_VMS) is not None for node in nodes) else ()

    return context.once("nodes", look_up)


def is_ready(node: Object) -> bool:
    """Say whether the node's condition Ready is true; one that has not said counts as ready."""
    states = [
        text(state, "status") for state in mappings(node, "status", "conditions") if text(state, "type") == "Ready"
    ]
    return all(state == "True" for state in states)


def repelling_taints(node: Object) -> list[Object]:
    """Return the taints that keep pods away."""
    return [taint for taint in mappings(node, "spec", "taints") if text(taint, "effect") in REPELLING]


def requests_on(context: FactContext, node: str) -> Requests:
    """Return what the pods on a node ask for; finished ones hold nothing."""

    def add_up(context: FactContext) -> Requests:
        total = 0
        launchers: dict[tuple[str, str], list[Object]] = {}
        pods = context.view.select(POD, "node", node)
        for pod in context.deadline.walk(pods, f"the pods on node {node} were added up"):
            total += pod_request(pod)
            vm = launched_vm(pod)
            if vm:
                launchers.setdefault((namespace_of(pod), vm), []).append(pod)
        return Requests(total, launchers)

    return context.once(("requests", node), add_up)


def free_on(context: FactContext, node: Object) -> int:
    """Return the bytes of memory that a node has left for requests; never below 0."""
    allocatable = bytes_of(value(node, "status", "allocatable", "memory"))
    return max(allocatable - requests_on(context, name_of(node)).total, 0)


def capacity_of(context: FactContext) -> Capacity:
    """Return what a drain needs and what there is; one walk over the pods and VMs of the nodes."""
    return context.once("capacity", _capacity)


def _capacity(context: FactContext) -> Capacity:
    largest_node, largest, spare = "", 0, 0
    for node in nodes_of(context):
        held, runs_vms = _vms_on(context, name_of(node))
        if held > largest:
            largest_node, largest = name_of(node), held
        if _takes_vms(node, runs_vms):
            spare += free_on(context, node)
    return Capacity(
        largest_node=largest_node,
        largest=min(largest, MAX_INT64),
        needed=min(_drains(context) * largest, MAX_INT64),
        spare=min(spare, MAX_INT64),
    )


def _takes_vms(node: Object, runs_vms: bool) -> bool:
    """Say whether a VM may be moved here; a tainted node counts only where VMs evidently tolerate that."""
    return (
        text(node, "metadata", "labels", TAKES_VMS) == "true"
        and value(node, "spec", "unschedulable") is not True
        and is_ready(node)
        and (runs_vms or not repelling_taints(node))
    )


def _vms_on(context: FactContext, node: str) -> tuple[int, bool]:
    """Return what the VMs that run on a node ask for, and whether there are any.

    During a migration a VM has two pods; the one on the VMI's own node counts.
    """
    total, found = 0, False
    launchers = requests_on(context, node).launchers
    vmis = context.view.select(VMI, "node", node)
    for vmi in context.deadline.walk(vmis, f"the VMs on node {node} were added up"):
        if text(vmi, "status", "phase") in FINAL_PHASES:
            continue
        found = True
        pods = [pod for pod in launchers.get((namespace_of(vmi), name_of(vmi)), ()) if belongs_to(pod, vmi)]
        total += request_of(vmi, pods, configuration(context))
    return total, found


def _drains(context: FactContext) -> int:
    drains = value(context.parameters, "capacity", "parallelDrains")
    return drains if isinstance(drains, int) else 1


def _known(context: FactContext) -> bool:
    return bool(nodes_of(context))


def _number(read: Callable[[Capacity], int]) -> Callable[[FactContext], JSON]:
    return lambda context: read(capacity_of(context))


def _size(read: Callable[[Capacity], int], *, up: bool = False) -> Callable[[FactContext], JSON]:
    return lambda context: shown(read(capacity_of(context)), up=up)


FACTS = (
    Fact(
        "capacity.known",
        "bool",
        "The cluster's nodes are known: one at least has the label kubevirt.io/schedulable, which virt-handler gives. "
        "Without it the other facts about capacity and targets say nothing.",
        _known,
    ),
    Fact(
        "capacity.parallelDrains",
        "int",
        "How many nodes are drained at once, as Parameters say.",
        _drains,
    ),
    Fact(
        "capacity.largestNode",
        "string",
        "The node whose VMs ask for most memory; empty if no node has VMs.",
        lambda context: capacity_of(context).largest_node,
    ),
    Fact(
        "capacity.largestNodeBytes",
        "int",
        "The highest total of VM memory requests on any one node, in bytes.",
        _number(lambda found: found.largest),
    ),
    Fact(
        "capacity.largestNodeSize",
        "string",
        "The same as people read it, such as 64Gi.",
        _size(lambda found: found.largest, up=True),
    ),
    Fact(
        "capacity.neededBytes",
        "int",
        "Spare memory that a drain needs, in bytes: parallel drains times the largest node's VMs.",
        _number(lambda found: found.needed),
    ),
    Fact("capacity.neededSize", "string", "The same as people read it.", _size(lambda found: found.needed, up=True)),
    Fact(
        "capacity.spareBytes",
        "int",
        "Allocatable memory less the requests of all pods, added up over the nodes that take VMs (ready, not cordoned, "
        "labelled kubevirt.io/schedulable; with a NoSchedule or NoExecute taint only if VMs run there), in bytes.",
        _number(lambda found: found.spare),
    ),
    Fact("capacity.spareSize", "string", "The same as people read it.", _size(lambda found: found.spare)),
    Fact(
        "capacity.sufficient",
        "bool",
        "The spare memory holds what a drain moves.",
        lambda context: capacity_of(context).sufficient,
    ),
)
