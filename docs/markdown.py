"""How a generated page is put together."""

from __future__ import annotations

from collections.abc import Iterable

NOTE = "<!-- Written by docs/generate.py (make docs); do not edit. -->\n"


def page(title: str, *parts: str) -> str:
    """Return a page of these parts: paragraphs, tables, blocks and headings."""
    return f"{NOTE}\n# {title}\n\n" + "\n\n".join(part.strip("\n") for part in parts if part) + "\n"


def table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    """Return a table; a bar or a line break within a cell does not end the cell."""
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(map(_cell, line))} |\n" for line in lines)


def block(language: str, text: str) -> str:
    """Return a block of code."""
    fence = "````" if "```" in text else "```"
    return f"{fence}{language}\n{text.rstrip()}\n{fence}"


def code(text: str) -> str:
    """Return a piece of code within a sentence."""
    return f"`{text}`"


def listed(words: Iterable[str], last: str = "and") -> str:
    """Return ``a, b and c``."""
    *first, final = words
    return f"{', '.join(first)} {last} {final}" if first else final


def _cell(text: str) -> str:
    return " ".join(text.split()).replace("|", r"\|")
