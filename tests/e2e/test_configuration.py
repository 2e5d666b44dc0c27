"""Edits of the cluster's migration configuration: what they would do to running critical VMs, and safe defaults."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.e2e.objects import CRITICAL, HCO_NAME, SAFE, migration_policy
from tests.e2e.scene import Configuration, allowed, refused
from tests.support.kubectl import Answer
from tests.support.process import until

POST_COPY = {"allowPostCopy": True}
HCO_VERSIONS = ["v1beta1", "v1"]
KUBEVIRT_VERSIONS = ["v1", "v1alpha3"]
MIGRATIONS = "/spec/configuration/migrations"

Edit = Callable[..., Answer]
"""An edit by a cluster admin, called with the Configuration and kubectl's further flags."""


def _annotate(*operations: dict[str, Any]) -> Edit:
    return lambda configuration, *flags: configuration.annotate_hco(list(operations), *flags)


def _hco(settings: dict[str, Any], version: str = "v1beta1") -> Edit:
    return lambda configuration, *flags: configuration.patch_hco(settings, *flags, version=version)


def _kubevirt(settings: dict[str, Any], version: str = "v1") -> Edit:
    return lambda configuration, *flags: configuration.patch_kubevirt(settings, *flags, version=version)


def _migration_policy(configuration: Configuration, *flags: str) -> Answer:
    name = configuration.scene.namespace
    return configuration.admin.create(migration_policy(f"fast-{name}", {"team": name}, **POST_COPY), *flags)


def _migration_policy_selecting(selectors: dict[str, Any]) -> Edit:
    policy = migration_policy("fast", {}, **POST_COPY)
    policy["spec"]["selectors"] = selectors
    return lambda configuration, *flags: configuration.admin.create(policy, *flags)


EXPOSING: dict[str, Edit] = {
    "hco-v1beta1": _hco(POST_COPY),
    "hco-v1": _hco(POST_COPY, "v1"),
    "annotation": _annotate({"op": "add", "path": f"{MIGRATIONS}/allowPostCopy", "value": True}),
    "annotation-of-the-whole-map": _annotate({"op": "replace", "path": MIGRATIONS, "value": {"ALLOWPOSTCOPY": True}}),
    "kubevirt-v1": _kubevirt(POST_COPY),
    "kubevirt-v1alpha3": _kubevirt(POST_COPY, "v1alpha3"),
    "migration-policy": _migration_policy,
    "migration-policy-for-everything": _migration_policy_selecting({}),
    "migration-policy-by-a-label-of-the-system": _migration_policy_selecting(
        {"virtualMachineInstanceSelector": {"kubevirt.io/nodeName": "node-a"}}
    ),
}


@pytest.mark.parametrize("edit", EXPOSING.values(), ids=EXPOSING.keys())
def test_an_edit_that_puts_a_running_critical_vm_under_post_copy_is_refused_naming_it(
    configuration: Configuration, edit: Edit
) -> None:
    scene = configuration.scene
    allowed(edit(configuration, "--dry-run=server"))
    scene.vm("ledger", labels=CRITICAL)
    _wait_until_refused(configuration, edit)
    message = refused(edit(configuration))
    assert "post-copy-exposure" in message
    assert f"{scene.namespace}/ledger" in message
    assert configuration.stored_hco()["allowPostCopy"] is False
    assert configuration.stored_kubevirt()["allowPostCopy"] is False
    assert scene.admin.must("get", "migrationpolicies", "-o", "name") == ""


@pytest.fixture
def guarded(configuration: Configuration) -> str:
    """A running critical VM that only a MigrationPolicy protects from post-copy; the policy's name."""
    scene = configuration.scene
    guard = f"guard-{scene.namespace}"
    allowed(scene.admin.create(migration_policy(guard, {"team": scene.namespace}, allowPostCopy=False)))
    allowed(configuration.patch_hco(POST_COPY))
    configuration.render(SAFE | POST_COPY)
    scene.vm("ledger", labels=CRITICAL)
    return guard


def test_deleting_the_migration_policy_that_protects_a_critical_vm_is_refused(
    configuration: Configuration, guarded: str
) -> None:
    scene = configuration.scene
    delete = ("delete", "migrationpolicy", guarded)
    scene.wait_until_refused(scene.admin, *delete)
    assert f"{scene.namespace}/ledger" in refused(scene.admin(*delete))
    collection = "/apis/migrations.kubevirt.io/v1alpha1/migrationpolicies"
    assert not scene.admin("delete", "--raw", collection).ok
    assert scene.exists("migrationpolicy", guarded)
    scene.admin.must("delete", "virtualmachineinstances.kubevirt.io", "ledger")
    allowed(scene.admin(*delete))


def test_a_more_specific_migration_policy_that_says_nothing_takes_the_protection_away(
    configuration: Configuration, guarded: str
) -> None:
    scene = configuration.scene
    silent = migration_policy("silent", {"team": scene.namespace}, bandwidthPerMigration="1Mi")
    silent["spec"]["selectors"]["virtualMachineInstanceSelector"] = CRITICAL
    scene.wait_until_refused(scene.admin, "create", "-f", "-", manifest=silent)
    message = refused(scene.admin.create(silent))
    assert f"{scene.namespace}/ledger" in message
    assert "HyperConverged" in message


