"""One look at a live cluster: every resource is listed once, for commands that decide and end.

Where the webhook watches, a command looks: what it finds is of one moment for each resource, and is not kept fresh.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from webhook.cluster.client import Client, resource_path
from webhook.cluster.failures import StatusError, needed_right
from webhook.cluster.lists import read_all, served_version
from webhook.cluster.store import Store
from webhook.errors import ClusterError
from webhook.model.facts import WatchedResource
from webhook.model.objects import value

_FORBIDDEN, _NOT_FOUND, _GONE = 403, 404, 410
_ATTEMPTS = 3
_REVIEWS = "/apis/authorization.k8s.io/v1/selfsubjectaccessreviews"

Seen = Callable[[WatchedResource, int, str], None]
"""Told of each resource once it was looked at: how many objects there are, and why it could not be read, if so."""


def _nobody(_: WatchedResource, __: int, ___: str) -> None:
    """Watches and does nothing."""


def look(client: Client, resources: Sequence[WatchedResource], *, seen: Seen = _nobody) -> Store:
    """Read all objects of these resources, pruned to what facts read.

    A resource whose CRD is not installed is empty. One that our account may not list is unavailable, with the right
    that is missing; the others work.

    Raises:
        ClusterError: the API server cannot be reached, does not know us, or lets us list nothing at all.
    """
    store = Store(resources)
    readable = 0
    for watched in resources:
        missing = _read(client, watched, store)
        if missing:
            store.refuse(watched, f"{watched.resource} cannot be read: our account lacks the RBAC verb {missing}")
        readable += not missing
        seen(watched, len(store.last_known(watched)), store.unreadable(watched))
    if not readable:
        raise ClusterError(
            "our account may list none of the resources that decisions rest on",
            where=client.server,
            hint="see the ClusterRole in examples/scan-cronjob.yaml, and kubectl auth whoami",
        )
    return store


def may_ask_for_others(client: Client) -> bool:
    """Whether our account may create SubjectAccessReviews. Raises ClusterError.

    Source: Kubernetes ``authorization.k8s.io/v1``; each known user may ask about itself (``system:basic-user``).
    """
    attributes = {"verb": "create", "group": "authorization.k8s.io", "resource": "subjectaccessreviews"}
    review = {
        "apiVersion": "authorization.k8s.io/v1",
        "kind": "SelfSubjectAccessReview",
        "spec": {"resourceAttributes": attributes},
    }
    try:
        return value(client.post(_REVIEWS, review), "status", "allowed") is True
    except StatusError as error:
        if error.status != _FORBIDDEN:
            raise
        return False


def _read(client: Client, watched: WatchedResource, store: Store) -> str:
    """Read one resource into the store; the right that our account lacks for it, else empty."""
    version = watched.resource.version
    for attempt in range(1, _ATTEMPTS + 1):
        try:
            read_all(client, watched, store, version=version)
        except StatusError as error:
            if error.status == _FORBIDDEN:
                return needed_right("GET", resource_path(replace(watched.resource, version=version)), {})
            if error.status == _NOT_FOUND:
                served = served_version(client, watched.resource)
                if served is None:
                    store.absent(watched)
                    return ""
                version = served
            elif error.status != _GONE or attempt == _ATTEMPTS:  # gone: the list took longer than its history is kept
                raise
        else:
            return ""
    raise ClusterError(f"{watched.resource} are listed as served, but are not found", where=client.server)
