"""The variables of ValidatingAdmissionPolicy: the same names, the same values."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support import builders
from tests.support.engine import migration, request
from webhook.admission import natives
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, UserInfo

NAMESPACES = GroupVersionResource("", "v1", "namespaces")


def test_the_request_has_the_fields_of_an_admission_request() -> None:
    asked = request(
        user=UserInfo(username="alice", uid="u-1", groups=("a",), extra={"scopes": ("x", "y")}),
        subresource="status",
        dry_run=True,
        options={"kind": "CreateOptions"},
    )

    made = natives.variables(asked)["request"]

    kind = {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachineInstanceMigration"}
    resource = {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachineinstancemigrations"}
    assert made == {
        "uid": "7f2c7b46",
        "kind": kind,
        "resource": resource,
        "subResource": "status",
        "requestKind": kind,
        "requestResource": resource,
        "requestSubResource": "status",
        "name": "move",
        "namespace": "prod",
        "operation": "CREATE",
        "userInfo": {"username": "alice", "uid": "u-1", "groups": ["a"], "extra": {"scopes": ["x", "y"]}},
        "dryRun": True,
        "options": {"kind": "CreateOptions"},
    }
    assert type(made["operation"]) is str


def test_what_the_client_asked_for_is_told_apart_from_what_it_was_converted_to() -> None:
    asked = request(
        request_kind=GroupVersionKind("kubevirt.io", "v1alpha3", "VirtualMachineInstanceMigration"),
        request_resource=GroupVersionResource("kubevirt.io", "v1alpha3", "virtualmachineinstancemigrations"),
        request_subresource="status",
    )

    made = natives.variables(asked)["request"]

    assert made["requestKind"]["version"] == made["requestResource"]["version"] == "v1alpha3"
    assert made["kind"]["version"] == made["resource"]["version"] == "v1"
    assert (made["subResource"], made["requestSubResource"]) == ("", "status")


@pytest.mark.parametrize(
    ("fields", "new", "old"),
    [
        ({}, migration(), None),
        ({"operation": Operation.DELETE, "object": None, "old_object": migration()}, None, migration()),
        ({"operation": Operation.UPDATE, "old_object": {}}, migration(), {}),
    ],
    ids=["CREATE", "DELETE", "UPDATE"],
)
def test_object_and_old_object_are_null_where_there_is_none(fields: dict[str, Any], new: Any, old: Any) -> None:
    made = natives.variables(request(**fields))

    assert (made["object"], made["oldObject"]) == (new, old)


# The Namespace


def _namespace_object(asked: AdmissionRequest, *objects: dict[str, Any]) -> Any:
    return natives.CATALOG["namespaceObject"].resolve(builders.context(asked, *objects))


def test_the_namespace_object_is_that_of_the_request() -> None:
    made = _namespace_object(request(), builders.namespace("prod", labels={"tier": "gold"}), builders.namespace("test"))

    assert made["metadata"]["name"] == "prod"
    assert made["metadata"]["labels"] == {"tier": "gold"}


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(request(namespace="", resource=GroupVersionResource("", "v1", "nodes")), id="cluster-scoped"),
        pytest.param(request(namespace="prod", name="prod", resource=NAMESPACES), id="a Namespace"),
    ],
)
def test_a_cluster_scoped_object_has_no_namespace_object(asked: AdmissionRequest) -> None:
    assert _namespace_object(asked, builders.namespace("prod")) is None
    assert natives.namespace(builders.context(asked)) == {}


def test_a_namespace_that_is_not_known_is_not_taken_for_one_without_labels() -> None:
    with pytest.raises(FactUnavailable, match="Namespace prod was not found, so its labels are not known"):
        _namespace_object(request(), builders.namespace("test"))


# The catalogue


def test_the_catalogue_holds_all_facts_and_the_lazy_variables() -> None:
    assert set(natives.CATALOG) == {*FACTS, "namespaceObject", "authorizer"}
    assert all(name == fact.name for name, fact in natives.CATALOG.items())
    assert natives.LAZY_NAMES.isdisjoint(FACTS)


def test_the_authorizer_asks_for_the_requester() -> None:
    made = natives.CATALOG["authorizer"].resolve(builders.context(request()))

    assert {"type", "value", "requestResource"} <= set(made)
    assert "alice" in made["value"]
