"""The interface on the pod network. Source: KubeVirt pkg/network/vmispec (interface.go, network.go, defaults.go)."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import context, create, kubevirt, vmi, vmim
from webhook.kubevirt.machine import Machine
from webhook.kubevirt.podnetwork import pod_interface
from webhook.kubevirt.resources import VMIM

Json = dict[str, Any]

ASKED = create(VMIM, vmim())
POD: Json = {"name": "default", "pod": {}}


def spec(*interfaces: Json, networks: list[Any] | None = None, **devices: Any) -> Json:
    domain = {"devices": {"interfaces": list(interfaces), **devices}}
    return {"domain": domain, "networks": [POD] if networks is None else networks}


def interface(binding: str = "", name: str = "default", value: Any = None) -> Json:
    return {"name": name, **({binding: {} if value is None else value} if binding else {})}


def found_in(of: Json, *, default: str | None = None, running: bool = False, preference: bool = False) -> Any:
    network = {} if default is None else {"network": {"defaultNetworkInterface": default}}
    cluster = kubevirt()
    cluster["spec"]["configuration"] = network
    machine = Machine(spec=of, annotations={}, vmi=vmi() if running else None, has_preference=preference)
    found = pod_interface(context(ASKED, cluster), machine)
    return None if found is None else (found.name, found.binding, found.case)


NOTHING: Json = {"domain": {"devices": {}}}


@pytest.mark.parametrize(
    ("of", "expected"),
    [
        pytest.param(
            spec(interface("masquerade")), ("default", "masquerade", "PodBinding"), id="interface.go-masquerade"
        ),
        pytest.param(spec(interface("bridge")), ("default", "bridge", "PodBridge"), id="interface.go-bridge"),
        pytest.param(
            spec(interface("binding", value={"name": "x"})),
            ("default", "binding", "PodPlugin"),
            id="interface.go-binding-plugin",
        ),
        pytest.param(spec(interface("slirp")), ("default", "slirp", "PodBinding"), id="interface.go-slirp"),
        pytest.param(spec(interface()), ("default", "", "PodBinding"), id="interface.go-no-binding"),
        pytest.param(
            spec({"name": "default", "bridge": {}, "masquerade": {}}),
            ("default", "masquerade", "PodBinding"),
            id="interface.go-masquerade-is-asked-for-before-bridge",
        ),
        pytest.param(
            spec({"name": "default", "bridge": None, "sriov": {}}),
            ("default", "sriov", "PodBinding"),
            id="interface.go-null-is-absent",
        ),
        pytest.param(
            spec(interface("bridge", "other")),
            ("default", "", "PodInterfaceMissing"),
            id="interface.go-no-primary-interface",
        ),
        pytest.param(
            spec(interface("bridge"), networks=[{"name": "default", "multus": {"default": True}}]),
            None,
            id="network.go-LookupPodNetwork-multus-default-is-no-pod-network",
        ),
        pytest.param(spec(interface("bridge"), networks=[]), None, id="network.go-LookupPodNetwork-none"),
        pytest.param(
            spec(interface("bridge"), networks=[{"name": "default", "pod": None}]),
            None,
            id="network.go-LookupPodNetwork-null-is-absent",
        ),
        pytest.param(
            spec(interface("bridge", "a"), interface("masquerade", "b"), networks=[{"name": "b", "pod": {}}]),
            ("b", "masquerade", "PodBinding"),
            id="network.go-LookupPodNetwork-is-not-the-first-interface",
        ),
        pytest.param(spec(), None, id="interface.go-no-interfaces"),
    ],
)
def test_the_interface_on_the_pod_network_is_found_as_in_kubevirt(of: Json, expected: Any) -> None:
    assert found_in(of) == expected


@pytest.mark.parametrize(
    ("of", "options", "expected"),
    [
        pytest.param(NOTHING, {}, "DefaultBridge", id="virt-config.go-DefaultNetworkInterface-is-bridge"),
        pytest.param(NOTHING, {"default": "bridge"}, "DefaultBridge", id="defaults.go-configured-bridge"),
        pytest.param(NOTHING, {"default": "masquerade"}, None, id="defaults.go-masquerade-as-HyperConverged-sets-it"),
        pytest.param(NOTHING, {"running": True}, None, id="a running VM has what it has"),
        pytest.param(NOTHING, {"preference": True}, None, id="device.go-PreferredAutoattachPodInterface-cannot-tell"),
        pytest.param(
            {"domain": {"devices": {"autoattachPodInterface": False}}}, {}, None, id="defaults.go-autoattach-off"
        ),
        pytest.param(
            {"domain": {"devices": {"autoattachPodInterface": None}}}, {}, "DefaultBridge", id="defaults.go-unset"
        ),
        pytest.param({"domain": {}, "networks": [POD]}, {}, None, id="defaults.go-only-when-nothing-is-specified"),
        pytest.param(spec(interface()), {"preference": True}, None, id="interface.go-PreferredInterfaceMasquerade"),
        pytest.param(
            spec(interface("bridge")), {"preference": True}, "PodBridge", id="interface.go-preference-keeps-a-binding"
        ),
    ],
)
def test_what_a_vm_leaves_open_is_filled_in_before_it_starts(of: Json, options: Json, expected: str | None) -> None:
    found = found_in(of, **options)
    assert (None if found is None else found[2]) == expected
