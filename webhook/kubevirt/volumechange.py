"""Whether a migration of a VM copies its volumes to other claims.

A volume migration begins with an edit of the VM: ``updateVolumesStrategy: Migration`` and another claim for a volume
that the running VMI has. virt-controller then notes the volumes in the VMI's status, and the workload updater migrates
the VM. A migration to another cluster copies all claims.

Source: KubeVirt ``pkg/virt-controller/watch/vm/vm.go`` (``handleVolumeUpdateRequest``),
``pkg/virt-controller/watch/volume-migration/volume-migration.go`` (``PersistentVolumesUpdated``,
``VolumeMigrationCancel``), ``pkg/virt-controller/watch/migration/decentralized.go``.
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook.kubevirt.criticality import is_running
from webhook.kubevirt.handoff import is_decentralized
from webhook.kubevirt.migrationconfig import (
    at_handoff,
    handoff_labels,
    migration_policies,
    namespace_labels,
    settings_to_come,
)
from webhook.kubevirt.migrationfields import POST_COPY
from webhook.kubevirt.resources import VM, VMIM
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, mapping, mappings, namespace_of, text, value
from webhook.model.request import AdmissionRequest, Operation

MIGRATION = "Migration"
"""The value of ``updateVolumesStrategy`` that makes a changed claim a volume migration."""


_CLAIMS = {"dataVolume": "name", "persistentVolumeClaim": "claimName"}
_MEMORY_DUMP = {"memoryDump": "claimName"}


def _claims(spec: Mapping[str, object], sources: Mapping[str, str]) -> dict[str, str]:
    """The claim of each volume that has one, by volume; a DataVolume's claim bears its name."""
    found = {}
    for volume in mappings(spec, "volumes"):
        claim = next(filter(None, (text(volume, kind, key) for kind, key in sources.items())), "")
        if claim:
            found[text(volume, "name")] = claim
    return found


def copied_volumes(context: FactContext) -> list[str]:
    """Return the volumes that a migration copies: the one asked for, or the one that this edit of a VM begins."""

    def find(context: FactContext) -> list[str]:
        request, vmi = context.request, vmi_of(context)
        if vmi is None or request.subresource or not is_running(vmi):
            return []
        if is_about(request, VM):
            return _begun(request.object, request.old_object, vmi) if request.operation is Operation.UPDATE else []
        if is_about(request, VMIM) and _leaves_cluster(request.object):
            return sorted(_claims(mapping(vmi, "spec"), _CLAIMS))
        return sorted(text(entry, "volumeName") for entry in mappings(vmi, "status", "migratedVolumes"))

    return context.once("copiedVolumes", find)


def post_copy_source(context: FactContext) -> str:
    """Return what switches on post-copy for the migration that copies volumes; empty where it is off or none does.

    That migration is still to be handed over: what another one runs with, which was frozen then, does not matter.
    """
    vmi = vmi_of(context)
    if vmi is None or not copied_volumes(context):
        return ""
    around = namespace_labels(context, namespace_of(vmi))
    found = at_handoff(settings_to_come(context), migration_policies(context), handoff_labels(vmi), around)
    post_copy = found.settings[POST_COPY]
    return post_copy.source if post_copy.value is True else ""


def _leaves_cluster(vmim: Object | None) -> bool:
    return is_decentralized(vmim) and value(vmim, "spec", "sendTo") is not None


def _begun(new: Object | None, old: Object | None, vmi: Object) -> list[str]:
    """Return the volumes that the new VM moves to another claim than the VMI has, unless the old one moved them so."""
    moved = _moved(new, vmi)
    if not moved or _is_reverted(moved, vmi):
        return []
    before = _moved(old, vmi)
    return sorted(name for name, claim in moved.items() if before.get(name) != claim)


def _moved(vm: Object | None, vmi: Object) -> dict[str, str]:
    """The volumes of the VMI to which the VM gives another claim, to be migrated there.

    Shareable disks, LUNs and filesystems, for which virt-controller asks for a restart instead, are not told apart.

    Source: KubeVirt ``pkg/storage/types/pvc.go`` (``PVCNameFromVirtVolume``), which counts a memory dump too.
    """
    if text(vm, "spec", "updateVolumesStrategy") != MIGRATION:
        return {}
    sources = _CLAIMS | _MEMORY_DUMP
    has, asked = _claims(mapping(vmi, "spec"), sources), _claims(mapping(vm, "spec", "template", "spec"), sources)
    return {name: claim for name, claim in asked.items() if name in has and has[name] != claim}


def _is_reverted(moved: Mapping[str, str], vmi: Object) -> bool:
    """Say whether the claims are those that a volume migration under way began with, which cancels it."""
    began = {
        text(entry, "volumeName"): text(entry, "sourcePVCInfo", "claimName")
        for entry in mappings(vmi, "status", "migratedVolumes")
    }
    return bool(began) and moved == began


def may_move_volumes(request: AdmissionRequest) -> bool:
    """Say whether an UPDATE of a VM can begin a volume migration, as far as the request alone tells."""
    if not is_about(request, VM) or request.operation is not Operation.UPDATE or request.subresource:
        return False
    old, new = request.old_object, request.object
    asked, was = (text(vm, "spec", "updateVolumesStrategy") for vm in (new, old))
    volumes, before = (mappings(vm, "spec", "template", "spec", "volumes") for vm in (new, old))
    return asked == MIGRATION and (was != MIGRATION or list(volumes) != list(before))


FACTS = (
    Fact(
        "vm.mayMoveVolumes",
        "bool",
        "An UPDATE of a VM that asks for updateVolumesStrategy: Migration and changes that or its volumes.",
        lambda context: may_move_volumes(context.request),
    ),
    Fact(
        "vm.migratesVolumes",
        "bool",
        "A migration of this VM copies volumes: this edit of the VM begins a volume migration, one is under way "
        "already, or the migration leaves the cluster (sendTo).",
        lambda context: bool(copied_volumes(context)),
    ),
    Fact("vm.copiedVolumes", "list(string)", "The names of those volumes.", copied_volumes),
    Fact(
        "vm.copiedUnderPostCopy",
        "string",
        "What switches on post-copy for the migration that copies them; empty where it is off, or nothing is copied.",
        post_copy_source,
    ),
)
