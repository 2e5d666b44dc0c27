"""The command that would give a requester the migrate rights that are missing."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.kubevirt.bindcommand import bind_command
from webhook.kubevirt.permission import Right, missing_rights, rights_needed, trusted_roles
from webhook.kubevirt.rbac import cluster_role_rules, rule_allows
from webhook.kubevirt.resources import CLUSTER_ROLE, VMIM
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Fact, FactContext


def remedy(context: FactContext) -> str:
    """Return the command that would grant what is missing.

    Empty if nothing is, and for a VMIM's status: KubeVirt alone has reason to write it.
    """
    if not missing_rights(context) or (is_about(context.request, VMIM) and context.request.subresource):
        return ""
    return bind_command(context.request.user, _role_to_bind(context), context.request.namespace, "migrate")


def _role_to_bind(context: FactContext) -> str:
    """The first trusted role that would grant all of it; else the first one, which then has to be put right first."""
    trusted = trusted_roles(context)
    rights = rights_needed(context.request)
    able = [role for role in trusted if _grants_all(context, role, rights)]
    return next(iter([*able, *trusted]), "kubevirt.io:migrate")


def _grants_all(context: FactContext, role: str, rights: Sequence[Right]) -> bool:
    rules = cluster_role_rules(context.view, role, context.deadline)
    return all(any(rule_allows(rule, asked) for rule in rules for asked in right.alternatives) for right in rights)


def absent_roles(context: FactContext) -> list[str]:
    """Return the trusted ClusterRoles that this cluster does not have."""
    return [role for role in trusted_roles(context) if context.view.get(CLUSTER_ROLE, "", role) is None]


FACTS = (
    Fact(
        "requester.absentRoles",
        "list(string)",
        "Trusted ClusterRoles that are not in this cluster; kubevirt.io:migrate comes with KubeVirt 1.5.",
        absent_roles,
    ),
    Fact(
        "requester.remedy",
        "string",
        "The command that would grant what is missing; empty if nothing is, or if only KubeVirt should do this.",
        remedy,
    ),
)
