"""What is answered when we cannot decide: people are refused and told why, system components pass and are recorded."""

from __future__ import annotations

import pytest

from tests.support.engine import EVERYTHING, Json, policy_set, refusing, request
from webhook.admission.failure import is_person, undecided
from webhook.admission.natives import CATALOG
from webhook.kubevirt.requester import Origin
from webhook.model.request import Phase, UserInfo
from webhook.policy.loader import default_parameters

WHY = "the kube-apiserver has not been reached for 90 s"
ACCOUNT = "system:serviceaccount:kubevirt:"
GUARDED = policy_set(refusing())
"""Policies that refuse people whatever they write."""


@pytest.mark.parametrize(
    ("origin", "person"),
    [
        (Origin.USER, True),
        (Origin.VIRT_API, True),
        (Origin.DRAIN, False),
        (Origin.WORKLOAD_UPDATE, False),
        (Origin.OPERATOR, False),
        (Origin.OTHER_SYSTEM, False),
        ("Something new", True),
        ("", True),
    ],
)
def test_behind_these_origins_a_person_waits(origin: str, person: bool) -> None:
    assert is_person(origin) is person


def test_every_origin_is_in_the_table_above() -> None:
    assert set(Origin) == {"User", "VirtAPI", "Drain", "WorkloadUpdate", "Operator", "OtherSystem"}


@pytest.mark.parametrize("phase", list(Phase))
@pytest.mark.parametrize(
    "username", ["alice", f"{ACCOUNT}kubevirt-apiserver", "system:serviceaccount:evil:kubevirt-controller"]
)
def test_people_are_refused_and_told_why_and_what_to_do(username: str, phase: Phase) -> None:
    decision = undecided(
        request(user=UserInfo(username=username)),
        phase,
        WHY,
        decision_id="d-1",
        parameters=default_parameters(),
        policies=GUARDED,
    )

    assert not decision.allowed
    assert (decision.code, decision.reason) == (503, "ServiceUnavailable")
    assert decision.message == (
        f"VirtualMachineInstanceMigration prod/move could not be judged, so it was refused: {WHY}\n"
        "Next step: try again; if it stays, show this to whoever runs migguard.\n"
        "(decision d-1)"
    )
    assert decision.audit_annotations["undecided"] == f"{phase}: {WHY}"


def test_people_are_told_in_the_language_of_parameters() -> None:
    parameters = {**default_parameters(), "language": "ja"}
    decision = undecided(request(), Phase.VALIDATE, WHY, decision_id="d-1", parameters=parameters, policies=GUARDED)

    assert decision.message == (
        f"VirtualMachineInstanceMigration prod/move は判定できなかったため、拒否されました: {WHY}\n"
        "対処方法: もう一度実行してください。解消しない場合は、migguard の管理者に知らせてください。\n"
        "(判定 ID: d-1)"
    )
    assert decision.audit_annotations["undecided"] == f"validate: {WHY}"


@pytest.mark.parametrize(
    ("username", "origin"),
    [
        (f"{ACCOUNT}kubevirt-controller", "Drain"),
        (f"{ACCOUNT}kubevirt-operator", "Operator"),
        ("system:serviceaccount:kube-system:namespace-controller", "OtherSystem"),
    ],
)
def test_system_components_pass_and_are_recorded(username: str, origin: str) -> None:
    decision = undecided(
        request(user=UserInfo(username=username)),
        Phase.VALIDATE,
        WHY,
        decision_id="d-1",
        parameters=default_parameters(),
        policies=GUARDED,
    )

    assert decision.allowed
    assert (decision.code, decision.reason, decision.message) == (200, "", "")
    assert decision.origin == origin
    assert decision.audit_annotations == {"decision-id": "d-1", "origin": origin, "undecided": f"validate: {WHY}"}


def test_a_reason_of_any_length_fits_into_the_audit_log() -> None:
    decision = undecided(
        request(), Phase.MUTATE, "x" * 5000, decision_id="d-1", parameters=default_parameters(), policies=GUARDED
    )

    assert len(decision.audit_annotations["undecided"]) == 1024


@pytest.mark.parametrize(
    ("document", "refused"),
    [
        pytest.param(refusing(), True, id="a-policy-that-refuses"),
        pytest.param(refusing(validationActions=["Warn"]), False, id="one-that-only-warns"),
        pytest.param(refusing(failurePolicy="Ignore"), False, id="one-that-lets-pass-what-it-cannot-judge"),
        pytest.param(refusing(origins=["Drain"]), False, id="one-for-others"),
        pytest.param(
            refusing(matchConstraints={"resourceRules": [{**EVERYTHING, "resources": ["pods/eviction"]}]}),
            False,
            id="one-for-something-else",
        ),
        pytest.param(
            refusing(matchConditions=[{"name": "c", "expression": "object.spec.vmiName == 'other'"}]),
            False,
            id="one-whose-condition-the-request-does-not-meet",
        ),
        pytest.param(
            refusing(matchConditions=[{"name": "c", "expression": "vmi.critical"}]),
            True,
            id="one-whose-condition-takes-a-fact",
        ),
        pytest.param(
            refusing(
                matchConstraints={"resourceRules": [EVERYTHING], "namespaceSelector": {"matchLabels": {"a": "b"}}}
            ),
            True,
            id="one-for-namespaces-whose-labels-are-not-known",
        ),
    ],
)
def test_people_are_refused_only_what_a_policy_would_refuse_them_then(document: Json, refused: bool) -> None:
    policies = policy_set(document, catalog=CATALOG)
    decision = undecided(
        request(), Phase.VALIDATE, WHY, decision_id="d-1", parameters=default_parameters(), policies=policies
    )
    assert decision.allowed is not refused
    assert "undecided" in decision.audit_annotations


def test_whether_a_policy_would_refuse_is_asked_about_the_origin_that_the_answer_names() -> None:
    people_only = refusing(matchConditions=[{"name": "c", "expression": "requester.origin == 'User'"}])
    parameters = {**default_parameters(), "installNamespaces": ["openshift-cnv"]}
    lookalike = request(user=UserInfo(username="system:serviceaccount:kubevirt:kubevirt-operator"))
    decision = undecided(
        lookalike,
        Phase.VALIDATE,
        WHY,
        decision_id="d-1",
        parameters=parameters,
        policies=policy_set(people_only, catalog=CATALOG),
    )
    assert (decision.origin, decision.allowed) == ("User", False)
