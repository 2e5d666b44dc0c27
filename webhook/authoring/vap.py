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
from webhook.authoring.rewriting import references, rewritten
from webhook.model.objects import Object
from webhook.model.request import Phase
from webhook.policy.cel import Expression
from webhook.policy.celsyntax import parse
from webhook.policy.compiled import CompiledMutation, CompiledPolicy, CompiledValidation, Needs, Said
from webhook.policy.document import MatchResources, ResourceRule
from webhook.policy.policyset import PolicySet

API_VERSION = "admissionregistration.k8s.io/v1"
MANAGED_BY = {"app.kubernetes.io/managed-by": "migguard"}
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


def export(policies: PolicySet, names: Sequence[str] = (), *, without_exemptions: bool = False) -> Export:
    """Turn policies into native ones.

    Args:
        policies: The policies, of which those called ``names`` (all if there are none) are exported.
        names: Names of policies.
        without_exemptions: Export policies that have exemptions too; natively nobody is exempt.
    """
    objects: list[Object] = []
    refused: list[Refused] = []
    notes: list[str] = []
    trusting = False
    for policy in policies.policies:
        if names and policy.name not in names:
            continue
        writing = _Writing(policy, policies, without_exemptions=without_exemptions)
        reasons = tuple(dict.fromkeys(writing.reasons()))
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


