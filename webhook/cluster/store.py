"""The store: pruned objects with their indexes, in memory, for many readers.

Online it is filled by watches (:mod:`webhook.cluster.watch`), offline from manifests
(:mod:`webhook.cluster.manifests`); both are read through the same port, so a decision cannot tell them apart.

**Order.** A fresh read and a watch may tell of the same object in either order. The newer ``resourceVersion`` wins,
whoever comes last. Two versions compare as whole numbers if both are digits, else the later write wins.
Source: Kubernetes API concepts, "Resource versions": those of one resource type can be compared as integers (KEP-5504,
stable since 1.35; true of every etcd-backed API server before that).

**Threads.** Any number of readers; writers of one resource exclude each other by its lock. Reads take that lock only to
sort a bucket that changed since it was last read. One call always sees an object wholly before or wholly after a
change; an object that moves from one index key to another is never missing from both.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from webhook.cluster.projection import Projection
from webhook.cluster.table import Table
from webhook.errors import FactUnavailable
from webhook.model.facts import WatchedResource
from webhook.model.objects import Object, name_of, namespace_of, text


def version_of(obj: Object) -> str:
    """Return ``metadata.resourceVersion``; empty where there is none."""
    return text(obj, "metadata", "resourceVersion")


def is_newer(version: str, than: str) -> bool | None:
    """Compare two resource versions; None if they cannot be compared (either is not a number)."""
    if version.isdecimal() and than.isdecimal():
        return int(version) > int(than)
    return None


@dataclass(slots=True)
class _State:
    """What is known of one resource."""

    watched: WatchedResource
    projection: Projection
    table: Table
    lock: threading.Lock = field(default_factory=threading.Lock)
    synced: bool = False
    contacted: float | None = None
    refused: str = ""


class Listing:
    """A list that is being read, page by page; nothing of it shows before :meth:`commit`. Used by one thread."""

    def __init__(self, store: Store, state: _State) -> None:
        self._store = store
        self._state = state
        self._table = Table(state.watched, state.lock)

    def add(self, obj: Object) -> None:
        """Take one more object, pruned."""
        pruned = self._state.projection.prune(obj)
        self._table.put(self._table.key_of(namespace_of(pruned), name_of(pruned)), pruned)

    def commit(self, version: str = "") -> None:
        """Put the list in the place of all that was held before; ``version`` is the list's resourceVersion.

        The list is the truth, also where its versions are lower than those held (an etcd restored from a backup). Only
        what a fresh read brought that is newer than both the list and all that the watch has seen survives it.
        """
        table = self._table
        table.version = version
        with self._state.lock:
            held = self._state.table
            for key, obj in held.objects.members.items():
                own = version_of(obj)
                if is_newer(own, version) and is_newer(own, held.version or version):
                    table.put(key, obj)
            self._state.table = table
            self._state.synced = True
            self._state.refused = ""
        self._store.contact(self._state.watched)


class Store:
    """Cluster state, and the ClusterView port on it."""

    def __init__(
        self,
        resources: Iterable[WatchedResource],
        *,
        max_staleness: float | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Make an empty store.

        Args:
            resources: What it holds; reading anything else is a programming error (LookupError).
            max_staleness: Seconds without contact after which reads raise FactUnavailable; None is never (manifests).
            clock: Monotonic seconds.
        """
        self._max_staleness = max_staleness
        self._clock = clock
        self._states = {}
        for watched in resources:
            lock = threading.Lock()
            self._states[watched.resource] = _State(watched, Projection.of(watched), Table(watched, lock), lock)

    @property
    def resources(self) -> tuple[WatchedResource, ...]:
        """What this store holds."""
        return tuple(state.watched for state in self._states.values())

    def _state(self, watched: WatchedResource) -> _State:
        try:
            return self._states[watched.resource]
        except KeyError:
            raise LookupError(f"{watched.resource} is not held in this store; it must be among its resources") from None

    # Reading: the ClusterView port.

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        table = self._readable(watched)
        return table.objects.members.get(table.key_of(namespace, name))

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """See ClusterView."""
        table = self._readable(watched)
        if index not in table.indexes:
            raise LookupError(f"{watched.resource} has no index {index!r}")
        bucket = table.indexes[index].get(key)
        return () if bucket is None else table.ordered(bucket)

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        table = self._readable(watched)
        return table.ordered(table.objects)

    def _readable(self, watched: WatchedResource) -> Table:
        state = self._state(watched)
        reason = self._unreadable(state)
        if reason:
            raise FactUnavailable(reason)
        return state.table

    def _unreadable(self, state: _State) -> str:
        resource = state.watched.resource
        if state.refused:
            return state.refused
        if not state.synced:
            return f"{resource} have not been listed yet"
        if self._max_staleness is None:
            return ""
        contacted = state.contacted
        silent = math.inf if contacted is None else self._clock() - contacted
        if silent <= self._max_staleness:
            return ""
        return (
            f"no contact with the API server about {resource} for {silent:.0f} s; "
            f"what is cached is trusted for {self._max_staleness:g} s"
        )

    # Freshness and sizes.

    def synced(self, watched: WatchedResource) -> bool:
        """Whether the resource was listed, or found absent, at least once."""
        return self._state(watched).synced

    def unreadable(self, watched: WatchedResource) -> str:
        """Return why reading this resource would raise FactUnavailable now; empty if it would not."""
        return self._unreadable(self._state(watched))

    def staleness(self, watched: WatchedResource) -> float | None:
        """Seconds since the watch of this resource last heard from the API server; None if it never did."""
        contacted = self._state(watched).contacted
        return None if contacted is None else max(0.0, self._clock() - contacted)

    def counts(self) -> Mapping[str, int]:
        """How many objects are held, by resource (``pods``, ``virtualmachines.kubevirt.io``)."""
        return {str(resource): len(state.table.objects.members) for resource, state in self._states.items()}

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return self.held_in(watched)

    def held(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """Return one object as it is held, however old; for those who bring the store up to date."""
        table = self._state(watched).table
        return table.objects.members.get(table.key_of(namespace, name))

    def held_in(self, watched: WatchedResource, namespace: str = "") -> Sequence[Object]:
        """Return all objects that are held, of one namespace if it is given, however old they are."""
        state = self._state(watched)
        with state.lock:
            members = list(state.table.objects.members.items())
        return [obj for (where, _), obj in members if not namespace or where == namespace]

    # Writing.

    def listing(self, watched: WatchedResource) -> Listing:
        """Begin a list that will replace all objects of a resource at once."""
        return Listing(self, self._state(watched))

    def replace(self, watched: WatchedResource, objects: Iterable[Object], version: str = "") -> None:
        """Replace all objects of a resource at once; ``version`` is the list's resourceVersion."""
        listing = self.listing(watched)
        for obj in objects:
            listing.add(obj)
        listing.commit(version)

    def put(self, watched: WatchedResource, obj: Object) -> bool:
        """Add or update one object; True if what is held differs now from what was.

        An older object than the one held is dropped, and so is one that is not held although the watch has come further
        than its version: it was deleted since it was read.
        """
        state = self._state(watched)
        pruned = state.projection.prune(obj)
        version = version_of(pruned)
        with state.lock:
            table = state.table
            key = table.key_of(namespace_of(pruned), name_of(pruned))
            held = table.objects.members.get(key)
            known = table.version if held is None else version_of(held)
            if is_newer(version, known) is False:
                return False
            table.put(key, pruned)
        return held is None or _content(held) != _content(pruned)

    def remove(self, watched: WatchedResource, namespace: str, name: str, version: str = "") -> bool:
        """Remove one object; True if it was held.

        ``version`` tells how new the knowledge is that it is gone; an object held with a newer version stays.
        """
        state = self._state(watched)
        with state.lock:
            table = state.table
            key = table.key_of(namespace, name)
            held = table.objects.members.get(key)
            if held is None or is_newer(version_of(held), version):
                return False
            table.remove(key)
        return True

    def contact(self, watched: WatchedResource, version: str = "") -> None:
        """Note that the watch has heard from the API server, and how far (a resourceVersion) it has come by that."""
        state = self._state(watched)
        if version:
            with state.lock:
                state.table.version = version
        state.contacted = self._clock()

    def refuse(self, watched: WatchedResource, reason: str) -> None:
        """Note that a resource cannot be read, and why: reading it raises FactUnavailable until a list is committed."""
        self._state(watched).refused = reason

    def absent(self, watched: WatchedResource) -> None:
        """Note that the API server does not serve this resource (its CRD is not installed): there are no objects."""
        state = self._state(watched)
        with state.lock:
            state.table = Table(watched, state.lock)
            state.synced = True
            state.refused = ""
        state.contacted = self._clock()


def _content(obj: Object) -> tuple[object, ...]:
    """What of an object matters to a reader: not its resourceVersion, which changes with fields that are not kept."""
    metadata = obj.get("metadata")
    rest = {key: item for key, item in metadata.items() if key != "resourceVersion"} if metadata else {}
    return ({key: item for key, item in obj.items() if key != "metadata"}, rest)
