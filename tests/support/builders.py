"""Builders of Kubernetes objects and admission requests, as small as the facts that read them allow."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from tests.support.view import View
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    HYPERCONVERGED,
    KUBEVIRT,
    MIGRATION_POLICY,
    NAMESPACE,
    NETWORK_ATTACHMENT,
    NODE,
    POD,
    PVC,
    RESOURCE_QUOTA,
    ROLE,
    ROLE_BINDING,
    VM,
    VMI,
    VMIM,
)
from webhook.model.facts import Authorizer, Deadline, FactContext, WatchedResource
from webhook.model.objects import GroupVersionKind, GroupVersionResource, name_of, namespace_of
from webhook.model.request import AdmissionRequest, Operation, UserInfo

Json = dict[str, Any]

PARAMETERS: Json = {
    "critical": {"label": "migguard.io/critical", "value": "true"},
    "installNamespaces": ["kubevirt", "kubevirt-hyperconverged", "openshift-cnv"],
    "systemAccounts": [],
    "permission": {"mode": "explicit", "trustedClusterRoles": ["kubevirt.io:migrate", "cluster-admin"]},
    "exemptions": {"maxDays": 90},
    "language": "en",
    "capacity": {"parallelDrains": 1},
    "freezeWindows": [],
    "params": {},
}
CRITICAL = {"migguard.io/critical": "true"}
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)

MIGRATE_RULES = [
    {
        "apiGroups": ["subresources.kubevirt.io"],
        "resources": ["virtualmachines/migrate"],
        "verbs": ["update"],
    },
    {
        "apiGroups": ["kubevirt.io"],
        "resources": ["virtualmachineinstancemigrations"],
        "verbs": ["get", "delete", "create", "update", "patch", "list", "watch", "deletecollection"],
    },
]
"""The rules of ClusterRole kubevirt.io:migrate."""
EVERYTHING = [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]


def _object(
    watched: WatchedResource,
    name: str,
    namespace: str = "",
    *,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **fields: Any,
) -> Json:
    metadata: Json = {"name": name}
    if namespace:
        metadata["namespace"] = namespace
    if labels:
        metadata["labels"] = dict(labels)
    if annotations:
        metadata["annotations"] = dict(annotations)
    version = watched.resource
    api_version = f"{version.group}/{version.version}" if version.group else version.version
    return {"apiVersion": api_version, "kind": watched.kind, "metadata": metadata, **fields}


def vmi(
    name: str = "db",
    namespace: str = "prod",
    *,
    labels: Mapping[str, str] | None = None,
    volumes: Sequence[Json] = (),
    spec: Json | None = None,
    phase: str = "Running",
    node: str = "node01",
    status: Json | None = None,
) -> Json:
    """A running VMI without disks."""
    return _object(
        VMI,
        name,
        namespace,
        labels=labels,
        spec={"domain": {}, "volumes": list(volumes), **(spec or {})},
        status={"phase": phase, "nodeName": node, **(status or {})},
    )


def vm(
    name: str = "db",
    namespace: str = "prod",
    *,
    template_labels: Mapping[str, str] | None = None,
    volumes: Sequence[Json] = (),
) -> Json:
    """A VM whose template gives these labels and volumes to its VMI."""
    template = {"metadata": {"labels": dict(template_labels or {})}, "spec": {"domain": {}, "volumes": list(volumes)}}
    return _object(VM, name, namespace, spec={"runStrategy": "Always", "template": template})


def vmim(
    name: str = "migrate-db",
    namespace: str = "prod",
    *,
    vmi_name: str = "db",
    annotations: Mapping[str, str] | None = None,
    phase: str = "",
) -> Json:
    """A migration of a VMI."""
    made = _object(VMIM, name, namespace, annotations=annotations, spec={"vmiName": vmi_name})
    return {**made, "status": {"phase": phase}} if phase else made


def pvc(
    name: str = "db-data",
    namespace: str = "prod",
    *,
    modes: Sequence[str] = ("ReadWriteMany",),
    storage_class: str = "ceph-rbd",
    volume_mode: str = "Block",
) -> Json:
    """A PersistentVolumeClaim."""
    spec = {"accessModes": list(modes), "storageClassName": storage_class, "volumeMode": volume_mode}
    return _object(PVC, name, namespace, spec=spec)


def pvc_volume(name: str = "data", claim: str = "db-data", *, hotpluggable: bool = False) -> Json:
    """A VM's volume on a PersistentVolumeClaim."""
    source: Json = {"claimName": claim}
    return {"name": name, "persistentVolumeClaim": {**source, "hotpluggable": True} if hotpluggable else source}


