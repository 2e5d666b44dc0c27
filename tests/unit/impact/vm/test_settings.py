"""The settings that a VM would be migrated with, and why this MigrationPolicy and no other."""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.builders import Json
from webhook.impact.vm.settings import VMSettings, settings_of, shown_setting
from webhook.kubevirt.migrationfields import BY_NAME
from webhook.kubevirt.resources import VMIM

RUNNING = builders.vmi(labels={"speed": "fast", "tier": "gold"})
AROUND = builders.namespace(labels={"team": "a"})


def settings(*objects: Json) -> VMSettings:
    asked = builders.create(VMIM, builders.vmim())
    return settings_of(builders.context(asked, *objects))


def selecting(name: str, vmi: Json | None = None, around: Json | None = None, **spec: object) -> Json:
    selectors = {"virtualMachineInstanceSelector": vmi or {}, "namespaceSelector": around or {}}
    return builders.migration_policy(name, selectors=selectors, **spec)


def why(found: VMSettings) -> dict[str, str]:
    return {one.name: one.why for one in found.contenders}


def source(found: VMSettings, field: str) -> tuple[str, str]:
    return next((row.shown, row.source) for row in found.rows if row.field.name == field)


def test_every_field_is_there_with_what_set_it():
    found = settings(
        RUNNING,
        AROUND,
        builders.kubevirt({"progressTimeout": 99}),
        selecting("gold", {"tier": "gold"}, bandwidthPerMigration="64Mi"),
    )
    assert len(found.rows) == len(BY_NAME)
    assert source(found, "maxDowntimeMs") == ("900 ms", "KubeVirt default")
    assert source(found, "progressTimeout") == (
        "99 s",
        "KubeVirt kubevirt/kubevirt spec.configuration.migrations.progressTimeout",
    )
    assert source(found, "bandwidthPerMigration") == ("64Mi per second", "MigrationPolicy gold")


@pytest.mark.parametrize(
    ("policies", "told"),
    [
        pytest.param([], {}, id="none"),
        pytest.param(
            [selecting("a", {"speed": "fast"})], {"a": "selects it by label speed=fast of the VM"}, id="one-label"
        ),
        pytest.param(
            [selecting("a", {"speed": "fast"}, {"team": "a"})],
            {"a": "selects it by label speed=fast of the VM and label team=a of its namespace"},
            id="both-selectors",
        ),
        pytest.param([selecting("a")], {"a": "selects every VM"}, id="empty-selectors"),
        pytest.param(
            [builders.migration_policy("a")], {"a": "has no selectors, so it selects nothing"}, id="no-selectors"
        ),
        pytest.param(
            [selecting("a", {"speed": "slow", "x": "y"}, {"team": "b"})],
            {
                "a": "the VM has speed=fast, not slow; the VM has no label x (wanted: y); "
                "its namespace has team=a, not b"
            },
            id="labels-differ",
        ),
        pytest.param(
            [selecting("a", {"speed": "fast"}), selecting("b", {"speed": "fast", "tier": "gold"})],
            {
                "b": "selects it by label speed=fast, tier=gold of the VM",
                "a": "selects it too, but b by more labels (2 against 1)",
            },
            id="more-labels-win",
        ),
        pytest.param(
            [selecting("a", {}, {"team": "a"}), selecting("b", {"speed": "fast"})],
            {
                "b": "selects it by label speed=fast of the VM",
                "a": "selects it too, but b by more labels of the VM itself (1 against 0)",
            },
            id="labels-of-the-vm-win",
        ),
        pytest.param(
            [selecting("b", {"speed": "fast"}), selecting("a", {"tier": "gold"})],
            {
                "a": "selects it by label tier=gold of the VM",
                "b": "selects it by as many labels, but the name a comes first",
            },
            id="first-name-wins",
        ),
    ],
)
def test_it_is_said_which_policy_applies_and_why_no_other(policies, told):
    found = settings(RUNNING, AROUND, *policies)
    assert why(found) == told
    assert list(why(found)) == list(told)


def test_a_policy_for_a_target_node_may_yet_apply_and_its_dangers_count():
    policy = selecting("there", {"kubevirt.io/migrationTargetNodeName": "n2"}, allowPostCopy=True)
    found = settings(RUNNING, AROUND, policy)
    assert found.policy == ""
    assert source(found, "allowPostCopy") == ("true", "MigrationPolicy there")
    assert why(found)["there"] == (
        "would apply if kubevirt.io/migrationTargetNodeName were n2: the node that it migrates to, which is known only "
        "then; as it may be so, this is in force already: allowPostCopy, allowWorkloadDisruption"
    )


def test_a_stopped_vm_is_judged_by_the_labels_of_its_next_start():
    found = settings(
        builders.vm(template_labels={"speed": "fast"}), AROUND, selecting("a", {"speed": "fast"}, maxDowntimeMs=300)
    )
    assert found.policy == "a"
    assert found.note.startswith("the VM does not run")
    assert source(found, "maxDowntimeMs") == ("300 ms", "MigrationPolicy a")


def test_a_stopped_vm_without_labels_is_not_matched_by_what_wants_labels():
    """KubeVirt matches everything with a VMI that has no label at all; a VM that runs has that of its node."""
    assert settings(builders.vm(), AROUND, selecting("a", {"speed": "fast"})).policy == ""


@pytest.mark.parametrize(
    ("field", "value", "text"),
    [
        pytest.param("bandwidthPerMigration", 0, "unlimited", id="no-limit"),
        pytest.param("bandwidthPerMigration", 64 * 2**20, "64Mi per second", id="bytes"),
        pytest.param("network", "", "pod network", id="no-network"),
        pytest.param("completionTimeoutPerGiB", 150, "150 s per GiB", id="seconds"),
        pytest.param("allowPostCopy", True, "true", id="boolean"),
        pytest.param("experimental", {}, "none", id="no-options"),
        pytest.param("experimental", {"compression": "zstd"}, "compression=zstd", id="options"),
        pytest.param("parallelMigrationsPerCluster", 5, "5", id="number"),
    ],
)
def test_values_are_shown_as_people_read_them(field, value, text):
    assert shown_setting(BY_NAME[field], value) == text
