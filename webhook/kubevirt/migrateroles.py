"""ClusterRoles of this cluster that carry the migrate rights beside the trusted ones."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.permission import trusted_roles
from webhook.kubevirt.rbacchange import carried
from webhook.kubevirt.resources import CLUSTER_ROLE
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, labels_of, mappings, name_of
from webhook.model.selectors import selects

MAX_NAMES = 10

STOCK_ROLES = frozenset(
    {
        "kubevirt.io:admin",
        "kubevirt.io:edit",
        "kubevirt.io:migrate",
        "kubevirt-apiserver",
        "kubevirt-controller",
        "kubevirt-migration-controller",
        "kubevirt-migration-operator",
        "kubevirt-operator",
        "kubevirt-synchronization-controller",
    }
)
"""KubeVirt's own; up to 1.4 admin and edit had the rights. A copy of one has its labels too, so the name decides.

Source: KubeVirt ``pkg/virt-operator/resource/generate/rbac``; kubevirt-migration-operator ``pkg/common/common.go``.
"""

_OPERATOR_LIFECYCLE_LABEL = "olm.owner.kind"
"""On the ClusterRoles that come with an operator. Source: operator-lifecycle-manager ``pkg/lib/ownerutil/util.go``."""


def migrate_roles(context: FactContext) -> list[str]:
    """Return the first ClusterRoles that give a migrate right in so many words, by name.

    Not those that are trusted, come with KubeVirt or another operator, or are aggregated (their components are told).
    Those that aggregated roles take in come first: they reach everybody who has, say, ``admin`` somewhere.
    """
    aggregating = context.view.select(CLUSTER_ROLE, "aggregating", ANY)
    skipped = STOCK_ROLES.union(trusted_roles(context), (name_of(role) for role in aggregating))
    selectors = [
        selector for role in aggregating for selector in mappings(role, "aggregationRule", "clusterRoleSelectors")
    ]
    found: list[tuple[bool, str]] = []
    for role in context.deadline.walk(context.view.list(CLUSTER_ROLE), "all ClusterRoles were looked at"):
        name, labels = name_of(role), labels_of(role)
        if name not in skipped and _OPERATOR_LIFECYCLE_LABEL not in labels and _gives_explicitly(role):
            found.append((not any(selects(selector, labels) for selector in selectors), name))
    return [name for _, name in sorted(found)[:MAX_NAMES]]


def _gives_explicitly(role: Object) -> bool:
    rules: Sequence[Object] = mappings(role, "rules")
    return any(carried(rules).values())


FACTS = (
    Fact(
        "rbac.migrateRoles",
        "list(string)",
        f"The first {MAX_NAMES} ClusterRoles that name the migrate rights, but trusted ones and those of KubeVirt and "
        "other operators; those that aggregated roles (admin, edit) take in come first.",
        migrate_roles,
    ),
)