class _Writing:
    """Writes one policy under one binding."""

    def __init__(self, policy: CompiledPolicy, policies: PolicySet, *, without_exemptions: bool) -> None:
        self._policy = policy
        self._policies = policies
        self._without_exemptions = without_exemptions
        self._phrases: Phrases = phrases_of(policies.parameters)
        self._origin = native.origin(policies.parameters)

    @property
    def _name(self) -> str:
        binding = self._policy.binding_name
        return f"migguard-{self._policy.name}-{binding}" if binding else f"migguard-{self._policy.name}"

    @property
    def trusting(self) -> bool:
        """Whether it tells people from KubeVirt's accounts."""
        return bool(self._policy.document.origins) or any(
            "requester.origin" in one.facts for one in self._expressions()
        )

    def reasons(self) -> Iterator[str]:
        """Everything that stands in the way."""
        document = self._policy.document
        if document.phase is Phase.MUTATE and document.validations:
            yield (
                "it is judged before other admission plugins act (admissionPhase: Mutate), and a "
                "ValidatingAdmissionPolicy is judged after them"
            )
        taken = {variable.name for variable in document.variables} & {native.PARAMS_VARIABLE, native.ORIGIN_VARIABLE}
        for name in sorted(taken):
            yield f"its variable '{name}' has a name that the export needs: rename it"
        exempt = [one.name for one in self._policies.exemptions if self._policy.name in one.policies]
        if exempt and not self._without_exemptions:
            yield f"natively nobody is exempt, and exemption {', '.join(exempt)} counts on it"
        expressions = list(self._expressions())
        yield from native.foreign_facts(frozenset().union(*(one.facts for one in expressions)))
        for one in expressions:
            yield from native.foreign(parse(one.source.text), one.source.text)
        for _, expression in self._booleans():
            if str(expression.type).lower() != "bool":
                yield f"the expression at {expression.source.where} may give something else than true or false"

    def notes(self) -> Iterator[str]:
        """What is otherwise natively."""
        if any(mutation.warning for mutation in self._policy.mutations):
            yield f"{self._name}: a MutatingAdmissionPolicy changes the object without a warning"

    def objects(self) -> Iterator[Object]:
        """The native policies and their bindings. Raises Untypable."""
        policy = self._policy
        if policy.mutations:
            mutations = [self._mutation(one) for one in policy.mutations]
            # What one mutation changes, those after it see: as our pipeline applies them.
            spec = {"reinvocationPolicy": "Never", **self._head(policy.for_mutations), "mutations": mutations}
            yield self._object("MutatingAdmissionPolicy", spec)
            yield self._object("MutatingAdmissionPolicyBinding", self._binding(validating=False))
        if policy.validations or policy.audit_annotations:
            spec = self._head(policy.for_validations)
            if policy.validations:
                spec["validations"] = [self._validation(one) for one in policy.validations]
            if policy.audit_annotations:
                spec["auditAnnotations"] = [
                    {"key": key, "valueExpression": self._text(one)} for key, one in policy.audit_annotations
                ]
            yield self._object("ValidatingAdmissionPolicy", spec)
            yield self._object("ValidatingAdmissionPolicyBinding", self._binding(validating=True))

    def _expressions(self) -> Iterator[Expression]:
        policy = self._policy
        yield from (expression for _, expression in policy.conditions)
        for needs in (policy.for_validations, policy.for_mutations):
            yield from (variable.expression for variable in needs.variables)
        for validation in policy.validations:
            yield validation.expression
            yield from _spoken(validation.message, validation.remediation)
        yield from (expression for _, expression in policy.audit_annotations)
        yield from (mutation.expression for mutation in policy.mutations)

    def _booleans(self) -> Iterator[tuple[str, Expression]]:
        yield from self._policy.conditions
        yield from (("", validation.expression) for validation in self._policy.validations)

    def _object(self, kind: str, spec: Mapping[str, Any]) -> Object:
        title = self._policy.document.annotations.get("migguard.io/title", "")
        annotations = {
            "migguard.io/policy": self._policy.name,
            "migguard.io/revision": self._policies.revision,
            **({"migguard.io/title": title} if title else {}),
        }
        metadata = {"name": self._name, "labels": dict(MANAGED_BY), "annotations": annotations}
        return {"apiVersion": API_VERSION, "kind": kind, "metadata": metadata, "spec": dict(spec)}

    def _head(self, needs: Needs) -> dict[str, Any]:
        document = self._policy.document
        return {
            "failurePolicy": str(document.failure_policy),
            "matchConstraints": _match(document.match),
            **_filled("matchConditions", self._conditions()),
            **_filled("variables", self._variables(needs)),
        }

    def _conditions(self) -> list[dict[str, str]]:
        """Conditions cannot read variables: parameters and origin are written out."""
        conditions = []
        if self._policy.document.origins:
            expression = f"({self._origin}) in {literal(sorted(self._policy.document.origins))}"
            conditions.append({"name": "migguard-origins", "expression": expression})
        params, origin = literal(dict(self._policy.params)), f"({self._origin})"
        return conditions + [
            {"name": name, "expression": self._text(one, params=params, origin=origin)}
            for name, one in self._policy.conditions
        ]

    def _variables(self, needs: Needs) -> list[dict[str, str]]:
        own = [{"name": one.name, "expression": self._text(one.expression)} for one in needs.variables]
        read = {node.dotted for one in self._expressions() for node in references(parse(one.source.text))}
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

    def _binding(self, *, validating: bool) -> dict[str, Any]:
        spec: dict[str, Any] = {"policyName": self._name}
        if validating:
            spec["validationActions"] = sorted(str(action) for action in self._policy.actions)
        if self._policy.binding:
            spec |= _filled("matchResources", _match(self._policy.binding.match))
        return spec


def _fixed(said: Said) -> str:
    """A text that needs no computing, on one line; the first there is."""
    return next((" ".join(one.split()) for one in said if isinstance(one, str)), "")


def _spoken(*said: Said) -> Iterator[Expression]:
    """What would be said first, where it is computed."""
    yield from (one for part in said for one in part[:1] if not isinstance(one, str))


def _match(match: MatchResources) -> dict[str, Any]:
    return {
        **_filled("resourceRules", [_rule(rule) for rule in match.rules]),
        **_filled("excludeResourceRules", [_rule(rule) for rule in match.excluded]),
        **_filled("namespaceSelector", match.namespace_selector),
        **_filled("objectSelector", match.object_selector),
        **({"matchPolicy": "Exact"} if match.exact else {}),
    }


def _rule(rule: ResourceRule) -> dict[str, Any]:
    return {
        "apiGroups": list(rule.groups),
        "apiVersions": list(rule.versions),
        "resources": list(rule.resources),
        "operations": list(rule.operations),
        **_filled("resourceNames", list(rule.names)),
        **({"scope": rule.scope} if rule.scope != "*" else {}),
    }


def _filled(name: str, value: Any) -> dict[str, Any]:
    return {name: value} if value else {}
