"""The one decision: a function of the request, the policy set, the cluster view, the authorizer and the time.

It does no I/O of its own. The webhook, the command line and the tests all call :func:`decide`, so they can never
disagree.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from webhook.admission import natives
from webhook.admission.answer import Judged, combine
from webhook.admission.exemption import exempting
from webhook.admission.wording import phrases_of
from webhook.errors import FactUnavailable
from webhook.model.decision import Decision, Evaluation, PatchOperation, Result, Stage
from webhook.model.facts import Authorizer, ClusterView, Deadline, FactContext, Read, RecordingView, Refresher
from webhook.model.objects import JSON
from webhook.model.request import AdmissionRequest, Operation, Phase
from webhook.policy.cellibrary import authorizing
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.evaluate import NOBODY, Case, Observer, applicable, change, validate
from webhook.policy.match import Subject
from webhook.policy.mutate import apply
from webhook.policy.policyset import PolicySet

ORIGIN = "requester.origin"


@dataclass(frozen=True, slots=True)
class World:
    """The cluster as decisions see it; ``refresher`` is None where the view cannot lag (manifests)."""

    view: ClusterView
    authorizer: Authorizer
    refresher: Refresher | None = None


def decide(  # noqa: PLR0913 - everything a decision depends on is an argument
    request: AdmissionRequest,
    phase: Phase,
    *,
    policies: PolicySet,
    world: World,
    now: datetime,
    deadline: Deadline,
    decision_id: str,
    observer: Observer = NOBODY,
) -> Decision:
    """Judge one request in one phase; an ``observer`` is told how.

    A refusal that rests on cached objects is confirmed first: just those objects are read anew, and if anything
    differs the request is judged again. So "bind the role, then migrate" works at once, however far the caches lag.
    Where the fresh reads fail, or the second judgement cannot learn what the first one knew, the refusal stands.
    """
    started = time.perf_counter()
    judgement = _Judgement(request, phase, policies, world, now=now, deadline=deadline, observer=observer)
    decision = judgement.run(decision_id)
    if not decision.allowed and world.refresher and _outdated(world.refresher, judgement, deadline):
        again = _Judgement(request, phase, policies, world, now=now, deadline=deadline, observer=observer, fresh=True)
        confirmed = again.run(decision_id)
        if not confirmed.unavailable.keys() & decision.facts.keys():
            decision = confirmed
    return replace(decision, seconds={**decision.seconds, "total": time.perf_counter() - started})


def _outdated(refresher: Refresher, judgement: _Judgement, deadline: Deadline) -> bool:
    """Read anew what a refusal rests on; True if it must be judged again."""
    try:
        changed = refresher.refresh(judgement.reads, deadline)
    except FactUnavailable:
        return False
    return changed or bool(judgement.questions)


class _Judgement:
    """One pass over one request. Used by one thread, once."""

    def __init__(  # noqa: PLR0913 - see decide
        self,
        request: AdmissionRequest,
        phase: Phase,
        policies: PolicySet,
        world: World,
        *,
        now: datetime,
        deadline: Deadline,
        observer: Observer,
        fresh: bool = False,
    ) -> None:
        self._request = request
        self._phase = phase
        self._policies = policies
        self._view = RecordingView(world.view)
        self._authorizer = world.authorizer
        self._now = now
        self._deadline = deadline
        self._observer = observer
        self._fresh = fresh
        self._facts: dict[str, JSON] = {}
        self._unavailable: dict[str, str] = {}
        self._stages: list[Stage] = []
        self.questions: list[dict[str, JSON]] = []

    @property
    def reads(self) -> Sequence[Read]:
        """What was looked up in the cluster view."""
        return self._view.reads

    def run(self, decision_id: str) -> Decision:
        """Judge, and combine what the policies found into one decision."""
        case = self._case(self._request)
        with authorizing(self._context(self._request).allows):
            if self._phase is Phase.MUTATE:
                evaluations, patch = self._mutate(case)
                evaluations += self._validate(case)
            else:
                evaluations, patch = self._validate(case), ()
        judged = Judged(
            request=self._request,
            origin=case.subject.origin,
            evaluations=tuple(sorted(evaluations, key=lambda one: (one.policy, one.binding))),
            patch=patch,
            facts=self._facts,
            unavailable=self._unavailable,
            questions=tuple(self.questions),
            revision=self._policies.revision,
        )
        decision = combine(judged, decision_id, phrases_of(self._policies.parameters))
        return replace(decision, stages=tuple(self._stages))

    def _validate(self, case: Case) -> list[Evaluation]:
        judging = [
            one
            for one in self._policies.policies
            if (one.validations or one.audit_annotations) and one.document.phase is self._phase
        ]
        policies, failed = applicable(judging, case)
        kept, settled = self._exempt(policies, failed, case)
        return [*settled, *validate(kept, case)]

    def _mutate(self, case: Case) -> tuple[list[Evaluation], tuple[PatchOperation, ...]]:
        """Apply mutations one after another: each sees what those before it changed."""
        evaluations: list[Evaluation] = []
        patch: list[PatchOperation] = []
        if self._request.object is None or self._request.operation is Operation.DELETE:
            return evaluations, ()
        for policy in (one for one in self._policies.policies if one.mutations):
            policies, failed = applicable([policy], case)
            kept, settled = self._exempt(policies, failed, case)
            evaluations += settled
            for mutation in (mutation for one in kept for mutation in one.mutations):
                evaluation = change(policy, mutation, case)
                evaluations.append(evaluation)
                if evaluation.patch:
                    patch += evaluation.patch
                    case = self._case(replace(self._request, object=apply(tuple(patch), self._request.object)))
        return evaluations, tuple(patch)

    def _exempt(
        self, policies: Iterable[CompiledPolicy], failed: Iterable[Evaluation], case: Case
    ) -> tuple[list[CompiledPolicy], list[Evaluation]]:
        """Part the policies that are left to judge from what is settled: an exemption spares errors too."""
        kept: list[CompiledPolicy] = []
        settled = [self._skipped(one.policy, one.binding, case) or one for one in failed]
        for policy in policies:
            skipped = self._skipped(policy.name, policy.binding_name, case)
            if skipped:
                settled.append(skipped)
                self._observer.left_out(policy, f"exemption '{skipped.exemption}' lets this request through")
            else:
                kept.append(policy)
        return kept, settled

    def _skipped(self, policy: str, binding: str, case: Case) -> Evaluation | None:
        exemption = self._exemption(policy, case)
        return (
            Evaluation(policy=policy, binding=binding, result=Result.SKIP, exemption=exemption) if exemption else None
        )

    def _exemption(self, policy: str, case: Case) -> str:
        try:
            found = exempting(
                self._policies.exemptions,
                policy,
                self._request,
                namespace=case.subject.namespace,
                now=self._now,
            )
        except FactUnavailable:
            return ""
        return found.name if found else ""

    def _context(self, request: AdmissionRequest) -> FactContext:
        return FactContext(
            request=request,
            view=self._view,
            authorizer=self._authorizer,
            parameters=self._policies.parameters,
            now=self._now,
            deadline=self._deadline,
            fresh=self._fresh,
            questions=self.questions,
        )

    def _case(self, request: AdmissionRequest) -> Case:
        context = self._context(request)
        origin = self._policies.catalog[ORIGIN].resolve(context)
        subject = Subject(request, origin, lambda: natives.namespace(context))
        return Case(subject, natives.variables(request), self._resolver(context), self._observer)

    def _resolver(self, context: FactContext) -> Callable[[Iterable[str]], tuple[dict[str, JSON], dict[str, str]]]:
        facts: dict[str, JSON] = {}
        missing: dict[str, str] = {}
        self._stages.append(Stage(facts, missing))

        def resolve(names: Iterable[str]) -> tuple[dict[str, JSON], dict[str, str]]:
            values, unavailable = natives.resolve(context, self._policies.catalog, names)
            read = {name: value for name, value in values.items() if name not in natives.LAZY_NAMES}
            facts.update(read)
            missing.update(unavailable)
            self._facts.update(read)
            self._unavailable.update(unavailable)
            return values, unavailable

        return resolve
