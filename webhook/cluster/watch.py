"""Keeps one resource of the store up to date: list it, watch it, and begin again where that ends.

**Is a quiet watch healthy?** Each watch is asked to end after 30 to 45 seconds, and is dropped as dead when nothing at
all came for that time and ten seconds more. So an API server that lives is heard from at least every 45 seconds: by an
event, by a bookmark (about one a minute), by the orderly end of a watch, or by accepting the next one; each counts as
contact. A watch that resumes from a kept resourceVersion costs the API server next to nothing.

Source: Kubernetes API concepts, "Efficient detection of changes", "Watch bookmarks", "410 Gone responses".
"""

from __future__ import annotations

import json
import logging
import random
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Protocol

from webhook.cluster.client import Client, Query, resource_path
from webhook.cluster.failures import StatusError, shorten
from webhook.cluster.lists import read_all, served_version
from webhook.cluster.store import Store, version_of
from webhook.errors import ClusterError
from webhook.model.facts import WatchedResource
from webhook.model.objects import JSON, name_of, namespace_of, text, value

log = logging.getLogger(__name__)

WATCH_SECONDS = (30, 45)
"""A watch ends after a random time between these, so that not all are renewed at once."""

SILENCE_SECONDS = 10
"""How much longer a watch may be silent than it was to last."""

ABSENT_SECONDS = 10.0
"""How often a resource that is not served is looked for again."""

_STEADY_SECONDS = 5.0
"""A watch that lasted this long, or brought anything, was no failure: the next delay is the first again."""

_NOT_FOUND, _GONE, _UNAUTHORIZED, _FORBIDDEN = 404, 410, 401, 403


class Stopping(Protocol):
    """What of a threading.Event a watch uses; tests bring their own, whose time passes at once."""

    def is_set(self) -> bool:
        """Whether the watch shall end."""

    def wait(self, timeout: float | None = None) -> bool:
        """Sleep; True if the watch shall end."""


class State(StrEnum):
    """What the watch of a resource is doing."""

    LISTING = "listing"
    WATCHING = "watching"
    ABSENT = "absent"
    FAILING = "failing"


@dataclass(frozen=True, slots=True, kw_only=True)
class WatchStatus:
    """The state of a watch and what it did since it began."""

    state: State = State.LISTING
    problem: str = ""
    """Why it is failing, for people; empty otherwise."""
    lists: int = 0
    events: int = 0
    failures: int = 0
    served: str = ""
    """The version that is read: that of the resource, or another if the API server does not serve it."""
    list_bytes: int = 0
    """Size of the last full list as it was sent."""


class Backoff:
    """Delays that double from half a second to half a minute, each shortened at random by up to a half."""

    def __init__(
        self, *, first: float = 0.5, longest: float = 30.0, chance: Callable[[], float] = random.random
    ) -> None:
        self._first = first
        self._longest = longest
        self._chance = chance
        self._failures = 0

    def next(self) -> float:
        """Return how many seconds to wait after one more failure."""
        delay = min(self._longest, self._first * 2.0 ** min(self._failures, 16))
        self._failures += 1
        return delay * (0.5 + 0.5 * self._chance())

    def reset(self) -> None:
        """Forget the failures."""
        self._failures = 0


class BrokenEventError(ClusterError):
    """The watch brought something that is not a watch event."""


