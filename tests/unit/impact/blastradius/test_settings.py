"""The settings in force for the many VMs of one cluster."""

from __future__ import annotations

import pytest

from tests.support.builders import context, create, kubevirt, migration_policy, namespace, vmim
from webhook.impact.blastradius.settings import Resolver
from webhook.kubevirt.policychoice import PolicyChoice
from webhook.kubevirt.resources import VMIM

GOLD = migration_policy("gold", selectors={"virtualMachineInstanceSelector": {"tier": "gold"}}, allowPostCopy=False)
NODE = migration_policy(
    "node", selectors={"virtualMachineInstanceSelector": {"kubevirt.io/nodeName": "n1"}}, allowPostCopy=True
)


def resolver() -> Resolver:
    return Resolver(context(create(VMIM, vmim()), kubevirt({"allowPostCopy": False}), GOLD, NODE, namespace()))


def test_vms_whose_relevant_labels_are_the_same_are_worked_out_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[object] = []
    choose = PolicyChoice.choose

    def counting(self, labels, around):
        asked.append(labels)
        return choose(self, labels, around)

    monkeypatch.setattr(PolicyChoice, "choose", counting)
    found = resolver()
    results = [found.settings_of("prod", {"tier": "gold", "app": f"a{number}"}) for number in range(50)]
    assert asked == [{"tier": "gold"}]
    assert all(one[1] is results[0][1] for one in results)
    assert results[0][0] == "gold"


def test_a_vm_that_starts_may_come_to_any_node() -> None:
    found = resolver()
    assert found.settings_of("prod", {"kubevirt.io/nodeName": "n2"})[1]["allowPostCopy"].value is False
    assert found.settings_of("prod", {}, starting=True)[1]["allowPostCopy"].value is True


def test_who_is_spared_is_spared_by_a_migration_policy() -> None:
    found = resolver()
    assert found.settings_of("prod", {"tier": "gold"}, spared=True)[1]["allowPostCopy"].value is False
    assert found.settings_of("prod", {}, spared=True)[1]["allowPostCopy"].value is True
    assert found.settings_of("prod", {})[1]["allowPostCopy"].value is False
