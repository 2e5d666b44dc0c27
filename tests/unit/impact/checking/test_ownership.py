"""What server-side apply would take away of an object."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given

from tests.support.anyjson import any_json
from webhook.impact.checking.ownership import without_applied

FLUX = {"f:metadata": {"f:labels": {".": {}, "f:critical": {}, "f:app": {}}}, "f:spec": {"f:running": {}}}


def manager(fields: Any, operation: str = "Apply", **more: str) -> dict[str, Any]:
    return {"manager": "m", "operation": operation, "fieldsV1": fields, **more}


def vm(*managers: dict[str, Any]) -> dict[str, Any]:
    return {
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "labels": {"critical": "true", "app": "db"}, "managedFields": list(managers)},
        "spec": {"running": True, "other": [1]},
        "status": {"ready": True},
    }


BARE = {"metadata": {"name": "db"}, "spec": {"other": [1]}}
LABELS: dict[str, Any] = {"f:metadata": {"f:labels": {"f:app": {}}}}


@pytest.mark.parametrize(
    ("managers", "left"),
    [
        pytest.param([manager(FLUX)], BARE, id="what-is-owned-goes"),
        pytest.param(
            [manager(FLUX), manager(LABELS, "Update")],
            {**BARE, "metadata": {"name": "db", "labels": {"app": "db"}}},
            id="what-others-own-too-stays",
        ),
        pytest.param(
            [manager(FLUX), manager({"f:status": {"f:ready": {}}}, subresource="status")], BARE, id="status-is-no-apply"
        ),
        pytest.param([manager({"f:spec": {"f:other": {"v:1": {}}, "f:running": {}}})], None, id="lists-go-whole"),
    ],
)
def test_what_one_manager_owns_alone_goes(managers: list[dict[str, Any]], left: dict[str, Any] | None) -> None:
    rest = without_applied(vm(*managers))
    assert rest is not None
    kept = {key: item for key, item in rest["metadata"].items() if key != "managedFields"}
    if left is None:
        assert "spec" not in rest
    else:
        assert {"metadata": kept, "spec": rest["spec"]} == left
    assert rest["status"] == {"ready": True}


@pytest.mark.parametrize(
    "managers",
    [
        pytest.param([], id="nobody"),
        pytest.param([manager(FLUX, "Update")], id="nobody-by-apply"),
        pytest.param([manager(FLUX), manager(LABELS)], id="two"),
    ],
)
def test_where_it_is_not_one_manager_it_is_not_known(managers: list[dict[str, Any]]) -> None:
    assert without_applied(vm(*managers)) is None


@given(fields=any_json("f:metadata", "f:spec", "f:running", "."), spec=any_json("running", "metadata", "spec"))
def test_any_fields_may_be_noted(fields: Any, spec: Any) -> None:
    obj = {**vm(manager(fields)), "spec": spec}
    rest = without_applied(obj)
    assert rest is not None
    assert rest.keys() <= obj.keys()
