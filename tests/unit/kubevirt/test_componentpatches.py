"""Source: KubeVirt api/core/v1/types.go (CustomizeComponents), pkg/virt-operator/resource/apply/customize.go."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.kubevirt.componentpatches import components, newly_changed


def patch(name: str = "virt-api", content: str = "{}", kind: str = "Deployment") -> dict[str, str]:
    return {"resourceType": kind, "resourceName": name, "patch": content, "type": "strategic"}


@pytest.mark.parametrize(
    ("customizations", "names"),
    [
        pytest.param([], [], id="none"),
        pytest.param([{}], [], id="empty"),
        pytest.param([{"patches": [patch()]}], ["Deployment virt-api"], id="patch"),
        pytest.param([{"patches": [patch(), patch(content="[]")]}], ["Deployment virt-api"], id="two-of-one-component"),
        pytest.param(
            [{"patches": [patch(), patch("virt-handler", kind="DaemonSet")]}],
            ["Deployment virt-api", "DaemonSet virt-handler"],
            id="two-components",
        ),
        pytest.param(
            [{"flags": {"api": {"v": "9"}, "controller": {}, "handler": {"a": ""}}}],
            ["flags of virt-api", "flags of virt-handler"],
            id="flags-empty-ones-change-nothing",
        ),
        pytest.param([{"patches": [patch()]}, {"Patches": []}], [], id="the-later-list-replaces"),
        pytest.param(
            [{"flags": {"api": {"v": "9"}}}, {"FLAGS": {"handler": {"v": "1"}}}],
            ["flags of virt-api", "flags of virt-handler"],
            id="flags-merge",
        ),
        pytest.param([{"flags": {"api": {"v": "9"}}}, {"flags": None}], [], id="null-clears-flags"),
        pytest.param([{"patches": None, "flags": []}], [], id="other-types"),
        pytest.param([{"patches": [None, {"resourceName": 5}]}], ["? ?"], id="what-cannot-be-read-is-told-too"),
    ],
)
def test_which_components_are_changed(customizations: list[Any], names: list[str]) -> None:
    assert list(components(customizations)) == names


@pytest.mark.parametrize(
    ("before", "after", "named"),
    [
        pytest.param([], [patch()], ["Deployment virt-api"], id="added"),
        pytest.param([patch()], [patch()], [], id="as-before"),
        pytest.param([patch()], [patch(content="[]")], ["Deployment virt-api"], id="another-patch"),
        pytest.param([patch()], [], [], id="taken-away"),
        pytest.param(
            [patch(), patch("virt-operator")], [patch("virt-operator"), patch()], [], id="other-order-of-components"
        ),
        pytest.param(
            [patch(), patch(content="[]")],
            [patch(content="[]"), patch()],
            ["Deployment virt-api"],
            id="other-order-of-one-components-patches",
        ),
    ],
)
def test_only_what_is_changed_in_another_way_counts(before: list[Any], after: list[Any], named: list[str]) -> None:
    assert newly_changed(components([{"patches": before}]), components([{"patches": after}])) == tuple(named)
