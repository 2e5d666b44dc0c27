"""An object as the request that would create it, and the cluster as it was before."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import PARAMETERS
from tests.unit.impact.scans import namespace, vm, vmi, vmim
from webhook.cluster.store import Store
from webhook.impact.scanning.inventory import Item, resource_of
from webhook.impact.scanning.standing import Without, creation_of, migration_of
from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.resources import RESOURCES, VMI, VMIM
from webhook.model.objects import name_of
from webhook.model.request import Operation


@pytest.fixture(name="store")
def cluster_with_two_migrations() -> Store:
    store = Store(RESOURCES)
    for watched in RESOURCES:
        store.absent(watched)
    store.put(VMI, vmi("db"))
    for name, where in (("move", "prod"), ("again", "prod"), ("move", "dev")):
        store.put(VMIM, vmim(name, "db", where))
    return store


@pytest.mark.parametrize(
    ("obj", "resource", "where", "name"),
    [
        pytest.param(vm("db"), "virtualmachines.kubevirt.io", "prod", "db", id="vm"),
        pytest.param(namespace("prod"), "namespaces", "prod", "prod", id="namespace-is-in-itself"),
        pytest.param({"apiVersion": "v1", "kind": "Node", "metadata": {"name": "n"}}, "nodes", "", "n", id="node"),
    ],
)
def test_the_request_creates_the_object_as_it_is(
    store: Store, obj: dict[str, Any], resource: str, where: str, name: str
) -> None:
    request = creation_of(Item(obj, resource_of(obj)), PARAMETERS, store)
    assert (str(request.resource), request.namespace, request.name) == (resource, where, name)
    assert (request.operation, request.object, request.old_object) == (Operation.CREATE, obj, None)
    assert request.kind.api_version == obj["apiVersion"]
    assert request.user.username == "somebody"


def test_the_migration_of_a_vm_is_asked_for_by_a_person() -> None:
    request = migration_of(vmi("db"))
    assert (str(request.resource), request.namespace) == ("virtualmachineinstancemigrations.kubevirt.io", "prod")
    assert request.object is not None
    assert request.object["spec"] == {"vmiName": "db"}
    assert request.user.username == "somebody"


def test_just_the_one_object_is_hidden_however_it_is_looked_up(store: Store) -> None:
    without = Without(store, VMIM, "prod", "move")
    assert without.get(VMIM, "prod", "move") is None
    assert without.get(VMIM, "dev", "move") is not None
    for found in (without.list(VMIM), without.last_known(VMIM), without.select(VMIM, "inFlight", ANY)):
        assert sorted((one["metadata"]["namespace"], name_of(one)) for one in found) == [
            ("dev", "move"),
            ("prod", "again"),
        ]
    assert without.list(VMI) == store.list(VMI)
    assert without.get(VMI, "prod", "db") is not None
