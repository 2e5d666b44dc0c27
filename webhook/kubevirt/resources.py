"""The resources whose objects are kept in memory: which of their fields, and by which keys they are found.

Only what a fact reads is kept. Cloud-init user data, probes and the like never enter the store. A path below a mapping
keeps that mapping even where the path ends in nothing, which is how the kind of a volume is known without its content.
"""

from __future__ import annotations

from webhook.kubevirt.indexkeys import (
    aggregating_key,
    domain_key,
    in_flight_key,
    in_namespace,
    label_pairs,
    migrated_volumes_key,
    namespace_key,
    node_key,
    pod_node_key,
    subjects_of,
    template_label_pairs,
    vmi_name_key,
)
from webhook.model.facts import Index, WatchedResource
from webhook.model.objects import GroupVersionResource

VMI = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstances"),
    "VirtualMachineInstance",
    namespaced=True,
    keep=(
        'metadata.annotations["kubevirt.io/allow-pod-bridge-network-live-migration"]',
        'metadata.annotations["kubevirt.io/create-migration-target"]',
        'metadata.annotations["migguard.io/dirty-rate"]',
        "spec.architecture",
        "spec.domain.cpu.cores",
        "spec.domain.cpu.dedicatedCPUPlacement",
        "spec.domain.cpu.features",
        "spec.domain.cpu.model",
        "spec.domain.cpu.sockets",
        "spec.domain.cpu.threads",
        "spec.domain.devices.autoattachGraphicsDevice",
        "spec.domain.devices.disks[].cdrom.readonly",
        "spec.domain.devices.disks[].lun.reservation",
        "spec.domain.devices.disks[].name",
        "spec.domain.devices.filesystems[].name",
        "spec.domain.devices.gpus[].deviceName",
        "spec.domain.devices.gpus[].name",
        "spec.domain.devices.hostDevices[].deviceName",
        "spec.domain.devices.hostDevices[].name",
        "spec.domain.devices.interfaces[].binding.name",
        "spec.domain.devices.interfaces[].bridge",
        "spec.domain.devices.interfaces[].macvtap",
        "spec.domain.devices.interfaces[].masquerade",
        "spec.domain.devices.interfaces[].name",
        "spec.domain.devices.interfaces[].passt",
        "spec.domain.devices.interfaces[].passtBinding",
        "spec.domain.devices.interfaces[].slirp",
        "spec.domain.devices.interfaces[].sriov",
        "spec.domain.devices.tpm.enabled",
        "spec.domain.features.hyperv.reenlightenment",
        "spec.domain.features.hypervPassthrough",
        # Which kind it is, and not the sealed session and certificate of its owner.
        "spec.domain.launchSecurity.sev.policy",
        "spec.domain.launchSecurity.snp.policy",
        "spec.domain.launchSecurity.tdx.policy",
        "spec.domain.memory",
        "spec.domain.resources.limits.cpu",
        "spec.domain.resources.limits.memory",
        "spec.domain.resources.overcommitGuestOverhead",
        "spec.domain.resources.requests.cpu",
        "spec.domain.resources.requests.memory",
        "spec.evictionStrategy",
        "spec.networks[].name",
        "spec.networks[].pod",
        "spec.nodeSelector",
        "spec.tolerations",
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
        "status.migratedVolumes[].sourcePVCInfo.claimName",
        "status.migratedVolumes[].volumeName",
        "status.migrationMethod",
        "status.migrationState.completed",
        "status.migrationState.endTimestamp",
        "status.migrationState.failed",
        "status.migrationState.migrationConfiguration",
        "status.migrationState.migrationPolicyName",
        "status.migrationState.migrationUid",
        "status.migrationState.mode",
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
        Index("namespace", namespace_key, namespaced=True),
        Index("label", label_pairs),
        Index("node", node_key),
        Index("migratedVolumes", migrated_volumes_key),
    ),
)

