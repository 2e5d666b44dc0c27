"""From what the policies found to the one answer, and every word that the user reads."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine import request
from webhook.admission.answer import CODES, MAX_ANNOTATION, Judged, combine
from webhook.admission.wording import PHRASES
from webhook.model.decision import Action, Decision, Evaluation, FailurePolicy, Result, Violation
from webhook.policy import schema

DENY, WARN, AUDIT = ({action} for action in (Action.DENY, Action.WARN, Action.AUDIT))


def _violation(message: str = "no", policy: str = "guard", actions: set[Action] = DENY, **fields: Any) -> Violation:
    return Violation(
        policy=policy, validation=0, message=message, actions=frozenset(actions), **{"reason": "Forbidden", **fields}
    )


def _failing(*violations: Violation, policy: str = "guard", actions: set[Action] = DENY, **fields: Any) -> Evaluation:
    return Evaluation(policy=policy, result=Result.FAIL, violations=violations, actions=frozenset(actions), **fields)


def _broken(policy: str = "guard", actions: set[Action] = DENY, failure: str = "Fail") -> Evaluation:
    return Evaluation(
        policy=policy,
        result=Result.ERROR,
        error="vmi.critical is not available: the cache is stale",
        actions=frozenset(actions),
        failure_policy=FailurePolicy(failure),
    )


def _combine(*evaluations: Evaluation, origin: str = "User", language: str = "en", **fields: Any) -> Decision:
    judged: dict[str, Any] = {
        "request": request(),
        "origin": origin,
        "evaluations": evaluations,
        "patch": (),
        "facts": {},
        "unavailable": {},
        "questions": (),
        "revision": "sha256:abc",
        **fields,
    }
    return combine(Judged(**judged), "d-1", PHRASES[language])


# Allowed


def test_a_request_that_no_policy_concerns_is_allowed_and_says_who_decided() -> None:
    assert _combine() == Decision(
        id="d-1",
        uid="7f2c7b46",
        allowed=True,
        audit_annotations={"decision-id": "d-1", "origin": "User", "policy-set": "sha256:abc"},
        origin="User",
        revision="sha256:abc",
    )


def test_what_was_learnt_goes_along_whatever_the_answer() -> None:
    question = {"user": "alice", "canI": "get pods -A", "allowed": True}
    passed = Evaluation(policy="guard", result=Result.PASS)
    decision = _combine(passed, facts={"vmi.critical": True}, unavailable={"volumes": "stale"}, questions=(question,))

    assert decision.facts == {"vmi.critical": True}
    assert decision.unavailable == {"volumes": "stale"}
    assert decision.questions == (question,)
    assert decision.evaluations == (passed,)


# Refused


def test_one_refusal_names_object_policy_message_next_step_and_decision() -> None:
    decision = _combine(_failing(_violation("disk data is ReadWriteOnce", remediation="use ReadWriteMany")))

    assert not decision.allowed
    assert (decision.code, decision.reason) == (403, "Forbidden")
    assert decision.message == (
        "VirtualMachineInstanceMigration prod/move was refused by policy guard: disk data is ReadWriteOnce\n"
        "Next step: use ReadWriteMany\n"
        "(decision d-1)"
    )


def test_a_refusal_without_a_next_step_is_shorter() -> None:
    assert _combine(_failing(_violation())).message == (
        "VirtualMachineInstanceMigration prod/move was refused by policy guard: no\n(decision d-1)"
    )


def test_several_refusals_of_one_policy_are_a_list() -> None:
    decision = _combine(_failing(_violation("first", remediation="do this"), _violation("second")))

    assert decision.message == (
        "VirtualMachineInstanceMigration prod/move was refused by policy guard, for 2 reasons:\n"
        "- guard: first\n"
        "  Next step: do this\n"
        "- guard: second\n"
        "(decision d-1)"
    )


def test_refusals_of_several_policies_are_a_list_and_the_first_gives_code_and_reason() -> None:
    decision = _combine(
        _failing(_violation("invalid", "a", reason="Invalid"), policy="a"),
        Evaluation(policy="b", result=Result.PASS),
        _failing(_violation("forbidden", "c"), policy="c"),
    )

    assert (decision.code, decision.reason) == (422, "Invalid")
    assert decision.message == (
        "VirtualMachineInstanceMigration prod/move was refused by 2 policies:\n"
        "- a: invalid\n"
        "- c: forbidden\n"
        "(decision d-1)"
    )


@pytest.mark.parametrize(
    ("reason", "code"),
    [
        ("Unauthorized", 401),
        ("Forbidden", 403),
        ("Conflict", 409),
        ("RequestEntityTooLarge", 413),
        ("Invalid", 422),
    ],
)
def test_a_reason_has_the_code_that_kubernetes_gives_it(reason: str, code: int) -> None:
    assert _combine(_failing(_violation(reason=reason))).code == code


def test_every_reason_that_a_policy_may_give_has_a_code() -> None:
    spec = schema.schema("GuardPolicy")["properties"]["spec"]["properties"]
    reasons = spec["validations"]["items"]["properties"]["reason"]["enum"]

    assert set(reasons) <= set(CODES)


def test_a_refused_request_is_not_changed() -> None:
    operation = {"op": "add", "path": "/spec/a", "value": 1}

    assert _combine(patch=(operation,)).patch == (operation,)
    assert _combine(_failing(_violation()), patch=(operation,)).patch == ()


# Warnings


@pytest.mark.parametrize("actions", [WARN, WARN | AUDIT], ids=["Warn", "Warn and Audit"])
def test_a_policy_that_warns_lets_the_request_pass(actions: set[Action]) -> None:
    violations = (_violation("first", actions=actions, remediation="mend it"), _violation("second", actions=actions))
    decision = _combine(_failing(*violations, actions=actions))

    assert decision.allowed
    assert decision.warnings == ("policy guard: first. Next step: mend it", "policy guard: second")


def test_what_a_mutation_changed_is_a_warning() -> None:
    changed = Evaluation(policy="bandwidth", result=Result.PASS, warnings=("bandwidth was set to 64Mi",))

    assert _combine(changed).warnings == ("policy bandwidth: bandwidth was set to 64Mi",)


def test_warnings_are_told_with_a_refusal_too() -> None:
    decision = _combine(
        _failing(_violation("no")),
        _failing(_violation("careful", "other", WARN), policy="other", actions=WARN),
    )

    assert not decision.allowed
    assert decision.warnings == ("policy other: careful",)


def test_a_warning_is_one_line_and_is_told_once() -> None:
    twice = [_failing(_violation("a\n  b\tc", actions=WARN), actions=WARN, binding=name) for name in ("x", "y")]

    assert _combine(*twice).warnings == ("policy guard: a b c",)


def test_a_warning_that_ends_its_sentence_gets_no_second_stop() -> None:
    ended = _failing(_violation("It is so.", actions=WARN, remediation="mend it"), actions=WARN)

    assert _combine(ended).warnings == ("policy guard: It is so. Next step: mend it",)


# Languages


@pytest.mark.parametrize(
    ("evaluations", "message"),
    [
        pytest.param(
            [
                _failing(
                    _violation("ディスク data は ReadWriteOnce です", remediation="ReadWriteMany を使用してください")
                )
            ],
            "VirtualMachineInstanceMigration prod/move はポリシー guard により拒否されました: "
            "ディスク data は ReadWriteOnce です\n"
            "対処方法: ReadWriteMany を使用してください\n"
            "(判定 ID: d-1)",
            id="one reason",
        ),
        pytest.param(
            [_failing(_violation("一つ目"), _violation("二つ目", remediation="直す"))],
            "VirtualMachineInstanceMigration prod/move はポリシー guard により、2 件の理由で拒否されました:\n"
            "- guard: 一つ目\n"
            "- guard: 二つ目\n"
            "  対処方法: 直す\n"
            "(判定 ID: d-1)",
            id="several reasons",
        ),
        pytest.param(
            [_failing(_violation("一つ目", "a"), policy="a"), _failing(_violation("二つ目", "b"), policy="b")],
            "VirtualMachineInstanceMigration prod/move は 2 件のポリシーにより拒否されました:\n"
            "- a: 一つ目\n"
            "- b: 二つ目\n"
            "(判定 ID: d-1)",
            id="several policies",
        ),
        pytest.param(
            [_broken()],
            "VirtualMachineInstanceMigration prod/move はポリシー guard により拒否されました: 判定できませんでした: "
            "vmi.critical is not available: the cache is stale\n"
            "対処方法: もう一度実行してください。解消しない場合は、migguard の管理者に知らせてください\n"
            "(判定 ID: d-1)",
            id="could not be judged",
        ),
    ],
)
def test_a_refusal_in_japanese(evaluations: list[Evaluation], message: str) -> None:
    assert _combine(*evaluations, language="ja").message == message


@pytest.mark.parametrize(
    ("evaluation", "warning"),
    [
        pytest.param(
            _failing(_violation("注意です", actions=WARN, remediation="直してください"), actions=WARN),
            "ポリシー guard: 注意です。対処方法: 直してください",
            id="with a next step",
        ),
        pytest.param(
            _failing(_violation("注意です。", actions=WARN, remediation="直してください"), actions=WARN),
            "ポリシー guard: 注意です。対処方法: 直してください",
            id="message that ends its sentence",
        ),
        pytest.param(
            _failing(_violation("注意です", actions=WARN), actions=WARN), "ポリシー guard: 注意です", id="alone"
        ),
        pytest.param(
            _broken(actions=WARN),
            "ポリシー guard は判定できませんでした: vmi.critical is not available: the cache is stale",
            id="could not be judged",
        ),
        pytest.param(
            Evaluation(policy="guard", result=Result.PASS, warnings=("64Mi に設定しました",)),
            "ポリシー guard: 64Mi に設定しました",
            id="mutation",
        ),
    ],
)
def test_a_warning_in_japanese(evaluation: Evaluation, warning: str) -> None:
    assert _combine(evaluation, language="ja").warnings == (warning,)


# Errors


@pytest.mark.parametrize("origin", ["User", "VirtAPI", "an origin of tomorrow"])
def test_people_are_refused_where_a_policy_cannot_be_judged(origin: str) -> None:
    decision = _combine(_broken(), origin=origin)

    assert not decision.allowed
    assert (decision.code, decision.reason) == (503, "ServiceUnavailable")
    assert decision.message == (
        "VirtualMachineInstanceMigration prod/move was refused by policy guard: it could not be judged: "
        "vmi.critical is not available: the cache is stale\n"
        "Next step: try again; if it stays, show this to whoever runs migguard\n"
        "(decision d-1)"
    )


@pytest.mark.parametrize(
    ("evaluation", "origin"),
    [
        pytest.param(_broken(), "Drain", id="system component"),
        pytest.param(_broken(failure="Ignore"), "User", id="failurePolicy Ignore"),
        pytest.param(_broken(actions=WARN), "User", id="policy that warns"),
        pytest.param(_broken(actions=AUDIT), "User", id="policy that audits"),
    ],
)
def test_an_error_that_does_not_refuse_is_on_record(evaluation: Evaluation, origin: str) -> None:
    decision = _combine(evaluation, origin=origin)

    assert decision.allowed
    assert decision.audit_annotations["error.guard"] == "vmi.critical is not available: the cache is stale"


@pytest.mark.parametrize(
    ("evaluation", "warned"),
    [
        pytest.param(_broken(actions=WARN), True, id="Warn"),
        pytest.param(_broken(actions=WARN, failure="Ignore"), False, id="Warn and ignore"),
        pytest.param(_broken(actions=AUDIT), False, id="Audit"),
        pytest.param(_broken(), False, id="Deny"),
    ],
)
def test_a_policy_that_warns_also_warns_that_it_could_not_be_judged(evaluation: Evaluation, warned: bool) -> None:
    text = "policy guard could not be judged: vmi.critical is not available: the cache is stale"

    assert _combine(evaluation).warnings == ((text,) if warned else ())


def test_a_violation_outweighs_an_error_of_the_same_policy() -> None:
    both = _failing(_violation("no"), error="validations[1]: broken")

    assert _combine(both).code == 403


# Audit annotations


def test_annotations_say_what_happened_by_policy() -> None:
    decision = _combine(
        Evaluation(policy="a", result=Result.PASS, audit_annotations={"a.source": "KubeVirt"}),
        Evaluation(policy="b", result=Result.SKIP, exemption="move-week"),
        _failing(_violation("x", "c", AUDIT), _violation("y", "c", AUDIT), policy="c", actions=AUDIT),
    )

    assert decision.allowed
    assert decision.warnings == ()
    assert decision.audit_annotations == {
        "decision-id": "d-1",
        "origin": "User",
        "policy-set": "sha256:abc",
        "a.source": "KubeVirt",
        "exemption.b": "move-week",
        "violation.c": "x; y",
    }


def test_an_annotation_is_cut_to_what_fits_into_a_line_of_the_audit_log() -> None:
    long = Evaluation(policy="a", result=Result.PASS, audit_annotations={"a.long": "x" * 5000})

    assert len(_combine(long).audit_annotations["a.long"]) == MAX_ANNOTATION


def test_a_skipped_policy_refuses_nothing() -> None:
    assert _combine(Evaluation(policy="guard", result=Result.SKIP, exemption="move-week")).allowed
