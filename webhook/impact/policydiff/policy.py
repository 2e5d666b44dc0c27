"""What differs between two versions of one policy."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from webhook.impact.policydiff.change import Difference, Effect, by_choice
from webhook.impact.policydiff.coverage import match_differences
from webhook.impact.policydiff.reading import Reading
from webhook.impact.policydiff.shape import normal
from webhook.impact.policydiff.version import Applied, VersionPair, version_pairs
from webhook.impact.policydiff.wording import mutation_wording, validation_wording
from webhook.model.decision import Action, FailurePolicy
from webhook.model.objects import JSON, mapping, same
from webhook.output.wording import counted
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.document import GuardPolicy, Mutation, Named, Validation
from webhook.source.parsed import FilePath

_STRENGTH = {Action.AUDIT: 1, Action.WARN: 2, Action.DENY: 3}
_COUNTED = frozenset({"migguard.io/severity", "migguard.io/category"})
"""Annotations that reports and alerts are sorted by; the others are for reading."""


def policy_differences(old: Applied, new: Applied) -> Iterator[Difference]:
    """Yield all that differs, in the order of the fields."""
    before, after = old.document, new.document
    pairs = version_pairs(old, new)
    reading = Reading.of(pairs)
    yield from match_differences(before.match, after.match, ("spec", "matchConstraints"))
    yield from _conditions(before, after, reading)
    if before.origins != after.origins:
        yield Difference(
            field="origins",
            effect=by_choice(before.origins, after.origins),
            before=sorted(before.origins) or ["all"],
            after=sorted(after.origins) or ["all"],
            path=("spec", "origins"),
        )
    yield from _params(pairs)
    yield from _param_schema(before, after)
    yield from _named("variables", before.variables, after.variables, reading.effect_of_variable)
    yield from _validations(before.validations, after.validations, reading)
    yield from _mutations(before, after)
    yield from _named("auditAnnotations", before.audit_annotations, after.audit_annotations, lambda _: Effect.CHANGED)
    yield from _strictness(before, after, pairs)
    yield from _metadata(before, after)


def action_effect(before: Collection[Action], after: Collection[Action]) -> Effect:
    """Deny is stricter than Warn, and Warn than Audit; with the same strongest action something else is done too."""
    first, second = (max(map(_STRENGTH.__getitem__, actions)) for actions in (before, after))
    return Effect.CHANGED if first == second else Effect.WEAKER if second < first else Effect.STRICTER


def action_note(before: Collection[Action], after: Collection[Action]) -> str:
    """Say what a change of actions means to people."""
    if (Action.DENY in before) is (Action.DENY in after):
        return ""
    return "refuses where it did not" if Action.DENY in after else "no longer refuses"


def whole_effect(policy: GuardPolicy) -> Effect:
    """The effect of adding a policy."""
    return Effect.STRICTER if policy.validations else Effect.CHANGED


def summary(policy: GuardPolicy) -> str:
    """A policy in a few words."""
    parts = [counted(len(policy.validations), "validation")] if policy.validations else []
    parts += [counted(len(policy.mutations), "mutation")] if policy.mutations else []
    return f"{'/'.join(sorted(policy.actions))}, {' and '.join(parts) or 'audit annotations only'}"


def changed_actions(old: CompiledPolicy, new: CompiledPolicy) -> Effect:
    """The effect of what is done about violations in two versions of a policy."""
    return Effect.WORDING if old.actions == new.actions else action_effect(old.actions, new.actions)


def _strictness(before: GuardPolicy, after: GuardPolicy, pairs: Sequence[VersionPair]) -> Iterator[Difference]:
    if before.actions != after.actions:
        # Where a binding states others, before or after, that is told with the binding.
        counts = any(not any(one.binding and one.binding.actions for one in pair) for pair in pairs)
        yield Difference(
            field="validationActions",
            effect=action_effect(before.actions, after.actions) if counts else Effect.CHANGED,
            before=sorted(before.actions),
            after=sorted(after.actions),
            note=action_note(before.actions, after.actions) if counts else "the bindings state their own",
            path=("spec", "validationActions"),
        )
    if before.failure_policy is not after.failure_policy:
        fails = after.failure_policy is FailurePolicy.FAIL
        yield Difference(
            field="failurePolicy",
            effect=Effect.STRICTER if fails else Effect.WEAKER,
            before=before.failure_policy.value,
            after=after.failure_policy.value,
            note="what cannot be judged is refused" if fails else "what cannot be judged passes",
            path=("spec", "failurePolicy"),
        )
    if before.phase is not after.phase:
        yield Difference(
            field="admissionPhase",
            effect=Effect.CHANGED,
            before=before.phase.value.capitalize(),
            after=after.phase.value.capitalize(),
            path=("spec", "admissionPhase"),
        )


def _conditions(before: GuardPolicy, after: GuardPolicy, reading: Reading) -> Iterator[Difference]:
    """All must hold: one more covers less."""
    first = {one.name: one.expression.text for one in before.conditions}
    second = {one.name: one.expression.text for one in after.conditions}
    for name in dict.fromkeys([*first, *second]):
        was, becomes = (normal(found[name]) if name in found else None for found in (first, second))
        if was == becomes:
            continue
        if was is None or becomes is None:
            effect = Effect.STRICTER if becomes is None else Effect.WEAKER
        else:
            effect = reading.direction(was, becomes).inverse
        yield Difference(
            field=f"matchConditions.{name}",
            effect=effect,
            before=was,
            after=becomes,
            note=_same_meaning(effect),
            path=_place("matchConditions", list(second), name),
        )


def _params(pairs: Sequence[VersionPair]) -> Iterator[Difference]:
    """Values in force in each version: after the defaults, the shared Parameters, and the binding's own."""
    for pair in pairs:
        reading = Reading.of([pair])
        for name, (was, becomes) in unequal(pair[0].params, pair[1].params).items():
            if _told_with_binding(pair, name):
                continue
            binding = pair[1].binding_name or pair[0].binding_name
            yield Difference(
                field=f"params.{name} (binding {binding})" if binding else f"params.{name}",
                effect=reading.effect_of_param(name),
                before=was,
                after=becomes,
                path=("spec", "paramSchema", "properties", name),
            )


