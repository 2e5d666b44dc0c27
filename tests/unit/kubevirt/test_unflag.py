"""Who may take protection from critical VMs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    CRITICAL,
    cluster_role,
    cluster_role_binding,
    context,
    create,
    delete,
    migration_policy,
    namespace,
    role,
    role_binding,
    someone,
    update,
    user,
    vm,
    vmi,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.model.facts import FactContext
from webhook.model.request import AdmissionRequest, UserInfo

FLAGGED, PLAIN = vmi(labels=CRITICAL), vmi()
GUARD = migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, allowPostCopy=False)
UNFLAG = [{"apiGroups": ["migguard.io"], "resources": ["criticalvirtualmachines"], "verbs": ["unflag"]}]
JUST_WEB = [{**UNFLAG[0], "resourceNames": ["web"]}]
ROLE = cluster_role("migguard.io:unflag", UNFLAG)


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"critical.{name}"].resolve(found)


@pytest.mark.parametrize(
    ("asked", "right"),
    [
        pytest.param(
            update(VMI, FLAGGED, PLAIN), "unflag criticalvirtualmachines.migguard.io/db -n prod", id="label of a VMI"
        ),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm()),
            "unflag criticalvirtualmachines.migguard.io/db -n prod",
            id="template of a VM",
        ),
        pytest.param(
            update(NAMESPACE, namespace(labels=CRITICAL), namespace()),
            "unflag criticalvirtualmachines.migguard.io -n prod",
            id="label of a namespace",
        ),
        pytest.param(
            delete(MIGRATION_POLICY, GUARD), "unflag criticalvirtualmachines.migguard.io -A", id="MigrationPolicy"
        ),
    ],
)
def test_the_right_is_for_what_is_written(asked: AdmissionRequest, right: str) -> None:
    found = context(asked, FLAGGED, GUARD, vm(template_labels=CRITICAL), namespace())
    assert ask("right", found) == right


@pytest.mark.parametrize(
    ("objects", "by", "allowed"),
    [
        pytest.param([], someone(), False, id="nobody holds it by default"),
        pytest.param([role("r", "prod", UNFLAG), role_binding("b", "prod", user("alice"), role="r", kind="Role")],
                     someone(), True, id="a Role in that namespace"),
        pytest.param([role("r", "test", UNFLAG), role_binding("b", "test", user("alice"), role="r", kind="Role")],
                     someone(), False, id="a Role in another namespace"),
        pytest.param([role("r", "prod", JUST_WEB), role_binding("b", "prod", user("alice"), role="r", kind="Role")],
                     someone(), False, id="for another VM"),
        pytest.param([ROLE, cluster_role_binding("b", user("alice"), role="migguard.io:unflag")],
                     someone(), True, id="everywhere"),
        pytest.param([], someone("root", "system:masters"), True, id="system masters"),
        pytest.param([], UserInfo(username="system:serviceaccount:kubevirt:kubevirt-controller"), True,
                     id="a system component"),
        pytest.param([], UserInfo(username="system:serviceaccount:kubevirt:kubevirt-apiserver"), False,
                     id="virt-api, behind which is a person"),
    ],
)  # fmt: skip
def test_taking_the_flag_takes_the_right(objects: list[dict[str, Any]], by: UserInfo, allowed: bool) -> None:
    found = context(update(VMI, FLAGGED, PLAIN, by=by), FLAGGED, *objects)
    assert ask("mayUnflag", found) is allowed
    assert (ask("remedy", found) == "") is allowed


def test_taking_a_policys_protection_takes_it_everywhere() -> None:
    local = [role("r", "prod", UNFLAG), role_binding("b", "prod", user("alice"), role="r", kind="Role")]
    assert ask("mayUnflag", context(delete(MIGRATION_POLICY, GUARD), FLAGGED, GUARD, *local)) is False
    everywhere = [ROLE, cluster_role_binding("b", user("alice"), role="migguard.io:unflag")]
    assert ask("mayUnflag", context(delete(MIGRATION_POLICY, GUARD), FLAGGED, GUARD, *everywhere)) is True


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(update(VMI, PLAIN, FLAGGED), id="flagging"),
        pytest.param(update(VMI, FLAGGED, vmi(labels={**CRITICAL, "a": "b"})), id="another label"),
        pytest.param(create(MIGRATION_POLICY, GUARD), id="a protecting policy"),
        pytest.param(update(KUBEVIRT, {}, {}), id="a KubeVirt CR"),
        pytest.param(
            update(VMI, FLAGGED, PLAIN, by=UserInfo(username="system:serviceaccount:kubevirt:kubevirt-controller")),
            id="a system component",
        ),
    ],
)
def test_nobody_is_asked_where_nothing_is_taken_by_a_person(asked: AdmissionRequest) -> None:
    found = context(asked, PLAIN)
    assert ask("mayUnflag", found) is True
    assert found.questions == []


def test_the_question_is_asked_once_and_noted() -> None:
    found = context(update(VMI, FLAGGED, PLAIN), FLAGGED)
    for name in ("mayUnflag", "remedy", "mayUnflag"):
        ask(name, found)
    assert found.questions == [
        {"user": "alice", "canI": "unflag criticalvirtualmachines.migguard.io/db -n prod", "allowed": False}
    ]
