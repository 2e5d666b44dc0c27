from __future__ import annotations

import threading

from webhook.cluster.table import Key, Table
from webhook.model.facts import Index, WatchedResource
from webhook.model.objects import GroupVersionResource, Object, items

PODS = WatchedResource(
    GroupVersionResource("", "v1", "pods"), "Pod", True, (), (Index("tag", lambda obj: items(obj, "tags")),)
)


def pod(*tags: str) -> Object:
    return {"tags": list(tags)}


def table(**objects: Object) -> Table:
    made = Table(PODS, threading.Lock())
    for name, obj in objects.items():
        made.put(("prod", name), obj)
    return made


def tagged(made: Table) -> dict[str, list[Key]]:
    return {tag: sorted(bucket.members) for tag, bucket in made.indexes["tag"].items()}


def test_an_object_is_listed_under_each_of_its_keys_once() -> None:
    made = table(a=pod("x", "y", "x"), b=pod("x"), c=pod())
    assert tagged(made) == {"x": [("prod", "a"), ("prod", "b")], "y": [("prod", "a")]}


def test_a_change_moves_it_and_leaves_no_empty_key_behind() -> None:
    made = table(a=pod("x", "y"))
    made.put(("prod", "a"), pod("y", "z"))
    assert tagged(made) == {"y": [("prod", "a")], "z": [("prod", "a")]}
    assert made.indexes["tag"]["y"].members["prod", "a"] == pod("y", "z")


def test_a_removal_takes_it_from_every_key() -> None:
    made = table(a=pod("x", "y", "x"), b=pod("y"))
    made.remove(("prod", "a"))
    made.remove(("prod", "never-there"))
    assert tagged(made) == {"y": [("prod", "b")]}
    assert list(made.objects.members) == [("prod", "b")]


def test_order_is_made_once_until_something_changes() -> None:
    made = table(b=pod("b"), a=pod("a"))
    first = made.ordered(made.objects)
    assert first == (pod("a"), pod("b"))
    assert made.ordered(made.objects) is first
    made.put(("alpha", "z"), pod("z"))
    assert made.ordered(made.objects) == (pod("z"), pod("a"), pod("b"))


def test_the_namespace_counts_for_namespaced_objects_only() -> None:
    nodes = WatchedResource(GroupVersionResource("", "v1", "nodes"), "Node", False, ())
    assert table().key_of("prod", "a") == ("prod", "a")
    assert Table(nodes, threading.Lock()).key_of("prod", "a") == ("", "a")
