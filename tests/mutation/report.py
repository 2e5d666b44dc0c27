"""What a run of mutants came to, as text: the numbers for each policy, then everything that survived."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence

from tests.mutation.trial import Result
from webhook.output.tables import columns


def survivors(results: Sequence[Result], equivalent: Collection[str]) -> list[Result]:
    """What no case told from the original, and nobody declared to be the same."""
    return [one for one in results if not one.killed and one.mutant.name not in equivalent]


def numbers(results: Mapping[str, Sequence[Result]], equivalent: Collection[str]) -> str:
    """A line for each policy, and one for all."""
    rows = [_row(policy, found, equivalent) for policy, found in results.items()]
    everything = [one for found in results.values() for one in found]
    rows.append(_row("all", everything, equivalent))
    return columns(["POLICY", "MUTANTS", "KILLED", "EQUIVALENT", "SURVIVED"], rows)


def _row(name: str, results: Sequence[Result], equivalent: Collection[str]) -> list[str]:
    killed = sum(one.killed for one in results)
    survived = len(survivors(results, equivalent))
    return [name, *map(str, (len(results), killed, len(results) - killed - survived, survived))]


def survived(results: Sequence[Result]) -> Iterator[str]:
    """Each survivor with its place, what the changed part is now, and the kind of case that would catch it."""
    for one in results:
        mutant = one.mutant
        yield f"{mutant.where}: survived: {mutant.name}"
        if mutant.shown:
            yield f"    now:    {mutant.shown}"
        yield f"    wanted: {mutant.wanted}"


def verdicts(results: Sequence[Result], equivalent: Mapping[str, str]) -> Iterator[str]:
    """Every mutant with what killed it."""
    for one in results:
        name = one.mutant.name
        came_to = f"killed by {one.killer}" if one.killed else f"equivalent: {equivalent.get(name, '')}"
        yield f"{one.mutant.where}: {'survived' if not one.killed and name not in equivalent else came_to}: {name}"
