"""A live cluster: a watch for each resource, and fresh reads of single objects.

Fresh reads confirm a refusal before it is given: it must not rest on a cache that lags ("bind the role, then migrate").
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Iterable, Mapping, Sequence

from webhook.cluster.client import Client
from webhook.cluster.failures import StatusError
from webhook.cluster.store import Store, version_of
from webhook.cluster.watch import Watch, WatchStatus
from webhook.errors import ClusterError, FactUnavailable
from webhook.model.facts import Deadline, Read, WatchedResource
from webhook.model.objects import Object, mapping, name_of, namespace_of

log = logging.getLogger(__name__)

REREAD_BYTES = 2 * 1024 * 1024
"""A whole resource is only read again for one decision if its last full list was not larger: that of RBAC bindings,
MigrationPolicies and the like is not, that of a large cluster's VMIs is. It bounds the time a refusal takes, and what
refusals cost the API server."""

CALL_SECONDS = 3.0
"""For one fresh read, if the decision's own deadline is not sooner."""

_STOP_SECONDS = 2.0
_NOT_FOUND = 404


class LiveCluster:
    """Keeps a store up to date with the API server, and is the Refresher port on it.

    Owns the client: :meth:`stop` closes it. All methods may be called from any thread; start and stop once each.
    """

    def __init__(self, client: Client, resources: Iterable[WatchedResource], store: Store) -> None:
        """Make it; nothing is sent before :meth:`start`. ``store`` must hold ``resources``."""
        self._client = client
        self._store = store
        self._stopping = threading.Event()
        self._watches = {
            watched.resource: Watch(client, watched, store, stopping=self._stopping) for watched in resources
        }
        self._threads = [
            threading.Thread(target=watch.run, name=f"watch-{resource}", daemon=True)
            for resource, watch in self._watches.items()
        ]

    def start(self) -> None:
        """Begin to watch every resource, each in a thread of its own."""
        for thread in self._threads:
            thread.start()

    def stop(self) -> None:
        """End the watches and close the client's connections; returns within about a second."""
        self._stopping.set()
        self._client.close()
        ends = time.monotonic() + _STOP_SECONDS
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(max(0.0, ends - time.monotonic()))
        late = [thread.name for thread in self._threads if thread.is_alive()]
        if late:  # daemons: they do not keep the process
            log.warning("still connecting when stopped: %s", ", ".join(late))

    def wait_synced(self, timeout: float) -> bool:
        """Wait until every resource was listed or found absent; False if ``timeout`` seconds were not enough."""
        ends = time.monotonic() + timeout
        return all(watch.settled.wait(max(0.0, ends - time.monotonic())) for watch in self._watches.values())

    def problems(self) -> list[str]:
        """Return why facts are unavailable now, one line for each resource; empty means ready.

        A watch that is just being renewed is no problem, as long as what is cached is trusted.
        """
        found = []
        for watch in self._watches.values():
            reason = self._store.unreadable(watch.watched)
            if reason:
                problem = watch.status.problem
                found.append(f"{reason}: {problem}" if problem else reason)
        return found

    def status(self) -> Mapping[str, WatchStatus]:
        """Return what each watch is doing, by resource (``virtualmachines.kubevirt.io``)."""
        return {str(resource): watch.status for resource, watch in self._watches.items()}

    # The Refresher port.

    def refresh(self, reads: Sequence[Read], deadline: Deadline) -> bool:
        """See Refresher. Objects are read one by one, indexes and lists by listing their namespace.

        What spans the cluster is listed if it is small (:data:`REREAD_BYTES`), else left to the watch: such look-ups
        (all VMIs with a label, all nodes) do not name an object that somebody has just made. Nor is a resource listed
        that says so (``relisted``).
        """
        changed = False
        for watched, namespace, name in self._plan(reads):
            deadline.check(f"{watched.resource} were read again")
            seconds = min(CALL_SECONDS, deadline.remaining)
            try:
                if name:
                    changed |= self._get(watched, namespace, name, seconds)
                else:
                    changed |= self._relist(watched, namespace, seconds, deadline)
            except ClusterError as error:
                raise FactUnavailable(f"reading {watched.resource} again failed: {error}") from error
        return changed

    def _plan(self, reads: Iterable[Read]) -> list[tuple[WatchedResource, str, str]]:
        """Return what to read, once each: lists (no name) first, then the objects that no list covers."""
        lists: dict[tuple[str, str], WatchedResource] = {}
        gets: dict[tuple[str, str, str], WatchedResource] = {}
        for read in reads:
            resource = str(read.watched.resource)
            namespace = read.namespace if read.watched.namespaced else ""
            if read.name:
                gets[resource, namespace, read.name] = read.watched
                continue
            namespace = _namespace_of_key(read)
            if read.watched.relisted and (namespace or self._is_small(read.watched)):
                lists[resource, namespace] = read.watched
        lists = {key: watched for key, watched in lists.items() if not key[1] or (key[0], "") not in lists}
        covered = set(lists)
        return [(watched, namespace, "") for (_, namespace), watched in lists.items()] + [
            (watched, namespace, name)
            for (resource, namespace, name), watched in gets.items()
            if not covered & {(resource, ""), (resource, namespace)}
        ]

    def _is_small(self, watched: WatchedResource) -> bool:
        watch = self._watches[watched.resource]
        return watch.settled.is_set() and watch.status.list_bytes <= REREAD_BYTES

    def _get(self, watched: WatchedResource, namespace: str, name: str, seconds: float) -> bool:
        held = self._store.held(watched, namespace, name)
        path = self._watches[watched.resource].path(namespace, name)
        try:
            found = self._client.get(path, timeout=seconds)
        except StatusError as error:
            if error.status != _NOT_FOUND:
                raise
            # Only what was held before asking is gone; what a watch brought since is newer than the answer.
            return held is not None and self._store.remove(watched, namespace, name, version_of(held))
        return self._store.put(watched, mapping(found))

    def _relist(self, watched: WatchedResource, namespace: str, seconds: float, deadline: Deadline) -> bool:
        path = self._watches[watched.resource].path(namespace)
        held = self._store.held_in(watched, namespace)
        found: list[Object] = []
        version = ""
        try:
            for page in self._client.pages(path, timeout=seconds):
                found += [
                    {"apiVersion": page.api_version, "kind": watched.kind, **mapping(item)} for item in page.items
                ]
                version = page.version
                deadline.check(f"all {watched.resource} were read again")
        except StatusError as error:
            if error.status != _NOT_FOUND:
                raise
            gone = [self._store.remove(watched, namespace_of(obj), name_of(obj), version_of(obj)) for obj in held]
            return any(gone)
        changed = [self._store.put(watched, obj) for obj in found]
        listed = {(namespace_of(obj), name_of(obj)) for obj in found}
        missing = [obj for obj in held if (namespace_of(obj), name_of(obj)) not in listed]
        changed += [self._store.remove(watched, namespace_of(obj), name_of(obj), version) for obj in missing]
        return any(changed)


def _namespace_of_key(read: Read) -> str:
    """Return the namespace that an index key is confined to; empty if it is not."""
    namespaced = any(index.namespaced for index in read.watched.indexes if index.name == read.index)
    return read.key.partition("/")[0] if namespaced else read.namespace
