"""Kubernetes RBAC, evaluated over cached or given objects: who may do what, and through which binding.

Source: Kubernetes ``plugin/pkg/auth/authorizer/rbac/rbac.go``, ``pkg/registry/rbac/validation/rule.go``,
``pkg/apis/rbac/v1/evaluation_helpers.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from webhook.kubevirt.indexkeys import UNINDEXED_LABELS, label_pair, subject_key, subjects_of
from webhook.kubevirt.resources import CLUSTER_ROLE, CLUSTER_ROLE_BINDING, ROLE, ROLE_BINDING
from webhook.model.facts import Attributes, ClusterView, Deadline
from webhook.model.objects import Object, ObjectRef, labels_of, mapping, mappings, name_of, namespace_of, strings, text
from webhook.model.request import UserInfo
from webhook.model.selectors import selects

MASTERS = "system:masters"
"""Members of this group may do everything; no RBAC object is asked."""

_SERVICE_ACCOUNT = "system:serviceaccount:"
_SUBJECT_WORDS = {"User": "user", "Group": "group", "ServiceAccount": "service account"}


class How(StrEnum):
    """How a right comes about."""

    TRUSTED = "trusted role"
    """By a ClusterRole by which it is given on purpose."""
    AGGREGATION = "aggregation"
    """By an aggregated ClusterRole: a controller put in the rules of others, found by their labels."""
    WILDCARD = "wildcard"
    """By a rule that names it only through ``*``."""
    CUSTOM = "custom role"
    """By another role, in so many words."""
    MASTERS = "system:masters"
    """By membership of a group that may do everything."""
    OTHER = "another authorizer"
    """Not by RBAC."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Grant:
    """One way in which a right is held."""

    role: ObjectRef
    """A ClusterRole, or a Role with its namespace."""
    binding: ObjectRef
    """The ClusterRoleBinding or RoleBinding."""
    subject: ObjectRef
    """Through which of its subjects: ``User alice``, ``Group devs``, ``ServiceAccount prod/robot``."""
    rule: Mapping[str, Any]
    """The first rule of the role that grants it."""
    how: How
    through: tuple[str, ...] = ()
    """By aggregation: the ClusterRoles that the rule comes from; none if the controller has yet to take it away."""

    def __str__(self) -> str:
        subject = str(self.subject).replace(self.subject.kind, _SUBJECT_WORDS[self.subject.kind], 1)
        return f"{self.binding} to {self.role} ({subject}{self._manner})"

    @property
    def _manner(self) -> str:
        if self.how is How.AGGREGATION:
            sources = ", ".join(f"ClusterRole {name}" for name in self.through)
            return f"; aggregated from {sources}" if sources else "; aggregated from a ClusterRole that is gone"
        return "; by wildcard" if self.how is How.WILDCARD else ""


def grants(
    view: ClusterView, user: UserInfo, attributes: Attributes, deadline: Deadline, trusted: Container[str] = ()
) -> list[Grant]:
    """List every way in which RBAC objects grant this, cluster-wide ones first; found by index, never by walking.

    A RoleBinding grants only in its own namespace, whatever the kind of its role. ``system:masters`` is not looked at.
    ``trusted`` are the names of the ClusterRoles by which the right is given on purpose.
    """
    found = []
    for binding, subject in bindings_of(view, user, attributes.namespace):
        role, rules = role_of(view, binding, deadline)
        rule = next((rule for rule in rules if rule_allows(rule, attributes)), None)
        if rule is not None:
            how = _manner_of(view, role, rule, attributes, trusted)
            through = components(view, role.name, attributes, deadline) if how is How.AGGREGATION else ()
            reference = _reference(binding)
            found.append(Grant(role=role, binding=reference, subject=subject, rule=rule, how=how, through=through))
    return found


