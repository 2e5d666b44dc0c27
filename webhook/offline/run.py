"""Runs the cases of a policy test through the pipeline, phase after phase as the API server does, and compares."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime

from webhook.admission.pipeline import World, decide
from webhook.cluster.store import Store
from webhook.model.decision import Action, Decision, Evaluation, PatchOperation, Result
from webhook.model.facts import Deadline
from webhook.model.objects import JSON, Object, same
from webhook.model.request import Phase
from webhook.offline.suite import Case, Expectation, Suite, finds
from webhook.offline.world import StatedAuthorizer, policies_of, store_of, world_of
from webhook.policy.mutate import apply
from webhook.policy.policyset import PolicySet

SECONDS = 30.0
"""For one decision: the most that an API server would wait."""


@dataclass(frozen=True, slots=True)
class Mismatch:
    """One thing that did not come out as expected."""

    field: str
    expected: str
    got: str

    def __str__(self) -> str:
        return f"{self.field}: expected {self.expected}, got {self.got}"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the phases of one request came to, together."""

    decisions: tuple[Decision, ...]
    object: Object | None
    """After the patches of all phases."""

    @property
    def last(self) -> Decision:
        """The decision that counts: the refusal, or that of the last phase."""
        return self.decisions[-1]

    @property
    def patch(self) -> tuple[PatchOperation, ...]:
        """The operations of all phases."""
        return tuple(operation for decision in self.decisions for operation in decision.patch)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of all phases, once each."""
        return tuple(dict.fromkeys(warning for decision in self.decisions for warning in decision.warnings))

    @property
    def audit_annotations(self) -> dict[str, str]:
        """The annotations of all phases; the later phase has the last word."""
        return {key: text for decision in self.decisions for key, text in decision.audit_annotations.items()}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The evaluations of all phases."""
        return tuple(evaluation for decision in self.decisions for evaluation in decision.evaluations)


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case that was run; it passed if there is no mismatch."""

    suite: str
    case: Case
    mismatches: tuple[Mismatch, ...]
    outcome: Outcome

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return not self.mismatches


def run(suite: Suite, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[CaseResult]:
    """Run the cases of a suite whose ``SUITE/CASE`` is wanted. Raises InputError if it cannot be set up."""
    policies, store = policies_of(suite), store_of(suite)
    for case in suite.cases:
        if wanted(f"{suite.name}/{case.name}"):
            yield _run(suite, case, policies, store)


def _run(suite: Suite, case: Case, policies: PolicySet, store: Store) -> CaseResult:
    world = world_of(suite, store)
    outcome = _decide(case, policies, world, suite.now or datetime.now(UTC))
    mismatches = [*compare(case.expect, outcome)]
    if isinstance(world.authorizer, StatedAuthorizer):
        questions = dict.fromkeys(world.authorizer.unanswered)
        mismatches += [Mismatch("accessReviews", "an answer to every question", question) for question in questions]
    return CaseResult(suite.name, case, tuple(mismatches), outcome)


def _decide(case: Case, policies: PolicySet, world: World, now: datetime) -> Outcome:
    """Mutation first; if that lets the request through, validation of its result."""
    request = case.request
    decisions: list[Decision] = []
    for phase in case.phases:
        decision = decide(
            request,
            phase,
            policies=policies,
            world=world,
            now=now,
            deadline=Deadline.after(SECONDS),
            decision_id=f"{request.uid}-{phase}",
        )
        decisions.append(decision)
        if not decision.allowed:
            break
        if phase is Phase.MUTATE and decision.patch and request.object is not None:
            request = replace(request, object=apply(decision.patch, request.object))
    return Outcome(tuple(decisions), request.object)


def compare(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    """Yield what is not as expected."""
    for name in ("allowed", "code", "reason"):
        wanted, got = getattr(expect, name), getattr(outcome.last, name)
        if wanted is not None and wanted != got:
            yield Mismatch(name, _shown(wanted), _shown(got))
    if expect.policy is not None and expect.policy not in (named := _policies(outcome)):
        yield Mismatch("policy", expect.policy, ", ".join(named) or "none that refuses, warns or changes anything")
    yield from _message(expect, outcome)
    yield from _warnings(expect, outcome)
    yield from _errors(expect, outcome)
    yield from _changes(expect, outcome)
    yield from _annotations(expect, outcome)


def _policies(outcome: Outcome) -> list[str]:
    """Policies that refused; if none did, those that found or changed something."""
    found = [
        one for one in outcome.evaluations if one.result in {Result.FAIL, Result.ERROR} or one.patch or one.warnings
    ]
    if not outcome.last.allowed:
        found = [one for one in found if any(Action.DENY in violation.actions for violation in one.violations)] or found
    return list(dict.fromkeys(one.policy for one in found))


def _message(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    if expect.message == () and outcome.last.message:
        yield Mismatch("message", "none", _shown(outcome.last.message))
    for pattern in expect.message or ():
        if not finds(pattern, outcome.last.message):
            yield Mismatch("message", _shown(pattern), _shown(outcome.last.message))


def _warnings(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    if expect.warnings == () and outcome.warnings:
        yield Mismatch("warnings", "none", _shown(list(outcome.warnings)))
    for pattern in expect.warnings or ():
        if not any(finds(pattern, warning) for warning in outcome.warnings):
            yield Mismatch("warnings", _shown(pattern), _shown(list(outcome.warnings)))


def _errors(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    """An evaluation that failed is a mismatch unless the case is about that."""
    errors = [f"policy {one.policy}: {one.error}" for one in outcome.evaluations if one.error]
    for error in dict.fromkeys(errors):
        if not any(finds(pattern, error) for pattern in expect.errors):
            yield Mismatch("errors", _shown(list(expect.errors)) if expect.errors else "none", _shown(error))
    for pattern in expect.errors:
        if not any(finds(pattern, error) for error in errors):
            yield Mismatch("errors", _shown(pattern), _shown(errors))


def _changes(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    if expect.patch is not None and not same(list(expect.patch), list(outcome.patch)):
        yield Mismatch("patch", _shown(list(expect.patch)), _shown(list(outcome.patch)))
    if expect.patched is not None:
        yield from _subset(dict(expect.patched), outcome.object, "patched")


def _subset(wanted: JSON, got: JSON, path: str) -> Iterator[Mismatch]:
    """What of ``wanted`` is not in ``got``: mappings may hold more, everything else is compared whole."""
    if isinstance(wanted, dict) and isinstance(got, dict):
        for key, item in wanted.items():
            if key in got:
                yield from _subset(item, got[key], f"{path}.{key}")
            else:
                yield Mismatch(f"{path}.{key}", _shown(item), "nothing there")
    elif not same(wanted, got):
        yield Mismatch(path, _shown(wanted), _shown(got))


def _annotations(expect: Expectation, outcome: Outcome) -> Iterator[Mismatch]:
    got = outcome.audit_annotations
    for key, pattern in expect.audit_annotations.items():
        field = f"auditAnnotations.{key}"
        if pattern is None and key in got:
            yield Mismatch(field, "none", _shown(got[key]))
        if pattern is not None and (key not in got or not finds(pattern, got[key])):
            yield Mismatch(field, _shown(pattern), _shown(got[key]) if key in got else "none")


def _shown(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
