"""The world as a recorded decision knew it: facts, Namespace and answers of the authorizer come from the record.

What is not on record is not guessed: to ask for it raises :class:`NotRecorded`, or it is taken from a cluster state
that was given for the replay.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, NoReturn

from webhook.admission.natives import LAZY_NAMES
from webhook.admission.pipeline import ORIGIN, World
from webhook.audit.basis import digests
from webhook.audit.record import EXTRA
from webhook.errors import FactUnavailable
from webhook.impact.replay.guard import HiddenError, guarded, nothing
from webhook.impact.replay.marks import marked, restored
from webhook.impact.replay.record import Recorded
from webhook.kubevirt.requester import WORKLOAD_UPDATE_ANNOTATION, Origin
from webhook.kubevirt.resources import NAMESPACE
from webhook.model.facts import Attributes, Deadline, Fact, FactCatalog, FactContext, WatchedResource
from webhook.model.objects import JSON, Object, mapping, mappings, same, strings, text
from webhook.model.request import AdmissionRequest, UserInfo
from webhook.offline.admit import SECONDS
from webhook.policy.cel import EvaluationError
from webhook.policy.mutate import apply
from webhook.policy.policyset import PolicySet

OF_THE_REQUEST = frozenset({"requester.username", "requester.uid", "requester.groups", "time.now"})
"""Facts that depend on no Parameters."""
ALONE = OF_THE_REQUEST | {f"freeze.{name}" for name in ("active", "name", "reason", "until", "next")}
"""Facts that the user, the time and the Parameters determine: they need not be on record."""
OF_THE_ACCOUNT = frozenset({ORIGIN, "requester.person", "requester.personKnown"})
"""Facts that depend on no Parameters but those that say who is a system component."""
ACCOUNTS = frozenset({"", "installNamespaces", "systemAccounts"})
"""These Parameters, and the empty name: which they were is not known."""
AFFECTS: Mapping[str, str] = {"freezeWindows": "freeze.", "capacity": "capacity."}
"""Parameters that only some facts depend on, by the beginning of their names."""


_MARK = "\ue000"
"""Stands around a reason in an error text; from a private use area, so that no text of a person holds it by chance."""
_REASON = re.compile(f"{_MARK}([^{_MARK}]*){_MARK}")


class NotRecorded(FactUnavailable):
    """What a policy wants to know is not on record."""

    def __init__(self, reason: str) -> None:
        super().__init__(f"{_MARK}{reason}{_MARK}")
        self.reason = reason


def reason_in(error: str) -> str:
    """The reason of a NotRecorded that an error text of a policy goes back to; empty if it does to none."""
    found = _REASON.search(error)
    return found[1] if found else ""


def readable(error: str) -> str:
    """An error text as it may be shown."""
    return error.replace(_MARK, "")


class RecordedWorld:
    """What decisions of one policy set are made in; :meth:`turn_to` sets which record it is. Used by one thread."""

    def __init__(self, policies: PolicySet, cluster: World | None = None) -> None:
        """Prepare for a policy set.

        Args:
            policies: What decides.
            cluster: State of a cluster, for what is not on record; None: then that is undetermined.
        """
        self.policies = replace(policies, catalog=self._catalog(policies.catalog))
        self.world = World(self, self)
        self.missed: set[str] = set()
        """Reasons why something that no policy's result shows could not be told: an exemption, a permission."""
        self.today = False
        """Something was taken from the state of the cluster that was given."""
        self._cluster = cluster
        self._true = policies.catalog
        self._digests = digests(policies.parameters)
        self._stale: dict[tuple[tuple[str, str], ...], tuple[str, ...]] = {}

    def turn_to(self, record: Recorded, request: AdmissionRequest) -> None:
        """From now on answer as this record has it. Raises UnusableError where it does not say when it was."""
        self._record = record
        self._request = request
        self._stages = _stages(record)
        self._later: list[tuple[Object, _Stage]] | None = None
        self._elsewhere: dict[bool, FactContext] = {}
        self.missed = set()
        self.today = False

    # Facts

    def outdated(self, record: Recorded, name: str) -> str:
        """Why a recorded fact does not count under these Parameters; empty if it does."""
        for changed in self.changes(record):
            if _depends(name, changed):
                return "facts were computed under other Parameters" + (f" ({changed})" if changed else "")
        return ""

    def alone(self, record: Recorded, request: AdmissionRequest, name: str) -> JSON:
        """The value of a fact of ALONE. Raises FactUnavailable."""
        return self._true[name].resolve(self._context(request, _Nowhere(), _Nowhere(), record))

    def changes(self, record: Recorded) -> tuple[str, ...]:
        """Fields of the Parameters that were others then; one empty name where that is not known."""
        key = tuple(sorted(record.parameters.items()))
        if key not in self._stale:
            then, now = record.parameters, self._digests
            changed = {name for name in {*then, *now} if then.get(name) != now.get(name)} if then else {""}
            self._stale[key] = tuple(sorted(changed))
        return self._stale[key]

    def _catalog(self, catalog: FactCatalog) -> FactCatalog:
        def recalled(name: str) -> Callable[[FactContext], JSON]:
            return lambda context: self._recall(name, context)

        return {
            name: fact if name in LAZY_NAMES else Fact(name, fact.cel_type, fact.summary, recalled(name))
            for name, fact in catalog.items()
        }

    def _recall(self, name: str, context: FactContext) -> JSON:
        reason = self.outdated(self._record, name)
        if not reason and name == ORIGIN:
            return self._origin(context.request)
        if not reason and (stage := self._stage(context.request)) is not None:
            if name in stage.unavailable:
                raise FactUnavailable(text(stage.unavailable, name))
            if name in stage.facts and not self._cut(name) and not marked(stage.facts[name]):
                return stage.facts[name]
        if name in ALONE:
            return self.alone(self._record, context.request, name)
        if self._cluster is not None and name != EXTRA:
            return self._of_today(name, context.request, self._cluster)
        raise NotRecorded(reason or f"fact {name} was not recorded")

    def _origin(self, request: AdmissionRequest) -> str:
        """Who asks: the account tells, and of migrations by virt-controller an annotation, which a mutation may set."""
        told = self._record.origin
        if request.object is self._request.object or told not in {Origin.DRAIN, Origin.WORKLOAD_UPDATE}:
            return told
        annotations = mapping(request.object, "metadata", "annotations")
        found = annotations.get(WORKLOAD_UPDATE_ANNOTATION)
        if isinstance(found, str):
            return str(Origin.WORKLOAD_UPDATE)
        if told == Origin.DRAIN or (found is None and WORKLOAD_UPDATE_ANNOTATION in annotations):  # as it was
            return told
        if WORKLOAD_UPDATE_ANNOTATION in mapping(self._request.object, "metadata", "annotations"):
            return str(Origin.DRAIN)
        raise NotRecorded(f"annotation {WORKLOAD_UPDATE_ANNOTATION} was not recorded")

    def _cut(self, name: str) -> bool:
        whole = f"facts.{name}"
        return any(
            path == whole or path.startswith((f"{whole}.", f"{whole}["))
            for path in strings(self._record.raw, "truncated")
        )

    def _stage(self, request: AdmissionRequest) -> _Stage | None:
        """What was read of the object in this state; None where it never was in it."""
        if request.object is self._request.object:
            return self._stages[0]
        if self._later is None:
            self._later = list(self._changes_on_record())
        return next((stage for changed, stage in self._later if same(request.object, changed)), None)

    def _changes_on_record(self) -> Iterator[tuple[Object, _Stage]]:
        """The object after each change by a mutation, with what was read of it."""
        patch: list[JSON] = []
        changes = [one for one in mappings(self._record.raw, "evaluations") if one.get("patch")]
        for stage, change in zip(self._stages[1:], changes, strict=False):
            patch += change["patch"]
            try:
                yield apply(tuple(patch), self._request.object or {}), stage
            except EvaluationError:  # what it changes is not on record
                return

    def _of_today(self, name: str, request: AdmissionRequest, cluster: World) -> JSON:
        self.today = True
        first = request.object is self._request.object
        if first not in self._elsewhere:
            given = self._record.request
            seen = replace(
                request,
                object=guarded(given.get("object")) if first else nothing(),
                old_object=guarded(given.get("oldObject")),
            )
            self._elsewhere[first] = self._context(seen, cluster.view, cluster.authorizer, self._record)
        try:
            return self._true[name].resolve(self._elsewhere[first])
        except HiddenError as error:
            raise NotRecorded(f"fact {name} needs {error}, which was not recorded") from error

    def _context(self, request: AdmissionRequest, view: Any, authorizer: Any, record: Recorded) -> FactContext:
        return FactContext(
            request=request,
            view=view,
            authorizer=authorizer,
            parameters=self.policies.parameters,
            now=record.moment,
            deadline=Deadline.after(SECONDS),
        )

    # ClusterView: what the pipeline itself reads is the Namespace

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:  # noqa: ARG002 - ClusterView
        """See ClusterView."""
        if watched is not NAMESPACE or name != self._request.namespace:
            self._miss(f"{watched.kind} {name} was not recorded")
        if reason := text(self._record.given, "namespaceUnavailable"):
            raise FactUnavailable(reason)
        found = self._record.given.get("namespaceObject")
        if marked(mapping(found, "metadata", "labels")):
            self._miss("some labels of the Namespace were not recorded")
        return restored(found) if isinstance(found, dict) else None

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:  # noqa: ARG002 - ClusterView
        """See ClusterView."""
        self._miss(f"the objects of {watched.kind} were not recorded")

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        self._miss(f"the objects of {watched.kind} were not recorded")

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        self._miss(f"the objects of {watched.kind} were not recorded")

    # Authorizer

    def allows(
        self,
        user: UserInfo,
        attributes: Attributes,
        *,
        deadline: Deadline,
        fresh: bool = False,
    ) -> bool:
        """See Authorizer."""
        question = str(attributes)
        for asked in mappings(self._record.raw, "questions"):
            if asked.get("user") == user.username and asked.get("canI") == question:
                return asked.get("allowed") is True
        if self._cluster is not None:
            self.today = True
            return self._cluster.authorizer.allows(user, attributes, deadline=deadline, fresh=fresh)
        return self._miss(f"the answer to 'can {user.username} {question}' was not recorded")

    def _miss(self, reason: str) -> NoReturn:
        self.missed.add(reason)
        raise NotRecorded(reason)


def _depends(fact: str, parameter: str) -> bool:
    """Say whether a fact may depend on a field of the Parameters; an empty name is any."""
    if fact in OF_THE_REQUEST:
        return False
    if fact in OF_THE_ACCOUNT:
        return parameter in ACCOUNTS
    return fact.startswith(AFFECTS.get(parameter, ""))


@dataclass(frozen=True, slots=True)
class _Stage:
    """What was read of the object while it was as it came, or as one mutation left it."""

    facts: Mapping[str, Any]
    unavailable: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class _Nowhere:
    """No cluster: only for facts that do not ask for one."""

    def _fail(self, *_: object, **__: object) -> Any:
        raise NotRecorded("the state of the cluster was not recorded")

    get = select = list = last_known = allows = _fail


def _stages(record: Recorded) -> Sequence[_Stage]:
    return [_Stage(mapping(one, "facts"), mapping(one, "unavailable")) for one in record.stages]
