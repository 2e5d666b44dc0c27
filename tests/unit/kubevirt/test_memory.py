"""Memory requests. Sources: Kubernetes resource helpers (PodRequests); KubeVirt renderresources.go and as ids say."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import context, create, kubevirt, launcher, pod, vmi, vmim
from webhook.kubevirt.memory import GIB, MIB, bytes_of, estimated_request, pod_request, shown, vm_request
from webhook.kubevirt.resources import VMIM

ASKED = create(VMIM, vmim())
FIXED = (25 + 100 + 25 + 40 + 50 + 8) * MIB
"""The launcher's processes and one IO thread."""
SMALL = FIXED + (8 + 32) * MIB
"""With one vCPU and a graphics device."""


def container(memory: Any = None, restart: str = "") -> dict[str, Any]:
    requests = {} if memory is None else {"requests": {"memory": memory}}
    return {"resources": requests, **({"restartPolicy": restart} if restart else {})}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"containers": [container("1Gi"), container("512Mi")]}, 1536, id="containers-add-up"),
        pytest.param({"containers": [container("1Gi"), container()]}, 1024, id="container-without-request"),
        pytest.param(
            {"containers": [container("1Gi")], "initContainers": [container("3Gi"), container("2Gi")]},
            3072,
            id="init-containers-run-one-by-one",
        ),
        pytest.param(
            {"containers": [container("1Gi")], "initContainers": [container("512Mi")]},
            1024,
            id="small-init-container-does-not-matter",
        ),
        pytest.param(
            {"containers": [container("1Gi")], "initContainers": [container("512Mi", "Always")]},
            1536,
            id="restartable-init-container-stays",
        ),
        pytest.param(
            {
                "containers": [container("1Gi")],
                "initContainers": [container("512Mi", "Always"), container("2Gi"), container("256Mi", "Always")],
            },
            2560,
            id="init-container-beside-the-sidecars-before-it",
        ),
        pytest.param(
            {"containers": [container("1Gi")], "initContainers": [container("2Gi"), container("512Mi", "Always")]},
            2048,
            id="sidecar-after-an-init-container-does-not-run-beside-it",
        ),
        pytest.param(
            {"containers": [container("1Gi")], "overhead": {"memory": "128Mi"}}, 1152, id="runtime-class-overhead"
        ),
        pytest.param(
            {
                "containers": [container("1Gi")],
                "resources": {"requests": {"memory": "4Gi"}},
                "overhead": {"memory": "128Mi"},
            },
            4224,
            id="pod-level-request-replaces-that-of-containers",
        ),
        pytest.param({"containers": [container("nonsense"), container(None)]}, 0, id="no-quantity"),
        pytest.param({"containers": "nonsense"}, 0, id="no-list"),
        pytest.param({}, 0, id="nothing"),
    ],
)
def test_a_pod_asks_for_what_the_scheduler_sets_aside(spec: dict[str, Any], expected: int) -> None:
    assert pod_request({"spec": spec}) == expected * MIB


SIZES = st.integers(min_value=0, max_value=2**40)


@given(st.lists(SIZES), st.lists(st.tuples(SIZES, st.booleans())), SIZES)
def test_a_further_container_never_lowers_the_request(running: list[int], starting: Any, more: int) -> None:
    inits = [container(size, "Always" if sidecar else "") for size, sidecar in starting]
    spec = {"containers": [container(size) for size in running], "initContainers": inits}
    before = pod_request({"spec": spec})
    assert pod_request({"spec": {**spec, "containers": [*spec["containers"], container(more)]}}) >= before
    assert pod_request({"spec": {**spec, "initContainers": [*inits, container(more)]}}) >= before
    assert before >= sum(running)


def machine(memory: Any = "1Gi", **spec: Any) -> dict[str, Any]:
    """A VMI with this guest memory; ``domain`` is merged into its own."""
    domain = {"memory": {"guest": memory}, "cpu": {"cores": 1}, **spec.pop("domain", {})}
    return vmi(spec={"domain": domain, **spec})


