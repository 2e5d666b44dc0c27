"""Who made what stands: controllers by their marks, else somebody."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import PARAMETERS
from webhook.cluster.store import Store
from webhook.impact.scanning.maker import maker_of
from webhook.kubevirt.requester import classify
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, RESOURCES
from webhook.offline.request import request_of

CNV = "system:serviceaccount:openshift-cnv:"


def thing(kind: str, name: str = "x", api: str = "kubevirt.io/v1", **metadata: Any) -> dict[str, Any]:
    return {"apiVersion": api, "kind": kind, "metadata": {"name": name, **metadata}}


def migration(**annotations: str) -> dict[str, Any]:
    return thing("VirtualMachineInstanceMigration", namespace="prod", annotations=annotations)


def role(name: str, **labels: str) -> dict[str, Any]:
    return thing("ClusterRole", name, "rbac.authorization.k8s.io/v1", labels=labels)


STAMPED = {"migguard.io/origin": "User", "migguard.io/requested-by": "olga"}
CASES = [
    pytest.param(thing("VirtualMachine", namespace="prod"), "somebody", "User", id="vm"),
    pytest.param(migration(), "somebody", "User", id="migration"),
    pytest.param(migration(**STAMPED), "olga", "User", id="stamped-migration"),
    pytest.param(
        migration(**{"migguard.io/origin": "VirtAPI"}),
        f"{CNV}kubevirt-apiserver",
        "VirtAPI",
        id="virtctl-migrate",
    ),
    pytest.param(
        migration(**{"kubevirt.io/evacuationMigration": "node"}),
        f"{CNV}kubevirt-controller",
        "Drain",
        id="drain",
    ),
    pytest.param(
        migration(**{"kubevirt.io/workloadUpdateMigration": ""}),
        f"{CNV}kubevirt-controller",
        "WorkloadUpdate",
        id="update",
    ),
    pytest.param(migration(**{"migguard.io/origin": "Pope"}), "somebody", "User", id="odd-stamp"),
    pytest.param(thing("KubeVirt", namespace="openshift-cnv"), f"{CNV}kubevirt-operator", "Operator", id="rendered"),
    pytest.param(role("mine"), "somebody", "User", id="role"),
    pytest.param(role("cluster-admin"), f"{CNV}kubevirt-operator", "Operator", id="default-role"),
    pytest.param(role("system:node"), f"{CNV}kubevirt-operator", "Operator", id="system-role"),
    pytest.param(role("kubevirt-controller"), f"{CNV}kubevirt-operator", "Operator", id="kubevirt-role"),
    pytest.param(
        role("of-operator", **{"olm.owner.kind": "ClusterServiceVersion"}),
        f"{CNV}kubevirt-operator",
        "Operator",
        id="olm",
    ),
    pytest.param(
        thing("Role", "admin", "rbac.authorization.k8s.io/v1", namespace="prod"),
        "somebody",
        "User",
        id="namespaced-role-of-that-name",
    ),
]


@pytest.fixture(name="view")
def cluster_of_hyperconverged() -> Store:
    store = Store(RESOURCES)
    for watched in RESOURCES:
        store.absent(watched)
    for watched in (HYPERCONVERGED, KUBEVIRT):
        store.put(watched, thing(watched.kind, "cnv", namespace="openshift-cnv"))
    return store


@pytest.mark.parametrize(("obj", "username", "origin"), CASES)
def test_a_maker_is_known_by_marks_and_classified_as_at_admission(
    view: Store, obj: dict[str, Any], username: str, origin: str
) -> None:
    maker = maker_of(obj, PARAMETERS, view)
    assert maker.username == username
    assert classify(maker, PARAMETERS, request_of({"operation": "CREATE", "object": obj}, "1")) == origin


def test_an_odd_object_is_somebodys(view: Store) -> None:
    odd = {"kind": "VirtualMachineInstanceMigration", "metadata": 7}
    assert maker_of(odd, PARAMETERS, view).username == "somebody"


def test_without_a_hyperconverged_a_kubevirt_is_somebodys_own(view: Store) -> None:
    view.absent(HYPERCONVERGED)
    assert maker_of(thing("KubeVirt", namespace="kubevirt"), PARAMETERS, view).username == "somebody"
