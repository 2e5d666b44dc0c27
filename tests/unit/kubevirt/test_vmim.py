"""How a migration stood and what of its metadata a write changes.

Source: domain.md §a; KubeVirt pkg/virt-controller/watch/migration/migration.go, api/core/v1/types.go.
"""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import Json, context, create, delete, request, update, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import VMI, VMIM
from webhook.kubevirt.vmim import changed_keys
from webhook.model.facts import FactContext
from webhook.model.request import Operation

FINALIZER = "kubevirt.io/migrationJobFinalize"
OVERRIDE = "kubevirt.io/func-test-migration-target-image-override"
EVACUATION = "kubevirt.io/evacuationMigration"
UPDATE = "kubevirt.io/workloadUpdateMigration"
VOLUMES = "kubevirt.io/volume-update-migration"
PENDING = "kubevirt.io/migrationPendingPodTimeoutSeconds"


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"vmim.{name}"].resolve(found)


def migration(phase: str = "", *, uid: str = "u-1", mode: str = "", **metadata: Any) -> Json:
    made = vmim("move")
    made["metadata"] |= {"uid": uid, **metadata}
    state = {"migrationState": {"mode": mode}} if mode else {}
    return {**made, "status": {"phase": phase, **state}}


def migrating(uid: str = "u-1", mode: str = "PreCopy", **state: Any) -> Json:
    return vmi("db", status={"migrationState": {"migrationUid": uid, "mode": mode, **state}})


@pytest.mark.parametrize(
    ("phase", "final", "handed_off"),
    [
        pytest.param("", False, False, id="types.go TargetIsHandedOff: unset"),
        pytest.param("Pending", False, False, id="types.go TargetIsHandedOff: Pending"),
        pytest.param("Scheduling", False, False, id="types.go TargetIsHandedOff: Scheduling"),
        pytest.param("Scheduled", False, False, id="types.go TargetIsHandedOff: Scheduled"),
        pytest.param("WaitingForSync", False, False, id="types.go TargetIsHandedOff: WaitingForSync"),
        pytest.param("Synchronizing", False, False, id="types.go TargetIsHandedOff: Synchronizing"),
        pytest.param("PreparingTarget", False, True, id="types.go TargetIsHandedOff: PreparingTarget"),
        pytest.param("TargetReady", False, True, id="types.go TargetIsHandedOff: TargetReady"),
        pytest.param("Running", False, True, id="types.go TargetIsHandedOff: Running"),
        pytest.param("Succeeded", True, True, id="types.go IsFinal: Succeeded"),
        pytest.param("Failed", True, True, id="types.go IsFinal: Failed"),
    ],
)
def test_how_far_a_migration_is(phase: str, final: bool, handed_off: bool) -> None:
    found = context(delete(VMIM, migration(phase)), vmi("db"))
    assert (ask("phase", found), ask("final", found), ask("handedOff", found)) == (phase, final, handed_off)


@pytest.mark.parametrize(
    ("known", "handed_off"),
    [
        pytest.param(migrating(), True, id="migration.go handleTargetPodHandoff: the VMI bears the UID"),
        pytest.param(migrating("u-0"), False, id="the UID of an earlier migration"),
        pytest.param(vmi("db"), False, id="no migration yet"),
        pytest.param(vmi("web"), False, id="the VMI is gone"),
        pytest.param(vmi("db", status={"migrationState": "nonsense"}), False, id="nonsense"),
    ],
)
def test_the_vmi_knows_of_the_hand_over_first(known: Json, handed_off: bool) -> None:
    assert ask("handedOff", context(delete(VMIM, migration("Scheduled")), known)) is handed_off


def test_without_a_uid_no_state_is_ones_own() -> None:
    found = context(delete(VMIM, migration("Scheduled", uid="")), migrating("", "PostCopy"))
    assert ask("handedOff", found) is False
    assert ask("mode", found) == ""


@pytest.mark.parametrize(
    ("stored", "known", "mode"),
    [
        pytest.param(migration("Running"), migrating(mode="PostCopy"), "PostCopy", id="the VMI's while it runs"),
        pytest.param(migration("Running"), migrating(mode="PreCopy"), "PreCopy", id="pre-copy"),
        pytest.param(migration("Running"), migrating(mode="Paused"), "Paused", id="paused"),
        pytest.param(migration("TargetReady"), migrating(mode="PostCopy"), "PostCopy", id="the VMIM's phase lags"),
        pytest.param(migration("Running"), migrating("u-0", "PostCopy"), "", id="another migration's"),
        pytest.param(
            migration("Running"),
            migrating(mode="PostCopy", endTimestamp="2026-03-02T12:00:00Z"),
            "",
            id="it has just ended",
        ),
        pytest.param(migration("Running"), vmi("db"), "", id="nothing is copied yet"),
        pytest.param(migration("Running"), vmi("web"), "", id="the VMI is gone"),
        pytest.param(
            migration("Succeeded", mode="PostCopy"),
            vmi("db"),
            "PostCopy",
            id="migration.go updateStatus: kept at the end",
        ),
        pytest.param(migration("Failed"), migrating(mode="PostCopy"), "", id="it failed before it could be kept"),
    ],
)
def test_how_memory_is_copied(stored: Json, known: Json, mode: str) -> None:
    assert ask("mode", context(delete(VMIM, stored), known)) == mode


