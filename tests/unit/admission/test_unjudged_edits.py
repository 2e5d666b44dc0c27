"""Which edits of VMs and namespaces the built-in policies refuse to people while nothing is known of the cluster.

Their match conditions speak of the request alone: what leaves labels and volumes as they are takes no protection away.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import pytest

from tests.support import builders
from tests.support.builders import CRITICAL, PARAMETERS, delete, namespace, pvc_volume, update, vm, vmi
from webhook.admission import natives
from webhook.admission.failure import could_refuse
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation
from webhook.policy.policyset import PolicySet, load

ROOT = Path(__file__).parents[3]
NAMES = (
    "critical-flag",
    "critical-flag-pending",
    "disruption-exposure",
    "post-copy-exposure",
    "protection-kept",
    "protection-removed",
    "volume-migration-no-post-copy",
)
POOL = WatchedResource(
    GroupVersionResource("pool.kubevirt.io", "v1beta1", "virtualmachinepools"),
    "VirtualMachinePool",
    namespaced=True,
    keep=(),
)
OLD, NEW = pvc_volume("data", "old"), pvc_volume("data", "new")


@cache
def policies() -> PolicySet:
    paths = [ROOT / "policies" / name / "policy.yaml" for name in NAMES]
    return load(paths, natives.CATALOG)


def machine(metadata: Any, **spec: Any) -> dict[str, Any]:
    made = vm()
    return {**made, "spec": {"template": {"metadata": metadata, "spec": {}}, **spec}}


def moving(volume: dict[str, Any], strategy: Any = "Migration") -> dict[str, Any]:
    made = vm(volumes=[volume])
    return {**made, "spec": {**made["spec"], "updateVolumesStrategy": strategy}}


def pool(labels: Any, **spec: Any) -> dict[str, Any]:
    template = {"spec": {"template": {"metadata": {"labels": labels}}}}
    return {"metadata": {"name": "desks", "namespace": "prod"}, "spec": {"virtualMachineTemplate": template, **spec}}


@pytest.mark.parametrize(
    ("asked", "refused"),
    [
        pytest.param(update(VM, vm(), vm(template_labels={"a": "b"})), True, id="labels in a template"),
        pytest.param(update(VM, machine(None), machine({"labels": {"a": "b"}})), True, id="labels, null before"),
        pytest.param(update(VM, machine(None), machine({"labels": None})), False, id="null for null"),
        pytest.param(update(VM, {**vm(), "spec": None}, machine({"labels": {}})), False, id="no spec before"),
        pytest.param(
            update(
                VM, machine({"labels": {}}), machine({"labels": {}, "annotations": {"a": "b"}}, runStrategy="Halted")
            ),
            False,
            id="anything else in a VM",
        ),
        pytest.param(update(VM, moving(OLD), moving(NEW)), True, id="volumes to migrate"),
        pytest.param(update(VM, moving(NEW, None), moving(NEW)), True, id="a strategy that migrates volumes"),
        pytest.param(update(VM, moving(OLD, None), moving(NEW, None)), False, id="volumes to replace"),
        pytest.param(update(VM, moving(NEW), moving(NEW)), False, id="volumes that are migrated already"),
        pytest.param(delete(VM, vm()), False, id="a VM is deleted with its VMI"),
        pytest.param(
            delete(VM, {**vm(), "metadata": {"name": "db", "namespace": "prod", "finalizers": ["orphan"]}}),
            True,
            id="a VM is deleted and its VMI left behind",
        ),
        pytest.param(update(VMI, vmi(), vmi(labels=CRITICAL)), True, id="labels of a VMI"),
        pytest.param(update(VMI, vmi(), vmi(phase="Failed")), False, id="anything else in a VMI"),
        pytest.param(update(NAMESPACE, namespace(), namespace(labels={"a": "b"})), True, id="labels of a namespace"),
        pytest.param(
            builders.request(
                NAMESPACE, Operation.UPDATE, old=namespace(), new=namespace(labels={"a": "b"}), subresource="finalize"
            ),
            True,
            id="labels of a namespace through finalize",
        ),
        pytest.param(
            builders.request(NAMESPACE, Operation.UPDATE, old=namespace(), new=namespace(), subresource="finalize"),
            False,
            id="finalize that leaves them alone",
        ),
        pytest.param(update(POOL, pool({"a": "b"}), pool(None)), True, id="labels in the template of a pool"),
        pytest.param(update(POOL, pool(None), pool({}, replicas=3)), False, id="anything else in a pool"),
    ],
)
def test_only_an_edit_that_can_take_protection_away_is_refused_unjudged(asked: AdmissionRequest, refused: bool) -> None:
    assert could_refuse(policies(), asked, "User", "the cluster is out of reach", PARAMETERS) is refused
