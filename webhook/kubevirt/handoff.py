"""The migration that already runs: which one it is, how it goes, and the settings it was handed over with.

When virt-controller hands a migration over to virt-handler it writes the settings that apply at that moment into the
VMI. virt-handler reads them there, so a later change of the cluster's configuration or of a MigrationPolicy does not
reach that migration. Encryption and network, and all that virt-controller decides itself, are read live.

A decentralized migration is handed over in the cluster of the receiving VMI. The synchronization controllers copy
the policy's name and the settings to the VMI at the other end, where they count all the same.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (``handleTargetPodHandoff``,
``matchMigrationPolicy``), ``pkg/virt-handler/migration-source.go`` (``migrateVMI``),
``pkg/virt-handler/migration-proxy/migration-proxy.go`` (disableTLS),
``pkg/synchronization-controller/synchronization-controller.go`` (``copyCommonLegacyFields``).
"""

from __future__ import annotations

from collections.abc import Mapping

from webhook.kubevirt.migrationfields import DEFAULTS, DISRUPTION, FIELDS, Setting, Settings, following
from webhook.kubevirt.resources import VMI, VMIM
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import FactContext
from webhook.model.objects import JSON, Object, annotations_of, mapping, name_of, namespace_of, text, value

HANDED_OFF = frozenset({"PreparingTarget", "TargetReady", "Running"})
"""Phases of a VMIM in which virt-handler has it."""

CREATE_TARGET_ANNOTATION = "kubevirt.io/create-migration-target"
"""On a VMI that is made to receive a VM from elsewhere."""

_MODES = frozenset({"PreCopy", "PostCopy", "Paused"})


def is_decentralized(vmim: Object | None) -> bool:
    """Say whether a VMIM is one end of a migration to or from elsewhere; with both ends given it is an ordinary one.

    Source: KubeVirt ``staging/src/kubevirt.io/api/core/v1/types.go`` (``IsDecentralized``).
    """
    return (value(vmim, "spec", "sendTo") is None) != (value(vmim, "spec", "receive") is None)


def _vmim_of(context: FactContext) -> Object | None:
    """Return the VMIM that is handed over: the request's own, else the one of its VMI; there is one at most.

    Of the request only the old object counts: the API server has it from its storage, nobody wrote it for this.
    """
    request = context.request
    if is_about(request, VMIM):
        candidates = [request.old_object] if request.old_object is not None else []
    else:
        vmi = vmi_of(context)
        candidates = list(context.view.select(VMIM, "vmi", f"{namespace_of(vmi)}/{name_of(vmi)}")) if vmi else []
    return next((found for found in candidates if text(found, "status", "phase") in HANDED_OFF), None)


def running_state(context: FactContext) -> Mapping[str, JSON]:
    """Return ``status.migrationState`` of the VMI if it is that of the migration handed over; empty if none is.

    The state of an earlier migration stays in the VMI until the next one is handed over.
    """

    def look_up(context: FactContext) -> Mapping[str, JSON]:
        vmim = _vmim_of(context)
        state = mapping(vmi_of(context), "status", "migrationState")
        return state if vmim is not None and _belongs(state, text(vmim, "metadata", "uid")) else {}

    return context.once("runningMigration", look_up)


def _belongs(state: Mapping[str, JSON], uid: str) -> bool:
    known = text(state, "migrationUid")
    if uid and known:
        return uid == known
    return not (text(state, "endTimestamp") or state.get("completed") is True or state.get("failed") is True)


def frozen_settings(state: Mapping[str, JSON], cluster: Settings) -> Settings | None:
    """Return the settings of the migration that this state is of; None where virt-handler reads the cluster's.

    ``cluster`` is the configuration in force, for what is read live. What the copy lacks is at KubeVirt's default;
    allowWorkloadDisruption, which KubeVirt before 1.5 did not have, follows allowPostCopy.
    """
    written = mapping(state, "migrationConfiguration")
    if not written:
        return None
    policy = text(state, "migrationPolicyName")
    source = f"frozen at hand-off (MigrationPolicy {policy})" if policy else "frozen at hand-off"
    settings = dict(cluster)
    for field in FIELDS:
        if field.at_handoff:
            found = field.read(written.get(field.name))
            settings[field.name] = DEFAULTS[field.name] if found is None else Setting(found, source)
    return following(settings, explicit=written.get(DISRUPTION) is not None)


def mode(context: FactContext) -> str:
    """Return how far the running migration is: PreCopy, PostCopy or Paused; empty before memory is copied."""
    found = text(running_state(context), "mode")
    return found if found in _MODES else ""


def decentralized(context: FactContext) -> bool:
    """Say whether the request is about a VMIM to or from elsewhere, or about a VMI made to receive a VM."""
    request = context.request
    if is_about(request, VMIM):
        return is_decentralized(request.object or request.old_object)
    return is_about(request, VMI) and annotations_of(vmi_of(context)).get(CREATE_TARGET_ANNOTATION) == "true"