def _told_with_binding(pair: VersionPair, name: str) -> bool:
    """A value that a binding brings, or takes with it, where the other version has none."""
    bindings = [one.binding for one in pair if one.binding]
    return len(bindings) == 1 and name in bindings[0].params


def _param_schema(before: GuardPolicy, after: GuardPolicy) -> Iterator[Difference]:
    first, second = (flat(_constraints(one.param_schema)) for one in (before, after))
    for name, (was, becomes) in unequal(first, second).items():
        text_only = name.rpartition(".")[2] in {"description", "title"}
        effect = Effect.WORDING if text_only else Effect.CHANGED
        yield Difference(
            field=f"paramSchema.{name}", effect=effect, before=was, after=becomes, path=("spec", "paramSchema")
        )


def _constraints(node: JSON) -> JSON:
    """A schema without defaults: those show in the values in force."""
    if not isinstance(node, Mapping):
        return node
    return {key: _constraints(item) for key, item in node.items() if key != "default"}


def _named(
    field: str, before: Sequence[Named], after: Sequence[Named], effect: Callable[[str], Effect]
) -> Iterator[Difference]:
    first, second = ({one.name: normal(one.expression.text) for one in found} for found in (before, after))
    for name, (was, becomes) in unequal(first, second).items():
        yield Difference(
            field=f"{field}.{name}",
            effect=effect(name),
            before=was,
            after=becomes,
            path=_place(field, list(second), name),
        )


def _validations(before: Sequence[Validation], after: Sequence[Validation], reading: Reading) -> Iterator[Difference]:
    for old, new in reading.pairs(before, after):
        index = new if new is not None else old
        field, path = f"validations[{index}]", ("spec", "validations", index or 0)
        was = before[old] if old is not None else None
        becomes = after[new] if new is not None else None
        if was is None or becomes is None:
            effect = Effect.WEAKER if becomes is None else Effect.STRICTER
            first, second = (one and normal(one.expression.text) for one in (was, becomes))
            yield Difference(field=field, effect=effect, before=first, after=second, path=path)
            continue
        first, second = normal(was.expression.text), normal(becomes.expression.text)
        if first != second:
            effect = reading.direction(first, second)
            note = _same_meaning(effect)
            yield Difference(field=field, effect=effect, before=first, after=second, note=note, path=path)
        if was.reason != becomes.reason:
            yield Difference(
                field=f"{field}.reason",
                effect=Effect.CHANGED,
                before=was.reason,
                after=becomes.reason,
                path=(*path, "reason"),
            )
        yield from validation_wording(field, was, becomes, path)


def _mutations(before: GuardPolicy, after: GuardPolicy) -> Iterator[Difference]:
    first = {one.name: one for one in before.mutations}
    second = {one.name: one for one in after.mutations}
    for name in dict.fromkeys([*first, *second]):
        path = _place("mutations", list(second), name)
        was, becomes = first.get(name), second.get(name)
        shown = [_doing(one) if one else None for one in (was, becomes)]
        if shown[0] != shown[1]:
            yield Difference(
                field=f"mutations.{name}", effect=Effect.CHANGED, before=shown[0], after=shown[1], path=path
            )
        if was is not None and becomes is not None:
            yield from mutation_wording(f"mutations.{name}", was, becomes, path)
    orders = [[name for name in found if name in first and name in second] for found in (first, second)]
    if orders[0] != orders[1]:
        yield Difference(
            field="mutations",
            effect=Effect.CHANGED,
            before=orders[0],
            after=orders[1],
            note="each sees what those before it changed",
            path=("spec", "mutations"),
        )


def _doing(mutation: Mutation) -> str:
    patch_type = "JSONPatch" if mutation.json_patch else "ApplyConfiguration"
    return f"{patch_type}: {normal(mutation.expression.text)}"


def _metadata(before: GuardPolicy, after: GuardPolicy) -> Iterator[Difference]:
    for kind in ("annotations", "labels"):
        first, second = (mapping(one.document.value, "metadata", kind) for one in (before, after))
        for name, (was, becomes) in unequal(first, second).items():
            effect = Effect.CHANGED if name in _COUNTED else Effect.WORDING
            path: FilePath = ("metadata", kind, name)
            yield Difference(field=f"metadata.{kind}.{name}", effect=effect, before=was, after=becomes, path=path)


def _same_meaning(effect: Effect) -> str:
    return "written in another way, means the same" if effect is Effect.WORDING else ""


def _place(field: str, names: list[str], name: str) -> FilePath:
    return ("spec", field, names.index(name)) if name in names else ("spec", field)


def unequal(before: Mapping[str, Any], after: Mapping[str, Any]) -> dict[str, tuple[JSON, JSON]]:
    """Return what differs between two maps, by key in order; None stands for what is not there."""
    keys = sorted({*before, *after})
    return {key: (before.get(key), after.get(key)) for key in keys if not same(before.get(key), after.get(key))}


def flat(node: JSON, above: str = "") -> dict[str, JSON]:
    """Return the leaves of a tree by their dotted paths; a list is a leaf."""
    if not isinstance(node, Mapping) or not node:
        return {above: node} if above else {}
    return {
        path: leaf
        for key, item in node.items()
        for path, leaf in flat(item, f"{above}.{key}" if above else key).items()
    }
