"""What policies and bindings match: requests that there are, and conditions that can be met."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from webhook.authoring.lint.expressions import Expressions, Role
from webhook.authoring.lint.formula import both, impossible
from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.meaning import Meaning
from webhook.authoring.lint.rule import error, warning
from webhook.authoring.lint.shapes import Shape, excludes, matched, origin_asks, overlaps
from webhook.model.objects import mapping, mappings, strings, text
from webhook.policy.document import GuardPolicy, GuardPolicyBinding, MatchResources

MATCHES_NOTHING = error(
    "matches-nothing",
    "A policy matches no request",
    "All that its resourceRules cover is excluded again, cannot be (a cluster-scoped resource with scope: Namespaced), "
    "or its selectors contradict themselves.",
)
CONDITION_NEVER_TRUE = error(
    "condition-never-true",
    "The match conditions are never met",
    "For every request that the policy matches a condition is false, so it never applies.",
    bad="operations: [CREATE], with a condition request.operation == 'DELETE'",
    good="operations: [DELETE]",
)
ORIGIN_NEVER_ASKS = warning(
    "origin-never-asks",
    "An origin makes no such requests",
    "Drain and WorkloadUpdate are the origins of the VirtualMachineInstanceMigrations that virt-controller creates, "
    "and of nothing else.",
    bad="origins: [User, Drain], for virtualmachines",
    good="origins: [User]",
)
BINDING_NEVER_MATCHES = error(
    "binding-never-matches",
    "A binding matches nothing that its policy matches",
    "What the binding covers and what the policy covers have no request in common, so the policy never applies by it.",
)

RULES = (
    MATCHES_NOTHING,
    CONDITION_NEVER_TRUE,
    ORIGIN_NEVER_ASKS,
    BINDING_NEVER_MATCHES,
)


def check(policy: GuardPolicy, bindings: Sequence[GuardPolicyBinding]) -> Iterator[Found]:
    """Find what a policy or a binding of it matches in vain; without a look at its expressions."""
    place = ("spec", "matchConstraints")
    shapes = matched(policy.match)
    if not shapes:
        hint = "take the excludeResourceRules back, or mind the scope"
        yield at(MATCHES_NOTHING, policy.document, place, "no request is left that the rules match", hint)
    for name, selector in _selectors(policy.match):
        if key := contradiction(selector):
            message = f"no object can satisfy what {name} asks of label '{key}'"
            yield at(
                MATCHES_NOTHING, policy.document, (*place, name), message, "all of its conditions must hold at once"
            )
    for index, origin in enumerate(strings(policy.document.value, "spec", "origins")):
        if shapes and not origin_asks(origin, policy.match):
            message = f"{origin} makes none of the requests that the policy matches"
            hint = "it only creates VirtualMachineInstanceMigrations"
            yield at(ORIGIN_NEVER_ASKS, policy.document, ("spec", "origins", index), message, hint)
    for binding in bindings:
        yield from _binding(binding, policy, shapes)


def _binding(binding: GuardPolicyBinding, policy: GuardPolicy, shapes: Sequence[Shape]) -> Iterator[Found]:
    place = ("spec", "matchResources")
    for name, selector in _selectors(binding.match):
        if key := contradiction(selector):
            message = f"no object can satisfy what {name} asks of label '{key}'"
            yield at(
                BINDING_NEVER_MATCHES, binding.document, (*place, name), message, "all of its conditions must hold"
            )
    if shapes and not any(_in_common(binding.match, shape) for shape in shapes):
        message = f"policy '{policy.name}' matches {_listed(shapes)}, none of which this binding covers"
        yield at(BINDING_NEVER_MATCHES, binding.document, place, message, "a binding narrows what its policy matches")


def _in_common(match: MatchResources, shape: Shape) -> bool:
    covered = not match.rules or any(overlaps(rule, shape) for rule in match.rules)
    return covered and not excludes(match.excluded, shape)


def _listed(shapes: Sequence[Shape], limit: int = 4) -> str:
    texts = list(dict.fromkeys(map(str, shapes)))
    return ", ".join(texts[:limit]) + (", …" if len(texts) > limit else "")


def _selectors(match: MatchResources) -> Iterator[tuple[str, Mapping[str, Any]]]:
    for name, selector in (("namespaceSelector", match.namespace_selector), ("objectSelector", match.object_selector)):
        if selector:
            yield name, selector


def contradiction(selector: Mapping[str, Any]) -> str:
    """Return a label key of which a selector asks what cannot be; empty if it asks for nothing impossible."""
    allowed: dict[str, set[str]] = {key: {value} for key, value in mapping(selector, "matchLabels").items()}
    needed, refused = set(allowed), set()
    for one in mappings(selector, "matchExpressions"):
        key, values = text(one, "key"), set(strings(one, "values"))
        match text(one, "operator"):
            case "In":
                allowed[key] = allowed.get(key, values) & values
                needed.add(key)
            case "Exists":
                needed.add(key)
            case "DoesNotExist":
                refused.add(key)
            case _:  # NotIn takes values away from what the others allow
                pass
    for one in mappings(selector, "matchExpressions"):
        if text(one, "operator") == "NotIn" and text(one, "key") in allowed:
            allowed[text(one, "key")] -= set(strings(one, "values"))
    impossible_keys = {key for key, values in allowed.items() if not values} | (needed & refused)
    return min(impossible_keys, default="")


def check_conditions(expressions: Expressions) -> Iterator[Found]:
    """Find match conditions that are never met, one by one or all together."""
    conditions = expressions.of(Role.CONDITION)
    meanings = [Meaning(expressions, shape) for shape in expressions.shapes]
    if not conditions or not meanings:
        return
    never = [one for one in conditions if all(impossible(meaning.formula(one.node)) for meaning in meanings)]
    for one in never:
        message = f"condition '{one.name}' is false for everything that the policy matches"
        hint = "compare it with the operations and resources of matchConstraints, and with origins"
        yield at(CONDITION_NEVER_TRUE, expressions.policy.document, one.text.path, message, hint)
    if not never and all(impossible(both(*(m.formula(one.node) for one in conditions))) for m in meanings):
        message = "the conditions are never met together"
        yield at(
            CONDITION_NEVER_TRUE,
            expressions.policy.document,
            ("spec", "matchConditions"),
            message,
            "all of them must hold",
        )
