"""The resources whose objects are kept in memory: which of their fields, and by which keys they are found.

Only what a fact reads is kept. Cloud-init user data, probes and the like never enter the store. A path below a mapping
keeps that mapping even where the path ends in nothing, which is how the kind of a volume is known without its content.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from webhook.model.facts import Index, WatchedResource
from webhook.model.objects import (
    GroupVersionResource,
    Object,
    labels_of,
    mappings,
    namespace_of,
    text,
    value,
)

FINAL_PHASES = frozenset({"Succeeded", "Failed"})
"""Phases after which a VMI or VMIM changes no more. Source: KubeVirt ``api/core/v1/types.go`` (``IsFinal``)."""

NODE_CPU_LABELS = ("cpu-model-migration.node.kubevirt.io/", "cpu-model.node.kubevirt.io/", "kubevirt.io/schedulable")
"""Node labels by which nodes are found; the hundreds of CPU feature labels are kept but not indexed."""


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


def _label_pairs(found: Object) -> Sequence[str]:
    return _pairs(value(found, "metadata", "labels"))


def _template_label_pairs(vm: Object) -> Sequence[str]:
    return _pairs(value(vm, "spec", "template", "metadata", "labels"))


def _namespace_key(found: Object) -> Sequence[str]:
    return [namespace_of(found)]


def _node_key(vmi: Object) -> Sequence[str]:
    node = text(vmi, "status", "nodeName")
    return [node] if node else []


def _vmi_name_key(vmim: Object) -> Sequence[str]:
    return [f"{namespace_of(vmim)}/{text(vmim, 'spec', 'vmiName')}"]


def _in_flight_keys(vmim: Object) -> Sequence[str]:
    if text(vmim, "status", "phase") in FINAL_PHASES:
        return []
    return [IN_FLIGHT_ALL, namespace_of(vmim)]


IN_FLIGHT_ALL = "*"
"""Key of the index ``inFlight`` that lists the unfinished VMIMs of all namespaces; a namespace's name lists its own."""


def _node_cpu_pairs(node: Object) -> Sequence[str]:
    return [label_pair(key, item) for key, item in labels_of(node).items() if key.startswith(NODE_CPU_LABELS)]


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


def role_key(kind: str, name: str) -> str:
    """Return the index key of the role that a binding refers to: ``ClusterRole:kubevirt.io:migrate``."""
    return f"{kind}:{name}"


def _role_key(binding: Object) -> str:
    return role_key(text(binding, "roleRef", "kind"), text(binding, "roleRef", "name"))


def _in_namespace(keys: Callable[[Object], Sequence[str]]) -> Callable[[Object], Sequence[str]]:
    def prefixed(found: Object) -> Sequence[str]:
        return [f"{namespace_of(found)}/{key}" for key in keys(found)]

    return prefixed


VMI = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstances"),
    "VirtualMachineInstance",
    namespaced=True,
    keep=(
        'metadata.annotations["kubevirt.io/allow-pod-bridge-network-live-migration"]',
        "spec.domain.cpu.cores",
        "spec.domain.cpu.features",
        "spec.domain.cpu.model",
        "spec.domain.cpu.sockets",
        "spec.domain.cpu.threads",
        "spec.domain.devices.gpus[].deviceName",
        "spec.domain.devices.hostDevices[].deviceName",
        "spec.domain.devices.interfaces[].binding.name",
        "spec.domain.devices.interfaces[].bridge",
        "spec.domain.devices.interfaces[].masquerade",
        "spec.domain.devices.interfaces[].name",
        "spec.domain.devices.interfaces[].passtBinding",
        "spec.domain.devices.interfaces[].sriov",
        "spec.domain.features.hyperv.reenlightenment",
        "spec.domain.features.hypervPassthrough",
        "spec.domain.launchSecurity",
        "spec.domain.memory",
        "spec.domain.resources.limits.memory",
        "spec.domain.resources.overcommitGuestOverhead",
        "spec.domain.resources.requests.memory",
        "spec.evictionStrategy",
        "spec.networks[].name",
        "spec.networks[].pod",
        "spec.nodeSelector",
        "spec.volumes[].cloudInitConfigDrive.secretRef.name",
        "spec.volumes[].cloudInitNoCloud.secretRef.name",
        "spec.volumes[].configMap.name",
        "spec.volumes[].containerDisk.imagePullPolicy",
        "spec.volumes[].containerPath.readOnly",
        "spec.volumes[].dataVolume",
        "spec.volumes[].downwardAPI.volumeLabel",
        "spec.volumes[].downwardMetrics",
        "spec.volumes[].emptyDisk.capacity",
        "spec.volumes[].ephemeral.persistentVolumeClaim.claimName",
        "spec.volumes[].hostDisk.shared",
        "spec.volumes[].hostDisk.type",
        "spec.volumes[].memoryDump.claimName",
        "spec.volumes[].name",
        "spec.volumes[].persistentVolumeClaim",
        "spec.volumes[].secret.secretName",
        "spec.volumes[].serviceAccount.serviceAccountName",
        "spec.volumes[].sysprep.secret.name",
        "status.conditions[].message",
        "status.conditions[].reason",
        "status.conditions[].status",
        "status.conditions[].type",
        "status.evacuationNodeName",
        "status.migratedVolumes[].volumeName",
        "status.migrationMethod",
        "status.migrationState.abortRequested",
        "status.migrationState.abortStatus",
        "status.migrationState.completed",
        "status.migrationState.endTimestamp",
        "status.migrationState.failed",
        "status.migrationState.migrationConfiguration",
        "status.migrationState.migrationPolicyName",
        "status.migrationState.migrationUid",
        "status.migrationState.mode",
        "status.migrationState.sourceNode",
        "status.migrationState.startTimestamp",
        "status.migrationState.targetNode",
        "status.nodeName",
        "status.phase",
        "status.topologyHints.tscFrequency",
        "status.volumeStatus[].hotplugVolume",
        "status.volumeStatus[].name",
        "status.volumeStatus[].persistentVolumeClaimInfo.accessModes",
        "status.volumeStatus[].persistentVolumeClaimInfo.claimName",
        "status.volumeStatus[].persistentVolumeClaimInfo.volumeMode",
    ),
    indexes=(
        Index("namespace", _namespace_key, namespaced=True),
        Index("label", _label_pairs),
        Index("node", _node_key),
    ),
)

