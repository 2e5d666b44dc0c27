from __future__ import annotations

import logging
from typing import Any

import pytest
from urllib3.exceptions import NewConnectionError, ProtocolError, ReadTimeoutError

from tests.unit.cluster.fakes import (
    Reply,
    Sent,
    bookmark,
    event,
    failure,
    listed,
    named,
    ok,
    routed,
    scripted,
)
from webhook.cluster.client import Client
from webhook.cluster.store import Store
from webhook.cluster.watch import ABSENT_SECONDS, Backoff, State, Watch
from webhook.model.facts import Index, WatchedResource
from webhook.model.objects import GroupVersionResource, labels_of

VMS = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachines"),
    "VirtualMachine",
    namespaced=True,
    keep=("spec.running",),
    indexes=(Index("label", lambda obj: [f"{key}={item}" for key, item in labels_of(obj).items()]),),
)
PATH = "/apis/kubevirt.io/v1/virtualmachines"
REFUSED = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]  # the connection plays no part


class Time:
    """A clock and a stop event whose waits take no time but are remembered."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waits: list[float] = []
        self.stopped = False

    def clock(self) -> float:
        return self.now

    def stop(self) -> None:
        self.stopped = True

    def is_set(self) -> bool:
        return self.stopped

    def wait(self, timeout: float | None = None) -> bool:
        self.waits.append(timeout or 0.0)
        self.now += timeout or 0.0
        return self.stopped


class Run:
    """A watch that ran over scripted answers until they were used up."""

    def __init__(self, *replies: Reply | Exception, chance: float = 1.0) -> None:
        self.time = Time()
        client, self.transport = scripted(*replies, then=self.time.stop)
        self.go(client, chance)

    def go(self, client: Client, chance: float = 1.0) -> None:
        self.store = Store([VMS], max_staleness=60, clock=self.time.clock)
        self.watch = Watch(client, VMS, self.store, stopping=self.time, clock=self.time.clock, chance=lambda: chance)
        self.watch.run()

    @property
    def names(self) -> list[str]:
        return [obj["metadata"]["name"] for obj in self.store.list(VMS)]

    @property
    def watches(self) -> list[Sent]:
        return [sent for sent in self.transport.sent if "watch" in sent.query]

    @property
    def lists(self) -> list[Sent]:
        return [sent for sent in self.transport.sent if "limit" in sent.query]


class TestListingAndWatching:
    def test_pages_are_put_together_pruned_and_given_their_type(self) -> None:
        big = named("a", "3") | {"spec": {"running": True, "template": {}}, "status": {"ready": True}}
        run = Run(listed(big, token="t", api_version="kubevirt.io/v1"), listed(named("b", "4")), Reply(200))
        assert run.names == ["a", "b"]
        assert run.store.get(VMS, "prod", "a") == {
            "apiVersion": "kubevirt.io/v1",
            "kind": "VirtualMachine",
            "metadata": named("a", "3")["metadata"],
            "spec": {"running": True},
        }
        assert run.watch.settled.is_set()
        assert run.watch.status.list_bytes > 100

    def test_the_watch_begins_where_the_list_ended_and_asks_for_bookmarks(self) -> None:
        run = Run(listed(version="10"), Reply(200), chance=0.5)
        (sent,) = run.watches
        assert sent.path == PATH
        assert sent.query == {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": "10",
            "timeoutSeconds": "38",
        }
        assert sent.read == 48

    def test_events_change_the_store(self) -> None:
        run = Run(
            listed(named("a", "3"), named("b", "4")),
            Reply(
                200,
                event("ADDED", named("c", "11", app="x")),
                event("MODIFIED", named("a", "12", app="x")),
                event("DELETED", named("b", "13")),
            ),
        )
        assert run.names == ["a", "c"]
        assert [obj["metadata"]["name"] for obj in run.store.select(VMS, "label", "app=x")] == ["a", "c"]
        assert run.watch.status.events == 3

    def test_a_watch_that_ends_goes_on_from_the_last_event_or_bookmark(self) -> None:
        run = Run(
            listed(version="10"),
            Reply(200, event("ADDED", named("a", "11"))),
            Reply(200, bookmark("25")),
            Reply(200),
        )
        assert [sent.query["resourceVersion"] for sent in run.watches] == ["10", "11", "25"]
        assert len(run.lists) == 1
        assert run.time.waits == [0.5]  # only the last, which brought nothing

    def test_a_quiet_watch_that_ends_in_good_order_is_contact(self) -> None:
        time = Time()

        def routes(sent: Sent) -> Reply:
            if "watch" not in sent.query:
                return listed(version="10")
            time.now += 40
            if len(transport.sent) > 4:
                time.stop()
            return Reply(200)

        client, transport = routed(routes)
        store = Store([VMS], max_staleness=60, clock=time.clock)
        Watch(client, VMS, store, stopping=time, clock=time.clock, chance=lambda: 1.0).run()
        assert time.now == 160
        assert time.waits == []
        assert store.staleness(VMS) == 0


class TestExpiry:
    @pytest.mark.parametrize(
        "expired",
        [
            pytest.param(failure(410, "too old resource version"), id="as-a-status"),
            pytest.param(
                Reply(200, event("ERROR", {"kind": "Status", "code": 410, "reason": "Expired", "message": "too old"})),
                id="as-an-event",
            ),
        ],
    )
    def test_a_version_that_is_too_old_leads_to_a_new_list(self, expired: Reply) -> None:
        run = Run(listed(named("a", "3")), expired, listed(named("b", "20"), version="21"), Reply(200))
        assert run.names == ["b"]
        assert [sent.query["resourceVersion"] for sent in run.watches] == ["10", "21"]
        assert run.watch.status.lists == 2
        assert run.watch.status.problem == ""

    def test_a_list_that_expires_between_pages_begins_anew_and_shows_nothing_of_itself(self) -> None:
        run = Run(
            listed(named("a", "3"), token="t"),
            failure(410, "the provided continue parameter is too old"),
            listed(named("b", "4")),
            Reply(200),
        )
        assert run.names == ["b"]
        assert [sent.query.get("continue") for sent in run.lists] == [None, "t", None]

    def test_a_server_that_always_says_expired_is_not_asked_in_a_tight_loop(self) -> None:
        answers = [listed(), failure(410)] * 5
        assert Run(*answers).time.waits == [0.5, 1, 2, 4]


class TestFailures:
    def test_reconnects_wait_longer_each_time_up_to_half_a_minute(self) -> None:
        run = Run(listed(), *[REFUSED] * 9)
        assert run.time.waits == [0.5, 1, 2, 4, 8, 16, 30, 30]
        assert run.watch.status.failures == 8
        assert {sent.query["resourceVersion"] for sent in run.watches} == {"10"}

    def test_a_delay_is_shortened_at_random_by_up_to_a_half(self) -> None:
        assert Backoff(chance=lambda: 0.0).next() == 0.25
        assert Backoff(chance=lambda: 1.0).next() == 0.5

    def test_success_makes_the_next_delay_short_again(self) -> None:
        run = Run(listed(), REFUSED, REFUSED, Reply(200, bookmark("11")), REFUSED, Reply(200))
        assert run.time.waits == [0.5, 1, 0.5, 1]

    @pytest.mark.parametrize(
        "broken",
        [
            pytest.param(ProtocolError("Connection broken"), id="cut"),
            pytest.param(ReadTimeoutError(None, "/", "Read timed out."), id="silence"),  # type: ignore[arg-type]
            pytest.param(b'{"type": "ADDED", "obj', id="half-an-event"),
        ],
    )
    def test_a_connection_that_breaks_loses_no_event(self, broken: bytes | Exception) -> None:
        run = Run(
            listed(),
            Reply(200, event("ADDED", named("a", "11")), broken),
            Reply(200, event("ADDED", named("b", "12"))),
        )
        assert run.names == ["a", "b"]
        assert [sent.query["resourceVersion"] for sent in run.watches] == ["10", "11"]

    @pytest.mark.parametrize(
        "line",
        [
            pytest.param(b"not json\n", id="not-json"),
            pytest.param(b"[" * 100_000 + b"\n", id="deep"),
            pytest.param(b"5\n", id="a-number"),
            pytest.param(b'{"type":"ADDED"}\n', id="no-object"),
            pytest.param(event("RENAMED", named("x", "12")), id="unknown-type"),
        ],
    )
    def test_a_broken_event_leads_to_a_reconnect_and_if_it_stays_to_a_new_list(self, line: bytes) -> None:
        run = Run(listed(), Reply(200, line), Reply(200, line), listed(named("a", "15"), version="16"), Reply(200))
        assert [sent.query["resourceVersion"] for sent in run.watches] == ["10", "10", "16"]
        assert run.names == ["a"]

    def test_an_error_event_of_the_server_is_a_failure_and_the_watch_goes_on_from_where_it_was(self) -> None:
        error = event("ERROR", {"kind": "Status", "code": 500, "message": "etcd is slow"})
        run = Run(listed(), Reply(200, error), REFUSED, Reply(200))
        assert [sent.query["resourceVersion"] for sent in run.watches] == ["10"] * 3
        assert run.watch.status.failures == 2

    def test_a_silent_server_makes_the_cache_stale(self) -> None:
        run = Run(listed(), *[REFUSED] * 10)
        assert "no contact with the API server about virtualmachines.kubevirt.io" in run.store.unreadable(VMS)

    def test_a_list_that_is_forbidden_is_said_loudly_once_and_tried_again(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.INFO)
        answers = [failure(403, "User migguard cannot list resource")] * 3
        run = Run(*answers, listed(named("a", "3")), Reply(200))
        errors = [record for record in caplog.records if record.levelno == logging.ERROR]
        assert len(errors) == 1
        assert "lacks the RBAC verb 'list' on virtualmachines.kubevirt.io cluster-wide" in errors[0].getMessage()
        assert run.names == ["a"]
        assert run.watch.status.state is State.WATCHING
        assert "watching virtualmachines.kubevirt.io again" in caplog.messages

    def test_the_state_says_what_is_wrong_while_it_is(self) -> None:
        run = Run(failure(403, "no"), failure(403, "no"))
        assert run.watch.status.state is State.FAILING
        assert "'list' on virtualmachines.kubevirt.io" in run.watch.status.problem
        assert not run.watch.settled.is_set()

    def test_a_list_without_a_version_is_no_list(self) -> None:
        run = Run(ok({"items": []}), ok({"items": []}))
        assert "has no resourceVersion" in run.watch.status.problem
        assert not run.store.synced(VMS)

    def test_a_mistake_of_ours_is_logged_and_does_not_end_the_watch(self, caplog: pytest.LogCaptureFixture) -> None:
        run = Run(RuntimeError("a bug"), listed(named("a", "3")), Reply(200))
        assert run.names == ["a"]
        assert "RuntimeError: a bug" in caplog.text


def groups(**versions: list[str]) -> Reply:
    """What ``/apis`` answers, by the first label of the group's name."""
    found = [
        {"name": f"{name}.io", "versions": [{"version": version} for version in served]}
        for name, served in versions.items()
    ]
    return ok({"kind": "APIGroupList", "groups": found})