def _manner_of(
    view: ClusterView, role: ObjectRef, rule: Mapping[str, Any], attributes: Attributes, trusted: Container[str]
) -> How:
    if role.kind == CLUSTER_ROLE.kind:
        if role.name in trusted:
            return How.TRUSTED
        if mappings(view.get(CLUSTER_ROLE, "", role.name), "aggregationRule", "clusterRoleSelectors"):
            return How.AGGREGATION
    return How.CUSTOM if is_explicit(rule, attributes) else How.WILDCARD


def components(view: ClusterView, name: str, attributes: Attributes, deadline: Deadline) -> tuple[str, ...]:
    """Return the ClusterRoles whose rules give an aggregated one this right, through any number of steps, by name."""
    found = {
        name_of(role)
        for role, taken in _with_components(view, name, deadline)
        if name_of(role) != name
        and not taken
        and any(rule_allows(rule, attributes) for rule in mappings(role, "rules"))
    }
    return tuple(sorted(found))


def bindings_of(view: ClusterView, user: UserInfo, namespace: str) -> Iterator[tuple[Object, ObjectRef]]:
    """Yield each binding that applies to ``user`` in ``namespace`` once, with the first subject it applies through."""
    subjects = subjects_for(user)
    for watched, prefix in ((CLUSTER_ROLE_BINDING, ""), (ROLE_BINDING, f"{namespace}/")):
        if watched is ROLE_BINDING and not namespace:
            continue
        seen = set()
        for key, subject in subjects.items():
            for binding in view.select(watched, "subject", prefix + key):
                if name_of(binding) not in seen and key in subjects_of(binding):
                    seen.add(name_of(binding))
                    yield binding, subject


def subjects_for(user: UserInfo) -> dict[str, ObjectRef]:
    """Return the RBAC subjects that mean ``user``, by their index keys.

    Groups are those of the request alone: the API server has already added ``system:authenticated``,
    ``system:serviceaccounts`` and the like.
    """
    found = {subject_key("User", user.username): ObjectRef("User", "", user.username)} if user.username else {}
    account = user.username.removeprefix(_SERVICE_ACCOUNT)
    namespace, separator, name = account.partition(":")
    if account != user.username and separator and namespace and name and ":" not in name:
        found[subject_key("ServiceAccount", name, namespace)] = ObjectRef("ServiceAccount", namespace, name)
    found.update((subject_key("Group", group), ObjectRef("Group", "", group)) for group in user.groups)
    return found


def role_of(view: ClusterView, binding: Object, deadline: Deadline) -> tuple[ObjectRef, Sequence[Mapping[str, Any]]]:
    """Return the role that a binding refers to and its rules; without rules if there is no such role."""
    kind, name = text(binding, "roleRef", "kind"), text(binding, "roleRef", "name")
    if kind == CLUSTER_ROLE.kind:
        return ObjectRef(kind, "", name), cluster_role_rules(view, name, deadline)
    namespace = namespace_of(binding)
    if kind == ROLE.kind and namespace:
        return ObjectRef(kind, namespace, name), mappings(view.get(ROLE, namespace, name), "rules")
    return ObjectRef(kind, "", name), ()


def cluster_role_rules(view: ClusterView, name: str, deadline: Deadline) -> Sequence[Mapping[str, Any]]:
    """Return the rules of a ClusterRole.

    The API server reads only ``rules``; a controller fills those of an aggregated role. In manifests no controller did,
    so an aggregated role without rules gets those of the roles that its selectors match, through any number of steps.

    Source: Kubernetes ``pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go``.
    """
    found = _with_components(view, name, deadline, unless=_has_rules)
    return [rule for role, _ in found for rule in mappings(role, "rules")]


def _has_rules(role: Object) -> bool:
    return bool(mappings(role, "rules"))


def _with_components(
    view: ClusterView, name: str, deadline: Deadline, unless: Callable[[Object], bool] = lambda _: False
) -> Iterator[tuple[Object, Sequence[Object]]]:
    """Yield a ClusterRole and those that it takes in, and then each of those, through any number of steps.

    One that ``unless`` holds of is taken as taking in none.
    """
    seen = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        role = None if current in seen else view.get(CLUSTER_ROLE, "", current)
        seen.add(current)
        if role is not None:
            taken = () if unless(role) else aggregated(view, role, deadline)
            yield role, taken
            waiting.extend(name_of(one) for one in reversed(taken))


