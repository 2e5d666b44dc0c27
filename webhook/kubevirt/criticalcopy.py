"""Whether a clone or a restore leaves a critical VM, or a copy of it, without the critical flag.

A clone has the labels of the source's template that its filters keep, changed by its patches. A restore gives a VM the
whole spec that it had when the snapshot was taken. Both stay in the namespace, so its flag covers them in any case; the
label on a running VMI is never copied. What a snapshot holds is not known here.

Filters are regular expressions in KubeVirt, found anywhere in the key; ``*`` alone means any key, ``!`` before one
excludes, and excluding wins. Only plain ones are evaluated, which are all that its documentation shows: of others the
worst is assumed, as the expression comes with the request.

Source: KubeVirt ``pkg/virt-controller/watch/clone/vm-target.go`` (``addRemovePatchesFromFilter``),
``pkg/virt-api/webhooks/validating-webhook/admitters/vmclone-admitter.go``, ``pkg/storage/snapshot/restore.go``
(``generateRestoredVMSpec``, ``patchVM``).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from webhook.kubevirt.criticality import Flag, is_running, template_labels
from webhook.kubevirt.jsonpatch import PatchError, PatchStep, Pointer, apply_step, read_patch
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import Object, items, labels_of, mapping, strings, text, value
from webhook.model.request import Operation

_LABELS = ("spec", "template", "metadata", "labels")
_PLAIN = re.compile(r"[A-Za-z0-9._/-]+\*?", re.ASCII)
_ANY = "*"

MAX_FILTERS = 100
"""Label filters of a clone that are looked at; of more the worst is assumed, as nobody needs them."""


class Loss(StrEnum):
    """Why the flag may be missing afterwards."""

    NONE = ""
    FILTERS = "filters"
    """The clone's label filters leave it out."""
    PATCHES = "patches"
    """The clone's patches take it away, or may."""
    VMI_ONLY = "vmiOnly"
    """It stands on the running VMI alone, which is not what is copied."""
    SNAPSHOT_FILTERS = "snapshotFilters"
    """The source is a snapshot, of which VM is not known here; the filters or patches would take the flag away."""
    RESTORE = "restore"
    """The VM is given back the template of its snapshot, which may be from before it was flagged."""


@dataclass(frozen=True, slots=True)
class Copy:
    """A clone or restore that may leave a VM without the flag."""

    of: str = ""
    """The critical VM that is cloned or restored, or the snapshot that is cloned: ``NAMESPACE/NAME``."""
    loss: Loss = Loss.NONE


def copy_of(context: FactContext) -> Copy:
    """Return what the request copies without the flag; empty where it copies nothing critical, or the flag too."""
    return context.once("criticalCopy", _copy_of)


def _copy_of(context: FactContext) -> Copy:
    request, flag = context.request, Flag.of(context)
    kind = (request.resource.group, request.resource.resource)
    if request.operation is not Operation.CREATE or request.subresource:
        return Copy()
    if flag.is_on(labels_of(context.view.get(NAMESPACE, "", request.namespace))):
        return Copy()
    if kind == ("clone.kubevirt.io", "virtualmachineclones"):
        return _clone(context, flag)
    if kind == ("snapshot.kubevirt.io", "virtualmachinerestores"):
        return _restore(context, flag)
    return Copy()


def _restore(context: FactContext, flag: Flag) -> Copy:
    namespace, name = context.request.namespace, text(context.request.object, "spec", "target", "name")
    if flag.is_on(template_labels(context.view.get(VM, namespace, name))):
        return Copy(f"{namespace}/{name}", Loss.RESTORE)
    return Copy()


def _clone(context: FactContext, flag: Flag) -> Copy:
    namespace, spec = context.request.namespace, mapping(context.request.object, "spec")
    name = text(spec, "source", "name")
    of, loss = f"{namespace}/{name}", Loss.SNAPSHOT_FILTERS
    if text(spec, "source", "kind") == VM.kind:
        on_template = flag.is_on(template_labels(context.view.get(VM, namespace, name)))
        vmi = context.view.get(VMI, namespace, name)
        if not on_template and not (vmi is not None and is_running(vmi) and flag.is_on(labels_of(vmi))):
            return Copy()
        loss = Loss.PATCHES if on_template else Loss.VMI_ONLY
    on_copy = loss is not Loss.VMI_ONLY and _keeps(flag.label, spec)
    if not flag.label or _is_flagged_when_patched(flag, spec, flagged=on_copy):
        return Copy()
    return Copy(of, Loss.FILTERS if loss is Loss.PATCHES and not on_copy else loss)


def _keeps(key: str, spec: Object) -> bool:
    """Say whether the filters keep a label; without filters all are kept, with an empty list none."""
    written = value(spec, "template", "labelFilters")
    if not isinstance(written, list):
        return True
    if len(written) > MAX_FILTERS:
        return False
    filters = strings(spec, "template", "labelFilters")
    excluding = [one[1:] for one in filters if one.startswith("!")]
    including = [one for one in filters if not one.startswith("!")]
    return _is_included(key, including) and not _is_excluded(key, excluding)


def _is_included(key: str, patterns: Sequence[str]) -> bool:
    return any(one == _ANY or (_is_plain(one) and _is_found(one, key)) for one in patterns)


def _is_excluded(key: str, patterns: Sequence[str]) -> bool:
    """An asterisk alone is no regular expression, so it excludes nothing; nor does an empty pattern leave anything."""
    return any(one != _ANY and (not _is_plain(one) or _is_found(one, key)) for one in patterns)


def _is_plain(pattern: str) -> bool:
    return _PLAIN.fullmatch(pattern) is not None


def _is_found(pattern: str, key: str) -> bool:
    """Look for a plain pattern anywhere in the key: a dot is any character, an asterisk makes the last one optional.

    It is compared, not compiled: the pattern comes with the request.
    """
    wanted = pattern[:-2] if pattern.endswith(_ANY) else pattern
    return any(
        all(one in {".", found} for one, found in zip(wanted, key[start:], strict=False))
        for start in range(len(key) - len(wanted) + 1)
    )


def _is_flagged_when_patched(flag: Flag, spec: Object, *, flagged: bool) -> bool:
    """Say whether the template has the flag after the patches; not where that cannot be told.

    Only the flag is followed through them: a value that is brought from another label or from elsewhere is not known.
    """
    written = items(spec, "patches")
    document = {"spec": {"template": {"metadata": {"labels": {flag.label: flag.value} if flagged else {}}}}}
    pointer = (*_LABELS, flag.label)
    try:
        for step in read_patch(f"[{','.join(map(str, written))}]"):
            if _reaches(step, pointer):
                apply_step(document, step)
    except (PatchError, RecursionError):
        return False
    return flag.is_on(template_labels(document))


def _reaches(step: PatchStep, pointer: Pointer) -> bool:
    """Say whether an operation tests or writes the flag, or what is above it; so does one that moves it away."""
    paths = (step.path, step.source) if step.kind == "move" else (step.path,)
    return any(path[: len(pointer)] == pointer[: len(path)] for path in paths)


FACTS = (
    Fact(
        "copy.of",
        "string",
        "The critical VM that a VirtualMachineClone copies, or a VirtualMachineRestore overwrites, without its flag: "
        "NAMESPACE/NAME; empty where the flag stays. For a clone of a snapshot the snapshot.",
        lambda context: copy_of(context).of,
    ),
    Fact(
        "copy.loss",
        "string",
        f"Why: {', '.join(filter(None, Loss))}; empty where the flag stays.",
        lambda context: str(copy_of(context).loss),
    ),
)
