"""What was frozen at hand-off.

Source: KubeVirt pkg/virt-controller/watch/migration/migration.go, pkg/virt-handler/migration-source.go,
pkg/virt-handler/migration-proxy, pkg/synchronization-controller.
"""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import context, create, delete, kubevirt, migration_policy, request, update, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import VMI, VMIM
from webhook.model.facts import FactContext
from webhook.model.request import Operation

UID = "11111111-2222-3333-4444-555555555555"
OTHER = "99999999-2222-3333-4444-555555555555"
FROZEN: dict[str, Any] = {
    "allowPostCopy": True,
    "allowWorkloadDisruption": True,
    "allowAutoConverge": False,
    "bandwidthPerMigration": "64Mi",
    "completionTimeoutPerGiB": 60,
    "progressTimeout": 90,
    "unsafeMigrationOverride": False,
    "disableTLS": False,
    "network": "old-network",
    "parallelMigrationsPerCluster": 3,
}
LIVE = kubevirt({"allowPostCopy": False, "disableTLS": True, "network": "new-network", "progressTimeout": 200})
EVERYONE: dict[str, Any] = {"virtualMachineInstanceSelector": {}}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"migration.{name}"].resolve(found)


def running(phase: str = "Running", uid: str = UID, **spec: Any) -> dict[str, Any]:
    """A VMIM in this phase."""
    made = vmim(phase=phase)
    made["spec"] |= spec
    if uid:
        made["metadata"]["uid"] = uid
    return made


def migrating(**state: Any) -> dict[str, Any]:
    """A VMI with this migrationState."""
    return vmi(status={"migrationState": {"migrationUid": UID, "migrationConfiguration": FROZEN, **state}})


def cancel(phase: str = "Running", uid: str = UID, **spec: Any) -> Any:
    return delete(VMIM, running(phase, uid, **spec))


@pytest.mark.parametrize("phase", ["PreparingTarget", "TargetReady", "Running"])
def test_a_migration_that_was_handed_over_has_what_was_frozen_then(phase: str) -> None:
    found = context(cancel(phase), migrating(), LIVE)
    assert ask("frozen", found) is True
    assert (ask("allowPostCopy", found), ask("completionTimeoutPerGiB", found)) == (True, 60)
    assert ask("bandwidthPerMigration", found) == 64 * 2**20
    assert ask("sources", found)["allowPostCopy"] == "frozen at hand-off"


@pytest.mark.parametrize("phase", ["", "Pending", "Scheduling", "Scheduled", "WaitingForSync", "Synchronizing"])
def test_one_that_was_not_gets_what_is_in_force_when_it_will_be(phase: str) -> None:
    found = context(cancel(phase), migrating(), LIVE)
    assert (ask("frozen", found), ask("allowPostCopy", found), ask("progressTimeout", found)) == (False, False, 200)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        pytest.param("disableTLS", True, id="migration-proxy-reads-disableTLS-live"),
        pytest.param("network", "new-network", id="virt-operator-config-hands-the-network-to-virt-handler"),
        pytest.param("parallelMigrationsPerCluster", 5, id="virt-controller-reads-its-limits-live"),
        pytest.param("nodeDrainTaintKey", "kubevirt.io/drain", id="evacuation-reads-the-taint-key-live"),
        pytest.param("progressTimeout", 90, id="migrateVMI-progressTimeout-is-frozen"),
        pytest.param("unsafeMigrationOverride", False, id="migrateVMI-unsafeMigration-is-frozen"),
        pytest.param("maxDowntimeMs", 900, id="migrateVMI-maxDowntimeMs-absent-is-900"),
        pytest.param("experimental", {}, id="migrateVMI-experimental-absent"),
    ],
)
def test_what_is_frozen_and_what_is_read_live(name: str, value: Any) -> None:
    assert ask(name, context(cancel(), migrating(), LIVE)) == value


