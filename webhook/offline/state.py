"""Where the state of a cluster comes from for a command: manifests, or one look at a live cluster."""

from __future__ import annotations

import math
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.admission.pipeline import World
from webhook.cluster.manifests import store_from
from webhook.cluster.snapshot import header_of
from webhook.cluster.store import Store
from webhook.errors import InputError, UsageError
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Authorizer, WatchedResource
from webhook.model.objects import text
from webhook.output.tables import plain
from webhook.source import files

if TYPE_CHECKING:
    from webhook.cluster.client import Client

PATIENCE = (0.5, 1.0, 2.0, 4.0)
"""Seconds between tries at an API server that is busy, as client-go has it: a command has nobody who tries again."""

Tell = Callable[[str], None]
"""Says one line to the person at the terminal."""


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """Manifests, or a kubeconfig file and its context; neither means the cluster that kubectl would speak to."""

    manifests: tuple[Path, ...] = ()
    kubeconfig: Path | None = None
    context: str = ""


def to_stderr(line: str) -> None:
    """Tell by standard error, so that the result of a command stays clean."""
    sys.stderr.write(f"migguard: {plain(line)}\n")


@dataclass(frozen=True, slots=True)
class State:
    """What was read of a cluster; ``client`` is None where it came from manifests."""

    store: Store
    client: Client | None = None


def world_from(source: ClusterSource, tell: Tell = to_stderr) -> World:
    """Return the world that decisions are made in.

    A live cluster is looked at once, now. What our account may not read there is unavailable to facts, which ``tell``
    is told, as it is where permissions must be worked out from RBAC objects.

    Raises:
        InputError: manifests, or the kubeconfig, cannot be read.
        UsageError: no cluster is given, and kubectl would have none either.
        ClusterError: the API server cannot be reached or does not know us.
    """
    state = state_from(source, tell=tell)
    return World(state.store, _authorizer(state, tell), None)


def state_from(
    source: ClusterSource,
    resources: Sequence[WatchedResource] = RESOURCES,
    *,
    tell: Tell = to_stderr,
    seen: Tell | None = None,
) -> State:
    """Read these resources from manifests, or from a live cluster by one look at each. Raises as :func:`world_from`.

    ``seen`` is told of each resource that was read of a live cluster, for those who wait.
    """
    if source.manifests:
        store, _ = store_from(source.manifests, resources)
        for folder in source.manifests:
            _refuse_unread(store, folder, tell)
        return State(store)
    client = connected(source)
    from webhook.cluster.look import look  # noqa: PLC0415 - see connected

    def told(watched: WatchedResource, count: int, problem: str) -> None:
        if problem:
            tell(problem)
        elif seen is not None:
            seen(f"{watched.resource}: {count}")

    return State(look(client, resources, seen=told), client)


def _refuse_unread(store: Store, folder: Path, tell: Tell) -> None:
    """What a snapshot was not allowed to read is unknown; it must not pass for empty."""
    header = header_of(folder) if folder.is_dir() else None
    unreadable = header.unreadable if header else {}
    for watched in store.resources:
        reason = unreadable.get(str(watched.resource), "")
        if reason and not store.counts()[str(watched.resource)]:
            store.refuse(watched, f"{reason} (when the snapshot was taken)")
            tell(f"{folder}: {reason} (when the snapshot was taken)")


def connected(source: ClusterSource) -> Client:
    """Return a client for a live cluster; nothing is sent yet. Raises InputError, UsageError and ClusterError.

    Source: kubectl's order: the file that is named, ``$KUBECONFIG`` (files that are merged), ``~/.kube/config``, and
    in a pod its service account; ``k8s.io/client-go/tools/clientcmd``.
    """
    # Imported here because the kubernetes client costs half a second, which manifests have no need of.
    from webhook.cluster.client import connect  # noqa: PLC0415 - see above

    kubeconfig = source.kubeconfig or _default_kubeconfig()
    if kubeconfig is None and (source.context or "KUBERNETES_SERVICE_HOST" not in os.environ):
        raise UsageError(
            "no cluster is given, and there is no kubeconfig",
            hint="name manifests with --cluster DIR, or a live cluster with --kubeconfig FILE",
        )
    context = source.context or (_current_context(kubeconfig) if kubeconfig else "")
    return connect(kubeconfig, context or None, patience=PATIENCE)


def _default_kubeconfig() -> Path | None:
    """The file or files (a list, as ``$KUBECONFIG`` has them) that kubectl would read."""
    stated = os.environ.get("KUBECONFIG", "")
    named = [file for file in stated.split(os.pathsep) if file]
    there = [file for file in named if Path(file).exists()]
    if named and not there:
        raise InputError("$KUBECONFIG names no file that exists", where=stated, hint="check it, or use --kubeconfig")
    if there:
        return Path(os.pathsep.join(there))
    usual = Path.home() / ".kube" / "config"
    return usual if usual.exists() else None


def _current_context(kubeconfig: Path) -> str:
    """Of several files that are merged, kubectl takes the first that names one; the library below would take the last.

    Source: ``k8s.io/client-go/tools/clientcmd/loader.go`` (``ClientConfigLoadingRules.Load``).
    """
    named = str(kubeconfig).split(os.pathsep)
    for file in named if len(named) > 1 else ():
        documents, _ = files.parse(files.read(Path(file)), file)
        current = next((text(document.value, "current-context") for document in documents), "")
        if current:
            return current
    return ""


def _authorizer(state: State, tell: Tell) -> Authorizer:
    if state.client is None:
        return RBACAuthorizer(state.store)
    from webhook.cluster.access import SubjectAccessReviewAuthorizer  # noqa: PLC0415 - see connected
    from webhook.cluster.look import may_ask_for_others  # noqa: PLC0415 - see connected

    if may_ask_for_others(state.client):
        # As the objects, so the answers are those of one moment.
        return SubjectAccessReviewAuthorizer(state.client, ttl=math.inf)
    tell(
        "permissions are worked out from the RBAC objects of the cluster, as our account lacks the RBAC verb 'create' "
        "on subjectaccessreviews.authorization.k8s.io: rights that come from elsewhere are not seen"
    )
    return RBACAuthorizer(state.store)