class Watch:
    """Fills one resource of a store. :meth:`run` belongs to one thread; the properties may be read by any."""

    def __init__(
        self,
        client: Client,
        watched: WatchedResource,
        store: Store,
        *,
        stopping: Stopping,
        clock: Callable[[], float] = time.monotonic,
        chance: Callable[[], float] = random.random,
    ) -> None:
        """Make a watch; nothing happens before :meth:`run`."""
        self.watched = watched
        self.settled = threading.Event()
        """Set once the resource was listed, or found absent."""
        self._client = client
        self._store = store
        self._stopping = stopping
        self._clock = clock
        self._chance = chance
        self._backoff = Backoff(chance=chance)
        self._resource = watched.resource
        self._version = ""
        self._broken_at: str | None = None
        self._status = WatchStatus(served=watched.resource.version)

    @property
    def status(self) -> WatchStatus:
        """What it is doing."""
        return self._status

    def path(self, namespace: str = "", name: str = "") -> str:
        """Return where objects of the resource are read, in the version that is served."""
        return resource_path(self._resource, namespace, name)

    def run(self) -> None:
        """List and watch until stopping is set. Ends for no other reason."""
        while not self._stopping.is_set():
            try:
                self._once()
            except ClusterError as error:
                self._failed(error)
            except Exception as error:  # a watch that ends by a mistake of ours would leave the cache stale
                log.exception("watching %s", self.watched.resource)
                self._version = ""
                self._failed(ClusterError(f"an internal error: {shorten(repr(error))}"))

    def _once(self) -> None:
        """One step: a list if the state of the resource is not known, then one watch."""
        if not self._version and not self._list():
            self._stopping.wait(ABSENT_SECONDS * (0.8 + 0.4 * self._chance()))
            return
        began, events = self._clock(), self._status.events
        self._watch()
        if self._status.events > events or self._clock() - began >= _STEADY_SECONDS:
            self._backoff.reset()
        else:
            self._stopping.wait(self._backoff.next())

    # Listing.

    def _list(self) -> bool:
        """Read all objects; False if the resource is not served in any version."""
        self._set(state=self._status.state if self._status.problem else State.LISTING)
        try:
            self._version = self._read_all()
        except StatusError as error:
            if error.status != _NOT_FOUND:
                raise
            served = served_version(self._client, self.watched.resource)
            if served is None:
                self._absent()
                return False
            self._resource = replace(self.watched.resource, version=served)
            self._set(served=served)
            self._version = self._read_all()
        self._set(lists=self._status.lists + 1)
        self.settled.set()
        return True

    def _read_all(self) -> str:
        """Replace what the store holds by what the API server holds; the version to watch from."""
        version, size = read_all(self._client, self.watched, self._store, version=self._resource.version)
        self._set(list_bytes=size)
        return version

    def _absent(self) -> None:
        if self._status.state is not State.ABSENT:
            log.info("%s is not served by the API server: taken as empty, and looked for again", self.watched.resource)
        self._store.absent(self.watched)
        self._set(state=State.ABSENT, problem="", list_bytes=0)
        self.settled.set()

    # Watching.

    def _watch(self) -> None:
        """Follow one watch to its end."""
        shortest, longest = WATCH_SECONDS
        seconds = round(shortest + (longest - shortest) * self._chance())
        query: Query = {
            "watch": "true",
            "allowWatchBookmarks": "true",
            "resourceVersion": self._version,
            "timeoutSeconds": seconds,
        }
        with self._client.stream(self.path(), query, silence=seconds + SILENCE_SECONDS) as lines:
            self._store.contact(self.watched)
            if self._status.problem:
                log.info("watching %s again", self.watched.resource)
            self._set(state=State.WATCHING, problem="")
            for line in lines:
                self._event(line)
        self._store.contact(self.watched)

    def _event(self, line: bytes) -> None:
        kind, obj = _parse(line)
        match kind:
            case "ADDED" | "MODIFIED":
                self._store.put(self.watched, obj)
            case "DELETED":
                self._store.remove(self.watched, namespace_of(obj), name_of(obj), version_of(obj))
            case "BOOKMARK":
                pass
            case "ERROR":
                code = value(obj, "code")
                raise StatusError(
                    f"the watch on {self.watched.resource} ended with {code}: {shorten(text(obj, 'message'))}",
                    status=code if isinstance(code, int) else 500,
                    where=self._client.server,
                )
            case _:
                raise BrokenEventError(f"a watch event is of the unknown type {shorten(kind)!r}")
        self._version = version_of(obj) or self._version
        self._store.contact(self.watched, self._version)
        self._set(events=self._status.events + 1)

    # Failing.

    def _failed(self, error: ClusterError) -> None:
        """Note a failure, decide where to begin again, and wait."""
        if self._stopping.is_set():
            return
        if self._begin_anew(error):
            self._version = ""
        if isinstance(error, StatusError) and error.status == _GONE:
            log.info("the history of %s is gone; listing again", self.watched.resource)
        else:
            self._report(error)
        self._stopping.wait(self._backoff.next())

    def _begin_anew(self, error: ClusterError) -> bool:
        """Whether to list again: history is gone, the resource is, or the same broken event came twice."""
        if isinstance(error, BrokenEventError):
            twice, self._broken_at = self._broken_at == self._version, self._version
            return twice
        return isinstance(error, StatusError) and error.status in {_GONE, _NOT_FOUND}

    def _report(self, error: ClusterError) -> None:
        problem = str(error)
        if problem != self._status.problem:  # said once, not at every try
            serious = isinstance(error, StatusError) and error.status in {_UNAUTHORIZED, _FORBIDDEN}
            log.log(logging.ERROR if serious else logging.WARNING, "watching %s: %s", self.watched.resource, problem)
        self._set(state=State.FAILING, problem=problem, failures=self._status.failures + 1)

    def _set(self, **changes: object) -> None:
        self._status = replace(self._status, **changes)  # type: ignore[arg-type]  # mypy cannot match ** to fields


def _parse(line: bytes) -> tuple[str, Mapping[str, JSON]]:
    try:
        event = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise BrokenEventError("a watch event is not JSON") from error
    obj = value(event, "object")
    if not isinstance(obj, Mapping):
        raise BrokenEventError("a watch event has no object")
    return text(event, "type"), obj
