"""Which VirtualMachineInstance a request is about, and what is known of it.

Everything here is read from the cached VMI. What a person writes about a VMI's status is not trusted: the VMI CRD has
no status subresource, so ``update virtualmachineinstances`` reaches status fields in a request.

Source: KubeVirt ``pkg/virt-api/webhooks/mutating-webhook/mutators/vmi-mutator.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook.kubevirt.criticality import critical_reason
from webhook.kubevirt.indexkeys import DOMAIN_ANNOTATION, FINAL_PHASES
from webhook.kubevirt.resources import NAMESPACE, POD, VM, VMI, VMIM
from webhook.model.facts import Fact, FactContext, WatchedResource
from webhook.model.objects import JSON, Object, labels_of, mappings, name_of, text, value
from webhook.model.quantity import parse_bytes
from webhook.model.request import AdmissionRequest

LIVE_MIGRATABLE = "LiveMigratable"


def is_about(request: AdmissionRequest, watched: WatchedResource) -> bool:
    """Say whether the request is about an object of this kind, in any version."""
    resource = request.resource
    return (resource.group, resource.resource) == (watched.resource.group, watched.resource.resource)


def writes_metadata(request: AdmissionRequest) -> bool:
    """Say whether the request can change labels: not through a subresource, but through those of a Namespace.

    Source: Kubernetes ``pkg/registry/core/namespace/strategy.go`` (status and finalize keep the spec only);
    ``apiextensions-apiserver/pkg/registry/customresource/status_strategy.go`` (metadata of a custom resource stays).
    """
    return not request.subresource or is_about(request, NAMESPACE)


def vmi_name(request: AdmissionRequest) -> str:
    """Return the name of the VMI that a request is about; empty if it is about none.

    That is ``spec.vmiName`` of a VMIM (on DELETE of the old object), a VMI itself, and of a VM its VMI. Whose
    virt-launcher a pod is takes a look at the cluster: see :func:`subject_name`.
    """
    if is_about(request, VMIM):
        return text(request.object or request.old_object, "spec", "vmiName")
    if is_about(request, VMI) or is_about(request, VM):
        return request.name or name_of(request.object) or name_of(request.old_object)
    return ""


def subject_name(context: FactContext) -> str:
    """Return the name of the VMI that the request is about, also where it is about the VMI's virt-launcher pod.

    A pod that has ended runs no VM any more; KubeVirt takes no notice of its eviction.

    Source: KubeVirt ``pkg/virt-controller/services/template.go`` (annotation ``kubevirt.io/domain``, label
    ``kubevirt.io: virt-launcher``).
    """
    request = context.request
    if not is_about(request, POD):
        return vmi_name(request)
    pod = context.view.get(POD, request.namespace, request.subject.name)
    launcher = labels_of(pod).get("kubevirt.io") == "virt-launcher" and text(pod, "status", "phase") not in FINAL_PHASES
    return text(pod, "metadata", "annotations", DOMAIN_ANNOTATION) if launcher else ""


def vmi_of(context: FactContext) -> Object | None:
    """Return the cached VMI that the request is about, if there is one."""

    def look_up(context: FactContext) -> Object | None:
        namespace, name = context.request.namespace, subject_name(context)
        return context.view.get(VMI, namespace, name) if namespace and name else None

    return context.once("vmi", look_up)


def first_installed(candidates: Sequence[Object], install_namespaces: Sequence[str]) -> Object | None:
    """Return the object in the earliest install namespace; failing that the first one of all."""
    order = {namespace: position for position, namespace in enumerate(install_namespaces)}
    return min(candidates, key=lambda found: order.get(text(found, "metadata", "namespace"), len(order)), default=None)


def condition(vmi: Object | None, wanted: str) -> Object | None:
    """Return the status condition of this type, if set."""
    return next((entry for entry in mappings(vmi, "status", "conditions") if text(entry, "type") == wanted), None)


def memory_bytes(vmi: Object | None) -> int:
    """Return the guest's memory: ``memory.guest``, else the memory request, else the memory limit; 0 if unknown."""
    domain = value(vmi, "spec", "domain")
    for path in (("memory", "guest"), ("resources", "requests", "memory"), ("resources", "limits", "memory")):
        size = parse_bytes(value(domain, *path))
        if size is not None:
            return max(size, 0)
    return 0


def _conditions(vmi: Object | None) -> list[dict[str, JSON]]:
    return [
        {key: text(entry, key) for key in ("type", "status", "reason", "message")}
        for entry in mappings(vmi, "status", "conditions")
    ]


def _text_of(*path: str) -> Callable[[FactContext], JSON]:
    return lambda context: text(vmi_of(context), *path)


def _live_migratable(field: str) -> Callable[[FactContext], JSON]:
    return lambda context: text(condition(vmi_of(context), LIVE_MIGRATABLE), field)


def _reason(context: FactContext) -> str:
    vmi = vmi_of(context)
    return critical_reason(context, vmi) if vmi is not None else ""


FACTS = (
    Fact(
        "vmi.name",
        "string",
        "Name of the VirtualMachineInstance that the request is about; empty if it is about none.",
        subject_name,
    ),
    Fact(
        "vmi.namespace",
        "string",
        "Its namespace.",
        lambda context: context.request.namespace if subject_name(context) else "",
    ),
    Fact(
        "vmi.found",
        "bool",
        "It exists. Without it all other facts about it are empty.",
        lambda context: vmi_of(context) is not None,
    ),
    Fact("vmi.phase", "string", "Its phase, such as Running or Succeeded.", _text_of("status", "phase")),
    Fact("vmi.node", "string", "The node it runs on.", _text_of("status", "nodeName")),
    Fact("vmi.labels", "map(string)", "Its labels.", lambda context: dict(labels_of(vmi_of(context)))),
    Fact(
        "vmi.critical",
        "bool",
        "It is flagged critical: by its own label, that of its VM's template, or that of its namespace.",
        lambda context: bool(_reason(context)),
    ),
    Fact("vmi.criticalReason", "string", "Which label of which object flags it critical.", _reason),
    Fact(
        "vmi.cpuModel",
        "string",
        "Its CPU model; host-model if KubeVirt chose.",
        _text_of("spec", "domain", "cpu", "model"),
    ),
    Fact(
        "vmi.memoryBytes",
        "int",
        "Guest memory in bytes; 0 if unknown.",
        lambda context: memory_bytes(vmi_of(context)),
    ),
    Fact(
        "vmi.liveMigratable",
        "string",
        "Status of KubeVirt's condition LiveMigratable: True, False, or empty while KubeVirt has not said.",
        _live_migratable("status"),
    ),
    Fact("vmi.liveMigratableReason", "string", "Reason of that condition.", _live_migratable("reason")),
    Fact("vmi.liveMigratableMessage", "string", "Message of that condition.", _live_migratable("message")),
    Fact(
        "vmi.conditions",
        "list(map)",
        "Its conditions, each with type, status, reason and message.",
        lambda context: _conditions(vmi_of(context)),
    ),
)
