"""One difference between two policy sets, and which way it goes."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum

from webhook.model.objects import JSON
from webhook.source.parsed import FilePath


class Effect(StrEnum):
    """What a difference does to what is guarded."""

    WEAKER = "weaker"
    """Something that was refused, warned of or recorded may no longer be."""
    STRICTER = "stricter"
    CHANGED = "changed"
    """Both, or it cannot be told from the policies alone."""
    WORDING = "wording"
    """Decisions stay the same."""

    @property
    def inverse(self) -> Effect:
        """What it is seen from the other side."""
        return {Effect.WEAKER: Effect.STRICTER, Effect.STRICTER: Effect.WEAKER}.get(self, self)


ORDER = (Effect.WEAKER, Effect.CHANGED, Effect.STRICTER, Effect.WORDING)
"""The order in which reviewers want to see them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One difference within a document."""

    field: str
    effect: Effect
    before: JSON = None
    """None: it was not there."""
    after: JSON = None
    note: str = ""
    """Why it has this effect, where that is not plain."""
    path: FilePath = ("spec",)
    """Where in the document it stands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference between two policy sets."""

    kind: str
    name: str
    field: str = ""
    """Empty: the document itself is there on one side only."""
    effect: Effect
    before: JSON = None
    after: JSON = None
    note: str = ""
    where: str = ""
    """``file:line:column`` on the new side, or on the old one of what is gone."""


def combined(effects: Iterable[Effect]) -> Effect:
    """Return what several effects come to together."""
    real = set(effects) - {Effect.WORDING}
    if not real:
        return Effect.WORDING
    return real.pop() if len(real) == 1 else Effect.CHANGED


def by_reach(lost: object, gained: object, *, wider: Effect = Effect.STRICTER) -> Effect:
    """Return the effect of losing some of what is covered and gaining some; ``wider`` is that of gaining alone."""
    if lost and gained:
        return Effect.CHANGED
    return wider.inverse if lost else wider


def by_choice(before: Collection[str], after: Collection[str], *, wider: Effect = Effect.STRICTER) -> Effect:
    """The same for a list of names of which none at all means every one."""
    first, second = set(before), set(after)
    if not first or not second:
        return wider if first else wider.inverse
    return by_reach(first - second, second - first, wider=wider)
