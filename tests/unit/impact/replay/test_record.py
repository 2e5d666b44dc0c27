"""Records as a replay takes them: what can be replayed, what not and why, and what came of them then."""

# ruff: noqa: E501 - a case is one line

import copy
from dataclasses import replace

import pytest

from tests.support import builders
from tests.support.engine import judging, policy, refusing
from tests.unit.impact.replaying import given, migration, policies, recorded
from webhook.audit.pruning import DROPPED
from webhook.impact.replay.record import (
    ALLOWED,
    DENIED,
    Recorded,
    UnusableError,
    hidden,
    is_record,
    marked,
    without_marks,
)
from webhook.model.request import Phase
from webhook.policy.fieldsread import FieldsRead

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


OBJECT = {"a": {"b": 1, DROPPED: ["c"]}, "list": [{"x": 1, DROPPED: ["y"]}], "map": {"k": {DROPPED: ["*"]}}}


@pytest.mark.parametrize(
    ("path", "whole", "found"),
    [
        pytest.param("a.b", True, "", id="kept"),
        pytest.param("a.c", True, "object.a.c", id="dropped"),
        pytest.param("a.d", True, "", id="was-not-there"),
        pytest.param("a", True, "object.a", id="the-whole-of-what-was-pruned"),
        pytest.param("a", False, "", id="only-that-it-is-there"),
        pytest.param("a.c", False, "object.a.c", id="that-it-was-there-but-not-its-type"),
        pytest.param("map.k.any", True, "object.map.k.any", id="any-name"),
        pytest.param("list.[].x", True, "", id="items"),
        pytest.param("list.[].y", True, "object.list[].y", id="dropped-of-items"),
        pytest.param("list.x", True, "object.list.x", id="a-list-in-place-of-a-mapping"),
        pytest.param("a.[]", False, "object.a[]", id="a-mapping-in-place-of-a-list"),
        pytest.param("a.b.c", True, "", id="below-a-number"),
    ],
)
def test_a_field_that_is_not_on_record_is_found(path, whole, found):
    paths = frozenset({("object", *path.split("."))})
    assert hidden({"object": OBJECT}, FieldsRead(paths) if whole else FieldsRead(present=paths)) == found


def test_marks_are_not_part_of_an_object():
    assert without_marks(OBJECT) == {"a": {"b": 1}, "list": [{"x": 1}], "map": {"k": {}}}
    assert marked(OBJECT)
    assert not marked(without_marks(OBJECT))


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
