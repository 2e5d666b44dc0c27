"""Runs the decisions of audit logs against a policy set, on several processors, and compares."""

from __future__ import annotations

import json
import multiprocessing
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from datetime import UTC, datetime

from webhook.admission.pipeline import World
from webhook.errors import InputError, MigguardError, UsageError
from webhook.impact.replay.judge import Judge
from webhook.impact.replay.log import Line, Trouble, chunks, log_files
from webhook.impact.replay.record import Outcome, Recorded, UnusableError, is_record
from webhook.impact.replay.tally import SHOWN_TROUBLES, Tally
from webhook.model.objects import Object, text
from webhook.output.wording import counted
from webhook.policy.policyset import PolicySet
from webhook.policy.spelling import nearest

_AHEAD = 3
"""Portions for each process that are read ahead."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Filters:
    """Which decisions count."""

    since: datetime | None = None
    until: datetime | None = None
    users: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    policies: frozenset[str] = frozenset()
    """Changes by these policies only."""

    def wants(self, raw: Object) -> bool:
        """Say whether the decision of this record counts."""
        time = text(raw, "timestamp")
        return (
            (not self.users or text(raw, "requested_by") in self.users)
            and (not self.namespaces or text(raw, "input", "request", "namespace") in self.namespaces)
            and (self.since is None or time >= written(self.since))
            and (self.until is None or time < written(self.until))
        )


def written(moment: datetime) -> str:
    """A time as audit records have it, so that texts compare as times."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


@dataclass(frozen=True, slots=True, kw_only=True)
class Setup:
    """What is compared with what."""

    candidate: PolicySet = field(repr=False)
    baseline: PolicySet | None = field(default=None, repr=False)
    """None: what was decided then."""
    cluster: World | None = field(default=None, repr=False)
    """For what is not on record; None: then that is undetermined."""
    filters: Filters = Filters()
    word_by_word: bool = False
    """Whether records of the same policy set are compared in all that was said, not only in what was decided."""


def replay(paths: Iterable[str], setup: Setup, *, jobs: int) -> Tally:
    """Replay all logs; the result does not depend on ``jobs``.

    Raises InputError where no record can be replayed, UsageError where changes are wanted by a policy that is neither
    on record nor among those that are compared.
    """
    files = log_files(paths)
    total = Tally()
    for part in _counted(chunks(files), setup, jobs):
        total.add(part)
    if not total.replayed:  # "nothing changes" would be a lie
        raise InputError(_why_nothing(total), where=", ".join(files), hint="see --audit-log of migguard serve")
    _check_names(setup, total)
    return total


def _check_names(setup: Setup, total: Tally) -> None:
    """Refuse a name that no policy has: of that one "nothing changes" would be a lie too."""
    sets = [one for one in (setup.candidate, setup.baseline) if one]
    known = sorted(total.policies.union(*({one.name for one in policies.policies} for policies in sets)))
    for name in sorted(setup.filters.policies - {*known}):
        raise UsageError(f"--policy: no policy is called '{name}', now or on record", hint=nearest(name, known))


def _why_nothing(total: Tally) -> str:
    reasons = [f"{counted(number, 'record')} {why}" for why, number in sorted(total.unusable.items())]
    if total.left_out:
        reasons.append(f"{counted(total.left_out, 'record')} left out by the filters")
    if total.foreign:
        reasons.append(f"{counted(total.foreign, 'line')} of JSON with no audit record")
    if total.troubles:
        first = total.troubles[0]
        reasons.append(f"{counted(total.unreadable, 'place')} that cannot be read, first {first.place}: {first.why}")
    return f"holds no decision to replay: {'; '.join(reasons) or 'it is empty'}"


def _counted(portions: Iterator[list[Line | Trouble]], setup: Setup, jobs: int) -> Iterator[Tally]:
    """Count portions in order, on one processor while there is but one."""
    first = next(portions, [])
    second = next(portions, None)
    if second is None or jobs <= 1 or "fork" not in multiprocessing.get_all_start_methods():
        bench = Bench(setup)
        yield bench.count(first)
        while second is not None:
            yield bench.count(second)
            second = next(portions, None)
        return
    yield from _shared(_chain(first, second, portions), setup, jobs)


def _chain(
    first: list[Line | Trouble], second: list[Line | Trouble], rest: Iterator[list[Line | Trouble]]
) -> Iterator[list[Line | Trouble]]:
    yield first
    yield second
    yield from rest


def _shared(portions: Iterator[list[Line | Trouble]], setup: Setup, jobs: int) -> Iterator[Tally]:
    # Forked, as compiled expressions cannot be sent to another process; nothing here has started a thread yet.
    context = multiprocessing.get_context("fork")
    waiting: deque[Future[Tally]] = deque()
    try:
        with ProcessPoolExecutor(jobs, mp_context=context, initializer=_set_up, initargs=(setup,)) as pool:
            for portion in portions:
                waiting.append(pool.submit(_count, portion))
                if len(waiting) >= jobs * _AHEAD:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    except BrokenProcessPool as error:
        raise MigguardError("a process that replays was ended", hint="memory may be short; try --jobs 1") from error


class Bench:
    """Replays records one by one. Used by one thread."""

    def __init__(self, setup: Setup) -> None:
        self._filters = setup.filters
        self._word_by_word = setup.word_by_word
        self._candidate = Judge(setup.candidate, setup.cluster)
        self._baseline = Judge(setup.baseline, setup.cluster) if setup.baseline else None

    def count(self, lines: Sequence[Line | Trouble]) -> Tally:
        """Replay some lines of a log."""
        tally = Tally()
        for line in lines:
            if isinstance(line, Trouble):
                tally.trouble(line)
            else:
                self._line(line, tally)
        return tally

    def _line(self, line: Line, tally: Tally) -> None:
        tally.lines += 1
        try:
            raw = json.loads(line.text)
        except (ValueError, RecursionError):
            broken_off = not line.ended and line.text.startswith(b"{")
            tally.broken_off += broken_off
            tally.trouble(Trouble(line.place, "breaks off in the middle of a record" if broken_off else "is not JSON"))
            return
        if not is_record(raw):
            tally.foreign += 1
            return
        if not self._filters.wants(raw):
            tally.left_out += 1
            return
        try:
            self._compare(line, Recorded(raw), tally)
        except UnusableError as error:
            tally.unusable[str(error)] += 1

    def _compare(self, line: Line, given: Recorded, tally: Tally) -> None:
        after = self._candidate.outcome(given)
        then = given.outcome()
        before = self._baseline.outcome(given) if self._baseline else then
        tally.compared(line, given, before, after, self._filters.policies)
        if given.revision == self._candidate.policies.revision:
            tally.same_revision += 1
            difference = self._difference(given, then, after)
            tally.reproduced += not difference
            if difference and len(tally.differing) < SHOWN_TROUBLES:
                tally.differing.append(Trouble(line.place, difference))

    def _difference(self, given: Recorded, then: Outcome, again: Outcome) -> str:
        if self._word_by_word:
            return self._candidate.difference(given)
        if again.unknown:
            return again.unknown[0][1]
        same = (then.verdict, then.results, then.patches) == (again.verdict, again.results, again.patches)
        return "" if same else f"{then.verdict} on record, {again.verdict} again"


_benches: list[Bench] = []
"""Of this process."""


def _set_up(setup: Setup) -> None:
    _benches.append(Bench(setup))


def _count(portion: Sequence[Line | Trouble]) -> Tally:
    return _benches[-1].count(portion)
