"""Judging policies for one request: which apply, what they find, what they would change.

Semantics follow ValidatingAdmissionPolicy: conditions first, lazy variables, an error counts as ``failurePolicy`` says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from webhook.errors import FactUnavailable
from webhook.model.decision import Evaluation, PatchOperation, Result, Violation
from webhook.model.objects import JSON
from webhook.policy import match
from webhook.policy.cel import Activation, EvaluationError, Expression, activation, scoped
from webhook.policy.compiled import CompiledMutation, CompiledPolicy, CompiledValidation, Needs, Said
from webhook.policy.mutate import as_patch

Facts = Callable[[Iterable[str]], "tuple[Mapping[str, JSON], Mapping[str, str]]"]
"""Resolves facts by name: their values, and why the others are not available."""


class Observer:
    """Is told what happens while a request is judged. It watches for the authors' tools, and has no say."""

    def left_out(self, policy: CompiledPolicy, why: str) -> None:
        """A policy is not judged for this request: it does not cover it, a condition is not met, it is exempted."""

    def conditions(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:
        """The match conditions of a policy are about to be judged with these values."""

    def validations(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:
        """The validations and audit annotations of a policy are about to be judged with these values."""

    def mutation(self, policy: CompiledPolicy, mutation: CompiledMutation, values: Activation, case: Case) -> None:
        """A mutation of a policy is about to be worked out with these values."""


NOBODY = Observer()
"""Watches and does nothing."""


@dataclass(slots=True)
class Case:
    """One request as policies see it. Used by one thread; facts are computed at most once."""

    subject: match.Subject
    natives: Mapping[str, JSON]
    """The values of object, oldObject, request and authorizer."""
    facts: Facts
    observer: Observer = NOBODY
    _unavailable: dict[str, str] = field(default_factory=dict)
    """Why a fact or variable has no value, by the name it would be bound under."""

    def bind(self, parts: Sequence[tuple[CompiledPolicy, Needs]]) -> Activation:
        """One activation for what these parts of policies read."""
        values, unavailable = self.facts({name for _, needs in parts for name in needs.facts})
        self._unavailable.update(unavailable)
        bound = {**self.natives, **values}
        for policy, _ in parts:
            bound[scoped(policy.scope, "params")] = policy.params
        return self._with_variables(bound, parts)

    def _with_variables(self, bound: dict[str, JSON], parts: Sequence[tuple[CompiledPolicy, Needs]]) -> Activation:
        """Add the policies' variables, level by level: each level sees those below.

        A variable that fails stays unbound: only an expression that needs it fails, as if it were computed there.
        """
        current = activation(bound)
        waiting = [(policy.scope, variable) for policy, needs in parts for variable in needs.variables]
        for level in sorted({variable.level for _, variable in waiting}):
            for scope, variable in (one for one in waiting if one[1].level == level):
                name = scoped(scope, f"variables.{variable.name}")
                try:
                    bound[name] = variable.expression.evaluate(current)
                except EvaluationError as error:
                    self._unavailable[name] = self.explain(error)
            current = activation(bound)
        return current

    def explain(self, error: EvaluationError) -> str:
        """Say what an evaluation error means to a person, with the reason why a fact was not available."""
        if not error.unbound:
            return str(error)
        name = error.unbound.split(".variables.")
        shown = f"variables.{name[1]}" if len(name) == 2 else error.unbound  # noqa: PLR2004 - scope and variable
        return f"{shown} is not available: {self._unavailable.get(error.unbound, 'it was not computed')}"


def applicable(policies: Sequence[CompiledPolicy], case: Case) -> tuple[list[CompiledPolicy], list[Evaluation]]:
    """Say which policies apply to a request, and for which that could not be told (an evaluation with an error)."""
    covering, failed = _covering(policies, case)
    conditional = [policy for policy in covering if policy.conditions]
    if not conditional:
        return covering, failed
    values = case.bind([(policy, policy.for_conditions) for policy in conditional])
    applied: list[CompiledPolicy] = []
    for policy in covering:
        case.observer.conditions(policy, values, case)
        unmet, error_text = _conditions(policy, values, case)
        if unmet:
            case.observer.left_out(policy, f"match condition '{unmet}' is not met")
        elif error_text:
            failed.append(_failed(policy, error_text))
        else:
            applied.append(policy)
    return applied, failed


def _covering(policies: Sequence[CompiledPolicy], case: Case) -> tuple[list[CompiledPolicy], list[Evaluation]]:
    covering: list[CompiledPolicy] = []
    failed: list[Evaluation] = []
    for policy in policies:
        try:
            reason = why_not(policy, case.subject)
        except FactUnavailable as error:
            failed.append(_failed(policy, str(error)))
            continue
        if reason:
            case.observer.left_out(policy, reason)
        else:
            covering.append(policy)
    return covering, failed


def why_not(policy: CompiledPolicy, subject: match.Subject) -> str:
    """Say why a policy does not cover a request (before its match conditions); empty when it does."""
    if policy.document.origins and subject.origin not in policy.document.origins:
        return f"it is for requests of {', '.join(sorted(policy.document.origins))}, not of {subject.origin}"
    reason = match.why_not(policy.document.match, subject)
    if not reason and policy.binding:
        reason = match.why_not(policy.binding.match, subject)
        return f"binding {policy.binding.name}: {reason}" if reason else ""
    return reason


def _conditions(policy: CompiledPolicy, values: Activation, case: Case) -> tuple[str, str]:
    """The condition that is false, and the first error of another; all must hold.

    One that is false decides, even where another fails; Source: VAP matchConditions.
    """
    error_text = ""
    for name, expression in policy.conditions:
        try:
            if not expression.test(values):
                return name, ""
        except EvaluationError as error:
            error_text = error_text or f"match condition '{name}': {case.explain(error)}"
    return "", error_text


def validate(policies: Sequence[CompiledPolicy], case: Case) -> list[Evaluation]:
    """Judge the validations and audit annotations of policies that apply."""
    if not policies:
        return []
    values = case.bind([(policy, policy.for_validations) for policy in policies])
    return [_validate(policy, values, case) for policy in policies]


def _validate(policy: CompiledPolicy, values: Activation, case: Case) -> Evaluation:
    started = time.perf_counter()
    case.observer.validations(policy, values, case)
    violations: list[Violation] = []
    annotations: dict[str, str] = {}
    errors: list[str] = []
    for index, validation in enumerate(policy.validations):
        try:
            if not validation.expression.test(values):
                violations.append(_violation(policy, index, validation, values))
        except EvaluationError as error:
            errors.append(f"validations[{index}]: {case.explain(error)}")
    for key, expression in policy.audit_annotations:
        try:
            value = expression.evaluate(values)
        except EvaluationError as error:
            errors.append(f"auditAnnotations '{key}': {case.explain(error)}")
        else:
            if isinstance(value, str) and value:
                annotations[f"{policy.name}.{key}"] = value
    result = Result.FAIL if violations else Result.ERROR if errors else Result.PASS
    return Evaluation(
        policy=policy.name,
        binding=policy.binding_name,
        result=result,
        violations=tuple(violations),
        audit_annotations=annotations,
        error="; ".join(errors),
        failure_policy=policy.document.failure_policy,
        actions=policy.actions,
        facts_read=policy.for_conditions.facts | policy.for_validations.facts,
        seconds=time.perf_counter() - started,
    )


def _violation(policy: CompiledPolicy, index: int, validation: CompiledValidation, values: Activation) -> Violation:
    document = validation.document
    message = _text(validation.message, values)
    return Violation(
        policy=policy.name,
        validation=index,
        message=message or f"failed expression: {' '.join(document.expression.text.split())}",
        remediation=_text(validation.remediation, values),
        field=document.field,
        reason=document.reason,
        actions=policy.actions,
    )


def _text(said: Said, values: Activation) -> str:
    """A message that cannot be computed must not hide the refusal: what is said second stands in for it."""
    return next((text for one in said if (text := _computed(one, values))), "")


def _computed(said: Expression | str, values: Activation) -> str:
    if isinstance(said, str):
        return said
    try:
        value = said.evaluate(values)
    except EvaluationError:
        return ""
    return value.strip() if isinstance(value, str) else ""


def change(policy: CompiledPolicy, mutation: CompiledMutation, case: Case) -> Evaluation:
    """Work out what one mutation changes; the patch is proven to apply. Nothing to change is a pass without a patch."""
    started = time.perf_counter()
    patch: tuple[PatchOperation, ...] = ()
    warnings: tuple[str, ...] = ()
    error_text = ""
    values = case.bind([(policy, policy.for_mutations)])
    case.observer.mutation(policy, mutation, values, case)
    try:
        result = mutation.expression.evaluate(values)
        patch = as_patch(result, case.natives["object"], json_patch=mutation.document.json_patch)
        if patch and (warning := _warning(mutation, values)):
            warnings = (warning,)
    except EvaluationError as error:
        error_text = f"mutation '{mutation.document.name}': {case.explain(error)}"
    return Evaluation(
        policy=policy.name,
        binding=policy.binding_name,
        result=Result.ERROR if error_text else Result.PASS,
        patch=patch,
        warnings=warnings,
        error=error_text,
        failure_policy=policy.document.failure_policy,
        actions=policy.actions,
        facts_read=policy.for_conditions.facts | policy.for_mutations.facts,
        seconds=time.perf_counter() - started,
    )


def _warning(mutation: CompiledMutation, values: Activation) -> str:
    """What is said of a change; nothing where an expression gives an empty text, but not because it fails."""
    for said in mutation.warning:
        if isinstance(said, str):
            return said
        try:
            value = said.evaluate(values)
        except EvaluationError:
            continue
        return value.strip() if isinstance(value, str) else ""
    return f"mutation '{mutation.document.name}' changed the object"


def _failed(policy: CompiledPolicy, error: str) -> Evaluation:
    return Evaluation(
        policy=policy.name,
        binding=policy.binding_name,
        result=Result.ERROR,
        error=error,
        failure_policy=policy.document.failure_policy,
        actions=policy.actions,
        facts_read=policy.for_conditions.facts,
    )
