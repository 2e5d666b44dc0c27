"""A cluster as it would be with some objects written or deleted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from webhook.model.facts import ClusterView, WatchedResource
from webhook.model.objects import Object, name_of, namespace_of

Puts = Mapping[WatchedResource, Mapping[tuple[str, str], Object | None]]
"""By resource, then namespace and name: the object as it would be; None for one that is deleted."""


class PutView:
    """A ClusterView over another one. Costs nothing where the other one is not changed."""

    def __init__(self, view: ClusterView, puts: Puts) -> None:
        self._view = view
        self._puts = {watched.resource: dict(objects) for watched, objects in puts.items() if objects}

    def _put(self, watched: WatchedResource) -> Mapping[tuple[str, str], Object | None]:
        return self._puts.get(watched.resource, {})

    def get(self, watched: WatchedResource, namespace: str, name: str) -> Object | None:
        """See ClusterView."""
        put = self._put(watched)
        return put[namespace, name] if (namespace, name) in put else self._view.get(watched, namespace, name)

    def select(self, watched: WatchedResource, index: str, key: str) -> Sequence[Object]:
        """See ClusterView."""
        found, put = self._view.select(watched, index, key), self._put(watched)
        if not put:
            return found
        keys = next(one for one in watched.indexes if one.name == index).keys
        return _with(
            found, {place: obj if obj is not None and key in keys(obj) else None for place, obj in put.items()}
        )

    def list(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return _with(self._view.list(watched), self._put(watched))

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:
        """See ClusterView."""
        return _with(self._view.last_known(watched), self._put(watched))


def _with(found: Sequence[Object], put: Mapping[tuple[str, str], Object | None]) -> Sequence[Object]:
    if not put:
        return found
    kept = {(namespace_of(one), name_of(one)): one for one in found}
    kept |= {place: obj for place, obj in put.items() if obj is not None}
    return [one for place, one in sorted(kept.items()) if put.get(place, one) is not None]
