"""Clusters of any size as manifests, and the reviews that are sent to them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

VMS_PER_NAMESPACE = 50
VMS_PER_NODE = 20
MIGRATION_POLICIES = 20
OTHER_PODS_PER_VM = 2
CPU_LABELS = {
    "host-model-cpu.node.kubevirt.io/Skylake-Server": "true",
    "cpu-model-migration.node.kubevirt.io/Skylake-Server": "true",
    **{f"cpu-model.node.kubevirt.io/model{number}": "true" for number in range(30)},
    **{f"cpu-feature.node.kubevirt.io/feature{number}": "true" for number in range(120)},
}


def write_cluster(folder: Path, vms: int) -> None:
    """Write a cluster with this many running VMs, two claims and a virt-launcher pod each, as one JSON list.

    Beside the VMs run other pods; a VM fits on each node once more.
    """
    namespaces = -(-vms // VMS_PER_NAMESPACE)
    nodes = [_node(index) for index in range(-(-vms // VMS_PER_NODE))]
    objects = [*nodes, *_configuration(), *_access(namespaces)]
    for index in range(namespaces):
        objects += _namespace(f"team-{index}")
    for index in range(vms):
        objects += _vm(index)
    folder.mkdir(parents=True)
    (folder / "cluster.json").write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": objects}))


def migration(vm: int) -> bytes:
    """A person creates a VMIM for this VM: every fact of the built-in policies is needed, and it is allowed."""
    namespace = f"team-{vm // VMS_PER_NAMESPACE}"
    written = _object("kubevirt.io/v1", "VirtualMachineInstanceMigration", f"migrate-{vm}", namespace)
    return _review(vm, "virtualmachineinstancemigrations", {**written, "spec": {"vmiName": f"vm-{vm}"}, "status": {}})


def labelling(vm: int) -> bytes:
    """A person labels the namespace of this VM, which may lead all VMs in it to other policies; it is allowed."""
    name = f"team-{vm // VMS_PER_NAMESPACE}"
    old, new = (_object("v1", "Namespace", name, labels=labels) for labels in ({}, {"cost-centre": f"c{vm}"}))
    return _review(vm, "namespaces", new, old)


def _review(number: int, resource: str, written: dict[str, Any], old: dict[str, Any] | None = None) -> bytes:
    group, slash, version = written["apiVersion"].rpartition("/")
    kind = {"group": group if slash else "", "version": version, "kind": written["kind"]}
    address = {"group": kind["group"], "version": version, "resource": resource}
    metadata = written["metadata"]
    request = {
        "uid": f"00000000-0000-4000-8000-{number:012d}",
        "kind": kind,
        "resource": address,
        "requestKind": kind,
        "requestResource": address,
        "operation": "UPDATE" if old else "CREATE",
        "name": metadata["name"],
        "namespace": metadata.get("namespace", metadata["name"]),  # of a Namespace its own name
        "dryRun": False,
        "options": {"apiVersion": "meta.k8s.io/v1", "kind": "UpdateOptions" if old else "CreateOptions"},
        "userInfo": {"username": "alice", "groups": ["migrators", "system:authenticated"]},
        "oldObject": old,
        "object": written,
    }
    return json.dumps({"apiVersion": "admission.k8s.io/v1", "kind": "AdmissionReview", "request": request}).encode()


def _object(api_version: str, kind: str, name: str, namespace: str = "", **rest: Any) -> dict[str, Any]:
    metadata = {"name": name, **({"namespace": namespace} if namespace else {}), "labels": rest.pop("labels", {})}
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **rest}


def _node(index: int) -> dict[str, Any]:
    return _object(
        "v1",
        "Node",
        f"node-{index}",
        labels={"kubevirt.io/schedulable": "true", "kubernetes.io/arch": "amd64", **CPU_LABELS},
        spec={},
        status={"allocatable": {"cpu": "64", "memory": "512Gi"}, "conditions": [{"type": "Ready", "status": "True"}]},
    )


def _namespace(name: str) -> list[dict[str, Any]]:
    quota = {"requests.memory": "4Ti", "pods": "1000"}
    used = {"requests.memory": "1Ti", "pods": "150"}
    return [
        _object("v1", "Namespace", name),
        _object("v1", "ResourceQuota", "team", name, spec={"hard": quota}, status={"hard": quota, "used": used}),
    ]


def _pod(name: str, namespace: str, node: str, memory: str, **metadata: Any) -> dict[str, Any]:
    pod = _object(
        "v1",
        "Pod",
        name,
        namespace,
        labels=metadata.pop("labels", {}),
        spec={
            "nodeName": node,
            "nodeSelector": {"kubevirt.io/schedulable": "true"},
            "containers": [{"name": "main", "resources": {"requests": {"memory": memory, "cpu": "100m"}}}],
        },
        status={"phase": "Running"},
    )
    pod["metadata"] |= metadata
    return pod


def _pods(index: int, namespace: str, node: str) -> list[dict[str, Any]]:
    launcher = _pod(
        f"virt-launcher-vm-{index}-abcde",
        namespace,
        node,
        "8500Mi",
        labels={"kubevirt.io": "virt-launcher", "vm.kubevirt.io/name": f"vm-{index}"},
        annotations={"kubevirt.io/domain": f"vm-{index}"},
    )
    others = [
        _pod(
            f"web-{index}-{number}",
            namespace,
            node,
            "256Mi",
            labels={"app": f"web-{index % 50}", "pod-template-hash": f"{index:x}"},
            annotations={"k8s.v1.cni.cncf.io/network-status": f"{index}" * 100},
        )
        for number in range(OTHER_PODS_PER_VM)
    ]
    return [launcher, *others]


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
    template = {"metadata": {"labels": labels}, "spec": spec}
    vm = _object("kubevirt.io/v1", "VirtualMachine", f"vm-{index}", namespace, spec={"template": template})
    return [vm, vmi, *claims, *_pods(index, namespace, node)]


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
