"""Which fields of objects go on record whatever policies read."""

import pytest

from webhook.kubevirt.recorded import recorded
from webhook.model.objects import GroupVersionResource


@pytest.mark.parametrize(
    ("group", "resource", "path"),
    [
        pytest.param("kubevirt.io", "virtualmachineinstancemigrations", "spec", id="migration"),
        pytest.param("kubevirt.io", "virtualmachineinstances", "spec.evictionStrategy", id="instance"),
        pytest.param("kubevirt.io", "virtualmachines", "spec.template.spec.evictionStrategy", id="machine"),
        pytest.param("kubevirt.io", "virtualmachines", "spec.template.metadata.labels", id="labels-of-its-template"),
        pytest.param(
            "pool.kubevirt.io",
            "virtualmachinepools",
            "spec.virtualMachineTemplate.spec.template.spec.evictionStrategy",
            id="pool",
        ),
        pytest.param("hco.kubevirt.io", "hyperconvergeds", "spec", id="hyperconverged"),
    ],
)
def test_settings_that_matter_to_migrations_are_recorded(group, resource, path):
    assert path in recorded(GroupVersionResource(group, "v1", resource))


def test_the_status_is_not_and_of_other_kinds_nothing_is():
    vmi = recorded(GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstances"))
    assert not [path for path in vmi if path.startswith("status")]
    assert recorded(GroupVersionResource("example.org", "v1", "things")) == ()
