"""Migrations that are under way while the configuration changes: which settings they keep, and which they take.

virt-controller lays the settings down when it hands a migration over to the nodes; encryption and the network are read
live. Source: see :mod:`webhook.kubevirt.handoff`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook.impact.blastradius.radius import CLUSTER_WIDE, BlastRadius, Subject
from webhook.impact.blastradius.write import asking
from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.migrationconfig import in_force
from webhook.kubevirt.migrations import WAITING_PHASES, phase_of
from webhook.kubevirt.resources import VMI, VMIM
from webhook.model.facts import FactContext
from webhook.model.objects import Object, name_of, namespace_of, same, text
from webhook.model.request import Operation
from webhook.offline.request import request_of


@dataclass(frozen=True, slots=True, kw_only=True)
class InFlight:
    """One migration of a VM whose settings change."""

    subject: Subject
    migration: str
    """Its name; it is in the namespace of the VM."""
    phase: str
    keeps: tuple[str, ...]
    """The fields that change for the VM and not for this migration."""
    takes: tuple[str, ...]
    """The fields that change for it too."""


def in_flight(radius: BlastRadius) -> tuple[InFlight, ...]:
    """Return the unfinished migrations of VMs whose settings change, critical VMs first."""
    changed: dict[str, dict[str, Subject]] = {}
    for change in radius.settings:
        if change.field.name not in CLUSTER_WIDE:
            for subject in change.subjects:
                if subject.running:
                    changed.setdefault(str(subject), {})[change.field.name] = subject
    found = []
    for vmim in radius.worlds.before.view.select(VMIM, "inFlight", ANY):
        fields = changed.get(f"{namespace_of(vmim)}/{text(vmim, 'spec', 'vmiName')}")
        if fields:
            found.append(_of(vmim, fields, radius))
    return tuple(sorted(found, key=lambda one: (one.subject, one.migration)))


def _of(vmim: Object, fields: Mapping[str, Subject], radius: BlastRadius) -> InFlight:
    subject = next(iter(fields.values()))
    takes = set(fields) if phase_of(vmim) in WAITING_PHASES else set(_taken(subject, radius))
    return InFlight(
        subject=subject,
        migration=name_of(vmim),
        phase=phase_of(vmim) or "Pending",
        keeps=tuple(name for name in fields if name not in takes),
        takes=tuple(name for name in fields if name in takes),
    )


def _taken(subject: Subject, radius: BlastRadius) -> Iterator[str]:
    before, after = (
        in_force(_about(subject, context)).settings for context in (radius.worlds.before, radius.worlds.after)
    )
    yield from (name for name in before if not same(before[name].value, after[name].value))


def _about(subject: Subject, context: FactContext) -> FactContext:
    """A question about the VM that runs; its migration is found from there."""
    vmi = context.view.get(VMI, subject.namespace, subject.name)
    case = {"operation": str(Operation.UPDATE), "object": vmi, "oldObject": vmi, "user": {"username": "migguard"}}
    return asking(context, request_of(case, uid="diff"))
