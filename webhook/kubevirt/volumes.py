"""Which volumes of a VM keep it from being live migrated.

KubeVirt's rule: every PersistentVolumeClaim or DataVolume must be ReadWriteMany or be migrated along; a hostDisk must
be marked shared; nothing else blocks, though most of the rest is sent along. Which modes a claim has is copied by
virt-controller from the claim's spec into the VMI's status; where it has not been copied yet, the claim itself is
asked, and where it is still to be made, what the VM's dataVolumeTemplates say of it.

Source: KubeVirt ``pkg/virt-handler/vm.go`` (checkVolumesForMigration), ``pkg/virt-controller/watch/vmi/storage.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from webhook.kubevirt.machine import Machine, asked_for
from webhook.kubevirt.resources import PVC
from webhook.kubevirt.workload import vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, ObjectRef, mapping, mappings, strings, text, value

SHARED_MODE = "ReadWriteMany"

SHOWN = 10
"""How many blocking volumes a policy gets to see."""

_CLAIM_KINDS = {"persistentVolumeClaim": "claimName", "dataVolume": "name"}
_KINDS = (
    *_CLAIM_KINDS,
    "hostDisk",
    "cloudInitConfigDrive",
    "cloudInitNoCloud",
    "configMap",
    "containerDisk",
    "containerPath",
    "downwardAPI",
    "downwardMetrics",
    "emptyDisk",
    "ephemeral",
    "memoryDump",
    "secret",
    "serviceAccount",
    "sysprep",
)
_OTHER = "other"
_BLOCKING_KINDS = frozenset({*_CLAIM_KINDS, "hostDisk"})


class Blocker(StrEnum):
    """Why a volume keeps its VM from being migrated."""

    NONE = ""
    ACCESS_MODE = "AccessMode"
    """Its claim is not ReadWriteMany."""
    CLAIM_NOT_FOUND = "ClaimNotFound"
    """Its claim was not found, so nobody can tell."""
    HOST_DISK_NOT_SHARED = "HostDiskNotShared"
    """It is a file of one node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Claim:
    """What is known of a volume's PersistentVolumeClaim."""

    name: str
    access_modes: Sequence[str] = ()
    volume_mode: str = ""
    storage_class: str = ""
    found: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Volume:
    """One volume of a VM, judged."""

    name: str
    kind: str
    claim: Claim | None
    shared: bool
    hotplugged: bool
    copied: bool
    """It never blocks a migration, but has to be copied to the target node (KubeVirt's block migration)."""
    code: Blocker
    reason: str
    """Why it cannot be migrated, in plain English; empty if it can."""

    def as_json(self) -> dict[str, JSON]:
        """As policies see it."""
        claim = self.claim or Claim(name="")
        return {
            "name": self.name,
            "kind": self.kind,
            "claim": claim.name,
            "accessModes": list(claim.access_modes),
            "volumeMode": claim.volume_mode,
            "storageClass": claim.storage_class,
            "shared": self.shared,
            "hotplugged": self.hotplugged,
            "copied": self.copied,
            "migratable": not self.code,
            "code": str(self.code),
            "reason": self.reason,
        }


def volumes_of(context: FactContext) -> list[Volume]:
    """Return the volumes of the VM that the request is about, in the order of its spec."""

    def judge_all(context: FactContext) -> list[Volume]:
        machine = asked_for(context)
        return [] if machine is None else judged_volumes(context, machine)

    return context.once("volumes", judge_all)


def blocking(context: FactContext) -> list[Volume]:
    """Return those that keep the VM from being live migrated."""
    return [volume for volume in volumes_of(context) if volume.code]


def judged_volumes(context: FactContext, machine: Machine) -> list[Volume]:
    """Return a machine's volumes, in the order of its spec."""
    surroundings = _Surroundings(
        statuses={text(status, "name"): status for status in mappings(machine.vmi, "status", "volumeStatus")},
        migrated=frozenset(migrated_volumes(machine.vmi)),
        reachable=_reachable(machine),
    )
    volumes = context.deadline.walk(mappings(machine.spec, "volumes"), "the VM's volumes were judged")
    return [_judged(context, machine, volume, surroundings) for volume in volumes]


def migrated_volumes(vmi: Object | None) -> Sequence[str]:
    """Return the volumes that are copied to another claim by a volume migration."""
    return [text(entry, "volumeName") for entry in mappings(vmi, "status", "migratedVolumes")]


@dataclass(frozen=True, slots=True)
class _Surroundings:
    """What a machine says of its volumes elsewhere, by their names."""

    statuses: Mapping[str, Object]
    migrated: frozenset[str]
    reachable: frozenset[str]


