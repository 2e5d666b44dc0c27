"""Whether a VM can be migrated. Source: KubeVirt vm.go, migration-create-admitter.go; domain.md §d, §e."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest
from hypothesis import given

from tests.support.anyjson import ANY_VMI_SPEC
from tests.support.builders import (
    context,
    create,
    kubevirt,
    pvc,
    pvc_volume,
    update,
    vm,
    vmi,
    vmim,
    volume_status,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.migratability import obstacles_of
from webhook.kubevirt.podnetwork import ALLOW_BRIDGE
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.facts import FactContext

Json = dict[str, Any]

ASKED = create(VMIM, vmim())
DISKS, INTERFACE, DEVICE = "DisksNotLiveMigratable", "InterfaceNotLiveMigratable", "HostDeviceNotLiveMigratable"
POD_NETWORK: Json = {"networks": [{"name": "default", "pod": {}}]}
BRIDGE = [{"name": "default", "bridge": {}}]
MASQUERADE = [{"name": "default", "masquerade": {}}]
USB = [{"name": "usb", "deviceName": "kubevirt.io/usb"}]


def spec(*volumes: Json, interfaces: Any = MASQUERADE, **devices: Any) -> Json:
    return {"domain": {"devices": {"interfaces": interfaces, **devices}}, "volumes": list(volumes), **POD_NETWORK}


def said(status: str, reason: str = "", message: str = "") -> Json:
    condition = {"type": "LiveMigratable", "status": status, "reason": reason, "message": message}
    return {"conditions": [condition]}


def running(of: Json, status: Json | None = None) -> Json:
    return vmi(spec=of, status=status)


def found_in(found: FactContext, name: str = "vmi.obstacles") -> list[tuple[str, str, str]]:
    return [(entry["reason"], entry["code"], entry["known"]) for entry in FACTS[name].resolve(found)]


RWO = pvc(modes=["ReadWriteOnce"])
RWO_DISK = (DISKS, "AccessMode", "computed")
OLD = {**kubevirt(), "status": {"observedKubeVirtVersion": "v1.5.0"}}


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param([running(spec())], [], id="nothing is wrong"),
        pytest.param(
            [running(spec(interfaces=BRIDGE, hostDevices=USB))],
            [(INTERFACE, "PodBridge", "computed"), (DEVICE, "HostDevices", "computed")],
            id="migration-create-admitter.go-isMigratable-absent-condition-passes-there-and-is-computed-here",
        ),
        pytest.param(
            [running(spec(interfaces=BRIDGE, hostDevices=USB), said("True"))],
            [],
            id="vm.go-condition-True-is-fresher-than-a-guess-of-devices",
        ),
        pytest.param(
            [running(spec(pvc_volume()), said("True")), RWO],
            [RWO_DISK],
            id="vm.go-condition-True-disks-are-judged-anew",
        ),
        pytest.param(
            [running(spec(interfaces=BRIDGE), said("Unknown"))],
            [(INTERFACE, "PodBridge", "computed")],
            id="vm.go-condition-Unknown-says-nothing",
        ),
        pytest.param(
            [running(spec(interfaces=BRIDGE), said("False", INTERFACE, "cannot migrate"))],
            [(INTERFACE, "PodBridge", "KubeVirt")],
            id="vm.go-condition-False-with-a-cause-that-is-seen-here-too",
        ),
        pytest.param(
            [running(spec(interfaces=BRIDGE, hostDevices=USB), said("False", INTERFACE))],
            [(INTERFACE, "PodBridge", "KubeVirt"), (DEVICE, "HostDevices", "computed")],
            id="vm.go-condition-False-what-comes-later-is-computed",
        ),
        pytest.param(
            [running(spec(interfaces=BRIDGE, hostDevices=USB), said("False", DEVICE))],
            [(DEVICE, "HostDevices", "KubeVirt")],
            id="vm.go-condition-False-what-comes-before-was-found-in-order",
        ),
        pytest.param(
            [running(spec(pvc_volume(), hostDevices=USB), said("False", DEVICE)), RWO],
            [(DEVICE, "HostDevices", "KubeVirt"), RWO_DISK],
            id="vm.go-condition-False-disks-are-always-judged",
        ),
        pytest.param(
            [running(spec(pvc_volume()), said("False", DISKS)), RWO],
            [(DISKS, "AccessMode", "KubeVirt")],
            id="vm.go-condition-False-disks",
        ),
        pytest.param(
            [running(spec(pvc_volume()), said("False", DISKS)), pvc()],
            [(DISKS, "", "KubeVirt")],
            id="vm.go-condition-False-disks-that-look-right-here",
        ),
        pytest.param(
            [running(spec(interfaces=BRIDGE), said("False", "HotplugNotLiveMigratable"))],
            [("HotplugNotLiveMigratable", "", "KubeVirt")],
            id="types.go-a-reason-that-is-not-computed-here",
        ),
        pytest.param(
            [running(spec(), said("False"))], [("NotLiveMigratable", "", "KubeVirt")], id="condition without a reason"
        ),
        pytest.param(
            [
                running(spec(interfaces=BRIDGE), said("False", DISKS)),
                OLD,
            ],
            [(DISKS, "", "KubeVirt"), (INTERFACE, "PodBridge", "computed")],
            id="vm.go-order-up-to-1.5-disks-come-first",
        ),
        pytest.param(
            [running(spec(pvc_volume(), interfaces=BRIDGE), said("False", INTERFACE)), RWO, OLD],
            [(INTERFACE, "PodBridge", "KubeVirt"), RWO_DISK],
            id="vm.go-order-up-to-1.5-disks-are-judged-anew-all-the-same",
        ),
    ],
)
def test_what_kubevirt_said_counts_and_the_rest_is_computed(objects: list[Json], expected: list[Any]) -> None:
    found = context(ASKED, *objects)
    assert found_in(found) == expected
    assert FACTS["vmi.migratable"].resolve(found) is (not expected)


def test_kubevirts_own_words_stand_where_the_cause_is_not_seen_here() -> None:
    found = context(ASKED, running(spec(), said("False", DEVICE, "VMI specifies too many GPUs")))
    (obstacle,) = FACTS["vmi.obstacles"].resolve(found)
    assert (obstacle["message"], obstacle["change"]) == ("VMI specifies too many GPUs", "")


@pytest.mark.parametrize(
    ("volumes", "code", "message"),
    [
        pytest.param(
            [pvc_volume()],
            "AccessMode",
            "disk data: PersistentVolumeClaim prod/db-data is ReadWriteOnce; live migration needs ReadWriteMany",
            id="claim",
        ),
        pytest.param(
            [pvc_volume(claim="gone")],
            "ClaimNotFound",
            "disk data: cannot tell: PersistentVolumeClaim prod/gone was not found",
            id="missing claim",
        ),
        pytest.param(
            [{"name": "local", "hostDisk": {"type": "Disk"}}],
            "HostDiskNotShared",
            "disk local: it is a hostDisk that is not marked shared; live migration needs a disk that both nodes reach",
            id="hostDisk",
        ),
    ],
)
def test_each_disk_is_an_obstacle_of_its_own_with_what_to_change(volumes: list[Json], code: str, message: str) -> None:
    (obstacle,) = FACTS["vmi.obstacles"].resolve(context(ASKED, running(spec(*volumes)), RWO))
    assert (obstacle["code"], obstacle["message"]) == (code, message)
    assert obstacle["change"]


@pytest.mark.parametrize(
    ("ends", "decentralized"),
    [
        pytest.param({"sendTo": {"migrationID": "x"}}, True, id="types.go-IsDecentralized-sendTo"),
        pytest.param({"receive": {"migrationID": "x"}}, True, id="types.go-IsDecentralized-receive"),
        pytest.param({"sendTo": {}, "receive": {}}, False, id="types.go-IsDecentralized-both-is-local"),
        pytest.param({"sendTo": {}, "receive": None}, True, id="types.go-IsDecentralized-null-is-absent"),
        pytest.param({}, False, id="types.go-IsDecentralized-neither"),
        pytest.param({"sendTo": "x"}, True, id="types.go-IsDecentralized-anything-that-is-not-nil"),
    ],
)
def test_a_decentralised_migration_is_forgiven_its_disks(ends: Json, decentralized: bool) -> None:
    """Source: KubeVirt pkg/virt-api/webhooks/validating-webhook/admitters/migration-create-admitter.go."""
    asked = create(VMIM, {**vmim(), "spec": {"vmiName": "db", **ends}})
    found = context(asked, running(spec(pvc_volume(), hostDevices=USB), said("False", DISKS)), RWO)
    assert FACTS["migration.decentralized"].resolve(found) is decentralized
    assert found_in(found) == ([] if decentralized else [(DISKS, "AccessMode", "KubeVirt")])


def test_a_decentralised_migration_is_not_forgiven_its_devices() -> None:
    asked = create(VMIM, {**vmim(), "spec": {"vmiName": "db", "sendTo": {"migrationID": "x"}}})
    found = context(asked, running(spec(pvc_volume(), hostDevices=USB)), RWO)
    assert found_in(found) == [(DEVICE, "HostDevices", "computed")]


def test_a_vm_that_is_not_there_is_not_migratable_and_has_no_obstacles() -> None:
    found = context(ASKED)
    assert (FACTS["vmi.migratable"].resolve(found), found_in(found)) == (False, [])


@pytest.mark.parametrize(
    "of",
    [
        pytest.param(spec(pvc_volume(), interfaces=BRIDGE, hostDevices=USB), id="devices and disks"),
        pytest.param({"domain": {"launchSecurity": {"tdx": {}}}}, id="encryption, and the default network"),
        pytest.param({"domain": {"features": {"hyperv": {"reenlightenment": {}}}}}, id="features"),
    ],
)
def test_a_vms_template_is_judged_like_the_vmi_that_it_makes(of: Json) -> None:
    made = vm()
    made["spec"]["template"]["spec"] = of
    expected = found_in(context(create(VMI, vmi(spec=of)), RWO))
    assert expected
    assert found_in(context(create(VM, made), RWO)) == expected


CONTAINER_DISK: Json = {"name": "os", "containerDisk": {"image": "x"}}


@pytest.mark.parametrize(
    ("of", "status", "ends", "copies"),
    [
        pytest.param(spec(CONTAINER_DISK), {}, {}, True, id="vm.go-checkVolumesForMigration-containerDisk"),
        pytest.param(spec(pvc_volume()), {}, {}, False, id="vm.go-checkVolumesForMigration-shared-claim"),
        pytest.param(spec(), {}, {}, False, id="vm.go-checkVolumesForMigration-no-volumes"),
        pytest.param(
            spec(CONTAINER_DISK, disks=[{"name": "os", "cdrom": {}}]), {}, {}, False, id="vm.go-isReadOnlyDisk-cdrom"
        ),
        pytest.param(
            spec({"name": "h", "hostDisk": {}}), {}, {}, True, id="vm.go-checkVolumesForMigration-error-says-block"
        ),
        pytest.param(
            spec(pvc_volume()), {"migrationMethod": "BlockMigration"}, {}, True, id="types.go-IsBlockMigration-method"
        ),
        pytest.param(
            spec(CONTAINER_DISK), {"migrationMethod": "LiveMigration"}, {}, False, id="types.go-status-is-believed"
        ),
        pytest.param(
            spec(pvc_volume()),
            {"migrationMethod": "LiveMigration", "migratedVolumes": [{"volumeName": "data"}]},
            {},
            True,
            id="types.go-IsBlockMigration-migratedVolumes",
        ),
        pytest.param(spec(pvc_volume()), {}, {"sendTo": {}}, True, id="domain.md-d-decentralised-copies-all-claims"),
        pytest.param(spec(), {}, {"sendTo": {}}, False, id="domain.md-d-decentralised-without-claims"),
    ],
)
def test_a_migration_copies_disks_as_in_kubevirt(of: Json, status: Json, ends: Json, copies: bool) -> None:
    asked = create(VMIM, {**vmim(), "spec": {"vmiName": "db", **ends}})
    assert FACTS["vmi.blockMigration"].resolve(context(asked, running(of, status), pvc())) is copies


def test_nothing_copies_no_disks() -> None:
    assert FACTS["vmi.blockMigration"].resolve(context(ASKED)) is False


def template(of: Json, *, strategy: str = "", annotations: Json | None = None) -> Json:
    made = vm()
    made["spec"]["template"]["spec"] = {**of, **({"evictionStrategy": strategy} if strategy else {})}
    made["spec"]["template"]["metadata"]["annotations"] = annotations or {}
    return made


def clusters(strategy: str = "") -> Json:
    made = kubevirt()
    made["spec"]["configuration"] = {
        "network": {"defaultNetworkInterface": "masquerade"},
        **({"evictionStrategy": strategy} if strategy else {}),
    }
    return made


@pytest.mark.parametrize(
    ("own", "cluster", "strategy"),
    [
        pytest.param("External", "LiveMigrate", "External", id="migrations.go-VMIEvictionStrategy-own"),
        pytest.param("", "LiveMigrate", "LiveMigrate", id="migrations.go-VMIEvictionStrategy-cluster"),
        pytest.param("", "", "None", id="configuration.go-defaultEvictionStrategy"),
    ],
)
def test_the_eviction_strategy_that_a_write_results_in(own: str, cluster: str, strategy: str) -> None:
    found = context(create(VM, template(spec(), strategy=own)), clusters(cluster))
    assert FACTS["eviction.strategy"].resolve(found) == strategy
    assert FACTS["eviction.isOwn"].resolve(found) is bool(own)


RWO_VOLUME = pvc_volume()
CREATE_RWO = template(spec(RWO_VOLUME), strategy="LiveMigrate")


@pytest.mark.parametrize(
    ("asked", "objects", "expected"),
    [
        pytest.param(create(VM, CREATE_RWO), [RWO], [RWO_DISK], id="a VM is made"),
        pytest.param(create(VMI, vmi(spec=CREATE_RWO["spec"]["template"]["spec"])), [RWO], [RWO_DISK], id="a VMI"),
        pytest.param(create(VM, CREATE_RWO), [pvc()], [], id="its disk is shared"),
        pytest.param(create(VM, CREATE_RWO), [], [], id="its claim is still to be made"),
        pytest.param(
            create(VM, template(spec(RWO_VOLUME))), [RWO, clusters("LiveMigrate")], [RWO_DISK], id="cluster's strategy"
        ),
        pytest.param(
            create(VM, template(spec(RWO_VOLUME), strategy="LiveMigrateIfPossible")),
            [RWO, clusters("LiveMigrate")],
            [],
            id="pod-eviction-admitter.go-LiveMigrateIfPossible-shuts-it-down",
        ),
        pytest.param(
            create(VM, template(spec(RWO_VOLUME), strategy="External")),
            [RWO],
            [],
            id="pod-eviction-admitter.go-External-is-only-marked",
        ),
        pytest.param(create(VM, template(spec(RWO_VOLUME))), [RWO], [], id="no strategy at all"),
        pytest.param(
            create(VM, template(spec(interfaces=BRIDGE), strategy="LiveMigrate")),
            [],
            [(INTERFACE, "PodBridge", "computed")],
            id="an interface",
        ),
        pytest.param(
            create(VM, template({"domain": {}}, strategy="LiveMigrate")),
            [],
            [(INTERFACE, "DefaultBridge", "computed")],
            id="defaults.go-the-cluster-connects-it-by-bridge",
        ),
        pytest.param(update(VM, CREATE_RWO, CREATE_RWO), [RWO], [], id="nothing changes"),
        pytest.param(
            update(VM, CREATE_RWO, {**CREATE_RWO, "metadata": {**CREATE_RWO["metadata"], "labels": {"a": "b"}}}),
            [RWO],
            [],
            id="an unrelated update",
        ),
        pytest.param(
            update(VM, template(spec(RWO_VOLUME), strategy="None"), CREATE_RWO),
            [RWO],
            [RWO_DISK],
            id="the strategy is chosen",
        ),
        pytest.param(
            update(VM, template(spec(), strategy="LiveMigrate"), CREATE_RWO), [RWO], [RWO_DISK], id="a disk is added"
        ),
        pytest.param(
            update(VM, CREATE_RWO, template(spec(RWO_VOLUME, hostDevices=USB), strategy="LiveMigrate")),
            [RWO],
            [(DEVICE, "HostDevices", "computed")],
            id="a device is added to what was there",
        ),
        pytest.param(
            update(VM, CREATE_RWO, template(spec(), strategy="LiveMigrate")), [RWO], [], id="a disk is taken off"
        ),
        pytest.param(
            create(VMIM, vmim()), [running(CREATE_RWO["spec"]["template"]["spec"]), RWO], [], id="a migration"
        ),
    ],
)
def test_a_write_is_told_of_the_drains_that_it_will_block(asked: Any, objects: list[Json], expected: list[Any]) -> None:
    """Source: domain.md §e (eviction of a launcher by strategy)."""
    assert found_in(context(asked, *objects), "eviction.obstacles") == expected


def test_a_disk_that_is_hotplugged_into_a_running_vm_counts() -> None:
    before = {**spec(interfaces=BRIDGE), "evictionStrategy": "LiveMigrate"}
    after = {**before, "volumes": [RWO_VOLUME]}
    cached = running(before, said("True"))
    found = context(update(VMI, cached, running(after)), cached, RWO)
    assert found_in(found, "eviction.obstacles") == [RWO_DISK]


def test_a_running_vm_whose_status_alone_is_written_is_told_nothing() -> None:
    cached = running({**spec(hostDevices=USB), "evictionStrategy": "LiveMigrate"}, said("False", DEVICE))
    found = context(update(VMI, cached, {**cached, "status": {"phase": "Failed"}}), cached)
    assert found_in(found, "eviction.obstacles") == []


ALLOWED = {ALLOW_BRIDGE: ""}
BRIDGED = spec(interfaces=BRIDGE)


def annotated(of: Json, annotations: Json) -> Json:
    made = vmi(spec=of)
    return {**made, "metadata": {**made["metadata"], "annotations": annotations}}


@pytest.mark.parametrize(
    ("asked", "interface"),
    [
        pytest.param(create(VM, template(BRIDGED, annotations=ALLOWED)), "default", id="domain.md-e22-vm-template"),
        pytest.param(create(VMI, annotated(BRIDGED, ALLOWED)), "default", id="domain.md-e22-vmi"),
        pytest.param(
            create(VM, template(BRIDGED, annotations={ALLOW_BRIDGE: "false"})),
            "default",
            id="interface.go-any-value-will-do",
        ),
        pytest.param(
            create(VM, template({"domain": {}}, annotations=ALLOWED)), "default", id="defaults.go-bridge-by-default"
        ),
        pytest.param(create(VM, template(spec(), annotations=ALLOWED)), "", id="masquerade needs no permission"),
        pytest.param(create(VM, template(BRIDGED)), "", id="no annotation"),
        pytest.param(
            create(VM, {**template(BRIDGED), "metadata": {"name": "db", "namespace": "prod", "annotations": ALLOWED}}),
            "",
            id="vm.go-SetupVMIFromVM-the-VMs-own-annotations-do-not-reach-the-VMI",
        ),
        pytest.param(
            create(
                VM,
                template({**BRIDGED, "networks": [{"name": "default", "multus": {}}]}, annotations=ALLOWED),
            ),
            "",
            id="interface.go-a-secondary-bridge-is-not-concerned",
        ),
        pytest.param(
            update(VM, template(BRIDGED), template(BRIDGED, annotations=ALLOWED)), "default", id="it is added"
        ),
        pytest.param(
            update(VM, template(spec(), annotations=ALLOWED), template(BRIDGED, annotations=ALLOWED)),
            "default",
            id="the interface becomes a bridge",
        ),
        pytest.param(
            update(VM, template(BRIDGED, annotations=ALLOWED), template(BRIDGED, annotations={ALLOW_BRIDGE: "x"})),
            "",
            id="it was there before",
        ),
        pytest.param(update(VM, template(BRIDGED, annotations=ALLOWED), template(BRIDGED)), "", id="it is taken off"),
        pytest.param(
            update(VMI, annotated(BRIDGED, {}), annotated(BRIDGED, ALLOWED)), "default", id="it is added to a VMI"
        ),
        pytest.param(create(VMIM, vmim()), "", id="a migration of a VM that has it"),
    ],
)
def test_a_write_is_told_of_the_bridge_that_it_calls_migratable(asked: Any, interface: str) -> None:
    cached = [annotated(BRIDGED, ALLOWED)] if asked.resource == VMIM.resource else []
    assert FACTS["vmi.forcedBridge"].resolve(context(asked, *cached)) == interface


@given(of=ANY_VMI_SPEC)
def test_whatever_a_write_holds_its_facts_have_their_types(of: Any) -> None:
    found = context(update(VMI, vmi(), {**vmi(), "spec": of}), vmi())
    for entry in (*FACTS["vmi.obstacles"].resolve(found), *FACTS["eviction.obstacles"].resolve(found)):
        assert all(isinstance(value, str) for value in entry.values())
    assert isinstance(FACTS["vmi.blockMigration"].resolve(found), bool)
    assert isinstance(FACTS["vmi.forcedBridge"].resolve(found), str)


def _identities(of: Any, status: Sequence[Json]) -> list[tuple[str, str, str]]:
    found = context(ASKED, vmi(spec=of, status={"volumeStatus": list(status)}))
    return [obstacle.identity for obstacle in obstacles_of(found)]


@given(of=ANY_VMI_SPEC)
def test_a_shared_disk_more_is_never_an_obstacle_more(of: Any) -> None:
    of = of if isinstance(of, dict) else {}
    volumes = of["volumes"] if isinstance(of.get("volumes"), list) else []
    more = {**of, "volumes": [*volumes, pvc_volume("shared-one", "shared-claim")]}
    before, after = _identities(of, []), _identities(more, [volume_status("shared-one", "shared-claim")])
    assert after == before


def test_policies_see_the_first_ten_obstacles_of_each_reason_and_how_many_more_there_are() -> None:
    volumes = [{"name": f"d{number}", "hostDisk": {}} for number in range(12)]
    found = context(ASKED, running(spec(*volumes, interfaces=BRIDGE, hostDevices=USB)))
    told = FACTS["vmi.obstacles"].resolve(found)
    assert [(entry["reason"], entry["subject"]) for entry in told] == [
        (INTERFACE, "default"),
        (DEVICE, "kubevirt.io/usb"),
        *((DISKS, f"d{number}") for number in range(10)),
        (DISKS, "2"),
    ]
    assert (told[-1]["code"], told[-1]["message"]) == ("More", "and 2 more of this kind")
    assert len(obstacles_of(found)) == 14
