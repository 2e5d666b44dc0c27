from __future__ import annotations

import threading
from collections.abc import Iterator
from dataclasses import replace

import pytest

from tests.unit.cluster.fakes import Reply, Sent, failure, listed, named, ok, routed
from webhook.cluster import live as module
from webhook.cluster.live import LiveCluster
from webhook.cluster.store import Store
from webhook.errors import FactUnavailable
from webhook.model.facts import Deadline, Index, Read, WatchedResource
from webhook.model.objects import GroupVersionResource, labels_of, name_of, namespace_of

PVCS = WatchedResource(
    GroupVersionResource("", "v1", "persistentvolumeclaims"),
    "PersistentVolumeClaim",
    namespaced=True,
    keep=(),
    indexes=(
        Index("namespace", lambda obj: [namespace_of(obj)], namespaced=True),
        Index("label", lambda obj: list(labels_of(obj))),
    ),
)
POLICIES = WatchedResource(
    GroupVersionResource("migrations.kubevirt.io", "v1alpha1", "migrationpolicies"), "MigrationPolicy", False, ()
)
ALL_PVCS = "/api/v1/persistentvolumeclaims"
PROD_PVCS = "/api/v1/namespaces/prod/persistentvolumeclaims"
ALL_POLICIES = "/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies"


class Server:
    """An API server with some objects, whose watches stay quiet until they are let go."""

    def __init__(self) -> None:
        self.objects: dict[str, Reply | Exception] = {}
        self.asked: list[str] = []
        self.quiet = threading.Event()
        self.lists = {
            ALL_PVCS: [named("a", "3"), named("b", "4"), named("c", "5", "test")],
            PROD_PVCS: [named("a", "3"), named("b", "4")],
            ALL_POLICIES: [],
        }
        self.version = "10"

    def __call__(self, sent: Sent) -> Reply | Exception:
        if "watch" in sent.query:
            return Quiet(self.quiet)
        self.asked.append(sent.path)
        if sent.path in self.objects:
            return self.objects[sent.path]
        if sent.path in self.lists:
            return listed(*self.lists[sent.path], version=self.version)
        return failure(404)


class Quiet(Reply):
    def __init__(self, end: threading.Event) -> None:
        super().__init__(200)
        self._end = end

    def chunks(self) -> Iterator[bytes]:
        self._end.wait(10)
        yield from ()


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def store() -> Store:
    return Store([PVCS, POLICIES], max_staleness=60)


@pytest.fixture
def live(server: Server, store: Store) -> Iterator[LiveCluster]:
    client, transport = routed(server)
    cluster = LiveCluster(client, [PVCS, POLICIES], store)
    cluster.start()
    assert cluster.wait_synced(5)
    server.asked.clear()
    yield cluster
    server.quiet.set()
    cluster.stop()
    assert transport.closed


def soon() -> Deadline:
    return Deadline.after(5)


def get(name: str) -> Read:
    return Read(PVCS, namespace="prod", name=name)


