"""Which nodes could take the VM of this request, and why the others could not.

Source: Kubernetes ``pkg/scheduler/framework/plugins/noderesources`` (memory requests against what is allocatable);
which nodes are fit at all says :mod:`webhook.kubevirt.nodefit`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice

from webhook.kubevirt.capacity import TAKES_VMS, free_on, nodes_of
from webhook.kubevirt.memory import shown, vm_request
from webhook.kubevirt.nodefit import Cause, demand_of
from webhook.kubevirt.workload import vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, name_of, text, value

FIRST = 10
"""Names, and causes, that are listed."""


@dataclass(frozen=True, slots=True)
class Survey:
    """The nodes that are fit but for memory, and how many fall out for which cause."""

    fit: Sequence[Object]
    causes: Mapping[Cause, int]


def survey_of(context: FactContext) -> Survey:
    """Judge every node for the VM of this request; without a VM there is nothing to judge."""
    return context.once("targets", _survey)


def _survey(context: FactContext) -> Survey:
    vmi = vmi_of(context)
    if vmi is None:
        return Survey((), {})
    demand, fit = demand_of(context, vmi), []
    causes: dict[Cause, int] = {}
    for node in context.deadline.walk(nodes_of(context), "the nodes were judged"):
        cause = demand.refuses(node)
        if cause is None:
            fit.append(node)
        else:
            causes[cause] = causes.get(cause, 0) + 1
    return Survey(fit, causes)


def with_memory(context: FactContext) -> Iterator[str]:
    """Yield the names of the nodes that are fit and have the memory; a node's pods are added up when it is its turn."""
    vmi = vmi_of(context)
    needed = vm_request(context, vmi) if vmi is not None else 0
    for node in survey_of(context).fit:
        context.deadline.check("free memory was looked for")
        if _has_room(context, node, needed):
            yield name_of(node)


def _has_room(context: FactContext, node: Object, needed: int) -> bool:
    """A node that does not say what it can allocate counts as having room."""
    return value(node, "status", "allocatable", "memory") is None or free_on(context, node) >= needed


def first_targets(context: FactContext) -> list[str]:
    """Return the first nodes that could take the VM."""

    def take(context: FactContext) -> list[str]:
        return list(islice(with_memory(context), FIRST))

    return context.once("firstTargets", take)


def _causes(context: FactContext) -> list[dict[str, JSON]]:
    """Most nodes first; memory last, and only where no fit node has enough: else it takes no look at all pods."""
    found = survey_of(context)
    ranked = sorted(found.causes.items(), key=lambda entry: (-entry[1], entry[0].code, entry[0].about))
    listed = [_cause(cause.code, count, about=cause.about) for cause, count in ranked[:FIRST]]
    rest = sum(count for _, count in ranked[FIRST:])
    listed += [_cause("other", rest)] if rest else []
    return [*listed, *_memory_cause(context, found.fit)]


def _memory_cause(context: FactContext, fit: Sequence[Object]) -> list[dict[str, JSON]]:
    vmi = vmi_of(context)
    if vmi is None or not fit or first_targets(context):
        return []
    most = max(free_on(context, node) for node in fit)
    return [_cause("memory", len(fit), needs=shown(vm_request(context, vmi), up=True), most=shown(most))]


def _cause(code: str, count: int, *, about: str = "", needs: str = "", most: str = "") -> dict[str, JSON]:
    return {"code": code, "count": count, "about": about, "needs": needs, "most": most}


_TEXTS = {
    "source": ("is where the VM runs now", "are where the VM runs now"),
    "noVMs": ("takes no VMs (label {TAKES_VMS} is not true)", "take no VMs (label {TAKES_VMS} is not true)"),
    "notReady": ("is not ready", "are not ready"),
    "cordoned": ("is cordoned", "are cordoned"),
    "label": ("lacks label {about}", "lack label {about}"),
    "repelled": ("has label {about}", "have label {about}"),
    "taint": (
        "has taint {about}, which the VM does not tolerate",
        "have taint {about}, which the VM does not tolerate",
    ),
    "other": ("falls out for another reason", "fall out for other reasons"),
    "memory": (
        "has too little free memory (needs {needs}, has {most})",
        "have too little free memory (needs {needs}, the most that one has is {most})",
    ),
}


def _said(cause: Mapping[str, JSON]) -> str:
    one, several = _TEXTS[cause["code"]]
    count = cause["count"]
    said = (one if count == 1 else several).format(TAKES_VMS=TAKES_VMS, **cause)
    return f"{count} node{'' if count == 1 else 's'} {said}"


def _known(context: FactContext) -> bool:
    source = text(vmi_of(context), "status", "nodeName")
    return any(name_of(node) == source for node in nodes_of(context))


FACTS = (
    Fact(
        "capacity.targetsKnown",
        "bool",
        "Targets can be judged: the VM runs on a node, and that is among the nodes that are known.",
        _known,
    ),
    Fact(
        "capacity.targets",
        "list(string)",
        "The first 10 nodes that could take this request's VM: ready, not cordoned, taking VMs, with the labels that "
        "its node selector and CPU need, without a taint it does not tolerate, with enough free memory. Affinity, CPU "
        "requests and devices are not judged; nodes count as fit there.",
        first_targets,
    ),
    Fact(
        "capacity.targetCount",
        "int",
        "How many nodes could. It takes a look at all their pods: to ask whether there is one, use capacity.targets.",
        lambda context: sum(1 for _ in with_memory(context)),
    ),
    Fact(
        "capacity.targetCountIgnoringMemory",
        "int",
        "How many nodes could if memory did not matter.",
        lambda context: len(survey_of(context).fit),
    ),
    Fact(
        "capacity.obstacles",
        "list(string)",
        "Why nodes fall out, by cause, each counted once: '2 nodes are cordoned'. Memory is among them only where no "
        "otherwise fit node has enough.",
        lambda context: [_said(cause) for cause in _causes(context)],
    ),
    Fact(
        "capacity.causes",
        "list(map)",
        "The same for programs: code (source, noVMs, notReady, cordoned, label, repelled, taint, other, memory), "
        "count, about (the label or taint), and of memory what it needs and the most that a node has.",
        _causes,
    ),
    Fact(
        "vmi.memoryRequestBytes",
        "int",
        "Memory that the VM's launcher pod asks for, in bytes, guest and overhead; estimated if the pod is not known.",
        lambda context: 0 if (vmi := vmi_of(context)) is None else vm_request(context, vmi),
    ),
)
