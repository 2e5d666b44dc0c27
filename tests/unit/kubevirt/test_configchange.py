"""What a write makes of the migration configuration."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.builders import (
    context,
    create,
    delete,
    hyperconverged,
    kubevirt,
    migration_policy,
    pvc,
    request,
    update,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, PVC
from webhook.model.facts import FactContext
from webhook.model.request import AdmissionRequest, Operation

ON: dict[str, Any] = {"allowPostCopy": True}
OFF: dict[str, Any] = {"allowPostCopy": False}
PATCH_ON = json.dumps([{"op": "add", "path": "/spec/configuration/migrations/allowPostCopy", "value": True}])


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"config.{name}"].resolve(found)


def everyone() -> dict[str, Any]:
    return {"virtualMachineInstanceSelector": {}}


@pytest.mark.parametrize(
    ("asked", "before", "after"),
    [
        pytest.param(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), False, True, id="HCO v1beta1"),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF, version="v1"), hyperconverged(ON, version="v1"), version="v1"),
            False,
            True,
            id="HCO v1",
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(OFF, patch=PATCH_ON)),
            False,
            True,
            id="annotation",
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF, patch=PATCH_ON), hyperconverged(OFF)),
            True,
            False,
            id="annotation taken away",
        ),
        pytest.param(create(HYPERCONVERGED, hyperconverged(ON)), False, True, id="HCO created"),
        pytest.param(delete(HYPERCONVERGED, hyperconverged(ON)), True, False, id="HCO deleted"),
        pytest.param(update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), False, True, id="KubeVirt CR"),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON), version="v1alpha3"),
            False,
            True,
            id="KubeVirt CR, old version",
        ),
        pytest.param(create(KUBEVIRT, kubevirt(ON)), False, True, id="KubeVirt CR created"),
        pytest.param(delete(KUBEVIRT, kubevirt(ON)), True, False, id="KubeVirt CR deleted"),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors=everyone(), **ON)),
            False,
            True,
            id="MigrationPolicy created",
        ),
        pytest.param(
            update(
                MIGRATION_POLICY,
                migration_policy(selectors=everyone(), **OFF),
                migration_policy(selectors=everyone(), **ON),
            ),
            False,
            True,
            id="MigrationPolicy",
        ),
        pytest.param(
            delete(MIGRATION_POLICY, migration_policy(selectors=everyone(), **ON)),
            True,
            False,
            id="MigrationPolicy deleted",
        ),
    ],
)
def test_every_road_to_post_copy_is_seen(asked: AdmissionRequest, before: bool, after: bool) -> None:
    found = context(asked)
    assert ask("applies", found) is True
    assert (ask("before.allowPostCopy", found), ask("after.allowPostCopy", found)) == (before, after)
    assert ask("changed", found) == ["allowPostCopy", "allowWorkloadDisruption"]
    assert ask("error", found) == ""


def test_a_policy_is_laid_over_the_clusters_configuration() -> None:
    found = context(create(MIGRATION_POLICY, migration_policy(selectors=everyone(), **OFF)), kubevirt(ON))
    assert (ask("before.allowPostCopy", found), ask("after.allowPostCopy", found)) == (True, False)
    assert ask("sources", found)["allowPostCopy"] == "MigrationPolicy fast"


@pytest.mark.parametrize(
    ("asked", "sets", "path", "missing"),
    [
        pytest.param(
            create(HYPERCONVERGED, hyperconverged(ON)),
            ["allowPostCopy"],
            "/spec/liveMigrationConfig",
            [],
            id="v1beta1",
        ),
        pytest.param(
            create(HYPERCONVERGED, hyperconverged(ON, version="v1"), version="v1"),
            ["allowPostCopy"],
            "/spec/virtualization/liveMigrationConfig",
            [],
            id="v1",
        ),
        pytest.param(
            create(HYPERCONVERGED, hyperconverged(patch=PATCH_ON)),
            ["allowPostCopy"],
            "/spec/liveMigrationConfig",
            ["/spec/liveMigrationConfig"],
            id="annotation alone",
        ),
        pytest.param(
            create(KUBEVIRT, kubevirt({"disableTLS": False, "network": None})),
            ["disableTLS"],
            "/spec/configuration/migrations",
            [],
            id="KubeVirt CR",
        ),
        pytest.param(
            create(KUBEVIRT, kubevirt()),
            [],
            "/spec/configuration/migrations",
            ["/spec/configuration/migrations"],
            id="KubeVirt CR, empty",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors={}, maxDowntimeMs=5)),
            ["maxDowntimeMs"],
            "/spec",
            [],
            id="MigrationPolicy",
        ),
        pytest.param(
            delete(HYPERCONVERGED, hyperconverged(ON)),
            [],
            "/spec/liveMigrationConfig",
            ["/spec", "/spec/liveMigrationConfig"],
            id="deleted",
        ),
        pytest.param(create(PVC, pvc()), [], "", [], id="another kind"),
    ],
)
def test_where_an_object_sets_what(asked: AdmissionRequest, sets: list[str], path: str, missing: list[str]) -> None:
    found = context(asked)
    assert (ask("sets", found), ask("path", found), ask("missing", found)) == (sets, path, missing)


@pytest.mark.parametrize(
    ("asked", "error"),
    [
        pytest.param(
            create(HYPERCONVERGED, hyperconverged(patch="{")),
            "annotation kubevirt.kubevirt.io/jsonpatch: ",
            id="annotation",
        ),
        pytest.param(
            create(HYPERCONVERGED, hyperconverged({"bandwidthPerMigration": "fast"})),
            "spec.liveMigrationConfig.bandwidthPerMigration is not a quantity",
            id="quantity",
        ),
        pytest.param(
            create(KUBEVIRT, kubevirt({"allowPostCopy": "yes"})),
            "spec.configuration.migrations.allowPostCopy is not a boolean",
            id="type",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors={}, completionTimeoutPerGiB=2**70)),
            "spec.completionTimeoutPerGiB is not a whole number",
            id="range",
        ),
    ],
)
def test_what_cannot_be_told_is_an_error(asked: AdmissionRequest, error: str) -> None:
    assert ask("error", context(asked)).startswith(error)


def test_a_write_that_hyperconverged_cannot_render_changes_nothing() -> None:
    asked = update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON, patch="["))
    assert ask("changed", context(asked)) == []


def test_before_a_repair_of_the_annotation_the_cluster_says_what_is_in_force() -> None:
    asked = update(HYPERCONVERGED, hyperconverged(OFF, patch="["), hyperconverged(OFF))
    found = context(asked, kubevirt(ON, namespace="openshift-cnv"))
    assert (ask("before.allowPostCopy", found), ask("after.allowPostCopy", found)) == (True, False)


@pytest.mark.parametrize("watched", [HYPERCONVERGED, KUBEVIRT], ids=["HyperConverged", "KubeVirt"])
def test_a_status_update_changes_no_configuration(watched: Any) -> None:
    old, new = (hyperconverged(OFF), hyperconverged(ON)) if watched is HYPERCONVERGED else (kubevirt(OFF), kubevirt(ON))
    found = context(request(watched, Operation.UPDATE, old=old, new=new, subresource="status"))
    assert (ask("applies", found), ask("changed", found)) == (False, [])


def test_an_unrelated_update_of_an_unsafe_object_changes_nothing() -> None:
    annotated = {**hyperconverged(ON), "metadata": {**hyperconverged(ON)["metadata"], "labels": {"x": "y"}}}
    assert ask("changed", context(update(HYPERCONVERGED, hyperconverged(ON), annotated))) == []


def test_for_another_kind_before_and_after_are_what_is_in_force() -> None:
    found = context(create(PVC, pvc()), kubevirt(ON))
    assert (ask("applies", found), ask("after.allowPostCopy", found), ask("changed", found)) == (False, True, [])
