"""Durations as people write them."""

from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.model.duration import MAX_LENGTH, parse_duration


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("1m", timedelta(minutes=1)),
        ("48h", timedelta(days=2)),
        ("1h30m", timedelta(minutes=90)),
        ("1.5h", timedelta(minutes=90)),
        ("1h0m1s", timedelta(hours=1, seconds=1)),
        ("30m1h", timedelta(minutes=90)),
        ("1m1m", timedelta(minutes=2)),
        ("0s", timedelta()),
        ("007h", timedelta(hours=7)),
    ],
)
def test_numbers_with_units_are_added_up_as_go_does(text: str, length: timedelta) -> None:
    assert parse_duration(text) == length


@pytest.mark.parametrize(
    "text",
    [
        "", "h", "1", "1d", "1w", "2 h", " 1h", "1h ", "1h\n", "-1h", "+1h", "1h30", "1H", "1h,30m", ".5h", "1.h",
        "1e3s", "500ms", "PT1H", "\uff11h", "1\uff48", "inf", f"{'9' * MAX_LENGTH}h", f"{'9' * (MAX_LENGTH - 1)}h",
    ],
)  # fmt: skip
def test_anything_else_is_none_and_is_told_what_one_looks_like(text: str) -> None:
    with pytest.raises(ValueError, match="is not a duration such as 90m, 1h30m or 48h"):
        parse_duration(text)


@given(st.integers(0, 10_000), st.integers(0, 59), st.integers(0, 59))
def test_hours_minutes_and_seconds_come_back_as_they_were_written(hours: int, minutes: int, seconds: int) -> None:
    assert parse_duration(f"{hours}h{minutes}m{seconds}s") == timedelta(hours=hours, minutes=minutes, seconds=seconds)


@given(st.text(alphabet="0123456789.hms -", max_size=MAX_LENGTH + 5))
def test_no_text_does_anything_but_give_a_length_or_a_value_error(text: str) -> None:
    try:
        length = parse_duration(text)
    except ValueError:
        return
    assert length >= timedelta()
