"""The formats that schemas name, each with what is told about a value that is none."""

from __future__ import annotations

import pytest
from jsonschema.exceptions import FormatError

from webhook.errors import InputError
from webhook.policy.formats import FORMATS


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("cron", "0 18 * * FRI"),
        ("duration", "1m"),
        ("duration", "60h"),
        ("duration", "744h"),
        ("time-zone", "UTC"),
        ("time-zone", "Asia/Tokyo"),
        ("time-zone", "America/Argentina/Buenos_Aires"),
        ("cron", None),
        ("duration", 5),
        ("time-zone", []),
        ("ipv4", "not one of ours"),
    ],
)
def test_a_right_value_and_one_that_is_no_text_pass(name: str, value: object) -> None:
    FORMATS.check(value, name)


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("cron", "daily", "'daily' is not a schedule of five fields (minute, hour, day of month, month, day of week: "),
        ("duration", "2 days", "'2 days' is not a duration such as 90m, 1h30m or 48h (units are h, m and s; "),
        ("duration", "59s", "'59s' is shorter than allowed (from 1m to 744h)"),
        ("duration", "744h1s", "'744h1s' is longer than allowed (from 1m to 744h)"),
        ("time-zone", "Asia/Tokio", "'Asia/Tokio' is not a time zone (did you mean 'Asia/Tokyo'?)"),
        ("time-zone", "Asia", "'Asia' is not a time zone"),
        ("time-zone", "../etc/passwd", "'../etc/passwd' is not a time zone"),
        ("time-zone", "localtime", "'localtime' is not a time zone"),
        ("time-zone", "", "'' is not a time zone (a name such as UTC, Asia/Tokyo or Europe/Berlin)"),
    ],
)
def test_what_is_wrong_with_a_value_is_told(name: str, value: str, told: str) -> None:
    with pytest.raises(FormatError) as caught:
        FORMATS.check(value, name)

    assert isinstance(caught.value.cause, InputError)
    assert str(caught.value.cause).startswith(told)
