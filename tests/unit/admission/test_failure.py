"""What is answered when we cannot decide: people are refused and told why, system components pass and are recorded."""

from __future__ import annotations

import pytest

from tests.support.engine import request
from webhook.admission.failure import is_person, undecided
from webhook.kubevirt.requester import Origin
from webhook.model.request import Phase, UserInfo
from webhook.policy.loader import default_parameters

WHY = "the kube-apiserver has not been reached for 90 s"
ACCOUNT = "system:serviceaccount:kubevirt:"


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
        request(user=UserInfo(username=username)), phase, WHY, decision_id="d-1", parameters=default_parameters()
    )

    assert not decision.allowed
    assert (decision.code, decision.reason) == (503, "ServiceUnavailable")
    assert decision.message == (
        f"VirtualMachineInstanceMigration prod/move could not be judged, so it was refused: {WHY}\n"
        "Next step: try again; if it stays, show this to whoever runs migguard.\n"
        "(decision d-1)"
    )
    assert decision.audit_annotations["undecided"] == f"{phase}: {WHY}"


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
    )

    assert decision.allowed
    assert (decision.code, decision.reason, decision.message) == (200, "", "")
    assert decision.origin == origin
    assert decision.audit_annotations == {"decision-id": "d-1", "origin": origin, "undecided": f"validate: {WHY}"}


def test_a_reason_of_any_length_fits_into_the_audit_log() -> None:
    decision = undecided(request(), Phase.MUTATE, "x" * 5000, decision_id="d-1", parameters=default_parameters())

    assert len(decision.audit_annotations["undecided"]) == 1024
