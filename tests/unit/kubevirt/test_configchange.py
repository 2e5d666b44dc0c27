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


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(create(KUBEVIRT, kubevirt({"parallelMigrationsPerCluster": -1})), id="KubeVirt CR"),
        pytest.param(create(HYPERCONVERGED, hyperconverged({"parallelMigrationsPerCluster": -1})), id="HyperConverged"),
    ],
)
def test_a_number_that_go_cannot_decode_is_an_error(asked: AdmissionRequest) -> None:
    found = ask("error", context(asked))
    assert found.endswith(".parallelMigrationsPerCluster is not a whole number from 0 to 4294967295")


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


def released(found: dict[str, Any], release: str) -> dict[str, Any]:
    return {**found, "status": {"versions": [{"name": "operator", "version": release}]}}


@pytest.mark.parametrize(
    ("asked", "cached", "timeout"),
    [
        pytest.param(
            update(HYPERCONVERGED, released(hyperconverged({}), "1.20.0"), hyperconverged(OFF)),
            [],
            20,
            id="the old object tells the release",
        ),
        pytest.param(
            update(HYPERCONVERGED, released(hyperconverged({}), "1.20.0"), released(hyperconverged({}), "1.13.0")),
            [],
            20,
            id="what the new object says of it is not believed",
        ),
        pytest.param(
            create(HYPERCONVERGED, released(hyperconverged({}), "1.13.0")),
            [],
            150,
            id="nor is it where the object is created",
        ),
        pytest.param(
            create(HYPERCONVERGED, hyperconverged({})),
            [{**kubevirt({}), "status": {"observedKubeVirtVersion": "v1.9.0"}}],
            20,
            id="the KubeVirt CR tells the release",
        ),
        pytest.param(
            create(HYPERCONVERGED, hyperconverged({"completionTimeoutPerGiB": 30})), [], 30, id="a value that is given"
        ),
    ],
)
def test_where_a_hyperconverged_leaves_out_a_field_its_releases_default_counts(
    asked: AdmissionRequest, cached: list[dict[str, Any]], timeout: int
) -> None:
    assert ask("after.completionTimeoutPerGiB", context(asked, *cached)) == timeout


def test_what_is_at_its_default_is_not_set_by_the_object() -> None:
    found = context(create(HYPERCONVERGED, hyperconverged({"network": "lan"})))
    assert ask("sets", found) == ["network"]
    assert ask("sources", found)["progressTimeout"] == "HyperConverged default"


def patches(*names: str) -> dict[str, Any]:
    listed = [{"resourceType": "Deployment", "resourceName": name, "type": "json", "patch": "[]"} for name in names]
    return {"patches": listed}


def customizing(*names: str) -> str:
    return json.dumps([{"op": "add", "path": "/spec/customizeComponents", "value": patches(*names)}])


@pytest.mark.parametrize(
    ("asked", "components"),
    [
        pytest.param(create(KUBEVIRT, kubevirt(customizeComponents=patches("a"))), ["Deployment a"], id="KubeVirt CR"),
        pytest.param(
            update(
                KUBEVIRT,
                kubevirt(customizeComponents=patches("a")),
                kubevirt(customizeComponents=patches("a", "b")),
                version="v1alpha3",
            ),
            ["Deployment b"],
            id="KubeVirt CR, old version, one more",
        ),
        pytest.param(
            delete(KUBEVIRT, kubevirt(customizeComponents=patches("a"))), [], id="a KubeVirt CR that is deleted"
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged({}), hyperconverged({}, patch=customizing("a"))),
            ["Deployment a"],
            id="annotation",
        ),
        pytest.param(
            update(
                HYPERCONVERGED,
                hyperconverged({}, version="v1"),
                hyperconverged({}, version="v1", patch=customizing("a")),
                version="v1",
            ),
            ["Deployment a"],
            id="annotation of v1",
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged({}, patch=customizing("a")), hyperconverged(patch=customizing("a"))),
            [],
            id="annotation that stays",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors={}, customizeComponents=patches("a"))),
            [],
            id="MigrationPolicy has no such field",
        ),
        pytest.param(create(PVC, pvc()), [], id="another kind"),
    ],
)
def test_components_that_a_write_customizes(asked: AdmissionRequest, components: list[str]) -> None:
    found = context(asked)
    assert (ask("components", found), ask("componentCount", found)) == (components, len(components))


def test_of_many_components_the_first_are_named() -> None:
    names = [f"d{number:02}" for number in range(12)]
    found = context(create(KUBEVIRT, kubevirt(customizeComponents=patches(*names))))
    assert ask("components", found) == [f"Deployment {name}" for name in names[:10]]
    assert ask("componentCount", found) == 12


STORED = hyperconverged({"allowPostCopy": True, "progressTimeout": 150})
BEFORE = kubevirt({"progressTimeout": 150}, namespace="openshift-cnv")


@pytest.mark.parametrize(
    ("written", "objects", "rendered"),
    [
        pytest.param({"progressTimeout": 150, "allowPostCopy": True}, [STORED], True, id="what-hyperconverged-says"),
        pytest.param({"progressTimeout": 150, "disableTLS": True}, [STORED], False, id="what-it-does-not-say"),
        pytest.param({"progressTimeout": 300, "allowPostCopy": True}, [STORED], False, id="something-else-besides"),
        pytest.param({"progressTimeout": 150}, [STORED], True, id="nothing-changed"),
        pytest.param({"progressTimeout": 150, "allowPostCopy": True}, [], False, id="no-hyperconverged"),
        pytest.param(
            {"progressTimeout": 150, "allowPostCopy": True},
            [hyperconverged({"allowPostCopy": True}, namespace="other")],
            False,
            id="that-of-another-namespace",
        ),
        pytest.param(
            {"progressTimeout": 150, "allowPostCopy": True},
            [hyperconverged({"allowPostCopy": True}, patch="{")],
            False,
            id="one-that-cannot-be-rendered",
        ),
    ],
)
def test_whether_the_kubevirt_cr_gets_what_the_stored_hyperconverged_renders(
    written: dict[str, Any], objects: list[dict[str, Any]], rendered: bool
) -> None:
    asked = update(KUBEVIRT, BEFORE, kubevirt(written, namespace="openshift-cnv"))
    assert FACTS["config.rendered"].resolve(context(asked, BEFORE, *objects)) is rendered
