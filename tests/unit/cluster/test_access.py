from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from tests.unit.cluster.fakes import Reply, Sent, failure, ok, routed
from webhook.cluster.access import CALL_SECONDS, PATH, SubjectAccessReviewAuthorizer
from webhook.errors import FactUnavailable
from webhook.model.facts import Attributes, Deadline
from webhook.model.request import UserInfo

ALICE = UserInfo(username="alice", uid="u1", groups=("devs", "ops"), extra={"scopes": ("a", "b")})
MIGRATE = Attributes(
    verb="update", group="subresources.kubevirt.io", resource="virtualmachines", subresource="migrate", namespace="prod"
)


class Server:
    """Answers access reviews; ``allowed`` may change over time."""

    def __init__(self) -> None:
        self.allowed: Any = True
        self.status: dict[str, Any] = {}
        self.failing: Reply | Exception | None = None
        self.asked: list[Sent] = []
        self.before: Callable[[], None] = lambda: None

    def __call__(self, sent: Sent) -> Reply | Exception:
        self.asked.append(sent)
        answer = self.failing or ok({"status": {"allowed": self.allowed, **self.status}})
        self.before()
        return answer


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def authorizer(server: Server, clock: Clock) -> SubjectAccessReviewAuthorizer:
    return SubjectAccessReviewAuthorizer(routed(server)[0], ttl=5, size=3, clock=clock)


def soon() -> Deadline:
    return Deadline.after(20)


