"""The keys by which cached objects are found.

A key function takes an object as it is kept and returns the keys of one index; see :class:`webhook.model.facts.Index`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook.model.objects import Object, mappings, namespace_of, text, value

ANY = "*"
"""The key of an index that lists the few objects which have something at all, such as a migration under way."""

DOMAIN_ANNOTATION = "kubevirt.io/domain"
"""On a virt-launcher pod: the name of its VMI."""

FINAL_PHASES = frozenset({"Succeeded", "Failed"})
"""Phases after which a VMI or VMIM changes no more. Source: KubeVirt ``api/core/v1/types.go`` (``IsFinal``)."""

UNINDEXED_LABELS = frozenset(
    {
        "kubevirt.io/created-by",
        "kubevirt.io/domain",
        "kubevirt.io/migrationJobUID",
        "kubevirt.io/migrationTargetNodeName",
        "kubevirt.io/nodeName",
        "kubevirt.io/vm",
        "vm.kubevirt.io/name",
        "vmi.kubevirt.io/id",
    }
)
"""Labels that name one VM, node or migration: nobody looks up VMs by them, and an index entry for each costs memory."""


def label_pair(key: str, wanted: str) -> str:
    """Return the index key of a label."""
    return f"{key}={wanted}"


def _pairs(labels: object) -> list[str]:
    if not isinstance(labels, dict):
        return []
    return [
        label_pair(key, item) for key, item in labels.items() if isinstance(item, str) and key not in UNINDEXED_LABELS
    ]


def label_pairs(found: Object) -> Sequence[str]:
    """Under each of its labels."""
    return _pairs(value(found, "metadata", "labels"))


def template_label_pairs(vm: Object) -> Sequence[str]:
    """Under each label that it gives to its VMI."""
    return _pairs(value(vm, "spec", "template", "metadata", "labels"))


def namespace_key(found: Object) -> Sequence[str]:
    """Under its namespace."""
    return [namespace_of(found)]


def node_key(vmi: Object) -> Sequence[str]:
    """Under the node it runs on."""
    node = text(vmi, "status", "nodeName")
    return [node] if node else []


def migrated_volumes_key(vmi: Object) -> Sequence[str]:
    """Only while volumes of it are being migrated."""
    return [ANY] if mappings(vmi, "status", "migratedVolumes") else []


def pod_node_key(pod: Object) -> Sequence[str]:
    """Under its node, until it has ended."""
    node = text(pod, "spec", "nodeName")
    return [node] if node and text(pod, "status", "phase") not in FINAL_PHASES else []


def domain_key(pod: Object) -> Sequence[str]:
    """Under its VMI, ``NAMESPACE/NAME``."""
    domain = text(pod, "metadata", "annotations", DOMAIN_ANNOTATION)
    return [f"{namespace_of(pod)}/{domain}"] if domain else []


def vmi_name_key(vmim: Object) -> Sequence[str]:
    """Under its VMI, ``NAMESPACE/NAME``."""
    return [f"{namespace_of(vmim)}/{text(vmim, 'spec', 'vmiName')}"]


def in_flight_key(vmim: Object) -> Sequence[str]:
    """Only until it has ended."""
    return [] if text(vmim, "status", "phase") in FINAL_PHASES else [ANY]


def subject_key(kind: str, name: str, namespace: str = "") -> str:
    """Return the index key of an RBAC subject: ``User:alice``, ``Group:devs``, ``ServiceAccount:prod:robot``."""
    return f"{kind}:{namespace}:{name}" if kind == "ServiceAccount" else f"{kind}:{name}"


def subjects_of(binding: Object) -> list[str]:
    """Return the index keys of a binding's subjects; a ServiceAccount without a namespace is in that of the binding.

    Source: Kubernetes ``pkg/registry/rbac/validation/rule.go`` (``appliesToUser``).
    """
    keys = []
    for subject in mappings(binding, "subjects"):
        kind, namespace = text(subject, "kind"), text(subject, "namespace") or namespace_of(binding)
        if kind == "ServiceAccount" and not namespace:
            continue
        keys.append(subject_key(kind, text(subject, "name"), namespace))
    return list(dict.fromkeys(keys))


def aggregating_key(cluster_role: Object) -> Sequence[str]:
    """Only if it takes in other ClusterRoles."""
    return [ANY] if mappings(cluster_role, "aggregationRule", "clusterRoleSelectors") else []


def in_namespace(keys: Callable[[Object], Sequence[str]]) -> Callable[[Object], Sequence[str]]:
    """Let each key be found within the namespace of the object."""

    def prefixed(found: Object) -> Sequence[str]:
        return [f"{namespace_of(found)}/{key}" for key in keys(found)]

    return prefixed
