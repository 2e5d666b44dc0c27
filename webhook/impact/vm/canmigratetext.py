"""The answer whether somebody may migrate a VM, as text for a terminal and for machines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from webhook.impact.vm.canmigrate import Answer
from webhook.impact.vm.checklist import Check
from webhook.impact.vm.explain import settings_as_json
from webhook.impact.vm.refusals import KUBERNETES, KUBEVIRT, MIGGUARD, Reason
from webhook.impact.vm.settings import VMSettings
from webhook.model.objects import JSON
from webhook.output.tables import plain

_SETTINGS = {
    "allowPostCopy": "post-copy",
    "allowWorkloadDisruption": "may be paused",
    "allowAutoConverge": "auto-converge",
    "bandwidthPerMigration": "bandwidth",
    "completionTimeoutPerGiB": "time allowed",
    "progressTimeout": "given up after",
    "disableTLS": "unencrypted",
    "network": "network",
}
"""Those that a person who starts a migration wants to know, and what they are called here."""
_WITHOUT_PROGRESS = "progressTimeout"


def render(answer: Answer) -> str:
    """Return the answer as text."""
    lines = [f"{'yes' if answer.allowed else 'no'}: {plain(answer.sentence)}"]
    lines += _note(answer.unsure)
    if answer.reasons:
        lines += ["", "Why not, and what to do:", *_numbered(answer.reasons)]
    lines += _note(answer.console)
    if answer.commands:
        lines += ["", "How:", *(f"  {plain(command)}" for command in answer.commands)]
    if answer.warnings:
        lines += ["", "Warnings:", *_numbered(answer.warnings)]
    known = frozenset(fact for one in (*answer.reasons, *answer.warnings) for fact in one.facts)
    for heading, good in (("Fine:", True), ("Not fine, though nothing refuses it:", False), ("Not known:", None)):
        found = [one for one in answer.checks if one.good is good and not (good is False and one.facts & known)]
        if found:
            lines += ["", heading, *_checks(found)]
    if answer.settings is not None:
        lines += ["", *_settings(answer.settings)]
    return "\n".join(lines)


def as_json(answer: Answer) -> dict[str, JSON]:
    """Return the answer for machines."""
    return {
        "vm": {"namespace": answer.vm.namespace, "name": answer.vm.name},
        "user": answer.user.username,
        "groups": list(answer.user.groups),
        "canMigrate": answer.allowed,
        "sentence": answer.sentence,
        "unsure": answer.unsure,
        "reasons": [_reason(one) for one in answer.reasons],
        "warnings": [_reason(one) for one in answer.warnings],
        "checks": [{"topic": one.topic, "fine": one.good, "text": one.text} for one in answer.checks],
        "virtctlAndConsole": answer.console,
        "commands": list(answer.commands),
        "migrationSettings": settings_as_json(answer.settings) if answer.settings is not None else None,
        "policySet": answer.revision,
    }


def _reason(reason: Reason) -> dict[str, JSON]:
    return {"message": reason.message, "remedy": reason.remedy, "by": list(reason.by)}


def _note(said: str) -> list[str]:
    return ["", f"Note: {plain(said)}."] if said else []


def _numbered(reasons: Sequence[Reason]) -> Iterator[str]:
    for number, reason in enumerate(reasons, 1):
        first, *others = reason.message.splitlines() or [""]
        yield f"  {number}. {plain(first)}"
        yield from (f"       {plain(line)}" for line in others)
        if reason.remedy:
            yield f"     -> {plain(reason.remedy)}"
        yield f"     ({plain(' and '.join(map(_called, reason.by)))})"


def _called(who: str) -> str:
    return who if who in {KUBEVIRT, KUBERNETES, MIGGUARD} else f"policy {who}"


def _checks(checks: Sequence[Check]) -> Iterator[str]:
    width = max(len(one.topic) for one in checks)
    yield from (f"  {one.topic:<{width}}  {plain(one.text)}" for one in checks)


def _settings(settings: VMSettings) -> Iterator[str]:
    policy = f"MigrationPolicy {settings.policy} applies" if settings.policy else "no MigrationPolicy applies"
    yield plain(f"It would be migrated with ({policy}):")
    if settings.note:
        yield f"  ({settings.note})"
    rows = {row.field.name: row for row in settings.rows}
    width = max(map(len, _SETTINGS.values()))
    for name, called in _SETTINGS.items():
        row = rows[name]
        shown = {"true": "yes", "false": "no"}.get(row.shown, row.shown)
        shown += " without progress" if name == _WITHOUT_PROGRESS else ""
        yield f"  {called:<{width}}  {plain(f'{shown:<22} {row.source}')}"