class TestAbsence:
    def test_a_resource_that_is_not_served_is_empty_and_looked_for_again(self) -> None:
        absent = [failure(404), groups(apps=["v1"])]
        run = Run(*absent, *absent, listed(named("a", "3")), Reply(200))
        assert [sent.path for sent in run.transport.sent[:4]] == [PATH, "/apis"] * 2
        assert run.time.waits[:2] == pytest.approx([ABSENT_SECONDS * 1.2] * 2)
        assert run.names == ["a"]

    def test_while_it_is_absent_the_cache_is_synced_and_fresh(self) -> None:
        run = Run(*[failure(404), groups()] * 20)
        assert run.time.now > 200
        assert run.store.unreadable(VMS) == ""
        assert run.names == []
        assert run.watch.status.state is State.ABSENT
        assert run.watch.settled.is_set()

    def test_a_crd_that_is_removed_empties_the_store(self) -> None:
        run = Run(listed(named("a", "3")), failure(404), failure(404), groups())
        assert run.names == []
        assert run.watch.status.state is State.ABSENT

    @pytest.mark.parametrize(
        "apis",
        [
            pytest.param(failure(404), id="not-found-either"),
            pytest.param(failure(403), id="forbidden"),
            pytest.param(ok({"hello": "world"}), id="not-a-kube-apiserver"),
            pytest.param(Reply(200, b"<html>"), id="a-page"),
        ],
    )
    def test_a_server_that_does_not_list_its_groups_is_not_believed(self, apis: Reply) -> None:
        run = Run(failure(404), apis)
        assert not run.store.synced(VMS)
        assert run.watch.status.state is not State.ABSENT

    def test_a_crd_that_is_listed_but_not_served_yet_is_tried_again_soon(self) -> None:
        resources = ok({"resources": [{"name": "virtualmachines"}]})
        run = Run(failure(404), groups(kubevirt=["v1"]), resources, failure(404), listed(named("a", "3")), Reply(200))
        assert run.names == ["a"]
        assert run.time.waits[0] == 0.5

    def test_a_group_that_serves_another_version_is_read_in_that_one(self) -> None:
        discovery: dict[str, Any] = {
            "/apis": {
                "kind": "APIGroupList",
                "groups": [
                    {"name": "apps", "versions": [{"version": "v1"}]},
                    {"name": "kubevirt.io", "versions": [{"version": "v1beta7"}, {"version": "v1alpha3"}]},
                ],
            },
            "/apis/kubevirt.io/v1beta7": {"resources": [{"name": "other"}]},
            "/apis/kubevirt.io/v1alpha3": {
                "resources": [{"name": "virtualmachines/status"}, {"name": "virtualmachines"}]
            },
        }

        def routes(sent: Sent) -> Reply:
            if sent.path in discovery:
                return ok(discovery[sent.path])
            if sent.path != "/apis/kubevirt.io/v1alpha3/virtualmachines":
                return failure(404)
            if "watch" in sent.query:
                run.time.stop()
                return Reply(200)
            return listed(named("a", "3"), api_version="kubevirt.io/v1alpha3")

        run = Run.__new__(Run)
        run.time = Time()
        client, run.transport = routed(routes)
        run.go(client)
        assert run.watch.status.served == "v1alpha3"
        assert run.watch.path("prod", "a") == "/apis/kubevirt.io/v1alpha3/namespaces/prod/virtualmachines/a"
        found = run.store.get(VMS, "prod", "a")
        assert found is not None
        assert found["apiVersion"] == "kubevirt.io/v1alpha3"
