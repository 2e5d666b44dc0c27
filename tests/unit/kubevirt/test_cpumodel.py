"""What a target node's CPU must offer. Source: KubeVirt migration.go, nodeselectorrenderer.go, tsc.go; domain.md §d."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.anyjson import ANY_JSON
from tests.support.builders import context, create, kubevirt, vmi, vmim
from tests.support.view import View
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.cpumodel import required_node_labels
from webhook.kubevirt.resources import VMIM

Json = dict[str, Any]

ASKED = create(VMIM, vmim())

HOST_MODEL = "host-model-cpu.node.kubevirt.io/Skylake-Server"
HOST_FEATURE = "host-model-required-features.node.kubevirt.io/"
INTEL = "cpu-vendor.node.kubevirt.io/Intel"
NODE_LABELS = {
    "kubernetes.io/hostname": "node01",
    HOST_MODEL: "true",
    f"{HOST_FEATURE}ssbd": "true",
    f"{HOST_FEATURE}vmx": "true",
    "cpu-model.node.kubevirt.io/Penryn": "true",
    "cpu-feature.node.kubevirt.io/aes": "true",
}
MIGRATION_MODEL = "cpu-model-migration.node.kubevirt.io/Skylake-Server"
WANTED = {
    MIGRATION_MODEL: "true",
    "cpu-feature.node.kubevirt.io/ssbd": "true",
    "cpu-feature.node.kubevirt.io/vmx": "true",
}
REUSED = {"cpu-model-migration.node.kubevirt.io/Haswell": "true", "cpu-feature.node.kubevirt.io/pcid": "true"}


def node(name: str = "node01", **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Node", "metadata": {"name": name, "labels": labels}}


def launcher(selector: Json, *, node: str = "node01", phase: str = "Running", of: str = "db") -> Json:
    metadata = {
        "name": f"virt-launcher-{of}-{node}-{phase.lower()}",
        "namespace": "prod",
        "labels": {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": "1d4c"},
        "annotations": {"kubevirt.io/domain": of},
    }
    spec = {"nodeName": node, "nodeSelector": selector}
    return {"apiVersion": "v1", "kind": "Pod", "metadata": metadata, "spec": spec, "status": {"phase": phase}}


def machine(model: str = "host-model", *, frequency: Any = None, **spec: Any) -> Json:
    domain = {"cpu": {"model": model}, **spec.pop("domain", {})}
    hints = {} if frequency is None else {"topologyHints": {"tscFrequency": frequency}}
    made = vmi(spec={"domain": domain, **spec}, status=hints)
    return {**made, "metadata": {**made["metadata"], "uid": "1d4c"}}


def version(observed: str) -> Json:
    return {**kubevirt(), "status": {"observedKubeVirtVersion": observed}}


REENLIGHTENED = {"cpu": {"model": "Penryn"}, "features": {"hyperv": {"reenlightenment": {"enabled": True}}}}


@pytest.mark.parametrize(
    ("objects", "expected"),
    [
        pytest.param(
            [machine(), node(**NODE_LABELS)], WANTED, id="migration.go-getHostCpuModelFromMap-model-and-features"
        ),
        pytest.param(
            [machine(), node(**NODE_LABELS, **{INTEL: "true"})],
            {**WANTED, INTEL: "true"},
            id="migration.go-createTargetPod-vendor-of-the-source",
        ),
        pytest.param(
            [machine("host-passthrough"), node(**NODE_LABELS, **{INTEL: "true"})],
            {INTEL: "true"},
            id="migration.go-createTargetPod-vendor-for-every-vm",
        ),
        pytest.param(
            [machine(nodeSelector={"cpu-vendor.node.kubevirt.io/AMD": "true"}), node(**{INTEL: "true"})],
            {},
            id="migration.go-createTargetPod-vendor-that-the-vm-selects-itself",
        ),
        pytest.param(
            [machine("Penryn"), node(**{INTEL: "true"}), version("v1.7.3")],
            {"cpu-model.node.kubevirt.io/Penryn": "true"},
            id="migration.go-createTargetPod-no-vendor-rule-before-1.8",
        ),
        pytest.param(
            [machine("Penryn"), node(**{INTEL: "true"}), version("v1.8.0")],
            {"cpu-model.node.kubevirt.io/Penryn": "true", INTEL: "true"},
            id="migration.go-createTargetPod-vendor-rule-since-1.8",
        ),
        pytest.param(
            [machine(), node(**NODE_LABELS), launcher(REUSED)],
            REUSED,
            id="migration.go-prepareNodeSelectorForHostCpuModel-reused-after-the-first-migration",
        ),
        pytest.param(
            [machine(), node(**NODE_LABELS), launcher({"kubevirt.io/schedulable": "true", "zone": "a"})],
            WANTED,
            id="migration.go-prepareNodeSelectorForHostCpuModel-other-selectors-are-no-reuse",
        ),
        pytest.param(
            [
                machine(domain={"cpu": {"model": "host-model", "features": [{"name": "aes"}]}}),
                node(**NODE_LABELS),
                launcher({"cpu-feature.node.kubevirt.io/aes": "true"}),
            ],
            {"cpu-feature.node.kubevirt.io/aes": "true"},
            id="migration.go-prepareNodeSelectorForHostCpuModel-own-features-count-as-reuse",
        ),
        pytest.param(
            [machine(), node(**NODE_LABELS), launcher(REUSED, node="node02")],
            WANTED,
            id="migration.go-getNodeForVMI-a-pod-on-another-node-is-not-the-source",
        ),
        pytest.param(
            [machine(), node(**NODE_LABELS), launcher(REUSED, phase="Succeeded")], WANTED, id="a pod that has ended"
        ),
        pytest.param([machine(), node(**NODE_LABELS), launcher(REUSED, of="web")], WANTED, id="a pod of another VM"),
        pytest.param(
            [machine(), node(**{f"{HOST_FEATURE}vmx": "true"})],
            {},
            id="migration.go-getHostCpuModelFromMap-no-model-no-selectors",
        ),
        pytest.param([machine()], {}, id="the source node is not known"),
        pytest.param(
            [machine("Penryn"), node(**NODE_LABELS)],
            {"cpu-model.node.kubevirt.io/Penryn": "true"},
            id="nodeselectorrenderer.go-named-model",
        ),
        pytest.param(
            [machine("host-passthrough"), node(**NODE_LABELS)], {}, id="nodeselectorrenderer.go-host-passthrough"
        ),
        pytest.param(
            [
                machine(
                    domain={
                        "cpu": {
                            "model": "Penryn",
                            "features": [
                                {"name": "a"},
                                {"name": "b", "policy": "require"},
                                {"name": "c", "policy": "optional"},
                                {"name": "d", "policy": "forbid"},
                                {"name": "e", "policy": "force"},
                            ],
                        }
                    }
                )
            ],
            {
                "cpu-model.node.kubevirt.io/Penryn": "true",
                "cpu-feature.node.kubevirt.io/a": "true",
                "cpu-feature.node.kubevirt.io/b": "true",
            },
            id="nodeselectorrenderer.go-CPUFeatureLabelsFromCPUFeatures-required-ones",
        ),
        pytest.param([machine("")], {}, id="nodeselectorrenderer.go-CPUModelLabelFromCPUModel-no-model"),
        pytest.param(
            [machine(domain=REENLIGHTENED, frequency=2_400_000_000)],
            {
                "cpu-model.node.kubevirt.io/Penryn": "true",
                "scheduling.node.kubevirt.io/tsc-frequency-2400000000": "true",
            },
            id="tsc.go-IsManualTSCFrequencyRequired-reenlightenment",
        ),
        pytest.param(
            [
                machine(
                    domain={"cpu": {"model": "Penryn", "features": [{"name": "invtsc", "policy": "require"}]}},
                    frequency=2_400_000_000,
                )
            ],
            {
                "cpu-model.node.kubevirt.io/Penryn": "true",
                "cpu-feature.node.kubevirt.io/invtsc": "true",
                "scheduling.node.kubevirt.io/tsc-frequency-2400000000": "true",
            },
            id="tsc.go-IsManualTSCFrequencyRequired-invtsc",
        ),
        pytest.param(
            [machine("Penryn", frequency=2_400_000_000)],
            {"cpu-model.node.kubevirt.io/Penryn": "true"},
            id="tsc.go-IsManualTSCFrequencyRequired-not-required",
        ),
        pytest.param(
            [machine(domain=REENLIGHTENED, frequency=0)],
            {"cpu-model.node.kubevirt.io/Penryn": "true"},
            id="tsc.go-AreTSCFrequencyTopologyHintsDefined-zero",
        ),
        pytest.param(
            [machine(domain=REENLIGHTENED, frequency=True)],
            {"cpu-model.node.kubevirt.io/Penryn": "true"},
            id="a frequency of true is none",
        ),
    ],
)
def test_a_target_node_must_carry_the_labels_that_virt_controller_selects_by(
    objects: list[Json], expected: dict[str, str]
) -> None:
    assert FACTS["vmi.requiredNodeLabels"].resolve(context(ASKED, *objects)) == expected


def test_without_a_vmi_nothing_is_required() -> None:
    assert FACTS["vmi.requiredNodeLabels"].resolve(context(ASKED, node(**NODE_LABELS))) == {}


@given(cpu=ANY_JSON, features=ANY_JSON, status=ANY_JSON)
def test_whatever_a_vmi_says_of_its_cpu_labels_are_texts(cpu: Any, features: Any, status: Any) -> None:
    found = context(ASKED, node(**NODE_LABELS))
    strange = {"metadata": {"name": "db"}, "spec": {"domain": {"cpu": cpu, "features": features}}, "status": status}
    labels = required_node_labels(found, strange)
    assert all(isinstance(part, str) for pair in labels.items() for part in pair)


def test_only_the_vms_own_node_and_pods_are_looked_at() -> None:
    found = context(ASKED, machine(), node(**NODE_LABELS), node("node02"), launcher(REUSED))
    assert FACTS["vmi.requiredNodeLabels"].resolve(found) == REUSED
    assert isinstance(found.view, View)
    assert found.view.listed == ["KubeVirt"]