def test_what_the_requester_writes_about_the_state_is_not_read() -> None:
    claimed = migration("Succeeded", mode="PreCopy")
    found = context(update(VMIM, migration("Running"), claimed), migrating(mode="PostCopy"))
    assert (ask("phase", found), ask("mode", found), ask("final", found)) == ("Running", "PostCopy", False)


def test_who_made_it_and_for_whom() -> None:
    annotations = {"migguard.io/origin": "Drain", "migguard.io/requested-by": "virt-controller", EVACUATION: "node01"}
    found = context(delete(VMIM, migration("Running", annotations=annotations)))
    assert (ask("name", found), ask("origin", found), ask("requestedBy", found), ask("drainedNode", found)) == (
        "move",
        "Drain",
        "virt-controller",
        "node01",
    )


def test_one_that_was_deleted_before_is_cancelled() -> None:
    assert ask("cancelled", context(delete(VMIM, migration("Running", deletionTimestamp="2026-03-02T12:00:00Z"))))
    assert not ask("cancelled", context(delete(VMIM, migration("Running"))))


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(create(VMIM, migration("Running", annotations={"a": "1"})), id="CREATE"),
        pytest.param(update(VMI, migrating(), migrating()), id="another kind"),
        pytest.param(request(VMIM, Operation.DELETE, old=None), id="no old object"),
    ],
)
def test_where_there_is_no_stored_migration_all_is_empty(asked: Any) -> None:
    found = context(asked, migrating(mode="PostCopy"))
    names = ("name", "origin", "requestedBy", "drainedNode", "phase", "mode")
    assert [ask(name, found) for name in names] == [""] * len(names)
    assert not any(ask(name, found) for name in ("final", "handedOff", "cancelled"))


def change(before: Json, after: Json) -> FactContext:
    return context(update(VMIM, migration("Pending", **before), migration("Pending", **after)))


@pytest.mark.parametrize(
    ("before", "after", "changed", "removed"),
    [
        pytest.param({}, {}, [], [], id="nothing"),
        pytest.param({}, {"a": "1"}, ["a"], [], id="added"),
        pytest.param({"a": "1"}, {"a": "2"}, ["a"], [], id="changed"),
        pytest.param({"a": "1"}, {}, ["a"], ["a"], id="removed"),
        pytest.param({"a": "1", "b": "2"}, {"b": "2", "c": "3"}, ["a", "c"], ["a"], id="several"),
        pytest.param({"a": None}, {}, ["a"], ["a"], id="a key without a value is a key"),
        pytest.param({"a": "1"}, {"a": 1}, ["a"], [], id="a number is not its text"),
        pytest.param({"a": "1"}, None, ["a"], ["a"], id="the map itself is null"),
        pytest.param({"a": "1"}, ["a"], ["a"], ["a"], id="the map is a list"),
    ],
)
def test_which_annotations_and_labels_a_write_changes(
    before: Any, after: Any, changed: list[str], removed: list[str]
) -> None:
    found = change({"annotations": before}, {"annotations": after})
    assert (ask("annotationsChanged", found), ask("annotationsRemoved", found)) == (changed, removed)
    assert ask("labelsChanged", found) == []
    assert ask("labelsChanged", change({"labels": before}, {"labels": after})) == changed


VALUES = st.none() | st.booleans() | st.sampled_from(["", "1", "true"]) | st.integers(0, 1)
MAPS = st.dictionaries(st.sampled_from("abcd"), VALUES)


@given(MAPS, MAPS)
def test_the_changed_keys_are_those_whose_entry_differs(before: Json, after: Json) -> None:
    def entry(found: Json, key: str) -> str:
        return repr(found[key]) if key in found else "absent"

    assert changed_keys(before, after) == [key for key in "abcd" if entry(before, key) != entry(after, key)]
    assert changed_keys(before, after) == changed_keys(after, before)


def test_on_create_all_that_is_given_counts_as_changed() -> None:
    found = context(create(VMIM, migration(annotations={"a": "1"}, labels={"b": "2"}, finalizers=[FINALIZER])))
    assert (ask("annotationsChanged", found), ask("labelsChanged", found)) == (["a"], ["b"])
    assert ask("finalizersRemoved", found) == []


def test_a_deletion_changes_no_metadata() -> None:
    found = context(delete(VMIM, migration(annotations={"a": "1"}, finalizers=[FINALIZER])))
    assert ask("annotationsChanged", found) == ask("annotationsRemoved", found) == ask("finalizersRemoved", found) == []


