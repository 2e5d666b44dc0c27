"""The words of results and actions are an interface: they stand in policies, answers and records."""

from __future__ import annotations

import dataclasses

import pytest

from webhook.model.decision import Action, Decision, Evaluation, FailurePolicy, Result, Violation


def test_actions_failure_policies_and_results_are_written_as_kubernetes_writes_them() -> None:
    assert [str(one) for one in Action] == ["Deny", "Warn", "Audit"]
    assert [str(one) for one in FailurePolicy] == ["Fail", "Ignore"]
    assert [str(one) for one in Result] == ["pass", "fail", "error", "skip"]


def test_an_evaluation_that_says_nothing_else_denies_and_fails_closed() -> None:
    evaluation = Evaluation(policy="guard", result=Result.ERROR)

    assert evaluation.actions == {Action.DENY}
    assert evaluation.failure_policy is FailurePolicy.FAIL


@pytest.mark.parametrize(
    "made",
    [
        Decision(id="d", uid="u", allowed=False),
        Evaluation(policy="guard", result=Result.PASS),
        Violation(policy="guard", validation=0, message="no", actions=frozenset()),
    ],
    ids=lambda made: type(made).__name__,
)
def test_what_was_decided_cannot_be_changed_afterwards(made: Decision | Evaluation | Violation) -> None:
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, dataclasses.fields(made)[0].name, "other")
