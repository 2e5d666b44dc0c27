"""Whether a write of RBAC objects gives the migrate rights to more people than before.

What gets wider counts: a role that gains the rights, one that is labelled so that aggregated ClusterRoles take it in, a
binding that gives them to whole groups that anybody belongs to. A DELETE widens nothing.

Source: Kubernetes ``pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go``; KubeVirt
``pkg/virt-operator/resource/apply/rbac.go`` (labels that others add to its ClusterRoles stay).
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.permission import MIGRATE_RIGHTS, NAMELESS, trusted_roles
from webhook.kubevirt.rbac import aggregated, is_explicit, role_of, rule_allows
from webhook.kubevirt.resources import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from webhook.kubevirt.widesubjects import wide_subjects
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Attributes, Fact, FactContext
from webhook.model.objects import JSON, Object, ObjectRef, labels_of, mapping, mappings, name_of, strings, text
from webhook.model.request import AdmissionRequest
from webhook.model.selectors import selects

Rule = Mapping[str, Any]

_NAMES = {right: "/".join(filter(None, (right.resource, right.subresource))) for right in MIGRATE_RIGHTS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Widening:
    """What one write of a role or binding makes wider; everything empty for another kind and for a DELETE."""

    gives: Sequence[Attributes] = ()
    """The migrate rights that a role has afterwards and had not before."""
    how: str = ""
    """How it has those: ``explicit``, ``wildcard`` or ``aggregation``."""
    aggregates_into: Sequence[str] = ()
    """Aggregated ClusterRoles that take in a role which carries migrate rights, or take in more of it."""
    labels: Sequence[str] = ()
    """The labels by which they find it."""
    role: ObjectRef | None = None
    """The role that is written, or bound."""
    carries: Sequence[Attributes] = ()
    """The migrate rights that this role carries afterwards."""
    known: bool = True
    """Its rules are known; false where a binding names a role that is not there (yet)."""
    wide_subjects: Sequence[str] = ()
    """Added subjects of a binding that mean whole groups of people or accounts."""


def widening(context: FactContext) -> Widening:
    """Return what the request makes wider."""

    def find(context: FactContext) -> Widening:
        request = context.request
        if request.subresource or request.object is None:
            return Widening()
        if is_about(request, CLUSTER_ROLE) or is_about(request, ROLE):
            return _of_role(context, request.object)
        if is_about(request, CLUSTER_ROLE_BINDING) or is_about(request, ROLE_BINDING):
            return _of_binding(context, request.object)
        return Widening()

    return context.once("rbacWidening", find)


def carried(rules: Iterable[Rule]) -> dict[Attributes, bool]:
    """Return the migrate rights that rules give, each with whether one of them gives it in so many words.

    A rule for some names only counts for what has a name: ``resourceNames`` never match a create.
    """
    found: dict[Attributes, bool] = {}
    for rule in rules:
        named = bool(strings(rule, "resourceNames"))
        anything = {**rule, "resourceNames": []}
        for right in MIGRATE_RIGHTS:
            if not (named and right.verb in NAMELESS) and rule_allows(anything, right):
                found[right] = found.get(right, False) or is_explicit(rule, right)
    return found


def _of_role(context: FactContext, after: Object) -> Widening:
    old = context.request.old_object
    own, own_before = carried(mappings(after, "rules")), carried(mappings(old, "rules"))
    taken, taken_before = _taken_in(context, after), _taken_in(context, old)
    carries = _ordered(own.keys() | taken)
    gives = _ordered((own.keys() - own_before) | (taken - taken_before - own_before.keys()))
    targets, labels = _targets(context, after) if carries else ([], [])
    if not gives and old is not None:
        # Nothing new in the role: only who takes it in anew counts.
        before, _ = _targets(context, old)
        targets = [name for name in targets if name not in before]
    return Widening(
        gives=gives,
        how=_how(after, own, gives),
        aggregates_into=targets,
        labels=labels if targets else (),
        role=context.request.subject,
        carries=carries,
    )


def _how(role: Object, own: Mapping[Attributes, bool], gives: Sequence[Attributes]) -> str:
    if not gives:
        return ""
    if _selectors(role):
        return "aggregation"
    return "explicit" if any(own[right] for right in gives) else "wildcard"


def _taken_in(context: FactContext, role: Object | None) -> frozenset[Attributes]:
    """The migrate rights of the roles that an aggregated one takes in; a controller copies their rules later."""
    found: set[Attributes] = set()
    for component in aggregated(context.view, role, context.deadline):
        found |= carried(mappings(component, "rules")).keys()
    return frozenset(found)


def _ordered(rights: Iterable[Attributes]) -> list[Attributes]:
    wanted = set(rights)
    return [right for right in MIGRATE_RIGHTS if right in wanted]


def _selectors(role: Object | None) -> Sequence[Mapping[str, Any]]:
    return mappings(role, "aggregationRule", "clusterRoleSelectors")


def _targets(context: FactContext, role: Object) -> tuple[list[str], list[str]]:
    """Return the aggregated ClusterRoles that take in a role, through any number of steps, and by which labels."""
    if not is_about(context.request, CLUSTER_ROLE):
        return [], []
    aggregating = context.view.select(CLUSTER_ROLE, "aggregating", ANY)
    own, labels = context.request.subject.name, labels_of(role)
    keys: set[str] = set()
    found: set[str] = set()
    waiting: list[Mapping[str, str]] = [labels]
    while waiting:
        current = waiting.pop()
        context.deadline.check("the aggregated ClusterRoles were looked at")
        for target in aggregating:
            matching = [selector for selector in _selectors(target) if selects(selector, current)]
            name = name_of(target)
            if not matching or name in found or name == own:
                continue
            found.add(name)
            waiting.append(labels_of(target))
            if current is labels:
                keys.update(key for selector in matching for key in _keys(selector))
    return sorted(found), sorted(keys & labels.keys())


def _keys(selector: Mapping[str, Any]) -> set[str]:
    return {*mapping(selector, "matchLabels"), *(text(one, "key") for one in mappings(selector, "matchExpressions"))}


def _of_binding(context: FactContext, after: Object) -> Widening:
    role, rules = role_of(context.view, after, context.deadline)
    watched = CLUSTER_ROLE if role.kind == CLUSTER_ROLE.kind else ROLE
    known = context.view.get(watched, role.namespace, role.name) is not None
    carries = _ordered(carried(rules))
    counts = carries or not known or _is_trusted(context, role)
    added = wide_subjects(after) if counts else []
    before = frozenset(wide_subjects(context.request.old_object))
    return Widening(role=role, carries=carries, known=known, wide_subjects=[one for one in added if one not in before])


def _is_trusted(context: FactContext, role: ObjectRef | None) -> bool:
    return role is not None and role.kind == CLUSTER_ROLE.kind and role.name in trusted_roles(context)


def undo(context: FactContext) -> str:
    """Return the command that takes back what the request makes wider; empty if it makes nothing wider.

    A label is taken off where the role itself is to stay; else what was made is deleted, and what was changed edited.
    """
    found, request = widening(context), context.request
    if not (found.gives or found.aggregates_into or found.wide_subjects):
        return ""
    stays = request.old_object is not None or _is_trusted(context, request.subject)
    if found.aggregates_into and stays:
        labels = (f"{label}-" for label in found.labels)
        return shlex.join(["oc", "label", request.kind.kind.lower(), request.subject.name, *labels])
    return take_back(request)


def take_back(request: AdmissionRequest) -> str:
    """Return the command that deletes the role or binding that the request makes, or edits the one that it changes."""
    subject = request.subject
    where = ["-n", subject.namespace] if subject.namespace else []
    verb = "delete" if request.old_object is None else "edit"
    return shlex.join(["oc", verb, request.kind.kind.lower(), subject.name, *where])


def _texts(rights: Sequence[Attributes]) -> JSON:
    return [f"{right.verb} {_NAMES[right]}" for right in rights]


FACTS = (
    Fact(
        "rbac.gives",
        "list(string)",
        "For a write of a Role or ClusterRole: the migrate rights that it has afterwards and had not before.",
        lambda context: _texts(widening(context).gives),
    ),
    Fact(
        "rbac.how",
        "string",
        "How it has them: explicit, wildcard (only through `*`), or aggregation (from ClusterRoles that its selectors "
        "match); empty if it gains none.",
        lambda context: widening(context).how,
    ),
    Fact(
        "rbac.aggregatesInto",
        "list(string)",
        "Aggregated ClusterRoles (admin, edit, …) that take in a ClusterRole with migrate rights through this write.",
        lambda context: list(widening(context).aggregates_into),
    ),
    Fact(
        "rbac.aggregationLabels",
        "list(string)",
        "The labels of the written ClusterRole by which those find it.",
        lambda context: list(widening(context).labels),
    ),
    Fact(
        "rbac.role",
        "string",
        "The role that is written or bound, such as `ClusterRole kubevirt.io:migrate`.",
        lambda context: str(widening(context).role or "").strip(),
    ),
    Fact(
        "rbac.carries",
        "list(string)",
        "The migrate rights that the written or bound role carries.",
        lambda context: _texts(widening(context).carries),
    ),
    Fact(
        "rbac.roleKnown",
        "bool",
        "False for a binding to a role that is not there (yet), whose rights are thus not known.",
        lambda context: widening(context).known,
    ),
    Fact(
        "rbac.wideSubjects",
        "list(string)",
        "Subjects that a write of a binding adds and that mean whole crowds, such as system:authenticated; only if the "
        "role carries migrate rights, or is not known.",
        lambda context: list(widening(context).wide_subjects),
    ),
    Fact(
        "rbac.trusted",
        "bool",
        "The written or bound role is a trusted ClusterRole: giving it to those who need it is the intended way.",
        lambda context: _is_trusted(context, widening(context).role),
    ),
    Fact(
        "rbac.undo",
        "string",
        "The command that takes back what the write makes wider; empty if it makes nothing wider.",
        undo,
    ),
)
