"""The objects of the stories: VMs with their disks, migrations, and the cluster's migration configuration."""

from __future__ import annotations

from typing import Any

from tests.support.webhook import KUBEVIRT_NAMESPACE

INSTALL_NAMESPACE = KUBEVIRT_NAMESPACE
HCO_NAME = "kubevirt-hyperconverged"
KUBEVIRT_NAME = "kubevirt-kubevirt-hyperconverged"
CRITICAL = {"migguard.io/critical": "true"}

SAFE: dict[str, Any] = {
    "allowAutoConverge": False,
    "allowPostCopy": False,
    "bandwidthPerMigration": "64Mi",
    "completionTimeoutPerGiB": 150,
    "network": "migration",
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "progressTimeout": 150,
}
"""A migration configuration that no built-in policy objects to."""

Object = dict[str, Any]


def pvc(name: str, access_mode: str) -> Object:
    """A claim of a disk."""
    return {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": name},
        "spec": {
            "accessModes": [access_mode],
            "volumeMode": "Block",
            "resources": {"requests": {"storage": "10Gi"}},
        },
    }


def vmi(name: str, *, claim: str, access_mode: str, labels: dict[str, str]) -> Object:
    """A running VM with one disk, as virt-controller and virt-handler report it."""
    claim_info = {"claimName": claim, "accessModes": [access_mode], "volumeMode": "Block"}
    migratable = {"type": "LiveMigratable", "status": "True"}
    if access_mode != "ReadWriteMany":
        migratable |= {"status": "False", "reason": "DisksNotLiveMigratable"}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "labels": {"kubevirt.io/nodeName": "node-a", **labels}},
        "spec": {
            "domain": {
                "devices": {
                    "disks": [{"name": "data", "disk": {"bus": "virtio"}}],
                    "interfaces": [{"name": "default", "masquerade": {}}],
                },
                "memory": {"guest": "2Gi"},
            },
            "evictionStrategy": "LiveMigrate",
            "networks": [{"name": "default", "pod": {}}],
            "volumes": [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}],
        },
        "status": {
            "phase": "Running",
            "nodeName": "node-a",
            "conditions": [{"type": "Ready", "status": "True"}, migratable],
            "volumeStatus": [{"name": "data", "target": "vda", "persistentVolumeClaimInfo": claim_info}],
        },
    }


def vmim(name: str, vm: str, *, version: str = "v1") -> Object:
    """A migration as a person writes it."""
    return {
        "apiVersion": f"kubevirt.io/{version}",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": name},
        "spec": {"vmiName": vm},
    }


def evacuation(vm: str, node: str) -> Object:
    """A migration as virt-controller creates it when a node is drained.

    Source: KubeVirt ``pkg/virt-controller/watch/drain/evacuation/evacuation.go``.
    """
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {
            "generateName": "kubevirt-evacuation-",
            "annotations": {"kubevirt.io/evacuationMigration": node},
            "labels": {"kubevirt.io/vmi-name": vm},
            "finalizers": ["kubevirt.io/migrationJobFinalize"],
        },
        "spec": {"vmiName": vm, "priority": "system-critical"},
    }


def hyperconverged(settings: Object, *, version: str = "v1beta1") -> Object:
    """The HyperConverged with this migration configuration, in either version."""
    config: Object = {"liveMigrationConfig": settings}
    return {
        "apiVersion": f"hco.kubevirt.io/{version}",
        "kind": "HyperConverged",
        "metadata": {"name": HCO_NAME, "namespace": INSTALL_NAMESPACE},
        "spec": {"virtualization": config} if version == "v1" else config,
    }


def kubevirt(migrations: Object) -> Object:
    """The KubeVirt CR that HCO renders, with this migration configuration."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "KubeVirt",
        "metadata": {"name": KUBEVIRT_NAME, "namespace": INSTALL_NAMESPACE},
        "spec": {"configuration": {"migrations": migrations}},
    }


def migration_policy(name: str, namespace_label: dict[str, str], **settings: Any) -> Object:
    """A MigrationPolicy for the VMs of namespaces with this label."""
    return {
        "apiVersion": "migrations.kubevirt.io/v1alpha1",
        "kind": "MigrationPolicy",
        "metadata": {"name": name},
        "spec": {"selectors": {"namespaceSelector": namespace_label}, **settings},
    }


def vm(name: str, *, claim: str = "", labels: dict[str, str] | None = None, **spec: Any) -> Object:
    """A VM whose template gives these labels, and a disk on this claim, to its VMI."""
    volumes = [{"name": "data", "persistentVolumeClaim": {"claimName": claim}}] if claim else []
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name},
        "spec": {
            "runStrategy": "Always",
            "template": {
                "metadata": {"labels": labels or {}},
                "spec": {
                    "domain": {
                        "devices": {
                            "disks": [{"name": "data", "disk": {"bus": "virtio"}}] if claim else [],
                            "interfaces": [{"name": "default", "masquerade": {}}],
                        },
                        "memory": {"guest": "2Gi"},
                    },
                    "evictionStrategy": "LiveMigrate",
                    "networks": [{"name": "default", "pod": {}}],
                    "volumes": volumes,
                },
            },
            **spec,
        },
    }


def launcher(vm: str) -> Object:
    """The virt-launcher pod of a VM; nothing runs it here."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": f"virt-launcher-{vm}-x1y2z",
            "labels": {"kubevirt.io": "virt-launcher"},
            "annotations": {"kubevirt.io/domain": vm},
        },
        "spec": {
            "nodeName": "node-a",
            "containers": [{"name": "compute", "image": "virt-launcher"}],
            "terminationGracePeriodSeconds": 0,  # no kubelet would report its end
        },
    }


def node(name: str, *, memory: str = "64Gi") -> Object:
    """A node that can run VMs, as its kubelet and KubeVirt's node-labeller report it."""
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": {"kubevirt.io/schedulable": "true", "kubernetes.io/hostname": name}},
        "status": {
            "allocatable": {"cpu": "16", "memory": memory, "pods": "250"},
            "capacity": {"cpu": "16", "memory": memory, "pods": "250"},
            "conditions": [{"type": "Ready", "status": "True", "reason": "KubeletReady"}],
        },
    }
