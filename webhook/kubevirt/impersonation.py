"""Whether a write of a role gives the right to act as somebody whom migguard takes for a component of the system.

migguard judges the account that the API server shows it. Whoever may impersonate virt-controller, or have a token of it
made, is never refused, and the record names virt-controller.

Source: Kubernetes ``staging/src/k8s.io/apiserver/pkg/endpoints/filters/impersonation`` (users and groups are asked for
without a namespace, a service account, also one named as a user, in its own);
``pkg/registry/core/serviceaccount/storage/token.go`` (a token is made by a create of ``serviceaccounts/NAME/token``).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from webhook.kubevirt.rbac import MASTERS, aggregated, rule_allows
from webhook.kubevirt.rbacchange import take_back, widening
from webhook.kubevirt.requester import Origin, classify, located
from webhook.kubevirt.resources import CLUSTER_ROLE, ROLE
from webhook.kubevirt.workload import is_about
from webhook.model.facts import Attributes, Fact, FactContext
from webhook.model.objects import Object, mappings, strings
from webhook.model.request import UserInfo

Rule = Mapping[str, Any]

_USERS = Attributes(verb="impersonate", group="", resource="users")
_GROUPS = Attributes(verb="impersonate", group="", resource="groups")
_ACCOUNTS = Attributes(verb="impersonate", group="", resource="serviceaccounts")
_TOKENS = Attributes(verb="create", group="", resource="serviceaccounts", subresource="token")
_OF_ACCOUNTS = (_ACCOUNTS, _TOKENS)
RIGHTS = {
    _USERS: "impersonate users",
    _GROUPS: "impersonate groups",
    _ACCOUNTS: "impersonate serviceaccounts",
    _TOKENS: "create serviceaccounts/token",
}
"""These rights, and how messages call them."""

_CONTROL_PLANE = "kube-system"
"""Where the accounts of Kubernetes' own controllers are."""
_ACCOUNT_PREFIX = "system:serviceaccount:"


def account_namespaces(context: FactContext) -> list[str]:
    """Return the namespaces whose service accounts count as components of the system: KubeVirt's first."""
    installed = strings(_parameters(context), "installNamespaces")
    configured = (
        account.removeprefix(_ACCOUNT_PREFIX).partition(":")[0]
        for account in strings(context.parameters, "systemAccounts")
        if account.startswith(_ACCOUNT_PREFIX)
    )
    return list(dict.fromkeys((*installed, _CONTROL_PLANE, *configured)))


def impersonates(context: FactContext) -> list[Attributes]:
    """Return the rights that a Role or ClusterRole gains by this write; none for another request.

    A namespaced role counts only where those accounts are, and only for them: no RoleBinding gives a right over users
    and groups, which have no namespace. A rule that allows everything gives the migrate rights too, and is told of
    there: see :func:`webhook.kubevirt.rbacchange.widening`.
    """
    return context.once("impersonates", _impersonates)


def _impersonates(context: FactContext) -> list[Attributes]:
    request = context.request
    namespaced = is_about(request, ROLE)
    if request.object is None or request.subresource or not (namespaced or is_about(request, CLUSTER_ROLE)):
        return []
    if namespaced and request.namespace not in account_namespaces(context):
        return []
    told = widening(context).how not in {"", "explicit"}
    wanted = _OF_ACCOUNTS if namespaced else tuple(RIGHTS)
    own, taken = _carried(context, request.object, told=told)
    own_before, taken_before = _carried(context, request.old_object)
    gained = (own - own_before) | (taken - taken_before - own_before)
    return [right for right in wanted if right in gained]


def _carried(
    context: FactContext, role: Object | None, *, told: bool = False
) -> tuple[set[Attributes], set[Attributes]]:
    """Return the rights of a role's own rules, and those that a controller copies into an aggregated one."""
    components = aggregated(context.view, role, context.deadline)
    taken = (rule for component in components for rule in mappings(component, "rules"))
    return _given(context, mappings(role, "rules"), told=told), _given(context, taken, told=told)


def _given(context: FactContext, rules: Iterable[Rule], *, told: bool) -> set[Attributes]:
    counted = [rule for rule in rules if not (told and _is_everything(rule))]
    return {right for right in RIGHTS for rule in counted if _gives(context, rule, right)}


def _is_everything(rule: Rule) -> bool:
    return all("*" in strings(rule, part) for part in ("verbs", "apiGroups", "resources"))


def _gives(context: FactContext, rule: Rule, right: Attributes) -> bool:
    """Say whether a rule gives a right over somebody who matters; one for some names only, over one of those."""
    names = strings(rule, "resourceNames")
    if not names:
        return rule_allows(rule, right)
    return any(rule_allows(rule, replace(right, name=name)) for name in names if _matters(context, right, name))


def _matters(context: FactContext, right: Attributes, name: str) -> bool:
    """Say whether this is somebody whom migguard never refuses, or a group that holds every right."""
    if right is _GROUPS:
        return name == MASTERS
    if right is _USERS:
        return not name.startswith(_ACCOUNT_PREFIX) and _is_system(context, name)
    own = context.request.namespace
    candidates = [own] if own else account_namespaces(context)
    return any(_is_system(context, f"{_ACCOUNT_PREFIX}{namespace}:{name}") for namespace in candidates)


def _is_system(context: FactContext, username: str) -> bool:
    return classify(UserInfo(username=username), _parameters(context), context.request) is not Origin.USER


def _parameters(context: FactContext) -> Mapping[str, Any]:
    return context.once("located", lambda context: located(context.parameters, context.view))


def _texts(rights: Sequence[Attributes]) -> list[str]:
    return [RIGHTS[right] for right in rights]


FACTS = (
    Fact(
        "rbac.impersonates",
        "list(string)",
        "For a write of a Role or ClusterRole: the rights to act as a component of the system (or as anybody) that it "
        f"has afterwards and had not before: {', '.join(RIGHTS.values())}. Not those of a rule that allows everything, "
        "of which rbac.gives tells.",
        lambda context: _texts(impersonates(context)),
    ),
    Fact(
        "rbac.accountNamespaces",
        "list(string)",
        "The namespaces whose service accounts count as components of the system: KubeVirt's, kube-system, and those "
        "of the Parameters' systemAccounts.",
        account_namespaces,
    ),
    Fact(
        "rbac.impersonationUndo",
        "string",
        "The command that takes back what rbac.impersonates tells of; empty if that is nothing.",
        lambda context: take_back(context.request) if impersonates(context) else "",
    ),
)
