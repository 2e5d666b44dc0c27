"""Freeze windows: the times at which people may not start migrations."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime

from webhook.errors import FactUnavailable
from webhook.kubevirt.migrations import rfc3339
from webhook.kubevirt.recurrence import Recurrence, recurrence
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, mappings, strings, text

MAX_LINKS = 32
"""How many windows in a row are followed to see when a freeze is over."""


@dataclass(frozen=True, slots=True)
class Window:
    """One freeze window."""

    name: str
    reason: str
    recurrence: Recurrence

    def time(self, moment: datetime | None) -> str:
        """Return a time as RFC 3339 text with the offset of the window's zone; empty for none."""
        return moment.astimezone(self.recurrence.zone).isoformat(timespec="seconds") if moment else ""


@dataclass(frozen=True, slots=True)
class Freeze:
    """What is frozen: the window that ends last, and when it and all that follow right on it are over."""

    window: Window
    until: datetime | None
    """None where one window follows the other with no end in sight."""


def _read(written: Object) -> Window:
    """Read a window of the Parameters, which were checked when they were loaded."""
    name = text(written, "name")
    zone = text(written, "timeZone") or "UTC"
    try:
        found = recurrence(text(written, "schedule"), text(written, "duration"), zone)
    except ValueError as error:
        raise FactUnavailable(f"freeze window '{name}' cannot be read: {error}") from error
    return Window(name, text(written, "reason"), found)


def windows_of(context: FactContext) -> Sequence[Window]:
    """Return the freeze windows that concern the namespace of the request."""

    def read(context: FactContext) -> Sequence[Window]:
        concerned = (
            written
            for written in mappings(context.parameters, "freezeWindows")
            if "namespaces" not in written or context.request.namespace in strings(written, "namespaces")
        )
        return [_read(written) for written in concerned]

    return context.once("freezeWindows", read)


def freeze_at(windows: Sequence[Window], moment: datetime) -> Freeze | None:
    """Return what is frozen at a moment; None if nothing is."""
    ends = [(end, window) for window in windows if (end := window.recurrence.end(moment))]
    if not ends:
        return None
    until, named = max(ends, key=lambda one: one[0])
    return Freeze(named, _thaw(windows, until))


def _thaw(windows: Sequence[Window], until: datetime) -> datetime | None:
    """Return the first moment from ``until`` on at which no window is open."""
    for _ in range(MAX_LINKS):
        later = [end for window in windows if (end := window.recurrence.end(until))]
        if not later:
            return until
        until = max(later)
    return None


def freeze(context: FactContext) -> Freeze | None:
    """Return what is frozen at the time of the request."""
    return context.once("freeze", lambda context: freeze_at(windows_of(context), context.now))


def _until(context: FactContext) -> str:
    found = freeze(context)
    return found.window.time(found.until) if found else ""


def _next(context: FactContext) -> str:
    windows = windows_of(context)
    starts = [(start, window) for window in windows if (start := window.recurrence.next_start(context.now))]
    start, window = min(starts, key=lambda one: one[0], default=(None, None))
    return window.time(start) if window else ""


def _of_window(read: Callable[[Window], str]) -> Callable[[FactContext], JSON]:
    return lambda context: read(found.window) if (found := freeze(context)) else ""


FACTS = (
    Fact(
        "time.now",
        "string",
        "The time of the request, RFC 3339 in UTC; in CEL timestamp(time.now).",
        lambda context: rfc3339(context.now),
    ),
    Fact(
        "freeze.active",
        "bool",
        "A freeze window of the Parameters is open now for the namespace of the request.",
        lambda context: freeze(context) is not None,
    ),
    Fact(
        "freeze.name",
        "string",
        "Its name; of several windows that of the one that ends last.",
        _of_window(lambda window: window.name),
    ),
    Fact("freeze.reason", "string", "Its reason, as the Parameters give it.", _of_window(lambda window: window.reason)),
    Fact(
        "freeze.until",
        "string",
        "When no window is open any more, RFC 3339 with the offset of the window's time zone; empty where nothing is "
        "frozen, or where windows follow one another with no end in sight.",
        _until,
    ),
    Fact(
        "freeze.next",
        "string",
        "When the next window opens, RFC 3339 with the offset of its time zone; empty if none does.",
        _next,
    ),
)
