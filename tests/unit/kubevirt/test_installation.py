"""The KubeVirt that is installed. Source: KubeVirt pkg/virt-config, pkg/virt-operator/util/config.go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import context, create, kubevirt, vmim
from webhook.kubevirt.installation import configuration, default_architecture, has_alpha_gate, is_older_than
from webhook.kubevirt.resources import VMIM
from webhook.model.facts import FactContext

ASKED = create(VMIM, vmim())


def installed(version: str = "", architecture: str = "", **configured: Any) -> FactContext:
    status = {"observedKubeVirtVersion": version, "defaultArchitecture": architecture}
    return context(ASKED, {**kubevirt(), "spec": {"configuration": configured}, "status": status})


@pytest.mark.parametrize(
    ("version", "older"),
    [
        pytest.param("v1.8.4", True, id="the release before"),
        pytest.param("1.5.0", True, id="without the v"),
        pytest.param("v1.8.4-32-gabcdef", True, id="a build after a release"),
        pytest.param("v1.9.0", False, id="that release"),
        pytest.param("v1.9.0-rc.1", False, id="its candidate"),
        pytest.param("v1.10.0", False, id="ten is more than nine"),
        pytest.param("v4.20.1", False, id="a vendor's numbering says nothing"),
        pytest.param("sha256:1.5.0", False, id="a digest says nothing"),
        pytest.param("v1.", False, id="cut off"),
        pytest.param("", False, id="unknown counts as the newest"),
    ],
)
def test_whether_kubevirt_is_older_than_1_9_is_read_from_what_it_reports(version: str, older: bool) -> None:
    assert is_older_than(installed(version), 9) is older


def test_without_a_kubevirt_cr_everything_is_as_in_the_newest_release() -> None:
    bare = context(ASKED)
    assert (configuration(bare), is_older_than(bare, 9), has_alpha_gate(bare, "Root")) == ({}, False, False)


@pytest.mark.parametrize(
    ("developer", "on"),
    [
        pytest.param({"featureGates": ["GPU", "VGPULiveMigration"]}, True, id="feature-gates.go-IsEnabled-named"),
        pytest.param({"featureGates": ["GPU"]}, False, id="feature-gates.go-IsEnabled-alpha-is-off-by-default"),
        pytest.param({"disabledFeatureGates": ["VGPULiveMigration"]}, False, id="feature-gates.go-IsEnabled-disabled"),
        pytest.param(
            {"featureGates": ["VGPULiveMigration"], "disabledFeatureGates": ["VGPULiveMigration"]},
            True,
            id="feature-gates.go-IsEnabled-enabling-wins",
        ),
        pytest.param({"featureGates": "VGPULiveMigration"}, False, id="not a list"),
    ],
)
def test_an_alpha_gate_is_on_only_if_it_is_named(developer: dict[str, Any], on: bool) -> None:
    assert has_alpha_gate(installed(developerConfiguration=developer), "VGPULiveMigration") is on


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        pytest.param(installed(architecture="s390x"), "s390x", id="configuration.go-default-architecture-by-status"),
        pytest.param(
            installed(architectureConfiguration={"defaultArchitecture": "arm64"}),
            "arm64",
            id="config.go-SetDefaultArchitecture-configured",
        ),
        pytest.param(installed(), "amd64", id="nothing is known"),
    ],
)
def test_a_vm_without_an_architecture_gets_the_clusters(found: FactContext, expected: str) -> None:
    assert default_architecture(found) == expected
