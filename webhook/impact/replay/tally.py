"""Counts how decisions change: by policy, user and namespace, with when, and an example of each."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from webhook.impact.replay.log import Line, Trouble
from webhook.impact.replay.record import ALLOWED, DENIED, OPEN, Outcome, Recorded

SHOWN_TROUBLES = 20
"""Places that are named; all are counted."""
MAX_ROWS = 20_000
"""Combinations of change, policy, user and namespace that are told apart; those after are counted with their policy."""
OTHERS = "…"
"""Stands for users and namespaces that are no longer told apart."""


class Change(StrEnum):
    """What is different."""

    REFUSED = "allowed to denied"
    LET_THROUGH = "denied to allowed"
    WARNED = "warning gained"
    UNWARNED = "warning lost"
    PATCHED = "patch changed"


FLIPS = (Change.REFUSED, Change.LET_THROUGH)
"""Of the verdict."""


@dataclass(frozen=True, slots=True)
class Place:
    """Whose decisions they are."""

    change: Change
    policy: str
    user: str
    namespace: str


@dataclass(slots=True)
class Row:
    """Decisions that change alike."""

    decisions: int
    first: str
    last: str
    place: str
    """Where the example stands."""
    example: bytes
    """The record of one, compressed."""

    def add(self, other: Row) -> None:
        """Count more of them; the example is that of the earlier place in the log."""
        self.decisions += other.decisions
        self.first, self.last = min(self.first, other.first), max(self.last, other.last)

    @property
    def record(self) -> bytes:
        """The record of the example."""
        return zlib.decompress(self.example)


@dataclass(slots=True)
class Gap:
    """Decisions of which something cannot be told for one reason."""

    decisions: int = 0
    open: int = 0
    """Of these the verdict cannot be told."""


@dataclass(slots=True)
class Tally:
    """What a replay found so far."""

    lines: int = 0
    foreign: int = 0
    """Lines of JSON that are no audit records."""
    troubles: list[Trouble] = field(default_factory=list)
    """The first places that cannot be read."""
    unreadable: int = 0
    broken_off: int = 0
    """Of these: last lines that may still be written."""
    left_out: int = 0
    """Records that the filters leave out."""
    unusable: Counter[str] = field(default_factory=Counter)
    """Records that cannot be replayed, by reason."""
    replayed: int = 0
    open: int = 0
    """Replayed, and the verdict cannot be told."""
    today: int = 0
    """Replayed by the state of the cluster that was given."""
    same_revision: int = 0
    reproduced: int = 0
    """Of these: with the same verdict and results."""
    differing: list[Trouble] = field(default_factory=list)
    """The first that were not, and how."""
    first: str = ""
    last: str = ""
    decisions: Counter[Change] = field(default_factory=Counter)
    """Each decision counts once for a change, however many policies change it."""
    rows: dict[Place, Row] = field(default_factory=dict)
    gaps: dict[tuple[str, str], Gap] = field(default_factory=dict)
    """By policy and reason."""
    policies: set[str] = field(default_factory=set)
    """Names of all that judged, where only some are wanted."""

    @property
    def records(self) -> int:
        """All audit records that were read."""
        return self.left_out + self.replayed + self.unusable.total()

    def trouble(self, found: Trouble) -> None:
        """Note a place that cannot be read."""
        self.unreadable += 1
        if len(self.troubles) < SHOWN_TROUBLES:
            self.troubles.append(found)

    def compared(self, line: Line, given: Recorded, before: Outcome, after: Outcome, wanted: frozenset[str]) -> None:
        """Count one decision that came to ``before`` and now comes to ``after``; only ``wanted`` policies, if any."""
        self.replayed += 1
        self.today += after.today or before.today
        self.first = min(self.first or given.time, given.time)
        self.last = max(self.last, given.time)
        unknown = {*before.unknown, *after.unknown}
        undetermined = OPEN in (before.verdict, after.verdict)
        self.open += undetermined
        for policy, reason in unknown:
            if not wanted or not policy or policy in wanted:
                gap = self.gaps.setdefault((policy, reason), Gap())
                gap.decisions += 1
                gap.open += undetermined
        if wanted:
            self.policies.update(result[0] for one in (before, after) for result in one.results)
        seen = set()
        for change, policy in dict.fromkeys(changes(before, after)):
            if not wanted or policy in wanted:
                seen.add(change)
                self._count(Place(change, policy, given.user, given.namespace), line, given.time)
        self.decisions.update(seen)

    def _count(self, place: Place, line: Line, time: str) -> None:
        if place in self.rows:
            row = self.rows[place]
            row.add(Row(1, time, time, "", b""))
        else:
            self._put(place, Row(1, time, time, line.place, zlib.compress(line.text, 1)))

    def _put(self, place: Place, row: Row) -> None:
        if place not in self.rows and len(self.rows) >= MAX_ROWS:
            place = Place(place.change, place.policy, OTHERS, OTHERS)
        if place in self.rows:
            self.rows[place].add(row)
        else:
            self.rows[place] = row

    def add(self, later: Tally) -> None:
        """Add what was found in a later part of the log."""
        for name in ("lines", "foreign", "unreadable", "broken_off", "left_out", "replayed", "open", "today"):
            setattr(self, name, getattr(self, name) + getattr(later, name))
        self.same_revision += later.same_revision
        self.reproduced += later.reproduced
        self.policies |= later.policies
        self.troubles = [*self.troubles, *later.troubles][:SHOWN_TROUBLES]
        self.differing = [*self.differing, *later.differing][:SHOWN_TROUBLES]
        self.unusable += later.unusable
        self.decisions += later.decisions
        self.first = min(filter(None, (self.first, later.first)), default="")
        self.last = max(self.last, later.last)
        for place, row in later.rows.items():
            self._put(place, row)
        for key, gap in later.gaps.items():
            mine = self.gaps.setdefault(key, Gap())
            mine.decisions += gap.decisions
            mine.open += gap.open


def changes(before: Outcome, after: Outcome) -> Iterator[tuple[Change, str]]:
    """What changes, and by which policy. Of a policy of which it cannot be told, nothing is said."""
    if before.verdict == ALLOWED and after.verdict == DENIED:
        yield from ((Change.REFUSED, policy) for policy in after.denied_by)
    if before.verdict == DENIED and after.verdict == ALLOWED:
        yield from ((Change.LET_THROUGH, policy) for policy in before.denied_by)
    unknown = {policy for policy, _ in (*before.unknown, *after.unknown)}
    if "" in unknown:
        return
    yield from _told(Change.WARNED, before, after, unknown)
    yield from _told(Change.UNWARNED, after, before, unknown)
    if before.verdict == after.verdict == ALLOWED:
        then, now = _patches(before), _patches(after)
        for policy in sorted({*then, *now} - unknown):
            if then.get(policy) != now.get(policy):
                yield Change.PATCHED, policy


def _told(change: Change, less: Outcome, more: Outcome, unknown: set[str]) -> Iterator[tuple[Change, str]]:
    """Policies that warn in one and not in the other; one that refuses instead says so as a refusal."""
    for policy in more.warned_by:
        if policy not in {*less.warned_by, *less.denied_by, *unknown}:
            yield change, policy


def _patches(outcome: Outcome) -> Mapping[str, list[str]]:
    found: dict[str, list[str]] = {}
    for policy, patch in outcome.patches:
        found.setdefault(policy, []).append(patch)
    return found


def by_policy(rows: Iterable[tuple[Place, Row]]) -> dict[tuple[Change, str], list[tuple[Place, Row]]]:
    """Group rows by change and policy: changes in their order, then the most decisions first; so within each too."""
    groups: dict[tuple[Change, str], list[tuple[Place, Row]]] = {}
    for place, row in rows:
        groups.setdefault((place.change, place.policy), []).append((place, row))
    order = list(Change)
    return {
        key: sorted(groups[key], key=lambda one: (-one[1].decisions, one[0].user, one[0].namespace))
        for key in sorted(
            groups, key=lambda key: (order.index(key[0]), -sum(row.decisions for _, row in groups[key]), key[1])
        )
    }
