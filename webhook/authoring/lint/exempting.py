"""Exemptions: too wide, run out, or of no effect."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from math import ceil

from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.rule import note, warning
from webhook.authoring.lint.shapes import Shape, matched
from webhook.kubevirt.widesubjects import wide_subjects
from webhook.model.decision import Action, FailurePolicy
from webhook.policy.document import Exemption, GuardPolicy

EXEMPTION_EXPIRED = warning("exemption-expired", "An exemption has run out", "It no longer applies: remove it.")
EXEMPTION_EXPIRING = warning(
    "exemption-expiring",
    "An exemption runs out soon",
    "In 14 days or less: what it lets through is refused then. Renew it by review, or mend the cause.",
)
EXEMPTION_WIDE = warning(
    "exemption-wide",
    "An exemption holds everywhere",
    "It has neither namespaces, names, namespaceSelector nor objectSelector.",
)
EXEMPTION_CROWD = warning(
    "exemption-crowd",
    "An exemption is for a whole crowd",
    "A subject is a group that anybody is in (system:authenticated, system:serviceaccounts), or the group of those who "
    "may do everything (system:masters).",
)
EXEMPTION_OF_EVERYTHING = warning(
    "exemption-of-everything",
    "An exemption covers every policy",
    "It names every policy there is, or ten and more: nothing is guarded for its subjects.",
)
EXEMPTION_ANY_OPERATION = note(
    "exemption-any-operation",
    "An exemption is for any operation",
    "Name the operations that it is needed for, such as CREATE alone.",
)
EXEMPTION_NEVER_MATCHES = warning(
    "exemption-never-matches",
    "An exemption spares nobody its policy",
    "What it is limited to (operations, namespaces) and what the policy matches have no request in common.",
)
EXEMPTION_WILDCARD = warning(
    "exemption-wildcard",
    "An exemption is limited to a name that nothing has",
    "Namespaces and names are compared as they are written: * stands for itself, and is part of no name.",
    bad='namespaces: ["*"]',
    good="no namespaces, or namespaceSelector",
)
EXEMPTION_IDLE = warning(
    "exemption-idle",
    "An exemption from a policy that refuses nothing",
    "The policy only warns or records: the exemption hides that.",
)

RULES = (
    EXEMPTION_EXPIRED,
    EXEMPTION_EXPIRING,
    EXEMPTION_WIDE,
    EXEMPTION_CROWD,
    EXEMPTION_OF_EVERYTHING,
    EXEMPTION_ANY_OPERATION,
    EXEMPTION_NEVER_MATCHES,
    EXEMPTION_WILDCARD,
    EXEMPTION_IDLE,
)


SOON = timedelta(days=14)
MANY = 10
"""Policies in one exemption from which on it is taken for one of everything."""
_FEWEST = 3
"""Policies that a set must have for "all of them" to mean anything."""
_SELECTORS = {"namespaces": "namespaceSelector", "names": "objectSelector"}
_MASTERS = "system:masters"
_DAY = timedelta(days=1)


def check(
    exemption: Exemption,
    policies: Mapping[str, GuardPolicy],
    actions: Mapping[str, frozenset[Action]],
    now: datetime,
) -> Iterator[Found]:
    """Judge one exemption; ``policies`` are all of the set, by name."""
    yield from _dates(exemption, now)
    if exemption.expires <= now:
        return
    yield from _width(exemption, policies)
    for index, name in enumerate(exemption.policies):
        policy = policies.get(name)
        if policy is not None:
            yield from _effect(exemption, policy, actions.get(name, policy.actions), index)


def _dates(exemption: Exemption, now: datetime) -> Iterator[Found]:
    left = exemption.expires - now
    place, owner = ("spec", "expires"), f"owner {exemption.owner}"
    if left <= timedelta():
        message = f"exemption '{exemption.name}' ({owner}) ran out {_days(-left)} ago and no longer applies"
        yield at(EXEMPTION_EXPIRED, exemption.document, place, message, "remove it")
    elif left <= SOON:
        message = f"exemption '{exemption.name}' ({owner}) runs out in {_days(left)}"
        yield at(
            EXEMPTION_EXPIRING,
            exemption.document,
            place,
            message,
            f"ticket {exemption.ticket}: renew it, or mend the cause",
        )


def _days(length: timedelta) -> str:
    count = max(ceil(length / _DAY), 1)
    return f"{count} day{'' if count == 1 else 's'}"


def _width(exemption: Exemption, policies: Mapping[str, GuardPolicy]) -> Iterator[Found]:
    document = exemption.document
    limits = (exemption.namespaces, exemption.names, exemption.namespace_selector, exemption.object_selector)
    if not any(limits):
        message = f"exemption '{exemption.name}' holds in every namespace and for every object"
        hint = "add namespaces, names, namespaceSelector or objectSelector"
        yield at(EXEMPTION_WIDE, document, ("spec",), message, hint)
    yield from _names(exemption)
    for index, subject in enumerate(exemption.subjects):
        raw = {"subjects": [{"kind": subject.kind, "name": subject.name}]}
        if wide_subjects(raw) or (subject.kind == "Group" and subject.name == _MASTERS):
            message = f"{subject.kind} {subject.name} is no one in particular"
            hint = "name the users, groups or service accounts that need it"
            yield at(EXEMPTION_CROWD, document, ("spec", "subjects", index), message, hint)
    count = len(exemption.policies)
    if count >= MANY or (len(policies) >= _FEWEST and policies.keys() <= set(exemption.policies)):
        everything = "all" if policies.keys() <= set(exemption.policies) else str(count)
        message = f"exemption '{exemption.name}' exempts from {everything} policies"
        yield at(EXEMPTION_OF_EVERYTHING, document, ("spec", "policies"), message, "name those that stand in the way")
    if not exemption.operations or "*" in exemption.operations:
        message = f"exemption '{exemption.name}' is for every operation"
        yield at(EXEMPTION_ANY_OPERATION, document, ("spec", "operations"), message, "name those that are needed")


def _names(exemption: Exemption) -> Iterator[Found]:
    for field, names in (("namespaces", exemption.namespaces), ("names", exemption.names)):
        for index, name in enumerate(names):
            if "*" in name:
                message = f"'{name}' is compared as it is written, and there is no such name"
                hint = f"leave {field} out for all of them, or use {_SELECTORS[field]}"
                yield at(EXEMPTION_WILDCARD, exemption.document, ("spec", field, index), message, hint)


def _effect(exemption: Exemption, policy: GuardPolicy, actions: frozenset[Action], index: int) -> Iterator[Found]:
    place = ("spec", "policies", index)
    shapes = matched(policy.match)
    if shapes and not any(_spares(exemption, shape) for shape in shapes):
        what = ", ".join(dict.fromkeys(map(str, shapes[:3])))
        message = f"policy '{policy.name}' matches {what}, which this exemption is not for"
        yield at(EXEMPTION_NEVER_MATCHES, exemption.document, place, message, "mind its operations and namespaces")
    elif _refuses_nothing(policy, actions):
        message = f"policy '{policy.name}' refuses nothing: the exemption only hides its warnings"
        yield at(EXEMPTION_IDLE, exemption.document, place, message, "take it out, or let people see the warning")


def _refuses_nothing(policy: GuardPolicy, actions: frozenset[Action]) -> bool:
    return Action.DENY not in actions and not policy.mutations and policy.failure_policy is FailurePolicy.IGNORE


def _spares(exemption: Exemption, shape: Shape) -> bool:
    operations = exemption.operations
    if operations and "*" not in operations and str(shape.operation) not in operations:
        return False
    # A request about a Namespace carries its name as the namespace.
    in_none = shape.cluster_scoped is True and (shape.group, shape.resource) != ("", "namespaces")
    return not (exemption.namespaces and in_none)
