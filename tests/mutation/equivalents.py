"""Mutants that decide everything as the original does: declared by name, each with the reason why no case can tell."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from tests.mutation.trial import Result

FILE = Path(__file__).parent / "equivalent.yaml"


def declared(file: Path = FILE) -> Mapping[str, str]:
    """The reasons, by the names of the mutants. Raises ValueError for an entry without a name or a reason."""
    entries: list[dict[str, Any]] = yaml.safe_load(file.read_text()) or []
    reasons: dict[str, str] = {}
    for entry in entries:
        name, reason = entry.get("name", ""), entry.get("reason", "")
        if not name or not reason or name in reasons:
            raise ValueError(f"{file.name}: each entry has a name of its own and a reason: {entry}")
        reasons[name] = reason
    return reasons


def wrong(reasons: Mapping[str, str], results: Sequence[Result], skipped: Collection[str] = ()) -> Iterator[str]:
    """Yield what is wrong with the entries: there is no such mutant, or a test tells it from the original.

    Nothing is said of those of policies that were ``skipped``.
    """
    killers = {one.mutant.name: one.killer for one in results}
    for name in reasons:
        if name.split(" ")[0] in skipped:
            continue
        if name not in killers:
            yield f"{FILE.name}: there is no mutant '{name}'"
        elif killers[name]:
            yield f"{FILE.name}: '{name}' is not equivalent: {killers[name]} fails with it"
