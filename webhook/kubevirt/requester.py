"""Which class of requester really asks: a person, or one of the accounts that Kubernetes and KubeVirt act through.

Decided by the full, authenticated user name alone. Labels and annotations can be forged by anyone who may write the
object. They are only read to tell apart the doings of an account that is already known to be KubeVirt's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from webhook.kubevirt.resources import KUBEVIRT, VMIM
from webhook.model.facts import ClusterView, Fact, FactContext
from webhook.model.objects import annotations_of, namespace_of, strings, text
from webhook.model.request import AdmissionRequest, Operation, UserInfo

WORKLOAD_UPDATE_ANNOTATION = "kubevirt.io/workloadUpdateMigration"


class Origin(StrEnum):
    """Who a request comes from."""

    USER = "User"
    """A person, a GitOps tool, or any other account that is none of those below."""
    VIRT_API = "VirtAPI"
    """virt-api on behalf of someone: ``virtctl migrate``, the console's button. The person is not recorded."""
    DRAIN = "Drain"
    """virt-controller evacuates a node."""
    WORKLOAD_UPDATE = "WorkloadUpdate"
    """virt-controller migrates for an upgrade, a hotplug or a volume update."""
    OPERATOR = "Operator"
    """virt-operator, the HyperConverged cluster operator or the operator of storage migration plans."""
    OTHER_SYSTEM = "OtherSystem"
    """Another named controller: virt-handler, garbage collection, accounts named in Parameters, …"""


PEOPLE = frozenset({Origin.USER, Origin.VIRT_API})
"""The origins behind which a person stands, who waits for an answer.

Everything else does drains, upgrades and reconciliation: if we refused those when we cannot know, a node could not be
emptied at 3 a.m. because of us.
"""

_INSTALLED_ACCOUNTS = {
    "kubevirt-apiserver": Origin.VIRT_API,
    "kubevirt-controller": Origin.OTHER_SYSTEM,
    "kubevirt-handler": Origin.OTHER_SYSTEM,
    "kubevirt-synchronization-controller": Origin.OTHER_SYSTEM,
    "kubevirt-operator": Origin.OPERATOR,
    "hyperconverged-cluster-operator": Origin.OPERATOR,
    "kubevirt-migration-operator": Origin.OPERATOR,
    # The service account of the Deployment kubevirt-migration-controller, which carries out storage migration plans.
    "kubevirt-migration-sa": Origin.OTHER_SYSTEM,
}
"""Accounts of the install namespace.

Source: KubeVirt ``pkg/virt-operator/resource/generate/components/serviceaccountnames.go``; HyperConverged
``deploy/operator.yaml``; kubevirt-migration-operator ``pkg/common/common.go``.
"""

_CONTROL_PLANE_ACCOUNTS = frozenset(
    {
        "system:serviceaccount:kube-system:namespace-controller",
        "system:serviceaccount:kube-system:generic-garbage-collector",
        "system:serviceaccount:kube-system:clusterrole-aggregation-controller",
        # Rewrites every object so that it is stored in the newest version, changing nothing.
        "system:serviceaccount:kube-system:storage-version-migrator-controller",
        # kube-apiserver's own loopback client, which writes the default roles when it starts.
        "system:apiserver",
        # The same controllers where kube-controller-manager runs without --use-service-account-credentials.
        "system:kube-controller-manager",
    }
)


def classify(user: UserInfo, parameters: Mapping[str, Any], request: AdmissionRequest) -> Origin:
    """Return the origin of a request.

    ``parameters`` is the spec of the Parameters document; its ``installNamespaces`` say where KubeVirt's and
    HyperConverged's service accounts live, its ``systemAccounts`` are further full user names of class OtherSystem.

    virt-controller creates VMIMs for two reasons only, an evacuation or a workload update, and marks the latter. All
    else it writes (status, finalizers, labels of the VMIs it owns, the removal of finished VMIMs) is OtherSystem.

    Source: KubeVirt ``pkg/virt-api/webhooks/serviceaccounts.go``; in ``pkg/virt-controller/watch``
    ``drain/evacuation/evacuation.go`` and ``workload-updater/workload-updater.go``.
    """
    if user.username in _CONTROL_PLANE_ACCOUNTS or user.username in strings(parameters, "systemAccounts"):
        return Origin.OTHER_SYSTEM
    account = _installed_account(user.username, parameters)
    if account == "kubevirt-controller" and _creates_vmim(request):
        updates = WORKLOAD_UPDATE_ANNOTATION in annotations_of(request.object)
        return Origin.WORKLOAD_UPDATE if updates else Origin.DRAIN
    return _INSTALLED_ACCOUNTS.get(account, Origin.USER)


