"""A report as the comment of a bot on a pull request: Markdown of bounded size."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from webhook.output.finding import Level, Report
from webhook.output.tables import escaped, plain
from webhook.output.wording import circumstances, counted, totals

MAX_CHARACTERS = 65_536
"""Of a comment. Source: GitHub answers "body is too long (maximum is 65536 characters)" to more."""

_OPEN_ROWS = 10
"""Longer lists are collapsed."""
_CELL = 1_500
"""Characters of one text; a message has a few hundred."""
_RESERVED = 1_000
"""Characters kept for what closes the comment and says what was left out."""


def write(report: Report) -> str:
    """Return the comment. Its first line is a mark by which a script finds the comment to replace it."""
    comment = _Comment()
    comment.add(
        f"<!-- migguard {escaped(report.command)} -->\n### migguard {escaped(report.command)}: {totals(report)}"
    )
    for name, text in circumstances(report):
        comment.add(f"- {_cell(name)}: {_cell(text)}")
    found = [finding for one in report.examined for finding in one.shown]
    for level, title in ((Level.ERROR, "Errors"), (Level.WARNING, "Warnings"), (Level.NOTE, "Notes")):
        rows = [
            (one.rule, one.subject, str(one.place), f"{one.message}\n{one.hint}") for one in found if one.level is level
        ]
        comment.table(title, ("Rule", "Object", "Place", "What"), rows, collapsed=level is Level.NOTE)
    skipped = [(one.subject, str(one.place), one.skipped) for one in report.examined if one.skipped]
    comment.table("Skipped", ("Object", "Place", "Why"), skipped, collapsed=True)
    problems = [(problem.where, f"{problem.message}\n{problem.hint}") for problem in report.problems]
    comment.table("Not readable", ("Place", "What"), problems)
    return comment.text()


class _Comment:
    """Text that grows up to its bound; what does not fit any more is counted. Used once."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._left = MAX_CHARACTERS - _RESERVED
        self._omitted = 0

    def add(self, text: str) -> bool:
        """Append a line if it fits, and say whether it does."""
        if self._omitted or len(text) + 1 > self._left:
            self._omitted += 1
            return False
        self._parts.append(text)
        self._left -= len(text) + 1
        return True

    def table(
        self, title: str, headers: Sequence[str], rows: Sequence[Sequence[str]], *, collapsed: bool = False
    ) -> None:
        """Append a table, collapsed if asked for or if it is long."""
        if not rows:
            return
        heading = f"{title}: {len(rows)}"
        folded = collapsed or len(rows) > _OPEN_ROWS
        before = f"\n<details><summary>{heading}</summary>\n" if folded else f"\n**{heading}**\n"
        top = f"{before}\n| {' | '.join(headers)} |\n|{' --- |' * len(headers)}"
        if not self.add(top):
            self._omitted += len(rows) - 1
            return
        for row in rows:
            self.add(f"| {' | '.join(_cell(cell) for cell in row)} |")
        if folded:
            self._parts.append("\n</details>")

    def text(self) -> str:
        """The whole comment."""
        if self._omitted:
            left_out = counted(self._omitted, "line")
            self._parts.append(
                f"\n**{left_out} left out**: a comment has an end. The output of the job has all of them."
            )
        return "\n".join(self._parts)


def _cell(text: str) -> str:
    lines: Iterable[str] = (plain(line) for line in text.split("\n"))
    return "<br>".join(escaped(_shortened(line)) for line in lines if line)


def _shortened(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[: _CELL - 1]}…"