VM = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachines"),
    "VirtualMachine",
    namespaced=True,
    keep=("spec.template.metadata.labels",),
    indexes=(Index("templateLabel", _template_label_pairs),),
)

VMIM = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstancemigrations"),
    "VirtualMachineInstanceMigration",
    namespaced=True,
    keep=(
        'metadata.annotations["kubevirt.io/evacuationMigration"]',
        'metadata.annotations["kubevirt.io/workloadUpdateMigration"]',
        'metadata.annotations["migguard.io/origin"]',
        'metadata.annotations["migguard.io/requested-by"]',
        "metadata.creationTimestamp",
        "metadata.deletionTimestamp",
        "spec",
        "status.migrationState.abortRequested",
        "status.migrationState.abortStatus",
        "status.migrationState.endTimestamp",
        "status.migrationState.failed",
        "status.migrationState.failureReason",
        "status.migrationState.migrationPolicyName",
        "status.migrationState.mode",
        "status.migrationState.sourceNode",
        "status.migrationState.startTimestamp",
        "status.migrationState.targetNode",
        "status.phase",
    ),
    indexes=(
        Index("vmi", _vmi_name_key, namespaced=True),
        Index("namespace", _namespace_key, namespaced=True),
        Index("inFlight", _in_flight_keys),
    ),
)

PVC = WatchedResource(
    GroupVersionResource("", "v1", "persistentvolumeclaims"),
    "PersistentVolumeClaim",
    namespaced=True,
    keep=("spec.accessModes", "spec.storageClassName", "spec.volumeMode"),
)

DATA_VOLUME = WatchedResource(
    GroupVersionResource("cdi.kubevirt.io", "v1beta1", "datavolumes"),
    "DataVolume",
    namespaced=True,
    # Which access modes a DataVolume has is known from its PersistentVolumeClaim alone.
    keep=(),
)

MIGRATION_POLICY = WatchedResource(
    GroupVersionResource("migrations.kubevirt.io", "v1alpha1", "migrationpolicies"),
    "MigrationPolicy",
    namespaced=False,
    keep=("spec",),
)

HYPERCONVERGED = WatchedResource(
    GroupVersionResource("hco.kubevirt.io", "v1beta1", "hyperconvergeds"),
    "HyperConverged",
    namespaced=True,
    keep=(
        'metadata.annotations["kubevirt.kubevirt.io/jsonpatch"]',
        "spec",
        "status.infrastructureHighlyAvailable",
    ),
)

KUBEVIRT = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "kubevirts"),
    "KubeVirt",
    namespaced=True,
    keep=("spec", "status.observedKubeVirtVersion", "status.phase"),
)

NAMESPACE = WatchedResource(
    GroupVersionResource("", "v1", "namespaces"),
    "Namespace",
    namespaced=False,
    keep=("status.phase",),
    indexes=(Index("label", _label_pairs),),
)

NODE = WatchedResource(
    GroupVersionResource("", "v1", "nodes"),
    "Node",
    namespaced=False,
    keep=(
        "spec.taints",
        "spec.unschedulable",
        "status.allocatable.cpu",
        "status.allocatable.memory",
        "status.conditions[].status",
        "status.conditions[].type",
    ),
    indexes=(Index("cpu", _node_cpu_pairs),),
)

STORAGE_CLASS = WatchedResource(
    GroupVersionResource("storage.k8s.io", "v1", "storageclasses"),
    "StorageClass",
    namespaced=False,
    keep=("provisioner", "volumeBindingMode"),
)

ROLE = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "roles"), "Role", namespaced=True, keep=("rules",)
)

CLUSTER_ROLE = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "clusterroles"),
    "ClusterRole",
    namespaced=False,
    keep=("aggregationRule", "rules"),
    indexes=(Index("label", _label_pairs),),
)

ROLE_BINDING = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "rolebindings"),
    "RoleBinding",
    namespaced=True,
    keep=("roleRef", "subjects"),
    indexes=(
        Index("subject", _in_namespace(subjects_of), namespaced=True),
        Index("role", lambda binding: [_role_key(binding)]),
    ),
)

CLUSTER_ROLE_BINDING = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
    "ClusterRoleBinding",
    namespaced=False,
    keep=("roleRef", "subjects"),
    indexes=(Index("subject", subjects_of), Index("role", lambda binding: [_role_key(binding)])),
)

RESOURCES = (
    VMI,
    VM,
    VMIM,
    PVC,
    DATA_VOLUME,
    MIGRATION_POLICY,
    HYPERCONVERGED,
    KUBEVIRT,
    NAMESPACE,
    NODE,
    STORAGE_CLASS,
    ROLE,
    CLUSTER_ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE_BINDING,
)
"""Every resource that is watched, or read from manifests."""
