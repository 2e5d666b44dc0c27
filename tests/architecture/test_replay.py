"""Every decision of the built-in policies' tests, put on record and decided again from it, comes out the same."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.engine import NOW
from tests.unit.impact.replaying import given
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import decide
from webhook.audit.record import record
from webhook.impact.replay.judge import Judge
from webhook.model.facts import Deadline
from webhook.model.objects import JSON
from webhook.offline.testing.suite import Suite, suites
from webhook.offline.testing.world import policies_of, store_of, world_of
from webhook.policy.mutate import apply
from webhook.policy.policyset import PolicySet, load
from webhook.recording import basis, keeping

ROOT = Path(__file__).parents[2]


def _decisions(suite: Suite, known: dict[str, PolicySet]) -> Iterator[tuple[str, PolicySet, JSON]]:
    """Every decision of a policy test, in both phases, as it goes on record."""
    policy_set, store = policies_of(suite, known), store_of(suite)
    keep = keeping(policy_set)
    now = suite.now or NOW
    for case in suite.cases:
        request, cluster = case.request, world_of(suite, case, store)
        for phase in case.phases:
            decision = decide(
                request,
                phase,
                policies=policy_set,
                world=cluster,
                now=now,
                deadline=Deadline.after(30),
                decision_id=case.name,
            )
            kept = basis(keep, cluster.view, request, decision.revision)
            yield (
                f"{suite.name}/{case.name} {phase}",
                policy_set,
                record(request, phase, decision, time=now, replica="r", cluster="", basis=kept),
            )
            if not decision.allowed:
                break
            if decision.patch and request.object is not None:
                request = replace(request, object=apply(decision.patch, request.object))


@pytest.mark.parametrize(
    "folder", [pytest.param(path, id=path.name) for path in sorted((ROOT / "policies").iterdir()) if path.is_dir()]
)
def test_each_decision_of_the_built_in_policies_tests_comes_out_the_same_word_by_word(folder):
    known: dict[str, PolicySet] = {}
    judges: dict[int, Judge] = {}
    for suite in suites([folder]):
        for name, policy_set, written in _decisions(suite, known):
            judge = judges.setdefault(id(policy_set), Judge(policy_set))
            then = given(written)
            assert not judge.difference(then), name
            outcome, before = judge.outcome(then), then.outcome()
            assert (outcome.verdict, outcome.results, outcome.patches) == (
                before.verdict,
                before.results,
                before.patches,
            ), name
            assert set(outcome.denied_by) == set(before.denied_by), name
            assert set(outcome.warned_by) == set(before.warned_by), name
            assert not outcome.unknown, name


def test_what_is_remembered_is_what_would_be_judged():
    """All built-in policies at once, on decisions that were made by a few: one that remembers, one that never does."""
    everything = load([ROOT / "policies"], CATALOG, now=NOW)
    remembering = Judge(everything)
    for suite in suites([ROOT / "policies" / "requester-can-migrate", ROOT / "policies" / "vmim-stamp"]):
        for name, _, written in _decisions(suite, {}):
            assert remembering.outcome(given(written)) == Judge(everything).outcome(given(written)), name
