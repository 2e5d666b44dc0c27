"""Changes of what migrates VMs in bulk. Sources: KubeVirt types.go; HyperConverged api/v1, api/v1beta1."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import Json, context, create, delete, hyperconverged, kubevirt, request, update, vmi
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, VMI
from webhook.model.request import AdmissionRequest, Operation

UPDATE = {"workloadUpdateMethods": ["LiveMigrate"]}


def cr(**spec: Any) -> Json:
    return {**kubevirt(), "spec": spec}


def hco(version: str = "v1beta1", **spec: Any) -> Json:
    return {**hyperconverged(version=version), "spec": spec}


@pytest.mark.parametrize(
    ("asked", "changed"),
    [
        pytest.param(
            update(KUBEVIRT, cr(), cr(workloadUpdateStrategy=UPDATE)), True, id="types.go-workloadUpdateStrategy"
        ),
        pytest.param(
            update(KUBEVIRT, cr(workloadUpdateStrategy=UPDATE), cr(workloadUpdateStrategy=UPDATE)),
            False,
            id="unchanged",
        ),
        pytest.param(
            update(KUBEVIRT, cr(), cr(configuration={"evictionStrategy": "LiveMigrate"})),
            True,
            id="types.go-evictionStrategy",
        ),
        pytest.param(
            update(KUBEVIRT, cr(), cr(evictionStrategy="LiveMigrate")), False, id="types.go-not-at-this-place"
        ),
        pytest.param(
            update(HYPERCONVERGED, hco(), hco(workloadUpdateStrategy=UPDATE)), True, id="v1beta1-workloadUpdateStrategy"
        ),
        pytest.param(update(HYPERCONVERGED, hco(), hco(evictionStrategy="None")), True, id="v1beta1-evictionStrategy"),
        pytest.param(
            update(HYPERCONVERGED, hco("v1"), hco("v1", virtualization={"evictionStrategy": "None"}), version="v1"),
            True,
            id="v1-below-virtualization",
        ),
        pytest.param(
            update(HYPERCONVERGED, hco("v1"), hco("v1", evictionStrategy="None"), version="v1"),
            False,
            id="v1-not-at-the-old-place",
        ),
        pytest.param(create(KUBEVIRT, cr(workloadUpdateStrategy=UPDATE)), True, id="created-with-it"),
        pytest.param(create(KUBEVIRT, cr()), False, id="created-without"),
        pytest.param(delete(KUBEVIRT, cr(workloadUpdateStrategy=UPDATE)), True, id="deleted"),
        pytest.param(
            request(KUBEVIRT, Operation.UPDATE, old=cr(), new=cr(workloadUpdateStrategy=UPDATE), subresource="status"),
            False,
            id="status",
        ),
        pytest.param(update(VMI, vmi(), vmi(spec={"evictionStrategy": "None"})), False, id="a-VMs-own-strategy"),
        pytest.param(
            update(KUBEVIRT, cr(workloadUpdateStrategy=1), cr(workloadUpdateStrategy=True)), True, id="odd-types"
        ),
    ],
)
def test_a_change_of_the_strategies_is_seen(asked: AdmissionRequest, changed: bool) -> None:
    assert FACTS["config.strategiesChanged"].resolve(context(asked)) is changed