def volume_status(name: str = "data", claim: str = "db-data", modes: Sequence[str] = ("ReadWriteMany",)) -> Json:
    """What virt-controller copies of a claim into the VMI's status."""
    info = {"claimName": claim, "accessModes": list(modes), "volumeMode": "Block"}
    return {"name": name, "persistentVolumeClaimInfo": info}


def namespace(name: str = "prod", *, labels: Mapping[str, str] | None = None) -> Json:
    """A namespace."""
    return _object(NAMESPACE, name, labels=labels)


def migration_policy(name: str = "fast", *, selectors: Any = None, **spec: Any) -> Json:
    """A MigrationPolicy; ``selectors`` None leaves the block out."""
    block = {} if selectors is None else {"selectors": selectors}
    return _object(MIGRATION_POLICY, name, spec={**block, **spec})


def kubevirt(
    migrations: Json | None = None, *, name: str = "kubevirt", namespace: str = "kubevirt", **spec: Any
) -> Json:
    """A KubeVirt CR."""
    configuration: Json = {} if migrations is None else {"migrations": migrations}
    return _object(KUBEVIRT, name, namespace, spec={"configuration": configuration, **spec})


def hyperconverged(
    live_migration: Json | None = None,
    *,
    version: str = "v1beta1",
    patch: str | None = None,
    namespace: str = "openshift-cnv",
) -> Json:
    """A HyperConverged in either API version; ``patch`` is the text of its jsonpatch annotation."""
    spec: Json = {} if live_migration is None else {"liveMigrationConfig": live_migration}
    if version == "v1":
        spec = {"virtualization": spec}
    annotations = {} if patch is None else {"kubevirt.kubevirt.io/jsonpatch": patch}
    made = _object(HYPERCONVERGED, "kubevirt-hyperconverged", namespace, annotations=annotations, spec=spec)
    return {**made, "apiVersion": f"hco.kubevirt.io/{version}"}


def cluster_role(
    name: str = "kubevirt.io:migrate",
    rules: Sequence[Json] = tuple(MIGRATE_RULES),
    *,
    labels: Mapping[str, str] | None = None,
    aggregates: Sequence[Json] = (),
) -> Json:
    """A ClusterRole; with ``aggregates`` (label selectors) an aggregated one."""
    made = _object(CLUSTER_ROLE, name, labels=labels, rules=list(rules))
    return {**made, "aggregationRule": {"clusterRoleSelectors": list(aggregates)}} if aggregates else made


def role(name: str, namespace: str, rules: Sequence[Json]) -> Json:
    """A Role."""
    return _object(ROLE, name, namespace, rules=list(rules))


