"""When a window that recurs is open.

It begins when its schedule comes round, in its own time zone, and lasts for its duration, counted in hours that pass
rather than hands of the clock. Around a change of the clocks a schedule behaves as in Debian's cron: what falls into
the hour that is left out begins right after it, and what falls into the hour that comes twice begins the first time.
Where hour or minute begin with ``*``, it follows the hours that pass instead.

The library cronsim reads the schedule and knows which days it means. When it begins on a day is found here: cronsim
2.8 misses the first minutes after a change of the clocks at midnight, or by half an hour.

Source: Debian ``cron(8)`` and ``crontab(5)``.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

from cronsim import CronSim, CronSimError

from webhook.model.duration import parse_duration

FIELDS = 5
HORIZON = timedelta(days=366 * 9)
"""How far ahead the next beginning is looked for: 29 February of a leap year is at most eight years away."""
_DAY = timedelta(days=1)
_MINUTE = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Recurrence:
    """When a window is open. Times that are given are aware, those returned are in UTC."""

    schedule: str
    length: timedelta
    zone: ZoneInfo

    def end(self, moment: datetime) -> datetime | None:
        """Return when it ends if it is open at ``moment``: from its first moment on, until just before its end."""
        start = self._last_start(moment)
        return start + self.length if start is not None and moment < start + self.length else None

    def _last_start(self, moment: datetime) -> datetime | None:
        """When it last began, not later than ``moment`` and not long enough ago to be over on any account.

        A date may come back where the clocks are put back across midnight, hence a day more at either end.
        """
        day = moment.astimezone(self.zone).date() + _DAY
        oldest = (moment - self.length).astimezone(self.zone).date() - _DAY
        last: datetime | None = None
        while day >= oldest:
            starts = _starts_on(self.schedule, self.zone, day)
            begun = starts[: bisect_right(starts, moment)][-1:]
            if last is not None:
                return max([last, *begun])
            last = begun[0] if begun else None
            day -= _DAY
        return last

    def next_start(self, moment: datetime) -> datetime | None:
        """Return when it begins next, after ``moment``; None if not within HORIZON."""
        day = moment.astimezone(self.zone).date() - _DAY
        latest = day + HORIZON
        first: datetime | None = None
        while day <= latest:
            starts = _starts_on(self.schedule, self.zone, day)
            coming = starts[bisect_right(starts, moment) :][:1]
            if first is not None:
                return min([first, *coming])
            first = coming[0] if coming else None
            day += _DAY
        return first


@lru_cache(maxsize=256)
def recurrence(schedule: str, duration: str, zone: str) -> Recurrence:
    """Read a window's schedule, duration and time zone.

    Raises:
        ValueError: If one of them cannot be read.
    """
    try:
        made = Recurrence(schedule, parse_duration(duration), ZoneInfo(zone))
        _read(schedule)
    # cronsim has no one error for what it cannot read, nor has zoneinfo.
    except (AssertionError, CronSimError, KeyError, OSError, TypeError) as error:
        raise ValueError(str(error) or f"'{schedule}' is not a schedule") from error
    return made


@lru_cache(maxsize=256)
def _read(schedule: str) -> CronSim:
    """Of what is read only the fields are used, never the position in time."""
    if len(schedule.split()) != FIELDS:
        raise ValueError(f"'{schedule}' does not have five fields")
    return CronSim(schedule, datetime(2026, 1, 1, tzinfo=UTC))


def _starts_on(schedule: str, zone: ZoneInfo, day: date) -> list[datetime]:
    """The moments at which a schedule comes round on a day of the zone's calendar, in order and in UTC."""
    read = _read(schedule)
    return _starts_on_its_day(schedule, zone, day) if day.month in read.months and read.match_day(day) else []


@lru_cache(maxsize=256)
def _starts_on_its_day(schedule: str, zone: ZoneInfo, day: date) -> list[datetime]:
    read = _read(schedule)
    walls = (
        datetime.combine(day, time(hour, minute), tzinfo=zone)
        for hour in sorted(read.hours)
        for minute in sorted(read.minutes)
    )
    _, minute_field, hour_field, *_ = read.parts
    frequent = minute_field.startswith("*") or hour_field.startswith("*")
    find = _every_time if frequent else _once
    return sorted({moment for wall in walls for moment in find(wall)})


def _is_real(wall: datetime) -> bool:
    """Whether the clocks ever show this: not if it lies in the hour that is left out."""
    return wall.astimezone(UTC).astimezone(wall.tzinfo).replace(tzinfo=None) == wall.replace(tzinfo=None)


def _every_time(wall: datetime) -> Iterator[datetime]:
    """Every moment at which the clocks show this: none, one or two."""
    for fold in (0, 1):
        shown = wall.replace(fold=fold)
        if _is_real(shown):
            yield shown.astimezone(UTC)


def _once(wall: datetime) -> Iterator[datetime]:
    """The first moment at which the clocks show this, or at which they have gone past it."""
    while not _is_real(wall):
        wall += _MINUTE
    yield wall.astimezone(UTC)
