"""Which nodes are fit. Sources: KubeVirt nodeselectorrenderer.go, template.go, migration.go; Kubernetes' scheduler."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import Json, context, create, kubevirt, launcher, node, vmi, vmim
from webhook.kubevirt.nodefit import Cause, Tolerations, demand_of
from webhook.kubevirt.resources import VMIM
from webhook.model.objects import Object

TAINT = {"key": "gpu", "value": "big", "effect": "NoSchedule"}
SKYLAKE = {
    "host-model-cpu.node.kubevirt.io/Skylake": "true",
    "host-model-required-features.node.kubevirt.io/ssse3": "true",
}


def cause(candidate: Json, *around: Json, added: Any = None, **spec: Any) -> Cause | None:
    """Why a VM on node01 cannot move to this node."""
    machine = vmi(spec={"domain": {"cpu": {"model": "Skylake"}}, **spec})
    candidate["metadata"]["labels"].setdefault("cpu-model.node.kubevirt.io/Skylake", "true")
    migration = vmim()
    migration["spec"]["addedNodeSelector"] = added
    found = context(create(VMIM, migration), machine, candidate, *around)
    return demand_of(found, machine).refuses(candidate)


@pytest.mark.parametrize(
    ("candidate", "expected"),
    [
        pytest.param(node(), None, id="fit"),
        pytest.param(node("node01"), Cause("source"), id="domain.md-d-the-source-never-counts"),
        pytest.param(
            node(labels={"kubevirt.io/schedulable": "false"}), Cause("noVMs"), id="domain.md-d-kubevirt.io-schedulable"
        ),
        pytest.param(node(ready="False"), Cause("notReady"), id="node-that-is-not-ready"),
        pytest.param(node(ready="Unknown"), Cause("notReady"), id="node-that-is-lost"),
        pytest.param({**node(), "status": {}}, None, id="node-that-has-said-nothing"),
        pytest.param(node(cordoned=True), Cause("cordoned"), id="nodeunschedulable-cordoned"),
        pytest.param(node(taints=[TAINT]), Cause("taint", "gpu=big:NoSchedule"), id="tainttoleration-NoSchedule"),
        pytest.param(
            node(taints=[{"key": "gpu", "effect": "NoExecute"}]),
            Cause("taint", "gpu:NoExecute"),
            id="tainttoleration-NoExecute",
        ),
        pytest.param(
            node(taints=[{**TAINT, "effect": "PreferNoSchedule"}]),
            None,
            id="tainttoleration-PreferNoSchedule-repels-nothing",
        ),
    ],
)
def test_the_state_of_a_node(candidate: Json, expected: Cause | None) -> None:
    assert cause(candidate) == expected


@pytest.mark.parametrize(
    ("labels", "spec", "expected"),
    [
        pytest.param({"zone": "a"}, {"nodeSelector": {"zone": "a"}}, None, id="nodeselectorrenderer.go-nodeSelector"),
        pytest.param(
            {}, {"nodeSelector": {"zone": "a"}}, Cause("label", "zone=a"), id="nodeselectorrenderer.go-no-label"
        ),
        pytest.param(
            {"zone": "b"},
            {"nodeSelector": {"zone": "a"}},
            Cause("label", "zone=a"),
            id="nodeselectorrenderer.go-other-value",
        ),
        pytest.param({}, {"nodeSelector": {"ssd": "true"}}, Cause("label", "ssd"), id="true-needs-no-mention"),
        pytest.param({"zone": "a"}, {"added": {"zone": "a"}}, None, id="domain.md-a-addedNodeSelector"),
        pytest.param(
            {"zone": "b"},
            {"added": {"zone": "a"}},
            Cause("label", "zone=a"),
            id="domain.md-a-addedNodeSelector-narrows",
        ),
        pytest.param(
            {"zone": "b"},
            {"added": {"zone": "a"}, "nodeSelector": {"zone": "b"}},
            None,
            id="domain.md-a-the-VMs-own-keys-win-over-addedNodeSelector",
        ),
        pytest.param({}, {"added": ["nonsense"]}, None, id="addedNodeSelector-that-is-no-map"),
        pytest.param({}, {"added": {"zone": 7}}, None, id="addedNodeSelector-that-is-no-text"),
        pytest.param(
            {"kubernetes.io/arch": "arm64"},
            {"architecture": "AMD64"},
            Cause("label", "kubernetes.io/arch=amd64"),
            id="nodeselectorrenderer.go-architecture",
        ),
        pytest.param(
            {"kubernetes.io/arch": "amd64"},
            {"architecture": "AMD64"},
            None,
            id="nodeselectorrenderer.go-architecture-fits",
        ),
        pytest.param(
            {"cpu-model.node.kubevirt.io/Skylake": "false"},
            {},
            Cause("label", "cpu-model.node.kubevirt.io/Skylake"),
            id="nodeselectorrenderer.go-cpu-model",
        ),
    ],
)
def test_the_labels_that_a_node_must_have(labels: dict[str, str], spec: dict[str, Any], expected: Cause | None) -> None:
    assert cause(node(labels=labels), **spec) == expected


def test_a_host_model_vm_needs_the_model_of_its_node() -> None:
    """Source: domain.md section d; KubeVirt migration.go (prepareNodeSelectorForHostCpuModel)."""
    domain = {"cpu": {"model": "host-model"}}
    fit = {"cpu-model-migration.node.kubevirt.io/Skylake": "true", "cpu-feature.node.kubevirt.io/ssse3": "true"}
    source = node("node01", labels=SKYLAKE)
    assert cause(node(labels=fit), source, domain=domain) is None
    lacking = cause(node(labels={}), source, domain=domain)
    assert lacking == Cause("label", "cpu-feature.node.kubevirt.io/ssse3")


@pytest.mark.parametrize(
    ("labels", "domain", "expected"),
    [
        pytest.param(
            {"node-labeller.kubevirt.io/obsolete-host-model": "true"},
            {"cpu": {"model": "host-model"}},
            Cause("repelled", "node-labeller.kubevirt.io/obsolete-host-model"),
            id="template.go-obsolete-host-model",
        ),
        pytest.param(
            {"node-labeller.kubevirt.io/obsolete-host-model": "true"},
            {},
            Cause("repelled", "node-labeller.kubevirt.io/obsolete-host-model"),
            id="template.go-obsolete-host-model-without-a-model",
        ),
        pytest.param(
            {"node-labeller.kubevirt.io/obsolete-host-model": "true"},
            {"cpu": {"model": "Skylake"}},
            None,
            id="template.go-obsolete-host-model-does-not-matter-to-a-named-model",
        ),
        pytest.param(
            {"cpu-feature.node.kubevirt.io/svm": "true"},
            {"cpu": {"model": "Skylake", "features": [{"name": "svm", "policy": "forbid"}]}},
            Cause("repelled", "cpu-feature.node.kubevirt.io/svm"),
            id="template.go-setNodeAffinityForbiddenFeaturePolicy",
        ),
        pytest.param(
            {},
            {"cpu": {"model": "Skylake", "features": [{"name": "svm", "policy": "forbid"}]}},
            None,
            id="template.go-node-without-the-forbidden-feature",
        ),
    ],
)
def test_the_labels_that_a_node_must_not_have(
    labels: dict[str, str], domain: dict[str, Any], expected: Cause | None
) -> None:
    assert cause(node(labels=labels), domain=domain) == expected


@pytest.mark.parametrize(
    ("selector", "expected"),
    [
        pytest.param(
            "hyperv.node.kubevirt.io/synic", "hyperv.node.kubevirt.io/synic", id="nodeselectorrenderer.go-hyperv"
        ),
        pytest.param(
            "machine-type.node.kubevirt.io/q35",
            "machine-type.node.kubevirt.io/q35",
            id="nodeselectorrenderer.go-machine-type",
        ),
        pytest.param("kubevirt.io/cpumanager", "kubevirt.io/cpumanager", id="nodeselectorrenderer.go-dedicated-cpus"),
        pytest.param("kubevirt.io/realtime", "kubevirt.io/realtime", id="nodeselectorrenderer.go-realtime"),
        pytest.param("kubevirt.io/sev-es", "kubevirt.io/sev-es", id="nodeselectorrenderer.go-SEV-ES"),
        pytest.param("zone", "", id="migration.go-what-an-earlier-migration-added-is-not-rendered-again"),
    ],
)
def test_capabilities_are_read_off_the_launcher_pod(selector: str, expected: str) -> None:
    selectors = {selector: "true"}
    assert cause(node(), launcher(nodeSelector=selectors)) == (Cause("label", expected) if expected else None)
    assert cause(node(labels=selectors), launcher(nodeSelector=selectors)) is None


def test_the_cluster_may_select_nodes_for_all_vms() -> None:
    """Source: KubeVirt virt-config.go (GetNodeSelectors)."""
    cr = kubevirt()
    cr["spec"]["configuration"] = {"developerConfiguration": {"nodeSelectors": {"vms": "yes"}}}
    assert cause(node(), cr) == Cause("label", "vms=yes")
    assert cause(node(labels={"vms": "yes"}), cr) is None


def test_with_cross_architecture_virtualization_the_architecture_does_not_matter() -> None:
    """Source: KubeVirt nodeselectorrenderer.go (WithoutNativeArchSelector)."""
    cr = kubevirt()
    cr["spec"]["configuration"] = {"developerConfiguration": {"featureGates": ["CrossArchitectureVirtualization"]}}
    assert cause(node(labels={"kubernetes.io/arch": "arm64"}), cr, architecture="amd64") is None


def test_a_toleration_of_cordons_lets_a_cordoned_node_count() -> None:
    """Source: Kubernetes nodeunschedulable."""
    assert cause(node(cordoned=True), tolerations=[{"operator": "Exists"}]) is None
    assert cause(node(cordoned=True), tolerations=[{"key": "gpu", "operator": "Exists"}]) == Cause("cordoned")


@pytest.mark.parametrize(
    ("toleration", "tolerated"),
    [
        pytest.param({"key": "gpu", "operator": "Equal", "value": "big", "effect": "NoSchedule"}, True, id="all-equal"),
        pytest.param({"key": "gpu", "value": "big"}, True, id="no-operator-is-Equal-and-no-effect-is-any"),
        pytest.param({"key": "gpu", "value": "small"}, False, id="other-value"),
        pytest.param({"key": "gpu"}, False, id="Equal-without-value"),
        pytest.param({"key": "gpu", "operator": "Exists"}, True, id="Exists"),
        pytest.param({"key": "gpu", "operator": "Exists", "effect": "NoExecute"}, False, id="other-effect"),
        pytest.param({"key": "disk", "operator": "Exists"}, False, id="other-key"),
        pytest.param({"operator": "Exists"}, True, id="Exists-without-key-is-everything"),
        pytest.param({"key": "gpu", "operator": "Gt", "value": "1"}, True, id="operator-that-is-not-known"),
        pytest.param({"key": 7, "operator": ["Exists"]}, False, id="odd-types"),
    ],
)
def test_a_toleration_covers_a_taint_as_in_kubernetes(toleration: Object, tolerated: bool) -> None:
    """Source: Kubernetes api/core/v1/toleration.go (ToleratesTaint)."""
    assert Tolerations.of([toleration]).cover(TAINT) is tolerated


WORDS = st.sampled_from(["", "a", "b"])
TAINTS = st.fixed_dictionaries({"key": WORDS, "value": WORDS, "effect": st.sampled_from(["NoSchedule", "NoExecute"])})
TOLERATIONS = st.lists(
    st.fixed_dictionaries(
        {"key": WORDS, "value": WORDS, "effect": WORDS, "operator": st.sampled_from(["", "Equal", "Exists"])}
    ),
    max_size=4,
)


@given(TOLERATIONS, TAINTS)
def test_many_tolerations_cover_what_one_of_them_covers(tolerations: Any, taint: Any) -> None:
    """The rules of ToleratesTaint, written down once more."""

    def covers(one: Any) -> bool:
        same_place = one["effect"] in {"", taint["effect"]} and one["key"] in {"", taint["key"]}
        return same_place and (one["operator"] == "Exists" or one["value"] == taint["value"])

    assert Tolerations.of(tolerations).cover(taint) is any(map(covers, tolerations))
