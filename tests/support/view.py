"""A ClusterView over a handful of objects, pruned and indexed as the real store does."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.cluster.projection import Projection
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import WatchedResource
from webhook.model.objects import Object, name_of, namespace_of, text

_PROJECTIONS = {watched.kind: (watched, Projection.of(watched)) for watched in RESOURCES}


class View:
    """Objects in memory. What their WatchedResource does not keep is lost: a fact that reads more fails here."""

    def __init__(self, *objects: Object) -> None:
        self._objects: dict[str, dict[tuple[str, str], Object]] = {watched.kind: {} for watched in RESOURCES}
        self._indexes: dict[tuple[str, str, str], list[Object]] = {}
        self.listed: list[str] = []
        """Kinds that were listed whole."""
        for found in objects:
            self.put(found)

    def put(self, found: Object) -> None:
        """Add an object."""
        watched, projection = _PROJECTIONS[text(found, "kind")]
        pruned = projection.prune(found)
        self._objects[watched.kind][namespace_of(pruned), name_of(pruned)] = pruned
        for index in watched.indexes:
            for key in index.keys(pruned):
                self._indexes.setdefault((watched.kind, index.name, key), []).append(pruned)

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        return self._objects[watched.kind].get((namespace, name))

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """See ClusterView."""
        assert index in {declared.name for declared in watched.indexes}, f"{watched.kind} has no index {index}"
        found = self._indexes.get((watched.kind, index, key), [])
        return sorted(found, key=lambda entry: (namespace_of(entry), name_of(entry)))

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        self.listed.append(watched.kind)
        return self.last_known(watched)

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return [found for _, found in sorted(self._objects[watched.kind].items())]
