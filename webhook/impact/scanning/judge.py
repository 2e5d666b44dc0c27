"""Judging what already exists: each object by the policies that would judge its creation as it stands.

There is no rule in here. What is good or bad is said by the policies, of objects as of requests; a scan says which
objects they are shown, and puts together what they find.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from webhook.admission.pipeline import World, decide
from webhook.errors import ClusterError
from webhook.impact.policyrules import level_of, rules_of
from webhook.impact.scanning import standing
from webhook.impact.scanning.inventory import Item, Unread
from webhook.impact.scanning.lapsed import lapsed
from webhook.impact.scanning.scannable import NO_REQUESTER, Scannable
from webhook.impact.unasked import NobodyAsks
from webhook.kubevirt.indexkeys import FINAL_PHASES
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.decision import Action, Evaluation, FailurePolicy, Result, Violation
from webhook.model.facts import Deadline
from webhook.model.objects import JSON, Object, name_of, namespace_of, reference, text
from webhook.model.request import AdmissionRequest, Phase
from webhook.offline.admit import SECONDS
from webhook.output.finding import Examined, Finding, Level, Report, Rule
from webhook.policy.policyset import PolicySet

_RESULTS = {Level.ERROR: "fail", Level.WARNING: "warn", Level.NOTE: "warn"}
"""Of a violation, in PolicyReport's words: what does not lead to a refusal is a warning."""


@dataclass(frozen=True, slots=True)
class Scanned:
    """The result of a scan."""

    report: Report
    passed: Mapping[str, int]
    """How many times an object of a namespace was found good by a policy; cluster-scoped objects are under ''."""
    skipped: Mapping[str, int]
    """The same, of what was left unjudged: exempted, or a question of who asks."""
    unread: tuple[str, ...] = ()
    """The resources whose objects could not be read; where nothing was found, there may be something in them."""


def scan(
    policies: Scannable, items: Iterable[Item | Unread], world: World, *, now: datetime, settings: Mapping[str, str]
) -> Scanned:
    """Judge all items, in their order; the report names every one of them. ``settings`` says what it rests on.

    What could not be read is among the problems of the report, which outweigh all that was found in the rest.
    """
    run = _Run(policies, World(world.view, NobodyAsks(NO_REQUESTER), None), now)
    examined: list[Examined] = []
    unread: list[Unread] = []
    for item in items:
        if isinstance(item, Unread):
            unread.append(item)
        else:
            examined += run.examine(item)
    exemptions = lapsed(policies.exemptions, now)
    report = Report(
        command="scan",
        rules=(*exemptions.rules, *_rules(policies)),
        examined=(*exemptions.examined, *examined),
        revision=policies.policies.revision,
        settings={**settings, **_left_out(policies, run.unanswered)},
        left_out=dict(sorted(run.ended.items())),
        problems=tuple(one.problem for one in unread),
        problem_exit_code=ClusterError.exit_code,
    )
    return Scanned(report, run.passed, run.skipped, tuple(one.resource for one in unread))


def _rules(policies: Scannable) -> tuple[Rule, ...]:
    return rules_of(one.document for one in (*policies.objects, *policies.migration))


