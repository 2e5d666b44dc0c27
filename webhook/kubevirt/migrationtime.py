"""How long the live migration of a VM may take, and what there is to copy.

KubeVirt gives up (or, where workload disruption is allowed, pauses the guest or switches to post-copy) when
completionTimeoutPerGiB x size seconds have passed. The size is counted in units of 10^9 bytes, rounded up, whatever the
field's name says. Disks that are copied along add to the size and to the time alike; how large they are is not
known here, so both are of memory alone.

Source: KubeVirt ``pkg/virt-launcher/virtwrap/manager.go`` (``getVMIMigrationDataSize``),
``pkg/virt-launcher/virtwrap/live-migration-source.go`` (``newMigrationMonitor``, ``shouldTriggerTimeout``).
"""

from __future__ import annotations

from webhook.kubevirt.memory import shown
from webhook.kubevirt.migrationconfig import in_force
from webhook.kubevirt.workload import vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, annotations_of, value
from webhook.model.quantity import MAX_INT64, parse_bytes

DIRTY_RATE = "migguard.io/dirty-rate"
"""Annotation by which a VM's owner says how many bytes of memory it changes per second, as a quantity: ``64Mi``."""
UNKNOWN = -1

_GIGA = 10**9


def data_bytes(vmi: Object | None) -> int:
    """Return the memory that KubeVirt counts: the guest's, else what is requested; 0 if neither is given."""
    domain = value(vmi, "spec", "domain")
    for written in (value(domain, "memory", "guest"), value(domain, "resources", "requests", "memory")):
        size = parse_bytes(written)
        if size is not None:
            return max(size, 0)
    return 0


def allowed_seconds(size: int, per_giga: int) -> int:
    """Return how long a migration of this size may take; 0 is for ever."""
    return min(max(per_giga, 0) * -(-size // _GIGA), MAX_INT64)


def dirty_rate(vmi: Object | None) -> int:
    """Return the bytes per second that the VM changes, as its owner says; -1 if nobody does."""
    written = annotations_of(vmi).get(DIRTY_RATE)
    rate = None if written is None else parse_bytes(written.strip())
    return UNKNOWN if rate is None or rate < 0 else rate


def _allowed(context: FactContext) -> int:
    per_giga = in_force(context).settings["completionTimeoutPerGiB"].value
    return allowed_seconds(data_bytes(vmi_of(context)), per_giga)


FACTS = (
    Fact(
        "migration.dataBytes",
        "int",
        "Memory of the VM that a migration copies, as KubeVirt counts it, in bytes; 0 if unknown. Disks that are "
        "copied along come on top.",
        lambda context: data_bytes(vmi_of(context)),
    ),
    Fact(
        "migration.dataSize",
        "string",
        "The same as people read it, such as 64Gi.",
        lambda context: shown(data_bytes(vmi_of(context)), up=True),
    ),
    Fact(
        "migration.allowedSeconds",
        "int",
        "How long copying that may take: completionTimeoutPerGiB for every 10^9 bytes; 0 is for ever.",
        _allowed,
    ),
    Fact(
        "migration.dirtyBytesPerSecond",
        "int",
        "Bytes of memory that the VM changes per second, by the annotation migguard.io/dirty-rate on the "
        "VirtualMachineInstance; -1 if it has none, or one that is no quantity.",
        lambda context: dirty_rate(vmi_of(context)),
    ),
)
