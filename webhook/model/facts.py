"""Facts and the ports they are read through.

A fact is a named, typed value about the cluster and the request that policies read as a CEL variable. Names are dotted
(``requester.canMigrate``), each field is a fact of its own: it has its own type, checked when a policy is loaded, and
is computed only when a policy that matches refers to it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal, Protocol, TypeAlias, TypeVar, cast

from webhook.errors import FactUnavailable
from webhook.model.objects import JSON, GroupVersionResource, Object
from webhook.model.request import AdmissionRequest, Operation, UserInfo

T = TypeVar("T")

_BETWEEN_CHECKS = 256
"""Steps between two looks at the clock: few enough to end in time, enough to cost nothing."""

CelType: TypeAlias = Literal[
    "bool", "int", "double", "string", "dyn", "list(string)", "list(map)", "map(string)", "map(dyn)"
]
"""The CEL type of a fact: ``list(map)`` is a list of string-keyed maps, ``map(string)`` maps strings to strings.

A time is given as RFC 3339 text, of which CEL makes one with ``timestamp()``: the runtime takes no times from outside.
"""


@dataclass(frozen=True, slots=True)
class Index:
    """A look-up table over one resource: ``keys`` gives the keys under which an object is found.

    Keys that start with ``NAMESPACE/`` (or are just the namespace) let a fresh read list one namespace only; see
    ``namespaced``.
    """

    name: str
    keys: Callable[[Object], Sequence[str]]
    namespaced: bool = False
    """Every key is ``NAMESPACE`` or ``NAMESPACE/…``."""


@dataclass(frozen=True, slots=True)
class WatchedResource:
    """A resource whose objects are kept in the store: which fields of them, and how they are found."""

    resource: GroupVersionResource
    kind: str
    namespaced: bool
    keep: tuple[str, ...]
    """Field paths that are kept besides apiVersion, kind and metadata's name, namespace, uid, resourceVersion and
    labels; dotted, ``[]`` walks a list (``spec.volumes[].persistentVolumeClaim``)."""
    indexes: tuple[Index, ...] = ()
    labels: tuple[str, ...] | None = None
    """Keys of the labels that are kept; None keeps all."""
    relisted: bool = True
    """A refusal that rests on a list or an index of it is confirmed by listing it again; one object is in any case."""


class ClusterView(Protocol):
    """Read access to cluster state. Safe to use from many threads; objects are shared and must not be written.

    Every method raises :class:`FactUnavailable` when the resource was never synced or has been out of touch too long.
    A resource whose CRD is absent is simply empty.
    """

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """Return one object; namespace is empty for cluster-scoped ones."""

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """Return the objects that the named index lists under ``key``, ordered by namespace and name."""

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """Return all objects of a resource of which a cluster has few, ordered by namespace and name."""

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """Return all objects as last seen, however long ago; never raises. For what must be known in any case."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Attributes:
    """What a permission question asks for, as in SubjectAccessReview's resourceAttributes."""

    verb: str
    group: str
    resource: str
    subresource: str = ""
    namespace: str = ""
    name: str = ""
    path: str = ""
    """A path that is no resource, such as ``/healthz`` (nonResourceAttributes); then all but the verb is empty."""

    def __str__(self) -> str:
        """In the words of ``kubectl auth can-i``."""
        if self.path:
            return f"{self.verb} {self.path}"
        resource = f"{self.resource}.{self.group}" if self.group else self.resource
        parts = [self.verb, f"{resource}/{self.name}" if self.name else resource]
        if self.subresource:
            parts.append(f"--subresource={self.subresource}")
        parts.append(f"-n {self.namespace}" if self.namespace else "-A")
        return " ".join(parts)


class Authorizer(Protocol):
    """Answers permission questions: by SubjectAccessReview on a live cluster, by RBAC evaluation from manifests."""

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
        """Say whether ``user`` may; ``fresh`` bypasses any cache. Raises FactUnavailable when nobody can tell."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """When the answer must be ready, in seconds of the monotonic clock."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> Deadline:
        """A deadline this many seconds from now."""
        return cls(time.monotonic() + seconds)

    @property
    def remaining(self) -> float:
        """Seconds left; negative when the time is up."""
        return self.at - time.monotonic()

    def check(self, doing: str) -> None:
        """Raise FactUnavailable if the time is up."""
        if self.remaining <= 0:
            raise FactUnavailable(f"the time for this request was used up before {doing}")

    def walk(self, many: Iterable[T], doing: str) -> Iterator[T]:
        """Yield each of what may be many, with a look at the clock before every 256th; raises as :meth:`check`."""
        for step, one in enumerate(many):
            if step % _BETWEEN_CHECKS == 0:
                self.check(doing)
            yield one


