"""Which annotations of KubeVirt's functional tests a write of a VM or VMI sets."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import context, create, delete, update, vm, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.request import AdmissionRequest

Json = dict[str, Any]

FAIL = "kubevirt.io/func-test-force-launcher-migration-failure"
BLOCK = "kubevirt.io/func-test-block-migration-target-preparation"
CRASH = "kubevirt.io/func-test-virt-launcher-fail-fast"


def running(annotations: Any = None) -> Json:
    found = vmi()
    found["metadata"]["annotations"] = annotations
    return found


def machine(annotations: Any = None) -> Json:
    found = vm()
    found["spec"]["template"]["metadata"] = {"annotations": annotations}
    return found


def own(annotations: Json) -> Json:
    found = vm()
    found["metadata"]["annotations"] = annotations
    return found


def migration(annotations: Json) -> Json:
    found = vmim()
    found["metadata"]["annotations"] = annotations
    return found


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        pytest.param(create(VMI, running({FAIL: ""})), [FAIL], id="live-migration-source.go: migrate"),
        pytest.param(create(VMI, running({BLOCK: ""})), [BLOCK], id="live-migration-target.go: prepareMigrationTarget"),
        pytest.param(create(VM, machine({CRASH: "x"})), [CRASH], id="vm.go: setupVMIFromVM copies the template's"),
        pytest.param(update(VMI, running(), running({FAIL: "", BLOCK: ""})), [BLOCK, FAIL], id="an edit adds two"),
        pytest.param(update(VM, machine({"a": "b"}), machine({"a": "b", CRASH: ""})), [CRASH], id="to a template"),
        pytest.param(update(VMI, running({FAIL: ""}), running({FAIL: "x"})), [FAIL], id="another value"),
        pytest.param(update(VMI, running({FAIL: ""}), running({FAIL: "", "a": "b"})), [], id="it stood there before"),
        pytest.param(update(VMI, running({FAIL: ""}), running()), [], id="it is taken off"),
        pytest.param(create(VMI, running({"kubevirt.io/func-testing": ""})), [], id="only begins alike"),
        pytest.param(create(VM, own({FAIL: ""})), [], id="vm.go: the VM's own reach no VMI"),
        pytest.param(create(VMIM, migration({FAIL: ""})), [], id="a migration has a fact of its own"),
        pytest.param(delete(VMI, running({FAIL: ""})), [], id="a deletion"),
        pytest.param(create(VMI, running([FAIL])), [], id="a list is no annotations"),
        pytest.param(create(VMI, running({FAIL: None})), [FAIL], id="null is a value"),
        pytest.param(update(VM, {"spec": None}, {"spec": {"template": 7}}), [], id="nothing on the way is an object"),
    ],
)
def test_those_that_the_write_adds_or_changes_are_told(asked: AdmissionRequest, told: list[str]) -> None:
    assert FACTS["vmi.testAnnotationsSet"].resolve(context(asked)) == told