@pytest.mark.parametrize(
    ("frozen", "disruption"),
    [
        pytest.param({"allowPostCopy": True}, True, id="migrateVMI-absent-follows-post-copy"),
        pytest.param(
            {"allowPostCopy": True, "allowWorkloadDisruption": None}, True, id="migrateVMI-nil-follows-post-copy"
        ),
        pytest.param({"allowPostCopy": True, "allowWorkloadDisruption": False}, False, id="explicitly-false"),
    ],
)
def test_disruption_in_the_frozen_settings(frozen: dict[str, Any], disruption: bool) -> None:
    found = context(cancel(), migrating(migrationConfiguration=frozen))
    assert ask("allowWorkloadDisruption", found) is disruption


def test_the_policy_that_was_frozen_is_named_and_not_one_that_would_match_now() -> None:
    now = migration_policy("new", selectors=EVERYONE, allowPostCopy=False)
    found = context(cancel(), migrating(migrationPolicyName="old"), now)
    assert (ask("policy", found), ask("allowPostCopy", found)) == ("old", True)
    assert ask("sources", found)["allowPostCopy"] == "frozen at hand-off (MigrationPolicy old)"
    assert ask("sources", found)["disableTLS"] == "KubeVirt default"


@pytest.mark.parametrize("written", [None, {}, [], "on"], ids=["absent", "empty", "list", "text"])
def test_without_a_frozen_copy_virt_handler_reads_the_cluster_whatever_policies_say(written: Any) -> None:
    now = migration_policy("new", selectors=EVERYONE, allowPostCopy=True)
    found = context(cancel(), migrating(migrationConfiguration=written), LIVE, now)
    assert (ask("frozen", found), ask("policy", found), ask("allowPostCopy", found)) == (False, "", False)


@pytest.mark.parametrize(
    ("uid", "state", "frozen"),
    [
        pytest.param(UID, {"migrationUid": UID}, True, id="same-uid"),
        pytest.param(UID, {"migrationUid": OTHER}, False, id="an-earlier-migration"),
        pytest.param(UID, {"migrationUid": OTHER, "completed": True}, False, id="an-earlier-migration-that-ended"),
        pytest.param(UID, {"migrationUid": UID, "completed": True}, True, id="same-uid-just-ended"),
        pytest.param("", {"migrationUid": OTHER}, True, id="uid-not-known-and-not-ended"),
        pytest.param(UID, {"migrationUid": ""}, True, id="decentralized-source-without-uid"),
        pytest.param("", {"completed": True}, False, id="uid-not-known-completed"),
        pytest.param("", {"failed": True}, False, id="uid-not-known-failed"),
        pytest.param("", {"endTimestamp": "2026-03-01T00:00:00Z"}, False, id="uid-not-known-ended"),
        pytest.param(UID, {"migrationUid": 5}, True, id="uid-of-another-type"),
    ],
)
def test_the_state_of_an_earlier_migration_is_not_that_of_the_running_one(
    uid: str, state: dict[str, Any], frozen: bool
) -> None:
    assert ask("frozen", context(cancel(uid=uid), migrating(**state))) is frozen


def test_creating_a_migration_asks_for_the_settings_to_come() -> None:
    found = context(create(VMIM, running("")), migrating(), LIVE)
    assert (ask("frozen", found), ask("allowPostCopy", found), ask("mode", found)) == (False, False, "")


def test_a_status_that_somebody_wrote_into_the_new_object_is_not_believed() -> None:
    found = context(update(VMIM, running("Pending"), running("Running")), migrating(), LIVE)
    assert ask("frozen", found) is False


def test_a_status_update_is_about_the_migration_too() -> None:
    asked = request(VMIM, Operation.UPDATE, old=running("TargetReady"), new=running("Running"), subresource="status")
    assert ask("frozen", context(asked, migrating())) is True


