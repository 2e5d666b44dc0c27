"""Reading every object of a resource from the API server: page by page, and in the version that it serves."""

from __future__ import annotations

from dataclasses import dataclass, replace

from webhook.cluster.client import Client, resource_path
from webhook.cluster.store import Store
from webhook.errors import ClusterError
from webhook.model.facts import WatchedResource
from webhook.model.objects import JSON, GroupVersionResource, mapping, mappings, text

LIST_SECONDS = 60.0
"""For one page of a list."""


def read_all(client: Client, watched: WatchedResource, store: Store, *, version: str) -> tuple[str, int]:
    """Replace what the store holds of a resource by what the API server holds, read in this version of its group.

    Returns the resourceVersion of the list, and its size in bytes as it was sent.

    Raises:
        StatusError: the API server answered with an error; nothing in the store has changed then.
        ClusterError: anything else that went wrong; the same.
    """
    listing = store.listing(watched)
    came, size = "", 0
    path = resource_path(replace(watched.resource, version=version))
    for page in client.pages(path, timeout=LIST_SECONDS):
        for item in page.items:
            listing.add({"apiVersion": page.api_version, "kind": watched.kind, **mapping(item)})
        came, size = page.version, size + page.size
    if not came:
        raise ClusterError(f"the list of {watched.resource} has no resourceVersion", where=client.server)
    listing.commit(came)
    return came, size


@dataclass(frozen=True, slots=True)
class Served:
    """How the API server serves a resource."""

    version: str
    kind: str


def served(client: Client, group: str, resource: str) -> Served | None:
    """Ask which version of a group serves a resource, the preferred one first; None if none does.

    Only an API server that lists its groups is believed that one is missing: what answers 404 to everything (a proxy,
    a wrong address) must not pass for an empty cluster. Raises ClusterError.
    """
    if not group:
        return _in_version(client, "/api/v1", "v1", resource)
    groups = _get(client, "/apis")
    if text(groups, "kind") != "APIGroupList":
        raise _no_api_server(client, f"{resource}.{group}")
    for found in mappings(groups, "groups"):
        if text(found, "name") == group:
            for version in [text(entry, "version") for entry in mappings(found, "versions")]:
                one = _in_version(client, f"/apis/{group}/{version}", version, resource)
                if one is not None:
                    return one
    return None


def served_version(client: Client, wanted: GroupVersionResource) -> str | None:
    """Return the version of :func:`served`. A resource of the core group cannot be absent. Raises ClusterError."""
    if not wanted.group:
        raise _no_api_server(client, str(wanted))
    found = served(client, wanted.group, wanted.resource)
    return found.version if found else None


def _in_version(client: Client, path: str, version: str, resource: str) -> Served | None:
    for entry in mappings(_get(client, path), "resources"):
        if text(entry, "name") == resource:
            return Served(version, text(entry, "kind"))
    return None


def _no_api_server(client: Client, resource: str) -> ClusterError:
    return ClusterError(f"{resource} are not served", where=client.server, hint="is this a kube-apiserver?")


def _get(client: Client, path: str) -> JSON:
    return client.get(path, timeout=LIST_SECONDS)
