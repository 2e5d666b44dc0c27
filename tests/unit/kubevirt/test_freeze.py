"""When people may not start migrations. Source: Debian cron(8) on changes of the clocks."""

from __future__ import annotations

from datetime import datetime
from typing import Any

import pytest

from tests.support.builders import Json, context, create, vmim
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import VMIM
from webhook.model.facts import FactContext


def window(name: str = "quiet", schedule: str = "0 18 * * FRI", duration: str = "60h", **rest: Any) -> Json:
    return {"name": name, "schedule": schedule, "duration": duration, "timeZone": "UTC", "reason": "closing", **rest}


def at(written: str, *windows: Json, namespace: str = "prod") -> FactContext:
    found = context(create(VMIM, vmim(namespace=namespace)), parameters={"freezeWindows": list(windows)})
    found.now = datetime.fromisoformat(written)
    return found


def ask(name: str, found: FactContext) -> Any:
    return FACTS[name].resolve(found)


BERLIN_NIGHT = window(schedule="30 2 * * *", duration="1h", timeZone="Europe/Berlin")
BERLIN_HOURLY = window(schedule="0 * * * *", duration="30m", timeZone="Europe/Berlin")
BERLIN_EVENING = window(schedule="0 22 * * *", duration="8h", timeZone="Europe/Berlin")
TOKYO = window(schedule="0 18 * * FRI", duration="60h", timeZone="Asia/Tokyo")


@pytest.mark.parametrize(
    ("now", "frozen", "until"),
    [
        pytest.param("2026-03-06T17:59:59Z", window(), "", id="boundaries: just before it begins"),
        pytest.param("2026-03-06T18:00:00Z", window(), "2026-03-09T06:00:00+00:00", id="boundaries: its first moment"),
        pytest.param("2026-03-06T18:00:00.5Z", window(), "2026-03-09T06:00:00+00:00", id="boundaries: just after"),
        pytest.param("2026-03-09T05:59:59.9Z", window(), "2026-03-09T06:00:00+00:00", id="boundaries: its last moment"),
        pytest.param("2026-03-09T06:00:00Z", window(), "", id="boundaries: its end is outside"),
        pytest.param(
            "2026-03-06T18:01:29Z", window(duration="90s"), "2026-03-06T18:01:30+00:00", id="boundaries: in seconds"
        ),
        pytest.param("2026-03-06T18:01:30Z", window(duration="90s"), "", id="boundaries: after seconds"),
        pytest.param("2026-03-06T08:59:59Z", TOKYO, "", id="time zone: Tokyo, before"),
        pytest.param(
            "2026-03-06T09:00:00Z", TOKYO, "2026-03-09T06:00:00+09:00", id="time zone: Tokyo has no summer time"
        ),
        pytest.param("2026-07-03T09:00:00Z", TOKYO, "2026-07-06T06:00:00+09:00", id="time zone: Tokyo in July"),
        # On 2026-03-29 at 02:00 CET the clocks in Berlin are put forward to 03:00 CEST: 01:00 UTC.
        pytest.param(
            "2026-03-29T00:59:59Z", BERLIN_NIGHT, "", id="cron(8) spring: 02:30 does not exist, nothing before 03:00"
        ),
        pytest.param(
            "2026-03-29T01:00:00Z",
            BERLIN_NIGHT,
            "2026-03-29T04:00:00+02:00",
            id="cron(8) spring: what falls into the gap begins right after it",
        ),
        pytest.param("2026-03-29T02:00:00Z", BERLIN_NIGHT, "", id="cron(8) spring: and lasts as long as ever"),
        pytest.param(
            "2026-03-29T03:59:00Z",
            BERLIN_EVENING,
            "2026-03-29T07:00:00+02:00",
            id="spring: eight hours pass, not hands",
        ),
        # On 2026-10-25 at 03:00 CEST they are put back to 02:00 CET: 01:00 UTC. 02:30 comes at 00:30 and 01:30 UTC.
        pytest.param("2026-10-25T00:29:00Z", BERLIN_NIGHT, "", id="cron(8) autumn: before the first 02:30"),
        pytest.param(
            "2026-10-25T00:30:00Z", BERLIN_NIGHT, "2026-10-25T02:30:00+01:00", id="cron(8) autumn: from the first 02:30"
        ),
        pytest.param(
            "2026-10-25T01:15:00Z",
            BERLIN_NIGHT,
            "2026-10-25T02:30:00+01:00",
            id="cron(8) autumn: 02:15 for the second time is after the first 02:30",
        ),
        pytest.param("2026-10-25T01:30:00Z", BERLIN_NIGHT, "", id="cron(8) autumn: not again at the second 02:30"),
        pytest.param(
            "2026-10-25T00:10:00Z", BERLIN_HOURLY, "2026-10-25T02:30:00+02:00", id="cron(8) autumn: hourly, first 02:00"
        ),
        pytest.param(
            "2026-10-25T01:10:00Z",
            BERLIN_HOURLY,
            "2026-10-25T02:30:00+01:00",
            id="cron(8) autumn: hourly, second 02:00",
        ),
        pytest.param(
            "2026-10-25T03:59:00Z",
            BERLIN_EVENING,
            "2026-10-25T05:00:00+01:00",
            id="autumn: eight hours pass, not hands",
        ),
        pytest.param(
            "2026-03-04T10:00:00Z",
            window(schedule="0 18 * * MON-THU", duration="30h"),
            "2026-03-07T00:00:00+00:00",
            id="longer than its period: until the last of them is over",
        ),
        pytest.param(
            "2026-02-28T12:00:00Z",
            window(schedule="0 0 28 2 *", duration="24h"),
            "2026-03-01T00:00:00+00:00",
            id="once a year",
        ),
        pytest.param(
            "2026-02-28T12:00:00Z", window(schedule="0 0 29 2 *", duration="24h"), "", id="in leap years only"
        ),
    ],
)
def test_when_a_window_is_open(now: str, frozen: Json, until: str) -> None:
    found = at(now, frozen)
    assert ask("freeze.until", found) == until
    assert ask("freeze.active", found) is bool(until)
    assert ask("freeze.name", found) == ("quiet" if until else "")
    assert ask("freeze.reason", found) == ("closing" if until else "")


