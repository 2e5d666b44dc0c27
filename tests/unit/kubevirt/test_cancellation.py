"""Who may stop what the cluster has begun. Source: domain.md §a (DELETE = cancel), §e rows 7 and 21."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.support.builders import (
    NOW,
    Json,
    cluster_role,
    cluster_role_binding,
    context,
    create,
    delete,
    request,
    role_binding,
    update,
    user,
    vm,
    vmi,
    vmim,
)
from tests.support.engine import binding, write
from tests.support.view import View
from webhook.admission.pipeline import World, decide
from webhook.kubevirt.cancellation import CANCEL_ROLE, right_to_cancel
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.ownright import grant
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.facts import Deadline, FactContext
from webhook.model.request import AdmissionRequest, Operation, Phase, UserInfo
from webhook.policy.policyset import load

POLICIES = Path(__file__).parents[3] / "policies"
CANCEL_RULES = [{"apiGroups": ["migguard.io"], "resources": ["systemmigrations"], "verbs": ["cancel"]}]
RIGHT = {"user": "alice", "canI": "cancel systemmigrations.migguard.io -n prod"}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[name].resolve(found)


def migration(phase: str, origin: str, **metadata: Any) -> Json:
    made = vmim("move", annotations={"migguard.io/origin": origin} if origin else None)
    made["metadata"] |= metadata
    return {**made, "status": {"phase": phase}}


UNFINISHED = ("", "Pending", "Scheduling", "Scheduled", "PreparingTarget", "TargetReady", "Running")


@pytest.mark.parametrize("phase", UNFINISHED)
@pytest.mark.parametrize("origin", ["Drain", "WorkloadUpdate", "Operator", "OtherSystem"])
def test_cancelling_what_the_cluster_has_begun_takes_a_right(origin: str, phase: str) -> None:
    found = context(delete(VMIM, migration(phase, origin)))
    assert ask("requester.mayCancelSystemMigrations", found) is False
    assert found.questions == [{**RIGHT, "allowed": False}]


@pytest.mark.parametrize("phase", UNFINISHED)
@pytest.mark.parametrize("origin", ["User", "VirtAPI", ""])
def test_what_people_have_begun_takes_none(origin: str, phase: str) -> None:
    found = context(delete(VMIM, migration(phase, origin)))
    assert ask("requester.mayCancelSystemMigrations", found) is True
    assert found.questions == []


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(delete(VMIM, migration("Succeeded", "Drain")), id="types.go IsFinal: Succeeded"),
        pytest.param(delete(VMIM, migration("Failed", "WorkloadUpdate")), id="types.go IsFinal: Failed"),
        pytest.param(
            delete(VMIM, migration("Running", "Drain", deletionTimestamp="2026-03-02T11:00:00Z")),
            id="it is being cancelled already",
        ),
        pytest.param(create(VMIM, migration("", "Drain")), id="a create"),
        pytest.param(update(VMIM, migration("Running", "Drain"), migration("Running", "Drain")), id="an update"),
        pytest.param(delete(VM, vm()), id="another kind"),
        pytest.param(request(VMIM, Operation.DELETE, old=None), id="nothing is known of it"),
    ],
)
def test_where_nothing_is_stopped_nobody_is_asked(asked: AdmissionRequest) -> None:
    found = context(asked)
    assert ask("requester.mayCancelSystemMigrations", found) is True
    assert ask("requester.cancelRemedy", found) == ""
    assert found.questions == []


def test_one_of_a_collection_is_judged_by_itself() -> None:
    """The API server deletes a collection object by object and leaves the request's name empty."""
    asked = request(VMIM, Operation.DELETE, old=migration("Running", "Drain"))
    found = context(asked)
    assert ask("vmim.name", found) == "move"
    assert ask("requester.mayCancelSystemMigrations", found) is False


