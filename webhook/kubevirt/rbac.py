"""Kubernetes RBAC, evaluated over cached or given objects: who may do what, and through which binding.

Source: Kubernetes ``plugin/pkg/auth/authorizer/rbac/rbac.go``, ``pkg/registry/rbac/validation/rule.go``,
``pkg/apis/rbac/v1/evaluation_helpers.go``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.kubevirt.resources import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    ROLE,
    ROLE_BINDING,
    subject_key,
    subjects_of,
)
from webhook.model.facts import Attributes, ClusterView, Deadline
from webhook.model.objects import Object, ObjectRef, labels_of, mapping, mappings, name_of, namespace_of, strings, text
from webhook.model.request import UserInfo
from webhook.model.selectors import selects

MASTERS = "system:masters"
"""Members of this group may do everything; no RBAC object is asked."""

_SERVICE_ACCOUNT = "system:serviceaccount:"


@dataclass(frozen=True, slots=True)
class Grant:
    """One way in which a right is held."""

    role: ObjectRef
    """A ClusterRole, or a Role with its namespace."""
    binding: ObjectRef
    """The ClusterRoleBinding or RoleBinding."""
    subject: str
    """Through which of its subjects: ``user alice``, ``group devs``, ``service account prod/robot``."""
    rule: Mapping[str, Any]
    """The first rule of the role that grants it."""

    def __str__(self) -> str:
        return f"{self.binding} to {self.role} ({self.subject})"


def grants(view: ClusterView, user: UserInfo, attributes: Attributes) -> list[Grant]:
    """List every way in which RBAC objects grant this, cluster-wide ones first; found by index, never by walking.

    A RoleBinding grants only in its own namespace, whatever the kind of its role. ``system:masters`` is not looked at.
    """
    found = []
    for binding, subject in bindings_of(view, user, attributes.namespace):
        role, rules = role_of(view, binding)
        rule = next((rule for rule in rules if rule_allows(rule, attributes)), None)
        if rule is not None:
            found.append(Grant(role, _reference(binding), subject, rule))
    return found


def bindings_of(view: ClusterView, user: UserInfo, namespace: str) -> Iterator[tuple[Object, str]]:
    """Yield each binding that applies to ``user`` in ``namespace`` once, with the first subject it applies through."""
    subjects = subjects_for(user)
    for watched, prefix in ((CLUSTER_ROLE_BINDING, ""), (ROLE_BINDING, f"{namespace}/")):
        if watched is ROLE_BINDING and not namespace:
            continue
        seen = set()
        for key, words in subjects.items():
            for binding in view.select(watched, "subject", prefix + key):
                if name_of(binding) not in seen and key in subjects_of(binding):
                    seen.add(name_of(binding))
                    yield binding, words


def subjects_for(user: UserInfo) -> dict[str, str]:
    """Return the index keys of the RBAC subjects that mean ``user``, each with how to call it.

    Groups are those of the request alone: the API server has already added ``system:authenticated``,
    ``system:serviceaccounts`` and the like.
    """
    found = {subject_key("User", user.username): f"user {user.username}"} if user.username else {}
    account = user.username.removeprefix(_SERVICE_ACCOUNT)
    namespace, separator, name = account.partition(":")
    if account != user.username and separator and namespace and name and ":" not in name:
        found[subject_key("ServiceAccount", name, namespace)] = f"service account {namespace}/{name}"
    found.update((subject_key("Group", group), f"group {group}") for group in user.groups)
    return found


def role_of(view: ClusterView, binding: Object) -> tuple[ObjectRef, Sequence[Mapping[str, Any]]]:
    """Return the role that a binding refers to and its rules; without rules if there is no such role."""
    kind, name = text(binding, "roleRef", "kind"), text(binding, "roleRef", "name")
    if kind == CLUSTER_ROLE.kind:
        return ObjectRef(kind, "", name), cluster_role_rules(view, name)
    namespace = namespace_of(binding)
    if kind == ROLE.kind and namespace:
        return ObjectRef(kind, namespace, name), mappings(view.get(ROLE, namespace, name), "rules")
    return ObjectRef(kind, "", name), ()


def cluster_role_rules(view: ClusterView, name: str) -> Sequence[Mapping[str, Any]]:
    """Return the rules of a ClusterRole.

    The API server reads only ``rules``; a controller fills those of an aggregated role. In manifests no controller did,
    so an aggregated role without rules gets those of the roles that its selectors match, through any number of steps.

    Source: Kubernetes ``pkg/controller/clusterroleaggregation/clusterroleaggregation_controller.go``.
    """
    collected: list[Mapping[str, Any]] = []
    seen: set[str] = set()
    waiting = [name]
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        role = view.get(CLUSTER_ROLE, "", current)
        rules = mappings(role, "rules")
        collected.extend(rules)
        if not rules and mapping(role, "aggregationRule"):
            waiting.extend(reversed(_aggregated(view, role)))
    return collected


def _aggregated(view: ClusterView, role: Object | None) -> list[str]:
    selectors = mappings(role, "aggregationRule", "clusterRoleSelectors")
    return [
        name_of(candidate)
        for candidate in view.list(CLUSTER_ROLE)
        if any(selects(selector, labels_of(candidate)) for selector in selectors)
    ]


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
        return MASTERS in user.groups or bool(grants(self.view, user, attributes))