@pytest.mark.parametrize(
    ("now", "windows", "name", "until"),
    [
        pytest.param(
            "2026-03-06T19:00:00Z",
            [window("long", duration="10h"), window("short", duration="2h")],
            "long",
            "2026-03-07T04:00:00+00:00",
            id="the one that ends last",
        ),
        pytest.param(
            "2026-03-06T19:00:00Z",
            [window("first", duration="4h"), window("second", "0 22 * * *", "3h", timeZone="Asia/Tokyo")],
            "first",
            "2026-03-06T22:00:00+00:00",
            id="one elsewhere does not matter",
        ),
        pytest.param(
            "2026-03-06T19:00:00Z",
            [window("first", duration="4h"), window("second", "0 22 * * *", "3h")],
            "first",
            "2026-03-07T01:00:00+00:00",
            id="with the one that follows before it is over",
        ),
        pytest.param(
            "2026-03-06T19:00:00Z",
            [window("first", duration="4h"), window("second", "1 22 * * *", "3h")],
            "first",
            "2026-03-06T22:00:00+00:00",
            id="a minute between them is a minute",
        ),
        pytest.param(
            "2026-03-06T19:00:00Z", [window("always", "* * * * *", "5m")], "always", "", id="with no end in sight"
        ),
        pytest.param(
            "2026-03-06T17:00:00Z", [window(), window("night", "0 22 * * *", "3h")], "", "", id="none is open"
        ),
        pytest.param("2026-03-06T17:00:00Z", [], "", "", id="there are none"),
    ],
)
def test_of_several_windows_one_is_named(now: str, windows: list[Json], name: str, until: str) -> None:
    found = at(now, *windows)
    assert (ask("freeze.name", found), ask("freeze.until", found)) == (name, until)
    assert ask("freeze.active", found) is bool(name)


@pytest.mark.parametrize(
    ("windows", "following"),
    [
        pytest.param([window()], "2026-03-13T18:00:00+00:00", id="the next one, not the one that begins now"),
        pytest.param(
            [window(), window("n", "0 9 * * *", "1h", timeZone="Asia/Tokyo")], "2026-03-07T09:00:00+09:00", id="first"
        ),
        pytest.param([window(schedule="0 0 29 2 *")], "2028-02-29T00:00:00+00:00", id="in the next leap year"),
        pytest.param([], "", id="none"),
        pytest.param([window("elsewhere", namespaces=["batch"])], "", id="none for this namespace"),
    ],
)
def test_when_the_next_window_opens(windows: list[Json], following: str) -> None:
    assert ask("freeze.next", at("2026-03-06T18:00:00Z", *windows)) == following


@pytest.mark.parametrize(
    ("namespace", "name"), [("prod", "all"), ("batch", "night"), ("", "all")], ids=["another", "named", "no namespace"]
)
def test_a_window_may_be_for_some_namespaces(namespace: str, name: str) -> None:
    windows = [window("all", duration="1h"), window("night", duration="2h", namespaces=["batch", "test"])]
    assert ask("freeze.name", at("2026-03-06T18:30:00Z", *windows, namespace=namespace)) == name


def test_without_a_time_zone_it_is_utc() -> None:
    plain = {key: item for key, item in window().items() if key != "timeZone"}
    assert ask("freeze.active", at("2026-03-06T18:00:00Z", plain)) is True


@pytest.mark.parametrize(
    "broken",
    [
        {"schedule": "0 18 * *"},
        {"schedule": "61 * * * *"},
        {"schedule": "0 0 31 2 *"},
        {"schedule": None},
        {"duration": "two days"},
        {"timeZone": "Mars/Olympus"},
        {"timeZone": "../etc/passwd"},
        {"timeZone": "Europe"},
    ],
    ids=str,
)
def test_a_window_that_slipped_past_the_schema_is_named(broken: Json) -> None:
    with pytest.raises(FactUnavailable, match="freeze window 'quiet' cannot be read"):
        ask("freeze.active", at("2026-03-06T18:00:00Z", window(**broken)))


def test_the_time_of_the_request_is_given_in_utc() -> None:
    assert ask("time.now", at("2026-03-06T03:00:00.123456+09:00")) == "2026-03-05T18:00:00Z"
