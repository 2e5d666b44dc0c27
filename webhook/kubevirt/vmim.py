"""The VirtualMachineInstanceMigration that a request changes or deletes: how it stood, and what metadata changes.

How it stood is read from the old object: a VMIM has a status subresource, so what stands in its status was written by
KubeVirt. Whether it switched to post-copy stands in the VMI alone as long as it runs.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from webhook.kubevirt.migrations import (
    EVACUATION_ANNOTATION,
    WAITING_PHASES,
    is_final,
    made_by,
    phase_of,
    requested_by,
)
from webhook.kubevirt.requester import WORKLOAD_UPDATE_ANNOTATION
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, annotations_of, mapping, name_of, same, strings, text, value

VOLUME_UPDATE_LABEL = "kubevirt.io/volume-update-migration"
FUNC_TEST_PREFIX = "kubevirt.io/func-test-"
"""Annotations of KubeVirt's own tests, which its production code obeys.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (``createTargetPod`` takes the container image of
the target from one, ``handleMigrationBackoff`` obeys another)."""

TIMEOUTS = {
    "kubevirt.io/migrationUnschedulablePodTimeoutSeconds": 300,
    "kubevirt.io/migrationPendingPodTimeoutSeconds": 900,
    "kubevirt.io/migrationUtilityVolumesTimeoutSeconds": 150,
}
"""Annotations with a timeout of this one migration, and the seconds that hold without them.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (``getUnschedulablePendingTimeoutSeconds``,
``getCatchAllPendingTimeoutSeconds``, ``getUtilityVolumesTimeoutSeconds``)."""

_GO_INTEGER = re.compile(r"[+-]?[0-9]{1,40}")
_INT64 = range(-(2**63), 2**63)


def old_vmim(context: FactContext) -> Object | None:
    """Return the VMIM that an UPDATE or DELETE is about, as it is stored."""
    return context.request.old_object if is_about(context.request, VMIM) else None


def is_unfinished(context: FactContext) -> bool:
    """Say whether the request is about a stored VMIM that is still under way."""
    vmim = old_vmim(context)
    return vmim is not None and not is_final(vmim)


def is_cancelled(context: FactContext) -> bool:
    """Say whether it was deleted before: KubeVirt's finalizer keeps it until it is over."""
    return bool(text(old_vmim(context), "metadata", "deletionTimestamp"))


def _own_state(context: FactContext) -> Mapping[str, Any]:
    """The VMI's migration state, if it is about this VMIM: virt-controller writes the UID at hand-off."""
    state = mapping(vmi_of(context), "status", "migrationState")
    uid = text(old_vmim(context), "metadata", "uid")
    return state if uid and text(state, "migrationUid") == uid else {}


def is_handed_off(context: FactContext) -> bool:
    """Say whether the nodes have the migration, so that deleting the VMIM no longer undoes it at once.

    The VMI knows of the hand-over a moment before the VMIM's phase shows it.

    Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (``isMigrationHandedOff``).
    """
    vmim = old_vmim(context)
    if vmim is None:
        return False
    return phase_of(vmim) not in WAITING_PHASES or bool(_own_state(context))


def mode_of(context: FactContext) -> str:
    """Return PreCopy, PostCopy or Paused; empty where nothing has been copied yet.

    The VMIM gets its copy of the state at the end, so that of the VMI counts while it is under way.

    Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (``updateStatus``).
    """
    vmim = old_vmim(context)
    own = text(vmim, "status", "migrationState", "mode")
    if own or vmim is None or is_final(vmim):
        return own
    state = _own_state(context)
    return "" if value(state, "endTimestamp") else text(state, "mode")


def _metadata(context: FactContext, name: str) -> tuple[Mapping[str, Any], Mapping[str, Any]]:
    """One map of the metadata before and after a CREATE or UPDATE; twice the same for anything else."""
    request = context.request
    if not is_about(request, VMIM) or request.object is None:
        return {}, {}
    return mapping(request.old_object, "metadata", name), mapping(request.object, "metadata", name)


def changed_keys(before: Mapping[str, Any], after: Mapping[str, Any]) -> list[str]:
    """Return the keys that were added, removed or given another value."""
    return sorted(
        key
        for key in before.keys() | after.keys()
        if (key in before) is not (key in after) or not same(before.get(key), after.get(key))
    )


def _changed(name: str) -> Callable[[FactContext], list[str]]:
    return lambda context: changed_keys(*_metadata(context, name))


_annotations_changed = _changed("annotations")
_labels_changed = _changed("labels")


def _annotations_removed(context: FactContext) -> list[str]:
    before, after = _metadata(context, "annotations")
    return sorted(before.keys() - after.keys())


def _annotations_set(context: FactContext) -> Sequence[str]:
    _, after = _metadata(context, "annotations")
    return [key for key in _annotations_changed(context) if key in after]


