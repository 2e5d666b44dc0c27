"""What a write changes for the migration configuration of VMs."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    CRITICAL,
    context,
    create,
    hyperconverged,
    kubevirt,
    migration_policy,
    namespace,
    request,
    update,
    vm,
    vmi,
    vmim,
)
from webhook.errors import FactUnavailable
from webhook.kubevirt.migrationconfig import NODE_NAME_LABEL
from webhook.kubevirt.migrationfields import DISABLE_TLS, DISRUPTION, POST_COPY
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI, VMIM
from webhook.kubevirt.worlds import CONTROLLER_LABELS, Judge, world_now, write_of
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Operation

DB = vmi("db", labels=CRITICAL)
GUARD = migration_policy("guard", selectors={}, allowPostCopy=False)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(create(VMIM, vmim()), id="a migration"),
        pytest.param(update(VM, vm(), vm()), id="a VM whose template stays"),
        pytest.param(create(VM, vm(template_labels=CRITICAL)), id="a VM that is made"),
        pytest.param(
            request(VM, Operation.UPDATE, old=vm(), new=vm(template_labels=CRITICAL), subresource="status"),
            id="the status of a VM",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(), kubevirt({"progressTimeout": 10})), id="a field that endangers nobody"
        ),
        pytest.param(update(MIGRATION_POLICY, GUARD, GUARD), id="a policy that stays"),
        pytest.param(update(VMI, DB, DB), id="a VMI whose labels stay"),
        pytest.param(create(VMI, DB), id="a VMI that is made"),
        pytest.param(update(VMI, vmi("gone"), vmi("gone", labels={"a": "b"})), id="a VMI that is not there"),
        pytest.param(update(NAMESPACE, namespace(), namespace()), id="a namespace whose labels stay"),
        pytest.param(
            request(VMI, Operation.UPDATE, old=DB, new=vmi("db"), subresource="status"), id="the status of a VMI"
        ),
    ],
)
def test_what_changes_no_world_is_no_write(asked: AdmissionRequest) -> None:
    assert write_of(context(asked, DB)) is None


@pytest.mark.parametrize(
    ("asked", "moves_policies"),
    [
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(), hyperconverged({"allowPostCopy": True})),
            False,
            id="e10 HyperConverged",
        ),
        pytest.param(update(KUBEVIRT, kubevirt(), kubevirt({"allowPostCopy": True})), False, id="e11 KubeVirt CR"),
        pytest.param(create(MIGRATION_POLICY, GUARD), True, id="e12 MigrationPolicy"),
        pytest.param(update(VMI, DB, vmi("db", labels={"a": "b"})), True, id="e14 labels of a VMI"),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels={"a": "b"})), True, id="e14 labels of a namespace"
        ),
        *(
            pytest.param(
                request(
                    NAMESPACE, Operation.UPDATE, old=namespace(), new=namespace(labels={"a": "b"}), subresource=way
                ),
                True,
                id=f"namespace/strategy.go: labels of a namespace through {way}",
            )
            for way in ("status", "finalize")
        ),
        pytest.param(
            update(VM, vm("db"), vm("db", template_labels={"a": "b"})),
            True,
            id="vm.go SetupVMIFromVM: labels in the template of a VM",
        ),
    ],
)
def test_every_road_leads_from_one_world_to_another(asked: AdmissionRequest, moves_policies: bool) -> None:
    write = write_of(context(asked, DB))
    assert write is not None
    assert write.moves_policies is moves_policies
    assert [str(run) for run in write.critical] == ["prod/db"]


@pytest.mark.parametrize(
    ("asked", "runs"),
    [
        pytest.param(
            update(KUBEVIRT, kubevirt(), kubevirt({"allowPostCopy": True})),
            ["prod/db now", "prod/flagged next", "prod/started next", "prod/started now", "vault/safe next"],
            id="configuration",
        ),
        pytest.param(
            update(NAMESPACE, namespace("vault", labels=CRITICAL), namespace("vault", labels={**CRITICAL, "a": "b"})),
            ["vault/safe next"],
            id="another label of a critical namespace",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels=CRITICAL)),
            [
                "prod/db now",
                "prod/flagged next",
                "prod/plain next",
                "prod/started next",
                "prod/started now",
                "prod/web now",
            ],
            id="a namespace that is flagged",
        ),
        pytest.param(
            update(VM, vm("started"), vm("started", template_labels={"a": "b"})), ["prod/started next"], id="template"
        ),
    ],
)
def test_a_critical_vm_is_judged_as_it_runs_and_as_it_will_start(asked: AdmissionRequest, runs: list[str]) -> None:
    write = write_of(
        context(
            asked,
            DB,
            vmi("web"),
            vmi("ended", labels=CRITICAL, phase="Failed"),
            vmi("started"),
            vm("started", template_labels=CRITICAL),
            vm("flagged", template_labels=CRITICAL),
            vm("plain"),
            vm("safe", "vault"),
            namespace("vault", labels=CRITICAL),
        )
    )
    assert write is not None
    assert sorted(f"{run} {'now' if run.now else 'next'}" for run in write.critical) == runs


@pytest.mark.parametrize("label", sorted(CONTROLLER_LABELS))
def test_a_label_that_kubevirt_writes_may_have_any_value_when_a_vm_migrates(label: str) -> None:
    """Source: the files named at CONTROLLER_LABELS."""
    bound = migration_policy("bound", selectors={"virtualMachineInstanceSelector": {label: "x"}}, allowPostCopy=True)
    pinned = migration_policy("pinned", selectors={"virtualMachineInstanceSelector": {label: "y"}}, allowPostCopy=False)
    found = context(create(VMIM, vmim()), bound, pinned)
    for labels in ({}, {label: "x"}, {label: "y"}):
        setting = Judge(found, world_now(found)).settings_of("prod", labels)[POST_COPY]
        assert (setting.value, setting.source) == (True, "MigrationPolicy bound")


@pytest.mark.parametrize("label", ["app", "kubevirt.io/domain", "kubevirt.io/size", "kubevirt.io/vm"])
def test_a_label_that_people_choose_is_as_the_vm_bears_it(label: str) -> None:
    bound = migration_policy("bound", selectors={"virtualMachineInstanceSelector": {label: "x"}}, allowPostCopy=True)
    found = context(create(VMIM, vmim()), bound)
    judge = Judge(found, world_now(found))
    assert [judge.settings_of("prod", {label: value})[POST_COPY].value for value in ("x", "y")] == [True, False]


def test_vms_that_differ_in_what_kubevirt_writes_are_one_case() -> None:
    """So are policies by nodes cheap, of which a cluster may have as many as nodes."""
    policies = [
        migration_policy(f"p{n}", selectors={"virtualMachineInstanceSelector": {NODE_NAME_LABEL: f"w{n}"}})
        for n in range(20)
    ]
    found = context(create(VMIM, vmim()), *policies)
    judge = Judge(found, world_now(found))
    found.deadline = Deadline.after(60)
    first = judge.settings_of("prod", {NODE_NAME_LABEL: "w1", "app": "a"})
    found.deadline = Deadline.after(-1)
    assert judge.settings_of("prod", {NODE_NAME_LABEL: "w2", "app": "b"}) is first


def test_when_the_time_is_up_no_further_case_is_begun() -> None:
    found = context(create(VMIM, vmim()))
    found.deadline = Deadline.after(-1)
    with pytest.raises(FactUnavailable, match="which MigrationPolicy applies to each VM"):
        Judge(found, world_now(found)).settings_of("prod", {})


def test_a_world_in_which_all_is_allowed_shows_what_policies_spare_a_vm() -> None:
    """Whatever the cluster says itself, and encryption left alone."""
    half = migration_policy(
        "half", selectors={"virtualMachineInstanceSelector": {"half": "yes"}}, allowWorkloadDisruption=False
    )
    found = context(create(VMIM, vmim()), migration_policy("guard", selectors=_only("app"), allowPostCopy=False), half)
    judge = Judge(found, world_now(found).with_all_allowed())
    spared = {
        name: [judge.settings_of("prod", labels)[what].value for what in (POST_COPY, DISRUPTION, DISABLE_TLS)]
        for name, labels in {"none": {}, "guard": {"app": "yes"}, "half": {"half": "yes"}}.items()
    }
    assert spared == {
        "none": [True, True, False],
        "guard": [False, False, False],
        "half": [True, False, False],
    }


def _only(label: str) -> dict[str, Any]:
    return {"virtualMachineInstanceSelector": {label: "yes"}}
