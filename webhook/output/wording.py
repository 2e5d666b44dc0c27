"""How a report is put into words that several forms share."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.output.finding import Report


def counted(number: int, noun: str) -> str:
    """``1 error``, ``2 errors``."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def totals(report: Report) -> str:
    """One line: what was found in how much."""
    summary = report.summary
    found = ", ".join(
        counted(summary[f"{level}s"], level) for level in ("error", "warning", "note") if summary[f"{level}s"]
    )
    skipped = f", {summary['skipped']} skipped" if summary["skipped"] else ""
    unread = f"; {counted(summary['problems'], 'problem')} in what could not be read" if summary["problems"] else ""
    return f"{found or 'nothing found'} ({summary['examined']} examined, {summary['failed']} failed{skipped}){unread}"


def circumstances(report: Report) -> Iterator[tuple[str, str]]:
    """What the result rests on and what was not examined, as names and values."""
    yield from report.settings.items()
    for reason, number in report.left_out.items():
        yield "not examined", f"{number} ({reason})"
