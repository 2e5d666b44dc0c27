"""Records as a replay takes them: what can be replayed, what not and why, and what came of them then."""

# ruff: noqa: E501 - a case is one line

import copy
from dataclasses import replace

import pytest

from tests.support import builders
from tests.support.engine import judging, policy, refusing
from tests.unit.impact.replaying import given, migration, policies, recorded
from webhook.audit.pruning import DROPPED
from webhook.impact.replay.record import ALLOWED, DENIED, Recorded, UnusableError, is_record
from webhook.model.request import Phase

RECORD = recorded(policies(policy()), migration())


def changed(path: str, value: object) -> dict[str, object]:
    """The record with another value at a dotted path; None takes it away."""
    record = copy.deepcopy(RECORD)
    *branch, last = path.split(".")
    node = record
    for step in branch:
        node = node.setdefault(step, {})
    if value is None:
        del node[last]
    else:
        node[last] = value
    return record


@pytest.mark.parametrize(
    ("record", "why"),
    [
        pytest.param(changed("input.request.object", None), "too old", id="before-objects-were-kept"),
        pytest.param(changed("path", "other"), "names no phase", id="no-phase"),
        pytest.param(changed("truncated", ["input.request.userInfo.groups"]), "was cut", id="groups-were-cut"),
        pytest.param(changed("truncated", ["evaluations[3].violations"]), "was cut", id="evaluations-were-cut"),
        pytest.param(
            changed("input.request.object.metadata.labels", {DROPPED: ["a"]}), "was cut", id="labels-were-dropped"
        ),
        pytest.param(changed("input.request.object.metadata", {DROPPED: ["labels"]}), "was cut", id="all-labels-were"),
        pytest.param(changed("input.parameters.critical", ["a"]), "input.parameters holds", id="digests-that-are-none"),
        pytest.param(changed("input.request.object", ["a"]), "input.request.object is no", id="an-object-that-is-none"),
        pytest.param(
            changed("input.request.oldObject", 1), "input.request.oldObject is no", id="an-old-object-that-is-none"
        ),
        pytest.param(
            changed("evaluations", [{"patch": {"op": "add"}}]), "evaluations holds", id="a-patch-that-is-none"
        ),
        pytest.param(
            changed("evaluations", [{"patch": [["add"]]}]), "evaluations holds", id="an-operation-that-is-none"
        ),
        pytest.param(
            changed("evaluations", [{"patch": [{"op": "add", "path": 1}]}]),
            "evaluations holds",
            id="a-path-that-is-none",
        ),
        pytest.param(
            changed("result.response.auditAnnotations.undecided", "validate: a full disk"),
            "could not be judged",
            id="it-was-not-decided",
        ),
    ],
)
def test_what_cannot_be_replayed_says_why(record, why):
    with pytest.raises(UnusableError, match=why):
        Recorded(record)


@pytest.mark.parametrize("path", ["input.request.kind", "input.request.resource", "input.request.operation"])
def test_a_record_without_what_makes_a_request_has_none(path):
    with pytest.raises(UnusableError, match="no kind, resource or operation"):
        given(changed(path, None)).admission_request()


@pytest.mark.parametrize("time", [pytest.param("yesterday", id="no-time"), pytest.param("2026-03-01", id="no-zone")])
def test_a_record_without_a_time_cannot_be_judged(time):
    with pytest.raises(UnusableError, match="timestamp"):
        _ = given(changed("timestamp", time)).moment


def test_a_fact_that_was_cut_does_not_make_a_record_useless():
    assert Recorded(changed("truncated", ["facts.vmi.obstacles[7]"])).phase is Phase.VALIDATE


def test_the_request_is_the_one_that_was_made():
    asked = migration()
    again = given(recorded(policies(judging("object.spec.vmiName == 'db'")), asked)).admission_request()
    assert (again.name, again.namespace, again.user, again.kind) == (
        asked.name,
        asked.namespace,
        asked.user,
        asked.kind,
    )
    assert again.object == asked.object


def test_a_name_that_the_server_had_yet_to_generate_is_not_taken_for_one():
    unnamed = builders.vmim()
    unnamed["metadata"] = {"generateName": "move-", "namespace": "prod"}
    again = given(recorded(policies(policy()), replace(migration(), name="", object=unnamed)))
    assert again.admission_request().name == ""
    assert again.admission_request().subject.name == "move-*"


@pytest.mark.parametrize(
    ("documents", "verdict", "denied_by", "warned_by"),
    [
        pytest.param([policy()], ALLOWED, (), (), id="nothing"),
        pytest.param([refusing("a"), refusing("b"), policy("c")], DENIED, ("a", "b"), (), id="refused-by-two"),
        pytest.param([refusing(validationActions=["Warn"])], ALLOWED, (), ("guard",), id="a-warning"),
        pytest.param([refusing(validationActions=["Audit"])], ALLOWED, (), (), id="a-note"),
        pytest.param([judging("object.spec.none")], DENIED, ("guard",), (), id="an-error"),
        pytest.param([judging("object.spec.none", failurePolicy="Ignore")], ALLOWED, (), (), id="an-ignored-error"),
        pytest.param([judging("object.spec.none", validationActions=["Warn"])], ALLOWED, (), ("guard",), id="an-error-as-warning"),
    ],
)  # fmt: skip
def test_what_came_of_it_is_read_by_policy(documents, verdict, denied_by, warned_by):
    outcome = given(recorded(policies(*documents), migration())).outcome()
    assert (outcome.verdict, outcome.denied_by, outcome.warned_by) == (verdict, denied_by, warned_by)


@pytest.mark.parametrize(
    ("node", "expected"),
    [
        pytest.param(RECORD, True, id="record"),
        pytest.param({"level": "info", "message": "ready"}, False, id="a-log-line"),
        pytest.param([1], False, id="a-list"),
        pytest.param({"input": {"request": 1}, "result": {}}, False, id="of-wrong-types"),
    ],
)
def test_records_are_told_from_other_json(node, expected):
    assert is_record(node) is expected
