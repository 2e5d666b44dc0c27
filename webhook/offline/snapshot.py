"""Taking a snapshot: what decisions need of a cluster, so that they can be made without it."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from webhook import __version__
from webhook.cluster import snapshot
from webhook.cluster.snapshot import Header
from webhook.kubevirt.resources import RESOURCES, VM, VMI, VMIM
from webhook.model.objects import text
from webhook.offline.state import ClusterSource, Tell, state_from

IDENTIFIED = frozenset({VMI, VMIM})
"""Kinds whose uid facts read: migrations and pods name a VMI and a migration by it."""

_TEMPLATE = tuple(f"spec.template.{path}" for path in VMI.keep if path.startswith(("spec.", "metadata.annotations")))

KEPT = tuple(
    replace(
        watched,
        keep=(
            *watched.keep,
            *_TEMPLATE,
            "spec.dataVolumeTemplates[].metadata.name",
            "spec.dataVolumeTemplates[].spec.pvc.accessModes",
            "spec.dataVolumeTemplates[].spec.pvc.storageClassName",
            "spec.dataVolumeTemplates[].spec.pvc.volumeMode",
            "spec.dataVolumeTemplates[].spec.storage.accessModes",
            "spec.dataVolumeTemplates[].spec.storage.storageClassName",
            "spec.dataVolumeTemplates[].spec.storage.volumeMode",
            "spec.preference.name",
        ),
    )
    if watched is VM
    else watched
    for watched in RESOURCES
)
"""What a snapshot holds: what facts read of the cluster, and of a VM its template, which scan judges as if written."""


def take(source: ClusterSource, folder: Path, *, force: bool, now: datetime, tell: Tell) -> Header:
    """Take a snapshot of a live cluster, or of manifests of one, into a folder; return what its header says.

    ``tell`` is told how far it has come, and what could not be read.

    Raises:
        UsageError: the folder holds other things; or no cluster is given.
        InputError: manifests cannot be read, or the folder cannot be written.
        ClusterError: the API server cannot be reached, or does not know us.
    """
    snapshot.check_target(folder, force=force)
    state = state_from(source, KEPT, tell=tell, seen=tell)
    store, client = state.store, state.client
    unreadable = {str(one.resource): reason for one in store.resources if (reason := store.unreadable(one))}
    header = Header(
        taken=f"{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}",
        server=client.server if client else "",
        server_version=text(client.get("/version"), "gitVersion") if client else "",
        migguard=__version__,
        counts={name: count for name, count in store.counts().items() if name not in unreadable},
        unreadable=unreadable,
    )
    snapshot.write(folder, store, header, identified=IDENTIFIED)
    return header
