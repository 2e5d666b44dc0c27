"""A report as annotations on a pull request: the workflow commands that a GitHub runner reads from a step's output.

Source: GitHub documentation, "Workflow commands for GitHub Actions"; what is escaped and how is in
``packages/core/src/command.ts`` of actions/toolkit.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook.errors import Problem
from webhook.output.finding import Finding, Level, Place, Report
from webhook.output.tables import plain
from webhook.output.wording import circumstances, totals

_COMMANDS: Mapping[Level, str] = {Level.ERROR: "error", Level.WARNING: "warning", Level.NOTE: "notice"}
_DATA = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A"})
_PROPERTY = str.maketrans({"%": "%25", "\r": "%0D", "\n": "%0A", ":": "%3A", ",": "%2C"})


def write(report: Report) -> str:
    """Return one command for each finding, worst first: a runner shows the first ten of each level only."""
    found = [finding for one in report.examined for finding in one.shown]
    lines = [_problem(problem) for problem in report.problems]
    lines += [_finding(finding) for finding in sorted(found, key=lambda one: one.level.rank)]
    return "\n".join([*lines, *_footer(report)])


def _finding(finding: Finding) -> str:
    title = ": ".join(part for part in (finding.rule, finding.subject) if part)
    return _command(_COMMANDS[finding.level], finding.place, title, [finding.message, finding.hint])


def _problem(problem: Problem) -> str:
    return _command("error", Place.of(problem.where), "cannot be read", [problem.message, problem.hint])


def _command(name: str, place: Place, title: str, texts: list[str]) -> str:
    properties = {
        "file": place.file,
        "line": str(place.line or ""),
        "col": str(place.column or ""),
        "title": title,
    }
    given = ",".join(f"{key}={plain(text).translate(_PROPERTY)}" for key, text in properties.items() if plain(text))
    message = "\n".join(plain(text) for text in texts if plain(text)) or "no message"
    return f"::{name} {given}::{message.translate(_DATA)}" if given else f"::{name}::{message.translate(_DATA)}"


def _footer(report: Report) -> Iterator[str]:
    """Lines for the log; none of them starts with ``::``, which would make a command of it."""
    yield from (f"- {plain(name)}: {plain(text)}" for name, text in circumstances(report))
    yield f"migguard {plain(report.command)}: {totals(report)}"
