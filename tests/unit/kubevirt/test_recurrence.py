"""When windows that recur are open, held against a walk through every minute. Source: Debian cron(8)."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from webhook.kubevirt.recurrence import Recurrence, recurrence

MINUTE = timedelta(minutes=1)


def moment(written: str) -> datetime:
    return datetime.fromisoformat(written)


@pytest.mark.parametrize(
    ("schedule", "zone", "now", "end"),
    [
        # In Cairo the clocks go from 2026-04-23 23:59 to 01:00 (22:00 UTC), and from 2026-10-29 23:59 back to 23:00.
        pytest.param(
            "30 0 * * *",
            "Africa/Cairo",
            "2026-04-23T22:00:00Z",
            "2026-04-23T22:10:00Z",
            id="cron(8): the gap is at midnight",
        ),
        pytest.param(
            "* 1 * * FRI",
            "Africa/Cairo",
            "2026-04-23T22:00:00Z",
            "2026-04-23T22:10:00Z",
            id="the first minute of a day",
        ),
        pytest.param(
            "30 23 * * *",
            "Africa/Cairo",
            "2026-10-29T20:35:00Z",
            "2026-10-29T20:40:00Z",
            id="cron(8): 23:30 the first time",
        ),
        pytest.param("30 23 * * *", "Africa/Cairo", "2026-10-29T21:35:00Z", "", id="cron(8): not the second time"),
        pytest.param(
            "*/30 * * * *",
            "Africa/Cairo",
            "2026-10-29T21:35:00Z",
            "2026-10-29T21:40:00Z",
            id="cron(8): but every half hour",
        ),
        # On Lord Howe they move by half an hour only.
        pytest.param(
            "* 3 * * *", "Australia/Lord_Howe", "2026-04-04T16:30:00Z", "2026-04-04T16:40:00Z", id="half an hour back"
        ),
        pytest.param(
            "15 2 * * *",
            "Australia/Lord_Howe",
            "2026-10-03T15:30:00Z",
            "2026-10-03T15:40:00Z",
            id="half an hour forward",
        ),
        pytest.param(
            "0 0 L * *", "UTC", "2026-02-28T00:00:00Z", "2026-02-28T00:10:00Z", id="crontab(5): the last day of a month"
        ),
        pytest.param(
            "0 0 13 * FRI", "UTC", "2026-03-06T00:00:00Z", "2026-03-06T00:10:00Z", id="crontab(5): either day will do"
        ),
        pytest.param("0 0 */2 * FRI", "UTC", "2026-03-06T00:00:00Z", "", id="crontab(5): with a star both must hold"),
        pytest.param(
            "0 0 */2 * FRI", "UTC", "2026-03-13T00:00:00Z", "2026-03-13T00:10:00Z", id="crontab(5): and both do"
        ),
        pytest.param(
            "0 0 * * 7", "UTC", "2026-03-08T00:00:00Z", "2026-03-08T00:10:00Z", id="crontab(5): Sunday is 0 and 7"
        ),
    ],
)
def test_a_window_of_ten_minutes(schedule: str, zone: str, now: str, end: str) -> None:
    found = recurrence(schedule, "10m", zone).end(moment(now))
    assert found == (moment(end) if end else None)


@pytest.mark.parametrize("days", [1, 8, 30])
def test_a_long_window_is_remembered_to_its_last_second(days: int) -> None:
    monthly = recurrence("0 12 1 * *", f"{24 * days}h", "America/New_York")
    end = moment("2026-03-01T17:00:00Z") + timedelta(days=days)
    assert monthly.end(end - timedelta(seconds=1)) == end
    assert monthly.end(end) is None


@pytest.mark.parametrize(
    ("schedule", "following"),
    [
        pytest.param("0 0 29 2 *", "2028-02-29T00:00:00Z", id="in a leap year"),
        pytest.param("59 23 31 12 *", "2026-12-31T23:59:00Z", id="at the end of the year"),
        pytest.param("* * * * *", "2026-03-06T18:01:00Z", id="every minute"),
        pytest.param("0 0 LW 2 *", "2027-02-26T00:00:00Z", id="on the last weekday of a month"),
    ],
)
def test_the_next_beginning(schedule: str, following: str) -> None:
    assert recurrence(schedule, "1h", "UTC").next_start(moment("2026-03-06T18:00:30Z")) == moment(following)


def test_what_comes_round_too_rarely_has_no_next_beginning() -> None:
    assert recurrence("0 0 * 2 MON#5", "1h", "UTC").next_start(moment("2026-03-06T18:00:00Z")) is None


@pytest.mark.parametrize(
    ("schedule", "duration", "zone"),
    [
        ("0 18 * * FRI *", "1h", "UTC"),
        ("0 25 * * *", "1h", "UTC"),
        ("0 0 */L * *", "1h", "UTC"),
        ("0 0 * * *", "1d", "UTC"),
        ("0 0 * * *", "1h", "Nowhere"),
        ("0 0 * * *", "1h", "/etc/localtime"),
    ],
    ids=["six fields", "no such hour", "no such step", "days", "no such zone", "a path"],
)
def test_what_cannot_be_read_is_an_error(schedule: str, duration: str, zone: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        recurrence(schedule, duration, zone)


# A naive reference: the minutes of some days, one after the other, each held against the fields.

ZONES = (
    "UTC",
    "Asia/Tokyo",
    "Asia/Kolkata",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "Africa/Cairo",
)
CHANGES = tuple(
    datetime(*day, tzinfo=UTC)
    for day in (
        (2026, 3, 29, 1, 0),  # Berlin, forward
        (2026, 10, 25, 1, 0),  # Berlin, back
        (2026, 3, 8, 7, 0),  # New York, forward
        (2026, 11, 1, 6, 0),  # New York, back
        (2026, 10, 3, 15, 30),  # Lord Howe, forward by half an hour
        (2026, 4, 4, 15, 0),  # Lord Howe, back by half an hour
        (2026, 4, 23, 22, 0),  # Cairo, forward at midnight
        (2026, 10, 29, 21, 0),  # Cairo, back at midnight
        (2026, 6, 15, 12, 0),  # nothing anywhere
    )
)


def begins(minutes: set[int], hours: set[int], weekdays: set[int], local: datetime) -> bool:
    return local.minute in minutes and local.hour in hours and (local.isoweekday() % 7) in weekdays


def starts(schedule: str, zone: ZoneInfo, first: datetime, last: datetime) -> Iterator[datetime]:
    """Debian cron(8), minute by minute; schedules are ``M,M H,H * * D,D``, with * for any."""
    fields = schedule.split()
    sizes = (60, 24, 0, 0, 7)
    minutes, hours, weekdays = (
        set(range(size)) if field == "*" else {int(one) for one in field.split(",")}
        for field, size in zip(fields, sizes, strict=True)
        if size
    )
    frequent = "*" in fields[:2]
    moment = first
    while moment <= last:
        local, before = moment.astimezone(zone), (moment - MINUTE).astimezone(zone)
        skipped = local.replace(tzinfo=None) - before.replace(tzinfo=None) - MINUTE
        gap = [before.replace(tzinfo=None) + MINUTE * (1 + minute) for minute in range(skipped // MINUTE)]
        if frequent:
            hit = begins(minutes, hours, weekdays, local)
        else:
            again = local.fold == 1
            hit = (not again and begins(minutes, hours, weekdays, local)) or any(
                begins(minutes, hours, weekdays, wall) for wall in gap
            )
        if hit:
            yield moment
        moment += MINUTE


def fields(size: int, most: int) -> st.SearchStrategy[str]:
    listed = st.sets(st.integers(0, size - 1), min_size=1, max_size=most)
    return listed.map(lambda found: ",".join(map(str, sorted(found))))


SCHEDULES = st.tuples(
    st.just("*") | fields(60, 3),
    st.just("*") | st.sampled_from(["0", "1", "2", "3", "0,2", "1,2,3"]) | fields(24, 3),
    st.just("*") | fields(7, 4),
).map(lambda parts: f"{parts[0]} {parts[1]} * * {parts[2]}")


@settings(max_examples=60, deadline=None)
@given(
    schedule=SCHEDULES,
    zone=st.sampled_from(ZONES).map(ZoneInfo),
    change=st.sampled_from(CHANGES),
    length=st.integers(1, 600).map(lambda minutes: MINUTE * minutes),
    offsets=st.lists(st.integers(-240 * 60, 240 * 60), min_size=1, max_size=12),
)
def test_windows_are_those_that_a_minute_by_minute_walk_finds(
    schedule: str, zone: ZoneInfo, change: datetime, length: timedelta, offsets: list[int]
) -> None:
    recurrence = Recurrence(schedule, length, zone)
    walked = list(starts(schedule, zone, change - timedelta(hours=15), change + timedelta(hours=15)))
    for offset in offsets:
        moment = change + timedelta(seconds=offset)
        open_since = [start for start in walked if start <= moment < start + length]
        assert recurrence.end(moment) == (open_since[-1] + length if open_since else None)
        coming = [start for start in walked if start > moment]
        following = recurrence.next_start(moment)
        assert (following if following and following <= change + timedelta(hours=15) else None) == next(
            iter(coming), None
        )
