"""A comparison of policy sets as people and programs read it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from itertools import groupby

from webhook.impact.policydiff.change import ORDER, Change, Effect
from webhook.impact.policydiff.compare import PolicyDiff
from webhook.impact.policydiff.effect import Flip, Trial
from webhook.model.objects import JSON
from webhook.output.comment import bounded, code, section
from webhook.output.structured import json_text
from webhook.output.tables import columns, escaped, plain
from webhook.output.wording import counted

_WIDTH = 56
"""Characters of a value that stands in one line with the other; longer ones stand below one another."""
_FIRST = 10
"""Requests that a table names."""
_HEADINGS = {
    Effect.WEAKER: "Weaker",
    Effect.CHANGED: "Changed",
    Effect.STRICTER: "Stricter",
    Effect.WORDING: "Wording only",
}


def as_table(diff: PolicyDiff, trials: Sequence[Trial]) -> str:
    """Return a text for a terminal."""
    lines = [f"{plain(diff.old.name)} -> {plain(diff.new.name)}: {_totals(diff)}"]
    for effect, found in groupby(diff.changes, key=lambda one: one.effect):
        lines += ["", f"{_HEADINGS[effect].upper()}"]
        lines += [line for change in found for line in _lines(change)]
    for trial in trials:
        lines += ["", *_trial_lines(trial)]
    lines += [f"note: {plain(notice)}" for notice in diff.notices]
    return "\n".join(lines)


def as_json(diff: PolicyDiff, trials: Sequence[Trial]) -> str:
    """Return all that is known, as one JSON object."""
    content = {
        "old": {"source": diff.old.name, "revision": diff.old.revision},
        "new": {"source": diff.new.name, "revision": diff.new.revision},
        "summary": {effect.value: diff.count(effect) for effect in ORDER},
        "changes": [_change(one) for one in diff.changes],
        "trials": [_trial(one) for one in trials],
        "notices": list(diff.notices),
    }
    return json_text(content)


def as_markdown(diff: PolicyDiff, trials: Sequence[Trial]) -> str:
    """Return the comment of a bot on a pull request; its first line is a mark by which a script finds it again."""
    parts = [
        f"<!-- migguard diff -->\n### migguard diff: {_totals(diff)}",
        f"{code(diff.old.name)} → {code(diff.new.name)}",
    ]
    for effect, group in groupby(diff.changes, key=lambda one: one.effect):
        found = list(group)
        heading = f"{_HEADINGS[effect]}: {len(found)}"
        rows = [_row(one) for one in found]
        parts.append(section(heading, ("What", "Before", "After", "Why"), rows, folded=effect is Effect.WORDING))
    for trial in trials:
        rows = [(one.subject, _allowed(one), _judgements(one)) for one in trial.flips]
        heading = _trial_title(trial)
        parts.append(section(heading, ("Request", "Whole set", "Policies"), rows, folded=len(rows) > _FIRST))
    parts += [f"> {escaped(notice)}" for notice in diff.notices]
    return bounded(parts)


def _totals(diff: PolicyDiff) -> str:
    if not diff.changes:
        return "no difference"
    counts = [f"{diff.count(effect)} {_HEADINGS[effect].lower()}" for effect in ORDER if diff.count(effect)]
    return f"{counted(len(diff.changes), 'difference')}: {', '.join(counts)}"


def _lines(change: Change) -> Iterator[str]:
    before, after = shown(change.before), shown(change.after)
    note = f"  ({plain(change.note)})" if change.note else ""
    title = f"  {change.kind} {plain(change.name)}{f' {plain(change.field)}' if change.field else ''}"
    if not change.field:
        title += " is added" if change.before is None else " is removed"
    if change.field and len(before) + len(after) <= _WIDTH:
        yield f"{title}: {before or 'none'} -> {after or 'none'}{note}"
    else:
        yield f"{title}{note}"
        yield from (f"    {mark} {text}" for mark, text in (("-", before), ("+", after)) if text)
    yield f"    {plain(change.where)}" if change.where else "    by default"


def shown(value: JSON) -> str:
    """A value in one line; empty for None."""
    if value is None:
        return ""
    if isinstance(value, list) and all(isinstance(item, str) for item in value):
        return plain(", ".join(value)) or "[]"
    return plain(value) if isinstance(value, str) and value else plain(json.dumps(value, ensure_ascii=False))


def _trial_lines(trial: Trial) -> Iterator[str]:
    yield _trial_title(trial)
    rows = [(one.subject, _allowed(one), _judgements(one), one.where) for one in trial.flips[:_FIRST]]
    if rows:
        yield from (f"  {line}" for line in columns(("request", "whole set", "policies", ""), rows).splitlines())
    if len(trial.flips) > _FIRST:
        yield f"  … and {len(trial.flips) - _FIRST} more; -o json has them all"
    yield from (f"note: {plain(notice)}" for notice in trial.notices)


def _trial_title(trial: Trial) -> str:
    count = len(trial.flips)
    return f"{count or 'none'} of {trial.judged} {trial.title} {'is' if count == 1 else 'are'} judged otherwise"


def _allowed(flip: Flip) -> str:
    before, after = ("allowed" if one else "refused" for one in (flip.allowed_before, flip.allowed_after))
    return before if before == after else f"{before} -> {after}"


def _judgements(flip: Flip) -> str:
    return ", ".join(f"{one.policy}: {one.before} -> {one.after}" for one in flip.policies)


def _row(change: Change) -> tuple[str, ...]:
    return f"{change.kind} {change.name} {change.field}", shown(change.before), shown(change.after), change.note


def _change(one: Change) -> dict[str, JSON]:
    return {
        "effect": one.effect.value,
        "kind": one.kind,
        "name": one.name,
        "field": one.field,
        "before": one.before,
        "after": one.after,
        "note": one.note,
        "where": one.where,
    }


def _trial(one: Trial) -> dict[str, JSON]:
    return {
        "title": one.title,
        "judged": one.judged,
        "differ": len(one.flips),
        "requests": [
            {
                "request": flip.subject,
                "where": flip.where,
                "allowed": {"before": flip.allowed_before, "after": flip.allowed_after},
                "policies": [
                    {"policy": each.policy, "before": each.before, "after": each.after} for each in flip.policies
                ],
            }
            for flip in one.flips
        ],
        "notices": list(one.notices),
    }