@pytest.mark.parametrize(
    ("vmims", "frozen"),
    [
        pytest.param([running("Running")], True, id="one-that-runs"),
        pytest.param(
            [{**running("Failed", OTHER), "metadata": {"name": "a", "namespace": "prod", "uid": OTHER}}, running()],
            True,
            id="and-an-earlier-one",
        ),
        pytest.param([running("Pending")], False, id="one-that-waits"),
        pytest.param([running("Succeeded")], False, id="one-that-ended"),
        pytest.param([], False, id="none"),
    ],
)
def test_a_request_about_a_vmi_is_about_its_running_migration(vmims: list[Any], frozen: bool) -> None:
    asked = update(VMI, vmi(), vmi(labels={"x": "y"}))
    assert ask("frozen", context(asked, migrating(), *vmims)) is frozen


@pytest.mark.parametrize(
    ("state", "mode"),
    [
        pytest.param({"mode": "PostCopy"}, "PostCopy", id="post-copy"),
        pytest.param({"mode": "PreCopy"}, "PreCopy", id="pre-copy"),
        pytest.param({"mode": "Paused"}, "Paused", id="paused"),
        pytest.param({}, "", id="nothing-copied-yet"),
        pytest.param({"mode": "Sideways"}, "", id="unknown"),
        pytest.param({"mode": "PostCopy", "migrationUid": OTHER}, "", id="of-an-earlier-migration"),
    ],
)
def test_how_far_the_running_migration_is(state: dict[str, Any], mode: str) -> None:
    assert ask("mode", context(cancel(), migrating(**state))) == mode


def test_the_vmi_may_be_gone() -> None:
    found = context(cancel(), LIVE)
    assert (ask("frozen", found), ask("mode", found), ask("disableTLS", found)) == (False, "", True)


SEND: dict[str, Any] = {"sendTo": {"migrationID": "m", "connectURL": "10.0.0.1:9185"}}
RECEIVE: dict[str, Any] = {"receive": {"migrationID": "m"}}


@pytest.mark.parametrize(
    ("spec", "decentralized"),
    [
        pytest.param(SEND, True, id="isdecentralized-source"),
        pytest.param(RECEIVE, True, id="isdecentralized-target"),
        pytest.param({**SEND, **RECEIVE}, False, id="isdecentralized-both-ends-is-a-local-one"),
        pytest.param({}, False, id="isdecentralized-local"),
        pytest.param({"sendTo": None}, False, id="isdecentralized-null-is-unset"),
    ],
)
def test_a_migration_to_or_from_elsewhere(spec: dict[str, Any], decentralized: bool) -> None:
    assert ask("decentralized", context(create(VMIM, running("", **spec)), vmi())) is decentralized


def receiving(**status: Any) -> dict[str, Any]:
    """A VMI made to receive a VM: it runs nowhere yet."""
    made = vmi(phase="WaitingForSync", node="", status=status)
    made["metadata"]["annotations"] = {"kubevirt.io/create-migration-target": "true"}
    return made


def test_a_receiving_vmi_has_the_settings_that_came_with_it() -> None:
    """Source: KubeVirt pkg/synchronization-controller (copyCommonLegacyFields)."""
    state = {"migrationUid": UID, "migrationConfiguration": FROZEN, "migrationPolicyName": "theirs"}
    found = context(cancel("TargetReady", **RECEIVE), receiving(migrationState=state), LIVE)
    assert (ask("frozen", found), ask("policy", found), ask("allowPostCopy", found)) == (True, "theirs", True)


def test_before_hand_off_a_receiving_vmi_has_no_node_that_a_policy_could_select_on() -> None:
    node = {"virtualMachineInstanceSelector": {"kubevirt.io/nodeName": ""}}
    asked = update(VMI, receiving(), receiving())
    found = context(asked, receiving(), migration_policy("nowhere", selectors=node, allowPostCopy=True))
    assert (ask("decentralized", found), ask("policy", found), ask("allowPostCopy", found)) == (True, "", False)


def test_before_hand_off_a_receiving_vmi_without_labels_is_not_caught_by_a_narrow_policy() -> None:
    narrow = {"virtualMachineInstanceSelector": {"app": "web"}}
    found = context(cancel("WaitingForSync", **RECEIVE), receiving(), migration_policy("narrow", selectors=narrow))
    assert ask("policy", found) == ""