@dataclass(frozen=True, slots=True)
class Read:
    """One look-up in the cluster view that a decision rests on; ``index`` is empty for a get, ``key`` for a list."""

    watched: WatchedResource
    namespace: str = ""
    name: str = ""
    index: str = ""
    key: str = ""


class RecordingView:
    """A ClusterView that notes what was read, so that a refusal can be confirmed by reading just that anew."""

    def __init__(self, view: ClusterView) -> None:
        self._view = view
        self._reads: dict[tuple[str, ...], Read] = {}

    @property
    def reads(self) -> tuple[Read, ...]:
        """What was read so far, once each, in order."""
        return tuple(self._reads.values())

    def _note(self, read: Read) -> None:
        key = (str(read.watched.resource), read.namespace, read.name, read.index, read.key)
        self._reads.setdefault(key, read)

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        self._note(Read(watched, namespace=namespace, name=name))
        return self._view.get(watched, namespace, name)

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """See ClusterView."""
        self._note(Read(watched, index=index, key=key))
        return self._view.select(watched, index, key)

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        self._note(Read(watched))
        return self._view.list(watched)

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        self._note(Read(watched))
        return self._view.last_known(watched)


class Refresher(Protocol):
    """Brings cached objects up to date by reading just them from the API server."""

    def refresh(self, reads: Sequence[Read], deadline: Deadline) -> bool:
        """Read these again; True if anything differs from what the view held. Raises FactUnavailable if it cannot."""


@dataclass(slots=True)
class FactContext:
    """What facts are computed from, for one request. Used by one thread; remembers what was computed."""

    request: AdmissionRequest
    view: ClusterView
    authorizer: Authorizer
    parameters: Mapping[str, Any]
    """The ``spec`` of the Parameters document with its defaults filled in."""
    now: datetime
    deadline: Deadline
    fresh: bool = False
    """This is the confirmation of a refusal: ask the authorizer anew."""
    questions: list[dict[str, JSON]] = field(default_factory=list)
    """Authorization questions asked so far and their answers, for the record."""
    _memo: dict[Hashable, Any] = field(default_factory=dict)

    def once(self, key: Hashable, compute: Callable[[FactContext], T]) -> T:
        """Return ``compute(self)``, computed at most once per request; an error is remembered too."""
        if key not in self._memo:
            try:
                self._memo[key] = compute(self)
            except FactUnavailable as error:
                self._memo[key] = error
        found = self._memo[key]
        if isinstance(found, FactUnavailable):
            raise found
        return cast("T", found)

    def allows(self, user: UserInfo, attributes: Attributes) -> bool:
        """Ask the authorizer and note question and answer."""
        allowed = self.authorizer.allows(user, attributes, deadline=self.deadline, fresh=self.fresh)
        self.questions.append({"user": user.username, "canI": str(attributes), "allowed": allowed})
        return allowed


@dataclass(frozen=True, slots=True)
class Fact:
    """One named value: dotted name, CEL type, one sentence for the reference page, and how it is computed.

    ``resolve`` must always return a value of the declared type (an empty string or list rather than None), or raise
    FactUnavailable.
    """

    name: str
    cel_type: CelType
    summary: str
    resolve: Callable[[FactContext], JSON]


FactCatalog: TypeAlias = Mapping[str, Fact]
"""All facts by name."""


@dataclass(frozen=True, slots=True)
class Scope:
    """Requests of which a fact can say something. For others it has a value too, which says nothing of them."""

    resources: frozenset[tuple[str, str]] = frozenset()
    """Group and resource, which are written as in a resource rule: ``pods``, ``pods/eviction``, ``pods/*`` for the pod
    itself and all of its subresources. Empty: every resource."""
    operations: frozenset[Operation] = frozenset(Operation)
