"""Policies as ValidatingAdmissionPolicy and MutatingAdmissionPolicy: a backstop that works while the webhook is away.

Each policy, under each of its bindings, becomes one native policy with one native binding. What cannot be said natively
is refused with the reason, as a whole: half a policy would be a false promise.

Source: Kubernetes, ``admissionregistration.k8s.io/v1``.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from webhook.admission.wording import Phrases, phrases_of
from webhook.authoring import native
from webhook.authoring.literals import Untypable, apply_configuration, json_patch, literal
from webhook.authoring.obstacles import expressions, obstacles
from webhook.authoring.rewriting import references, rewritten
from webhook.model.decision import FailurePolicy
from webhook.model.objects import Object
from webhook.policy.cel import Expression
from webhook.policy.celsyntax import parse
from webhook.policy.compiled import CompiledMutation, CompiledPolicy, CompiledValidation, Needs, Said
from webhook.policy.document import MatchResources, ResourceRule
from webhook.policy.policyset import PolicySet

API_VERSION = "admissionregistration.k8s.io/v1"
MANAGED_BY = {"app.kubernetes.io/managed-by": "migguard"}
_CHANGING = frozenset({"CREATE", "UPDATE"})
"""Operations that mutations are for; our pipeline changes nothing on others, and the API server takes no other."""
_REASONS = {"Conflict": "Invalid"}
"""Reasons that only we have, and the nearest of a ValidatingAdmissionPolicy."""


@dataclass(frozen=True, slots=True)
class Refused:
    """One policy (under one binding) that cannot be exported: where it stands, and every reason."""

    policy: str
    binding: str
    where: str
    reasons: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Export:
    """The native objects, in order of the policies, and what was refused."""

    objects: tuple[Object, ...]
    refused: tuple[Refused, ...]
    notes: tuple[str, ...]
    """What the exported policies do otherwise than ours, such as say nothing of a change."""
    trusting: bool
    """Whether any of them tells people from KubeVirt's accounts, hence trusts in the install namespaces."""


def export(policies: PolicySet, *, without_exemptions: bool = False) -> Export:
    """Turn policies into native ones.

    Args:
        policies: The policies.
        without_exemptions: Export policies that have exemptions too; natively nobody is exempt.
    """
    objects: list[Object] = []
    refused: list[Refused] = []
    notes: list[str] = []
    trusting = False
    for policy in policies.policies:
        writing = _Writing(policy, policies)
        reasons = tuple(dict.fromkeys(obstacles(policy, () if without_exemptions else policies.exemptions)))
        if not reasons:
            try:
                objects.extend(writing.objects())
            except Untypable as error:
                reasons = (str(error),)
        if reasons:
            refused.append(Refused(policy.name, policy.binding_name, policy.document.where, reasons))
        else:
            notes.extend(writing.notes())
            trusting = trusting or writing.trusting
    return Export(tuple(objects), tuple(refused), tuple(notes), trusting)


@dataclass(frozen=True, slots=True)
class _Part:
    """One native policy of a policy of ours."""

    prefix: str
    condition: str
    """Whose requests it is for; empty for everybody's."""
    failure_policy: FailurePolicy


