"""What differs between two versions of an exemption: one that covers more guards less."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from webhook.impact.policydiff.change import Difference, Effect, by_choice, by_reach
from webhook.impact.policydiff.coverage import selector_differences
from webhook.policy.document import Exemption, Subject

_EVERY_OPERATION = "*"


def exemption_differences(old: Exemption, new: Exemption, now: datetime) -> Iterator[Difference]:
    """Yield what differs. Where neither version is in force any more, nothing of it has an effect."""
    over = old.expires <= now and new.expires <= now
    for one in _reach(old, new):
        yield _without_effect(one) if over else one
    yield from _wording(old, new)


def _without_effect(one: Difference) -> Difference:
    return Difference(
        field=one.field,
        effect=Effect.WORDING,
        before=one.before,
        after=one.after,
        note="it has expired",
        path=one.path,
    )


def _reach(old: Exemption, new: Exemption) -> Iterator[Difference]:
    for field, before, after in (
        ("policies", old.policies, new.policies),
        ("subjects", _subjects(old), _subjects(new)),
    ):
        lost, gained = set(before) - set(after), set(after) - set(before)
        if lost or gained:
            effect = by_reach(lost, gained, wider=Effect.WEAKER)
            yield Difference(
                field=field, effect=effect, before=sorted(before), after=sorted(after), path=("spec", field)
            )
    for field, before, after in (
        ("namespaces", old.namespaces, new.namespaces),
        ("names", old.names, new.names),
        ("operations", _operations(old), _operations(new)),
    ):
        if set(before) != set(after):
            effect = by_choice(before, after, wider=Effect.WEAKER)
            shown = [sorted(found) or ["all"] for found in (before, after)]
            yield Difference(field=field, effect=effect, before=shown[0], after=shown[1], path=("spec", field))
    for field, selector, other in (
        ("namespaceSelector", old.namespace_selector, new.namespace_selector),
        ("objectSelector", old.object_selector, new.object_selector),
    ):
        yield from selector_differences(field, selector, other, ("spec",), wider=Effect.WEAKER)
    yield from _time(old, new)


def _time(old: Exemption, new: Exemption) -> Iterator[Difference]:
    if old.expires != new.expires:
        longer = new.expires > old.expires
        yield Difference(
            field="expires",
            effect=Effect.WEAKER if longer else Effect.STRICTER,
            before=day(old.expires),
            after=day(new.expires),
            note=f"{'longer' if longer else 'shorter'} by {abs((new.expires - old.expires).days)} days",
            path=("spec", "expires"),
        )
    begins = [one.starts or datetime.min.replace(tzinfo=UTC) for one in (old, new)]
    if begins[0] != begins[1]:
        yield Difference(
            field="starts",
            effect=Effect.WEAKER if begins[1] < begins[0] else Effect.STRICTER,
            before=old.starts and day(old.starts),
            after=new.starts and day(new.starts),
            path=("spec", "starts"),
        )


def _wording(old: Exemption, new: Exemption) -> Iterator[Difference]:
    for field, before, after in (
        ("owner", old.owner, new.owner),
        ("reason", old.reason, new.reason),
        ("ticket", old.ticket, new.ticket),
    ):
        if before != after:
            yield Difference(field=field, effect=Effect.WORDING, before=before, after=after, path=("spec", field))


def _operations(one: Exemption) -> tuple[str, ...]:
    return () if _EVERY_OPERATION in one.operations else one.operations


def _subjects(one: Exemption) -> list[str]:
    return [_subject(subject) for subject in one.subjects]


def _subject(subject: Subject) -> str:
    name = f"{subject.namespace}/{subject.name}" if subject.namespace else subject.name
    return f"{subject.kind} {name}"


def day(moment: datetime) -> str:
    """A date, with its time where it is not the first moment of a day."""
    moment = moment.astimezone(UTC)
    whole = moment.time() == datetime.min.time()
    return moment.date().isoformat() if whole else moment.replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def summary(one: Exemption) -> str:
    """An exemption in a few words."""
    where = ", ".join(one.namespaces) or "all namespaces"
    subjects = ", ".join(_subjects(one))
    return (
        f"{', '.join(one.policies)} for {subjects} in {where} until {day(one.expires)} "
        f"(owner {one.owner}, ticket {one.ticket})"
    )
