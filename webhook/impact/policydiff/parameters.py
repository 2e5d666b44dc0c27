"""What differs in the Parameters of two policy sets, by dotted path, with every default filled in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from webhook.impact.policydiff.change import Difference, Effect, by_reach
from webhook.impact.policydiff.policy import flat, unequal
from webhook.model.objects import JSON, mapping, mappings, text
from webhook.source.parsed import FilePath

_SHARED = "params."
_WINDOWS = "freezeWindows"


def parameter_differences(
    old: Mapping[str, Any], new: Mapping[str, Any], uses: Callable[[str], tuple[Effect, list[str]]]
) -> Iterator[Difference]:
    """Yield what differs.

    Args:
        old: The ``spec`` before, with its defaults.
        new: The ``spec`` after.
        uses: The effect that a shared parameter's change has in policies, and which those are.
    """
    before, after = (_leaves(found) for found in (old, new))
    for path, (was, becomes) in unequal(before, after).items():
        note = ""
        if path.startswith(_SHARED):
            effect, policies = uses(path.removeprefix(_SHARED).partition(".")[0])
            note = f"in force in {', '.join(policies)}" if policies else "no policy's value in force changes by it"
        else:
            effect = _effect(path, was, becomes)
        place: FilePath = ("spec", *path.split("."))
        yield Difference(field=path, effect=effect, before=was, after=becomes, note=note, path=place)


def _leaves(spec: Mapping[str, Any]) -> dict[str, JSON]:
    """Freeze windows count by their names, not by their order."""
    windows = {f"{_WINDOWS}.{text(one, 'name')}": dict(one) for one in mappings(spec, _WINDOWS)}
    return {**flat({key: item for key, item in spec.items() if key not in {_WINDOWS, "params"}}), **windows} | {
        f"{_SHARED}{name}": item for name, item in mapping(spec, "params").items()
    }


def _effect(path: str, before: JSON, after: JSON) -> Effect:
    if path.startswith(_WINDOWS):
        return Effect.STRICTER if before is None else Effect.WEAKER if after is None else Effect.CHANGED
    if path == "permission.mode":
        return Effect.STRICTER if after == "explicit" else Effect.WEAKER
    if path in {"permission.trustedClusterRoles", "systemAccounts"}:
        lost, gained = set(before) - set(after), set(after) - set(before)
        return by_reach(lost, gained, wider=Effect.WEAKER) if lost or gained else Effect.WORDING
    if path == "exemptions.maxDays":
        return Effect.STRICTER if after < before else Effect.WEAKER
    return Effect.WORDING if path == "language" else Effect.CHANGED