def _system_marks_changed(context: FactContext) -> list[str]:
    marks = {EVACUATION_ANNOTATION, WORKLOAD_UPDATE_ANNOTATION}
    annotations = [key for key in _annotations_changed(context) if key in marks]
    return [*annotations, *(key for key in _labels_changed(context) if key == VOLUME_UPDATE_LABEL)]


def _finalizers_removed(context: FactContext) -> list[str]:
    request = context.request
    if not is_about(request, VMIM) or request.object is None:
        return []
    after = set(strings(request.object, "metadata", "finalizers"))
    return [one for one in strings(request.old_object, "metadata", "finalizers") if one not in after]


def _timeouts_set(context: FactContext) -> list[JSON]:
    _, after = _metadata(context, "annotations")
    return [_timeout(key, after[key]) for key in _annotations_set(context) if key in TIMEOUTS]


def _timeout(annotation: str, written: JSON) -> dict[str, JSON]:
    """KubeVirt reads the value with Go's ``strconv.Atoi`` and uses the default where that fails."""
    text_written = written if isinstance(written, str) else ""
    number = int(text_written) if _GO_INTEGER.fullmatch(text_written) else None
    readable = number is not None and number in _INT64  # None in a range is looked for from end to end
    return {
        "annotation": annotation,
        "value": text_written[:SHOWN_CHARACTERS],
        "readable": readable,
        "seconds": number if readable else TIMEOUTS[annotation],
        "default": TIMEOUTS[annotation],
    }


SHOWN = 10
"""How many annotations of one kind a policy gets to see."""
SHOWN_CHARACTERS = 40
"""How much of a value that should be a number is repeated in a message."""


FACTS = (
    Fact(
        "vmim.name",
        "string",
        "Name of the VirtualMachineInstanceMigration that is changed or deleted; on CREATE it is empty, and so are all "
        "facts about how the migration stood.",
        lambda context: name_of(old_vmim(context)),
    ),
    Fact(
        "vmim.origin",
        "string",
        "Who made it, as requester.origin: by migguard's stamp, else by KubeVirt's marks.",
        lambda context: str(made_by(vmim)) if (vmim := old_vmim(context)) is not None else "",
    ),
    Fact(
        "vmim.requestedBy",
        "string",
        "The user name stamped on it; empty where it was made while migguard was away.",
        lambda context: requested_by(vmim) if (vmim := old_vmim(context)) is not None else "",
    ),
    Fact(
        "vmim.drainedNode",
        "string",
        "The node that is drained, of a migration made by an evacuation.",
        lambda context: annotations_of(old_vmim(context)).get(EVACUATION_ANNOTATION, ""),
    ),
    Fact("vmim.phase", "string", "How far it is, such as Pending or Running.", lambda c: phase_of(old_vmim(c))),
    Fact("vmim.final", "bool", "It is over: Succeeded or Failed.", lambda context: is_final(old_vmim(context))),
    Fact("vmim.cancelled", "bool", "It was deleted before and is being wound up.", is_cancelled),
    Fact(
        "vmim.handedOff",
        "bool",
        "The nodes have it: its phase is PreparingTarget or later, or the VMI's status already names it.",
        is_handed_off,
    ),
    Fact(
        "vmim.mode",
        "string",
        "How memory is copied: PreCopy, PostCopy or Paused; empty where it has not begun.",
        mode_of,
    ),
    Fact(
        "vmim.annotationsChanged",
        "list(string)",
        "Keys of the annotations that this write adds, changes or removes; on CREATE all of them.",
        _annotations_changed,
    ),
    Fact("vmim.annotationsRemoved", "list(string)", "Those that it removes.", _annotations_removed),
    Fact(
        "vmim.labelsChanged",
        "list(string)",
        "Keys of the labels that this write adds, changes or removes; on CREATE all of them.",
        _labels_changed,
    ),
    Fact("vmim.finalizersRemoved", "list(string)", "Finalizers that this write takes away.", _finalizers_removed),
    Fact(
        "vmim.testAnnotationsSet",
        "list(string)",
        f"Annotations of KubeVirt's functional tests ({FUNC_TEST_PREFIX}...) that this write adds or changes; the "
        f"first {SHOWN}.",
        lambda context: [key for key in _annotations_set(context) if key.startswith(FUNC_TEST_PREFIX)][:SHOWN],
    ),
    Fact(
        "vmim.systemMarksChanged",
        "list(string)",
        "Annotations and labels by which KubeVirt's controllers know their own migrations, as far as this write adds, "
        "changes or removes them.",
        _system_marks_changed,
    ),
    Fact(
        "vmim.timeoutsSet",
        "list(map)",
        "Timeouts of this one migration that the write sets by annotation: annotation, value, readable (by KubeVirt), "
        "seconds (that hold), default.",
        _timeouts_set,
    ),
)
