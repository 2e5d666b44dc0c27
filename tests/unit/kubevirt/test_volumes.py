"""The disk rule. Source: KubeVirt pkg/virt-handler/vm.go (checkVolumesForMigration)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    context,
    create,
    data_volume,
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
        pytest.param([machine()], [], id="no volumes"),
        pytest.param([machine(pvc_volume(), statuses=[volume_status()])], [], id="shared claim by status"),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)])], [needs("ReadWriteOnce")], id="RWO by status"
        ),
        pytest.param([machine(pvc_volume()), pvc(modes=RWX)], [], id="shared claim by PVC"),
        pytest.param([machine(pvc_volume()), pvc(modes=RWO)], [needs("ReadWriteOnce")], id="RWO by PVC"),
        pytest.param([machine(pvc_volume())], [NOT_FOUND], id="claim is not there"),
        pytest.param([machine(pvc_volume()), pvc(namespace="test")], [NOT_FOUND], id="claim of another namespace"),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)]), pvc(modes=RWX)],
            [needs("ReadWriteOnce")],
            id="status counts before the claim",
        ),
        pytest.param(
            [
                machine(pvc_volume(claim="new"), statuses=[volume_status(claim="db-data", modes=RWX)]),
                pvc("new", modes=RWO),
            ],
            ["PersistentVolumeClaim prod/new is ReadWriteOnce; live migration needs ReadWriteMany"],
            id="status of another claim does not count",
        ),
        pytest.param([machine(pvc_volume()), pvc(modes=["ReadOnlyMany"])], [needs("ReadOnlyMany")], id="ReadOnlyMany"),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=["ReadWriteOncePod"])], [needs("ReadWriteOncePod")], id="ReadWriteOncePod"
        ),
        pytest.param([machine(pvc_volume()), pvc(modes=["ReadWriteOnce", "ReadWriteMany"])], [], id="one of several"),
        pytest.param(
            [machine(pvc_volume()), pvc(modes=["ReadWriteOnce", "ReadOnlyMany"])],
            [needs("ReadWriteOnce and ReadOnlyMany")],
            id="several, none of them shared",
        ),
        pytest.param([machine(pvc_volume()), pvc(modes=[])], [needs("without an access mode")], id="no modes"),
        pytest.param([machine(pvc_volume()), pvc(volume_mode="Filesystem")], [], id="volume mode does not matter"),
        pytest.param([machine(DV_VOLUME), data_volume(), pvc(modes=RWX)], [], id="DataVolume: the PVC of its name"),
        pytest.param(
            [machine(DV_VOLUME), data_volume(), pvc(modes=RWO)], [needs("ReadWriteOnce")], id="DataVolume, RWO"
        ),
        pytest.param([machine(DV_VOLUME), data_volume()], [NOT_FOUND], id="DataVolume without its PVC"),
        pytest.param(
            [machine(pvc_volume(hotpluggable=True)), pvc(modes=RWO)], [needs("ReadWriteOnce")], id="hotplugged"
        ),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)], migrated=["data"])], [], id="is migrated along"
        ),
        pytest.param([machine(pvc_volume(), migrated=["data"])], [NOT_FOUND], id="migrated, but nothing is known"),
        pytest.param(
            [machine(pvc_volume(), statuses=[volume_status(modes=RWO)], migrated=["other"])],
            [needs("ReadWriteOnce")],
            id="another volume is migrated",
        ),
        pytest.param(
            [machine({"name": "h", "hostDisk": {"path": "/x", "type": "Disk", "shared": True}})],
            [],
            id="shared hostDisk",
        ),
        pytest.param(
            [machine({"name": "h", "hostDisk": {"path": "/x", "type": "Disk"}})],
            ["it is a hostDisk that is not marked shared; live migration needs a disk that both nodes reach"],
            id="hostDisk",
        ),
        pytest.param(
            [
                machine(
                    {"name": "data", "hostDisk": {"type": "Disk", "shared": True}}, statuses=[volume_status(modes=RWO)]
                )
            ],
            [needs("ReadWriteOnce")],
            id="hostDisk made of a claim: marked shared, but the claim counts",
        ),
        pytest.param(
            [machine({"name": "data", "hostDisk": {"type": "Disk"}}, statuses=[volume_status(modes=RWX)])],
            [],
            id="hostDisk made of a shared claim",
        ),
        pytest.param([machine({"name": "c", "containerDisk": {"image": "x"}})], [], id="containerDisk"),
        pytest.param([machine({"name": "c", "cloudInitNoCloud": {"userData": "x"}})], [], id="cloud-init"),
        pytest.param([machine({"name": "c", "emptyDisk": {"capacity": "1Gi"}})], [], id="emptyDisk"),
        pytest.param(
            [machine({"name": "c", "ephemeral": {"persistentVolumeClaim": {"claimName": "db-data"}}}), pvc(modes=RWO)],
            [],
            id="ephemeral over any claim",
        ),
        pytest.param(
            [machine({"name": "c", "memoryDump": {"claimName": "db-data"}}), pvc(modes=RWO)], [], id="memoryDump"
        ),
        pytest.param([machine({"name": "c", "configMap": {"name": "x"}})], [], id="configMap"),
        pytest.param([machine({"name": "c", "somethingNew": {}})], [], id="a kind we do not know"),
        pytest.param(
            [
                machine(
                    pvc_volume(),
                    domain={"devices": {"disks": [{"name": "data", "cdrom": {"readonly": True}}]}},
                ),
                pvc(modes=RWO),
            ],
            [needs("ReadWriteOnce")],
            id="a read-only CD-ROM is no excuse",
        ),
        pytest.param(
            [machine(statuses=[volume_status("persistent-state-for-this-vm", "state", RWO)]), pvc("state", modes=RWO)],
            [],
            id="the state of TPM and EFI never blocks",
        ),
        pytest.param(
            [machine(utilityVolumes=[{"name": "u", "claimName": "db-data"}]), pvc(modes=RWO)],
            [],
            id="utility volumes are not examined",
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
            "migratable": False,
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
