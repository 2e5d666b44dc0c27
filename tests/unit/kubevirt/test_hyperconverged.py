"""Source: HyperConverged controllers/handlers/kubevirt.go (hcLiveMigrationToKv), api/v1 and api/v1beta1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.builders import hyperconverged, kubevirt
from webhook.kubevirt.hyperconverged import render
from webhook.kubevirt.migrationfields import DEFAULTS, KUBEVIRT_DEFAULT, Setting

HCO = "HyperConverged openshift-cnv/kubevirt-hyperconverged"
ANNOTATED = f"annotation kubevirt.kubevirt.io/jsonpatch of {HCO}"


def patch(field: str, value: Any, op: str = "add") -> str:
    return json.dumps([{"op": op, "path": f"/spec/configuration/migrations/{field}", "value": value}])


@pytest.mark.parametrize(
    ("version", "path"),
    [("v1beta1", "spec.liveMigrationConfig"), ("v1", "spec.virtualization.liveMigrationConfig")],
)
def test_either_version_is_read_at_its_own_place(version: str, path: str) -> None:
    found = render(hyperconverged({"allowPostCopy": True, "bandwidthPerMigration": "64Mi"}, version=version), None)
    assert found.settings["allowPostCopy"] == Setting(value=True, source=f"{HCO} {path}.allowPostCopy")
    assert found.settings["bandwidthPerMigration"] == Setting(64 * 2**20, f"{HCO} {path}.bandwidthPerMigration")
    assert found.sets == ("bandwidthPerMigration", "allowPostCopy")


@pytest.mark.parametrize(("written", "read"), [("v1", "v1beta1"), ("v1beta1", "v1")])
def test_a_field_at_the_other_versions_place_has_no_effect(written: str, read: str) -> None:
    found = render(hyperconverged({"allowPostCopy": True}, version=written), None, version=read)
    assert (found.settings, found.sets) == (DEFAULTS, ())


def test_what_is_not_set_is_kubevirts_default() -> None:
    found = render(hyperconverged({}), None)
    assert found.settings == DEFAULTS
    assert {setting.source for setting in found.settings.values()} == {KUBEVIRT_DEFAULT}


def test_disruption_follows_post_copy_and_so_does_its_source() -> None:
    found = render(hyperconverged({"allowPostCopy": True}), None)
    assert found.settings["allowWorkloadDisruption"] == found.settings["allowPostCopy"]
    explicit = render(hyperconverged({"allowPostCopy": True, "allowWorkloadDisruption": False}), None)
    assert explicit.settings["allowWorkloadDisruption"].value is False


def test_fields_that_hyperconverged_does_not_have_are_ignored() -> None:
    assert render(hyperconverged({"disableTLS": True, "maxDowntimeMs": 5}), None).settings == DEFAULTS


def test_the_annotation_beats_the_field_and_is_named() -> None:
    found = render(hyperconverged({"allowPostCopy": False}, patch=patch("allowPostCopy", value=True)), None)
    assert found.settings["allowPostCopy"] == Setting(value=True, source=ANNOTATED)
    assert found.settings["allowWorkloadDisruption"] == Setting(value=True, source=ANNOTATED)
    assert (found.sets, found.error) == (("allowPostCopy",), "")


def test_the_annotation_reaches_fields_that_hyperconverged_does_not_have() -> None:
    found = render(hyperconverged({}, patch=patch("disableTLS", value=True)), None)
    assert found.settings["disableTLS"] == Setting(value=True, source=ANNOTATED)
    assert found.sets == ("disableTLS",)


def test_an_annotation_that_changes_nothing_is_not_the_source() -> None:
    found = render(hyperconverged({"allowPostCopy": True}, patch=patch("allowPostCopy", value=True)), None)
    assert found.settings["allowPostCopy"].source == f"{HCO} spec.liveMigrationConfig.allowPostCopy"


def test_a_field_cleared_by_annotation_is_at_kubevirts_default_because_of_it() -> None:
    found = render(hyperconverged({"progressTimeout": 300}, patch=patch("progressTimeout", None)), None)
    assert found.settings["progressTimeout"] == Setting(150, ANNOTATED)
    assert found.sets == ()


@pytest.mark.parametrize(
    "written",
    [
        pytest.param("", id="empty"),
        pytest.param("{", id="not JSON"),
        pytest.param('{"op":"add"}', id="not a list"),
        pytest.param(patch("network", "x", op="replace"), id="fails to apply"),
        pytest.param(patch("allowPostCopy", "true"), id="wrong type"),
    ],
)
def test_a_malformed_annotation_is_told_and_has_no_effect(written: str) -> None:
    found = render(hyperconverged({"allowAutoConverge": True}, patch=written), None)
    assert found.error.startswith("annotation kubevirt.kubevirt.io/jsonpatch: ")
    assert found.settings["allowAutoConverge"].value is True
    assert found.settings["allowPostCopy"].value is False


def test_the_annotation_sees_the_cluster_around_but_hyperconvergeds_own_migrations() -> None:
    around = kubevirt({"allowAutoConverge": True}, developerConfiguration={"x": True})
    inside = {"op": "test", "path": "/spec/configuration/migrations/allowAutoConverge", "value": False}
    copies = [{"op": "copy", "from": "/spec/developerConfiguration", "path": "/spec/configuration/copy"}]
    assert not render(hyperconverged({"allowAutoConverge": False}, patch=json.dumps([*copies, inside])), around).error
    stale = json.dumps([{"op": "test", "path": "/spec/configuration/migrations/allowAutoConverge", "value": True}])
    assert render(hyperconverged({}, patch=stale), around).error
