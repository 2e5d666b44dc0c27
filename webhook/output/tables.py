"""Tables: aligned columns in the manner of kubectl for a terminal, and Markdown for a pull request."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from tabulate import tabulate

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]+")


def plain(text: str) -> str:
    """One line of text without anything that could move a terminal's cursor or turn the direction of writing."""
    return _CONTROL.sub(" ", text).strip()


def columns(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table for a terminal: headers in capitals, no lines, no cell cut."""
    cells = [[plain(str(cell)) for cell in row] for row in rows]
    table: str = tabulate(cells, [name.upper() for name in headers], tablefmt="plain", disable_numparse=True)
    return "\n".join(line.rstrip() for line in table.split("\n"))


def markdown(headers: Sequence[str], rows: Iterable[Sequence[object]]) -> str:
    """Return a table in GitHub's Markdown; what is in the cells is text, not Markdown."""
    lines = [headers, ["---"] * len(headers), *([escaped(str(cell)) for cell in row] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def escaped(text: str) -> str:
    """Return text as Markdown that shows just it, in one line: no markup, no HTML, no mention of a person."""
    return re.sub(r"([\\`*_{}\[\]<>|#~!])", r"\\\1", plain(text)).replace("@", "@\u200b").replace("&", "&amp;")
