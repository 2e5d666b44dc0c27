"""What differs in the bindings of a policy.

A policy without bindings applies everywhere with its own values; with bindings only where one of them matches. So the
first binding may take the policy out of places, and each further one brings it to more.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from webhook.impact.policydiff.change import Difference, Effect
from webhook.impact.policydiff.coverage import atoms, match_differences, requirements
from webhook.impact.policydiff.policy import Applied, action_effect, action_note
from webhook.model.decision import Action
from webhook.policy.document import GuardPolicyBinding, MatchResources


@dataclass(frozen=True, slots=True)
class Bound:
    """A binding on one side, and its policy there."""

    binding: GuardPolicyBinding
    policy: Applied

    @property
    def actions(self) -> frozenset[Action]:
        """Those in force under it."""
        return self.binding.actions or self.policy.document.actions


def binding_differences(old: Bound, new: Bound) -> Iterator[Difference]:
    """Yield what differs between two versions; values of parameters are told with the policy."""
    before, after = old.binding, new.binding
    if before.policy_name != after.policy_name:
        yield Difference(
            field="policyName",
            effect=Effect.CHANGED,
            before=before.policy_name,
            after=after.policy_name,
            path=("spec", "policyName"),
        )
    yield from match_differences(before.match, after.match, ("spec", "matchResources"))
    if before.actions != after.actions:
        yield Difference(
            field="validationActions",
            effect=_effect_of_actions(old, new),
            before=_actions(before),
            after=_actions(after),
            note=action_note(old.actions, new.actions),
            path=("spec", "validationActions"),
        )


def _effect_of_actions(old: Bound, new: Bound) -> Effect:
    return Effect.WORDING if old.actions == new.actions else action_effect(old.actions, new.actions)


def _actions(binding: GuardPolicyBinding) -> list[str]:
    return sorted(binding.actions) if binding.actions else ["the policy's own"]


def added_effect(added: Bound, without: Applied | None) -> tuple[Effect, str]:
    """The effect of adding a binding, and why; ``without`` is the policy on the side that lacks it, if it is there."""
    if without is None:
        return Effect.STRICTER, ""
    if any(one.binding for one in without.compiled):
        return Effect.STRICTER, "applies in more places"
    if not covers_all(added.binding.match):
        return Effect.WEAKER, "a policy with bindings applies only where one of them matches"
    before, after = without.document.actions, added.actions
    return (Effect.CHANGED if before == after else action_effect(before, after)), "applies everywhere as before"


def covers_all(match: MatchResources) -> bool:
    """Say whether a binding leaves out nothing that its policy covers."""
    return not (match.rules or match.excluded or match.namespace_selector or match.object_selector)


def summary(bound: Bound) -> str:
    """A binding in a few words."""
    match = bound.binding.match
    where = [str(one) for one in atoms(match.rules, exact=match.exact)]
    where += [f"in namespaces with {one}" for one in sorted(requirements(match.namespace_selector))]
    where += [f"for objects with {one}" for one in sorted(requirements(match.object_selector))]
    return f"{bound.binding.policy_name}: {'/'.join(sorted(bound.actions))} {', '.join(where) or 'everywhere'}"
