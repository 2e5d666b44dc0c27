"""Which objects carry the template of a VM. Source: the upstream files named in the module."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import request
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.kubevirt.templates import TEMPLATES, template_of
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource
from webhook.model.request import Operation


def kind(group: str, version: str, resource: str) -> WatchedResource:
    return WatchedResource(GroupVersionResource(group, version, resource), "Kind", namespaced=True, keep=())


POOL = kind("pool.kubevirt.io", "v1beta1", "virtualmachinepools")
REPLICA_SET = kind("kubevirt.io", "v1", "virtualmachineinstancereplicasets")
LABELLED: dict[str, Any] = {"template": {"metadata": {"labels": {"app": "db", "odd": 1}}}}


@pytest.mark.parametrize(
    ("written", "version", "spec"),
    [
        pytest.param(VM, "v1", LABELLED, id="vm.go SetupVMIFromVM: VirtualMachine"),
        pytest.param(VM, "v1alpha3", LABELLED, id="core/v1/register.go: VirtualMachine v1alpha3"),
        pytest.param(
            POOL,
            "v1beta1",
            {"virtualMachineTemplate": {"spec": LABELLED}},
            id="pool.go indexVMSpec: VirtualMachinePool",
        ),
        pytest.param(
            POOL,
            "v1alpha1",
            {"virtualMachineTemplate": {"spec": LABELLED}},
            id="pool/v1alpha1/register.go: VirtualMachinePool v1alpha1",
        ),
        pytest.param(REPLICA_SET, "v1", LABELLED, id="replicaset.go scale: VirtualMachineInstanceReplicaSet"),
    ],
)
def test_the_labels_of_the_template_are_found(written: WatchedResource, version: str, spec: dict[str, Any]) -> None:
    made = {"metadata": {"name": "db", "namespace": "prod", "labels": {"own": "no"}}, "spec": spec}
    template = template_of(request(written, Operation.UPDATE, old=made, new=made, version=version))
    assert template is not None
    assert template.labels(made) == {"app": "db"}


@pytest.mark.parametrize("written", [VMI, NAMESPACE, kind("example.com", "v1", "virtualmachinepools")])
def test_other_kinds_have_none(written: WatchedResource) -> None:
    assert template_of(request(written, Operation.CREATE, new={"spec": LABELLED})) is None


@pytest.mark.parametrize("written", [VM, POOL, REPLICA_SET])
def test_through_a_subresource_no_template_is_written(written: WatchedResource) -> None:
    assert template_of(request(written, Operation.UPDATE, old={}, new={}, subresource="status")) is None


@pytest.mark.parametrize("template", TEMPLATES, ids=lambda template: template.resource)
@pytest.mark.parametrize("broken", [None, "text", [], {}, {"metadata": None}, {"metadata": {"labels": None}}])
def test_what_is_not_there_or_malformed_gives_no_labels(template: Any, broken: Any) -> None:
    found = broken
    for step in reversed(template.path):
        assert template.labels(found) == {}
        found = {step: found}
    assert template.labels(found) == {}