def _judged(context: FactContext, machine: Machine, volume: Object, surroundings: _Surroundings) -> Volume:
    kind = next((kind for kind in _KINDS if isinstance(value(volume, kind), dict)), _OTHER)
    name = text(volume, "name")
    status = surroundings.statuses.get(name, {})
    claim = _claim(context, machine, volume, kind, status)
    shared = value(volume, "hostDisk", "shared") is True
    code = _blocker(kind, claim, shared)
    if code is Blocker.ACCESS_MODE and name in surroundings.migrated:
        code = Blocker.NONE
    return Volume(
        name=name,
        kind=kind,
        claim=claim,
        shared=shared or (claim is not None and SHARED_MODE in claim.access_modes),
        hotplugged=value(volume, kind, "hotpluggable") is True or status.get("hotplugVolume") is not None,
        copied=kind not in _BLOCKING_KINDS and name not in surroundings.reachable,
        code=code,
        reason=_reason(context.request.namespace, code, claim),
    )


def _blocker(kind: str, claim: Claim | None, shared: bool) -> Blocker:
    if claim is not None:
        if not claim.found:
            return Blocker.CLAIM_NOT_FOUND
        return Blocker.NONE if SHARED_MODE in claim.access_modes else Blocker.ACCESS_MODE
    return Blocker.HOST_DISK_NOT_SHARED if kind == "hostDisk" and not shared else Blocker.NONE


def _reason(namespace: str, code: Blocker, claim: Claim | None) -> str:
    reference = ObjectRef(PVC.kind, namespace, claim.name if claim else "")
    match code:
        case Blocker.CLAIM_NOT_FOUND:
            return f"cannot tell: {reference} was not found"
        case Blocker.ACCESS_MODE:
            modes = " and ".join(claim.access_modes if claim else ()) or "without an access mode"
            return f"{reference} is {modes}; live migration needs {SHARED_MODE}"
        case Blocker.HOST_DISK_NOT_SHARED:
            return "it is a hostDisk that is not marked shared; live migration needs a disk that both nodes reach"
        case Blocker.NONE:
            return ""


def _reachable(machine: Machine) -> frozenset[str]:
    """Return the volumes that need no copy: shared through virtiofs, or attached as a read-only CD-ROM."""
    shared = (text(filesystem, "name") for filesystem in mappings(machine.devices, "filesystems"))
    read_only = (
        text(disk, "name")
        for disk in mappings(machine.devices, "disks")
        if isinstance(value(disk, "cdrom"), dict) and value(disk, "cdrom", "readonly") is not False
    )
    return frozenset((*shared, *read_only))


def _claim(context: FactContext, machine: Machine, volume: Object, kind: str, status: Object) -> Claim | None:
    """The claim behind a volume; of a hostDisk only if KubeVirt made it from a claim, which its status shows."""
    known = value(status, "persistentVolumeClaimInfo")
    if kind in _CLAIM_KINDS:
        name = text(volume, kind, _CLAIM_KINDS[kind])
    elif kind == "hostDisk" and isinstance(known, dict):
        name = text(known, "claimName")
    else:
        return None
    pvc = context.view.get(PVC, context.request.namespace, name) if name else None
    wanted = machine.claims.get(name, {})
    if isinstance(known, dict) and text(known, "claimName") in {"", name}:
        asked: Mapping[str, JSON] = known
    elif pvc is not None:
        asked = mapping(pvc, "spec")
    elif strings(wanted, "accessModes"):
        asked = wanted
    else:
        # Modes that a DataVolume leaves open come from a StorageProfile once CDI makes the claim.
        return Claim(name=name, found=False)
    return Claim(
        name=name,
        access_modes=strings(asked, "accessModes"),
        volume_mode=text(asked, "volumeMode") or "Filesystem",
        storage_class=text(pvc, "spec", "storageClassName") or text(wanted, "storageClassName"),
    )


FACTS = (
    Fact(
        "volumes.all",
        "list(map)",
        "The VM's volumes, each with name, kind, claim, accessModes, volumeMode, storageClass, shared, hotplugged, "
        "copied (never blocks, but is copied to the target), migratable, and code (AccessMode, ClaimNotFound, "
        "HostDiskNotShared) and reason if it is not. For a write of a VM or VMI those that it asks for.",
        lambda context: [volume.as_json() for volume in volumes_of(context)],
    ),
    Fact(
        "volumes.blocking",
        "list(map)",
        f"Those of them that keep the VM from being live migrated; the first {SHOWN}.",
        lambda context: [volume.as_json() for volume in blocking(context)[:SHOWN]],
    ),
    Fact(
        "volumes.blockingCount",
        "int",
        "How many do.",
        lambda context: len(blocking(context)),
    ),
    Fact(
        "volumes.migrated",
        "list(string)",
        "Names of the volumes that a volume migration copies to another claim.",
        lambda context: list(migrated_volumes(vmi_of(context))),
    ),
)
