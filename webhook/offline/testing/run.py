"""Runs the cases of a policy test through the pipeline, phase after phase as the API server does, and compares."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime

from webhook.admission.pipeline import World
from webhook.cluster.store import Store
from webhook.offline.admit import admit
from webhook.offline.outcome import Outcome
from webhook.offline.testing import clock
from webhook.offline.testing.compare import Mismatch, compare
from webhook.offline.testing.declared import DeclaredView, statement
from webhook.offline.testing.suite import Case, Suite
from webhook.offline.testing.world import StatedAuthorizer, policies_of, store_of, world_of
from webhook.offline.tracing.steps import Trace
from webhook.offline.tracing.trace import trace
from webhook.policy.evaluate import NOBODY, Observer
from webhook.policy.policyset import PolicySet


@dataclass(frozen=True, slots=True)
class CaseResult:
    """One case that was run; it passed if there is no mismatch."""

    suite: str
    case: Case
    mismatches: tuple[Mismatch, ...]
    outcome: Outcome
    trace: Trace | None = None
    """Each step, if it was asked for."""

    @property
    def passed(self) -> bool:
        """Whether everything came out as expected."""
        return not self.mismatches


@dataclass(frozen=True, slots=True)
class Bench:
    """A suite that is set up: its policies and its cluster state."""

    suite: Suite
    policies: PolicySet
    store: Store

    @classmethod
    def of(cls, suite: Suite, known: dict[str, PolicySet] | None = None) -> Bench:
        """Set a suite up, see :func:`policies_of`. Raises InputError."""
        return cls(suite, policies_of(suite, known), store_of(suite))

    def run(self, wanted: Callable[[str], bool], observer: Observer = NOBODY) -> Iterator[CaseResult]:
        """Run the cases whose ``SUITE/CASE`` is wanted; all of them if their file is."""
        whole = wanted(self.suite.document.file)
        for case in self.suite.cases:
            if whole or wanted(f"{self.suite.name}/{case.name}"):
                yield judge(self.suite, case, self.policies, self.store, observer)

    def trace(self, case: Case) -> Trace:
        """Run a case once more and note each step."""
        world = world_of(self.suite, case, self.store)
        return trace(case.request, case.phases, policies=self.policies, world=world, now=_now(self.suite, case))


def run(suite: Suite, wanted: Callable[[str], bool] = lambda _: True) -> Iterator[CaseResult]:
    """Run the cases of a suite that are wanted, see :meth:`Bench.run`. Raises InputError if it cannot be set up."""
    return Bench.of(suite).run(wanted)


def judge(suite: Suite, case: Case, policies: PolicySet, store: Store, observer: Observer = NOBODY) -> CaseResult:
    """Run one case of a suite, with the suite's policies and cluster state."""
    world, now = world_of(suite, case, store), _now(suite, case)
    outcome = admit(case.request, case.phases, policies=policies, world=world, now=now, observer=observer)
    mismatches = [*compare(case.expect, outcome), *_undeclared(world)]
    if not (case.now or suite.now):
        own = world_of(suite, case, store)  # its look-ups are not those of the decision
        mismatches += clock.unstated(case.request, outcome, policies=policies, world=own, now=now)
    return CaseResult(suite.name, case, tuple(mismatches), outcome)


def _now(suite: Suite, case: Case) -> datetime:
    return case.now or suite.now or datetime.now(UTC)


def _undeclared(world: World) -> Iterator[Mismatch]:
    """What was asked or looked up and the test does not answer: it would pass or fail for a reason nobody stated."""
    if isinstance(world.authorizer, StatedAuthorizer):
        for question in dict.fromkeys(world.authorizer.unanswered):
            yield Mismatch("accessReviews", "an answer to every question", question)
    if isinstance(world.view, DeclaredView):
        for reference in world.view.unknown:
            got = f"{reference} was looked up, and the test says neither what it is nor that it is absent"
            yield Mismatch("cluster", "", got, statement(reference))
