"""Which requests a policy is for and what can be set, in words."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from docs.markdown import code, listed, table
from webhook.kubevirt.resources import RESOURCES
from webhook.model.decision import Action, FailurePolicy
from webhook.model.objects import mapping, text
from webhook.model.request import Phase
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.document import GuardPolicy, ResourceRule

OPERATIONS = {"CREATE": "create", "UPDATE": "update", "DELETE": "delete", "CONNECT": "connect to", "*": "write"}
_KINDS = {(row.resource.group, row.resource.resource): row.kind for row in RESOURCES}
_ORIGINS = {
    "User": "people, GitOps tools and every other account",
    "VirtAPI": "virt-api, for whoever uses virtctl or the console",
    "Drain": "virt-controller, emptying a node",
    "WorkloadUpdate": "virt-controller, for an upgrade, a hotplug or a volume update",
    "Operator": "the operators of KubeVirt and HyperConverged",
    "OtherSystem": "other system components",
}
_ACTIONS = {Action.DENY: "refuses", Action.WARN: "warns", Action.AUDIT: "records"}


def does(policy: CompiledPolicy) -> str:
    """Return what comes of a policy, as a predicate."""
    predicates = ["changes the object"] if policy.mutations else []
    if policy.validations:
        predicates += [predicate for action, predicate in _ACTIONS.items() if action in policy.actions]
    return listed(predicates or ["records"])


def coverage(policy: CompiledPolicy) -> str:
    """Return a table of what a policy is for."""
    return table(("", ""), _coverage(policy))


def _coverage(policy: CompiledPolicy) -> Iterable[tuple[str, str]]:
    document = policy.document
    yield "requests", _rules(document.match.rules)
    if document.match.excluded:
        yield "but not", _rules(document.match.excluded)
    if document.match.namespace_selector:
        yield "namespaces", code(json.dumps(document.match.namespace_selector))
    if document.match.object_selector:
        yield "objects", code(json.dumps(document.match.object_selector))
    yield "made by", _origins(document)
    for name, expression in policy.conditions:
        yield f"only if {name}", code(" ".join(expression.source.text.split()))
    yield "`validationActions`", listed(map(code, sorted(policy.actions)))
    yield "`failurePolicy`", f"{code(document.failure_policy)}: {_failure(document)}"
    if document.phase is Phase.MUTATE:
        yield "`admissionPhase`", "`Mutate`: judged in the mutating call, before any validating webhook is called"


def _rules(rules: Sequence[ResourceRule]) -> str:
    """Rules in words, those of the same operations together."""
    written: dict[str, dict[str, None]] = {}
    for rule in rules:
        done = listed((OPERATIONS[one] for one in rule.operations), last="or")
        written.setdefault(done, {}).update(dict.fromkeys(_resources(rule)))
    return "; ".join(f"{done} {listed(resources, last='or')}" for done, resources in written.items())


def _resources(rule: ResourceRule) -> Iterable[str]:
    names = f" named {listed(map(code, rule.names), last='or')}" if rule.names else ""
    for group in rule.groups:
        for resource in rule.resources:
            name, slash, subresource = resource.partition("/")
            kind = _KINDS.get((group, name)) or code(f"{name}.{group}" if group else name)
            yield (f"{code(subresource)} of {kind}" if slash else kind) + names


def _origins(document: GuardPolicy) -> str:
    if not document.origins:
        return "anyone, system components too"
    return "; ".join(f"{words} ({code(name)})" for name, words in _ORIGINS.items() if name in document.origins)


def _failure(document: GuardPolicy) -> str:
    if document.failure_policy is FailurePolicy.IGNORE:
        return "where it cannot be judged, the request passes and that is recorded"
    if Action.DENY not in document.actions:
        return "where it cannot be judged, there is a warning"
    return "where it cannot be judged, people are refused; system components pass and that is recorded"


def parameters(param_schema: Mapping[str, Any]) -> str:
    """Return a table of what can be set."""
    declared = mapping(param_schema, "properties")
    if not declared:
        return "None of its own."
    rows = ((code(name), _type(item), _default(item), text(item, "description")) for name, item in declared.items())
    told = "Set for all policies in `spec.params` of Parameters, or in a binding of this policy."
    return f"{told}\n\n{table(('name', 'type', 'default', 'what'), rows)}"


def _default(item: Mapping[str, Any]) -> str:
    return code(json.dumps(item["default"], ensure_ascii=False)) if "default" in item else ""


def _type(item: Mapping[str, Any]) -> str:
    if "enum" in item:
        return listed((code(json.dumps(one)) for one in item["enum"]), last="or")
    kind = text(item, "type") or "any"
    of = text(item, "items", "type")
    limits = [f"{word} {item[key]}" for key, word in (("minimum", "from"), ("maximum", "to")) if key in item]
    return " ".join([f"list of {of}s" if kind == "array" and of else kind, *limits])
