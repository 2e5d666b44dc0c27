"""Obstacles in a VM's specification. Source: KubeVirt pkg/virt-handler/vm.go (calculateLiveMigrationCondition)."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import pytest
from hypothesis import given

from tests.support.anyjson import ANY_VMI_SPEC, any_json
from tests.support.builders import context, create, kubevirt, vmi, vmim
from webhook.kubevirt.machine import Machine
from webhook.kubevirt.migratability import MORE
from webhook.kubevirt.obstacles import ORDER, Obstacle, spec_obstacles
from webhook.kubevirt.podnetwork import ALLOW_BRIDGE
from webhook.kubevirt.resources import VMIM

Json = dict[str, Any]

ASKED = create(VMIM, vmim())
HOST_MODEL: Json = {"cpu": {"model": "host-model"}}
GPU = {"name": "gpu1", "deviceName": "nvidia.com/GRID_T4-1Q"}
MDEV: Json = {"mediatedDevices": [{"mdevNameSelector": "GRID T4-1Q", "resourceName": "nvidia.com/GRID_T4-1Q"}]}
VGPU: Json = {"developerConfiguration": {"featureGates": ["VGPULiveMigration"]}}
REENLIGHTENMENT: Json = {"features": {"hyperv": {"reenlightenment": {"enabled": True}}}}
TSC: Json = {"cpu-timer.node.kubevirt.io/tsc-frequency": "2400000000", "kubevirt.io/schedulable": "true"}


def node(name: str = "node01", **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def cluster(version: str = "v1.9.0", architecture: str = "amd64", **configured: Any) -> Json:
    status = {"observedKubeVirtVersion": version, "defaultArchitecture": architecture}
    return {**kubevirt(), "spec": {"configuration": configured}, "status": status}


def binding(how: str, **value: Any) -> Json:
    interfaces = [{"name": "default", how: value}]
    return {"domain": {"devices": {"interfaces": interfaces}}, "networks": [{"name": "default", "pod": {}}]}


def found_in(
    spec: Any, *objects: Json, annotations: Json | None = None, status: Json | None = None, running: bool = True
) -> list[Obstacle]:
    cached = vmi(status=status)
    machine = Machine(spec=spec, annotations=annotations or {}, vmi=cached if running else None)
    return spec_obstacles(context(ASKED, cached, *objects), machine)


def codes(found: Sequence[Obstacle]) -> list[tuple[str, str]]:
    return [(obstacle.reason, obstacle.code) for obstacle in found]


def domain(**fields: Any) -> Json:
    return {"domain": fields}


def devices(**fields: Any) -> Json:
    return domain(devices=fields)


INTERFACE, DEVICE = "InterfaceNotLiveMigratable", "HostDeviceNotLiveMigratable"
PLUGIN: Json = {"network": {"binding": {"mine": {"sidecarImage": "x", "migration": {"method": "link-refresh"}}}}}

SPECIFIED = [
    # pkg/network/vmispec/interface.go
    pytest.param(binding("masquerade"), [], [], id="interface.go-VerifyVMIMigratable-masquerade"),
    pytest.param(binding("passtBinding"), [], [], id="interface.go-VerifyVMIMigratable-passtBinding"),
    pytest.param(binding("bridge"), [], [(INTERFACE, "PodBridge")], id="interface.go-VerifyVMIMigratable-bridge"),
    pytest.param(
        binding("binding", name="mine"),
        [cluster(**PLUGIN)],
        [],
        id="interface.go-VerifyVMIMigratable-plugin-with-migration",
    ),
    pytest.param(
        binding("binding", name="mine"),
        [cluster(network={"binding": {"mine": {"migration": {}}}})],
        [],
        id="interface.go-VerifyVMIMigratable-plugin-with-empty-migration",
    ),
    pytest.param(
        binding("binding", name="mine"),
        [cluster(network={"binding": {"mine": {"sidecarImage": "x"}}})],
        [(INTERFACE, "PodPlugin")],
        id="interface.go-VerifyVMIMigratable-plugin-without-migration",
    ),
    pytest.param(
        binding("binding", name="mine"),
        [cluster(network={"binding": {"mine": {"migration": None}}})],
        [(INTERFACE, "PodPlugin")],
        id="interface.go-VerifyVMIMigratable-plugin-with-null-migration",
    ),
    pytest.param(
        binding("binding", name="other"),
        [cluster(**PLUGIN)],
        [(INTERFACE, "PodPlugin")],
        id="interface.go-VerifyVMIMigratable-plugin-that-is-not-registered",
    ),
    pytest.param(binding("sriov"), [], [(INTERFACE, "PodBinding")], id="interface.go-VerifyVMIMigratable-sriov"),
    pytest.param(binding("slirp"), [], [(INTERFACE, "PodBinding")], id="interface.go-VerifyVMIMigratable-slirp"),
    pytest.param(binding("macvtap"), [], [(INTERFACE, "PodBinding")], id="interface.go-VerifyVMIMigratable-macvtap"),
    pytest.param(
        {**binding("bridge"), "networks": [{"name": "other", "pod": {}}]},
        [],
        [(INTERFACE, "PodInterfaceMissing")],
        id="interface.go-VerifyVMIMigratable-no-primary-interface",
    ),
    pytest.param(
        {**binding("bridge"), "networks": [{"name": "default", "multus": {"networkName": "n"}}]},
        [],
        [],
        id="interface.go-VerifyVMIMigratable-secondary-bridge",
    ),
    pytest.param(
        {**binding("sriov"), "networks": [{"name": "default", "multus": {"networkName": "n"}}]},
        [],
        [],
        id="interface.go-VerifyVMIMigratable-secondary-sriov",
    ),
    pytest.param(
        {**binding("bridge"), "networks": [{"name": "default", "multus": {"networkName": "n", "default": True}}]},
        [],
        [],
        id="interface.go-VerifyVMIMigratable-bridge-on-multus-default",
    ),
    pytest.param(domain(), [], [], id="interface.go-VerifyVMIMigratable-no-interfaces"),
    # isHostModelMigratable
    pytest.param(
        domain(**HOST_MODEL),
        [node(**{"host-model-cpu.node.kubevirt.io/Skylake": "true"})],
        [],
        id="vm.go-isHostModelMigratable-node-with-a-host-model",
    ),
    pytest.param(
        domain(**HOST_MODEL),
        [node(**{"cpu-model.node.kubevirt.io/Skylake": "true"})],
        [("CPUModeLiveMigratable", "HostModel")],
        id="vm.go-isHostModelMigratable-node-without",
    ),
    pytest.param(domain(**HOST_MODEL), [], [], id="vm.go-isHostModelMigratable-node-is-not-known"),
    pytest.param(
        domain(cpu={"model": "host-passthrough"}), [node()], [], id="vm.go-isHostModelMigratable-host-passthrough"
    ),
    pytest.param(domain(cpu={"model": "Penryn"}), [node()], [], id="vm.go-isHostModelMigratable-named-model"),
    pytest.param(domain(), [node()], [], id="vm.go-isHostModelMigratable-no-model"),
    # vmiContainsNonMigratablePCIHostDevices
    pytest.param(
        devices(hostDevices=[{"name": "usb", "deviceName": "kubevirt.io/usb"}]),
        [cluster(**VGPU)],
        [(DEVICE, "HostDevices")],
        id="vm.go-hostDevices-any",
    ),
    pytest.param(devices(hostDevices=[]), [], [], id="vm.go-hostDevices-empty-list"),
    pytest.param(devices(gpus=[GPU]), [cluster()], [(DEVICE, "GPUGate")], id="vm.go-hostDevices-one-gpu-without-gate"),
    pytest.param(
        devices(gpus=[GPU]),
        [cluster(permittedHostDevices=MDEV, **VGPU)],
        [],
        id="vm.go-hostDevices-one-gpu-mdev-with-gate",
    ),
    pytest.param(
        devices(gpus=[GPU]),
        [cluster(permittedHostDevices=MDEV)],
        [(DEVICE, "GPUGate")],
        id="vm.go-hostDevices-one-gpu-mdev-without-gate",
    ),
    pytest.param(
        devices(gpus=[GPU]),
        [cluster(permittedHostDevices={"pciHostDevices": [{"resourceName": GPU["deviceName"]}]}, **VGPU)],
        [(DEVICE, "GPUNotMediated")],
        id="vm.go-isMdevGPU-pci-device",
    ),
    pytest.param(
        devices(gpus=[GPU]), [cluster(**VGPU)], [(DEVICE, "GPUNotMediated")], id="vm.go-isMdevGPU-nothing-permitted"
    ),
    pytest.param(
        devices(gpus=[GPU, GPU]),
        [cluster(permittedHostDevices=MDEV, **VGPU)],
        [(DEVICE, "ManyGPUs")],
        id="vm.go-hostDevices-two-gpus",
    ),
    pytest.param(
        devices(gpus=[GPU]),
        [cluster("v1.8.4", permittedHostDevices=MDEV, **VGPU)],
        [(DEVICE, "GPU")],
        id="vm.go-vmiContainsPCIHostDevice-any-gpu-before-1.9",
    ),
    pytest.param(
        devices(gpus=[GPU, GPU], hostDevices=[GPU]),
        [cluster()],
        [(DEVICE, "HostDevices"), (DEVICE, "ManyGPUs")],
        id="vm.go-hostDevices-both-are-named",
    ),
    # launchSecurity
    pytest.param(domain(launchSecurity={"sev": {}}), [], [("SEVNotLiveMigratable", "SEV")], id="amd64.go-IsSEVVMI-sev"),
    pytest.param(domain(launchSecurity={"snp": {}}), [], [("SEVNotLiveMigratable", "SNP")], id="amd64.go-IsSEVVMI-snp"),
    pytest.param(domain(launchSecurity={"tdx": {}}), [], [("TDXNotLiveMigratable", "TDX")], id="amd64.go-IsTDXVMI-tdx"),
    pytest.param(domain(launchSecurity={}), [], [], id="s390x.go-IsSecureExecutionVMI-other-architecture"),
    pytest.param(
        {**domain(launchSecurity={}), "architecture": "s390x"},
        [],
        [("SecureExecutionNotLiveMigratable", "SecureExecution")],
        id="s390x.go-IsSecureExecutionVMI-s390x",
    ),
    pytest.param(
        domain(launchSecurity={}),
        [cluster(architecture="s390x")],
        [("SecureExecutionNotLiveMigratable", "SecureExecution")],
        id="defaults.go-setDefaultArchitecture-s390x",
    ),
    pytest.param(
        {**domain(), "architecture": "s390x"}, [], [], id="s390x.go-IsSecureExecutionVMI-without-launchSecurity"
    ),
    pytest.param(domain(launchSecurity={"sev": None}), [], [], id="amd64.go-IsSEVVMI-null"),
    # SCSI persistent reservations
    pytest.param(
        devices(disks=[{"name": "quorum", "lun": {"reservation": True}}]),
        [cluster("v1.8.4")],
        [("PersistentReservationNotLiveMigratable", "PersistentReservation")],
        id="pr.go-HasVMIPersistentReservation-up-to-1.8",
    ),
    pytest.param(
        devices(disks=[{"name": "quorum", "lun": {"reservation": True}}]),
        [cluster("v1.9.0")],
        [],
        id="vm.go-calculateLiveMigrationCondition-reservation-dropped-in-1.9",
    ),
    pytest.param(
        devices(disks=[{"name": "quorum", "lun": {}}]), [cluster("v1.8.4")], [], id="pr.go-lun-without-reservation"
    ),
    # Hyper-V
    pytest.param(
        domain(**REENLIGHTENMENT),
        [node(**TSC)],
        [("NoTSCFrequencyNotLiveMigratable", "TSCFrequency")],
        id="tsc.go-reenlightenment-without-hints",
    ),
    pytest.param(
        domain(features={"hyperv": {"reenlightenment": {}}}),
        [],
        [("NoTSCFrequencyNotLiveMigratable", "TSCFrequency")],
        id="defaults.go-SetDefaults_FeatureState-enabled-unless-said",
    ),
    pytest.param(
        domain(features={"hyperv": {"reenlightenment": {"enabled": False}}}), [], [], id="tsc.go-reenlightenment-off"
    ),
    pytest.param(
        domain(**REENLIGHTENMENT, cpu={"features": [{"name": "invtsc", "policy": "require"}]}),
        [],
        [],
        id="tsc.go-vmiHasInvTSCFeature-require-is-for-boot",
    ),
    pytest.param(
        domain(**REENLIGHTENMENT, cpu={"features": [{"name": "invtsc", "policy": "force"}]}),
        [],
        [],
        id="tsc.go-vmiHasInvTSCFeature-force-is-for-boot",
    ),
    pytest.param(
        domain(**REENLIGHTENMENT, cpu={"features": [{"name": "invtsc"}]}),
        [],
        [("NoTSCFrequencyNotLiveMigratable", "TSCFrequency")],
        id="tsc.go-vmiHasInvTSCFeature-no-policy-is-not-require",
    ),
    pytest.param(
        domain(features={"hypervPassthrough": {"enabled": True}}),
        [],
        [("HypervPassthroughNotLiveMigratable", "HypervPassthrough")],
        id="vm.go-hypervPassthrough-enabled",
    ),
    pytest.param(
        domain(features={"hypervPassthrough": {"enabled": False}}), [], [], id="vm.go-hypervPassthrough-disabled"
    ),
]


@pytest.mark.parametrize(("spec", "objects", "expected"), SPECIFIED)
def test_an_obstacle_is_found_as_in_kubevirt(spec: Json, objects: list[Json], expected: list[tuple[str, str]]) -> None:
    assert codes(found_in(spec, *objects)) == expected


@pytest.mark.parametrize("policy", ["vm-can-migrate", "eviction-strategy-migratable"])
def test_the_japanese_texts_of_a_policy_cover_every_case(policy: str) -> None:
    cases: set[str] = {code for row in SPECIFIED for _, code in cast("list[tuple[str, str]]", row.values[2])}
    text = (Path(__file__).parents[3] / "policies" / policy / "policy.yaml").read_text()
    assert [case for case in sorted({*cases, "DefaultBridge"}) if f"'{case}': '" not in text] == []
    assert f"'{MORE}': '" in text


@pytest.mark.parametrize("value", ["", "true", "false"])
def test_a_bridge_is_no_obstacle_where_the_annotation_stands_with_any_value(value: str) -> None:
    """Source: KubeVirt pkg/network/vmispec/interface.go."""
    assert found_in(binding("bridge"), annotations={ALLOW_BRIDGE: value}) == []


def test_the_annotation_does_not_help_another_binding() -> None:
    assert codes(found_in(binding("slirp"), annotations={ALLOW_BRIDGE: ""})) == [(INTERFACE, "PodBinding")]


@pytest.mark.parametrize(
    ("spec", "objects", "status", "running", "blocked"),
    [
        pytest.param({}, [], {"topologyHints": {"tscFrequency": 1}}, True, False, id="tsc.go-hints-are-defined"),
        pytest.param({}, [], {"topologyHints": {"tscFrequency": 0}}, True, True, id="tsc.go-hints-of-zero"),
        pytest.param({}, [], {"topologyHints": None}, True, True, id="tsc.go-hints-of-null"),
        pytest.param({}, [node(**TSC)], {}, False, False, id="hinter.go-a-node-exposes-its-frequency"),
        pytest.param({}, [node()], {}, False, True, id="hinter.go-no-node-exposes-one"),
        pytest.param({}, [], {}, False, False, id="the nodes are not known"),
        pytest.param(
            {},
            [node("idle", **{**TSC, "kubevirt.io/schedulable": "false"})],
            {},
            False,
            True,
            id="hinter.go-FilterNodesFromCache-unschedulable",
        ),
        pytest.param(
            {},
            [node(**{**TSC, "kubevirt.io/schedulable": "false"})],
            {},
            False,
            False,
            id="hinter.go-FilterNodesFromCache-unschedulable-but-runs-vms",
        ),
        pytest.param(
            {},
            [node(**{**TSC, "cpu-timer.node.kubevirt.io/tsc-frequency": "fast"})],
            {},
            False,
            True,
            id="tsc.go-TSCFrequencyFromNode-no-number",
        ),
        pytest.param(
            {},
            [node(**{**TSC, "cpu-timer.node.kubevirt.io/tsc-frequency": "0"})],
            {},
            False,
            True,
            id="tsc.go-TSCFrequencyFromNode-zero",
        ),
        pytest.param(
            {},
            [node(), cluster(developerConfiguration={"minimumClusterTSCFrequency": 1000})],
            {},
            False,
            False,
            id="hinter.go-LowestTSCFrequencyOnCluster-configured",
        ),
        pytest.param(
            {},
            [node(**TSC), cluster(developerConfiguration={"minimumClusterTSCFrequency": 0})],
            {},
            False,
            True,
            id="hinter.go-LowestTSCFrequencyOnCluster-configured-to-zero",
        ),
        pytest.param(
            {"architecture": "arm64"}, [node(**TSC)], {}, False, True, id="hinter.go-TopologyHintsForVMI-only-on-amd64"
        ),
    ],
)
def test_reenlightenment_needs_a_frequency_that_a_vm_has_or_will_get(
    spec: Json, objects: list[Json], status: Json, running: bool, blocked: bool
) -> None:
    found = found_in({**domain(**REENLIGHTENMENT), **spec}, *objects, status=status, running=running)
    reenlightenment = [obstacle for obstacle in found if obstacle.code == "TSCFrequency"]
    assert bool(reenlightenment) is blocked


def test_all_obstacles_are_found_in_kubevirts_order() -> None:
    everything = {
        **binding("bridge"),
        "domain": {
            "cpu": {"model": "host-model"},
            "devices": {
                "interfaces": [{"name": "default", "bridge": {}}],
                "hostDevices": [GPU],
                "disks": [{"name": "quorum", "lun": {"reservation": True}}],
            },
            "launchSecurity": {"sev": {}, "tdx": {}},
            "features": {"hyperv": {"reenlightenment": {}}, "hypervPassthrough": {"enabled": True}},
        },
        "architecture": "s390x",
    }
    found = found_in(everything, node(), cluster("v1.8.4"))
    assert [obstacle.reason for obstacle in found] == list(ORDER[:-1])


@pytest.mark.parametrize(
    ("spec", "message", "change"),
    [
        pytest.param(
            binding("bridge"),
            "interface default is connected to the pod network by bridge",
            "use masquerade for interface default; connect to other networks through a second interface",
            id="bridge",
        ),
        pytest.param(
            binding("binding", name="mine"),
            "interface default is connected to the pod network by binding plugin mine, which the KubeVirt CR does not "
            "call migratable",
            "use masquerade for interface default; connect to other networks through a second interface",
            id="plugin",
        ),
        pytest.param(
            domain(**HOST_MODEL),
            "its CPU model is host-model, and node node01 offers none (it has no label "
            "host-model-cpu.node.kubevirt.io/…)",
            "choose a named CPU model (spec.domain.cpu.model)",
            id="host-model",
        ),
        pytest.param(
            devices(gpus=[GPU]),
            "it has a GPU (nvidia.com/GRID_T4-1Q), and KubeVirt's feature gate VGPULiveMigration is not enabled",
            "take the GPU off the VM, or have an administrator enable VGPULiveMigration",
            id="gpu",
        ),
        pytest.param(
            devices(hostDevices=[{"name": "usb1"}, {"deviceName": "vendor.com/nic"}, {}]),
            "host devices are passed through to it (usb1, vendor.com/nic, unnamed)",
            "take the host devices off the VM",
            id="host devices",
        ),
        pytest.param(
            devices(hostDevices=[{"name": "x"}] * 12),
            f"host devices are passed through to it ({'x, ' * 10}… (12))",
            "take the host devices off the VM",
            id="many host devices",
        ),
    ],
)
def test_a_message_names_the_value_that_causes_it_and_what_to_change(spec: Json, message: str, change: str) -> None:
    (obstacle,) = found_in(spec, node())
    assert (obstacle.message, obstacle.change, obstacle.known) == (message, change, "computed")


@given(spec=ANY_VMI_SPEC, annotations=any_json(ALLOW_BRIDGE))
def test_whatever_a_spec_holds_there_are_obstacles_or_none(spec: Any, annotations: Any) -> None:
    machine = Machine(spec=spec, annotations=annotations if isinstance(annotations, dict) else {}, vmi=vmi())
    for found in spec_obstacles(context(ASKED, node(), cluster("v1.8.4")), machine):
        assert found.reason in ORDER
        assert found.message
