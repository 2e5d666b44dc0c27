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
from webhook.kubevirt.migrationfields import DISABLE_TLS, DISRUPTION, POST_COPY
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI, VMIM
from webhook.kubevirt.worlds import Judge, world_now, write_of
from webhook.model.request import AdmissionRequest, Operation

DB = vmi("db", labels=CRITICAL)
GUARD = migration_policy("guard", selectors={}, allowPostCopy=False)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(create(VMIM, vmim()), id="a migration"),
        pytest.param(
            update(VM, vm(), vm(template_labels={"a": "b"})), id="a VM, whose template reaches no running VMI"
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
            request(NAMESPACE, Operation.UPDATE, old=namespace(), new=namespace(labels=CRITICAL), subresource="status"),
            id="the status of a namespace",
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
    ],
)
def test_every_road_leads_from_one_world_to_another(asked: AdmissionRequest, moves_policies: bool) -> None:
    write = write_of(context(asked, DB))
    assert write is not None
    assert write.moves_policies is moves_policies
    assert [found["metadata"]["name"] for found in write.critical] == ["db"]


def test_a_world_in_which_all_is_allowed_shows_what_policies_spare_a_vm() -> None:
    """Whatever the cluster says itself, and encryption left alone."""
    half = migration_policy(
        "half", selectors={"virtualMachineInstanceSelector": {"half": "yes"}}, allowWorkloadDisruption=False
    )
    found = context(create(VMIM, vmim()), migration_policy("guard", selectors=_only("app"), allowPostCopy=False), half)
    judge = Judge(found, world_now(found).with_all_allowed())
    spared = {
        name: [judge.settings_of(vmi(labels=labels))[what].value for what in (POST_COPY, DISRUPTION, DISABLE_TLS)]
        for name, labels in {"none": {}, "guard": {"app": "yes"}, "half": {"half": "yes"}}.items()
    }
    assert spared == {
        "none": [True, True, False],
        "guard": [False, False, False],
        "half": [True, False, False],
    }


def _only(label: str) -> dict[str, Any]:
    return {"virtualMachineInstanceSelector": {label: "yes"}}