@pytest.mark.parametrize("text", ["{", '{"op":"add"}', '[{"op":"add","path":"/metadata/name","value":"x"}]'])
def test_a_jsonpatch_annotation_that_hco_cannot_apply_is_refused(configuration: Configuration, text: str) -> None:
    annotate = ("annotate", "hyperconvergeds.v1beta1.hco.kubevirt.io", HCO_NAME)
    message = refused(configuration.admin(*annotate, f"kubevirt.kubevirt.io/jsonpatch={text}"))
    assert "kubevirt.kubevirt.io/jsonpatch" in message


def test_an_unrelated_edit_passes_while_an_unsafe_setting_is_already_there(configuration: Configuration) -> None:
    allowed(configuration.patch_hco(POST_COPY))
    configuration.render(SAFE | POST_COPY)
    configuration.scene.vm("ledger", labels=CRITICAL)
    allowed(configuration.patch_hco({"progressTimeout": 200}))
    assert configuration.stored_hco()["progressTimeout"] == 200


@pytest.mark.parametrize("version", HCO_VERSIONS)
def test_a_missing_bandwidth_limit_is_filled_in_with_a_warning(configuration: Configuration, version: str) -> None:
    answer = configuration.patch_hco({"bandwidthPerMigration": None}, version=version)
    allowed(answer)
    limit = configuration.stored_hco(version)["bandwidthPerMigration"]
    assert any("bandwidthPerMigration" in warning and limit in warning for warning in answer.warnings), answer.stderr
    for other in HCO_VERSIONS:
        assert configuration.stored_hco(other)["bandwidthPerMigration"] == limit


def test_a_bandwidth_limit_that_is_there_is_left_alone(configuration: Configuration) -> None:
    answer = configuration.patch_hco({"bandwidthPerMigration": "128Mi"})
    assert allowed(answer)
    assert configuration.stored_hco()["bandwidthPerMigration"] == "128Mi"
    assert not any("bandwidth" in warning for warning in answer.warnings)


def test_one_migration_per_node_needs_no_bandwidth_limit(configuration: Configuration) -> None:
    allowed(configuration.patch_hco({"bandwidthPerMigration": None, "parallelOutboundMigrationsPerNode": 1}))
    assert "bandwidthPerMigration" not in configuration.stored_hco()


@pytest.mark.parametrize("field", ["parallelMigrationsPerCluster", "parallelOutboundMigrationsPerNode"])
@pytest.mark.parametrize(
    "edit",
    [
        pytest.param(lambda field: _hco({field: 500}), id="hco-v1beta1"),
        pytest.param(lambda field: _hco({field: 500}, "v1"), id="hco-v1"),
        pytest.param(lambda field: _kubevirt({field: 500}), id="kubevirt"),
        pytest.param(
            lambda field: _annotate({"op": "add", "path": f"{MIGRATIONS}/{field}", "value": 500}), id="annotation"
        ),
    ],
)
def test_parallelism_above_the_ceiling_is_refused(
    configuration: Configuration, edit: Callable[[str], Edit], field: str
) -> None:
    message = refused(edit(field)(configuration))
    assert "parallelism-ceiling" in message
    assert field in message
    assert "500" in message


DISABLING_TLS: dict[str, Edit] = {
    "kubevirt-v1": _kubevirt({"disableTLS": True}),
    "kubevirt-v1alpha3": _kubevirt({"disableTLS": True}, "v1alpha3"),
    "annotation": _annotate({"op": "add", "path": f"{MIGRATIONS}/disableTLS", "value": True}),
}


@pytest.mark.parametrize("edit", DISABLING_TLS.values(), ids=DISABLING_TLS.keys())
def test_disabling_the_encryption_of_migrations_is_refused(configuration: Configuration, edit: Edit) -> None:
    message = refused(edit(configuration))
    assert "migration-tls" in message
    assert "disableTLS" in message


@pytest.mark.parametrize("version", HCO_VERSIONS)
def test_a_missing_migration_network_is_warned_about(configuration: Configuration, version: str) -> None:
    answer = configuration.patch_hco({"network": None}, version=version)
    allowed(answer)
    assert any("migration-network" in warning for warning in answer.warnings), answer.stderr
    assert "network" not in configuration.stored_hco()


def test_several_objections_come_in_one_answer(configuration: Configuration) -> None:
    message = refused(configuration.patch_kubevirt({"disableTLS": True, "parallelMigrationsPerCluster": 500}))
    assert "migration-tls" in message
    assert "parallelism-ceiling" in message


def test_a_dry_run_warns_and_changes_nothing(configuration: Configuration) -> None:
    answer = configuration.patch_hco({"bandwidthPerMigration": None}, "--dry-run=server")
    assert any("bandwidthPerMigration" in warning for warning in answer.warnings)
    assert configuration.stored_hco()["bandwidthPerMigration"] == SAFE["bandwidthPerMigration"]


def _wait_until_refused(configuration: Configuration, edit: Edit) -> None:
    until(
        lambda: "denied the request" in edit(configuration, "--dry-run=server").stderr,
        seconds=15,
        what="migguard has seen the critical VM",
    )