class _Writing:
    """Writes one policy under one binding."""

    def __init__(self, policy: CompiledPolicy, policies: PolicySet) -> None:
        self._policy = policy
        self._policies = policies
        self._phrases: Phrases = phrases_of(policies.parameters)
        self._origin = native.origin(policies.parameters)

    def _name(self, part: _Part) -> str:
        """No name of a policy or a binding holds a dot."""
        return ".".join(filter(None, (part.prefix, self._policy.name, self._policy.binding_name)))

    @property
    def trusting(self) -> bool:
        """Whether it tells people from KubeVirt's accounts."""
        parts = self._parts()
        told = any("requester.origin" in one.facts for one in expressions(self._policy))
        return told or any(part.condition for part in parts)

    def notes(self) -> Iterator[str]:
        """What is otherwise natively."""
        if any(mutation.warning for mutation in self._policy.mutations):
            yield f"{self._policy.name}: a MutatingAdmissionPolicy changes the object without a warning"

    def objects(self) -> Iterator[Object]:
        """The native policies and their bindings. Raises Untypable."""
        for part in self._parts():
            yield from self._mutating(part)
            yield from self._validating(part)

    def _parts(self) -> list[_Part]:
        """Our evaluation errors refuse people and let controllers pass; natively that takes a policy for each."""
        document, failing = self._policy.document, self._policy.document.failure_policy
        if failing is FailurePolicy.IGNORE or (document.origins and document.origins <= set(native.PEOPLE)):
            return [_Part("migguard", self._of(sorted(document.origins)) if document.origins else "", failing)]
        people = sorted(document.origins & set(native.PEOPLE) if document.origins else native.PEOPLE)
        others = self._of(sorted(document.origins - set(native.PEOPLE)))
        if not document.origins:
            others = f"!({self._of(native.PEOPLE)})"
        parts = [_Part("migguard", self._of(people), failing)] if people else []
        return [*parts, _Part("migguard-system", others, FailurePolicy.IGNORE)]

    def _of(self, origins: Sequence[str]) -> str:
        return f"({self._origin}) in {literal(list(origins))}"

    def _mutating(self, part: _Part) -> Iterator[Object]:
        policy = self._policy
        constraints = _match(policy.document.match, _CHANGING)
        if policy.mutations and constraints.get("resourceRules"):
            spec = {
                # What one mutation changes, those after it see: as our pipeline applies them.
                "reinvocationPolicy": "Never",
                **self._head(part, policy.for_mutations, constraints),
                "mutations": [self._mutation(one) for one in policy.mutations],
            }
            yield self._object("MutatingAdmissionPolicy", part, spec)
            yield self._object("MutatingAdmissionPolicyBinding", part, self._binding(part))

    def _validating(self, part: _Part) -> Iterator[Object]:
        policy = self._policy
        if policy.validations or policy.audit_annotations:
            validations = [self._validation(one) for one in policy.validations]
            annotations = [{"key": key, "valueExpression": self._text(one)} for key, one in policy.audit_annotations]
            spec = {
                **self._head(part, policy.for_validations, _match(policy.document.match)),
                **_filled("validations", validations),
                **_filled("auditAnnotations", annotations),
            }
            actions = sorted(str(action) for action in policy.actions)
            yield self._object("ValidatingAdmissionPolicy", part, spec)
            yield self._object(
                "ValidatingAdmissionPolicyBinding", part, {**self._binding(part), "validationActions": actions}
            )

    def _object(self, kind: str, part: _Part, spec: Mapping[str, Any]) -> Object:
        title = self._policy.document.annotations.get("migguard.io/title", "")
        annotations = {
            "migguard.io/policy": self._policy.name,
            "migguard.io/revision": self._policies.revision,
            **({"migguard.io/title": title} if title else {}),
        }
        metadata = {"name": self._name(part), "labels": dict(MANAGED_BY), "annotations": annotations}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}

    def _head(self, part: _Part, needs: Needs, constraints: Mapping[str, Any]) -> dict[str, Any]:
        return {
            "failurePolicy": str(part.failure_policy),
            "matchConstraints": dict(constraints),
            **_filled("matchConditions", self._conditions(part)),
            **_filled("variables", self._variables(needs)),
        }

    def _conditions(self, part: _Part) -> list[dict[str, str]]:
        """Conditions cannot read variables: parameters and origin are written out."""
        conditions = [{"name": "migguard-origins", "expression": part.condition}] if part.condition else []
        params, origin = literal(dict(self._policy.params)), f"({self._origin})"
        return conditions + [
            {"name": name, "expression": self._text(one, params=params, origin=origin)}
            for name, one in self._policy.conditions
        ]

    def _variables(self, needs: Needs) -> list[dict[str, str]]:
        own = [{"name": one.name, "expression": self._text(one.expression)} for one in needs.variables]
        read = {node.dotted for one in expressions(self._policy) for node in references(parse(one.source.text))}
        first = []
        if any(name == "params" or name.startswith("params.") for name in read):
            first.append({"name": native.PARAMS_VARIABLE, "expression": literal(dict(self._policy.params))})
        if any(name == "requester.origin" or name.startswith("requester.origin.") for name in read):
            first.append({"name": native.ORIGIN_VARIABLE, "expression": self._origin})
        return first + own

    def _text(
        self,
        expression: Expression,
        *,
        params: str = f"variables.{native.PARAMS_VARIABLE}",
        origin: str = f"variables.{native.ORIGIN_VARIABLE}",
    ) -> str:
        return rewritten(
            expression.source.text, lambda name: native.replacement(name, params=params, requester_origin=origin)
        )

    def _validation(self, validation: CompiledValidation) -> dict[str, Any]:
        message, remediation = _fixed(validation.message), _fixed(validation.remediation)
        said: dict[str, str] = {}
        parts = [*self._spoken(validation.message), *self._spoken(validation.remediation)]
        if message:
            said["message"] = f"{message}{self._between()}{remediation}" if remediation else message
        if len(parts) == 1 + bool(validation.remediation) and any(not one.startswith("'") for one in parts):
            said["messageExpression"] = f" + {literal(self._between())} + ".join(parts)
        reason = validation.document.reason
        return {"expression": self._text(validation.expression), **said, "reason": _REASONS.get(reason, reason)}

    def _spoken(self, said: Said) -> list[str]:
        """What is said first, as an expression that gives a string; nothing if there is nothing to say."""
        return [literal(one) if isinstance(one, str) else f"string({self._text(one)})" for one in said[:1]]

    def _between(self) -> str:
        return f"{self._phrases.stop}{self._phrases.space}{self._phrases.next_step}"

    def _mutation(self, mutation: CompiledMutation) -> dict[str, Any]:
        text = self._text(mutation.expression)
        if mutation.document.json_patch:
            return {"patchType": "JSONPatch", "jsonPatch": {"expression": json_patch(parse(text), text)}}
        typed = apply_configuration(parse(text), text)
        return {"patchType": "ApplyConfiguration", "applyConfiguration": {"expression": typed}}

    def _binding(self, part: _Part) -> dict[str, Any]:
        spec: dict[str, Any] = {"policyName": self._name(part)}
        if self._policy.binding:
            spec |= _filled("matchResources", _match(self._policy.binding.match))
        return spec


