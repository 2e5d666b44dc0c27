"""Who may take protection from critical VMs: a right of migguard's own, the verb ``unflag``."""

from __future__ import annotations

from webhook.kubevirt.criticalflag import flag_change
from webhook.kubevirt.exposure import exposure_of
from webhook.kubevirt.ownright import grant
from webhook.kubevirt.requester import PEOPLE, origin_of
from webhook.kubevirt.resources import NAMESPACE
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Attributes, Fact, FactContext
from webhook.model.request import AdmissionRequest

ROLE = "migguard.io:unflag"
"""The ClusterRole that the remedy binds."""


def right_needed(request: AdmissionRequest) -> Attributes:
    """Return the right: for the VM that is written, for all of a Namespace, or, with a MigrationPolicy, everywhere."""
    around = request.subject.name if is_about(request, NAMESPACE) else request.namespace
    name = request.subject.name if around and not is_about(request, NAMESPACE) else ""
    return Attributes(
        verb="unflag", group="migguard.io", resource="criticalvirtualmachines", namespace=around, name=name
    )


def may_unflag(context: FactContext) -> bool:
    """Say whether the requester may take the protection that this write takes; nobody is asked where it takes none."""
    return context.once("mayUnflag", _may_unflag)


def _may_unflag(context: FactContext) -> bool:
    if origin_of(context) not in PEOPLE or not (flag_change(context).losing or exposure_of(context).unprotected):
        return True
    return context.allows(context.request.user, right_needed(context.request))


def _remedy(context: FactContext) -> str:
    return "" if may_unflag(context) else grant(context, right_needed(context.request), ROLE)


FACTS = (
    Fact(
        "critical.mayUnflag",
        "bool",
        "The requester may take from critical VMs what this write takes from them: their flag (critical.losing) or the "
        "protection of a MigrationPolicy (exposure.unprotected). For people that is the right critical.right; true "
        "where nothing is taken and for system components.",
        may_unflag,
    ),
    Fact(
        "critical.right",
        "string",
        "That right in the words of `kubectl auth can-i`: for the VM or the Namespace that is written, or with a "
        "MigrationPolicy for all.",
        lambda context: str(right_needed(context.request)),
    ),
    Fact(
        "critical.remedy",
        "string",
        "The commands that would give the requester that right; empty where it is not lacking.",
        _remedy,
    ),
)
