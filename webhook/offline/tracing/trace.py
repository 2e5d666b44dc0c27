"""Judges a request and puts together what a person needs to understand the verdict.

The pipeline decides; nothing here has a say. Expressions are evaluated once more after it has decided, so that the
times it took are its own.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from webhook.admission.pipeline import World
from webhook.model.decision import Decision, Evaluation
from webhook.model.objects import Object
from webhook.model.request import AdmissionRequest, Operation, Phase
from webhook.offline.admit import admit
from webhook.offline.tracing.factsource import FactSources
from webhook.offline.tracing.policies import traced
from webhook.offline.tracing.steps import FactStep, PhaseTrace, PolicyTrace, Trace
from webhook.offline.tracing.tracer import Notes, Tracer
from webhook.policy.cellibrary import authorizing
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.policyset import PolicySet


def trace(
    request: AdmissionRequest,
    phases: Iterable[Phase] = tuple(Phase),
    *,
    policies: PolicySet,
    world: World,
    now: datetime,
    beyond_refusal: bool = False,
) -> Trace:
    """Judge a request phase after phase, as the API server has it judged, and return how that went.

    A refusal ends it, unless one wants to know also what the next phase would have found (``beyond_refusal``).
    """
    found: list[PhaseTrace] = []
    current = request
    for phase in phases:
        phase_trace, changed = _phase(current, phase, policies, FactSources(policies, world, now))
        found.append(phase_trace)
        if not phase_trace.decision.allowed and not beyond_refusal:
            break
        current = replace(current, object=changed)
    return Trace(request=request, phases=tuple(found))


def _phase(
    request: AdmissionRequest, phase: Phase, policies: PolicySet, sources: FactSources
) -> tuple[PhaseTrace, Object | None]:
    """How one phase went, and the object after it."""
    tracer = Tracer()
    outcome = admit(request, [phase], policies=policies, world=sources.world, now=sources.now, observer=tracer)
    decision = outcome.last
    context = sources.context(request, sources.world.view)
    with authorizing(context.allows):
        judged = _policies(tracer, policies, phase, request, decision)
    facts = _facts(decision, judged, tracer.requests, request, sources)
    told = PhaseTrace(phase=phase, request=request, decision=decision, policies=tuple(judged), facts=facts)
    return told, outcome.object


def _policies(
    tracer: Tracer, policies: PolicySet, phase: Phase, request: AdmissionRequest, decision: Decision
) -> Sequence[PolicyTrace]:
    """What became of each policy that has to do with a phase."""
    told: dict[tuple[str, str], list[Evaluation]] = {}
    for evaluation in decision.evaluations:
        told.setdefault((evaluation.policy, evaluation.binding), []).append(evaluation)
    return [
        traced(
            tracer.notes(policy) or _unheard(policy, request),
            told.get((policy.name, policy.binding_name), []),
            decision.origin,
        )
        for policy in policies.policies
        if _belongs(policy, phase)
    ]


def _facts(
    decision: Decision,
    judged: Sequence[PolicyTrace],
    requests: Mapping[str, AdmissionRequest],
    request: AdmissionRequest,
    sources: FactSources,
) -> Mapping[str, FactStep]:
    names = {*decision.facts, *decision.unavailable, *(name for policy in judged for name in policy.facts)}
    found = {}
    for name in sorted(names):
        fact = sources.explain(name, requests.get(name, request))
        if name in decision.facts:
            fact = replace(fact, value=decision.facts[name], unavailable="")
        elif name in decision.unavailable:
            fact = replace(fact, value=None, unavailable=decision.unavailable[name])
        found[name] = fact
    return found


def _belongs(policy: CompiledPolicy, phase: Phase) -> bool:
    judging = bool(policy.validations or policy.audit_annotations) and policy.document.phase is phase
    return judging or (phase is Phase.MUTATE and bool(policy.mutations))


def _unheard(policy: CompiledPolicy, request: AdmissionRequest) -> Notes:
    """A policy that the pipeline did not ask about at all, or of which it could not tell whether it applies."""
    if request.operation is Operation.DELETE or request.object is None:
        return Notes(policy, f"it changes objects, and {request.operation} has none to change")
    return Notes(policy)