@pytest.mark.parametrize(
    ("rbac", "allowed"),
    [
        pytest.param([role_binding("b", "prod", user("alice"), role=CANCEL_ROLE)], True, id="bound in the namespace"),
        pytest.param([role_binding("b", "test", user("alice"), role=CANCEL_ROLE)], False, id="bound in another one"),
        pytest.param([cluster_role_binding("b", user("alice"), role=CANCEL_ROLE)], True, id="bound everywhere"),
        pytest.param([cluster_role_binding("b", user("alice"), role="kubevirt.io:migrate")], False, id="may migrate"),
        pytest.param([cluster_role_binding("b", user("alice"), role="cluster-admin")], True, id="may do everything"),
    ],
)
def test_the_right_is_given_by_plain_rbac(rbac: list[Json], allowed: bool) -> None:
    roles = [
        cluster_role(CANCEL_ROLE, CANCEL_RULES),
        cluster_role(),
        cluster_role("cluster-admin", [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["*"]}]),
    ]
    found = context(delete(VMIM, migration("Running", "Drain")), *roles, *rbac)
    assert ask("requester.mayCancelSystemMigrations", found) is allowed
    assert (ask("requester.cancelRemedy", found) == "") is allowed


def test_the_question_is_asked_once_per_request() -> None:
    found = context(delete(VMIM, migration("Running", "Drain")))
    ask("requester.mayCancelSystemMigrations", found)
    ask("requester.cancelRemedy", found)
    assert len(found.questions) == 1


def test_the_remedy_makes_the_role_and_binds_it() -> None:
    found = context(delete(VMIM, migration("Running", "Drain")))
    assert ask("requester.cancelRemedy", found) == grant(found, right_to_cancel("prod"), CANCEL_ROLE)


def marked(node: Any) -> Json:
    return vmi("db", status={"evacuationNodeName": node})


@pytest.mark.parametrize(
    ("asked", "node"),
    [
        pytest.param(update(VMI, marked("node01"), vmi()), "node01", id="evacuate_cancel.go: removed"),
        pytest.param(update(VMI, marked("node01"), marked("")), "node01", id="emptied"),
        pytest.param(update(VMI, marked("node01"), marked(None)), "node01", id="null"),
        pytest.param(update(VMI, marked("node01"), vmi(), version="v1alpha3"), "node01", id="in the old version"),
        pytest.param(update(VMI, marked("node01"), marked("node01")), "", id="it stays"),
        pytest.param(update(VMI, marked("node01"), marked("node02")), "", id="it moves to another node"),
        pytest.param(update(VMI, vmi(), marked("node01")), "", id="it is set"),
        pytest.param(update(VMI, vmi(), vmi()), "", id="there is none"),
        pytest.param(delete(VMI, marked("node01")), "", id="the VM is stopped"),
        pytest.param(update(VM, marked("node01"), vmi()), "", id="another kind"),
    ],
)
def test_which_evacuation_is_called_off(asked: AdmissionRequest, node: str) -> None:
    assert ask("vmi.evacuationCancelled", context(asked)) == node


@pytest.mark.parametrize(
    ("actions", "allowed"),
    [pytest.param(None, True, id="by default"), pytest.param(["Deny"], False, id="bound with Deny")],
)
def test_a_binding_turns_the_record_into_a_refusal(tmp_path: Path, actions: list[str] | None, allowed: bool) -> None:
    paths = [POLICIES / "evacuation-cancel" / "policy.yaml"]
    if actions:
        paths.append(write(tmp_path, binding(policy_name="evacuation-cancel", validationActions=actions)))
    view = View(marked("node01"))
    decision = decide(
        update(VMI, marked("node01"), vmi(), by=UserInfo(username="system:serviceaccount:kubevirt:kubevirt-apiserver")),
        Phase.VALIDATE,
        policies=load(paths, FACTS, now=NOW),
        world=World(view, RBACAuthorizer(view)),
        now=NOW,
        deadline=Deadline.after(60),
        decision_id="d",
    )
    assert decision.allowed is allowed
    assert "from node node01 is called off" in (decision.message if actions else decision.warnings[0])
