"""What differs in the bindings of a policy.

A policy without bindings applies everywhere with its own values; with bindings only where one of them matches. So the
first binding may take the policy out of places, and each further one brings it to more.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass

from webhook.impact.policydiff.change import Difference, Effect, combined
from webhook.impact.policydiff.coverage import atoms, match_differences, requirements
from webhook.impact.policydiff.policy import action_effect, action_note, changed_actions, unequal, whole_effect
from webhook.impact.policydiff.reading import Reading
from webhook.impact.policydiff.version import Applied, VersionPair
from webhook.model.decision import Action
from webhook.model.objects import JSON
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.document import GuardPolicyBinding, MatchResources

_EVERYWHERE = "everywhere"


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding on one side, and its policy there."""

    binding: GuardPolicyBinding
    policy: Applied

    @property
    def version(self) -> CompiledPolicy:
        """The policy under it."""
        return self.policy.by_binding[self.binding.name]

    @property
    def actions(self) -> frozenset[Action]:
        """Those in force under it."""
        return self.version.actions

    @property
    def everywhere(self) -> bool:
        """Whether it leaves out nothing that its policy covers."""
        return covers_all(self.binding.match, self.policy.document.match)


def binding_differences(old: Bound, new: Bound) -> Iterator[Difference]:
    """Yield what differs between two versions; values of parameters are told with the policy."""
    before, after = old.binding, new.binding
    if before.name != after.name:
        yield Difference(
            field="metadata.name",
            effect=Effect.WORDING,
            before=before.name,
            after=after.name,
            note="renamed",
            path=("metadata", "name"),
        )
    if before.policy_name != after.policy_name:
        yield from _moved(before, after)
    yield from match_differences(before.match, after.match, ("spec", "matchResources"))
    if before.actions != after.actions:
        yield Difference(
            field="validationActions",
            effect=changed_actions(old.version, new.version),
            before=_actions(before),
            after=_actions(after),
            note=action_note(old.actions, new.actions),
            path=("spec", "validationActions"),
        )


def _moved(before: GuardPolicyBinding, after: GuardPolicyBinding) -> Iterator[Difference]:
    """A binding of another policy, whose parameters are others."""
    names: dict[str, tuple[JSON, JSON]] = {"policyName": (before.policy_name, after.policy_name)}
    params = {f"params.{name}": values for name, values in unequal(before.params, after.params).items()}
    for field, (was, becomes) in {**names, **params}.items():
        path = ("spec", *field.split("."))
        yield Difference(field=field, effect=Effect.CHANGED, before=was, after=becomes, path=path)


def _actions(binding: GuardPolicyBinding) -> list[str]:
    return sorted(binding.actions) if binding.actions else ["the policy's own"]


def alone_effect(bound: Bound, other: Applied | None, *, added: bool) -> tuple[Effect, str]:
    """The effect of a binding that is there on one side only, and why.

    Args:
        bound: The binding.
        other: Its policy on the side that lacks it, if it is there.
        added: Whether that is the old side.
    """
    more = whole_effect(bound.policy.document)
    if other is None:
        return more if added else more.inverse, ""
    if other.unbound is None:
        return (more, "applies in more places") if added else (more.inverse, "applies in fewer places")
    pair = (other.unbound, bound.version) if added else (bound.version, other.unbound)
    told = [*_told_actions(bound, pair), *_told_params(bound, pair), *_told_reach(bound, added=added)]
    if not told:
        return Effect.WORDING, "applies everywhere as before"
    return combined(effect for effect, _ in told), "; ".join(note for _, note in told if note)


def _told_actions(bound: Bound, pair: VersionPair) -> Iterator[tuple[Effect, str]]:
    before, after = (one.actions for one in pair)
    if bound.binding.actions and before != after:  # the policy's own are told with the policy
        yield action_effect(before, after), _note_of_actions(bound, action_note(before, after))


def _note_of_actions(bound: Bound, note: str) -> str:
    where = _where(bound)
    if not note or where == _EVERYWHERE:
        return note
    return f"refuses {where}, where it did not" if note.startswith("refuses") else f"{note} {where}"


def _told_params(bound: Bound, pair: VersionPair) -> Iterator[tuple[Effect, str]]:
    reading = Reading.of([pair])
    for name, (was, becomes) in unequal(pair[0].params, pair[1].params).items():
        if name in bound.binding.params:
            yield reading.effect_of_param(name), f"{name} {_shown(was)} -> {_shown(becomes)}"


def _told_reach(bound: Bound, *, added: bool) -> Iterator[tuple[Effect, str]]:
    """Where one of the bindings matches everything, the policy is in force wherever it would be without any."""
    if any(Bound(one.binding, bound.policy).everywhere for one in bound.policy.compiled if one.binding):
        return
    if added:
        effect, note = whole_effect(bound.policy.document).inverse, "applies only where one of its bindings matches"
    else:
        effect, note = whole_effect(bound.policy.document), "without bindings it applies everywhere"
    yield effect, note


def covers_all(match: MatchResources, policy: MatchResources) -> bool:
    """Say whether a binding leaves out nothing that its policy covers."""
    if match.excluded or requirements(match.namespace_selector) or requirements(match.object_selector):
        return False
    if not match.rules:
        return True
    own = atoms(match.rules, exact=False)
    asked = atoms(policy.rules, exact=False)
    return not (match.exact or policy.exact) and all(any(one.covers(other) for one in own) for other in asked)


def summary(bound: Bound) -> str:
    """A binding in a few words."""
    own = ", ".join(f"{name} {_shown(value)}" for name, value in sorted(bound.binding.params.items()))
    actions = "/".join(sorted(bound.actions))
    return f"{bound.binding.policy_name}: {actions} {_where(bound)}{f', with {own}' if own else ''}"


def _where(bound: Bound) -> str:
    match = bound.binding.match
    where = [str(one) for one in atoms(match.rules, exact=match.exact)]
    where += [f"except {one}" for one in atoms(match.excluded, exact=match.exact)]
    where += [f"in namespaces with {one}" for one in sorted(requirements(match.namespace_selector))]
    where += [f"for objects with {one}" for one in sorted(requirements(match.object_selector))]
    return ", ".join(where) or _EVERYWHERE


def _shown(value: JSON) -> str:
    return value if isinstance(value, str) and value else json.dumps(value, ensure_ascii=False, sort_keys=True)
