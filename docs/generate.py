"""Writes the pages under docs/reference from the code, so that they cannot say anything else; see ``make docs``."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

from webhook import settings
from webhook.admission.natives import CATALOG
from webhook.policy.celfunctions import FUNCTIONS

REFERENCE = Path(__file__).resolve().parent / "reference"
_NOTE = "<!-- Written by docs/generate.py (make docs); do not edit. -->\n"


def pages() -> Mapping[str, str]:
    """Return the text of each page by file name."""
    return {"facts.md": _facts(), "cel.md": _functions(), "settings.md": _settings()}


def _facts() -> str:
    rows = ((f"`{fact.name}`", f"`{fact.cel_type}`", fact.summary) for fact in CATALOG.values())
    return _page(
        "Facts",
        "What policies can read besides the variables of ValidatingAdmissionPolicy. Each is computed only if a policy "
        "that matches reads it. `list(map)` is a list of maps from string to anything.",
        _table(("fact", "type", "what"), rows),
    )


def _functions() -> str:
    rows = ((f"`{one.signature}`", one.summary, one.source) for one in FUNCTIONS)
    return _page(
        "Functions",
        "Functions of Kubernetes' CEL libraries that expressions can call, besides CEL's standard ones and its "
        "extensions for strings, math, encoders, bindings and optional values.",
        _table(("function", "what", "source"), rows),
    )


def _settings() -> str:
    rows = (
        (f"`{one.flag} {one.metavar}`", f"`{one.variable}`", one.help, f"`{one.default}`" if one.default else "")
        for one in settings.entries()
        if one.name not in {"replica", "state_dir"}
    )
    return _page(
        "Settings",
        "Flags of `migguard serve`; each can be given as an environment variable, the flag wins. Besides these: "
        "`--state-dir` (where a certificate that is made is kept), and `--replica` (name on audit records, by default "
        "the host name).",
        _table(("flag", "environment", "what", "default"), rows),
    )


def _page(title: str, text: str, table: str) -> str:
    return f"{_NOTE}\n# {title}\n\n{text}\n\n{table}"


def _table(head: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [head, tuple("---" for _ in head), *rows]
    return "".join(f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in line)} |\n" for line in lines)


def main() -> int:
    """Write all pages."""
    REFERENCE.mkdir(exist_ok=True)
    for name, text in pages().items():
        (REFERENCE / name).write_text(text, "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