def user(name: str) -> Json:
    """A binding's subject: a user."""
    return {"kind": "User", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def group(name: str) -> Json:
    """A binding's subject: a group."""
    return {"kind": "Group", "apiGroup": "rbac.authorization.k8s.io", "name": name}


def service_account(name: str, namespace: str = "") -> Json:
    """A binding's subject: a service account; without a namespace that of the binding is meant."""
    return {"kind": "ServiceAccount", "name": name, **({"namespace": namespace} if namespace else {})}


def role_binding(
    name: str, namespace: str, *subjects: Json, role: str = "kubevirt.io:migrate", kind: str = "ClusterRole"
) -> Json:
    """A RoleBinding."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": kind, "name": role}
    return _object(ROLE_BINDING, name, namespace, roleRef=reference, subjects=list(subjects))


def cluster_role_binding(name: str, *subjects: Json, role: str = "kubevirt.io:migrate") -> Json:
    """A ClusterRoleBinding."""
    reference = {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": role}
    return _object(CLUSTER_ROLE_BINDING, name, roleRef=reference, subjects=list(subjects))


def someone(username: str = "alice", *groups: str) -> UserInfo:
    """An authenticated user."""
    return UserInfo(username=username, groups=(*groups, "system:authenticated"))


def create(watched: WatchedResource, new: Json, *, by: UserInfo | None = None, version: str = "") -> AdmissionRequest:
    """A CREATE."""
    return request(watched, Operation.CREATE, new=new, by=by, version=version)


def update(
    watched: WatchedResource, old: Json, new: Json, *, by: UserInfo | None = None, version: str = ""
) -> AdmissionRequest:
    """An UPDATE."""
    return request(watched, Operation.UPDATE, old=old, new=new, by=by, version=version)


def delete(watched: WatchedResource, old: Json, *, by: UserInfo | None = None, version: str = "") -> AdmissionRequest:
    """A DELETE."""
    return request(watched, Operation.DELETE, old=old, by=by, version=version)


def request(
    watched: WatchedResource,
    operation: Operation,
    *,
    old: Any = None,
    new: Any = None,
    by: UserInfo | None = None,
    version: str = "",
    subresource: str = "",
) -> AdmissionRequest:
    """A request about an object of this kind, in the watched version unless another is named."""
    resource = watched.resource
    version = version or resource.version
    about = new if new is not None else old
    return AdmissionRequest(
        uid="0f5ba2c5-4f2b-4b9f-8f0e-3c7bb1c1d1a1",
        kind=GroupVersionKind(resource.group, version, watched.kind),
        resource=GroupVersionResource(resource.group, version, resource.resource),
        subresource=subresource,
        name=name_of(about),
        namespace=namespace_of(about),
        operation=operation,
        user=by or someone(),
        object=new,
        old_object=old,
    )


def context(
    asked: AdmissionRequest,
    *objects: Json,
    parameters: Mapping[str, Any] | None = None,
    authorizer: Authorizer | None = None,
) -> FactContext:
    """Everything a fact is computed from: a request, and the cluster's objects."""
    view = View(*objects)
    return FactContext(
        request=asked,
        view=view,
        authorizer=authorizer or RBACAuthorizer(view),
        parameters={**PARAMETERS, **(parameters or {})},
        now=NOW,
        deadline=Deadline.after(60),
    )


def node(
    name: str = "node02",
    *,
    memory: str = "64Gi",
    labels: Mapping[str, str] | None = None,
    taints: Sequence[Json] = (),
    cordoned: bool = False,
    ready: str = "True",
) -> Json:
    """A node that takes VMs, with this much allocatable memory."""
    spec = {"unschedulable": cordoned, "taints": list(taints)}
    status = {"allocatable": {"memory": memory}, "conditions": [{"type": "Ready", "status": ready}]}
    return _object(NODE, name, labels={"kubevirt.io/schedulable": "true", **(labels or {})}, spec=spec, status=status)


def pod(
    name: str = "web",
    namespace: str = "prod",
    *,
    node: str = "node01",
    memory: str = "1Gi",
    phase: str = "Running",
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """A pod with one container that asks for this much memory."""
    container = {"name": "compute", "resources": {"requests": {"memory": memory}}}
    whole = {"nodeName": node, "containers": [container], **spec}
    return _object(POD, name, namespace, labels=labels, annotations=annotations, spec=whole, status={"phase": phase})


def launcher(vm: str = "db", namespace: str = "prod", *, suffix: str = "a", **of_pod: Any) -> Json:
    """The virt-launcher pod of a VMI."""
    labels, annotations = {"kubevirt.io": "virt-launcher"}, {"kubevirt.io/domain": vm}
    return pod(f"virt-launcher-{vm}-{suffix}", namespace, labels=labels, annotations=annotations, **of_pod)


def quota(
    hard: Mapping[str, str], used: Mapping[str, str], *, name: str = "compute", namespace: str = "prod", **spec: Any
) -> Json:
    """A ResourceQuota and what is used of it."""
    return _object(
        RESOURCE_QUOTA, name, namespace, spec={"hard": dict(hard), **spec}, status={"hard": hard, "used": dict(used)}
    )


def network_attachment(name: str = "migration", namespace: str = "kubevirt") -> Json:
    """A NetworkAttachmentDefinition."""
    return _object(NETWORK_ATTACHMENT, name, namespace, spec={"config": "{}"})
