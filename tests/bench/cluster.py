"""Clusters of any size as manifests, and the reviews that are sent to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VMS_PER_NAMESPACE = 50
VMS_PER_NODE = 20
MIGRATION_POLICIES = 20


def write_cluster(folder: Path, vms: int) -> None:
    """Write a cluster with this many running VMs, two claims each, as one JSON list."""
    namespaces = [_object("v1", "Namespace", f"team-{index}") for index in range(-(-vms // VMS_PER_NAMESPACE))]
    nodes = [_object("v1", "Node", f"node-{index}") for index in range(-(-vms // VMS_PER_NODE))]
    objects = [*namespaces, *nodes, *_configuration(), *_access(len(namespaces))]
    for index in range(vms):
        objects += _vm(index)
    folder.mkdir(parents=True)
    (folder / "cluster.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def review(vm: int) -> bytes:
    """A person creates a VMIM for this VM: every fact of the built-in policies is needed, and it is allowed."""
    kind = {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachineInstanceMigration"}
    resource = {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachineinstancemigrations"}
    namespace = f"team-{vm // VMS_PER_NAMESPACE}"
    request = {
        "uid": f"00000000-0000-4000-8000-{vm:012d}",
        "kind": kind,
        "resource": resource,
        "requestKind": kind,
        "requestResource": resource,
        "operation": "CREATE",
        "name": f"migrate-{vm}",
        "namespace": namespace,
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions"},
        "userInfo": {"username": "alice", "groups": ["migrators", "system:authenticated"]},
        "oldObject": None,
        "object": {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachineInstanceMigration",
            "metadata": {"name": f"migrate-{vm}", "namespace": namespace, "uid": f"uid-{vm}", "generation": 1},
            "spec": {"vmiName": f"vm-{vm}"},
            "status": {},
        },
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def _object(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": rest.pop("labels", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _vm(index: int) -> list[dict[str, Any]]:
    namespace, node = f"team-{index // VMS_PER_NAMESPACE}", f"node-{index // VMS_PER_NODE}"
    volumes = [{"name": disk, "dataVolume": {"name": f"vm-{index}-{disk}"}} for disk in ("root", "data")]
    spec = {
        "evictionStrategy": "LiveMigrate",
        "domain": {
            "cpu": {"model": "host-model", "cores": 4},
            "memory": {"guest": "8Gi"},
            "devices": {
                "disks": [{"name": volume["name"], "disk": {"bus": "virtio"}} for volume in volumes],
                "interfaces": [{"name": "default", "masquerade": {}}],
            },
        },
        "networks": [{"name": "default", "pod": {}}],
        "volumes": volumes,
    }
    status = {
        "phase": "Running",
        "nodeName": node,
        "conditions": [{"type": "Ready", "status": "True"}, {"type": "LiveMigratable", "status": "True"}],
    }
    labels = {
        "kubevirt.io/nodeName": node,
        "app": f"app-{index % 100}",
        "tier": f"tier-{index % 4}",
        **({"migguard.io/critical": "true"} if index % 10 == 0 else {}),
    }
    claims = [
        _object(
            "v1",
            "PersistentVolumeClaim",
            f"vm-{index}-{volume['name']}",
            namespace,
            spec={"accessModes": ["ReadWriteMany"], "volumeMode": "Block", "storageClassName": "ceph-rbd"},
            status={"phase": "Bound", "accessModes": ["ReadWriteMany"]},
        )
        for volume in volumes
    ]
    vmi = _object(
        "kubevirt.io/v1", "VirtualMachineInstance", f"vm-{index}", namespace, labels=labels, spec=spec, status=status
    )
    return [vmi, *claims]


def _configuration() -> list[dict[str, Any]]:
    migrations = {"parallelOutboundMigrationsPerNode": 2, "bandwidthPerMigration": "64Mi", "allowPostCopy": False}
    hyperconverged = _object(
        "hco.kubevirt.io/v1beta1",
        "HyperConverged",
        "kubevirt-hyperconverged",
        "openshift-cnv",
        spec={"liveMigrationConfig": migrations},
    )
    kubevirt = _object(
        "kubevirt.io/v1",
        "KubeVirt",
        "kubevirt-kubevirt-hyperconverged",
        "openshift-cnv",
        spec={"configuration": {"migrations": migrations}},
    )
    policies = [
        _object(
            "migrations.kubevirt.io/v1alpha1",
            "MigrationPolicy",
            f"policy-{index}",
            spec={
                "bandwidthPerMigration": "32Mi",
                "selectors": {"virtualMachineInstanceSelector": {"app": f"app-{index}"}},
            },
        )
        for index in range(MIGRATION_POLICIES)
    ]
    return [_object("v1", "Namespace", "openshift-cnv"), hyperconverged, kubevirt, *policies]


def _access(namespaces: int) -> list[dict[str, Any]]:
    api = "rbac.authorization.k8s.io"
    verbs = ["get", "delete", "create", "update", "patch", "list", "watch", "deletecollection"]
    rules = [
        {"apiGroups": ["kubevirt.io"], "resources": ["virtualmachineinstancemigrations"], "verbs": verbs},
        {"apiGroups": ["subresources.kubevirt.io"], "resources": ["virtualmachines/migrate"], "verbs": ["update"]},
    ]
    role = {"apiGroup": api, "kind": "ClusterRole", "name": "kubevirt.io:migrate"}
    return [
        _object(f"{api}/v1", "ClusterRole", "kubevirt.io:migrate", rules=rules),
        *(
            _object(
                f"{api}/v1",
                "RoleBinding",
                "migrators",
                f"team-{index}",
                roleRef=role,
                subjects=[{"apiGroup": api, "kind": "Group", "name": "migrators"}],
            )
            for index in range(namespaces)
        ),
    ]