def accounts(parameters: Mapping[str, Any]) -> dict[str, Origin]:
    """Return the full user names of all accounts that are no person's, with their origin, as :func:`classify` has them.

    virt-controller's is OtherSystem here, though what it creates may be a Drain or a WorkloadUpdate.
    """
    installed = {
        f"system:serviceaccount:{namespace}:{account}": origin
        for namespace in strings(parameters, "installNamespaces")
        if namespace
        for account, origin in _INSTALLED_ACCOUNTS.items()
    }
    named = (*sorted(_CONTROL_PLANE_ACCOUNTS), *strings(parameters, "systemAccounts"))
    return {**installed, **dict.fromkeys(named, Origin.OTHER_SYSTEM)}


def migrating_accounts(parameters: Mapping[str, Any]) -> list[str]:
    """Return the full user names of virt-controller, which creates migrations for drains and updates."""
    named = (*_CONTROL_PLANE_ACCOUNTS, *strings(parameters, "systemAccounts"))
    found = [f"system:serviceaccount:{one}:kubevirt-controller" for one in strings(parameters, "installNamespaces")]
    return [account for account in found if account not in named]


def _installed_account(username: str, parameters: Mapping[str, Any]) -> str:
    for namespace in strings(parameters, "installNamespaces"):
        prefix = f"system:serviceaccount:{namespace}:"
        if namespace and username.startswith(prefix):
            return username.removeprefix(prefix)
    return ""


def _creates_vmim(request: AdmissionRequest) -> bool:
    return (
        request.operation is Operation.CREATE
        and request.resource.group == VMIM.resource.group
        and request.resource.resource == VMIM.resource.resource
        and not request.subresource
    )


def located(parameters: Mapping[str, Any], view: ClusterView) -> Mapping[str, Any]:
    """Return the parameters with the namespaces where KubeVirt really is.

    KubeVirt's accounts live where its KubeVirt CR is, which only cluster administrators can make. So nobody gains
    anything by making a namespace that merely bears one of the usual names, and an unusual one needs no configuration.
    What was last seen counts, however long ago: a drain must not wait for the API server. The configured namespaces
    stand in where no KubeVirt CR was ever seen.
    """
    found = sorted({namespace_of(kubevirt) for kubevirt in view.last_known(KUBEVIRT)} - {""})
    return {**parameters, "installNamespaces": found} if found else parameters


def origin_of(context: FactContext) -> Origin:
    """Return the origin of the request of this context."""
    parameters = context.once("located", lambda context: located(context.parameters, context.view))
    return classify(context.request.user, parameters, context.request)


def person_of(context: FactContext) -> str:
    """Return who is behind the request, or where to look for them; empty where a controller acts of its own accord.

    kube-apiserver authorizes and proxies KubeVirt's subresources without admission, and virt-api then asks in its own
    name. So only the audit log of the API server joins the two.

    Source: KubeVirt ``pkg/virt-api/rest/lifecycle.go`` (``MigrateVMRequestHandler``).
    """
    origin, request = origin_of(context), context.request
    if origin is Origin.USER:
        return request.user.username
    if origin is not Origin.VIRT_API:
        return ""
    if _creates_vmim(request):
        asked = f"update of virtualmachines/{text(request.object, 'spec', 'vmiName')}, subresource migrate"
    else:
        asked = "the call of a subresource"
    return (
        f"unknown: virt-api asks in its own name; look in the API server's audit log for {asked}, of group "
        f"subresources.kubevirt.io, in namespace {request.namespace} at this time"
    )


FACTS = (
    Fact(
        "requester.username",
        "string",
        "The authenticated user name; of an impersonated request only the impersonated user is known.",
        lambda context: context.request.user.username,
    ),
    Fact("requester.uid", "string", "The authenticated user's UID, if any.", lambda context: context.request.user.uid),
    Fact("requester.groups", "list(string)", "The user's groups.", lambda context: list(context.request.user.groups)),
    Fact(
        "requester.extra",
        "map(dyn)",
        "What the authenticator added: a list of strings by key.",
        lambda context: {key: list(entries) for key, entries in context.request.user.extra.items()},
    ),
    Fact(
        "requester.origin",
        "string",
        f"Who really asks, by account and install namespace alone: {', '.join(Origin)}.",
        lambda context: str(origin_of(context)),
    ),
    Fact(
        "requester.personKnown",
        "bool",
        "False where virt-api acts for someone whose name it does not pass on (virtctl migrate, the console).",
        lambda context: origin_of(context) is not Origin.VIRT_API,
    ),
    Fact(
        "requester.person",
        "string",
        "The person or tool behind it; for VirtAPI `unknown: …`, which says where to look; empty for controllers.",
        person_of,
    ),
)
