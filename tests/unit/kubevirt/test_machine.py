"""Which machine a request is about, and which one there was before it."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import context, create, delete, pvc_volume, update, vm, vmi, vmim
from webhook.kubevirt.machine import asked_for, before_write
from webhook.kubevirt.resources import POD, VM, VMI, VMIM

Json = dict[str, Any]

CACHED = vmi(volumes=[pvc_volume(claim="cached")])


def claim_of(machine: Any) -> str:
    return "" if machine is None else str(machine.spec["volumes"][0]["persistentVolumeClaim"]["claimName"])


def of_claim(name: str) -> Json:
    return vmi(volumes=[pvc_volume(claim=name)])


@pytest.mark.parametrize(
    ("asked", "after", "before", "status"),
    [
        pytest.param(create(VMIM, vmim()), "cached", "", True, id="a migration is of the VM that runs"),
        pytest.param(delete(VMIM, vmim()), "cached", "", True, id="also its cancellation"),
        pytest.param(create(VMIM, vmim(vmi_name="gone")), "", "", False, id="a migration of nothing"),
        pytest.param(create(VMI, of_claim("new")), "new", "", False, id="a new VMI has no status yet"),
        pytest.param(update(VMI, of_claim("old"), of_claim("new")), "new", "old", True, id="an update of a VMI"),
        pytest.param(delete(VMI, of_claim("old")), "old", "", True, id="a deletion of a VMI"),
        pytest.param(create(VM, vm(volumes=[pvc_volume(claim="new")])), "new", "", False, id="a VM's template"),
        pytest.param(
            update(VM, vm(volumes=[pvc_volume(claim="old")]), vm(volumes=[pvc_volume(claim="new")])),
            "new",
            "old",
            False,
            id="an update of a VM makes another VMI later",
        ),
        pytest.param(create(POD, {"metadata": {"name": "db", "namespace": "prod"}}), "", "", False, id="another pod"),
    ],
)
def test_a_write_is_judged_by_what_it_asks_for_and_a_status_only_by_the_cache(
    asked: Any, after: str, before: str, status: bool
) -> None:
    found = context(asked, CACHED)
    machine = asked_for(found)
    assert (claim_of(machine), claim_of(before_write(found))) == (after, before)
    assert (machine is not None and machine.vmi is not None) is status


@pytest.mark.parametrize(
    ("old", "new", "changed"),
    [
        pytest.param(of_claim("a"), of_claim("a"), False, id="same spec"),
        pytest.param(of_claim("a"), of_claim("b"), True, id="another spec"),
        pytest.param(of_claim("a"), {**of_claim("a"), "spec": None}, True, id="no spec"),
    ],
)
def test_what_kubevirt_said_counts_only_for_the_spec_it_saw(old: Json, new: Json, changed: bool) -> None:
    found = context(update(VMI, old, new), CACHED)
    machines = (asked_for(found), before_write(found))
    assert [machine is not None and machine.is_changed for machine in machines] == [changed, changed]


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        pytest.param({"storage": {"accessModes": ["ReadWriteOnce"]}}, {"accessModes": ["ReadWriteOnce"]}, id="storage"),
        pytest.param({"pvc": {"accessModes": ["ReadWriteOnce"]}}, {"accessModes": ["ReadWriteOnce"]}, id="pvc"),
        pytest.param({}, {}, id="neither"),
        pytest.param(None, {}, id="null"),
    ],
)
def test_what_a_vm_asks_for_of_its_claims_is_known(template: Any, expected: Json) -> None:
    made = vm()
    made["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "root"}, "spec": template}]
    machine = asked_for(context(create(VM, made)))
    assert machine is not None
    assert machine.claims == {"root": expected}


@pytest.mark.parametrize(("preference", "known"), [({"name": "fedora"}, True), ({}, False), (None, False)])
def test_a_preference_is_known(preference: Any, known: bool) -> None:
    made = vm()
    made["spec"]["preference"] = preference
    machine = asked_for(context(create(VM, made)))
    assert machine is not None
    assert machine.has_preference is known
