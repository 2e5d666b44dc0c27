"""Which volumes of a VM keep it from being live migrated.

KubeVirt's rule: every PersistentVolumeClaim or DataVolume must be ReadWriteMany or be migrated along; a hostDisk must
be marked shared; nothing else blocks. Which modes a claim has is copied by virt-controller from the claim's spec into
the VMI's status; where it has not been copied yet, the claim itself is asked.

Source: KubeVirt ``pkg/virt-handler/vm.go`` (checkVolumesForMigration), ``pkg/virt-controller/watch/vmi/storage.go``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from webhook.kubevirt.resources import PVC, VM, VMI
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, ObjectRef, mapping, mappings, strings, text, value

SHARED_MODE = "ReadWriteMany"

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
    reason: str
    """Why it cannot be migrated; empty if it can."""

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
            "migratable": not self.reason,
            "reason": self.reason,
        }


def _spec_of(context: FactContext) -> tuple[Mapping[str, JSON], Object | None]:
    """Return the VMI spec that is judged, and the VMI whose status goes with it.

    A write of a VM or VMI is judged by what it writes: a VM's template makes the next VMI, which has no status yet. The
    spec in a request is what is asked for; the status is always the cached one.
    """
    request = context.request
    written = request.object or request.old_object
    if is_about(request, VM):
        return mapping(written, "spec", "template", "spec"), None
    vmi = vmi_of(context)
    if is_about(request, VMI):
        return mapping(written, "spec"), vmi
    return mapping(vmi, "spec"), vmi


def volumes_of(context: FactContext) -> list[Volume]:
    """Return the volumes of the VM that the request is about, in the order of its spec."""

    def judge_all(context: FactContext) -> list[Volume]:
        spec, vmi = _spec_of(context)
        statuses = {text(status, "name"): status for status in mappings(vmi, "status", "volumeStatus")}
        migrated = migrated_volumes(vmi)
        return [
            _judged(context, volume, statuses.get(text(volume, "name"), {}), migrated)
            for volume in mappings(spec, "volumes")
        ]

    return context.once("volumes", judge_all)


def migrated_volumes(vmi: Object | None) -> Sequence[str]:
    """Return the volumes that are copied to another claim by a volume migration."""
    return [text(entry, "volumeName") for entry in mappings(vmi, "status", "migratedVolumes")]


def _judged(context: FactContext, volume: Object, status: Object, migrated: Sequence[str]) -> Volume:
    kind = next((kind for kind in _KINDS if isinstance(value(volume, kind), Mapping)), _OTHER)
    name = text(volume, "name")
    claim = _claim(context, volume, kind, status)
    shared = value(volume, "hostDisk", "shared") is True
    reason = _reason(context.request.namespace, kind, claim, shared)
    if claim is not None and claim.found and name in migrated:
        reason = ""
    return Volume(
        name=name,
        kind=kind,
        claim=claim,
        shared=shared or (claim is not None and SHARED_MODE in claim.access_modes),
        hotplugged=value(volume, kind, "hotpluggable") is True or status.get("hotplugVolume") is not None,
        reason=reason,
    )


def _reason(namespace: str, kind: str, claim: Claim | None, shared: bool) -> str:
    if claim is not None:
        reference = ObjectRef(PVC.kind, namespace, claim.name)
        if not claim.found:
            return f"cannot tell: {reference} was not found"
        if SHARED_MODE not in claim.access_modes:
            modes = " and ".join(claim.access_modes) or "without an access mode"
            return f"{reference} is {modes}; live migration needs {SHARED_MODE}"
        return ""
    if kind == "hostDisk" and not shared:
        return "it is a hostDisk that is not marked shared; live migration needs a disk that both nodes reach"
    return ""


def _claim(context: FactContext, volume: Object, kind: str, status: Object) -> Claim | None:
    """The claim behind a volume; of a hostDisk only if KubeVirt made it from a claim, which its status shows."""
    known = value(status, "persistentVolumeClaimInfo")
    if kind in _CLAIM_KINDS:
        name = text(volume, kind, _CLAIM_KINDS[kind])
    elif kind == "hostDisk" and isinstance(known, Mapping):
        name = text(known, "claimName")
    else:
        return None
    pvc = context.view.get(PVC, context.request.namespace, name) if name else None
    if isinstance(known, Mapping) and text(known, "claimName") in {"", name}:
        modes, volume_mode = strings(known, "accessModes"), text(known, "volumeMode")
    elif pvc is not None:
        modes, volume_mode = strings(pvc, "spec", "accessModes"), text(pvc, "spec", "volumeMode")
    else:
        return Claim(name=name, found=False)
    return Claim(
        name=name,
        access_modes=modes,
        volume_mode=volume_mode or "Filesystem",
        storage_class=text(pvc, "spec", "storageClassName"),
    )


FACTS = (
    Fact(
        "volumes.all",
        "list(map)",
        "The VM's volumes, each with name, kind, claim, accessModes, volumeMode, storageClass, shared, hotplugged, "
        "migratable and reason. For a write of a VM or VMI those that it asks for.",
        lambda context: [volume.as_json() for volume in volumes_of(context)],
    ),
    Fact(
        "volumes.blocking",
        "list(map)",
        "Those of them that keep the VM from being live migrated.",
        lambda context: [volume.as_json() for volume in volumes_of(context) if volume.reason],
    ),
    Fact(
        "volumes.migrated",
        "list(string)",
        "Names of the volumes that a volume migration copies to another claim.",
        lambda context: list(migrated_volumes(vmi_of(context))),
    ),
)
