"""Whether the requester holds the migrate rights, how, and what would give them.

Admission runs after authorization: whoever writes a VMIM already holds the verb. Judged here is *how* it is held.

- ``explicit``: a binding to a trusted ClusterRole, in the namespace or cluster-wide, must grant it;
- ``effective``: any authorizer that grants it will do.

Both ask for the verb on VMIMs that the operation needs and for ``update virtualmachines/migrate``, which is what
``virtctl migrate`` needs.

Source: KubeVirt ``pkg/virt-operator/resource/generate/rbac/cluster.go`` (ClusterRole ``kubevirt.io:migrate``).
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass

from webhook.kubevirt.rbac import MASTERS, cluster_role_rules, grants, rule_allows
from webhook.kubevirt.resources import CLUSTER_ROLE, VMIM
from webhook.kubevirt.workload import vmi_name
from webhook.model.facts import Attributes, ClusterView, Fact, FactContext
from webhook.model.objects import name_of, strings, text
from webhook.model.request import AdmissionRequest, Operation, UserInfo

CLUSTER_ADMIN = "cluster-admin"

_VERBS = {
    Operation.CREATE: ("create",),
    Operation.UPDATE: ("update", "patch"),
    Operation.DELETE: ("delete", "deletecollection"),
    Operation.CONNECT: ("create",),
}

_ACCOUNT = re.compile(r"system:serviceaccount:(?P<namespace>[^:]+):(?P<name>[^:]+)")
_MASTERS_WORDS = f"group {MASTERS}, which may do everything without a binding"


@dataclass(frozen=True, slots=True)
class Right:
    """One right that is needed; any one of the alternatives gives it."""

    alternatives: tuple[Attributes, ...]

    def __str__(self) -> str:
        return str(self.alternatives[0])


def rights_needed(request: AdmissionRequest) -> tuple[Right, ...]:
    """Return the rights that this request needs: on VMIMs, and on the subresource that ``virtctl migrate`` uses.

    The API server does not say whether an UPDATE was a patch, nor whether a DELETE was of a collection, so either verb
    will do. For requests about other kinds they are those to create a VMIM in that namespace.
    """
    on_vmim = request.resource.group == VMIM.resource.group and request.resource.resource == VMIM.resource.resource
    verbs = _VERBS[request.operation] if on_vmim else ("create",)
    name = request.name or name_of(request.old_object) or name_of(request.object)
    vmims = tuple(
        Attributes(
            verb=verb,
            group=VMIM.resource.group,
            resource=VMIM.resource.resource,
            namespace=request.namespace,
            name="" if verb in {"create", "deletecollection"} else name,
        )
        for verb in verbs
    )
    subresource = Attributes(
        verb="update",
        group="subresources.kubevirt.io",
        resource="virtualmachines",
        subresource="migrate",
        namespace=request.namespace,
        name=vmi_name(request),
    )
    return Right(vmims), Right((subresource,))


def missing_rights(context: FactContext) -> Sequence[Right]:
    """Return the rights that the requester lacks, in the mode that Parameters choose."""

    def find(context: FactContext) -> Sequence[Right]:
        held = _effective if text(context.parameters, "permission", "mode") == "effective" else _explicit
        return [right for right in rights_needed(context.request) if not held(context, right)]

    return context.once("missingRights", find)


def trusted_roles(context: FactContext) -> Sequence[str]:
    """Return the names of the ClusterRoles by which the right to migrate is given on purpose."""
    return strings(context.parameters, "permission", "trustedClusterRoles")


def _explicit(context: FactContext, right: Right) -> bool:
    user, trusted = context.request.user, trusted_roles(context)
    if MASTERS in user.groups and CLUSTER_ADMIN in trusted:
        return True
    return any(
        grant.role.kind == CLUSTER_ROLE.kind and grant.role.name in trusted
        for attributes in right.alternatives
        for grant in grants(context.view, user, attributes)
    )


def _effective(context: FactContext, right: Right) -> bool:
    return any(context.allows(context.request.user, attributes) for attributes in right.alternatives)


def _bound_to(context: FactContext) -> list[str]:
    user, trusted = context.request.user, trusted_roles(context)
    right = rights_needed(context.request)[0]
    found = [grant for attributes in right.alternatives for grant in grants(context.view, user, attributes)]
    found.sort(key=lambda grant: not (grant.role.kind == CLUSTER_ROLE.kind and grant.role.name in trusted))
    masters = [_MASTERS_WORDS] if MASTERS in user.groups else []
    return list(dict.fromkeys([*masters, *map(str, found)]))


def remedy(context: FactContext) -> str:
    """Return the command that would grant what is missing; empty if nothing is."""
    if not missing_rights(context):
        return ""
    namespace, user = context.request.namespace, context.request.user
    options = [f"--clusterrole={_role_to_bind(context)}", _subject_option(user)]
    where = ["-n", namespace] if namespace else []
    kind = "rolebinding" if namespace else "clusterrolebinding"
    return shlex.join(["oc", "create", kind, _binding_name(user), *where, *options])


def _role_to_bind(context: FactContext) -> str:
    """The first trusted role that would grant all of it; else the first one, which then has to be put right first."""
    trusted = trusted_roles(context)
    rights = rights_needed(context.request)
    able = [role for role in trusted if _grants_all(context.view, role, rights)]
    return next(iter([*able, *trusted]), "kubevirt.io:migrate")


def _grants_all(view: ClusterView, role: str, rights: Sequence[Right]) -> bool:
    rules = cluster_role_rules(view, role)
    return all(any(rule_allows(rule, asked) for rule in rules for asked in right.alternatives) for right in rights)


def _subject_option(user: UserInfo) -> str:
    account = _ACCOUNT.fullmatch(user.username)
    if account:
        return f"--serviceaccount={account['namespace']}:{account['name']}"
    if user.username or not user.groups:
        return f"--user={user.username}"
    return f"--group={user.groups[0]}"


def _binding_name(user: UserInfo) -> str:
    """A valid object name that tells whose binding it is: ``migrate-alice``."""
    account = _ACCOUNT.fullmatch(user.username)
    subject = f"{account['namespace']}-{account['name']}" if account else user.username or "".join(user.groups[:1])
    words = re.sub(r"[^a-z0-9]+", "-", subject.lower()).strip("-")
    return f"migrate-{words}"[:63].strip("-")


def absent_roles(context: FactContext) -> list[str]:
    """Return the trusted ClusterRoles that this cluster does not have."""
    return [role for role in trusted_roles(context) if context.view.get(CLUSTER_ROLE, "", role) is None]


FACTS = (
    Fact(
        "requester.canMigrate",
        "bool",
        "The requester holds the migrate rights in this namespace, in the way that permission.mode asks for.",
        lambda context: not missing_rights(context),
    ),
    Fact(
        "requester.missing",
        "list(string)",
        "The rights that are missing, in the words of `kubectl auth can-i`; in explicit mode those that no binding to "
        "a trusted ClusterRole gives.",
        lambda context: [str(right) for right in missing_rights(context)],
    ),
    Fact(
        "requester.boundTo",
        "list(string)",
        "Every binding that gives the requester the verb on VirtualMachineInstanceMigrations; trusted roles first.",
        _bound_to,
    ),
    Fact(
        "requester.absentRoles",
        "list(string)",
        "Trusted ClusterRoles that are not in this cluster; kubevirt.io:migrate comes with KubeVirt 1.5.",
        absent_roles,
    ),
    Fact(
        "requester.remedy",
        "string",
        "The command that would grant what is missing; empty if nothing is.",
        remedy,
    ),
)
