"""What is answered when something goes wrong behind the endpoint, and how much time there is."""

import json
import logging
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.engine import policy_set, refusing
from tests.support.reviews import body
from webhook.admission import failure, review
from webhook.errors import AuditError, ReviewError
from webhook.model.decision import Decision
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.server.endpoints import allowance, answer
from webhook.telemetry import Metrics

PARAMETERS = {"installNamespaces": ["kubevirt"], "systemAccounts": [], "language": "en"}
POLICIES = policy_set(refusing())
PERSON = {"username": "alice", "groups": []}
CONTROLLER = {"username": "system:serviceaccount:kubevirt:kubevirt-controller", "groups": []}


class Service:
    """Decides as it is told, or fails as it is told, and keeps what was put on record."""

    max_time = 30.0

    def __init__(self, *, deciding: Exception | None = None, recording: Exception | None = None) -> None:
        self.metrics = Metrics()
        self.deciding = deciding
        self.recording = recording
        self.recorded: list[Decision] = []

    def decide(self, request: AdmissionRequest, phase: Phase, deadline: Deadline, decision_id: str) -> Decision:
        if self.deciding:
            raise self.deciding
        return Decision(id=decision_id, uid=request.uid, allowed=True, origin="User")

    def undecided(self, request: AdmissionRequest, phase: Phase, why: str, decision_id: str) -> Decision:
        return failure.undecided(request, phase, why, decision_id=decision_id, parameters=PARAMETERS, policies=POLICIES)

    def record(self, request: AdmissionRequest, phase: Phase, decision: Decision) -> None:
        if self.recording:
            raise self.recording
        self.recorded.append(decision)


def answered(service: Service, user: Mapping[str, Any] = PERSON) -> Any:
    return json.loads(answer(service, Phase.VALIDATE, body(userInfo=user), Deadline.after(5)))["response"]


FULL = AuditError("audit records cannot be written: No space left on device", where="/audit/audit.jsonl")


@pytest.mark.parametrize(
    ("service", "says"),
    [
        pytest.param(Service(deciding=ZeroDivisionError("x")), "internal error: ZeroDivisionError", id="accident"),
        pytest.param(Service(recording=FULL), "the decision cannot be put on record", id="no-record"),
    ],
)
def test_a_person_is_refused_with_the_reason_when_we_fail(service, says, caplog):
    response = answered(service, PERSON)
    assert response["allowed"] is False
    assert response["status"]["code"] == 503
    assert says in response["status"]["message"]
    assert caplog.records


@pytest.mark.parametrize(
    "service", [Service(deciding=KeyError("x")), Service(recording=FULL)], ids=["accident", "no-record"]
)
def test_a_drain_is_let_through_when_we_fail(service):
    assert answered(service, CONTROLLER)["allowed"] is True


def test_an_accident_is_logged_with_the_decision_id_and_put_on_record(caplog):
    service = Service(deciding=RuntimeError("boom"))
    response = answered(service)
    (logged,) = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert vars(logged)["decision_id"] == response["auditAnnotations"]["decision-id"]
    assert logged.exc_info
    assert [decision.allowed for decision in service.recorded] == [False]


def test_a_decision_that_cannot_be_recorded_is_counted_as_what_was_answered():
    service = Service(recording=FULL)
    answered(service)
    samples = [
        (sample.labels["result"], sample.value)
        for metric in service.metrics.registry.collect()
        for sample in metric.samples
        if sample.name == "migguard_decisions_total"
    ]
    assert samples == [("denied", 1.0)]


def test_the_reason_of_an_accident_says_nothing_of_its_insides():
    response = answered(Service(deciding=RuntimeError("password=hunter2")))
    assert "hunter2" not in json.dumps(response)


def test_an_accident_before_the_request_is_known_is_a_bad_request(monkeypatch):
    def broken(_):
        raise RecursionError

    monkeypatch.setattr(review, "parse", broken)
    with pytest.raises(ReviewError) as error:
        answer(Service(), Phase.VALIDATE, b"{}", Deadline.after(5))
    assert error.value.status == 400


def test_each_decision_has_an_id_of_its_own():
    service = Service()
    answered(service)
    answered(service)
    assert len({decision.id for decision in service.recorded}) == 2


@pytest.mark.parametrize(
    ("timeout", "longest", "seconds"),
    [
        pytest.param("10s", 30.0, 9.0, id="default"),
        pytest.param("1s", 30.0, 0.9, id="short"),
        pytest.param("30s", 30.0, 29.0, id="longest"),
        pytest.param("30s", 5.0, 5.0, id="our-limit"),
        pytest.param("", 30.0, 9.0, id="not-given"),
        pytest.param("soon", 30.0, 9.0, id="unreadable"),
        pytest.param("0s", 30.0, 9.0, id="zero"),
    ],
)
def test_the_api_servers_timeout_less_a_margin_bounds_the_decision(timeout, longest, seconds):
    assert allowance(timeout, longest) == pytest.approx(seconds)
