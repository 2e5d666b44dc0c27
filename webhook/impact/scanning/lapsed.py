"""Exemptions that have run out, or soon will: what they let through stays, and nobody remembers why."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from webhook.output.finding import Examined, Finding, Level, Place, Rule
from webhook.policy.document import Exemption

SOON = timedelta(days=14)
"""How long before its end an exemption is told of."""

EXPIRED = Rule(
    name="exemption-expired",
    title="No exemption that has run out is left behind",
    description="An exemption counts until its date, in a scan as at admission. What it spared is judged again.",
    severity="medium",
    category="exemptions",
)
EXPIRING = Rule(
    name="exemption-expiring",
    title="The end of an exemption surprises nobody",
    description="What an exemption spares today is refused on the day after it ends.",
    severity="low",
    category="exemptions",
)


@dataclass(frozen=True, slots=True)
class Lapsed:
    """What there is to say of exemptions."""

    rules: tuple[Rule, ...]
    examined: tuple[Examined, ...]


def lapsed(exemptions: Iterable[Exemption], now: datetime) -> Lapsed:
    """Return those that have run out or will within :data:`SOON`, by date."""
    due = sorted((one for one in exemptions if one.expires <= now + SOON), key=lambda one: (one.expires, one.name))
    return Lapsed((EXPIRED, EXPIRING), tuple(_examined(one, now) for one in due))


def _examined(exemption: Exemption, now: datetime) -> Examined:
    over = exemption.expires <= now
    when = f"{exemption.expires:%Y-%m-%d}"
    about = f"exemption '{exemption.name}' from {', '.join(exemption.policies)}"
    finding = Finding(
        rule=(EXPIRED if over else EXPIRING).name,
        level=Level.WARNING if over else Level.NOTE,
        message=f"{about} ran out on {when} and no longer counts" if over else f"{about} runs out on {when}",
        hint=(
            f"remove it; if it is still needed, let its owner {exemption.owner} ask again ({exemption.ticket})"
            if over
            else f"let its owner {exemption.owner} mend what it spares, or ask again ({exemption.ticket})"
        ),
        properties={"result": "warn"},
    )
    return Examined(
        subject=f"Exemption {exemption.name}", place=Place.of(exemption.document.where()), findings=(finding,)
    )
