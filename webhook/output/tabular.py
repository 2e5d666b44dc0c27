"""A report for people at a terminal: one line for each finding in aligned columns, its message below."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.output.finding import Finding, Report
from webhook.output.tables import columns, plain
from webhook.output.wording import circumstances, totals

_INDENT = "    "


def write(report: Report) -> str:
    """Return the table, and below it what the result rests on and the totals."""
    found = [finding for one in report.examined for finding in one.shown]
    return "\n".join([*_table(found), *_skipped(report), *_footer(report)])


def _table(found: list[Finding]) -> Iterator[str]:
    if not found:
        return
    rows = [(str(one.level), str(one.place), one.subject, one.rule) for one in found]
    used = [index for index in range(4) if any(plain(row[index]) for row in rows)]
    headers = [("level", "place", "object", "rule")[index] for index in used]
    heading, *lines = columns(headers, [[row[index] for index in used] for row in rows]).splitlines()
    yield heading
    for line, one in zip(lines, found, strict=True):
        yield line
        yield from (f"{_INDENT}{text}" for text in (plain(one.message), plain(one.hint)) if text)
    yield ""


def _skipped(report: Report) -> Iterator[str]:
    rows = [(one.subject, str(one.place), one.skipped) for one in report.examined if one.skipped]
    if rows:
        yield columns(("skipped", "place", "why"), rows)
        yield ""


def _footer(report: Report) -> Iterator[str]:
    yield from (f"{plain(name)}: {plain(text)}" for name, text in circumstances(report))
    yield totals(report)
