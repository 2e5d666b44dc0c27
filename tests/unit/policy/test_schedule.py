"""Schedules: what is one, what never comes, and whether what begins by one ever ends."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.errors import InputError
from webhook.policy import schedule

TOKYO, BERLIN = ZoneInfo("Asia/Tokyo"), ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    "written",
    [
        "0 18 * * FRI",
        "*/15 0-6,22-23 * * *",
        "0 0 1 JAN *",
        "0 0 29 2 *",
        "0 0 30 2 MON",
        "30 4 L * *",
        "0 22 * * 5#1",
        "  0  0 *\t* * ",
    ],
)
def test_a_schedule_of_five_fields_that_comes_round_is_right(written: str) -> None:
    schedule.check(written)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param("", "'' is not a schedule of five fields", id="nothing"),
        pytest.param("0 18 * *", "'0 18 * *' is not a schedule of five fields", id="four fields"),
        pytest.param("0 0 18 * * FRI", "'0 0 18 * * FRI' is not a schedule of five fields", id="seconds"),
        pytest.param("@daily", "'@daily' is not a schedule of five fields", id="macro"),
        pytest.param(f"{'0,' * 200}0 * * * *", f"'{'0,' * 40}' is not a schedule of five fields", id="endless"),
        pytest.param("60 * * * *", "'60 * * * *' is not a schedule: wrong minute '60'", id="minute"),
        pytest.param("0 24 * * *", "'0 24 * * *' is not a schedule: wrong hour '24'", id="hour"),
        pytest.param("0 0 32 * *", "'0 0 32 * *' is not a schedule: wrong day-of-month '32'", id="day"),
        pytest.param("0 0 * 13 *", "'0 0 * 13 *' is not a schedule: wrong month '13'", id="month"),
        pytest.param("0 0 * * FRIDAY", "'0 0 * * FRIDAY' is not a schedule: wrong day-of-week 'FRIDAY'", id="weekday"),
        pytest.param(
            "0 0 * * 5#1/2", "'0 0 * * 5#1/2' is not a schedule: wrong day-of-week '5#1/2'", id="strange step"
        ),
        pytest.param("a b * * *", "'a b * * *' is not a schedule: wrong minute 'a', hour 'b'", id="two fields"),
        pytest.param("0 0 30 2 *", "'0 0 30 2 *' never comes: no such day is in these months", id="30 February"),
        pytest.param("0 0 31 4,6,9,11 *", "'0 0 31 4,6,9,11 *' never comes: no such day", id="31st of short months"),
    ],
)
def test_what_is_wrong_with_a_schedule_is_told(written: str, message: str) -> None:
    with pytest.raises(InputError) as caught:
        schedule.check(written)

    assert caught.value.message.startswith(message)
    assert caught.value.hint


_FIELD = st.text(alphabet="0123456789*/,-#LWAFRIMON", min_size=1, max_size=6)


@given(st.lists(_FIELD, min_size=5, max_size=5).map(" ".join))
def test_a_text_of_five_fields_is_right_or_is_told_what_is_wrong_and_nothing_else(written: str) -> None:
    try:
        schedule.check(written)
    except InputError as error:
        assert written in error.message  # noqa: PT017 - raising is one of two good outcomes


@pytest.mark.parametrize(
    ("written", "hours", "zone", "ends"),
    [
        pytest.param("0 18 * * FRI", 60, TOKYO, True, id="weekend"),
        pytest.param("0 0 * * *", 23, TOKYO, True, id="all day but one hour"),
        pytest.param("0 0 * * *", 24, TOKYO, False, id="day after day"),
        pytest.param("0 0 * * *", 24, BERLIN, True, id="day after day, but one day has 25 hours"),
        pytest.param("0 0 * * *", 25, BERLIN, False, id="as long as the longest day"),
        pytest.param("0 22 * * FRI,SAT", 30, TOKYO, True, id="two that overlap and then end"),
        pytest.param("0 0 * 8 *", 24, TOKYO, True, id="every day of one month"),
        pytest.param("0 0 29 2 *", 24 * 31, TOKYO, True, id="once in four years"),
        pytest.param("0 0 1 * *", 24 * 31, TOKYO, False, id="month after month"),
        pytest.param("* * * * *", 1, TOKYO, False, id="minute after minute"),
    ],
)
def test_a_window_ends_where_a_time_is_left_before_it_begins_anew(
    written: str, hours: int, zone: ZoneInfo, ends: bool
) -> None:
    assert schedule.ends(written, timedelta(hours=hours), zone) is ends
