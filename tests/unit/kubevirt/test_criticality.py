"""Which VMs are critical."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import CRITICAL, context, create, namespace, vm, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.criticality import critical_vmis, critical_vms
from webhook.kubevirt.resources import VMIM
from webhook.model.objects import name_of, namespace_of

ASKED = create(VMIM, vmim())


@pytest.mark.parametrize(
    ("objects", "reason"),
    [
        pytest.param(
            [vmi(labels=CRITICAL)], "label migguard.io/critical=true on VirtualMachineInstance prod/db", id="VMI"
        ),
        pytest.param(
            [vmi(), vm(template_labels=CRITICAL)],
            "label migguard.io/critical=true on the template of VirtualMachine prod/db",
            id="template of its VM",
        ),
        pytest.param(
            [vmi(), namespace(labels=CRITICAL)], "label migguard.io/critical=true on Namespace prod", id="namespace"
        ),
        pytest.param([vmi(), vm(), namespace()], "", id="no flag"),
        pytest.param([vmi(labels={"migguard.io/critical": "yes"})], "", id="another value"),
        pytest.param([vmi(), vm("web", template_labels=CRITICAL)], "", id="template of another VM"),
        pytest.param([vmi(), namespace("test", labels=CRITICAL)], "", id="another namespace"),
    ],
)
def test_any_one_flag_makes_a_vm_critical_and_is_named(objects: list[dict[str, Any]], reason: str) -> None:
    found = context(ASKED, *objects)
    assert FACTS["vmi.criticalReason"].resolve(found) == reason
    assert FACTS["vmi.critical"].resolve(found) is bool(reason)


def test_parameters_choose_the_flag() -> None:
    own = {"critical": {"label": "tier", "value": "gold"}}
    found = context(ASKED, vmi(labels={"tier": "gold"}), parameters=own)
    assert FACTS["vmi.criticalReason"].resolve(found) == "label tier=gold on VirtualMachineInstance prod/db"


def test_without_a_flag_in_parameters_nothing_is_critical() -> None:
    found = context(ASKED, vmi(labels=CRITICAL), parameters={"critical": {}})
    assert (FACTS["vmi.critical"].resolve(found), critical_vmis(found)) == (False, [])
    assert critical_vms(context(ASKED, vm(template_labels=CRITICAL), parameters={"critical": {}})) == []


def test_critical_vmis_are_found_once_each_by_index_in_order() -> None:
    found = context(
        ASKED,
        vmi("own", "b", labels=CRITICAL),
        vmi("own-ended", "b", labels=CRITICAL, phase="Succeeded"),
        vmi("templated", "b"),
        vm("templated", "b", template_labels=CRITICAL),
        vm("stopped", "b", template_labels=CRITICAL),
        vmi("all-three", "a", labels=CRITICAL),
        vm("all-three", "a", template_labels=CRITICAL),
        vmi("by-namespace", "a"),
        vmi("failed", "a", phase="Failed"),
        vmi("starting", "a", phase=""),
        namespace("a", labels=CRITICAL),
        vmi("plain", "c"),
    )
    names = [f"{namespace_of(each)}/{name_of(each)}" for each in critical_vmis(found)]
    assert names == ["a/all-three", "a/by-namespace", "a/starting", "b/own", "b/templated"]
    assert found.view.listed == []  # type: ignore[attr-defined]  # the fake notes what was listed


def test_vms_whose_next_start_is_critical_are_found_once_each_by_index_in_order() -> None:
    found = context(
        ASKED,
        vm("stopped", "b", template_labels=CRITICAL),
        vmi("running", "b"),
        vm("running", "b", template_labels=CRITICAL),
        vmi("by-vmi-alone", "b", labels=CRITICAL),
        vm("by-vmi-alone", "b"),
        vm("both", "a", template_labels=CRITICAL),
        vm("by-namespace", "a"),
        namespace("a", labels=CRITICAL),
        vm("plain", "c"),
    )
    names = [f"{namespace_of(each)}/{name_of(each)}" for each in critical_vms(found)]
    assert names == ["a/both", "a/by-namespace", "b/running", "b/stopped"]
    assert found.view.listed == []  # type: ignore[attr-defined]  # the fake notes what was listed
