"""Where the state of a cluster comes from for a command: manifests, or one look at a live cluster."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from webhook.admission.pipeline import World
from webhook.cluster.manifests import store_from
from webhook.errors import UsageError
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """Manifests, or a kubeconfig file and its context; neither means the cluster that kubectl would speak to."""

    manifests: tuple[Path, ...] = ()
    kubeconfig: Path | None = None
    context: str = ""


def world_from(source: ClusterSource) -> World:
    """Return the world that decisions are made in.

    Raises InputError for manifests that cannot be read, and ClusterError where the API server cannot be reached.
    """
    if source.manifests:
        store, _ = store_from(source.manifests, RESOURCES)
        return World(store, RBACAuthorizer(store), None)
    raise UsageError("no cluster state is given", hint="--cluster DIR")
