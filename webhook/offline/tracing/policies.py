"""What became of one policy: its expressions are evaluated once more with the very values that decided."""

from __future__ import annotations

from collections.abc import Sequence

from webhook.admission.failure import is_person
from webhook.model.decision import Action, Evaluation, FailurePolicy, Result
from webhook.model.objects import JSON
from webhook.offline.tracing.steps import MutationStep, PolicyTrace, Step, ValidationStep
from webhook.offline.tracing.tracer import Notes, Seen
from webhook.policy.cel import EvaluationError, Expression
from webhook.policy.compiled import CompiledPolicy, Needs


def traced(notes: Notes, evaluations: Sequence[Evaluation], origin: str) -> PolicyTrace:
    """Return what became of a policy, from what was seen of it and how it was evaluated for a request of this origin.

    Must run where the policy's questions to ``authorizer`` are answered.
    """
    policy = notes.policy
    document = policy.document
    used = list(notes.used)
    variables = {step.name: step for needs, seen in used for step in _variables(policy, needs, seen)}
    return PolicyTrace(
        name=policy.name,
        binding=policy.binding_name,
        where=document.where,
        title=document.annotations.get("migguard.io/title", ""),
        severity=document.annotations.get("migguard.io/severity", ""),
        actions=policy.actions,
        failure_policy=document.failure_policy,
        left_out="" if evaluations and not _exempted(evaluations) else notes.left_out,
        result=_worst(evaluations),
        decides=any(refuses(one, origin) for one in evaluations),
        error="; ".join(dict.fromkeys(one.error for one in evaluations if one.error)),
        conditions=_conditions(notes),
        variables=tuple(variables.values()),
        validations=_validations(notes, evaluations),
        mutations=_mutations(notes, evaluations),
        audit_annotations={key: text for one in evaluations for key, text in one.audit_annotations.items()},
        facts=tuple(sorted({name for needs, _ in used for name in needs.facts})),
        seconds=sum(one.seconds for one in evaluations),
    )


def refuses(evaluation: Evaluation, origin: str) -> bool:
    """Say whether this one is among what refuses the request, see :func:`webhook.admission.answer.combine`."""
    if Action.DENY not in evaluation.actions:
        return False
    if evaluation.result is Result.ERROR:
        return evaluation.failure_policy is FailurePolicy.FAIL and is_person(origin)
    return any(Action.DENY in violation.actions for violation in evaluation.violations)


_WORST_FIRST = (Result.FAIL, Result.ERROR, Result.PASS, Result.SKIP)


def _worst(evaluations: Sequence[Evaluation]) -> Result | None:
    found = {one.result for one in evaluations}
    return next((result for result in _WORST_FIRST if result in found), None)


def _exempted(evaluations: Sequence[Evaluation]) -> bool:
    return _worst(evaluations) is Result.SKIP


def _conditions(notes: Notes) -> tuple[Step, ...]:
    seen = notes.conditions
    if seen is None:
        return ()
    return tuple(_step(notes.policy, name, expression, seen) for name, expression in notes.policy.conditions)


def _variables(policy: CompiledPolicy, needs: Needs, seen: Seen) -> list[Step]:
    return [_step(policy, variable.name, variable.expression, seen) for variable in needs.variables]


def _validations(notes: Notes, evaluations: Sequence[Evaluation]) -> tuple[ValidationStep, ...]:
    seen = notes.validations
    if seen is None:
        return ()
    violations = {violation.validation: violation for one in evaluations for violation in one.violations}
    return tuple(
        ValidationStep(_step(notes.policy, f"validations[{index}]", validation.expression, seen), violations.get(index))
        for index, validation in enumerate(notes.policy.validations)
    )


def _mutations(notes: Notes, evaluations: Sequence[Evaluation]) -> tuple[MutationStep, ...]:
    """The pipeline gives one evaluation for each mutation, in their order, and then that of the validations."""
    return tuple(
        MutationStep(
            _step(notes.policy, name, mutation.expression, seen), patch=evaluation.patch, warnings=evaluation.warnings
        )
        for (name, (mutation, seen)), evaluation in zip(notes.mutations.items(), evaluations, strict=False)
    )


def _step(policy: CompiledPolicy, name: str, expression: Expression, seen: Seen) -> Step:
    value: JSON = None
    error = ""
    try:
        value = _plain(expression.evaluate(seen.values))
    except EvaluationError as problem:
        error = seen.case.explain(problem)
    return Step(
        name=name,
        where=expression.source.where,
        expression=expression.source.text,
        value=value,
        error=error,
        facts=_facts_of(policy, expression),
    )


def _facts_of(policy: CompiledPolicy, expression: Expression) -> frozenset[str]:
    """What an expression reads, through variables too."""
    known = {
        variable.name: variable.expression
        for needs in (policy.for_conditions, policy.for_validations, policy.for_mutations)
        for variable in needs.variables
    }
    facts, waiting, seen = set(expression.facts), set(expression.variables), set[str]()
    while waiting:
        name = waiting.pop()
        if name not in seen and name in known:
            seen.add(name)
            facts |= known[name].facts
            waiting |= known[name].variables
    return frozenset(facts)


def _plain(value: JSON) -> JSON:
    """A value of CEL as one of JSON: what JSON lacks (bytes, types, keys that are numbers) becomes its text."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_plain(item) for item in value]
    return value if value is None or isinstance(value, bool | int | float | str) else str(value)
