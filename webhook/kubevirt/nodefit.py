"""Whether a node is fit to take a VM over, but for memory; and if not, why.

Judged is what the scheduler would look at and is known here: that the node takes VMs, is ready and not cordoned, the
VM's node selector, the labels its CPU needs, and taints. Node and pod affinity, CPU requests and devices are not
judged: in these respects a node counts as fit.

Source: KubeVirt ``pkg/virt-controller/services/{nodeselectorrenderer,template}.go``,
``pkg/virt-controller/watch/migration/migration.go`` (``createTargetPod``); Kubernetes
``pkg/scheduler/framework/plugins/{nodeunschedulable,tainttoleration}``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import product

from webhook.kubevirt.capacity import TAKES_VMS, is_ready, repelling_taints
from webhook.kubevirt.cpumodel import FEATURE_LABEL, HOST_MODEL, required_node_labels
from webhook.kubevirt.installation import configuration, has_alpha_gate
from webhook.kubevirt.memory import launchers_of
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.workload import is_about
from webhook.model.facts import FactContext
from webhook.model.objects import JSON, Object, mapping, mappings, name_of, text, value

ARCHITECTURE = "kubernetes.io/arch"
OBSOLETE_HOST_MODEL = "node-labeller.kubevirt.io/obsolete-host-model"

_CORDON = {"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"}
_CAPABILITIES = (
    "hyperv.node.kubevirt.io/",
    "kubevirt.io/cpumanager",
    "kubevirt.io/realtime",
    "kubevirt.io/s390-pv",
    "kubevirt.io/sev",
    "kubevirt.io/tdx",
    "machine-type.node.kubevirt.io/",
)
"""Node selectors that KubeVirt derives from fields of a VM that are not kept: they are read off its launcher pod."""


@dataclass(frozen=True, slots=True)
class Cause:
    """Why a node cannot take the VM: a code for programs, and what it is about (a label, a taint)."""

    code: str
    about: str = ""


@dataclass(frozen=True, slots=True)
class Tolerations:
    """The taints that a VM tolerates; to ask costs the same however many tolerations it has.

    One with an operator that is not known here counts as if it tolerated any value.

    Source: Kubernetes ``staging/src/k8s.io/component-helpers/scheduling/corev1/helpers.go``
    (``TolerationsTolerateTaint``), ``api/core/v1/toleration.go`` (``ToleratesTaint``).
    """

    covered: frozenset[tuple[str, str, str | None]]
    """Key, effect and value of the taints; an empty key or effect is any, and so is None for the value."""

    @classmethod
    def of(cls, written: Sequence[Object]) -> Tolerations:
        """Read ``spec.tolerations``."""
        return cls(frozenset(map(_covered, written)))

    def cover(self, taint: Object) -> bool:
        """Say whether any of them tolerates the taint."""
        keys, effects = ("", text(taint, "key")), ("", text(taint, "effect"))
        return not self.covered.isdisjoint(product(keys, effects, (None, text(taint, "value"))))


def _covered(toleration: Object) -> tuple[str, str, str | None]:
    compares = text(toleration, "operator") in {"", "Equal"}
    return text(toleration, "key"), text(toleration, "effect"), text(toleration, "value") if compares else None


@dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """What the VM asks of a node, but for memory."""

    source: str
    """The node it runs on."""
    selector: Mapping[str, str]
    repelled_by: Sequence[str]
    """Labels that the node must not have."""
    tolerations: Tolerations

    def refuses(self, node: Object) -> Cause | None:
        """Return the first reason why this node is none; None if it is fit."""
        if name_of(node) == self.source:
            return Cause("source")
        return (
            _unusable(node, self.tolerations)
            or self._mislabelled(mapping(node, "metadata", "labels"))
            or self._tainted(node)
        )

    def _mislabelled(self, labels: Mapping[str, JSON]) -> Cause | None:
        for key, wanted in self.selector.items():
            if labels.get(key) != wanted:
                return Cause("label", key if wanted == "true" else f"{key}={wanted}")
        repelling = next((key for key in self.repelled_by if key in labels), None)
        return Cause("repelled", repelling) if repelling else None

    def _tainted(self, node: Object) -> Cause | None:
        for taint in repelling_taints(node):
            if not self.tolerations.cover(taint):
                shown_value = f"={text(taint, 'value')}" if text(taint, "value") else ""
                return Cause("taint", f"{text(taint, 'key')}{shown_value}:{text(taint, 'effect')}")
        return None


def _unusable(node: Object, tolerations: Tolerations) -> Cause | None:
    if text(node, "metadata", "labels", TAKES_VMS) != "true":
        return Cause("noVMs")
    if not is_ready(node):
        return Cause("notReady")
    if value(node, "spec", "unschedulable") is True and not tolerations.cover(_CORDON):
        return Cause("cordoned")
    return None


def demand_of(context: FactContext, vmi: Object) -> Demand:
    """Return what the target of a migration must offer to this VMI."""
    features = mappings(vmi, "spec", "domain", "cpu", "features")
    repelled_by = [FEATURE_LABEL + text(entry, "name") for entry in features if text(entry, "policy") == "forbid"]
    if text(vmi, "spec", "domain", "cpu", "model") in {"", HOST_MODEL}:
        repelled_by.append(OBSOLETE_HOST_MODEL)
    return Demand(
        source=text(vmi, "status", "nodeName"),
        selector=_selector(context, vmi),
        repelled_by=repelled_by,
        tolerations=Tolerations.of(mappings(vmi, "spec", "tolerations")),
    )


def _selector(context: FactContext, vmi: Object) -> Mapping[str, str]:
    """Later wins: what the migration adds, the cluster's, the VM's own, what KubeVirt derives from the VM."""
    added = mapping(context.request.object, "spec", "addedNodeSelector") if is_about(context.request, VMIM) else {}
    architecture = text(vmi, "spec", "architecture").lower()
    native = architecture and not has_alpha_gate(context, "CrossArchitectureVirtualization")
    pods = launchers_of(context, vmi)
    merged = {
        **added,
        **({ARCHITECTURE: architecture} if native else {}),
        **mapping(configuration(context), "developerConfiguration", "nodeSelectors"),
        **mapping(vmi, "spec", "nodeSelector"),
        **{key: item for pod in pods for key, item in _capabilities(pod).items()},
        **required_node_labels(context, vmi),
    }
    return {key: wanted for key, wanted in merged.items() if isinstance(wanted, str)}


def _capabilities(pod: Object) -> Mapping[str, JSON]:
    selectors = mapping(pod, "spec", "nodeSelector")
    return {key: wanted for key, wanted in selectors.items() if key.startswith(_CAPABILITIES)}
