"""The result of a replay as people and programs read it: a table, JSON, a comment on a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterator

from webhook.impact.replay.report import Concerned, Group, ReplayReport
from webhook.impact.replay.tally import FLIPS, Change
from webhook.model.objects import JSON
from webhook.output.comment import bounded, code, section
from webhook.output.structured import json_text
from webhook.output.tables import columns, escaped, plain
from webhook.output.wording import counted

_ARROWS = {
    Change.REFUSED: "allowed -> denied",
    Change.LET_THROUGH: "denied -> allowed",
    Change.WARNED: "warning gained",
    Change.UNWARNED: "warning lost",
    Change.PATCHED: "patch changed",
}
_KEYS = {
    Change.REFUSED: "allowedToDenied",
    Change.LET_THROUGH: "deniedToAllowed",
    Change.WARNED: "warningGained",
    Change.UNWARNED: "warningLost",
    Change.PATCHED: "patchChanged",
}
_ALL_POLICIES = "(any)"
_FRACTION = re.compile(r"\.[0-9]+(?=Z$)")


def as_table(report: ReplayReport) -> str:
    """Return a text for a terminal."""
    lines = [_headline(report), *(f"  {line}" for line in _circumstances(report))]
    if report.groups:
        rows = [(_ARROWS[one.change], one.policy, one.decisions, one.users, one.namespaces) for one in report.groups]
        lines += ["", *columns(("change", "policy", "decisions", "users", "namespaces"), rows).splitlines()]
    for group in report.groups:
        lines += ["", *_group_lines(group)]
    if report.tally.gaps:
        lines += ["", "What cannot be told, and why:"]
        table = columns(("policy", "reason", "decisions", "verdict open"), _gaps(report))
        lines += [f"  {line}" for line in table.splitlines()]
    for title, troubles, number in (
        ("Could not be read", report.tally.troubles, report.tally.unreadable),
        ("Not reproduced", report.tally.differing, report.tally.same_revision - report.tally.reproduced),
    ):
        lines += ["", f"{title}: {number:,}"] if number else []
        lines += [f"  {plain(one.place)}: {plain(one.why)}" for one in troubles]
        lines += [f"  … and {number - len(troubles):,} more"] if number > len(troubles) else []
    return "\n".join(lines)


def as_markdown(report: ReplayReport) -> str:
    """Return the comment of a bot on a pull request; its first line is a mark by which a script finds it again."""
    parts = [f"<!-- migguard replay -->\n### migguard replay: {escaped(_verdicts(report))}"]
    parts.append("\n".join([escaped(_headline(report)), "", *(f"- {escaped(one)}" for one in _circumstances(report))]))
    for group in report.groups:
        heading = f"{_ARROWS[group.change]} by {code(group.policy)}: {counted(group.decisions, 'decision')}"
        rows = [
            (
                one.user,
                one.namespace,
                str(one.decisions),
                _period(one.last, one.last),
                f"{one.example.request}: {one.example.message}",
            )
            for one in group.concerned
        ]
        headers = ("User", "Namespace", "Decisions", "Last", "Example")
        parts.append(section(heading, headers, rows, folded=group.change not in FLIPS))
        if group.left_out:
            parts.append(f"… and {group.left_out:,} more of user and namespace")
    gaps = [tuple(map(str, row)) for row in _gaps(report)]
    parts.append(section("What cannot be told", ("Policy", "Reason", "Decisions", "Verdict open"), gaps, folded=True))
    return bounded(parts)


def as_json(report: ReplayReport) -> str:
    """Return all that is known, as one JSON object."""
    tally = report.tally
    content: dict[str, JSON] = {
        "revision": report.revision,
        "against": report.against,
        "first": tally.first,
        "last": tally.last,
        "records": {
            "lines": tally.lines,
            "records": tally.records,
            "replayed": tally.replayed,
            "leftOut": tally.left_out,
            "notReplayable": dict(sorted(tally.unusable.items())),
            "foreign": tally.foreign,
            "unreadable": tally.unreadable,
        },
        "undetermined": tally.open,
        "byTodaysState": tally.today,
        "sameRevision": {"records": tally.same_revision, "reproduced": tally.reproduced},
        "changes": {_KEYS[change]: tally.decisions[change] for change in Change},
        "groups": [_group(one) for one in report.groups],
        "gaps": [
            {"policy": policy, "reason": reason, "decisions": gap.decisions, "verdictOpen": gap.open}
            for (policy, reason), gap in sorted(tally.gaps.items())
        ],
        "unreadable": [{"place": one.place, "why": one.why} for one in tally.troubles],
        "notReproduced": [{"place": one.place, "why": one.why} for one in tally.differing],
    }
    return json_text(content)


def _headline(report: ReplayReport) -> str:
    tally = report.tally
    decisions = f"{counted(tally.replayed, 'decision')} ({_period(tally.first, tally.last)})"
    return f"{decisions} under {report.revision}, compared with {report.against}"


def _period(first: str, last: str) -> str:
    """From when to when, to the second."""
    first, last = (_FRACTION.sub("", time) for time in (first, last))
    return first if first == last else f"{first} to {last}"


def _verdicts(report: ReplayReport) -> str:
    decisions = report.tally.decisions
    found = [f"{decisions[change]:,} {_ARROWS[change]}" for change in Change if decisions[change]]
    return ", ".join(found) or "nothing changes"


def _circumstances(report: ReplayReport) -> Iterator[str]:
    """What the figures rest on, a line each; only what there is."""
    tally = report.tally
    yield _verdicts(report)
    same = counted(tally.same_revision, "record")
    for number, line in (
        (tally.open, f"{tally.open:,} undetermined: their verdict rests on what is not on record"),
        (tally.today, f"{tally.today:,} decided with facts of today's state of the cluster, not of then"),
        *(
            (number, f"{counted(number, 'record')} not replayed: {why}")
            for why, number in sorted(tally.unusable.items())
        ),
        (tally.left_out, f"{counted(tally.left_out, 'record')} left out by the filters"),
        (tally.foreign, f"{counted(tally.foreign, 'line')} of JSON with no audit record"),
        (tally.unreadable, f"{counted(tally.unreadable, 'place')} that cannot be read"),
        (tally.same_revision, f"{same} of this very policy set, of which {tally.reproduced:,} were reproduced"),
        (
            tally.decisions[Change.PATCHED],
            "where a patch changes, validation was still judged on the object with the patch of then",
        ),
    ):
        if number:
            yield line


def _group_lines(group: Group) -> Iterator[str]:
    yield f"{_ARROWS[group.change]} by {plain(group.policy)}: {counted(group.decisions, 'decision')}"
    for one in group.concerned:
        where = f" in {plain(one.namespace)}" if one.namespace else ""
        period = _period(one.first, one.last)
        yield f"  {plain(one.user)}{where}: {one.decisions:,} ({period})"
        yield from _example(one)
    if group.left_out:
        yield f"  … and {group.left_out:,} more of user and namespace; see --limit"


def _example(one: Concerned) -> Iterator[str]:
    yield f"    {plain(one.example.request)} ({plain(one.example.place)})"
    for line in one.example.message.splitlines():
        yield f"      {plain(line)}"


def _gaps(report: ReplayReport) -> list[tuple[object, ...]]:
    found = sorted(report.tally.gaps.items(), key=lambda one: (-one[1].decisions, one[0]))
    return [(policy or _ALL_POLICIES, reason, gap.decisions, gap.open) for (policy, reason), gap in found]


def _group(group: Group) -> dict[str, JSON]:
    return {
        "change": _KEYS[group.change],
        "policy": group.policy,
        "decisions": group.decisions,
        "users": group.users,
        "namespaces": group.namespaces,
        "first": group.first,
        "last": group.last,
        "leftOut": group.left_out,
        "concerned": [
            {
                "user": one.user,
                "namespace": one.namespace,
                "decisions": one.decisions,
                "first": one.first,
                "last": one.last,
                "example": {
                    "where": one.example.place,
                    "decisionId": one.example.decision,
                    "timestamp": one.example.time,
                    "phase": one.example.phase,
                    "request": one.example.request,
                    "message": one.example.message,
                },
            }
            for one in group.concerned
        ],
    }
