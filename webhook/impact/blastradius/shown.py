"""What manifests would change for running VMs, as people and programs read it."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.impact.blastradius.flight import InFlight
from webhook.impact.blastradius.radius import CLUSTER_WIDE, BlastRadius, Group, SettingChange, Subject
from webhook.impact.vm.settings import shown_setting
from webhook.kubevirt.migrationfields import MigrationField, Setting
from webhook.model.objects import JSON
from webhook.output.comment import bounded, section
from webhook.output.structured import json_text
from webhook.output.tables import escaped, plain
from webhook.output.wording import counted

FIRST = 10
"""VMs that are named one by one; JSON has them all."""


def as_table(radius: BlastRadius, flights: Sequence[InFlight]) -> str:
    """Return a text for a terminal."""
    lines = [plain(f"{', '.join(_written(radius))}: {_totals(radius)}")]
    if radius.cluster:
        lines += ["", "CLUSTER"]
        lines += [f"  {plain(_sentence(one))}" for one in radius.cluster]
    own = [one for one in radius.settings if one.field.name not in CLUSTER_WIDE]
    for title, found in (
        ("MIGRATION SETTINGS IN FORCE", [_titled(_setting(one), one.subjects) for one in own]),
        ("MIGRATION POLICY THAT APPLIES", [_titled(_policy(one), one.subjects) for one in radius.policies]),
        ("CRITICAL", [_titled(_flag(one), one.subjects) for one in radius.critical]),
        ("PROTECTION", [_titled(_protection(one), one.subjects) for one in radius.unprotected]),
        ("MIGRATIONS UNDER WAY", [[_flight(one)] for one in flights]),
        ("COMPONENTS OF KUBEVIRT", [[one] for one in radius.worlds.components]),
    ):
        if found:
            lines += ["", title]
            lines += [
                f"  {plain(line) if not line.startswith(' ') else f'  {plain(line)}'}" for one in found for line in one
            ]
    lines += [f"note: {plain(notice)}" for notice in radius.worlds.notices]
    return "\n".join(lines)


def as_markdown(radius: BlastRadius, flights: Sequence[InFlight]) -> str:
    """Return the comment of a bot on a pull request; its first line is a mark by which a script finds it again."""
    own = [one for one in radius.settings if one.field.name not in CLUSTER_WIDE]
    settings = [
        (one.field.name, _value(one, one.before), _value(one, one.after), _count(one.subjects), _names(one.subjects))
        for one in own
    ]
    cluster = [(one.field.name, _value(one, one.before), _value(one, one.after)) for one in radius.cluster]
    groups = [
        (text, _count(one.subjects), _names(one.subjects))
        for told, found in ((_policy, radius.policies), (_flag, radius.critical), (_protection, radius.unprotected))
        for one in found
        for text in (told(one),)
    ]
    parts = [
        f"<!-- migguard diff manifests -->\n### migguard diff: {escaped(_totals(radius))}",
        f"Written: {escaped(', '.join(_written(radius)))}",
        section(
            "Migration settings in force",
            ("Setting", "Before", "After", "For", "VMs"),
            settings,
            folded=len(settings) > FIRST,
        ),
        section("What else changes for VMs", ("What", "For", "VMs"), groups, folded=len(groups) > FIRST),
        section("Of the cluster", ("Setting", "Before", "After"), cluster, folded=False),
        section("Migrations under way", ("What",), [(_flight(one),) for one in flights], folded=len(flights) > FIRST),
        section("Components of KubeVirt", ("Changed",), [(one,) for one in radius.worlds.components], folded=False),
    ]
    parts += [f"> {escaped(notice)}" for notice in radius.worlds.notices]
    return bounded(parts)


def as_json(radius: BlastRadius, flights: Sequence[InFlight]) -> str:
    """Return all that is known, with every name, as one JSON object."""
    content = {
        "written": [
            {"object": str(one), "operation": str(one.operation), "changed": one.changes}
            for one in radius.worlds.writes
        ],
        "summary": {
            "running": radius.running,
            "affected": len(radius.affected),
            "criticalAffected": sum(not one.not_critical for one in radius.affected),
        },
        "settings": [_setting_tree(one) for one in radius.settings],
        "migrationPolicies": [_group_tree(one) for one in radius.policies],
        "critical": [_group_tree(one) for one in radius.critical],
        "unprotected": [_group_tree(one) for one in radius.unprotected],
        "inFlight": [
            {
                "vm": str(one.subject),
                "critical": not one.subject.not_critical,
                "migration": one.migration,
                "phase": one.phase,
                "keeps": list(one.keeps),
                "takes": list(one.takes),
            }
            for one in flights
        ],
        "cluster": [_setting_tree(one) for one in radius.cluster],
        "components": list(radius.worlds.components),
        "notices": list(radius.worlds.notices),
    }
    return json_text(content)


def _written(radius: BlastRadius) -> list[str]:
    verbs = {"CREATE": "new", "UPDATE": "changed", "DELETE": "deleted"}
    changed = [f"{one} ({verbs[one.operation]})" for one in radius.worlds.writes if one.changes]
    if len(changed) > FIRST:
        return [*changed[:FIRST], f"{len(changed) - FIRST} more objects"]
    return changed or [f"{counted(len(radius.worlds.writes), 'object')}, unchanged"]


def _totals(radius: BlastRadius) -> str:
    if radius.empty:
        return f"nothing changes for {counted(radius.running, 'running VM')}"
    critical = sum(not one.not_critical for one in radius.affected)
    return f"changes {len(radius.affected)} of {counted(radius.running, 'running VM')}, {critical} critical"


def _titled(title: str, subjects: Sequence[Subject]) -> list[str]:
    return [f"{title} for {_count(subjects)}", f"  {_names(subjects)}"]


def _count(subjects: Sequence[Subject]) -> str:
    critical = sum(not one.not_critical for one in subjects)
    return counted(len(subjects), "VM") + (f", {critical} critical" if critical else "")


def _names(subjects: Sequence[Subject]) -> str:
    shown = ", ".join(map(_name, subjects[:FIRST]))
    return f"{shown} and {len(subjects) - FIRST} more" if len(subjects) > FIRST else shown


def _name(subject: Subject) -> str:
    marks = [] if subject.not_critical else ["critical"]
    marks += [] if subject.running else ["from its next start"]
    return f"{subject} ({', '.join(marks)})" if marks else str(subject)


def _setting(change: SettingChange) -> str:
    return f"{'! ' if change.dangerous else ''}{_sentence(change)}"


def _sentence(change: SettingChange) -> str:
    before, after = (_shown(change.field, one) for one in (change.before, change.after))
    sources = [change.before.source, change.after.source]
    source = sources[0] if sources[0] == sources[1] else " -> ".join(sources)
    return f"{change.field.name}: {before} -> {after} ({source})"


def _value(change: SettingChange, setting: Setting) -> str:
    return f"{_shown(change.field, setting)} ({setting.source})"


def _shown(field: MigrationField, setting: Setting) -> str:
    return shown_setting(field, setting.value)


def _policy(group: Group) -> str:
    if not group.before:
        return f"MigrationPolicy {group.after} begins to apply"
    if not group.after:
        return f"MigrationPolicy {group.before} no longer applies, and no other does"
    return f"MigrationPolicy {group.after} applies in the place of {group.before}"


def _flag(group: Group) -> str:
    if group.after:
        return f"becomes critical ({group.after})"
    return f"! is no longer critical ({group.before} is gone)"


def _protection(group: Group) -> str:
    return f"! {group.before} no longer rules out post-copy or a pause, which the cluster may allow one day,"


def _flight(one: InFlight) -> str:
    told = [f"keeps {', '.join(one.keeps)} as laid down at hand-off"] if one.keeps else []
    told += [f"takes the new {', '.join(one.takes)}"] if one.takes else []
    return f"{_name(one.subject)}: {one.migration} ({one.phase}) {' and '.join(told)}"


def _setting_tree(change: SettingChange) -> dict[str, JSON]:
    return {
        "setting": change.field.name,
        "before": {"value": change.before.value, "source": change.before.source},
        "after": {"value": change.after.value, "source": change.after.source},
        "dangerous": change.dangerous,
        "clusterWide": change.field.name in CLUSTER_WIDE,
        **_subjects(change.subjects),
    }


def _group_tree(group: Group) -> dict[str, JSON]:
    return {"before": group.before, "after": group.after, **_subjects(group.subjects)}


def _subjects(subjects: Sequence[Subject]) -> dict[str, JSON]:
    return {
        "count": len(subjects),
        "criticalCount": sum(not one.not_critical for one in subjects),
        "vms": [
            {"vm": str(one), "critical": not one.not_critical, **({} if one.running else {"fromNextStart": True})}
            for one in subjects
        ],
    }
