"""The audit record: its fields, and that it stays bounded and plain whatever comes."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import __version__
from webhook.audit import record as module
from webhook.audit.basis import Basis
from webhook.audit.pruning import DROPPED
from webhook.audit.record import record
from webhook.model.decision import Action, Decision, Evaluation, Result, Stage, Violation
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, Phase, UserInfo

TIME = datetime(2026, 3, 1, 12, 0, 0, 5000, tzinfo=UTC)

REQUEST = AdmissionRequest(
    uid="705ab4f5",
    kind=GroupVersionKind("kubevirt.io", "v1", "VirtualMachineInstanceMigration"),
    resource=GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstancemigrations"),
    request_kind=GroupVersionKind("kubevirt.io", "v1alpha3", "VirtualMachineInstanceMigration"),
    namespace="prod",
    operation=Operation.CREATE,
    user=UserInfo(username="alice", groups=("dev",), extra={"example.org/token": ("secret-value",)}),
    object={"metadata": {"generateName": "move-"}, "spec": {"vmiName": "db", "secret": "body-value"}},
    dry_run=True,
)

DECISION = Decision(
    id="d-1",
    uid="705ab4f5",
    allowed=False,
    code=403,
    reason="Forbidden",
    message="refused",
    warnings=("careful",),
    audit_annotations={"decision-id": "d-1"},
    evaluations=(
        Evaluation(
            policy="may-migrate",
            result=Result.FAIL,
            violations=(
                Violation(policy="may-migrate", validation=0, message="no right", actions=frozenset({Action.DENY})),
            ),
            facts_read=frozenset({"requester.canMigrate"}),
            seconds=0.001,
        ),
    ),
    facts={"requester.canMigrate": False},
    unavailable={"vmi.node": "stale"},
    questions=({"user": "alice", "canI": "create vmim", "allowed": False},),
    origin="User",
    revision="sha256:12",
    seconds={"total": 0.0025},
)


def written(request=REQUEST, decision=DECISION, cluster="") -> dict[str, Any]:
    return record(request, Phase.VALIDATE, decision, time=TIME, replica="pod-1", cluster=cluster)


def test_a_record_has_the_names_of_opa_and_of_admission_review():
    found = written(cluster="east")
    assert found["decision_id"] == "d-1"
    assert found["timestamp"] == "2026-03-01T12:00:00.005000Z"
    assert found["labels"] == {"id": "pod-1", "version": __version__, "cluster": "east"}
    assert found["path"] == "validate"
    assert found["revision"] == "sha256:12"
    assert found["requested_by"] == "alice"
    assert found["origin"] == "User"
    assert found["metrics"] == {"timer_total_ns": 2_500_000}
    request = found["input"]["request"]
    assert request["uid"] == "705ab4f5"
    assert request["operation"] == "CREATE"
    assert request["resource"] == {
        "group": "kubevirt.io",
        "version": "v1",
        "resource": "virtualmachineinstancemigrations",
    }
    assert request["requestKind"]["version"] == "v1alpha3"
    assert request["requestResource"] is None
    assert (request["namespace"], request["name"], request["dryRun"]) == ("prod", "move-*", True)
    assert request["userInfo"]["groups"] == ["dev"]
    response = found["result"]["response"]
    assert (response["allowed"], response["warnings"]) == (False, ["careful"])
    assert response["status"] == {"code": 403, "reason": "Forbidden", "message": "refused"}


def test_a_record_has_what_decided():
    found = written()
    (evaluation,) = found["evaluations"]
    assert (evaluation["policy"], evaluation["result"]) == ("may-migrate", "fail")
    assert evaluation["violations"][0]["message"] == "no right"
    assert evaluation["violations"][0]["validationActions"] == ["Deny"]
    assert evaluation["facts"] == ["requester.canMigrate"]
    assert evaluation["timer_evaluate_ns"] == 1_000_000
    assert found["facts"] == {"requester.canMigrate": False}
    assert found["unavailable"] == {"vmi.node": "stale"}
    assert found["questions"][0]["allowed"] is False
    assert "truncated" not in found


def test_a_record_holds_no_object_and_no_token():
    text = json.dumps(written())
    assert "body-value" not in text
    assert "secret-value" not in text
    assert "example.org/token" in text


BASIS = Basis(
    object={"spec": {"vmiName": "db", DROPPED: ["secret"]}},
    options={"fieldManager": "kubectl"},
    namespace={"metadata": {"name": "prod", "labels": {"tier": "1"}}},
    parameters={"critical": "0123456789ab"},
)


def test_with_its_basis_a_record_has_what_the_decision_can_be_made_again_from():
    found = record(REQUEST, Phase.VALIDATE, DECISION, time=TIME, replica="pod-1", cluster="", basis=BASIS)["input"]
    assert found["request"]["object"] == {"spec": {"vmiName": "db", DROPPED: ["secret"]}}
    assert found["request"]["oldObject"] is None
    assert found["request"]["options"] == {"fieldManager": "kubectl"}
    assert found["namespaceObject"]["metadata"]["labels"] == {"tier": "1"}
    assert found["parameters"] == {"critical": "0123456789ab"}
    assert found["requestName"] == ""  # the name in the record is made up of metadata.generateName
    assert "namespaceUnavailable" not in found


def test_of_the_fact_that_holds_what_the_authenticator_added_only_the_keys_are_kept():
    facts = {"requester.extra": {"example.org/token": ["secret-value"]}}
    stages = (Stage(facts, {}), Stage({"vmi.node": "n1"}, {}))
    found = written(decision=Decision(id="d", uid="u", allowed=True, facts=facts, stages=stages))
    assert found["facts"] == found["stages"][0]["facts"] == {"requester.extra": {DROPPED: ["example.org/token"]}}
    assert "secret-value" not in json.dumps(found)


def test_facts_stand_by_stage_only_where_more_was_asked_about_than_the_object_as_it_came():
    first, untouched = Stage({"config.after": 1}, {}), Stage({}, {})
    again = Stage({"config.after": 2}, {"vmi.node": "stale"})
    assert "stages" not in written(decision=Decision(id="d", uid="u", allowed=True, stages=(first, untouched)))
    assert written(decision=Decision(id="d", uid="u", allowed=True, stages=(first, again)))["stages"] == [
        {"facts": {"config.after": 1}, "unavailable": {}},
        {"facts": {"config.after": 2}, "unavailable": {"vmi.node": "stale"}},
    ]


def test_two_records_of_one_decision_are_equal():
    assert written() == written()


@pytest.mark.parametrize(
    ("facts", "path", "kept"),
    [
        pytest.param({"a": "x" * 10_000}, "facts.a", "x" * module.MAX_TEXT + "…", id="long-text"),
        pytest.param({"a": [0] * 500}, "facts.a", [0] * module.MAX_ITEMS, id="long-list"),
        pytest.param({"a": [[[[[[[[[[[[1]]]]]]]]]]]]}, "facts.a" + "[0]" * 10, [[[[[[[[[["…"]]]]]]]]]], id="deep"),
    ],
)
def test_what_is_too_large_is_cut_and_the_cut_is_marked(facts, path, kept):
    found = written(decision=Decision(id="d", uid="u", allowed=True, facts=facts))
    assert found["truncated"] == [path]
    assert found["facts"]["a"] == kept


def test_a_flood_of_large_facts_leaves_the_rest_of_the_record_whole():
    facts = {f"fact{number}": {"k" * 100: "x" * 4000} for number in range(2000)}
    found = written(decision=Decision(id="d", uid="u", allowed=True, evaluations=DECISION.evaluations, facts=facts))
    assert len(json.dumps(found)) < 600_000
    assert found["truncated"]
    assert found["evaluations"][0]["policy"] == "may-migrate"


@pytest.mark.parametrize(
    ("value", "plain"),
    [
        pytest.param(float("nan"), "nan", id="nan"),
        pytest.param(float("inf"), "inf", id="infinite"),
        pytest.param(frozenset({"b", "a"}), ["a", "b"], id="set"),
        pytest.param(TIME, "2026-03-01T12:00:00.005000Z", id="time"),
        pytest.param(10**30, str(10**30), id="huge-number"),
        pytest.param(b"x", "b'x'", id="bytes"),
    ],
)
def test_a_value_that_is_not_json_becomes_plain(value, plain):
    assert written(decision=Decision(id="d", uid="u", allowed=True, facts={"a": value}))["facts"]["a"] == plain


JSON_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
)


@given(facts=st.dictionaries(st.text(), JSON_VALUES, max_size=5), name=st.text(), user=st.text())
def test_whatever_is_decided_the_record_is_valid_json(facts, name, user):
    request = AdmissionRequest(
        uid=name,
        kind=GroupVersionKind("", "v1", name),
        resource=GroupVersionResource("", "v1", name),
        operation=Operation.DELETE,
        user=UserInfo(username=user),
    )
    found = written(request, Decision(id=name, uid=name, allowed=True, message=name, facts=facts))
    assert json.loads(json.dumps(found, allow_nan=False)) == found
