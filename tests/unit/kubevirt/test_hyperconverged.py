"""Source: HyperConverged controllers/handlers/kubevirt.go (hcLiveMigrationToKv), api/v1 and api/v1beta1."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.builders import hyperconverged, kubevirt
from webhook.kubevirt.hyperconverged import HYPERCONVERGED_DEFAULT, UNKNOWN_RELEASE, defaults_of, release_of, render
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
    assert (found.settings, found.sets) == (render(hyperconverged({}), None).settings, ())


KUBEVIRT_ONLY = {
    "bandwidthPerMigration",
    "network",
    "disableTLS",
    "unsafeMigrationOverride",
    "nodeDrainTaintKey",
    "matchSELinuxLevelOnMigration",
    "utilityVolumesTimeout",
    "maxDowntimeMs",
    "experimental",
}
"""What no CRD of HyperConverged has a default for."""


def test_what_is_not_set_is_at_hyperconvergeds_default_or_else_at_kubevirts() -> None:
    found = render(hyperconverged({}), None)
    assert found.sets == ()
    for name, setting in found.settings.items():
        assert setting.source == (KUBEVIRT_DEFAULT if name in KUBEVIRT_ONLY else HYPERCONVERGED_DEFAULT), name
        assert setting.value == DEFAULTS[name].value


def installed(release: str, **fields: Any) -> dict[str, Any]:
    versions = [{"name": "other", "version": "9.9.9"}, {"name": "operator", "version": release}]
    return {**hyperconverged(fields), "status": {"versions": versions}}


@pytest.mark.parametrize(
    ("release", "outbound", "timeout"),
    [
        pytest.param("1.13.0", 2, 800, id="hc-v1.13.0-api-v1beta1-hyperconverged_types"),
        pytest.param("1.14.0", 2, 150, id="hc-v1.14.0-api-v1beta1-hyperconverged_types"),
        pytest.param("1.18.1", 2, 150, id="hc-v1.18.1-api-v1-hyperconverged_types"),
        pytest.param("1.19.0", 1, 20, id="hc-release-1.19-api-v1-hyperconverged_types"),
        pytest.param("1.20.0", 1, 20, id="hc-1.20-dev-api-v1-hyperconverged_types"),
        pytest.param("4.17.9", 2, 800, id="openshift-virtualization-4.17-is-1.13"),
        pytest.param("4.22.0", 2, 150, id="openshift-virtualization-4.22-is-1.18"),
    ],
)
def test_each_release_has_its_own_defaults(release: str, outbound: int, timeout: int) -> None:
    found = render(installed(release), None).settings
    assert found["parallelOutboundMigrationsPerNode"] == Setting(outbound, HYPERCONVERGED_DEFAULT)
    assert found["completionTimeoutPerGiB"] == Setting(timeout, HYPERCONVERGED_DEFAULT)
    assert found["parallelMigrationsPerCluster"].value == 5
    assert found["progressTimeout"].value == 150


@pytest.mark.parametrize(
    ("release", "fields", "disruption"),
    [
        pytest.param("1.18.0", {"allowPostCopy": True}, True, id="up-to-1.18-disruption-follows-post-copy"),
        pytest.param("1.20.0", {"allowPostCopy": True}, False, id="since-1.19-disruption-is-explicitly-false"),
        pytest.param(
            "1.20.0", {"allowPostCopy": True, "allowWorkloadDisruption": None}, False, id="null-is-the-default"
        ),
        pytest.param("1.20.0", {"allowPostCopy": True, "allowWorkloadDisruption": True}, True, id="both-switched-on"),
        pytest.param("1.20.0", {"allowWorkloadDisruption": True}, True, id="disruption-alone-pauses-the-guest"),
    ],
)
def test_disruption_follows_post_copy_up_to_1_18_only(release: str, fields: dict[str, Any], disruption: bool) -> None:
    assert render(installed(release, **fields), None).settings["allowWorkloadDisruption"].value is disruption


@pytest.mark.parametrize(
    ("hco", "observed", "release"),
    [
        pytest.param("1.16.2", "v1.4.0", (1, 16), id="the-version-named-operator-counts-first"),
        pytest.param("v1.20.0-unstable", "", (1, 20), id="a-prerelease"),
        pytest.param("4.18.3", "", (1, 14), id="openshift-virtualization-4.N-is-1.(N-4)"),
        pytest.param("", "v1.3.1", (1, 13), id="hc-hack-config-v1.13.0-pins-kubevirt-1.3"),
        pytest.param("", "v1.8.4", (1, 18), id="hc-hack-config-v1.18.0-pins-kubevirt-1.8"),
        pytest.param("", "v1.9.0-12-gabcdef", (1, 19), id="hc-hack-config-release-1.19-pins-kubevirt-1.9"),
        pytest.param("latest", "sha256:12", UNKNOWN_RELEASE, id="nothing-tells"),
        pytest.param("1.100000", "", UNKNOWN_RELEASE, id="no-version"),
    ],
)
def test_which_release_is_installed(hco: str, observed: str, release: tuple[int, int]) -> None:
    cr = {**kubevirt({}), "status": {"observedKubeVirtVersion": observed}}
    assert release_of(installed(hco), cr) == release


@pytest.mark.parametrize(
    "status", [None, [], {"versions": None}, {"versions": [None, {"name": "operator", "version": 120}]}]
)
def test_a_status_of_any_shape_is_read(status: Any) -> None:
    assert release_of({**hyperconverged({}), "status": status}, None) == UNKNOWN_RELEASE


def test_nothing_at_all_is_the_last_release_with_one_switch_for_post_copy() -> None:
    assert release_of(None, None) == UNKNOWN_RELEASE
    assert "allowWorkloadDisruption" not in defaults_of(UNKNOWN_RELEASE)


def test_a_release_from_elsewhere_is_used_in_place_of_the_objects_own_status() -> None:
    found = render(installed("1.18.0"), None, release=(1, 20))
    assert found.settings["completionTimeoutPerGiB"].value == 20


def test_the_kubevirt_cr_is_given_the_defaults_too() -> None:
    """Source: HyperConverged controllers/handlers/kubevirt.go (hcLiveMigrationToKv)."""
    found = render(installed("1.20.0", network="lan"), None)
    assert found.sets == ("network",)
    assert found.writes == {*defaults_of((1, 20)), "network"}


def test_the_annotation_can_test_and_replace_a_default() -> None:
    operations = [
        {"op": "test", "path": "/spec/configuration/migrations/completionTimeoutPerGiB", "value": 20},
        {"op": "replace", "path": "/spec/configuration/migrations/completionTimeoutPerGiB", "value": 60},
    ]
    found = render({**installed("1.20.0"), "metadata": hyperconverged(patch=json.dumps(operations))["metadata"]}, None)
    assert (found.error, found.settings["completionTimeoutPerGiB"]) == ("", Setting(60, ANNOTATED))


def test_an_annotation_that_clears_a_default_leads_to_kubevirts() -> None:
    written = hyperconverged(patch=patch("completionTimeoutPerGiB", None))
    found = render({**written, "status": installed("1.20.0")["status"]}, None)
    assert found.settings["completionTimeoutPerGiB"] == Setting(150, ANNOTATED)
    assert "completionTimeoutPerGiB" not in found.writes


def test_disruption_follows_post_copy_and_so_does_its_source() -> None:
    found = render(hyperconverged({"allowPostCopy": True}), None)
    assert found.settings["allowWorkloadDisruption"] == found.settings["allowPostCopy"]
    explicit = render(hyperconverged({"allowPostCopy": True, "allowWorkloadDisruption": False}), None)
    assert explicit.settings["allowWorkloadDisruption"].value is False


def test_fields_that_hyperconverged_does_not_have_are_ignored() -> None:
    found = render(hyperconverged({"disableTLS": True, "maxDowntimeMs": 5, "unsafeMigrationOverride": True}), None)
    assert found.settings == render(hyperconverged({}), None).settings


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