@dataclass(slots=True)
class _Run:
    """What is known while items are judged, one after another."""

    policies: Scannable
    world: World
    now: datetime
    passed: Counter[str] = field(default_factory=Counter)
    skipped: Counter[str] = field(default_factory=Counter)
    ended: Counter[str] = field(default_factory=Counter)
    unanswered: dict[str, None] = field(default_factory=dict)
    """Policies that could not be judged for some object because that needs a requester."""
    _sets: dict[str, PolicySet] = field(default_factory=dict)
    _told: set[tuple[str, str, str]] = field(default_factory=set)
    """Namespace and name of VMs, each with a policy that found something in it."""

    def examine(self, item: Item) -> Iterator[Examined]:
        """Judge one item; nothing comes of one that has ended."""
        obj = item.obj
        if _has_ended(obj):
            self.ended[f"{text(obj, 'kind')} that has ended"] += 1
            return
        evaluations = [*self._as_it_stands(item)]
        if text(obj, "kind") == VMI.kind and self.policies.migration:
            request = standing.migration_of(obj)
            evaluations += self._decide(request, Phase.VALIDATE, self.policies.judging_migrations(), self.world)
        yield self._examined(item, evaluations)

    def _as_it_stands(self, item: Item) -> Iterator[Evaluation]:
        key = str(item.resource)
        if key not in self._sets:
            self._sets[key] = self.policies.judging(item.resource)
        judging = self._sets[key]
        request = standing.creation_of(item, judging.parameters, self.world.view)
        for phase in Phase:
            if any(one.document.phase is phase or one.mutations for one in judging.policies):
                yield from self._decide(request, phase, judging, self._world_of(item))

    def _world_of(self, item: Item) -> World:
        """A migration in flight does not count among those that it is held against."""
        if text(item.obj, "kind") != VMIM.kind:
            return self.world
        hidden = standing.Without(self.world.view, VMIM, namespace_of(item.obj), name_of(item.obj))
        return World(hidden, self.world.authorizer, None)

    def _decide(
        self, request: AdmissionRequest, phase: Phase, judging: PolicySet, world: World
    ) -> tuple[Evaluation, ...]:
        decision = decide(
            request,
            phase,
            policies=judging,
            world=world,
            now=self.now,
            deadline=Deadline.after(SECONDS),
            decision_id=request.uid,
        )
        return decision.evaluations

    def _examined(self, item: Item, evaluations: Iterable[Evaluation]) -> Examined:
        by_policy: dict[str, list[Evaluation]] = {}
        for one in evaluations:
            by_policy.setdefault(one.policy, []).append(one)
        findings: list[Finding] = []
        for policy, found in by_policy.items():
            told = (
                []
                if self._is_told(item.obj, policy)
                else [finding for one in found for finding in _findings(item, one)]
            )
            findings += told
            self._count(item.obj, policy, found, told)
        return Examined(
            subject=str(reference(item.obj)),
            place=item.place,
            findings=tuple(sorted(findings, key=lambda one: one.level.rank)),
            notes=tuple(dict.fromkeys(note for one in evaluations for note in _notes(one))),
        )

    def _count(self, obj: Object, policy: str, evaluations: Iterable[Evaluation], told: Sequence[Finding]) -> None:
        if any(NO_REQUESTER in one.error for one in evaluations):
            self.unanswered[policy] = None
        if told:
            if text(obj, "kind") == VM.kind:
                self._told.add((namespace_of(obj), name_of(obj), policy))
        elif all(one.result is Result.PASS for one in evaluations):
            self.passed[namespace_of(obj)] += 1
        else:
            self.skipped[namespace_of(obj)] += 1

    def _is_told(self, obj: Object, policy: str) -> bool:
        """Say whether it is a VMI whose VM is told of already: once that is mended and restarted, so is its VMI.

        Source: KubeVirt ``pkg/virt-controller/watch/vm/vm.go`` (setupVMIFromVM: it has the name of its VM).
        """
        return text(obj, "kind") == VMI.kind and (namespace_of(obj), name_of(obj), policy) in self._told


def _findings(item: Item, evaluation: Evaluation) -> Iterator[Finding]:
    for violation in evaluation.violations:
        level = level_of(violation.actions)
        yield _finding(item, violation, level, _RESULTS[level])
    if evaluation.result is Result.ERROR and NO_REQUESTER not in evaluation.error:
        refuses = evaluation.failure_policy is FailurePolicy.FAIL and Action.DENY in evaluation.actions
        error = Violation(
            policy=evaluation.policy,
            validation=-1,
            message=f"cannot be judged: {evaluation.error}",
            actions=evaluation.actions,
        )
        yield _finding(item, error, Level.ERROR if refuses else Level.WARNING, "error")


def _finding(item: Item, violation: Violation, level: Level, result: str) -> Finding:
    obj = item.obj
    where = {key: text(obj, "metadata", key) for key in ("namespace", "name", "uid")}
    about = {"apiVersion": text(obj, "apiVersion"), "kind": text(obj, "kind"), **where}
    properties: dict[str, JSON] = {"result": result, "object": {key: item for key, item in about.items() if item}}
    if violation.validation >= 0:
        properties["validation"] = violation.validation
    return Finding(
        rule=violation.policy,
        level=level,
        message=violation.message,
        hint=violation.remediation,
        subject=str(reference(obj)),
        field=violation.field,
        properties=properties,
    )


def _notes(evaluation: Evaluation) -> Iterator[str]:
    if evaluation.patch:
        yield from (f"{evaluation.policy} would change it: {warning}" for warning in evaluation.warnings)
    if evaluation.exemption:
        yield f"{evaluation.policy} does not judge it: exemption '{evaluation.exemption}'"


def _has_ended(obj: Object) -> bool:
    return text(obj, "kind") in {VMI.kind, VMIM.kind} and text(obj, "status", "phase") in FINAL_PHASES


def _left_out(policies: Scannable, unanswered: Iterable[str]) -> dict[str, str]:
    """By reason, the policies that judged nothing, or not everything, in words."""
    reasons = {f"not judged, as {why}": ", ".join(names) for why, names in policies.left_out.items()}
    some = ", ".join(sorted(unanswered))
    return {**reasons, **({"not judged for some objects, as that depends on who asks": some} if some else {})}