def aggregated(view: ClusterView, role: Object | None, deadline: Deadline) -> list[Object]:
    """Return the ClusterRoles that the selectors of an aggregated one match, but itself, by name.

    They are found by a label that a selector asks for; only one that asks for none by its value has all looked at.
    """
    tried = (
        (selector, candidate)
        for selector in mappings(role, "aggregationRule", "clusterRoleSelectors")
        for candidate in _candidates(view, selector)
    )
    found = {
        name_of(candidate): candidate
        for selector, candidate in deadline.walk(tried, "it was known which ClusterRoles an aggregated one takes in")
        if selects(selector, labels_of(candidate))
    }
    found.pop(name_of(role), None)
    return [found[name] for name in sorted(found)]


def _candidates(view: ClusterView, selector: Mapping[str, Any]) -> Sequence[Object]:
    pair = next(_indexed_pairs(selector), "")
    return view.select(CLUSTER_ROLE, "label", pair) if pair else view.list(CLUSTER_ROLE)


def _indexed_pairs(selector: Mapping[str, Any]) -> Iterator[str]:
    for key, wanted in mapping(selector, "matchLabels").items():
        if isinstance(wanted, str) and key not in UNINDEXED_LABELS:
            yield label_pair(key, wanted)


def rule_allows(rule: Mapping[str, Any], attributes: Attributes) -> bool:
    """Say whether one rule grants a request for a resource, or for a path that is not one.

    ``resourceNames`` are compared with the name of the request, so they never match a create or deletecollection, which
    have none.
    """
    if attributes.path:
        return _named(strings(rule, "verbs"), attributes.verb) and any(
            url == attributes.path or (url.endswith("*") and attributes.path.startswith(url[:-1]))
            for url in strings(rule, "nonResourceURLs")
        )
    names = strings(rule, "resourceNames")
    return (
        _named(strings(rule, "verbs"), attributes.verb)
        and _named(strings(rule, "apiGroups"), attributes.group)
        and _resource_matches(strings(rule, "resources"), attributes)
        and (not names or attributes.name in names)
    )


def is_explicit(rule: Mapping[str, Any], attributes: Attributes) -> bool:
    """Say whether a rule that grants this names verb, group and resource, none of them by ``*``."""
    resource = f"{attributes.resource}/{attributes.subresource}" if attributes.subresource else attributes.resource
    return (
        attributes.verb in strings(rule, "verbs")
        and attributes.group in strings(rule, "apiGroups")
        and resource in strings(rule, "resources")
    )


def _named(entries: Sequence[str], wanted: str) -> bool:
    return "*" in entries or wanted in entries


def _resource_matches(resources: Sequence[str], attributes: Attributes) -> bool:
    if not attributes.subresource:
        return _named(resources, attributes.resource)
    combined = f"{attributes.resource}/{attributes.subresource}"
    return _named(resources, combined) or f"*/{attributes.subresource}" in resources


def _reference(binding: Object) -> ObjectRef:
    namespace = namespace_of(binding)
    watched = ROLE_BINDING if namespace else CLUSTER_ROLE_BINDING
    return ObjectRef(watched.kind, namespace, name_of(binding))


@dataclass(frozen=True, slots=True)
class RBACAuthorizer:
    """Answers permission questions from RBAC objects, like a kube-apiserver with ``--authorization-mode=RBAC``."""

    view: ClusterView

    def allows(
        self,
        user: UserInfo,
        attributes: Attributes,
        *,
        deadline: Deadline,
        fresh: bool = False,  # noqa: ARG002 - answers are not cached here
    ) -> bool:
        """Say whether ``user`` may; see :class:`webhook.model.facts.Authorizer`."""
        deadline.check(f"asking whether {user.username} can {attributes}")
        return MASTERS in user.groups or bool(grants(self.view, user, attributes, deadline))
