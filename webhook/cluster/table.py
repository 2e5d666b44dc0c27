"""The objects of one resource and their indexes. Threads are the store's matter (:mod:`webhook.cluster.store`).

Writers hold the table's lock, or are the only ones who know the table; readers do not, but in :meth:`Table.ordered`.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable
from typing import TypeAlias

from webhook.model.facts import WatchedResource
from webhook.model.objects import Object

Key: TypeAlias = tuple[str, str]
"""Namespace (empty for a cluster-scoped object) and name."""


class Bucket:
    """Some objects of one resource, and their order, which is made when it is asked for."""

    __slots__ = ("members", "ordered")

    def __init__(self) -> None:
        self.members: dict[Key, Object] = {}
        self.ordered: tuple[Object, ...] | None = None

    def put(self, key: Key, obj: Object) -> None:
        """Set an object."""
        self.members[key] = obj
        self.ordered = None

    def remove(self, key: Key) -> None:
        """Remove an object if it is there."""
        self.members.pop(key, None)
        self.ordered = None


class Table:
    """All objects of one resource and its indexes; replaced as a whole after a list."""

    __slots__ = ("indexes", "lock", "objects", "version", "watched")

    def __init__(self, watched: WatchedResource, lock: threading.Lock) -> None:
        self.watched = watched
        self.lock = lock
        self.objects = Bucket()
        self.indexes: dict[str, dict[str, Bucket]] = {index.name: {} for index in watched.indexes}
        self.version = ""
        """How far the watch has come: every change up to this resourceVersion is in here."""

    def key_of(self, namespace: str, name: str) -> Key:
        """Return the key of an object; the namespace of a cluster-scoped one does not matter."""
        return (namespace if self.watched.namespaced else "", name)

    def put(self, key: Key, obj: Object) -> None:
        """Set an object; what it gains is written before what it loses, so that no reader misses it."""
        old = self.objects.members.get(key)
        self.objects.put(key, obj)
        for index in self.watched.indexes:
            buckets = self.indexes[index.name]
            keys = frozenset(index.keys(obj))
            for item in keys:
                bucket = buckets.get(item)
                if bucket is None:
                    bucket = Bucket()
                    bucket.put(key, obj)
                    buckets[item] = bucket
                else:
                    bucket.put(key, obj)
            if old is not None:
                self._unlist(buckets, key, frozenset(index.keys(old)) - keys)

    def remove(self, key: Key) -> None:
        """Remove an object from the table and its indexes, if it is there."""
        old = self.objects.members.get(key)
        if old is None:
            return
        self.objects.remove(key)
        for index in self.watched.indexes:
            self._unlist(self.indexes[index.name], key, index.keys(old))

    @staticmethod
    def _unlist(buckets: dict[str, Bucket], key: Key, items: Iterable[str]) -> None:
        for item in items:
            bucket = buckets.get(item)
            if bucket is not None:
                bucket.remove(key)
                if not bucket.members:
                    del buckets[item]

    def ordered(self, bucket: Bucket) -> tuple[Object, ...]:
        """Return a bucket's objects by namespace and name; sorted again only after a change, which takes the lock."""
        ordered = bucket.ordered
        if ordered is None:
            with self.lock:
                ordered = tuple(bucket.members[key] for key in sorted(bucket.members))
                bucket.ordered = ordered
        return ordered
