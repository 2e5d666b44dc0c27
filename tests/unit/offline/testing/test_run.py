"""Cases through the pipeline: phases, clock, cluster state, and look-ups that a test does not answer."""

from pathlib import Path

import pytest
import yaml

from tests.support.policytests import (
    BINDING,
    LABELLED,
    NAMESPACE,
    ROLE,
    Write,
    case,
    mismatches,
    results,
)
from webhook.offline.testing.run import Bench
from webhook.offline.testing.suite import suites


def test_validation_sees_what_mutation_changed_and_mutation_that_changes_nothing_is_no_patch(write: Write) -> None:
    both, labelled = results(write(case({"allowed": True}), case({"patch": []}, name="labelled", object=LABELLED)))
    assert both.passed
    assert [len(decision.patch) for decision in both.outcome.decisions] == [1, 0]
    assert both.outcome.object is not None
    assert both.outcome.object["metadata"]["labels"] == {"priority": "normal"}
    assert labelled.passed


def test_a_test_may_choose_the_language(write: Write) -> None:
    expect = {"allowed": False, "message": ["はポリシー may-migrate により拒否されました", "bob は許可されていません"]}
    assert mismatches(write(case(expect, user="bob"), parameters={"language": "ja"})) == []
    assert mismatches(write(case({"message": "bob may not"}, user="bob"))) == []


def test_parameters_are_laid_over_those_of_the_policies(write: Write) -> None:
    expect = {"patched": {"metadata": {"labels": {"priority": "low"}}}}
    assert mismatches(write(case(expect), parameters={"params": {"priority": "low"}})) == []


def test_the_clock_decides_whether_an_exemption_is_in_force(write: Write) -> None:
    one = case({"allowed": True}, user="night-shift", phase="validate", object=LABELLED)
    assert mismatches(write(one, now="2026-12-31T23:59:59Z")) == []
    assert mismatches(write(one, now="2027-01-01")) == ["allowed: expected true, got false"]


def test_objects_of_the_test_take_the_place_of_those_in_the_cluster_s_manifests(write: Write, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump_all([NAMESPACE, ROLE, BINDING]))
    other = {**BINDING, "subjects": [{"kind": "User", "name": "bob"}]}
    cluster = ["../../../cluster.yaml"]
    folder = write(case({"allowed": True}, user="bob"), cluster=cluster, objects=[other])
    assert mismatches(folder) == []
    assert mismatches(write(case({"allowed": True}), cluster=cluster, objects=[])) == []


EFFECTIVE = {"permission": {"mode": "effective"}}
REVIEWS = [
    {"user": "carol", "canI": "create virtualmachineinstancemigrations.kubevirt.io -n prod", "allowed": True},
    {
        "user": "*",
        "verb": "update",
        "group": "subresources.kubevirt.io",
        "resource": "virtualmachines",
        "subresource": "migrate",
        "namespace": "prod",
        "name": "db",
        "allowed": True,
    },
]


def test_stated_access_reviews_answer_the_permission_questions(write: Write) -> None:
    (result,) = results(write(case({"allowed": True}, user="carol"), parameters=EFFECTIVE, accessReviews=REVIEWS))
    asked = [question["canI"] for decision in result.outcome.decisions for question in decision.questions]
    assert asked, "the case must ask at least one question, or it shows nothing"
    assert result.mismatches == ()


def test_a_question_that_the_stated_reviews_do_not_answer_fails_the_case(write: Write) -> None:
    one = case({"allowed": False, "errors": ["accessReviews"]}, user="mallory")
    (mismatch,) = mismatches(write(one, parameters=EFFECTIVE, accessReviews=REVIEWS))
    assert mismatch.startswith(
        "accessReviews: expected an answer to every question, got mallory: create virtualmachine"
    )


def test_answers_of_a_case_come_before_those_of_the_test(write: Write) -> None:
    denied = {"user": "carol", "canI": REVIEWS[0]["canI"], "allowed": False}
    one = case({"allowed": False}, user="carol", accessReviews=[denied])
    assert mismatches(write(one, parameters=EFFECTIVE, accessReviews=REVIEWS)) == []


def test_a_case_may_differ_from_the_cluster_of_the_test(write: Write) -> None:
    other = {
        **BINDING,
        "metadata": {"name": "more", "namespace": "prod"},
        "subjects": [{"kind": "User", "name": "bob"}],
    }
    replaced = {**BINDING, "subjects": [{"kind": "User", "name": "bob"}]}
    gone = [{"kind": "RoleBinding", "namespace": "prod"}]
    cases = [
        case({"allowed": True}, name="one more object", user="bob", objects=[other]),
        case({"allowed": False, "policy": "may-migrate"}, name="another object of that name", objects=[replaced]),
        case({"allowed": False, "policy": "may-migrate"}, name="an object less", absent=gone),
        case({"allowed": True}, name="one in the place of others", user="bob", objects=[replaced], absent=gone),
        case({"allowed": True}, name="as the test has it"),
    ]
    assert mismatches(write(*cases)) == []


def test_a_case_may_have_its_own_time(write: Write) -> None:
    one = case({"exemption": "until-new-year"}, user="night-shift")
    late = case({"exemption": ""}, name="late", user="night-shift", now="2027-01-01")
    assert mismatches(write(one, late, now="2026-12-24")) == []


@pytest.mark.parametrize(
    "absent",
    [
        pytest.param({"kind": "ClusterRole", "name": "kubevirt.io:migrate"}, id="by-name"),
        pytest.param({"kind": "ClusterRole"}, id="by-kind"),
    ],
)
def test_a_look_up_by_name_needs_an_object_or_a_statement(write: Write, absent: dict[str, str]) -> None:
    objects = [NAMESPACE, BINDING]
    (result,) = results(write(case({"allowed": False}), objects=objects))
    (mismatch,) = result.mismatches
    assert mismatch.field == "cluster"
    assert mismatch.got.startswith("ClusterRole kubevirt.io:migrate was looked up")
    assert yaml.safe_load(mismatch.hint) == {"absent": [{"kind": "ClusterRole", "name": "kubevirt.io:migrate"}]}
    assert mismatches(write(case({"allowed": False}), objects=objects, absent=[absent])) == []
    assert mismatches(write(case({"allowed": False}, absent=[absent]), objects=objects)) == []


def test_suites_of_the_same_policies_share_one_policy_set(write: Write) -> None:
    folder = write(case({"allowed": True}))
    known: dict[str, object] = {}
    (suite,) = suites([folder])
    first, second = Bench.of(suite, known), Bench.of(suite, known)  # type: ignore[arg-type]  # filled there
    assert first.policies is second.policies


def test_a_case_can_be_run_once_more_step_by_step(write: Write) -> None:
    (suite,) = suites([write(case({"allowed": False}, user="bob"))])
    trace = Bench.of(suite).trace(suite.cases[0])
    assert [policy.name for policy in trace.policies if policy.decides] == ["may-migrate"]
