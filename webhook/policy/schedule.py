"""Schedules as cron writes them: whether one is right, whether it ever comes round, whether windows from it ever end.

Meaning of the fields: as in Debian's cron, which counts a day where either day field names it, unless one of them
begins with ``*``; then both must. Source: crontab(5) of Debian, as the library cronsim follows it.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo

from cronsim import CronSim, CronSimError

from webhook.errors import InputError

FIELDS = ("minute", "hour", "day-of-month", "month", "day-of-week")
MAX_LENGTH = 200
"""Characters; enough to list every minute of an hour."""
HORIZON = timedelta(days=366)
"""How far ahead windows are followed: a whole year."""
MAX_WINDOWS = 10_000
"""How many windows are followed: a week of one each minute."""
_BEGINNING = datetime(2027, 1, 1, tzinfo=UTC)
"""From when schedules are followed: any day would do, the same day always gives the same answer."""
_EXAMPLE = "minute, hour, day of month, month, day of week: '0 18 * * FRI' is 18:00 every Friday"


def check(written: str) -> None:
    """Raise InputError, with what is wrong, for a text that is no schedule of five fields, or one that never comes."""
    fields = written.split()
    if len(written) > MAX_LENGTH or len(fields) != len(FIELDS):
        raise InputError(f"'{written[:80]}' is not a schedule of five fields", hint=_EXAMPLE)
    if not _readable(fields):
        wrong = [
            f"{name} '{field}'"
            for position, (name, field) in enumerate(zip(FIELDS, fields, strict=True))
            if not _readable(["*" if other != position else field for other in range(len(FIELDS))])
        ]
        if wrong:
            raise InputError(f"'{written}' is not a schedule: wrong {', '.join(wrong)}", hint=_EXAMPLE)
        raise InputError(f"'{written}' never comes: no such day is in these months", hint="correct day or month")


def _readable(fields: list[str]) -> bool:
    """Whether these fields have a next time. CronSim fails in several ways where it finds none."""
    try:
        next(CronSim(" ".join(fields), _BEGINNING))
    except (CronSimError, AssertionError, TypeError, StopIteration):
        return False
    return True


def ends(written: str, length: timedelta, zone: tzinfo) -> bool:
    """Say whether a window of this length, begun by this schedule, is ever over before the next one begins.

    ``written`` has passed ``check``.
    """
    beginning = next(CronSim(written, _BEGINNING.astimezone(zone)))
    last = beginning
    for _ in range(MAX_WINDOWS):
        if last - beginning > HORIZON:
            return False
        following = next(CronSim(written, last))
        if following.astimezone(UTC) - last.astimezone(UTC) > length:
            return True
        last = following
    return False
