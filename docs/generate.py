"""Writes the pages under docs/reference from the code and the policies, so that they cannot say anything else.

Run by ``make docs``, as ``python -m docs.generate``.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path

from docs import commandpages, lintpages, policypages
from docs.markdown import page, table
from webhook import settings
from webhook.admission.natives import CATALOG
from webhook.policy.celfunctions import FUNCTIONS

REFERENCE = Path(__file__).resolve().parent / "reference"
POLICIES = "policies"
"""The folder below REFERENCE that holds one page for each policy, and nothing else."""


def pages() -> Mapping[str, str]:
    """Return the text of each page by its path below REFERENCE."""
    policies = {f"{POLICIES}/{name}": text for name, text in policypages.pages().items()}
    return {
        "commands.md": commandpages.text(),
        "facts.md": _facts(),
        "cel.md": _functions(),
        "settings.md": _settings(),
        "lint.md": lintpages.text(),
        **policies,
    }


def stale(names: Mapping[str, str]) -> list[Path]:
    """Return the pages that are there for policies that no longer are."""
    return [path for path in (REFERENCE / POLICIES).glob("*.md") if f"{POLICIES}/{path.name}" not in names]


def _facts() -> str:
    rows = ((f"`{fact.name}`", f"`{fact.cel_type}`", fact.summary) for fact in CATALOG.values())
    return page(
        "Facts",
        "What policies can read besides the variables of ValidatingAdmissionPolicy. Each is computed only if a policy "
        "that matches reads it. `list(map)` is a list of maps from string to anything.",
        table(("fact", "type", "what"), rows),
    )


def _functions() -> str:
    rows = ((f"`{one.signature}`", one.summary, one.source) for one in FUNCTIONS)
    return page(
        "Functions",
        "Functions of Kubernetes' CEL libraries that expressions can call, besides CEL's standard ones and its "
        "extensions for strings, math, encoders, bindings and optional values.",
        table(("function", "what", "source"), rows),
    )


def _settings() -> str:
    rows = (
        (f"`{one.flag} {one.metavar}`", f"`{one.variable}`", one.help, f"`{one.default}`" if one.default else "")
        for one in settings.entries()
        if one.name not in {"replica", "state_dir"}
    )
    return page(
        "Settings",
        "Flags of `migguard serve`; each can be given as an environment variable, the flag wins. Besides these: "
        "`--state-dir` (where a certificate that is made is kept), and `--replica` (name on audit records, by default "
        "the host name).",
        table(("flag", "environment", "what", "default"), rows),
    )


def main() -> int:
    """Write all pages, and take away those of policies that are gone."""
    written = pages()
    (REFERENCE / POLICIES).mkdir(parents=True, exist_ok=True)
    for name, text in written.items():
        (REFERENCE / name).write_text(text, "utf-8")
    for path in stale(written):
        path.unlink()
    return 0


if __name__ == "__main__":
    sys.exit(main())
