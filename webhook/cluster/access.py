"""Permission questions, asked of the API server by SubjectAccessReview: the Authorizer port on a live cluster.

Source: Kubernetes ``authorization.k8s.io/v1`` (``staging/src/k8s.io/api/authorization/v1/types.go``).
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook.cluster.client import Client
from webhook.errors import ClusterError, FactUnavailable
from webhook.model.facts import Attributes, Deadline
from webhook.model.objects import JSON, value
from webhook.model.request import UserInfo

PATH = "/apis/authorization.k8s.io/v1/subjectaccessreviews"

CALL_SECONDS = 3.0
"""For one question, if the decision's own deadline is not sooner."""

_Question: TypeAlias = tuple[object, ...]


@dataclass(frozen=True, slots=True)
class _Answered:
    allowed: bool
    asked: float
    """When the question was sent: what was bound after that is not in the answer."""


@dataclass(slots=True)
class _Asking:
    """A question on its way, for those who ask the same meanwhile."""

    done: threading.Event = field(default_factory=threading.Event)
    allowed: bool | None = None
    """None until it is answered, and if it failed."""


class SubjectAccessReviewAuthorizer:
    """Answers from the API server, kept for seconds. Safe to use from many threads.

    Equal questions that are asked at the same time are sent once. Failures are not kept.
    """

    def __init__(
        self, client: Client, *, ttl: float = 5.0, size: int = 10_000, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Make an authorizer.

        Args:
            client: The connection.
            ttl: Seconds for which an answer is used again; 0 for never.
            size: Answers kept at most; the least recently used go first.
            clock: Monotonic seconds.
        """
        self._client = client
        self._ttl = ttl
        self._size = size
        self._clock = clock
        self._lock = threading.Lock()
        self._answered: OrderedDict[_Question, _Answered] = OrderedDict()
        self._asking: dict[_Question, _Asking] = {}

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
        """See Authorizer."""
        question = _question(user, attributes)
        if fresh:  # joining a question that was sent earlier could miss what was bound since
            return self._ask(question, user, attributes, deadline)
        while True:
            with self._lock:
                known = self._known(question)
                if known is not None:
                    return known
                asking = self._asking.get(question)
                mine = asking is None
                if asking is None:
                    asking = self._asking[question] = _Asking()
            if mine:
                return self._lead(asking, question, user, attributes, deadline)
            if not asking.done.wait(max(0.0, deadline.remaining)):
                raise FactUnavailable(f"the time was used up while asking whether {user.username} may {attributes}")
            if asking.allowed is not None:
                return asking.allowed
            deadline.check(f"asking whether {user.username} may {attributes}")  # it failed for the other: ask ourselves

    def _known(self, question: _Question) -> bool | None:
        answered = self._answered.get(question)
        if answered is None or self._clock() - answered.asked >= self._ttl:
            return None
        self._answered.move_to_end(question)
        return answered.allowed

    def _lead(
        self, asking: _Asking, question: _Question, user: UserInfo, attributes: Attributes, deadline: Deadline
    ) -> bool:
        """Ask for all who wait."""
        try:
            asking.allowed = self._ask(question, user, attributes, deadline)
            return asking.allowed
        finally:
            with self._lock:
                del self._asking[question]
            asking.done.set()

    def _ask(self, question: _Question, user: UserInfo, attributes: Attributes, deadline: Deadline) -> bool:
        doing = f"asking whether {user.username} may {attributes}"
        deadline.check(doing)
        asked = self._clock()
        try:
            answer = self._client.post(PATH, _review(user, attributes), timeout=min(CALL_SECONDS, deadline.remaining))
        except ClusterError as error:
            raise FactUnavailable(f"{doing} failed: {error}") from error
        allowed = value(answer, "status", "allowed")
        if not isinstance(allowed, bool):
            raise FactUnavailable(f"{doing} failed: the answer of the API server does not say")
        # evaluationError beside allowed=false is normal (a binding to a role that is gone): RBAC's answer still stands.
        allowed = allowed and value(answer, "status", "denied") is not True
        self._remember(question, _Answered(allowed, asked))
        return allowed

    def _remember(self, question: _Question, answered: _Answered) -> None:
        with self._lock:
            known = self._answered.get(question)
            if known is not None and known.asked > answered.asked:
                return
            self._answered[question] = answered
            self._answered.move_to_end(question)
            while len(self._answered) > self._size:
                self._answered.popitem(last=False)


def _question(user: UserInfo, attributes: Attributes) -> _Question:
    extra = tuple(sorted((key, tuple(values)) for key, values in user.extra.items()))
    return (user.username, user.uid, tuple(user.groups), extra, attributes)


def _review(user: UserInfo, attributes: Attributes) -> JSON:
    spec: dict[str, JSON] = {
        "user": user.username,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    if attributes.path:
        spec["nonResourceAttributes"] = {"path": attributes.path, "verb": attributes.verb}
    else:
        spec["resourceAttributes"] = {
            "verb": attributes.verb,
            "group": attributes.group,
            "resource": attributes.resource,
            "subresource": attributes.subresource,
            "namespace": attributes.namespace,
            "name": attributes.name,
        }
    return {"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": spec}
