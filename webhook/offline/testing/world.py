"""What the cases of a policy test are decided in: policies, cluster state and answers to permission questions."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any, TypeAlias

from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.cluster import manifests
from webhook.cluster.store import Store
from webhook.errors import FactUnavailable, PolicyError, Problem
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Attributes, Authorizer, Deadline, WatchedResource
from webhook.model.objects import Object, ObjectRef, mapping, name_of, namespace_of, text
from webhook.model.request import Operation, UserInfo
from webhook.offline.testing.declared import DeclaredView
from webhook.offline.testing.stated import Absent, Review
from webhook.offline.testing.suite import Case, Suite
from webhook.policy import loader
from webhook.policy.compiled import compile_policies
from webhook.policy.document import Documents
from webhook.policy.policyset import PolicySet
from webhook.policy.spelling import nearest
from webhook.source.parsed import FilePath

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


def documents_of(suite: Suite) -> Documents:
    """Load the policies that a suite names, with its parameters. Raises PolicyError."""
    documents = loader.load(suite.policies, now=suite.now or datetime.now(UTC))
    if suite.parameters is None:
        return documents
    parameters = loader.full_parameters(overlaid(documents.parameters, mapping(suite.parameters.value, "spec")))
    return replace(documents, parameters=parameters, parameters_document=suite.parameters)


def policies_of(suite: Suite, known: dict[str, PolicySet] | None = None) -> PolicySet:
    """Load and compile the policies that a suite names. Raises PolicyError, also for cases that name another policy.

    ``known`` holds what was loaded before: suites of the same files, parameters and time share one policy set.
    """
    shared = {} if known is None else known
    parameters = suite.parameters.value if suite.parameters else None
    key = json.dumps([[*map(str, suite.policies)], parameters, str(suite.now)], sort_keys=True)
    if key not in shared:
        shared[key] = _compiled(documents_of(suite))
    problems = tuple(_misnamed(suite, {policy.name for policy in shared[key].policies}))
    if problems:
        raise PolicyError(problems)
    return shared[key]


def _compiled(documents: Documents) -> PolicySet:
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


def _misnamed(suite: Suite, names: Collection[str]) -> Iterator[Problem]:
    for case in suite.cases:
        expected = [(("policy",), case.expect.policy), *((("results", name), name) for name in case.expect.results)]
        for path, name in expected:
            if name is not None and name not in names:
                where = suite.document.where((*case.path, "expect", *path))
                yield Problem(where, f"the test has no policy '{name}'", nearest(name, sorted(names)))


def store_of(suite: Suite) -> Store:
    """Return the cluster state of a suite: its manifests, with its own objects in place of those of the same name.

    Raises PolicyError for an object (of its cases too) of a kind that migguard does not read, that is there twice, or
    that is stated to be absent as well, and InputError for manifests that cannot be read.
    """
    held: _Held = {row: {} for row in RESOURCES}
    if suite.cluster:
        for obj in manifests.load(suite.cluster, RESOURCES).objects:
            held[_KINDS[_type_of(obj)]][namespace_of(obj), name_of(obj)] = obj
    problems = [*_problems(suite, ("spec",), suite.objects, suite.absent)]
    for case in suite.cases:
        problems += _problems(suite, case.path, case.objects, case.absent)
    if problems:
        raise PolicyError(tuple(problems))
    return _filled(held, suite.objects)


def world_of(suite: Suite, case: Case, store: Store) -> World:
    """Return what one case is decided in: stated answers if there are any, else RBAC on its objects."""
    if case.objects or case.absent:
        store = _filled(_held(store, case.absent), case.objects)
    absent = [*suite.absent, *case.absent]
    request = case.request
    if request.operation is Operation.CREATE and not request.subresource:  # it cannot be there yet
        absent.append(Absent(request.kind.kind, request.namespace, request.name))
    view = DeclaredView(store, absent)
    reviews = (*case.reviews, *suite.reviews)
    authorizer: Authorizer = StatedAuthorizer(reviews) if reviews else RBACAuthorizer(view)
    return World(view, authorizer)


_Held: TypeAlias = "dict[WatchedResource, dict[tuple[str, str], Object]]"


def _held(store: Store, absent: Sequence[Absent]) -> _Held:
    """The objects of a store but those that are not to be there."""
    return {
        watched: {
            (namespace_of(obj), name_of(obj)): obj
            for obj in store.held_in(watched)
            if not any(one.covers(watched.kind, namespace_of(obj), name_of(obj)) for one in absent)
        }
        for watched in RESOURCES
    }


def _filled(held: _Held, objects: Iterable[Object]) -> Store:
    """A store of these objects, with others laid over them."""
    for obj in objects:
        watched = _KINDS[_type_of(obj)]
        namespace = _namespace(obj, watched)
        placed = {**obj, "metadata": {**mapping(obj, "metadata"), "namespace": namespace}} if namespace else obj
        held[watched][namespace, name_of(obj)] = placed
    store = Store(RESOURCES)
    for watched, found in held.items():
        store.replace(watched, found.values())
    return store


def _namespace(obj: Object, watched: WatchedResource) -> str:
    return (namespace_of(obj) or "default") if watched.namespaced else ""


def _problems(suite: Suite, path: FilePath, objects: Sequence[Object], absent: Sequence[Absent]) -> Iterator[Problem]:
    """Find what is wrong with the objects of a suite or a case."""
    own: set[ObjectRef] = set()
    for index, obj in enumerate(objects):
        problem = _problem(obj, own, absent)
        if problem:
            yield Problem(suite.document.where((*path, "objects", index)), *problem)


def _problem(obj: Object, own: set[ObjectRef], absent: Sequence[Absent]) -> tuple[str, str] | None:
    """Message and hint for an object that cannot be in a cluster."""
    watched = _KINDS.get(_type_of(obj))
    kind = f"{text(obj, 'apiVersion')} {text(obj, 'kind')}"
    if watched is None:
        hint = nearest(text(obj, "kind"), (row.kind for row in RESOURCES))
        return f"no fact reads objects of {kind}", hint or f"kinds that are read: {_names(RESOURCES)}"
    if not name_of(obj):
        return f"the {kind} has no metadata.name", "objects of a cluster have names"
    if namespace_of(obj) and not watched.namespaced:
        return f"{kind} is cluster-scoped", "remove metadata.namespace"
    reference = ObjectRef(watched.kind, _namespace(obj, watched), name_of(obj))
    if reference in own:
        return f"{reference} is there twice", "remove one of them"
    if Absent(reference.kind, reference.namespace, reference.name) in absent:
        return f"{reference} is declared, and stated to be absent", "remove one of the two"
    own.add(reference)
    return None


def _type_of(obj: Object) -> tuple[str, str]:
    group, slash, _ = text(obj, "apiVersion").rpartition("/")
    return (group if slash else "", text(obj, "kind"))


def _names(rows: Iterable[WatchedResource]) -> str:
    return ", ".join(sorted(row.kind for row in rows))


def overlaid(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """Lay one tree of settings over another; lists and scalars are replaced."""
    merged = dict(base)
    for key, item in over.items():
        below = merged.get(key)
        merged[key] = overlaid(below, item) if isinstance(item, Mapping) and isinstance(below, Mapping) else item
    return merged