VM = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachines"),
    "VirtualMachine",
    namespaced=True,
    keep=("spec.template.metadata.labels", "spec.updateVolumesStrategy"),
    indexes=(
        Index("namespace", namespace_key, namespaced=True),
        Index("templateLabel", template_label_pairs),
    ),
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
        "status.migrationState.endTimestamp",
        "status.migrationState.failed",
        "status.migrationState.failureReason",
        "status.migrationState.migrationPolicyName",
        "status.migrationState.mode",
        "status.phase",
    ),
    indexes=(
        Index("vmi", vmi_name_key, namespaced=True),
        Index("inFlight", in_flight_key),
    ),
)

PVC = WatchedResource(
    GroupVersionResource("", "v1", "persistentvolumeclaims"),
    "PersistentVolumeClaim",
    namespaced=True,
    keep=("spec.accessModes", "spec.storageClassName", "spec.volumeMode"),
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
        "status.versions[].name",
        "status.versions[].version",
    ),
)

KUBEVIRT = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "kubevirts"),
    "KubeVirt",
    namespaced=True,
    keep=("spec", "status.defaultArchitecture", "status.observedKubeVirtVersion", "status.phase"),
)

NAMESPACE = WatchedResource(
    GroupVersionResource("", "v1", "namespaces"),
    "Namespace",
    namespaced=False,
    keep=("status.phase",),
    indexes=(Index("label", label_pairs),),
)

NODE = WatchedResource(
    GroupVersionResource("", "v1", "nodes"),
    "Node",
    namespaced=False,
    keep=(
        "spec.taints",
        "spec.unschedulable",
        "status.allocatable.memory",
        "status.conditions[].status",
        "status.conditions[].type",
    ),
)

POD = WatchedResource(
    GroupVersionResource("", "v1", "pods"),
    "Pod",
    namespaced=True,
    keep=(
        'metadata.annotations["kubevirt.io/domain"]',
        "spec.containers[].resources.requests.memory",
        "spec.initContainers[].resources.requests.memory",
        "spec.initContainers[].restartPolicy",
        "spec.nodeName",
        "spec.nodeSelector",
        "spec.overhead.memory",
        "spec.resources.requests.memory",
        "status.phase",
    ),
    labels=("kubevirt.io", "kubevirt.io/created-by"),
    indexes=(Index("node", pod_node_key), Index("vmi", domain_key, namespaced=True)),
    # A cluster has tens of thousands, and nobody makes one to have a migration allowed.
    relisted=False,
)

NETWORK_ATTACHMENT = WatchedResource(
    GroupVersionResource("k8s.cni.cncf.io", "v1", "network-attachment-definitions"),
    "NetworkAttachmentDefinition",
    namespaced=True,
    keep=(),
)

RESOURCE_QUOTA = WatchedResource(
    GroupVersionResource("", "v1", "resourcequotas"),
    "ResourceQuota",
    namespaced=True,
    keep=("spec.hard", "spec.scopes", "spec.scopeSelector", "status.used"),
    indexes=(Index("namespace", namespace_key, namespaced=True),),
    # What is used changes with every pod, and what a quota leaves is only advice.
    relisted=False,
)

ROLE = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "roles"), "Role", namespaced=True, keep=("rules",)
)

CLUSTER_ROLE = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "clusterroles"),
    "ClusterRole",
    namespaced=False,
    keep=("aggregationRule", "rules"),
    indexes=(Index("label", label_pairs), Index("aggregating", aggregating_key)),
)

ROLE_BINDING = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "rolebindings"),
    "RoleBinding",
    namespaced=True,
    keep=("roleRef", "subjects"),
    indexes=(Index("subject", in_namespace(subjects_of), namespaced=True),),
)

CLUSTER_ROLE_BINDING = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "clusterrolebindings"),
    "ClusterRoleBinding",
    namespaced=False,
    keep=("roleRef", "subjects"),
    indexes=(Index("subject", subjects_of),),
)

RESOURCES = (
    VMI,
    VM,
    VMIM,
    PVC,
    MIGRATION_POLICY,
    HYPERCONVERGED,
    KUBEVIRT,
    NAMESPACE,
    NODE,
    POD,
    NETWORK_ATTACHMENT,
    RESOURCE_QUOTA,
    ROLE,
    CLUSTER_ROLE,
    ROLE_BINDING,
    CLUSTER_ROLE_BINDING,
)
"""Every resource that is watched, or read from manifests."""
