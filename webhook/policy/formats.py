"""The formats of text that migguard's schemas name: ``cron``, ``duration`` and ``time-zone``."""

from __future__ import annotations

from datetime import timedelta
from functools import cache
from importlib import resources

from jsonschema import FormatChecker

from webhook.errors import InputError
from webhook.model.duration import parse_duration
from webhook.policy import schedule
from webhook.policy.spelling import nearest

SHORTEST = timedelta(minutes=1)
"""Schedules begin on the minute."""
LONGEST = timedelta(days=31)

FORMATS = FormatChecker(formats=())
"""Knows these formats and no other; what is wrong with a value is the InputError that caused the error."""


@FORMATS.checks("cron", raises=InputError)
def cron(value: object) -> bool:
    """Accept what is a schedule of five fields that comes round at all; see ``schedule.check``."""
    if isinstance(value, str):
        schedule.check(value)
    return True


@FORMATS.checks("duration", raises=InputError)
def duration(value: object) -> bool:
    """Accept durations such as ``1h30m`` between SHORTEST and LONGEST."""
    if not isinstance(value, str):
        return True
    try:
        length = parse_duration(value)
    except ValueError as error:
        raise InputError(str(error), hint="units are h, m and s; write days as hours") from error
    if not SHORTEST <= length <= LONGEST:
        wrong = "longer" if length > LONGEST else "shorter"
        raise InputError(f"'{value}' is {wrong} than allowed", hint=f"from 1m to {LONGEST.days * 24}h")
    return True


@FORMATS.checks("time-zone", raises=InputError)
def time_zone(value: object) -> bool:
    """Accept names of the IANA time zone database, as far as it is shipped with migguard: the same on every machine."""
    if isinstance(value, str) and value not in _zones():
        hint = nearest(value, sorted(_zones())) or "a name such as UTC, Asia/Tokyo or Europe/Berlin"
        raise InputError(f"'{value[:80]}' is not a time zone", hint=hint)
    return True


@cache
def _zones() -> frozenset[str]:
    return frozenset(resources.files("tzdata").joinpath("zones").read_text("utf-8").split())
