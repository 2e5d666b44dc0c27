"""What a refusal of somebody named by name alone is worth: nobody said in which groups they are.

A user's groups come with their credentials and are nowhere in the cluster, and ``kubevirt.io:migrate`` is mostly bound
to groups. A service account's groups follow from its name.

Source: Kubernetes documentation, "Authenticating"; ``staging/src/k8s.io/apiserver/pkg/authentication/group``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace

from webhook.admission.pipeline import World
from webhook.errors import FactUnavailable
from webhook.kubevirt.permission import missing_rights
from webhook.kubevirt.rbac import MASTERS, RBACAuthorizer
from webhook.kubevirt.resources import CLUSTER_ROLE_BINDING, ROLE_BINDING
from webhook.model.facts import ClusterView, FactContext
from webhook.model.objects import mappings, namespace_of, text
from webhook.offline.tracing.factsource import FactSources
from webhook.policy.policyset import PolicySet

EVERYBODY = "system:authenticated"
"""The group that each user is in who is known at all."""
SHOWN = 5
"""Groups that are named."""

_NOBODY_IS_IN = ("system:serviceaccounts", "system:nodes", "system:bootstrappers", "system:unauthenticated", MASTERS)
"""Beginnings of the groups in which no person is whom one would ask about by name."""
_OF_THE_NAME = frozenset(
    {"requester.username", "requester.uid", "requester.origin", "requester.person", "requester.personKnown"}
)
"""Facts of a requester that no group changes."""


def doubt(read: Iterable[str], context: FactContext, policies: PolicySet) -> str:
    """Say in a sentence why a refusal may not hold for the user of a request; empty where it does.

    Args:
        read: The facts that were read where it was refused.
        context: Of the request.
        policies: Their parameters say which roles are trusted.
    """
    user = context.request.user
    by_groups = {name for name in read if name.startswith(("requester.", "authorizer")) and name not in _OF_THE_NAME}
    if not by_groups or not user.username or not {EVERYBODY}.issuperset(user.groups):
        return ""
    judged = f"{user.username} was judged as a member of {EVERYBODY} alone; name other groups with --as-group"
    try:
        return f"{judged} ({_with_the_right(context, policies)})" if missing_rights(context) else judged
    except FactUnavailable as error:
        return f"{judged} (those with the right to migrate are not known: {error})"


def _with_the_right(context: FactContext, policies: PolicySet) -> str:
    where = f"the right to migrate in namespace {context.request.namespace}"
    groups = [group for group in sorted(set(_bound(context.view, context))) if _would_do(group, context, policies)]
    more = f" and {len(groups) - SHOWN} more" if len(groups) > SHOWN else ""
    return f"those with {where}: {', '.join(groups[:SHOWN])}{more}" if groups else f"no binding gives a group {where}"


def _bound(view: ClusterView, context: FactContext) -> Iterator[str]:
    """The groups that any binding in force there names."""
    here = [one for one in view.list(ROLE_BINDING) if namespace_of(one) == context.request.namespace]
    bindings = context.deadline.walk([*view.list(CLUSTER_ROLE_BINDING), *here], "all bindings were looked at")
    for subject in (one for binding in bindings for one in mappings(binding, "subjects")):
        if text(subject, "kind") == "Group" and not text(subject, "name").startswith(_NOBODY_IS_IN):
            yield text(subject, "name")


def _would_do(group: str, context: FactContext, policies: PolicySet) -> bool:
    """Whether it is enough to be in that group, by what RBAC objects say."""
    user = replace(context.request.user, groups=(*context.request.user.groups, group))
    world = World(context.view, RBACAuthorizer(context.view), None)
    member = FactSources(policies, world, context.now).context(replace(context.request, user=user), context.view)
    return not missing_rights(member)
