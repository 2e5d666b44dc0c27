"""The migration settings in force for one VM: each with what set it, and which MigrationPolicy applies and why.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migrationpolicy.go`` (``matchPolicy``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from webhook.kubevirt.criticality import is_running, template_labels
from webhook.kubevirt.memory import shown as shown_size
from webhook.kubevirt.migrationconfig import (
    NO_NODE,
    NODE_NAME_LABEL,
    TARGET_NODE_LABEL,
    InForce,
    at_handoff,
    cluster_settings,
    handoff_labels,
    in_force,
    migration_policies,
    namespace_labels,
)
from webhook.kubevirt.migrationfields import DANGERS, FIELDS, Form, MigrationField
from webhook.kubevirt.migrationpolicy import MigrationPolicy, best_match
from webhook.kubevirt.resources import VM
from webhook.kubevirt.workload import vmi_name, vmi_of
from webhook.model.facts import FactContext
from webhook.model.objects import JSON

_UNKNOWN = {
    TARGET_NODE_LABEL: "the node that it migrates to, which is known only then",
    NODE_NAME_LABEL: "the node that it runs on, which is known once it runs",
}


@dataclass(frozen=True, slots=True)
class SettingRow:
    """One field of the migration configuration, as in force for the VM."""

    field: MigrationField
    value: JSON
    source: str

    @property
    def shown(self) -> str:
        """The value as people read it."""
        return shown_setting(self.field, self.value)


@dataclass(frozen=True, slots=True)
class Contender:
    """One MigrationPolicy, and why it applies to the VM or not."""

    name: str
    applies: bool
    why: str


@dataclass(frozen=True, slots=True, kw_only=True)
class VMSettings:
    """All settings in force for one VM."""

    namespace: str
    name: str
    policy: str
    """The MigrationPolicy that applies; empty if none does."""
    note: str
    """What must be known about all of them, such as that they were laid down when the migration began; may be empty."""
    rows: tuple[SettingRow, ...]
    contenders: tuple[Contender, ...]
    """The one that applies first, then by name."""


def settings_of(context: FactContext) -> VMSettings:
    """Return the settings of the VM that a request is about; of one that is stopped those of its next start.

    Raises FactUnavailable where they cannot be known.
    """
    namespace, name = context.request.namespace, vmi_name(context.request)
    vmi = vmi_of(context)
    runs = vmi is not None and is_running(vmi)
    around = namespace_labels(context, namespace)
    if vmi is not None and runs:
        labels, found = handoff_labels(vmi), in_force(context)
        note = "laid down when the migration under way was handed over to the nodes" if found.frozen else ""
    else:
        labels = {**template_labels(context.view.get(VM, namespace, name)), **dict.fromkeys(_UNKNOWN, NO_NODE)}
        found = at_handoff(
            cluster_settings(context), migration_policies(context), labels, around, unknown=tuple(_UNKNOWN)
        )
        note = "the VM does not run: this is how it would migrate after its next start"
    return VMSettings(
        namespace=namespace,
        name=name,
        policy=found.policy,
        note=note,
        rows=tuple(
            SettingRow(field, found.settings[field.name].value, found.settings[field.name].source) for field in FIELDS
        ),
        contenders=tuple(_contenders(migration_policies(context), found, labels, around)),
    )


def shown_setting(field: MigrationField, value: JSON) -> str:
    """Return a value as people read it: ``unlimited``, ``64Mi per second``, ``150 s``."""
    if field.name == "bandwidthPerMigration":
        return f"{shown_size(value)} per second" if value else "unlimited"
    if field.name == "network":
        return str(value) or "pod network"
    if field.name in _UNITS:
        return f"{value} {_UNITS[field.name]}"
    if field.form is Form.BOOLEAN:
        return "true" if value else "false"
    if field.form is Form.OPTIONS:
        return ", ".join(f"{key}={item}" for key, item in sorted(value.items())) or "none"
    return str(value)


_UNITS: Mapping[str, str] = {
    "completionTimeoutPerGiB": "s per GiB",
    "progressTimeout": "s",
    "utilityVolumesTimeout": "s",
    "maxDowntimeMs": "ms",
}


def _contenders(
    policies: Sequence[MigrationPolicy], found: InForce, labels: Mapping[str, str], around: Mapping[str, str]
) -> Iterator[Contender]:
    winner = best_match(policies, labels, around)
    if found.policy and (winner is None or winner.name != found.policy):
        yield Contender(found.policy, applies=True, why="it applied when the migration under way was handed over")
        winner = None
    elif winner is not None:
        yield Contender(winner.name, applies=True, why=_selected(winner))
    for policy in sorted(policies, key=lambda one: one.name):
        if policy.name != found.policy:
            why = _why_not(policy, winner, labels, around)
            counted = [name for name in DANGERS if found.settings[name].source == str(policy)]
            why += f"; as it may be so, this is in force already: {', '.join(counted)}" if counted else ""
            yield Contender(policy.name, applies=False, why=why)


def _selected(policy: MigrationPolicy) -> str:
    """By which labels a policy that matches selects the VM."""
    vmi = [f"{key}={wanted}" for key, wanted in sorted(policy.vmi_labels.items())]
    namespace = [f"{key}={wanted}" for key, wanted in sorted(policy.namespace_labels.items())]
    told = [f"label {', '.join(vmi)} of the VM"] if vmi else []
    told += [f"label {', '.join(namespace)} of its namespace"] if namespace else []
    return f"selects it by {' and '.join(told)}" if told else "selects every VM"


def _why_not(
    policy: MigrationPolicy, winner: MigrationPolicy | None, labels: Mapping[str, str], around: Mapping[str, str]
) -> str:
    if not policy.selects:
        return "has no selectors, so it selects nothing"
    unknown = [key for key in _UNKNOWN if key in policy.vmi_labels and labels.get(key) == NO_NODE]
    missing = [
        *_missing({key: item for key, item in policy.vmi_labels.items() if key not in unknown}, labels, "the VM"),
        *_missing(policy.namespace_labels, around, "its namespace"),
    ]
    if missing:
        return "; ".join(missing)
    if unknown:
        wanted = policy.vmi_labels[unknown[0]]
        return f"would apply if {unknown[0]} were {wanted}: {_UNKNOWN[unknown[0]]}"
    return _outranked(policy, winner) if winner is not None else "selects it, but came too late for this migration"


def _missing(selector: Mapping[str, JSON], labels: Mapping[str, str], whose: str) -> Iterator[str]:
    for key, wanted in sorted(selector.items()):
        if key not in labels:
            yield f"{whose} has no label {key} (wanted: {wanted})"
        elif labels[key] != wanted:
            yield f"{whose} has {key}={labels[key]}, not {wanted}"


def _outranked(policy: MigrationPolicy, winner: MigrationPolicy) -> str:
    """Most pairs win, then most pairs of the VM, then the name that comes first."""
    mine, best = _pairs(policy), _pairs(winner)
    if mine[0] != best[0]:
        return f"selects it too, but {winner.name} by more labels ({best[0]} against {mine[0]})"
    if mine[1] != best[1]:
        return f"selects it too, but {winner.name} by more labels of the VM itself ({best[1]} against {mine[1]})"
    return f"selects it by as many labels, but the name {winner.name} comes first"


def _pairs(policy: MigrationPolicy) -> tuple[int, int]:
    return len(policy.vmi_labels) + len(policy.namespace_labels), len(policy.vmi_labels)
