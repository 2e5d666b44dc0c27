"""Parts of a comment on a pull request, in Markdown, and the whole kept short enough for one."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.output.tables import escaped, plain
from webhook.output.wording import counted

MAX_CHARACTERS = 60_000
"""Of a Markdown text. Source: GitHub and GitLab take no comment of more than 65,536."""
_CELL = 600


def bounded(parts: Sequence[str]) -> str:
    """Join parts of a Markdown text, short enough for a comment: rows of its tables give way before anything else."""
    lines = "\n\n".join(part for part in parts if part).splitlines()
    rows = MAX_CHARACTERS - sum(len(line) + 1 for line in lines if not line.startswith("| "))
    left = MAX_CHARACTERS
    kept: list[str] = []
    for line in lines:
        size = len(line) + 1
        is_row = line.startswith("| ")
        if size > (rows if is_row else left):
            continue
        rows -= size if is_row else 0
        left -= size
        kept.append(line)
    if len(kept) < len(lines):
        kept += ["", f"{counted(len(lines) - len(kept), 'line')} left out: `-o json` has them all."]
    return "\n".join(kept)


def section(heading: str, headers: Sequence[str], rows: Sequence[Sequence[str]], *, folded: bool) -> str:
    """Return a table under a heading, collapsed if it is long or of little interest; nothing without rows."""
    if not rows:
        return ""
    lines = [f"| {' | '.join(headers)} |", f"|{' --- |' * len(headers)}"]
    lines += [f"| {' | '.join(escaped(_cut(cell)) for cell in row)} |" for row in rows]
    table = "\n".join(lines)
    if folded:
        return f"<details><summary>{heading}</summary>\n\n{table}\n\n</details>"
    return f"**{heading}**\n\n{table}"


def code(text: str) -> str:
    """Return a text in one line as Markdown shows it in code."""
    return f"`{plain(text).replace('`', chr(39))}`"


def _cut(text: str) -> str:
    return text if len(text) <= _CELL else f"{text[:_CELL]}…"