def devices(**fields: Any) -> dict[str, Any]:
    return {"domain": {"devices": fields}}


@pytest.mark.parametrize(
    ("made", "expected"),
    [
        pytest.param(machine(), GIB + SMALL, id="renderresources.go-guest-memory"),
        pytest.param(
            machine(domain={"resources": {"requests": {"memory": "2Gi"}}}),
            2 * GIB + SMALL + -(-2 * GIB // 1000) * 1000 // 512,
            id="renderresources.go-request-before-guest-and-page-tables-of-it",
        ),
        pytest.param(
            machine(domain={"resources": {"limits": {"memory": "3Gi"}}}),
            3 * GIB + SMALL,
            id="renderresources.go-limit-where-no-request",
        ),
        pytest.param(
            machine(domain={"resources": {"requests": {"memory": "0"}, "limits": {"memory": "3Gi"}}}),
            3 * GIB + SMALL,
            id="renderresources.go-limit-where-the-request-is-zero",
        ),
        pytest.param(
            machine(domain={"resources": {"overcommitGuestOverhead": True}}),
            GIB,
            id="renderresources.go-overcommitGuestOverhead",
        ),
        pytest.param(
            machine(domain={"memory": {"guest": "4Gi", "hugepages": {"pageSize": "2Mi"}}}),
            SMALL,
            id="renderresources.go-hugepages-leave-the-overhead",
        ),
        pytest.param(
            machine(
                domain={
                    "memory": {"guest": "4Gi", "hugepages": {"pageSize": "2Mi"}},
                    "resources": {"requests": {"memory": "5Gi"}, "overcommitGuestOverhead": True},
                }
            ),
            GIB + SMALL + -(-5 * GIB // 1000) * 1000 // 512,
            id="renderresources.go-hugepages-and-a-request-beyond-the-guest",
        ),
        pytest.param(
            machine(domain={"memory": {"hugepages": {"pageSize": "1Gi"}}}),
            SMALL,
            id="renderresources.go-hugepages-alone",
        ),
        pytest.param(
            machine(domain={"cpu": {"cores": 2, "sockets": 4, "threads": 2}}),
            GIB + SMALL + 15 * 8 * MIB,
            id="hypervisorbackend.go-vcpus",
        ),
        pytest.param(
            machine(domain={"cpu": {"sockets": 4}}),
            GIB + SMALL + 3 * 8 * MIB,
            id="hw_utils.go-unset-cores-count-as-one",
        ),
        pytest.param(machine(domain={"cpu": {}}), GIB + SMALL, id="hypervisorbackend.go-at-least-one-vcpu"),
        pytest.param(
            machine(domain={"cpu": None, "resources": {"limits": {"cpu": "2500m"}, "requests": {"cpu": "1"}}}),
            GIB + SMALL + 2 * 8 * MIB,
            id="hypervisorbackend.go-vcpus-of-the-limit-without-topology",
        ),
        pytest.param(
            machine(domain={"cpu": None, "resources": {"requests": {"cpu": "2"}}}),
            GIB + SMALL + 8 * MIB,
            id="hypervisorbackend.go-vcpus-of-the-request-without-topology",
        ),
        pytest.param(
            machine(**devices(autoattachGraphicsDevice=False)),
            GIB + SMALL - 32 * MIB,
            id="hypervisorbackend.go-no-graphics",
        ),
        pytest.param(
            machine(**devices(autoattachGraphicsDevice=True)), GIB + SMALL, id="hypervisorbackend.go-graphics"
        ),
        pytest.param(machine(architecture="arm64"), GIB + SMALL + 128 * MIB, id="hypervisorbackend.go-arm64-pflash"),
        pytest.param(machine(architecture="amd64"), GIB + SMALL, id="hypervisorbackend.go-amd64"),
        pytest.param(
            machine(**devices(hostDevices=[{"deviceName": "x"}])), 2 * GIB + SMALL, id="vmitrait.go-VFIO-host-device"
        ),
        pytest.param(machine(**devices(gpus=[{"deviceName": "x"}])), 2 * GIB + SMALL, id="vmitrait.go-VFIO-gpu"),
        pytest.param(
            machine(**devices(interfaces=[{"name": "a", "sriov": {}}])), 2 * GIB + SMALL, id="vmitrait.go-VFIO-sriov"
        ),
        pytest.param(
            machine(**devices(interfaces=[{"name": "a", "passtBinding": {}}])),
            GIB + SMALL + 250 * MIB,
            id="network-memory.go-passt",
        ),
        pytest.param(
            machine(volumes=[{"name": "m", "downwardMetrics": {}}]),
            GIB + SMALL + MIB,
            id="hypervisorbackend.go-downward-metrics",
        ),
        pytest.param(
            machine(domain={"launchSecurity": {"sev": {}}}), GIB + SMALL + 256 * MIB, id="hypervisorbackend.go-SEV"
        ),
        pytest.param(
            machine(domain={"launchSecurity": {"snp": {}}}), GIB + SMALL + 256 * MIB, id="hypervisorbackend.go-SEV-SNP"
        ),
        pytest.param(
            machine(domain={"launchSecurity": {"tdx": {}}}), GIB + SMALL, id="hypervisorbackend.go-TDX-is-free"
        ),
        pytest.param(machine(**devices(tpm={})), GIB + SMALL + 53 * MIB, id="tpm.go-swtpm"),
        pytest.param(machine(**devices(tpm={"enabled": False})), GIB + SMALL, id="tpm.go-disabled"),
        pytest.param(
            machine(domain={"cpu": {"cores": 1, "dedicatedCPUPlacement": True}}),
            GIB + SMALL + 100 * MIB,
            id="hypervisorbackend.go-dedicated-cpus",
        ),
        pytest.param(
            machine(domain={"resources": {"limits": {"memory": "1Gi", "cpu": "500m"}, "requests": {"cpu": "0.5"}}}),
            GIB + SMALL + 100 * MIB,
            id="types.go-WantsToHaveQOSGuaranteed",
        ),
        pytest.param(
            machine(domain={"resources": {"limits": {"memory": "1Gi", "cpu": "900m"}, "requests": {"cpu": "0.5"}}}),
            GIB + SMALL,
            id="types.go-cpu-limit-above-its-request-is-not-guaranteed",
        ),
        pytest.param(
            machine(domain={"memory": {"guest": "1Gi", "reservedOverhead": {"addedOverhead": "64Mi"}}}),
            GIB + SMALL + 64 * MIB,
            id="util.go-reservedOverhead",
        ),
    ],
)
def test_a_launcher_is_estimated_as_kubevirt_renders_it(made: dict[str, Any], expected: int) -> None:
    assert vm_request(context(ASKED, made), made) == expected


@pytest.mark.parametrize(
    ("configuration", "expected"),
    [
        pytest.param({}, GIB + SMALL, id="virt-config-defaults"),
        pytest.param(
            {"developerConfiguration": {"memoryOvercommit": 200}},
            GIB // 2 + SMALL,
            id="renderresources.go-memoryOvercommit",
        ),
        pytest.param(
            {"developerConfiguration": {"memoryOvercommit": 0}},
            GIB + SMALL,
            id="configuration.go-invalid-memoryOvercommit",
        ),
        pytest.param(
            {"additionalGuestMemoryOverheadRatio": "1.5"},
            GIB + SMALL + int(-(-SMALL // 1000) * 0.5) * 1000,
            id="hypervisorbackend.go-MultiplyMemory",
        ),
        pytest.param(
            {"additionalGuestMemoryOverheadRatio": "much"}, GIB + SMALL, id="hypervisorbackend.go-ratio-is-no-number"
        ),
        pytest.param({"additionalGuestMemoryOverheadRatio": "inf"}, GIB + SMALL, id="ratio-is-endless"),
        pytest.param(
            {"network": {"binding": {"slow": {"computeResourceOverhead": {"requests": {"memory": "200Mi"}}}}}},
            GIB + SMALL + 200 * MIB,
            id="network-memory.go-binding-plugin-counts-once",
        ),
    ],
)
def test_the_cluster_configuration_changes_the_estimate(configuration: dict[str, Any], expected: int) -> None:
    interfaces = [{"name": name, "binding": {"name": "slow"}} for name in ("a", "b")]
    made = machine(**devices(interfaces=interfaces))
    cr = {**kubevirt(), "spec": {"configuration": configuration}}
    assert vm_request(context(ASKED, made, cr), made) == expected


@pytest.mark.parametrize(
    ("pods", "expected"),
    [
        pytest.param([launcher(memory="9Gi")], 9 * GIB, id="its-launcher-pod"),
        pytest.param(
            [launcher(memory="9Gi"), launcher(suffix="b", node="node02", memory="12Gi")],
            9 * GIB,
            id="domain.md-f-during-a-migration-the-pod-on-the-VMIs-node",
        ),
        pytest.param([launcher(node="node02", memory="12Gi")], GIB + SMALL, id="target-pod-alone-does-not-count"),
        pytest.param([launcher(memory="9Gi", phase="Succeeded")], GIB + SMALL, id="finished-pod-does-not-count"),
        pytest.param([launcher(namespace="test", memory="9Gi")], GIB + SMALL, id="pod-of-another-namespace"),
        pytest.param(
            [pod("hp-volume-x", memory="9Gi", annotations={"kubevirt.io/domain": "db"})],
            GIB + SMALL,
            id="hotplug-pod-is-no-launcher",
        ),
    ],
)
def test_a_vm_asks_for_what_its_launcher_pod_does(pods: list[dict[str, Any]], expected: int) -> None:
    made = machine()
    assert vm_request(context(ASKED, made, *pods), made) == expected


def test_the_pod_of_an_earlier_vm_of_that_name_does_not_count() -> None:
    made = machine()
    made["metadata"]["uid"] = "new"
    pods = [launcher(suffix=uid, memory=size) for uid, size in (("old", "9Gi"), ("new", "5Gi"))]
    for found, uid in zip(pods, ("old", "new"), strict=True):
        found["metadata"]["labels"]["kubevirt.io/created-by"] = uid
    assert vm_request(context(ASKED, made, *pods), made) == 5 * GIB


@given(st.integers(min_value=1, max_value=2**45), st.integers(min_value=1, max_value=1000))
def test_the_estimate_is_never_below_what_the_guest_has_divided_by_overcommitment(size: int, percent: int) -> None:
    configured = {"developerConfiguration": {"memoryOvercommit": percent}}
    assert estimated_request(machine(size), configured) >= size * 100 // percent + FIXED


@pytest.mark.parametrize(
    ("size", "down", "up"),
    [
        pytest.param(0, "0Mi", "0Mi", id="nothing"),
        pytest.param(200 * MIB, "200Mi", "200Mi", id="mebibytes"),
        pytest.param(64 * GIB, "64Gi", "64Gi", id="gibibytes"),
        pytest.param(3 * GIB + GIB // 2, "3.5Gi", "3.5Gi", id="tenths"),
        pytest.param(64 * GIB - 1, "63.9Gi", "64Gi", id="just-below"),
        pytest.param(64 * GIB + 1, "64Gi", "64.1Gi", id="just-above"),
    ],
)
def test_sizes_are_rounded_so_that_what_does_not_fit_does_not_look_as_if_it_did(size: int, down: str, up: str) -> None:
    assert (shown(size), shown(size, up=True)) == (down, up)


@pytest.mark.parametrize("written", [None, True, [], {}, "", "lots", "-5Gi"], ids=repr)
def test_what_is_no_amount_of_memory_asks_for_nothing(written: Any) -> None:
    assert bytes_of(written) == 0