class TestQuestion:
    def test_all_of_the_user_and_of_the_action_is_asked(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        assert authorizer.allows(ALICE, replace(MIGRATE, name="db"), deadline=soon())
        (sent,) = server.asked
        assert (sent.method, sent.path) == ("POST", PATH)
        assert sent.body["kind"] == "SubjectAccessReview"
        assert sent.body["spec"] == {
            "user": "alice",
            "uid": "u1",
            "groups": ["devs", "ops"],
            "extra": {"scopes": ["a", "b"]},
            "resourceAttributes": {
                "verb": "update",
                "group": "subresources.kubevirt.io",
                "resource": "virtualmachines",
                "subresource": "migrate",
                "namespace": "prod",
                "name": "db",
            },
        }

    def test_a_path_that_is_no_resource_is_asked_for_as_such(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        asked = Attributes(verb="get", group="", resource="", path="/metrics")
        assert authorizer.allows(ALICE, asked, deadline=soon())
        spec = server.asked[0].body["spec"]
        assert spec["nonResourceAttributes"] == {"path": "/metrics", "verb": "get"}
        assert "resourceAttributes" not in spec

    @pytest.mark.parametrize(
        ("allowed", "status", "expected"),
        [
            pytest.param(True, {}, True, id="allowed"),
            pytest.param(False, {"evaluationError": "clusterrole not found"}, False, id="no-and-a-dangling-binding"),
            pytest.param(True, {"evaluationError": "clusterrole not found"}, True, id="yes-and-a-dangling-binding"),
            pytest.param(True, {"denied": True}, False, id="denied"),
        ],
    )
    def test_the_answer_is_the_servers(
        self,
        authorizer: SubjectAccessReviewAuthorizer,
        server: Server,
        allowed: bool,
        status: dict[str, Any],
        expected: bool,
    ) -> None:
        server.allowed, server.status = allowed, status
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon()) is expected


class TestCache:
    def test_an_answer_is_used_again_for_seconds(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server, clock: Clock
    ) -> None:
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())
        server.allowed = False
        clock.now = 4.9
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())
        clock.now = 5.0
        assert not authorizer.allows(ALICE, MIGRATE, deadline=soon())
        assert len(server.asked) == 2

    @pytest.mark.parametrize(
        ("user", "attributes"),
        [
            pytest.param(replace(ALICE, username="bob"), MIGRATE, id="user"),
            pytest.param(replace(ALICE, uid="u2"), MIGRATE, id="uid"),
            pytest.param(replace(ALICE, groups=("devs",)), MIGRATE, id="groups"),
            pytest.param(replace(ALICE, extra={}), MIGRATE, id="no-extra"),
            pytest.param(replace(ALICE, extra={"scopes": ("a",)}), MIGRATE, id="extra"),
            *[
                pytest.param(ALICE, replace(MIGRATE, **{name: "other"}), id=name)
                for name in ("verb", "group", "resource", "subresource", "namespace", "name")
            ],
        ],
    )
    def test_another_question_is_asked(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server, user: UserInfo, attributes: Attributes
    ) -> None:
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())
        server.allowed = False
        assert not authorizer.allows(user, attributes, deadline=soon())

    def test_fresh_asks_anew_and_renews_the_answer(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        server.allowed = False
        assert not authorizer.allows(ALICE, MIGRATE, deadline=soon())
        server.allowed = True
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon(), fresh=True)
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())
        assert len(server.asked) == 2

    def test_an_answer_to_an_older_question_does_not_replace_a_fresh_one(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server, clock: Clock
    ) -> None:
        def bound_meanwhile() -> None:
            server.before = lambda: None
            server.allowed = True
            clock.now = 1.0
            assert authorizer.allows(ALICE, MIGRATE, deadline=soon(), fresh=True)

        server.allowed, server.before = False, bound_meanwhile
        assert not authorizer.allows(ALICE, MIGRATE, deadline=soon())
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())
        assert len(server.asked) == 2

    def test_the_least_recently_used_answer_goes_first(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        def ask(*names: str) -> None:
            for name in names:
                authorizer.allows(ALICE, replace(MIGRATE, name=name), deadline=soon())

        ask("a", "b", "c", "a", "d")
        assert len(server.asked) == 4
        ask("a", "c", "d")
        assert len(server.asked) == 4
        ask("b")
        assert len(server.asked) == 5


class TestFailure:
    def test_a_failure_is_an_unavailable_fact_and_is_not_kept(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        server.failing = failure(403, "cannot create resource")
        with pytest.raises(
            FactUnavailable,
            match=r"whether alice may update virtualmachines.subresources.kubevirt.io --subresource=migrate "
            r"-n prod failed.*'create' on subjectaccessreviews.authorization.k8s.io",
        ):
            authorizer.allows(ALICE, MIGRATE, deadline=soon())
        server.failing = None
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())

    @pytest.mark.parametrize("answer", [{}, {"status": None}, {"status": {"allowed": "yes"}}, [], None, "x"])
    def test_an_answer_that_says_neither_is_no_yes(self, server: Server, answer: object) -> None:
        server.failing = ok(answer)
        with pytest.raises(FactUnavailable, match="does not say"):
            SubjectAccessReviewAuthorizer(routed(server)[0]).allows(ALICE, MIGRATE, deadline=soon())

    def test_no_time_left_asks_nothing(self, authorizer: SubjectAccessReviewAuthorizer, server: Server) -> None:
        with pytest.raises(FactUnavailable, match="used up before asking whether alice may"):
            authorizer.allows(ALICE, MIGRATE, deadline=Deadline.after(0))
        assert server.asked == []

    def test_a_question_gets_no_more_than_the_time_left(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        authorizer.allows(ALICE, MIGRATE, deadline=Deadline.after(1))
        authorizer.allows(ALICE, MIGRATE, deadline=Deadline.after(60), fresh=True)
        assert 0 < server.asked[0].read <= 1
        assert server.asked[1].read == CALL_SECONDS


class TestCoalescing:
    def test_equal_questions_at_one_time_are_asked_once(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        gate = threading.Event()
        server.before = lambda: _wait(gate)
        answers: list[bool] = []
        threads = [
            threading.Thread(target=lambda: answers.append(authorizer.allows(ALICE, MIGRATE, deadline=soon())))
            for _ in range(5)
        ]
        for thread in threads:
            thread.start()
        gate.set()
        for thread in threads:
            thread.join()
        assert answers == [True] * 5
        assert len(server.asked) == 1

    def test_those_who_wait_ask_themselves_when_it_fails(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        asked, gate = threading.Event(), threading.Event()

        def first_fails() -> None:
            asked.set()
            _wait(gate)
            server.failing = None

        server.failing, server.before = failure(503), first_fails
        failed: list[bool] = []

        def lead() -> None:
            with pytest.raises(FactUnavailable):
                authorizer.allows(ALICE, MIGRATE, deadline=soon())
            failed.append(True)

        leader = threading.Thread(target=lead)
        leader.start()
        _wait(asked)
        threading.Timer(0.05, gate.set).start()
        assert authorizer.allows(ALICE, MIGRATE, deadline=soon())
        leader.join()
        assert failed == [True]

    def test_those_who_wait_do_so_no_longer_than_they_may(
        self, authorizer: SubjectAccessReviewAuthorizer, server: Server
    ) -> None:
        asked, gate = threading.Event(), threading.Event()

        def slow() -> None:
            asked.set()
            _wait(gate)

        server.before = slow
        leader = threading.Thread(target=lambda: authorizer.allows(ALICE, MIGRATE, deadline=soon()))
        leader.start()
        _wait(asked)
        began = time.monotonic()
        with pytest.raises(FactUnavailable, match="the time was used up while asking"):
            authorizer.allows(ALICE, MIGRATE, deadline=Deadline.after(0.05))
        assert time.monotonic() - began < 5
        gate.set()
        leader.join()


def _wait(gate: threading.Event) -> None:
    assert gate.wait(10)
