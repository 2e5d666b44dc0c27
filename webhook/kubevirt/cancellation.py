"""What a request would stop that the cluster itself has begun, and who may do so.

RBAC lets every holder of ``delete virtualmachineinstancemigrations`` cancel any migration: KubeVirt has no admission
check on DELETE. So stopping what a drain or an update has begun is a right of migguard's own, asked for by
SubjectAccessReview and given with plain RBAC.
"""

from __future__ import annotations

from webhook.kubevirt.migrations import made_by
from webhook.kubevirt.ownright import grant
from webhook.kubevirt.requester import PEOPLE
from webhook.kubevirt.resources import VMI
from webhook.kubevirt.vmim import is_cancelled, is_unfinished, old_vmim
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Attributes, Fact, FactContext
from webhook.model.objects import text
from webhook.model.request import Operation

CANCEL_ROLE = "migguard.io:cancel-system-migrations"
"""The ClusterRole that the remedy proposes."""


def right_to_cancel(namespace: str) -> Attributes:
    """Return the right to cancel the migrations of drains and updates in a namespace."""
    return Attributes(verb="cancel", group="migguard.io", resource="systemmigrations", namespace=namespace)


def stops_system_migration(context: FactContext) -> bool:
    """Say whether this DELETE would cancel a migration that no person started and that is still under way."""
    vmim = old_vmim(context)
    if vmim is None or context.request.operation is not Operation.DELETE:
        return False
    return is_unfinished(context) and not is_cancelled(context) and made_by(vmim) not in PEOPLE


def may_cancel(context: FactContext) -> bool:
    """Say whether the requester may do that; nobody is asked where nothing of the kind is at stake."""
    if not stops_system_migration(context):
        return True
    request = context.request
    return context.once("mayCancel", lambda context: context.allows(request.user, right_to_cancel(request.namespace)))


def cancel_remedy(context: FactContext) -> str:
    """Return the commands that would give the requester that right; empty where it is not lacking."""
    if may_cancel(context):
        return ""
    return grant(context, right_to_cancel(context.request.namespace), CANCEL_ROLE)


def evacuation_cancelled(context: FactContext) -> str:
    """Return the node whose evacuation of this VMI the write calls off; empty if it does not.

    Only virt-api can, for whoever may update the subresource ``evacuate/cancel``: KubeVirt's VMI mutator puts back what
    anybody else writes into a VMI's status, so such a write never reaches the validating webhooks.

    Source: KubeVirt ``pkg/virt-api/rest/evacuate_cancel.go``,
    ``pkg/virt-api/webhooks/mutating-webhook/mutators/vmi-mutator.go``.
    """
    request = context.request
    if not is_about(request, VMI) or request.operation is not Operation.UPDATE:
        return ""
    cleared = not text(request.object, "status", "evacuationNodeName")
    return text(request.old_object, "status", "evacuationNodeName") if cleared else ""


FACTS = (
    Fact(
        "requester.mayCancelSystemMigrations",
        "bool",
        "The requester may cancel what this DELETE would cancel. For an unfinished migration of a drain, an update or "
        "another system component that takes the right `cancel systemmigrations.migguard.io`; else it is true.",
        may_cancel,
    ),
    Fact(
        "requester.cancelRemedy",
        "string",
        "The commands that would give that right; empty where it is not lacking.",
        cancel_remedy,
    ),
    Fact(
        "vmi.evacuationCancelled",
        "string",
        "The node whose evacuation of this VM the write calls off (virtctl evacuate-cancel); empty otherwise.",
        evacuation_cancelled,
    ),
)