class TestRefresh:
    def test_an_object_that_was_just_made_is_found(self, live: LiveCluster, server: Server, store: Store) -> None:
        server.objects[f"{PROD_PVCS}/new"] = ok(named("new", "11"))
        assert live.refresh([get("new"), get("new")], soon())
        assert store.get(PVCS, "prod", "new") is not None
        assert server.asked == [f"{PROD_PVCS}/new"]

    def test_an_object_that_is_gone_is_removed(self, live: LiveCluster, store: Store) -> None:
        assert live.refresh([get("a")], soon())
        assert store.get(PVCS, "prod", "a") is None
        assert not live.refresh([get("a")], soon())

    def test_what_the_watch_brought_while_we_asked_is_not_removed(
        self, live: LiveCluster, server: Server, store: Store
    ) -> None:
        class Late(Reply):
            def chunks(self) -> Iterator[bytes]:
                store.put(PVCS, named("a", "12"))
                return super().chunks()

        server.objects[f"{PROD_PVCS}/a"] = Late(404)
        assert not live.refresh([get("a")], soon())
        assert store.get(PVCS, "prod", "a") is not None

    def test_an_unchanged_object_is_no_difference(self, live: LiveCluster, server: Server) -> None:
        server.objects[f"{PROD_PVCS}/a"] = ok(named("a", "3"))
        assert not live.refresh([get("a")], soon())

    def test_an_index_within_a_namespace_is_read_by_listing_it(
        self, live: LiveCluster, server: Server, store: Store
    ) -> None:
        server.lists[PROD_PVCS] = [named("a", "3"), named("new", "11")]
        server.version = "12"
        assert live.refresh([Read(PVCS, index="namespace", key="prod")], soon())
        assert [name_of(obj) for obj in store.list(PVCS)] == ["a", "new", "c"]
        assert server.asked == [PROD_PVCS]
        assert not live.refresh([Read(PVCS, index="namespace", key="prod")], soon())

    def test_lists_come_first_and_cover_their_objects(self, live: LiveCluster, server: Server) -> None:
        reads = [get("a"), Read(PVCS, namespace="test", name="c"), Read(PVCS, index="namespace", key="prod")]
        server.objects["/api/v1/namespaces/test/persistentvolumeclaims/c"] = ok(named("c", "5", "test"))
        assert not live.refresh(reads, soon())
        assert server.asked == [PROD_PVCS, "/api/v1/namespaces/test/persistentvolumeclaims/c"]

    def test_a_small_resource_is_listed_over_the_whole_cluster(
        self, live: LiveCluster, server: Server, store: Store
    ) -> None:
        server.lists[ALL_POLICIES] = [{"metadata": {"name": "p", "resourceVersion": "11"}}]
        server.version = "12"
        assert live.refresh([Read(POLICIES), Read(POLICIES, name="p")], soon())
        assert [name_of(obj) for obj in store.list(POLICIES)] == ["p"]
        assert server.asked == [ALL_POLICIES]

    def test_a_large_resource_is_not(self, live: LiveCluster, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "REREAD_BYTES", 50)
        assert not live.refresh([Read(PVCS, index="label", key="app"), Read(PVCS)], soon())
        assert server.asked == []

    def test_what_says_so_is_never_listed_again_but_read_by_name(
        self, server: Server, store: Store, live: LiveCluster
    ) -> None:
        quiet = replace(PVCS, relisted=False)
        server.objects[f"{PROD_PVCS}/new"] = ok(named("new", "11"))
        reads = [Read(quiet), Read(quiet, index="namespace", key="prod"), Read(quiet, namespace="prod", name="new")]
        assert live.refresh(reads, soon())
        assert server.asked == [f"{PROD_PVCS}/new"]

    def test_a_crd_that_was_removed_takes_its_objects_along(
        self, live: LiveCluster, server: Server, store: Store
    ) -> None:
        store.put(POLICIES, {"metadata": {"name": "p", "resourceVersion": "11"}})
        store.put(POLICIES, {"metadata": {"name": "q", "resourceVersion": "12"}})
        del server.lists[ALL_POLICIES]
        assert live.refresh([Read(POLICIES)], soon())
        assert store.list(POLICIES) == ()

    def test_no_time_left_is_an_unavailable_fact(self, live: LiveCluster, server: Server) -> None:
        with pytest.raises(FactUnavailable, match="used up before persistentvolumeclaims were read again"):
            live.refresh([get("a")], Deadline.after(0))
        assert server.asked == []

    def test_an_api_server_that_fails_is_an_unavailable_fact(self, live: LiveCluster, server: Server) -> None:
        server.objects[f"{PROD_PVCS}/a"] = failure(503, "etcd is down")
        with pytest.raises(FactUnavailable, match=r"reading persistentvolumeclaims again failed: .* 503: etcd is down"):
            live.refresh([get("a")], soon())

    def test_each_read_gets_no_more_than_the_time_left(self, store: Store) -> None:
        waits: list[float] = []

        def routes(sent: Sent) -> Reply:
            waits.append(sent.read)
            return failure(404)

        client, _ = routed(routes)
        cluster = LiveCluster(client, [PVCS, POLICIES], store)
        cluster.refresh([get("a")], Deadline.after(1))
        cluster.refresh([get("a")], Deadline.after(60))
        assert 0 < waits[0] <= 1
        assert waits[1] == module.CALL_SECONDS


class TestReadiness:
    def test_a_cluster_in_sync_has_no_problems(self, live: LiveCluster) -> None:
        assert live.problems() == []
        assert {resource: status.lists for resource, status in live.status().items()} == {
            "persistentvolumeclaims": 1,
            "migrationpolicies.migrations.kubevirt.io": 1,
        }

    def test_what_was_never_listed_is_a_problem_with_its_reason(self, server: Server, store: Store) -> None:
        server.objects[ALL_PVCS] = failure(403, "no")
        client, _ = routed(server)
        cluster = LiveCluster(client, [PVCS, POLICIES], store)
        cluster.start()
        try:
            assert not cluster.wait_synced(0.2)
            (problem,) = cluster.problems()
            assert problem.startswith("persistentvolumeclaims have not been listed yet: ")
            assert "lacks the RBAC verb 'list' on persistentvolumeclaims" in problem
        finally:
            server.quiet.set()
            cluster.stop()

    def test_a_cluster_that_was_never_started_can_be_stopped(self, server: Server, store: Store) -> None:
        client, transport = routed(server)
        LiveCluster(client, [PVCS], store).stop()
        assert transport.closed
