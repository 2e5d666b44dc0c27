"""The disk rule. Source: KubeVirt pkg/virt-handler/vm.go (checkVolumesForMigration)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given

from tests.support.anyjson import ANY_VMI_SPEC, any_json
from tests.support.builders import (
    context,
    create,
    pvc,
    pvc_volume,
    update,
    vm,
    vmi,
    vmim,
    volume_status,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.facts import FactContext

ASKED = create(VMIM, vmim())
RWO, RWX = ("ReadWriteOnce",), ("ReadWriteMany",)
DV_VOLUME = {"name": "data", "dataVolume": {"name": "db-data"}}
NOT_FOUND = "cannot tell: PersistentVolumeClaim prod/db-data was not found"


def needs(modes: str) -> str:
    return f"PersistentVolumeClaim prod/db-data is {modes}; live migration needs ReadWriteMany"


def machine(*volumes: Any, statuses: Any = (), migrated: Any = (), **spec: Any) -> dict[str, Any]:
    status = {"volumeStatus": list(statuses), "migratedVolumes": [{"volumeName": name} for name in migrated]}
    return vmi(volumes=volumes, spec=spec, status=status)


def reasons(found: FactContext) -> list[str]:
    return [volume["reason"] for volume in FACTS["volumes.blocking"].resolve(found)]


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param([machine()], [], id="vm.go-checkVolumesForMigration-no-volumes"),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status()])],
            [],
            id="vm.go-checkVolumesForMigration-pvc-rwx-by-status",
        ),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)])],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-pvc-rwo-by-status",
        ),
        pytest.param([machine(pvc_volume()), pvc(modes=RWX)], [], id="storage.go-spec-of-the-claim-rwx"),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=RWO)], [needs("ReadWriteOnce")], id="storage.go-spec-of-the-claim-rwo"
        ),
        pytest.param([machine(pvc_volume())], [NOT_FOUND], id="vm.go-checkVolumesForMigration-unable-to-determine"),
        pytest.param(
            [machine(pvc_volume()), pvc(namespace="test")],
            [NOT_FOUND],
            id="vm.go-checkVolumesForMigration-claim-of-another-namespace",
        ),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)]), pvc(modes=RWX)],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-status-counts-before-the-claim",
        ),
        pytest.param(
            [
                machine(pvc_volume(claim="new"), statuses=[volume_status(claim="db-data", modes=RWX)]),
                pvc("new", modes=RWO),
            ],
            ["PersistentVolumeClaim prod/new is ReadWriteOnce; live migration needs ReadWriteMany"],
            id="vm.go-checkVolumesForMigration-status-of-another-claim",
        ),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=["ReadOnlyMany"])],
            [needs("ReadOnlyMany")],
            id="pvc.go-HasSharedAccessMode-ReadOnlyMany",
        ),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=["ReadWriteOncePod"])],
            [needs("ReadWriteOncePod")],
            id="pvc.go-HasSharedAccessMode-ReadWriteOncePod",
        ),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=["ReadWriteOnce", "ReadWriteMany"])],
            [],
            id="pvc.go-HasSharedAccessMode-one-of-several",
        ),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=["ReadWriteOnce", "ReadOnlyMany"])],
            [needs("ReadWriteOnce and ReadOnlyMany")],
            id="pvc.go-HasSharedAccessMode-several-none-shared",
        ),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=[])],
            [needs("without an access mode")],
            id="pvc.go-HasSharedAccessMode-no-modes",
        ),
        pytest.param(
            [machine(pvc_volume()), pvc(volume_mode="Filesystem")],
            [],
            id="vm.go-checkVolumesForMigration-volumeMode-is-irrelevant",
        ),
        pytest.param(
            [machine(DV_VOLUME), pvc(modes=RWX)],
            [],
            id="vm.go-checkVolumesForMigration-dataVolume-is-the-pvc-of-its-name",
        ),
        pytest.param(
            [machine(DV_VOLUME), pvc(modes=RWO)],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-dataVolume-rwo",
        ),
        pytest.param(
            [machine(DV_VOLUME)],
            [NOT_FOUND],
            id="vm.go-checkVolumesForMigration-dataVolume-without-its-pvc",
        ),
        pytest.param(
            [machine(pvc_volume(hotpluggable=True)), pvc(modes=RWO)],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-hotplugged-like-any-other",
        ),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)], migrated=["data"])],
            [],
            id="volume.go-IsMigratedVolume-is-migrated-along",
        ),
        pytest.param(
            [machine(pvc_volume(), migrated=["data"])],
            [NOT_FOUND],
            id="volume.go-IsMigratedVolume-but-nothing-is-known",
        ),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)], migrated=["other"])],
            [needs("ReadWriteOnce")],
            id="volume.go-IsMigratedVolume-another-volume",
        ),
        pytest.param(
            [machine({"name": "h", "hostDisk": {"path": "/x", "type": "Disk", "shared": True}})],
            [],
            id="vm.go-checkVolumesForMigration-hostDisk-shared",
        ),
        pytest.param(
            [machine({"name": "h", "hostDisk": {"path": "/x", "type": "Disk"}})],
            ["it is a hostDisk that is not marked shared; live migration needs a disk that both nodes reach"],
            id="vm.go-checkVolumesForMigration-hostDisk-not-shared",
        ),
        pytest.param(
            [
                machine(
                    {"name": "data", "hostDisk": {"type": "Disk", "shared": True}}, statuses=[volume_status(modes=RWO)]
                )
            ],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-hostDisk-translated-pvc-rwo-though-marked-shared",
        ),
        pytest.param(
            [machine({"name": "data", "hostDisk": {"type": "Disk"}}, statuses=[volume_status(modes=RWX)])],
            [],
            id="vm.go-checkVolumesForMigration-hostDisk-translated-pvc-rwx",
        ),
        pytest.param(
            [machine({"name": "c", "containerDisk": {"image": "x"}})],
            [],
            id="vm.go-checkVolumesForMigration-containerDisk-never-blocks",
        ),
        pytest.param(
            [machine({"name": "c", "cloudInitNoCloud": {"userData": "x"}})],
            [],
            id="vm.go-checkVolumesForMigration-cloudInit-never-blocks",
        ),
        pytest.param(
            [machine({"name": "c", "emptyDisk": {"capacity": "1Gi"}})],
            [],
            id="vm.go-checkVolumesForMigration-emptyDisk-never-blocks",
        ),
        pytest.param(
            [machine({"name": "c", "ephemeral": {"persistentVolumeClaim": {"claimName": "db-data"}}}), pvc(modes=RWO)],
            [],
            id="vm.go-checkVolumesForMigration-ephemeral-over-any-claim-never-blocks",
        ),
        pytest.param(
            [machine({"name": "c", "memoryDump": {"claimName": "db-data"}}), pvc(modes=RWO)],
            [],
            id="vm.go-checkVolumesForMigration-memoryDump-never-blocks",
        ),
        pytest.param(
            [machine({"name": "c", "configMap": {"name": "x"}})],
            [],
            id="vm.go-checkVolumesForMigration-configMap-never-blocks",
        ),
        pytest.param(
            [machine({"name": "c", "somethingNew": {}})],
            [],
            id="vm.go-checkVolumesForMigration-unknown-kind-never-blocks",
        ),
        pytest.param(
            [
                machine(
                    pvc_volume(),
                    domain={"devices": {"disks": [{"name": "data", "cdrom": {"readonly": True}}]}},
                ),
                pvc(modes=RWO),
            ],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-pvc-as-read-only-cdrom-must-be-rwx",
        ),
        pytest.param(
            [machine(statuses=[volume_status("persistent-state-for-this-vm", "state", RWO)]), pvc("state", modes=RWO)],
            [],
            id="backend-storage.go-persistent-state-never-blocks",
        ),
        pytest.param(
            [machine(utilityVolumes=[{"name": "u", "claimName": "db-data"}]), pvc(modes=RWO)],
            [],
            id="vm.go-checkVolumesForMigration-utilityVolumes-are-not-examined",
        ),
        pytest.param(
            [
                machine(
                    pvc_volume(),
                    domain={"devices": {"filesystems": [{"name": "data", "virtiofs": {}}]}},
                ),
                pvc(modes=RWO),
            ],
            [needs("ReadWriteOnce")],
            id="vm.go-checkVolumesForMigration-pvc-through-virtiofs-must-be-rwx",
        ),
        pytest.param(
            [
                machine(
                    {"name": "data", "hostDisk": {"type": "Disk"}},
                    statuses=[volume_status(modes=RWO)],
                    migrated=["data"],
                )
            ],
            [],
            id="vm.go-checkVolumesForMigration-hostDisk-translated-pvc-is-migrated-along",
        ),
        pytest.param(
            [machine({"name": "data", "hostDisk": {"type": "Disk"}}, migrated=["data"])],
            ["it is a hostDisk that is not marked shared; live migration needs a disk that both nodes reach"],
            id="vm.go-checkVolumesForMigration-hostDisk-cannot-be-migrated-along",
        ),
        pytest.param(
            [machine({"name": "c", "secret": {"secretName": "x"}})],
            [],
            id="vm.go-checkVolumesForMigration-secret-never-blocks",
        ),
    ],
)
def test_a_volume_blocks_as_in_kubevirt(objects: list[dict[str, Any]], expected: list[str]) -> None:
    assert reasons(context(ASKED, *objects)) == expected


@pytest.mark.parametrize(
    ("volume", "kind"),
    [
        ({"persistentVolumeClaim": {"claimName": "db-data"}}, "persistentVolumeClaim"),
        ({"dataVolume": {"name": "db-data"}}, "dataVolume"),
        ({"hostDisk": {"path": "/x", "type": "Disk"}}, "hostDisk"),
        ({"cloudInitNoCloud": {"userData": "#cloud-config"}}, "cloudInitNoCloud"),
        ({"cloudInitConfigDrive": {"userData": "#cloud-config"}}, "cloudInitConfigDrive"),
        ({"containerDisk": {"image": "registry/image"}}, "containerDisk"),
        ({"containerPath": {"path": "/x"}}, "containerPath"),
        ({"emptyDisk": {"capacity": "1Gi"}}, "emptyDisk"),
        ({"ephemeral": {"persistentVolumeClaim": {"claimName": "base"}}}, "ephemeral"),
        ({"memoryDump": {"claimName": "dump"}}, "memoryDump"),
        ({"configMap": {"name": "x"}}, "configMap"),
        ({"secret": {"secretName": "x"}}, "secret"),
        ({"downwardAPI": {"fields": []}}, "downwardAPI"),
        ({"downwardMetrics": {}}, "downwardMetrics"),
        ({"serviceAccount": {"serviceAccountName": "x"}}, "serviceAccount"),
        ({"sysprep": {"secret": {"name": "x"}}}, "sysprep"),
        ({"somethingNew": {}}, "other"),
    ],
)
def test_the_kind_of_a_volume_is_known_from_what_the_store_keeps(volume: dict[str, Any], kind: str) -> None:
    found = context(ASKED, machine({"name": "v", **volume}))
    assert [entry["kind"] for entry in FACTS["volumes.all"].resolve(found)] == [kind]


def test_all_that_is_known_of_a_volume() -> None:
    found = context(ASKED, machine(pvc_volume(hotpluggable=True)), pvc(modes=RWO))
    assert FACTS["volumes.all"].resolve(found) == [
        {
            "name": "data",
            "kind": "persistentVolumeClaim",
            "claim": "db-data",
            "accessModes": ["ReadWriteOnce"],
            "volumeMode": "Block",
            "storageClass": "ceph-rbd",
            "shared": False,
            "hotplugged": True,
            "copied": False,
            "migratable": False,
            "code": "AccessMode",
            "reason": needs("ReadWriteOnce"),
        }
    ]


def test_status_in_a_persons_request_is_not_believed() -> None:
    forged = machine(pvc_volume(), statuses=[volume_status(modes=RWX)], migrated=["data"])
    cached = machine(pvc_volume(), statuses=[volume_status(modes=RWO)])
    found = context(update(VMI, cached, forged), cached)
    assert reasons(found) == [needs("ReadWriteOnce")]
    assert FACTS["volumes.migrated"].resolve(found) == []


def test_a_write_of_a_vm_is_judged_by_the_volumes_that_it_asks_for() -> None:
    running = machine(pvc_volume(), statuses=[volume_status(modes=RWX)])
    written = vm(volumes=[pvc_volume(claim="new")])
    found = context(update(VM, vm(), written), running, pvc("new", modes=RWO))
    assert reasons(found) == ["PersistentVolumeClaim prod/new is ReadWriteOnce; live migration needs ReadWriteMany"]


def test_for_a_write_of_a_vm_the_running_vmis_status_says_nothing() -> None:
    running = machine(pvc_volume(), statuses=[volume_status(modes=RWX)], migrated=["data"])
    found = context(update(VM, vm(), vm(volumes=[pvc_volume()])), running, pvc(modes=RWO))
    assert reasons(found) == [needs("ReadWriteOnce")]


def test_a_vmi_that_is_not_there_has_no_volumes() -> None:
    assert FACTS["volumes.all"].resolve(context(ASKED, pvc())) == []


CDROM: dict[str, Any] = {"cdrom": {"bus": "sata"}}


def attached(name: str, **disk: Any) -> dict[str, Any]:
    return {"devices": {"disks": [{"name": name, **disk}]}}


@pytest.mark.parametrize(
    ("volume", "domain", "copied"),
    [
        pytest.param({"containerDisk": {}}, {}, True, id="vm.go-checkVolumesForMigration-containerDisk"),
        pytest.param({"cloudInitNoCloud": {}}, {}, True, id="vm.go-checkVolumesForMigration-cloudInit"),
        pytest.param({"configMap": {"name": "x"}}, {}, True, id="vm.go-checkVolumesForMigration-configMap"),
        pytest.param({"somethingNew": {}}, {}, True, id="vm.go-checkVolumesForMigration-unknown-kind"),
        pytest.param({"persistentVolumeClaim": {}}, {}, False, id="vm.go-checkVolumesForMigration-claim"),
        pytest.param({"hostDisk": {"shared": True}}, {}, False, id="vm.go-checkVolumesForMigration-hostDisk"),
        pytest.param(
            {"configMap": {"name": "x"}},
            {"devices": {"filesystems": [{"name": "v"}]}},
            False,
            id="volume.go-GetFilesystemsFromVolumes-virtiofs",
        ),
        pytest.param(
            {"configMap": {"name": "x"}},
            {"devices": {"filesystems": [{"name": "other"}]}},
            True,
            id="volume.go-GetFilesystemsFromVolumes-of-another-volume",
        ),
        pytest.param({"containerDisk": {}}, attached("v", **CDROM), False, id="vm.go-isReadOnlyDisk-cdrom"),
        pytest.param(
            {"containerDisk": {}}, attached("v", cdrom={"readonly": True}), False, id="vm.go-isReadOnlyDisk-readonly"
        ),
        pytest.param(
            {"containerDisk": {}}, attached("v", cdrom={"readonly": False}), True, id="vm.go-isReadOnlyDisk-writable"
        ),
        pytest.param({"containerDisk": {}}, attached("v", disk={}), True, id="vm.go-isReadOnlyDisk-no-cdrom"),
        pytest.param({"containerDisk": {}}, attached("w", **CDROM), True, id="vm.go-isReadOnlyDisk-of-another-volume"),
    ],
)
def test_a_volume_that_never_blocks_is_copied_unless_the_target_reaches_it(
    volume: dict[str, Any], domain: dict[str, Any], copied: bool
) -> None:
    found = context(ASKED, machine({"name": "v", **volume}, domain=domain))
    assert [entry["copied"] for entry in FACTS["volumes.all"].resolve(found)] == [copied]


@pytest.mark.parametrize(
    ("objects", "template", "code"),
    [
        pytest.param([], {"storage": {"accessModes": ["ReadWriteOnce"]}}, "AccessMode", id="named modes count"),
        pytest.param([], {"pvc": {"accessModes": ["ReadWriteMany"]}}, "", id="shared by template"),
        pytest.param([], {"storage": {"resources": {}}}, "ClaimNotFound", id="domain.md-d-modes-come-from-CDI"),
        pytest.param([pvc(modes=RWX)], {"pvc": {"accessModes": ["ReadWriteOnce"]}}, "", id="domain.md-d-pvc-decides"),
    ],
)
def test_a_claim_that_is_still_to_be_made_is_judged_by_its_template(
    objects: list[dict[str, Any]], template: dict[str, Any], code: str
) -> None:
    made = vm(volumes=[DV_VOLUME])
    made["spec"]["dataVolumeTemplates"] = [{"metadata": {"name": "db-data"}, "spec": template}]
    found = context(create(VM, made), *objects)
    assert [entry["code"] for entry in FACTS["volumes.all"].resolve(found)] == [code]


@given(spec=ANY_VMI_SPEC, status=any_json("volumeStatus", "migratedVolumes", "name", "persistentVolumeClaimInfo"))
def test_whatever_a_vmi_holds_each_volume_is_migratable_or_has_a_code_and_a_reason(spec: Any, status: Any) -> None:
    strange = {**machine(), "spec": spec}
    found = context(update(VMI, machine(), strange), {**machine(), "status": status})
    for entry in FACTS["volumes.all"].resolve(found):
        assert entry["migratable"] == (entry["code"] == "") == (entry["reason"] == "")


def test_policies_see_the_first_ten_that_block_and_how_many_do() -> None:
    found = context(ASKED, machine(*({"name": f"d{number}", "hostDisk": {}} for number in range(12))))
    assert [volume["name"] for volume in FACTS["volumes.blocking"].resolve(found)] == [f"d{n}" for n in range(10)]
    assert FACTS["volumes.blockingCount"].resolve(found) == 12


class Counted(list[Any]):
    """A list that counts how often it is walked."""

    walks = 0

    def __iter__(self) -> Iterator[Any]:
        type(self).walks += 1
        return super().__iter__()


def test_the_disks_and_filesystems_are_walked_once_however_many_volumes_there_are() -> None:
    volumes = [{"name": f"v{number}", "emptyDisk": {}} for number in range(50)]
    disks = Counted({"name": f"v{number}", "cdrom": {}} for number in range(0, 50, 2))
    written = {"domain": {"devices": {"disks": disks, "filesystems": Counted([{"name": "v1"}])}}, "volumes": volumes}
    asked = create(VMI, {"metadata": {"name": "db", "namespace": "prod"}, "spec": written})
    copied = [volume["copied"] for volume in FACTS["volumes.all"].resolve(context(asked))]
    assert copied == [number % 2 == 1 and number != 1 for number in range(50)]
    assert Counted.walks == 2
