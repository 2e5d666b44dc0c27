"""The migration configuration, field by field. Source: KubeVirt api/core/v1/types.go, pkg/virt-config."""

from __future__ import annotations

from typing import Any

import pytest

from webhook.kubevirt.migrationfields import BY_NAME, FIELDS, MigrationField, fields_set


@pytest.mark.parametrize(
    ("name", "written", "meaning"),
    [
        pytest.param("allowPostCopy", True, True, id="boolean"),
        pytest.param("allowPostCopy", "true", None, id="string for a boolean"),
        pytest.param("allowPostCopy", 1, None, id="number for a boolean"),
        pytest.param("progressTimeout", 7, 7, id="whole number"),
        pytest.param("progressTimeout", True, None, id="boolean for a number"),
        pytest.param("progressTimeout", 7.0, None, id="fraction for a whole number"),
        pytest.param("progressTimeout", 2**63, None, id="beyond int64"),
        pytest.param("progressTimeout", -1, -1, id="int64 may be negative"),
        pytest.param("parallelMigrationsPerCluster", -1, None, id="uint32 may not"),
        pytest.param("parallelMigrationsPerCluster", 2**32 - 1, 2**32 - 1, id="largest uint32"),
        pytest.param("parallelOutboundMigrationsPerNode", 2**32, None, id="beyond uint32"),
        pytest.param("maxDowntimeMs", -1, None, id="uint64 may not be negative"),
        pytest.param("bandwidthPerMigration", "64Mi", 64 * 2**20, id="quantity"),
        pytest.param("bandwidthPerMigration", 1000, 1000, id="number as a quantity"),
        pytest.param("bandwidthPerMigration", "fast", None, id="no quantity"),
        pytest.param("network", "lan", "lan", id="string"),
        pytest.param("network", ["lan"], None, id="list for a string"),
        pytest.param("experimental", {"compression": "on"}, {"compression": "on"}, id="map"),
        pytest.param("experimental", "on", None, id="string for a map"),
        pytest.param("allowPostCopy", None, None, id="null"),
    ],
)
def test_a_written_value_means_something_or_nothing(name: str, written: Any, meaning: Any) -> None:
    found = BY_NAME[name].read(written)
    assert found == meaning
    assert type(found) is type(meaning)


@pytest.mark.parametrize("field", FIELDS, ids=lambda field: field.name)
def test_a_default_is_of_the_fields_own_form(field: MigrationField) -> None:
    assert field.read(field.default) == field.default
    assert field.cel_type in {"bool", "int", "string", "map(dyn)"}


def test_hyperconverged_has_its_nine_fields_and_a_policy_its_seven() -> None:
    """Source: HyperConverged api/v1/hyperconverged_types.go; KubeVirt api/migrations/v1alpha1/types.go."""
    assert {field.name for field in FIELDS if field.in_hyperconverged} == {
        "parallelMigrationsPerCluster",
        "parallelOutboundMigrationsPerNode",
        "bandwidthPerMigration",
        "completionTimeoutPerGiB",
        "progressTimeout",
        "network",
        "allowAutoConverge",
        "allowPostCopy",
        "allowWorkloadDisruption",
    }
    assert {field.name for field in FIELDS if field.in_policy} == {
        "allowAutoConverge",
        "bandwidthPerMigration",
        "completionTimeoutPerGiB",
        "maxDowntimeMs",
        "allowPostCopy",
        "allowWorkloadDisruption",
        "experimental",
    }


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("parallelMigrationsPerCluster", "a whole number from 0 to 4294967295"),
        ("progressTimeout", "a whole number"),
        ("allowPostCopy", "a boolean"),
    ],
)
def test_a_message_can_say_what_a_value_must_be(name: str, expected: str) -> None:
    assert BY_NAME[name].expected == expected


def test_what_virt_handler_reads_of_the_copy_made_at_hand_off() -> None:
    """Source: KubeVirt pkg/virt-handler/migration-source.go (migrateVMI)."""
    assert {field.name for field in FIELDS if field.at_handoff} == {
        "bandwidthPerMigration",
        "progressTimeout",
        "completionTimeoutPerGiB",
        "maxDowntimeMs",
        "unsafeMigrationOverride",
        "allowAutoConverge",
        "allowPostCopy",
        "allowWorkloadDisruption",
        "experimental",
    }


def test_only_fields_of_that_kind_of_object_are_set() -> None:
    written = {"allowPostCopy": True, "disableTLS": True, "experimental": {}, "network": None, "unheardOf": 1}
    assert [field.name for field, _ in fields_set(written)] == ["allowPostCopy", "disableTLS"]
    assert [field.name for field, _ in fields_set(written, in_policy=True)] == ["allowPostCopy", "experimental"]