@pytest.mark.parametrize(
    ("before", "after", "removed"),
    [
        pytest.param([FINALIZER], [], [FINALIZER], id="the only one"),
        pytest.param([FINALIZER], None, [FINALIZER], id="the whole list"),
        pytest.param([FINALIZER, "x"], ["x"], [FINALIZER], id="one of two"),
        pytest.param([FINALIZER, FINALIZER], [FINALIZER], [], id="migration-create-mutator.go: given twice, it stays"),
        pytest.param(["x", FINALIZER], [FINALIZER, "x"], [], id="another order"),
        pytest.param([], [FINALIZER], [], id="added"),
        pytest.param([FINALIZER], [7, FINALIZER], [], id="beside nonsense"),
    ],
)
def test_which_finalizers_a_write_takes_away(before: Any, after: Any, removed: list[str]) -> None:
    assert ask("finalizersRemoved", change({"finalizers": before}, {"finalizers": after})) == removed


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        pytest.param({}, {OVERRIDE: "evil"}, [OVERRIDE], id="migration.go createTargetPod: the target's image"),
        pytest.param({OVERRIDE: "a"}, {OVERRIDE: "b"}, [OVERRIDE], id="changed"),
        pytest.param({OVERRIDE: "a"}, {OVERRIDE: "a", "note": "1"}, [], id="it stands there already"),
        pytest.param({OVERRIDE: "a"}, {}, [], id="taken away"),
        pytest.param({}, {"kubevirt.io/func-test-new": ""}, ["kubevirt.io/func-test-new"], id="one of a later release"),
        pytest.param({}, {"example.com/func-test-mine": ""}, [], id="somebody else's"),
        pytest.param(
            {},
            {f"kubevirt.io/func-test-{number:02}": "" for number in range(12)},
            [f"kubevirt.io/func-test-{number:02}" for number in range(10)],
            id="the first ten of many",
        ),
    ],
)
def test_annotations_of_the_functional_tests(before: Json, after: Json, found: list[str]) -> None:
    assert ask("testAnnotationsSet", change({"annotations": before}, {"annotations": after})) == found


@pytest.mark.parametrize(
    ("before", "after", "found"),
    [
        pytest.param({}, {"annotations": {EVACUATION: "n"}}, [EVACUATION], id="evacuation.go: added"),
        pytest.param({"annotations": {EVACUATION: "n"}}, {}, [EVACUATION], id="evacuation.go: removed"),
        pytest.param(
            {"annotations": {EVACUATION: "n"}}, {"annotations": {EVACUATION: "m"}}, [EVACUATION], id="another node"
        ),
        pytest.param({}, {"annotations": {UPDATE: ""}}, [UPDATE], id="workload-updater.go: added, empty as it is"),
        pytest.param({}, {"labels": {VOLUMES: "db"}}, [VOLUMES], id="workload-updater.go: a volume migration's label"),
        pytest.param({}, {"labels": {EVACUATION: "n"}}, [], id="a label is no annotation"),
        pytest.param({}, {"annotations": {VOLUMES: "db"}}, [], id="an annotation is no label"),
        pytest.param(
            {"annotations": {EVACUATION: "n"}},
            {"annotations": {EVACUATION: "n", "note": "1"}, "labels": {"x": "y"}},
            [],
            id="repeated as it is",
        ),
    ],
)
def test_marks_of_kubevirts_own_migrations(before: Json, after: Json, found: list[str]) -> None:
    assert ask("systemMarksChanged", change(before, after)) == found


@pytest.mark.parametrize(
    ("written", "readable", "seconds"),
    [
        pytest.param("60", True, 60, id="a number"),
        pytest.param("+60", True, 60, id="strconv.Atoi: a sign"),
        pytest.param("-1", True, -1, id="strconv.Atoi: below zero"),
        pytest.param("007", True, 7, id="strconv.Atoi: leading zeros"),
        pytest.param("1_000", False, 900, id="strconv.Atoi: no underscores"),
        pytest.param(" 60", False, 900, id="strconv.Atoi: no blanks"),
        pytest.param("5m", False, 900, id="strconv.Atoi: no units"),
        pytest.param("٦٠", False, 900, id="strconv.Atoi: no other digits"),
        pytest.param("", False, 900, id="strconv.Atoi: not empty"),
        pytest.param("9223372036854775807", True, 2**63 - 1, id="strconv.Atoi: the largest"),
        pytest.param("9223372036854775808", False, 900, id="strconv.Atoi: out of range"),
        pytest.param("9" * 5000, False, 900, id="strconv.Atoi: far out of range"),
        pytest.param(60, False, 900, id="no text"),
    ],
)
def test_timeouts_are_read_as_kubevirt_does(written: Any, readable: bool, seconds: int) -> None:
    (found,) = ask("timeoutsSet", change({}, {"annotations": {PENDING: written}}))
    assert (found["annotation"], found["readable"], found["seconds"], found["default"]) == (
        PENDING,
        readable,
        seconds,
        900,
    )


def test_a_timeout_that_stands_there_already_is_not_set() -> None:
    same = {"annotations": {PENDING: "60"}}
    assert ask("timeoutsSet", change(same, same)) == []
    assert ask("timeoutsSet", change(same, {})) == []