def _fixed(said: Said) -> str:
    """A text that needs no computing, on one line; the first there is."""
    return next((" ".join(one.split()) for one in said if isinstance(one, str)), "")


def _match(match: MatchResources, operations: frozenset[str] = frozenset()) -> dict[str, Any]:
    """Write a match; of rules only with these operations, if any are given."""
    rules = [rule for one in match.rules if (rule := _rule(one, operations))["operations"]]
    return {
        **_filled("resourceRules", rules),
        **_filled("excludeResourceRules", [_rule(rule, frozenset()) for rule in match.excluded]),
        **_filled("namespaceSelector", match.namespace_selector),
        **_filled("objectSelector", match.object_selector),
        **({"matchPolicy": "Exact"} if match.exact else {}),
    }


def _rule(rule: ResourceRule, operations: frozenset[str]) -> dict[str, Any]:
    wanted = [one for one in rule.operations if not operations or one in operations]
    if operations and "*" in rule.operations:
        wanted = sorted(operations)
    return {
        "apiGroups": list(rule.groups),
        "apiVersions": list(rule.versions),
        "resources": list(rule.resources),
        "operations": wanted,
        **_filled("resourceNames", list(rule.names)),
        **({"scope": rule.scope} if rule.scope != "*" else {}),
    }


def _filled(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}
