"""Whether a migration of a VM copies its volumes. Source: domain.md e5 and the upstream files named in the ids."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    context,
    create,
    kubevirt,
    migration_policy,
    namespace,
    pvc_volume,
    request,
    update,
    vm,
    vmi,
    vmim,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.facts import FactContext
from webhook.model.request import AdmissionRequest, Operation

Json = dict[str, Any]
ON: Json = {"allowPostCopy": True}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"vm.{name}"].resolve(found)


def dv_volume(name: str = "data", data_volume: str = "db-data") -> Json:
    return {"name": name, "dataVolume": {"name": data_volume}}


def machine(*volumes: Json, strategy: str | None = "Migration") -> Json:
    made = vm(volumes=volumes)
    return {**made, "spec": {**made["spec"], "updateVolumesStrategy": strategy}}


def copying(**claims: str) -> Json:
    """A VMI whose volumes came from these claims and are on their way to ``new``."""
    return vmi(
        volumes=[pvc_volume(name, "new") for name in claims],
        status={
            "migratedVolumes": [
                {"volumeName": name, "sourcePVCInfo": {"claimName": claim}} for name, claim in claims.items()
            ]
        },
    )


OLD, NEW = pvc_volume("data", "old"), pvc_volume("data", "new")
RUNNING = vmi(volumes=[OLD])


@pytest.mark.parametrize(
    ("old", "new", "running", "volumes"),
    [
        pytest.param(machine(OLD), machine(NEW), RUNNING, ["data"], id="PersistentVolumesUpdated: another claim"),
        pytest.param(
            machine(OLD, strategy=None), machine(NEW), RUNNING, ["data"], id="updateVolumesStrategy set with the claim"
        ),
        pytest.param(
            machine(NEW, strategy="Replacement"),
            machine(NEW),
            RUNNING,
            ["data"],
            id="handleVolumeUpdateRequest: only the strategy changes, the claim did before",
        ),
        pytest.param(
            machine(OLD),
            machine(dv_volume("data", "new")),
            RUNNING,
            ["data"],
            id="PVCNameFromVirtVolume: a DataVolume instead of a claim",
        ),
        pytest.param(
            machine(OLD),
            machine(dv_volume("data", "old")),
            RUNNING,
            [],
            id="PVCNameFromVirtVolume: a DataVolume of that name"
        ),
        pytest.param(machine(OLD), machine(OLD), RUNNING, [], id="PersistentVolumesUpdated: the same claim"),
        pytest.param(
            machine(OLD),
            machine(OLD, pvc_volume("more", "new")),
            RUNNING,
            [],
            id="PersistentVolumesUpdated: a volume added"
        ),
        pytest.param(machine(OLD), machine(), RUNNING, [], id="PersistentVolumesUpdated: a volume removed"),
        pytest.param(
            machine(OLD),
            machine({"name": "data", "containerDisk": {"image": "x"}}),
            RUNNING,
            [],
            id="PersistentVolumesUpdated: no claim any more",
        ),
        pytest.param(
            machine(OLD), machine(NEW, strategy="Replacement"), RUNNING, [], id="updateVolumesStrategy Replacement"
        ),
        pytest.param(machine(OLD), machine(NEW, strategy=None), RUNNING, [], id="updateVolumesStrategy unset"),
        pytest.param(machine(OLD), machine(NEW), None, [], id="handleVolumeUpdateRequest: no VMI"),
        pytest.param(machine(OLD), machine(NEW), vmi(volumes=[OLD], phase="Failed"), [], id="VMI that has ended"),
        pytest.param(
            machine(NEW), {**machine(NEW), "metadata": {"name": "db", "namespace": "prod", "labels": {"a": "b"}}},
            RUNNING, [], id="ratchet: asked for already, another field changes",
        ),
        pytest.param(
            machine(NEW), machine(pvc_volume("data", "newer")), RUNNING, ["data"], id="asked for already, now elsewhere"
        ),
        pytest.param(
            machine(NEW, pvc_volume("b", "old-b")),
            machine(NEW, pvc_volume("b", "new-b")),
            vmi(volumes=[OLD, pvc_volume("b", "old-b")]),
            ["b"],
            id="a second volume",
        ),
        pytest.param(
            machine(NEW), machine(OLD), copying(data="old"), [], id="VolumeMigrationCancel: put back, which cancels"
        ),
        pytest.param(
            machine(NEW),
            machine(pvc_volume("data", "third")),
            copying(data="old"),
            ["data"],
            id="revertedToOldVolumes: to a third claim, which begins when the first is done",
        ),
        pytest.param(
            machine(pvc_volume("a", "new"), pvc_volume("b", "new")),
            machine(pvc_volume("a", "old-a"), pvc_volume("b", "new")),
            copying(a="old-a", b="old-b"),
            ["a"],
            id="revertedToOldVolumes: only one of two put back",
        ),
    ],
)  # fmt: skip
def test_e5_an_edit_of_a_vm_begins_a_volume_migration(
    old: Json, new: Json, running: Json | None, volumes: list[str]
) -> None:
    found = context(update(VM, old, new), *([running] if running else []))
    assert ask("copiedVolumes", found) == volumes
    assert ask("migratesVolumes", found) is bool(volumes)


SENT = {**vmim(), "spec": {"vmiName": "db", "sendTo": {"migrationID": "1", "connectURL": "x"}}}
RECEIVED = {**vmim(), "spec": {"vmiName": "db", "receive": {"migrationID": "1"}}}
BOTH = {**vmim(), "spec": {**SENT["spec"], "receive": {"migrationID": "1"}}}


@pytest.mark.parametrize(
    ("asked", "running", "volumes"),
    [
        pytest.param(create(VMIM, vmim()), copying(data="old"), ["data"], id="status.migratedVolumes"),
        pytest.param(create(VMIM, vmim()), RUNNING, [], id="removeMigratedVolumes: none under way, or done"),
        pytest.param(
            create(VMIM, SENT),
            vmi(volumes=[OLD, dv_volume("more", "x"), {"name": "c", "configMap": {"name": "y"}}]),
            ["data", "more"],
            id="decentralized.go: sent to another cluster with all claims",
        ),
        pytest.param(create(VMIM, RECEIVED), RUNNING, [], id="IsDecentralizedTarget: the source's settings apply"),
        pytest.param(create(VMIM, BOTH), RUNNING, [], id="IsDecentralized: with both ends an ordinary one"),
        pytest.param(create(VMIM, vmim(vmi_name="other")), copying(data="old"), [], id="of another VM"),
        pytest.param(
            request(VM, Operation.UPDATE, old=machine(OLD), new=machine(NEW), subresource="status"),
            RUNNING,
            [],
            id="status of a VM",
        ),
        pytest.param(create(VM, machine(NEW)), RUNNING, [], id="a VM made"),
        pytest.param(
            update(VMI, RUNNING, copying(data="old")), RUNNING, [], id="status that a person writes is not believed"
        ),
    ],
)
def test_a_migration_copies_volumes(asked: AdmissionRequest, running: Json, volumes: list[str]) -> None:
    found = context(asked, running)
    assert ask("copiedVolumes", found) == volumes
    assert ask("migratesVolumes", found) is bool(volumes)


@pytest.mark.parametrize("junk", [None, "x", 7, [], [None, 3], {"volumes": "x"}, {"volumes": [None, {"name": None}]}])
def test_malformed_volumes_begin_nothing(junk: Any) -> None:
    broken = {**machine(), "spec": {"updateVolumesStrategy": "Migration", "template": {"spec": junk}}}
    assert ask("copiedVolumes", context(update(VM, machine(OLD), broken), RUNNING)) == []


@pytest.mark.parametrize(
    ("objects", "source"),
    [
        pytest.param([], "", id="off"),
        pytest.param([kubevirt(ON)], "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy", id="on"),
        pytest.param(
            [migration_policy("fast", selectors={"namespaceSelector": {"speed": "high"}}, **ON),
             namespace(labels={"speed": "high"})],
            "MigrationPolicy fast",
            id="on by a MigrationPolicy",
        ),
        pytest.param(
            [kubevirt(ON), migration_policy("safe", selectors={}, allowPostCopy=False)],
            "",
            id="off by a MigrationPolicy",
        ),
    ],
)  # fmt: skip
def test_what_switches_on_post_copy_for_it_is_named(objects: list[Json], source: str) -> None:
    assert ask("copiedUnderPostCopy", context(update(VM, machine(OLD), machine(NEW)), RUNNING, *objects)) == source


def test_what_another_migration_was_frozen_with_does_not_matter() -> None:
    state = {"migrationUid": "1", "migrationConfiguration": {"allowPostCopy": False}}
    running = vmi(volumes=[OLD], status={"migrationState": state})
    found = context(update(VM, machine(OLD), machine(NEW)), running, vmim(phase="Running"), kubevirt(ON))
    assert ask("copiedUnderPostCopy", found).startswith("KubeVirt")


def test_where_nothing_is_copied_post_copy_does_not_matter() -> None:
    assert ask("copiedUnderPostCopy", context(create(VMIM, vmim()), RUNNING, kubevirt(ON))) == ""
