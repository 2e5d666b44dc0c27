"""What the cases of a policy test are decided in: policies, cluster state and answers to permission questions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.cluster import manifests
from webhook.cluster.store import Store
from webhook.errors import FactUnavailable, PolicyError, Problem
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Attributes, Authorizer, Deadline, WatchedResource
from webhook.model.objects import Object, mapping, name_of, namespace_of, text
from webhook.model.request import UserInfo
from webhook.offline.suite import Review, Suite
from webhook.policy import loader
from webhook.policy.compiled import compile_policies
from webhook.policy.policyset import PolicySet
from webhook.policy.spelling import nearest

_KINDS = {(row.resource.group, row.kind): row for row in RESOURCES}


@dataclass(slots=True)
class StatedAuthorizer:
    """Answers permission questions from a list; notes those that the list does not answer. Used by one thread."""

    reviews: tuple[Review, ...]
    unanswered: list[str] = field(default_factory=list)
    """In the words of ``kubectl auth can-i``, with who was asked for."""

    def allows(
        self,
        user: UserInfo,
        attributes: Attributes,
        *,
        deadline: Deadline,
        fresh: bool = False,  # noqa: ARG002 - answers are not cached here
    ) -> bool:
        """See Authorizer."""
        deadline.check(f"asking whether {user.username} can {attributes}")
        for review in self.reviews:
            if review.user in {user.username, "*"} and review.question == str(attributes):
                return review.allowed
        question = f"{user.username}: {attributes}"
        self.unanswered.append(question)
        raise FactUnavailable(f"the test's accessReviews do not say whether {user.username} can {attributes}")


def policies_of(suite: Suite) -> PolicySet:
    """Load and compile the policies that a suite names, with its parameters. Raises PolicyError."""
    documents = loader.load(suite.policies, now=suite.now or datetime.now(UTC))
    if suite.parameters:
        overlaid = loader.full_parameters(_overlaid(documents.parameters, mapping(suite.parameters.value, "spec")))
        documents = replace(documents, parameters=overlaid, parameters_document=suite.parameters)
    policies, problems = compile_policies(documents, CATALOG)
    if problems:
        raise PolicyError(problems)
    return PolicySet(
        revision=f"sha256:{documents.digest[:16]}",
        policies=policies,
        exemptions=documents.exemptions,
        parameters=documents.parameters,
        catalog=CATALOG,
    )


def store_of(suite: Suite) -> Store:
    """Return the cluster state of a suite: its manifests, with its own objects in place of those of the same name.

    Raises PolicyError for an object of a kind that migguard does not read, or that is there twice, and InputError for
    manifests that cannot be read.
    """
    held: dict[WatchedResource, dict[tuple[str, str], Object]] = {row: {} for row in RESOURCES}
    if suite.cluster:
        for obj in manifests.load(suite.cluster, RESOURCES).objects:
            held[_KINDS[_type_of(obj)]][namespace_of(obj), name_of(obj)] = obj
    own: set[tuple[WatchedResource, str, str]] = set()
    problems = []
    for index, obj in enumerate(suite.objects):
        problem = _place(obj, held, own)
        if problem:
            problems.append(Problem(suite.document.where(("spec", "objects", index)), *problem))
    if problems:
        raise PolicyError(tuple(problems))
    store = Store(RESOURCES)
    for watched, objects in held.items():
        store.replace(watched, objects.values())
    return store


def world_of(suite: Suite, store: Store) -> World:
    """Return what one case is decided in: stated answers if the suite has any, else RBAC on its objects."""
    authorizer: Authorizer = StatedAuthorizer(suite.reviews) if suite.reviews else RBACAuthorizer(store)
    return World(store, authorizer)


def _place(
    obj: Object,
    held: Mapping[WatchedResource, dict[tuple[str, str], Object]],
    own: set[tuple[WatchedResource, str, str]],
) -> tuple[str, str] | None:
    """Put one object where it belongs, or return message and hint."""
    watched = _KINDS.get(_type_of(obj))
    kind = f"{text(obj, 'apiVersion')} {text(obj, 'kind')}"
    if watched is None:
        hint = nearest(text(obj, "kind"), (row.kind for row in RESOURCES))
        return f"no fact reads objects of {kind}", hint or f"kinds that are read: {_names(RESOURCES)}"
    if not name_of(obj):
        return f"the {kind} has no metadata.name", "objects of a cluster have names"
    if namespace_of(obj) and not watched.namespaced:
        return f"{kind} is cluster-scoped", "remove metadata.namespace"
    namespace = (namespace_of(obj) or "default") if watched.namespaced else ""
    if (watched, namespace, name_of(obj)) in own:
        return f"{kind} {namespace}/{name_of(obj)} is there twice", "remove one of them"
    own.add((watched, namespace, name_of(obj)))
    placed = {**obj, "metadata": {**mapping(obj, "metadata"), "namespace": namespace}} if namespace else obj
    held[watched][namespace, name_of(obj)] = placed
    return None


def _type_of(obj: Object) -> tuple[str, str]:
    group, slash, _ = text(obj, "apiVersion").rpartition("/")
    return (group if slash else "", text(obj, "kind"))


def _names(rows: Iterable[WatchedResource]) -> str:
    return ", ".join(sorted(row.kind for row in rows))


def _overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of settings over another; lists and scalars are replaced."""
    merged = dict(base)
    for key, item in over.items():
        below = merged.get(key)
        merged[key] = _overlaid(below, item) if isinstance(item, Mapping) and isinstance(below, Mapping) else item
    return merged
