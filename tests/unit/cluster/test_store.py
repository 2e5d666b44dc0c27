from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from webhook.cluster.store import Store, is_newer
from webhook.cluster.table import Key, Table
from webhook.errors import FactUnavailable
from webhook.model.facts import Index, WatchedResource
from webhook.model.objects import GroupVersionResource, Object, labels_of, namespace_of

PVCS = WatchedResource(
    GroupVersionResource("", "v1", "persistentvolumeclaims"),
    "PersistentVolumeClaim",
    namespaced=True,
    keep=("spec.accessModes",),
    indexes=(
        Index("namespace", lambda obj: [namespace_of(obj)], namespaced=True),
        Index("label", lambda obj: [f"{key}={item}" for key, item in labels_of(obj).items()]),
    ),
)
NODES = WatchedResource(GroupVersionResource("", "v1", "nodes"), "Node", namespaced=False, keep=())


def pvc(name: str, version: str = "", namespace: str = "prod", **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "resourceVersion": version, "labels": labels}
    return {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": metadata, "status": {"phase": "Bound"}}


def names(objects: object) -> list[str]:
    assert isinstance(objects, list | tuple)
    return [obj["metadata"]["name"] for obj in objects]


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store() -> Store:
    filled = Store([PVCS, NODES])
    filled.replace(PVCS, [pvc("b", "5", app="db"), pvc("a", "6", app="db", tier="1"), pvc("c", "7", "test")], "10")
    return filled


class TestReading:
    def test_an_object_is_found_by_namespace_and_name_and_holds_only_what_is_kept(self, store: Store) -> None:
        found = store.get(PVCS, "prod", "a")
        assert found is not None
        assert "status" not in found
        assert store.get(PVCS, "test", "a") is None

    def test_an_index_lists_its_objects_by_namespace_and_name(self, store: Store) -> None:
        store.put(PVCS, pvc("z", "11", "alpha", app="db"))
        assert names(store.select(PVCS, "label", "app=db")) == ["z", "a", "b"]
        assert names(store.select(PVCS, "namespace", "prod")) == ["a", "b"]
        assert store.select(PVCS, "label", "app=web") == ()

    def test_a_list_is_ordered_by_namespace_and_name(self, store: Store) -> None:
        assert names(store.list(PVCS)) == ["a", "b", "c"]

    def test_the_namespace_of_a_cluster_scoped_object_does_not_matter(self, store: Store) -> None:
        store.replace(NODES, [{"metadata": {"name": "n1"}}])
        assert store.get(NODES, "", "n1") == store.get(NODES, "prod", "n1") == {"metadata": {"name": "n1"}}

    def test_reading_what_is_not_held_is_a_programming_error(self, store: Store) -> None:
        pods = WatchedResource(GroupVersionResource("", "v1", "pods"), "Pod", namespaced=True, keep=())
        with pytest.raises(LookupError, match="pods is not held"):
            store.get(pods, "prod", "a")
        with pytest.raises(LookupError, match="no index 'colour'"):
            store.select(PVCS, "colour", "red")


class TestFreshness:
    def test_reading_before_the_first_list_is_an_unavailable_fact(self) -> None:
        store = Store([PVCS])
        assert not store.synced(PVCS)
        assert store.staleness(PVCS) is None
        with pytest.raises(FactUnavailable, match="persistentvolumeclaims have not been listed yet"):
            store.list(PVCS)

    def test_a_resource_that_is_not_served_is_empty_and_fresh(self, store: Store) -> None:
        store.absent(PVCS)
        assert store.synced(PVCS)
        assert store.list(PVCS) == ()
        assert store.select(PVCS, "label", "app=db") == ()

    def test_what_may_not_be_read_says_why_until_it_is_read(self, store: Store) -> None:
        store.refuse(PVCS, "we may not")
        assert store.unreadable(PVCS) == "we may not"
        with pytest.raises(FactUnavailable, match="we may not"):
            store.list(PVCS)
        assert names(store.last_known(PVCS)) == ["b", "a", "c"]
        store.replace(PVCS, [pvc("a")])
        assert names(store.list(PVCS)) == ["a"]
        store.refuse(PVCS, "we may not")
        store.absent(PVCS)
        assert store.list(PVCS) == ()

    def test_reading_after_too_long_a_silence_is_an_unavailable_fact(self) -> None:
        clock = Clock()
        store = Store([PVCS], max_staleness=60, clock=clock)
        store.replace(PVCS, [pvc("a")])
        clock.now += 60
        assert names(store.list(PVCS)) == ["a"]
        clock.now += 12
        with pytest.raises(
            FactUnavailable,
            match=r"no contact with the API server about persistentvolumeclaims for 72 s; .* trusted for 60 s",
        ):
            store.get(PVCS, "prod", "a")
        assert store.staleness(PVCS) == 72
        assert "72 s" in store.unreadable(PVCS)
        store.contact(PVCS)
        assert names(store.list(PVCS)) == ["a"]
        assert store.unreadable(PVCS) == ""

    def test_manifests_never_become_stale(self) -> None:
        clock = Clock()
        store = Store([PVCS], clock=clock)
        store.replace(PVCS, [pvc("a")])
        clock.now += 1e9
        assert names(store.list(PVCS)) == ["a"]

    def test_sizes_are_counted_by_resource(self, store: Store) -> None:
        assert store.counts() == {"persistentvolumeclaims": 3, "nodes": 0}


class TestOrderOfVersions:
    @pytest.mark.parametrize(
        ("version", "than", "expected"),
        [
            pytest.param("10", "9", True, id="numbers-not-texts"),
            pytest.param("9", "10", False, id="older"),
            pytest.param("9", "9", False, id="equal"),
            pytest.param("a9", "9", None, id="opaque"),
            pytest.param("", "9", None, id="none"),
            pytest.param("-1", "9", None, id="sign"),
        ],
    )
    def test_versions_compare_as_numbers_where_they_are(self, version: str, than: str, expected: bool | None) -> None:
        assert is_newer(version, than) is expected

    def test_an_older_version_never_overwrites_a_newer_one(self, store: Store) -> None:
        assert not store.put(PVCS, pvc("a", "5", app="old"))
        assert names(store.select(PVCS, "label", "tier=1")) == ["a"]

    def test_a_newer_version_moves_the_object_between_index_keys(self, store: Store) -> None:
        assert store.put(PVCS, pvc("a", "11", app="web"))
        assert names(store.select(PVCS, "label", "app=web")) == ["a"]
        assert names(store.select(PVCS, "label", "app=db")) == ["b"]
        assert store.select(PVCS, "label", "tier=1") == ()

    def test_a_fresh_read_does_not_bring_back_what_the_watch_has_seen_deleted(self, store: Store) -> None:
        assert store.remove(PVCS, "prod", "a", "11")
        store.contact(PVCS, "11")
        assert not store.put(PVCS, pvc("a", "6"))
        assert store.get(PVCS, "prod", "a") is None

    def test_a_late_delete_event_does_not_remove_what_was_created_again(self, store: Store) -> None:
        store.put(PVCS, pvc("a", "20"))
        assert not store.remove(PVCS, "prod", "a", "12")
        assert store.get(PVCS, "prod", "a") is not None

    def test_what_changed_in_fields_that_are_not_kept_is_no_difference(self, store: Store) -> None:
        assert not store.put(PVCS, pvc("b", "12", app="db"))
        assert store.put(PVCS, pvc("b", "13", app="web"))

    def test_a_list_keeps_what_a_fresh_read_brought_meanwhile(self, store: Store) -> None:
        store.put(PVCS, pvc("new", "15"))
        store.replace(PVCS, [pvc("a", "6")], "14")
        assert names(store.list(PVCS)) == ["a", "new"]

    def test_a_list_from_a_restored_etcd_replaces_everything(self, store: Store) -> None:
        store.contact(PVCS, "1000")
        store.replace(PVCS, [pvc("a", "3", app="restored")], "4")
        assert names(store.list(PVCS)) == ["a"]
        assert names(store.select(PVCS, "label", "app=restored")) == ["a"]

    def test_a_list_shows_only_when_it_is_whole(self, store: Store) -> None:
        listing = store.listing(PVCS)
        listing.add(pvc("x", "11"))
        assert names(store.list(PVCS)) == ["a", "b", "c"]
        listing.commit("12")
        assert names(store.list(PVCS)) == ["x"]


def _labels(obj: Mapping[str, Any]) -> list[str]:
    return [f"{key}={item}" for key, item in obj["metadata"]["labels"].items()]


class StoreAgainstDicts(RuleBasedStateMachine):
    """One server whose versions only grow, a watch and fresh reads that tell of it late, twice and out of order."""

    keys = st.tuples(st.sampled_from(["prod", "test"]), st.sampled_from(["a", "b", "c"]))
    some_labels = st.dictionaries(st.sampled_from(["app", "tier"]), st.sampled_from(["x", "y"]), max_size=2)

    @initialize()
    def begin(self) -> None:
        self.store = Store([PVCS])
        self.version = 1
        self.server: dict[Key, dict[str, Any]] = {}
        self.held: dict[Key, dict[str, Any]] = {}
        self.seen = 1
        self.answers: list[dict[str, Any]] = []
        self.events: list[tuple[str, Key, dict[str, Any], int]] = []
        self.store.replace(PVCS, [], "1")

    @rule(key=keys, labels=some_labels)
    def write(self, key: Key, labels: dict[str, str]) -> None:
        self.version += 1
        self.server[key] = pvc(key[1], str(self.version), key[0], **labels)
        self.events.append(("put", key, self.server[key], self.version))

    @rule(key=keys)
    def delete(self, key: Key) -> None:
        if key in self.server:
            self.version += 1
            self.events.append(("remove", key, self.server.pop(key), self.version))

    @rule(key=keys)
    def answer_a_get(self, key: Key) -> None:
        if key in self.server:
            self.answers.append(self.server[key])

    @rule(data=st.data())
    def an_answer_arrives(self, data: st.DataObject) -> None:
        if not self.answers:
            return
        found = data.draw(st.sampled_from(self.answers))
        key = (found["metadata"]["namespace"], found["metadata"]["name"])
        version = int(found["metadata"]["resourceVersion"])
        held = self.held.get(key)
        accepted = version > (self.seen if held is None else int(held["metadata"]["resourceVersion"]))
        changed = self.store.put(PVCS, found)
        assert changed == (accepted and (held is None or _labels(held) != _labels(found)))
        if accepted:
            self.held[key] = found

    @rule()
    def an_event_arrives(self) -> None:
        if not self.events:
            return
        kind, key, obj, version = self.events.pop(0)
        held = self.held.get(key)
        newer = held is not None and int(held["metadata"]["resourceVersion"]) >= version
        if kind == "put":
            self.store.put(PVCS, obj)
            if not newer:
                self.held[key] = obj
        else:
            self.store.remove(PVCS, *key, str(version))
            if not newer:
                self.held.pop(key, None)
        self.store.contact(PVCS, str(version))
        self.seen = version

    @rule()
    def list_again(self) -> None:
        self.store.replace(PVCS, list(self.server.values()), str(self.version))
        self.held, self.seen = dict(self.server), self.version
        self.events.clear()

    @rule()
    def the_crd_goes_and_comes(self) -> None:
        self.store.absent(PVCS)
        assert self.store.list(PVCS) == ()
        self.list_again()

    @invariant()
    def reads_are_those_of_plain_dicts(self) -> None:
        def ordered(objects: list[dict[str, Any]]) -> list[Key]:
            return sorted((obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in objects)

        def keys_of(objects: object) -> list[Key]:
            assert isinstance(objects, tuple)
            return [(obj["metadata"]["namespace"], obj["metadata"]["name"]) for obj in objects]

        held = list(self.held.values())
        assert keys_of(self.store.list(PVCS)) == ordered(held)
        for namespace in ("prod", "test"):
            mine = [obj for obj in held if obj["metadata"]["namespace"] == namespace]
            assert keys_of(self.store.select(PVCS, "namespace", namespace)) == ordered(mine)
        for label in ("app=x", "app=y", "tier=x", "tier=y"):
            mine = [obj for obj in held if label in _labels(obj)]
            assert keys_of(self.store.select(PVCS, "label", label)) == ordered(mine)
        for (namespace, name), obj in self.held.items():
            found = self.store.get(PVCS, namespace, name)
            assert found is not None
            assert found["metadata"] == obj["metadata"]

    @invariant()
    def the_watch_brings_the_store_to_the_servers_state_in_the_end(self) -> None:
        if not self.events:
            assert {key: obj["metadata"] for key, obj in self.held.items()} == {
                key: obj["metadata"] for key, obj in self.server.items()
            }

    def teardown(self) -> None:
        if hasattr(self, "store"):
            table = self.store._states[PVCS.resource].table
            assert all(bucket.members for buckets in table.indexes.values() for bucket in buckets.values())


TestStoreAgainstDicts = StoreAgainstDicts.TestCase
TestStoreAgainstDicts.settings = settings(max_examples=60, stateful_step_count=30, deadline=None)


def test_an_object_is_listed_under_its_new_key_before_it_leaves_the_old_one(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed_when_leaving = []
    unlist = Table._unlist

    def leaving(buckets: dict[str, Any], key: Key, items: frozenset[str]) -> None:
        if items:
            listed_when_leaving.append(key in buckets["app=web"].members)
        unlist(buckets, key, items)

    monkeypatch.setattr(Table, "_unlist", staticmethod(leaving))
    store.put(PVCS, pvc("b", "11", app="web"))
    assert listed_when_leaving == [True]


def _alternating() -> Iterator[tuple[Object, str]]:
    """Ten objects, each of which changes its label again and again."""
    for turn in range(1, 150):
        for number in range(10):
            version = str(turn * 10 + number + 1)
            yield pvc(f"v{number}", version, app="even" if turn % 2 == 0 else "odd"), version


def _wrong_reads(store: Store) -> list[str]:
    """What a reader should never see: a list that is not whole, an object under a key that is not its own."""
    listed = names(store.list(PVCS))
    wrong = [] if listed == sorted(f"v{number}" for number in range(10)) else [f"list: {listed}"]
    for label in ("odd", "even"):
        found = store.select(PVCS, "label", f"app={label}")
        wrong += [f"{label} shows {obj}" for obj in found if labels_of(obj)["app"] != label]
        wrong += [f"{label} shows {names(found)}"] if names(found) != sorted(set(names(found))) else []
    return wrong


def test_readers_never_see_a_change_by_halves() -> None:
    store = Store([PVCS])
    store.replace(PVCS, [pvc(f"v{number}", "1", app="even") for number in range(10)], "10")
    done, wrong = threading.Event(), []

    def read() -> None:
        while not done.is_set():
            try:
                wrong.extend(_wrong_reads(store))
            except (FactUnavailable, LookupError, RuntimeError) as error:
                wrong.append(repr(error))

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for count, (obj, version) in enumerate(_alternating()):
        store.put(PVCS, obj)
        store.contact(PVCS, version)
        if count % 300 == 299:
            store.replace(PVCS, list(store.list(PVCS)), version)
    done.set()
    for reader in readers:
        reader.join()
    assert wrong == []
