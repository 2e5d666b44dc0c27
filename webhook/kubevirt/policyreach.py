"""Which VMs a MigrationPolicy reaches: whether it selects any, applies to any, and is first by its name alone.

KubeVirt applies just one policy to a VM: of those that select it the one with the most pairs, then the most VMI pairs,
and between equals the one whose name comes first. An author who does not know of the other one is surprised by the
last, as one whose labels have a typo is by a policy that selects nothing.

A VM counts as it runs and, by the labels in its template, as it will start next.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migrationpolicy.go`` (``matchPolicy``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from webhook.kubevirt.configchange import policies_before_and_after
from webhook.kubevirt.criticality import is_running, template_labels
from webhook.kubevirt.indexkeys import UNINDEXED_LABELS, label_pair
from webhook.kubevirt.migrationconfig import namespace_labels
from webhook.kubevirt.migrationpolicy import MigrationPolicy
from webhook.kubevirt.resources import MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Fact, FactContext, WatchedResource
from webhook.model.objects import JSON, Object, labels_of, name_of, namespace_of

FIRST = 10
"""Names that are listed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reach:
    """What a MigrationPolicy reaches as it is after a write; of every other request that nothing is amiss."""

    selects: bool = True
    """It selects some VM."""
    applies: bool = True
    """It is the one that applies to some of them."""
    tied: tuple[str, ...] = ()
    """Others that select one of those VMs as closely, so that only the names decide."""
    outranked: tuple[str, ...] = ()
    """Those that apply in its place, where it applies to none."""


def reach_of(context: FactContext) -> Reach:
    """Return what the MigrationPolicy that is written reaches. Raises FactUnavailable when the time is up."""
    return context.once("policyReach", _reach)


def _reach(context: FactContext) -> Reach:
    request = context.request
    if request.subresource or not is_about(request, MIGRATION_POLICY):
        return Reach()
    _, policies = policies_before_and_after(context)
    own = next((policy for policy in policies if policy.name == request.subject.name), None)
    if own is None:
        return Reach()
    keys = {key for policy in policies for key in policy.vmi_labels}
    found = {
        (namespace, frozenset((key, labels[key]) for key in labels.keys() & keys))
        for namespace, labels in context.deadline.walk(
            _vms_near(context, own), "it was known which VMs a MigrationPolicy selects"
        )
    }
    chosen = [
        ranked
        for namespace, labels in sorted(found, key=str)
        if (ranked := _ranked(policies, dict(labels), namespace_labels(context, namespace), own))
    ]
    first = [ranked for ranked in chosen if own in ranked]
    rivals = {policy.name for ranked in first or chosen for policy in ranked} - {own.name}
    names = tuple(sorted(rivals))[:FIRST]
    return Reach(
        selects=bool(chosen), applies=bool(first), tied=names if first else (), outranked=() if first else names
    )


def _ranked(
    policies: Sequence[MigrationPolicy], labels: Mapping[str, str], around: Mapping[str, str], own: MigrationPolicy
) -> list[MigrationPolicy]:
    """Return the policies that select a VM most closely, all of the same score; none if ``own`` does not select it."""
    known = labels or {"": ""}  # it has other labels, if only KubeVirt's own; none at all would match every policy
    scores = [(score, policy) for policy in policies if (score := policy.score(known, around)) is not None]
    if not any(policy is own for _, policy in scores):
        return []
    best = max(score for score, _ in scores)
    return [policy for score, policy in scores if score == best]


def _vms_near(context: FactContext, policy: MigrationPolicy) -> Iterator[tuple[str, Mapping[str, str]]]:
    """Yield namespace and labels of all VMs that a policy could select, by an index if it selects by any label."""
    for vmi in _candidates(context, policy, VMI, "label"):
        if is_running(vmi):
            yield namespace_of(vmi), labels_of(vmi)
    for vm in _candidates(context, policy, VM, "templateLabel"):
        yield namespace_of(vm), template_labels(vm)


def _candidates(
    context: FactContext, policy: MigrationPolicy, watched: WatchedResource, index: str
) -> Iterator[Object]:
    view = context.view
    pair, around = _indexed(policy.vmi_labels), _indexed(policy.namespace_labels)
    if pair:
        yield from view.select(watched, index, pair)
    elif around:
        for namespace in view.select(NAMESPACE, "label", around):
            yield from view.select(watched, "namespace", name_of(namespace))
    else:
        yield from view.list(watched)


def _indexed(selector: Mapping[str, JSON]) -> str:
    """A pair of a selector by which objects are found in an index; empty if it has none."""
    pairs = (label_pair(key, wanted) for key, wanted in sorted(selector.items()) if _is_indexed(key, wanted))
    return next(pairs, "")


def _is_indexed(key: str, wanted: JSON) -> bool:
    return isinstance(wanted, str) and key not in UNINDEXED_LABELS


FACTS = (
    Fact(
        "migrationPolicy.selectsVMs",
        "bool",
        "The MigrationPolicy, as it is after this write, selects a VM that runs, or will at its next start; true for "
        "other requests.",
        lambda context: reach_of(context).selects,
    ),
    Fact(
        "migrationPolicy.tiedWith",
        "list(string)",
        f"Other MigrationPolicies that select a VM just as closely, so that only the order of the names decides; the "
        f"first {FIRST}.",
        lambda context: list(reach_of(context).tied),
    ),
    Fact(
        "migrationPolicy.outrankedBy",
        "list(string)",
        f"Where it applies to no VM that it selects: the MigrationPolicies that do; the first {FIRST}.",
        lambda context: list(reach_of(context).outranked),
    ),
)
