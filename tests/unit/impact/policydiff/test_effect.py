"""Which requests two policy sets judge otherwise."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.builders import kubevirt, namespace, vmi
from tests.support.view import View
from tests.unit.impact.policydiffsets import RULES, Json, exemption, parameters, policy, sided
from webhook.admission.pipeline import World
from webhook.impact.policydiff.compare import PolicyDiff, diff
from webhook.impact.policydiff.effect import NOT_JUDGED, Flip, try_cases, try_vms
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.offline.request import user_of
from webhook.offline.testing.suite import Suite, suites

NO_BOB = {"expression": "request.userInfo.username != 'bob'", "message": "bob moves nothing"}
NO_DRAIN = {"expression": "requester.origin != 'Drain'", "message": "no drains"}


def case(name: str, user: str) -> Json:
    obj = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "move", "namespace": "prod"},
        "spec": {"vmiName": "db"},
    }
    return {"name": name, "user": {"username": user}, "operation": "CREATE", "object": obj, "expect": {"allowed": True}}


def suite(folder: Path, *cases: Json, name: str = "moves", **spec: object) -> tuple[Suite, ...]:
    document = {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "PolicyTest",
        "metadata": {"name": name},
        "spec": {"now": "2026-03-02T12:00:00Z", "absent": [{"kind": "KubeVirt"}], "cases": list(cases), **spec},
    }
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(yaml.safe_dump(document))
    return suites([folder / f"{name}.yaml"])


def compared(old: list[Json], new: list[Json]) -> PolicyDiff:
    return diff(sided(*old, name="old"), sided(*new, name="new"))


def judgements(one: Flip) -> list[tuple[str, str, str]]:
    return [(flip.policy, flip.before, flip.after) for flip in one.policies]


BOB_ONLY = policy(validations=[NO_BOB])
BOB = {"kind": "User", "name": "bob"}
FAILS = {**NO_BOB, "expression": "request.userInfo.extra['x'][0] == 'y'"}


@pytest.fixture(name="moves")
def moves_suite(tmp_path: Path) -> tuple[Suite, ...]:
    return suite(tmp_path, case("bob moves", "bob"), case("alice moves", "alice"))


@pytest.mark.parametrize(
    ("old", "new", "before", "after"),
    [
        pytest.param([BOB_ONLY], [policy(validations=[NO_BOB], validationActions=["Warn"])], "deny", "warn", id="warn"),
        pytest.param([BOB_ONLY], [BOB_ONLY, exemption(subjects=[BOB])], "deny", "exempt", id="exempted"),
        pytest.param([BOB_ONLY], [policy(validations=[NO_BOB], origins=["Drain"])], "deny", NOT_JUDGED, id="left out"),
        pytest.param([BOB_ONLY], [policy(validations=[FAILS], failurePolicy="Ignore")], "deny", "error", id="an error"),
    ],
)
def test_a_case_that_is_judged_otherwise_is_told(
    moves: tuple[Suite, ...], old: list[Json], new: list[Json], before: str, after: str
) -> None:
    found = try_cases(compared(old, new), (), moves)
    (flip,) = (one for one in found.flips if one.subject == "moves/bob moves")
    assert (found.judged, judgements(flip)) == (2, [("guard", before, after)])
    assert (flip.allowed_before, flip.allowed_after) == (False, True)
    back = try_cases(compared(new, old), (), moves)
    (flipped,) = (one for one in back.flips if one.subject == "moves/bob moves")
    assert judgements(flipped) == [("guard", after, before)]
    assert (flipped.allowed_before, flipped.allowed_after) == (True, False)


def test_cases_that_no_policy_judges_otherwise_are_not_told(moves: tuple[Suite, ...]) -> None:
    assert try_cases(compared([BOB_ONLY], [BOB_ONLY, policy("more", validations=[NO_BOB])]), (), moves).flips != ()
    assert try_cases(compared([BOB_ONLY], [BOB_ONLY]), (), moves).flips == ()


def test_a_policy_that_is_gone_and_found_nothing_is_no_difference(moves: tuple[Suite, ...]) -> None:
    passes = policy("passes", validations=[{**NO_BOB, "expression": "true"}])
    assert try_cases(compared([BOB_ONLY, passes], [BOB_ONLY]), (), moves).flips == ()


def test_what_another_policy_refuses_anyway_shows_by_policy_and_comes_last(tmp_path: Path) -> None:
    nobody = policy("nobody", validations=[{"expression": "request.userInfo.username == 'root'", "message": "no"}])
    warned = policy(validations=[NO_BOB], validationActions=["Warn"])
    eased = policy(
        "nobody", validations=[{"expression": "request.userInfo.username in ['root', 'al']", "message": "no"}]
    )
    found = try_cases(
        compared([BOB_ONLY, nobody], [warned, eased]), (), suite(tmp_path, case("b", "bob"), case("a", "al"))
    )
    assert [(one.subject, one.allowed_before, one.allowed_after) for one in found.flips] == [
        ("moves/a", False, True),
        ("moves/b", False, False),
    ]


def test_tests_of_the_old_side_count_where_the_new_one_has_them_no_more(tmp_path: Path) -> None:
    moves = suite(tmp_path, case("bob moves", "bob"))
    gone = suite(tmp_path, case("bob moves too", "bob"), name="gone")
    found = try_cases(
        compared([BOB_ONLY], [policy(validationActions=["Warn"], validations=[NO_BOB])]), (*moves, *gone), moves
    )
    assert [one.subject for one in found.flips] == ["moves/bob moves", "gone/bob moves too"]


def test_the_parameters_of_a_test_lie_over_those_of_either_set(tmp_path: Path) -> None:
    schema = {"type": "object", "properties": {"who": {"type": "string", "default": "eve"}}}
    strict = policy(
        paramSchema=schema, validations=[{**NO_BOB, "expression": "request.userInfo.username != params.who"}]
    )
    eased = {**strict, "spec": {**strict["spec"], "validationActions": ["Warn"]}}
    moves = suite(tmp_path, case("bob moves", "bob"), case("eve moves", "eve"), parameters={"params": {"who": "bob"}})
    found = try_cases(compared([strict], [eased]), (), moves)
    assert [one.subject for one in found.flips] == ["moves/bob moves"]


def test_a_test_whose_parameters_do_not_fit_is_left_out_and_said(tmp_path: Path) -> None:
    def with_type(kind: str, **more: Any) -> Json:
        return policy(
            paramSchema={"type": "object", "properties": {"who": {"type": kind}}}, validations=[NO_BOB], **more
        )

    moves = suite(tmp_path, case("bob moves", "bob"), parameters={"params": {"who": "bob"}})
    found = try_cases(compared([with_type("string")], [with_type("integer", validationActions=["Warn"])]), (), moves)
    assert found.flips == ()
    assert "test moves was not run: " in found.notices[0]
    assert "is not of type 'integer'" in found.notices[0]


def test_what_a_mutation_that_stays_sets_is_seen_by_what_changes(tmp_path: Path) -> None:
    label = {"name": "l", "patchType": "ApplyConfiguration", "expression": "{'metadata': {'labels': {'a': 'b'}}}"}
    sets = policy("sets", validations=None, mutations=[{**label, "warning": "labelled"}])
    wants = {"expression": "object.metadata.?labels.a.orValue('') != 'b'", "message": "labelled"}
    old, new = (policy(validations=[wants], validationActions=[action]) for action in ("Deny", "Warn"))
    found = try_cases(compared([sets, old], [sets, new]), (), suite(tmp_path, case("bob moves", "bob")))
    assert [judgements(one) for one in found.flips] == [[("guard", "deny", "warn")]]


CLUSTER = View(namespace(), kubevirt(), vmi("db"), vmi("old", phase="Succeeded"), vmi("web"))


def test_the_migration_of_each_running_vm_is_judged_for_a_person_and_for_a_drain() -> None:
    world = World(CLUSTER, RBACAuthorizer(CLUSTER))
    found = try_vms(compared([policy(validations=[NO_DRAIN], origins=None)], [policy()]), world, None)
    assert found.judged == 4
    assert [(one.subject, judgements(one)) for one in found.flips] == [
        ("prod/db, asked for by kubernetes-admin", [("guard", "pass", "deny")]),
        ("prod/web, asked for by kubernetes-admin", [("guard", "pass", "deny")]),
    ]


def test_a_drain_that_is_judged_otherwise_is_told() -> None:
    world = World(CLUSTER, RBACAuthorizer(CLUSTER))
    rules = {"resourceRules": RULES}
    passes = policy(validations=[{"expression": "true", "message": "x"}], matchConstraints=rules)
    found = try_vms(compared([passes], [policy(validations=[NO_DRAIN])]), world, user_of({"username": "bob"}))
    assert {one.subject for one in found.flips} == {
        "prod/db, for a drain of its node",
        "prod/web, for a drain of its node",
    }


def test_the_person_is_the_one_who_is_named() -> None:
    world = World(CLUSTER, RBACAuthorizer(CLUSTER))
    both = compared([policy(validations=[{"expression": "true", "message": "x"}])], [BOB_ONLY, parameters()])
    assert len(try_vms(both, world, user_of({"username": "bob"})).flips) == 2
    assert try_vms(both, world, user_of({"username": "alice"})).flips == ()
