"""How facts are computed and what is remembered of it."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import pytest

from tests.support.engine import NOW, request
from webhook.errors import FactUnavailable
from webhook.model.facts import Attributes, Deadline, FactContext, Read, RecordingView, WatchedResource
from webhook.model.objects import GroupVersionResource, Object
from webhook.model.request import UserInfo

PODS = WatchedResource(GroupVersionResource("", "v1", "pods"), "Pod", namespaced=True, keep=())
NODES = WatchedResource(GroupVersionResource("", "v1", "nodes"), "Node", namespaced=False, keep=())


class _View:
    """Answers every look-up with its own arguments."""

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        return {"get": [watched.kind, namespace, name]}

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        return [{"select": [watched.kind, index, key]}]

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        return [{"list": watched.kind}]

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        return [{"last": watched.kind}]


class _Authorizer:
    """Allows alice, and notes with which arguments it was asked."""

    def __init__(self) -> None:
        self.asked: list[tuple[str, bool]] = []

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
        self.asked.append((str(attributes), fresh))
        return user.username == "alice"


def _context(**fields: Any) -> FactContext:
    whole: dict[str, Any] = {
        "request": request(),
        "view": _View(),
        "authorizer": _Authorizer(),
        "parameters": {},
        "now": NOW,
        "deadline": Deadline.after(60),
        **fields,
    }
    return FactContext(**whole)


@pytest.mark.parametrize(
    ("attributes", "words"),
    [
        (Attributes(verb="list", group="", resource="pods"), "list pods -A"),
        (Attributes(verb="get", group="", resource="pods", namespace="prod", name="db"), "get pods/db -n prod"),
        (
            Attributes(
                verb="update",
                group="subresources.kubevirt.io",
                resource="virtualmachines",
                subresource="migrate",
                namespace="prod",
            ),
            "update virtualmachines.subresources.kubevirt.io --subresource=migrate -n prod",
        ),
        (Attributes(verb="get", group="", resource="", path="/healthz"), "get /healthz"),
    ],
    ids=["all namespaces", "one object", "subresource", "path"],
)
def test_a_question_is_worded_as_for_kubectl_auth_can_i(attributes: Attributes, words: str) -> None:
    assert str(attributes) == words


def test_a_deadline_is_counted_on_the_monotonic_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    deadline = Deadline.after(5)
    deadline.check("in time")

    monkeypatch.setattr(time, "monotonic", lambda: 104.0)
    assert deadline.remaining == 1

    monkeypatch.setattr(time, "monotonic", lambda: 105.0)
    with pytest.raises(FactUnavailable, match="the time for this request was used up before the PVC was read"):
        deadline.check("the PVC was read")


def test_a_walk_yields_everything_and_ends_with_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    deadline = Deadline.after(5)
    assert list(deadline.walk(range(1000), "all were seen")) == list(range(1000))

    walked = deadline.walk(range(1000), "all were seen")
    monkeypatch.setattr(time, "monotonic", lambda: 104.0)
    assert next(walked) == 0
    monkeypatch.setattr(time, "monotonic", lambda: 106.0)
    assert [next(walked) for _ in range(255)] == list(range(1, 256))
    with pytest.raises(FactUnavailable, match="the time for this request was used up before all were seen"):
        next(walked)


def test_a_walk_over_nothing_takes_no_time() -> None:
    assert list(Deadline.after(-1).walk([], "all were seen")) == []


def test_a_recording_view_passes_look_ups_on_and_notes_each_of_them_once_in_order() -> None:
    view = RecordingView(_View())

    assert view.get(PODS, "prod", "db") == {"get": ["Pod", "prod", "db"]}
    assert view.select(PODS, "by-node", "node01") == [{"select": ["Pod", "by-node", "node01"]}]
    assert view.list(NODES) == [{"list": "Node"}]
    view.get(PODS, "prod", "db")
    view.list(NODES)
    view.get(NODES, "", "node01")

    assert view.reads == (
        Read(PODS, namespace="prod", name="db"),
        Read(PODS, index="by-node", key="node01"),
        Read(NODES),
        Read(NODES, name="node01"),
    )


def test_a_look_up_that_fails_is_noted_too() -> None:
    class Stale(_View):
        def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
            raise FactUnavailable("out of touch")

    view = RecordingView(Stale())
    with pytest.raises(FactUnavailable):
        view.get(PODS, "prod", "db")

    assert view.reads == (Read(PODS, namespace="prod", name="db"),)


@pytest.mark.parametrize("value", [{"a": 1}, None, False, ""], ids=repr)
def test_a_value_is_computed_once_for_each_request(value: object) -> None:
    calls: list[FactContext] = []

    def compute(context: FactContext) -> object:
        calls.append(context)
        return value

    context = _context()

    assert context.once("key", compute) is value
    assert context.once("key", compute) is value
    assert calls == [context]
    _context().once("key", compute)
    assert len(calls) == 2


def test_that_a_value_cannot_be_had_is_remembered_as_well() -> None:
    calls: list[int] = []

    def compute(_: FactContext) -> object:
        calls.append(1)
        raise FactUnavailable("the cache is stale")

    context = _context()
    for _ in range(2):
        with pytest.raises(FactUnavailable, match="the cache is stale"):
            context.once("key", compute)

    assert calls == [1]


def test_values_under_different_keys_do_not_mix() -> None:
    context = _context()

    assert context.once(("fact", "a"), lambda _: 1) == 1
    assert context.once(("fact", "b"), lambda _: 2) == 2


def test_questions_are_noted_with_their_answers() -> None:
    context = _context()
    question = Attributes(verb="create", group="kubevirt.io", resource="virtualmachines", namespace="prod")

    assert context.allows(UserInfo(username="alice"), question)
    assert not context.allows(UserInfo(username="bob"), question)

    can_i = "create virtualmachines.kubevirt.io -n prod"
    assert context.questions == [
        {"user": "alice", "canI": can_i, "allowed": True},
        {"user": "bob", "canI": can_i, "allowed": False},
    ]


@pytest.mark.parametrize("fresh", [False, True])
def test_a_confirmation_asks_the_authorizer_anew(fresh: bool) -> None:
    authorizer = _Authorizer()
    context = _context(authorizer=authorizer, fresh=fresh)

    context.allows(UserInfo(username="alice"), Attributes(verb="list", group="", resource="pods"))

    assert authorizer.asked == [("list pods -A", fresh)]
