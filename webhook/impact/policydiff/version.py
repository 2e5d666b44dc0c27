"""The versions in which a policy is in force, and which of them before became which after.

A policy without bindings is one version, in force everywhere with its own actions and parameters. With bindings it is
one version for each of them, in force where that one matches.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from webhook.impact.policydiff.coverage import match_differences
from webhook.model.objects import same
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.document import GuardPolicy, MatchResources


@dataclass(frozen=True, slots=True)
class Applied:
    """A policy, under each of its bindings (or under none)."""

    compiled: tuple[CompiledPolicy, ...]

    @property
    def document(self) -> GuardPolicy:
        """The policy itself."""
        return self.compiled[0].document

    @property
    def by_binding(self) -> Mapping[str, CompiledPolicy]:
        """By the name of the binding; empty for none."""
        return {one.binding_name: one for one in self.compiled}

    @property
    def unbound(self) -> CompiledPolicy | None:
        """The one version of a policy without bindings."""
        return self.by_binding.get("")


VersionPair: TypeAlias = tuple[CompiledPolicy, CompiledPolicy]
"""A version before, and what became of it."""


def version_pairs(old: Applied, new: Applied) -> list[VersionPair]:
    """Return which version became which; what is in none of the pairs is there on one side only.

    Where one side has no bindings, its one version became, or was, every version of the other. Bindings are the same by
    their names; then, as they may have been renamed, by all that they say, and by where they match.
    """
    if old.unbound or new.unbound:
        return [(one, other) for one in old.compiled for other in new.compiled]
    pairs: list[VersionPair] = []
    left, right = list(old.compiled), list(new.compiled)
    for alike in _ALIKE:
        for one in list(left):
            other = next((found for found in right if alike(one, found)), None)
            if other is not None:
                pairs.append((one, other))
                left.remove(one)
                right.remove(other)
    return sorted(pairs, key=lambda pair: pair[0].binding_name)


def _same_name(one: CompiledPolicy, other: CompiledPolicy) -> bool:
    return one.binding_name == other.binding_name


def _same_place(one: CompiledPolicy, other: CompiledPolicy) -> bool:
    return not any(match_differences(_match(one), _match(other), ()))


def _same_in_all(one: CompiledPolicy, other: CompiledPolicy) -> bool:
    return one.actions == other.actions and same(dict(one.params), dict(other.params)) and _same_place(one, other)


_ALIKE: tuple[Callable[[CompiledPolicy, CompiledPolicy], bool], ...] = (_same_name, _same_in_all, _same_place)


def _match(one: CompiledPolicy) -> MatchResources:
    return one.binding.match if one.binding else MatchResources()
