"""What is not known when manifests are judged without a cluster, or without knowing who will apply them.

Nothing is guessed: such facts are unavailable, with a reason by which a verdict that needs them is told from one that
the webhook could not make either.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from webhook.cluster.store import Store
from webhook.errors import FactUnavailable
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY
from webhook.model.facts import Fact, FactContext, WatchedResource
from webhook.model.objects import JSON, Object
from webhook.model.request import UserInfo
from webhook.policy.policyset import PolicySet

NO_CLUSTER = "no cluster's state is given"
NO_USER = "it is not told who applies the manifests"

ANYBODY = UserInfo(username="whoever applies it", groups=("system:authenticated",))
"""Stands for the user who is not told; the name is for messages."""

_TOLD = frozenset({"requester.username", "requester.origin", "requester.personKnown", "requester.person"})
"""What can be said of anybody who applies manifests: no component of the cluster does."""
_AUTHORIZER = "authorizer"


_CONFIGURATION = frozenset({HYPERCONVERGED.resource, KUBEVIRT.resource, MIGRATION_POLICY.resource})


@dataclass(frozen=True, slots=True)
class ManifestsAlone:
    """A ClusterView of the manifests that are applied and of nothing else: what is not among them is not known.

    Only the migration configuration is taken to be all there, as a repository has one or none: where it has none,
    KubeVirt's defaults hold.
    """

    store: Store

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        found = self.store.get(watched, namespace, name)
        if found is None:
            raise FactUnavailable(NO_CLUSTER)
        return found

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:  # noqa: ARG002 - the port
        """See ClusterView."""
        raise FactUnavailable(NO_CLUSTER)

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        if watched.resource not in _CONFIGURATION:
            raise FactUnavailable(NO_CLUSTER)
        return self.store.list(watched)

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return self.store.last_known(watched)


def for_anybody(policies: PolicySet) -> PolicySet:
    """Return the policies with every fact about the requester unavailable that is not the same for anybody."""

    def asks(fact: Fact) -> bool:
        return fact.name == _AUTHORIZER or (fact.name.startswith("requester.") and fact.name not in _TOLD)

    return _without(policies, asks, NO_USER)


def without_cluster(policies: PolicySet) -> PolicySet:
    """Return the policies with the authorizer unavailable: a check that fails is a no to CEL, and to us not known."""
    return _without(policies, lambda fact: fact.name == _AUTHORIZER, NO_CLUSTER)


def _without(policies: PolicySet, unknown: Callable[[Fact], bool], why: str) -> PolicySet:
    def refuse(_: FactContext) -> JSON:
        raise FactUnavailable(why)

    catalog = {
        name: replace(fact, resolve=refuse) if unknown(fact) else fact for name, fact in policies.catalog.items()
    }
    return replace(policies, catalog=catalog)
