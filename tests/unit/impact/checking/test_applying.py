"""What an apply makes of an object, and in which order manifests are applied."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from tests.support.anyjson import any_json
from webhook.cluster.projection import Projection
from webhook.impact.checking.applying import LAST_APPLIED, applied, completed, last_applied, rank
from webhook.kubevirt.resources import VM


def labelled(**labels: str) -> dict[str, Any]:
    return {"kind": "VirtualMachine", "metadata": {"name": "db", "labels": labels}}


def labels_of(obj: dict[str, Any] | None) -> dict[str, str]:
    assert obj is not None
    found: dict[str, str] = obj["metadata"]["labels"]
    return found


@pytest.mark.parametrize(
    ("old", "last", "labels"),
    [
        pytest.param(
            labelled(app="db", added="by-hand"),
            labelled(app="db"),
            {"app": "web", "added": "by-hand"},
            id="what-others-added-stays",
        ),
        pytest.param(
            labelled(app="db", critical="true"),
            labelled(app="db", critical="true"),
            {"app": "web"},
            id="what-was-applied-and-left-the-manifest-goes",
        ),
    ],
)
def test_an_apply_takes_away_what_it_had_given(
    old: dict[str, Any], last: dict[str, Any], labels: dict[str, str]
) -> None:
    made = applied(labelled(app="web"), old, last)
    assert (labels_of(made.object), made.replaced, made.left) == (labels, None, ())


def test_where_nobody_knows_what_was_applied_both_readings_are_made() -> None:
    made = applied(labelled(app="web"), {**labelled(app="db", critical="true"), "spec": {"running": True}})
    assert labels_of(made.object) == {"app": "web", "critical": "true"}, "as kubectl apply"
    assert labels_of(made.replaced) == {"app": "web"}, "as kubectl replace"
    assert made.left == (("metadata", "labels", "critical"), ("spec",))


def test_there_is_one_reading_where_nothing_is_left_out() -> None:
    made = applied(labelled(app="web"), labelled(app="db"))
    assert (labels_of(made.object), made.replaced) == ({"app": "web"}, None)


def test_what_the_server_owns_stays() -> None:
    old = {
        "metadata": {"name": "db", "uid": "1", "resourceVersion": "7", "finalizers": ["f"], "labels": {"a": "b"}},
        "status": {"ready": True},
    }
    stale = {"metadata": {"name": "db", "uid": "0"}, "status": {"ready": False}, "spec": {}}
    made = applied(stale, old)
    kept = {"name": "db", "uid": "1", "resourceVersion": "7", "finalizers": ["f"]}
    assert made.object == {"metadata": {**kept, "labels": {"a": "b"}}, "spec": {}, "status": {"ready": True}}
    assert made.replaced == {"metadata": kept, "spec": {}, "status": {"ready": True}}
    assert made.left == (("metadata", "labels"),)


@pytest.mark.parametrize("noted", ["", "{", "[]", "[" * 100_000])
def test_a_note_of_the_last_apply_that_says_nothing_is_none(noted: str) -> None:
    assert last_applied({"metadata": {"annotations": {LAST_APPLIED: noted}}}) is None


def test_what_was_applied_last_is_noted_on_the_object() -> None:
    note = {LAST_APPLIED: json.dumps(labelled(app="db"))}
    assert last_applied({"metadata": {"annotations": note}}) == labelled(app="db")


@given(
    new=any_json("metadata", "spec", "labels", "status"),
    old=any_json("metadata", "spec", "labels", "status"),
    last=any_json("metadata", "spec", "labels", "status"),
)
def test_any_object_can_be_applied_to_any(new: Any, old: Any, last: Any) -> None:
    manifest, before = {"kind": "VM", "spec": new, "metadata": new}, {"kind": "VM", "spec": old, "metadata": old}
    for made in (applied(manifest, before), applied(manifest, before, {"spec": last, "metadata": last})):
        assert made.object["spec"] == new or (isinstance(new, dict) and isinstance(old, dict))
        assert "status" not in made.object
        assert (made.replaced is None) == (not made.left)


NEW = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "db", "namespace": "prod", "annotations": {"note": "kept by nobody"}, "labels": {"a": "new"}},
    "spec": {"running": True, "template": {"metadata": {"labels": {"critical": "false"}}, "spec": {"domain": {}}}},
}


def test_what_a_snapshot_does_not_tell_is_taken_to_be_unchanged() -> None:
    old = {**NEW, "metadata": {"name": "db", "namespace": "prod", "uid": "1", "labels": {"b": "old"}}}
    old["spec"] = {"template": {"metadata": {"labels": {"critical": "true"}}}}
    made = completed(Projection.of(VM).prune(old), NEW, VM)
    assert made["metadata"]["annotations"] == {"note": "kept by nobody"}, "nobody knows what was there"
    assert made["metadata"]["labels"] == {"b": "old"}, "labels are known"
    assert made["metadata"]["uid"] == "1"
    assert made["spec"] == {
        "running": True,
        "template": {"metadata": {"labels": {"critical": "true"}}, "spec": {"domain": {}}},
    }


def test_an_unchanged_object_is_unchanged_by_what_is_not_known_of_it() -> None:
    assert completed(Projection.of(VM).prune(NEW), NEW, VM) == NEW


@pytest.mark.parametrize(
    ("first", "then"),
    [
        pytest.param("Namespace", "RoleBinding", id="a-namespace-before-what-is-in-it"),
        pytest.param("PersistentVolumeClaim", "VirtualMachine", id="a-claim-before-its-vm"),
        pytest.param("HyperConverged", "MigrationPolicy", id="the-configuration-before-its-exceptions"),
        pytest.param("MigrationPolicy", "VirtualMachine", id="a-policy-before-its-vms"),
        pytest.param("ConfigMap", "VirtualMachine", id="all-else-before-vms"),
        pytest.param("VirtualMachine", "VirtualMachineInstanceMigration", id="a-migration-last"),
    ],
)
def test_manifests_are_applied_in_the_usual_order(first: str, then: str) -> None:
    assert rank(first) < rank(then)
