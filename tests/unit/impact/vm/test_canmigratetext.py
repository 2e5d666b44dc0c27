"""The answer as it is read at 3 a.m."""

from __future__ import annotations

import json
from dataclasses import replace

from tests.support import builders
from tests.support.builders import Json
from tests.unit.impact.asking import MAY, VM, answer
from webhook.impact.vm.canmigratetext import as_json, render
from webhook.impact.vm.refusals import Reason


def sections(text: str) -> dict[str, list[str]]:
    """The lines below each heading."""
    found: dict[str, list[str]] = {}
    current: list[str] = []
    for line in text.splitlines():
        if line and not line.startswith(" "):
            found[line] = current = []
        elif line:
            current.append(line)
    return found


def test_the_first_line_is_the_answer():
    assert render(answer(*MAY, *VM)).splitlines()[0] == "yes: alice may migrate VM prod/db now"
    assert render(answer(*VM)).splitlines()[0] == "no: alice cannot migrate VM prod/db now: one thing is in the way"


def test_what_may_undo_a_no_stands_right_below_it():
    lines = render(replace(answer(*VM), unsure="groups may be missing\x1b")).splitlines()
    assert lines[1:3] == ["", "Note: groups may be missing."]
    assert as_json(replace(answer(*VM), unsure="so"))["unsure"] == "so"


def test_each_reason_has_what_to_do_and_who_says_so():
    found = sections(render(answer(*MAY, *VM, builders.vmim("m1"))))
    assert found["Why not, and what to do:"] == [
        "  1. VM prod/db is already being migrated (VirtualMachineInstanceMigration m1)",
        "     -> wait until it has finished (oc get vmim m1 -n prod -w)",
        "     (KubeVirt)",
    ]


def test_a_message_of_many_lines_keeps_them():
    reason = Reason(message="cannot be migrated:\n  a GPU\n  a disk", by=("vm-can-migrate",))
    text = render(replace(answer(*VM), reasons=(reason,)))
    assert "  1. cannot be migrated:\n       a GPU\n       a disk\n     (policy vm-can-migrate)\n" in text


def test_what_is_fine_what_is_not_and_what_is_not_known_stand_apart():
    full: tuple[Json, ...] = (
        builders.kubevirt({"parallelMigrationsPerCluster": 1}),
        builders.vmim("m1", vmi_name="other"),
    )
    found = sections(render(answer(*MAY, *VM, *full)))
    assert any(line.startswith("  right to migrate ") for line in found["Fine:"])
    assert found["Not fine, though nothing refuses it:"] == [
        "  migrations now  1 of 1 that may run at once in the cluster: this one will wait its turn"
    ]
    assert [line.split("  ")[1] for line in found["Not known:"]] == ["CPU model", "target nodes"]


def test_what_refuses_is_not_told_a_second_time_below():
    text = render(answer(*VM))
    assert "\n  right to migrate" not in text


def test_the_settings_are_told_in_words():
    policy = builders.migration_policy("gold", selectors={}, allowPostCopy=True, bandwidthPerMigration="64Mi")
    found = sections(render(answer(*MAY, *VM, policy)))
    lines = [line.split() for line in found["It would be migrated with (MigrationPolicy gold applies):"]]
    assert ["post-copy", "yes", "MigrationPolicy", "gold"] in lines
    assert ["bandwidth", "64Mi", "per", "second", "MigrationPolicy", "gold"] in lines
    assert ["given", "up", "after", "150", "s", "without", "progress", "KubeVirt", "default"] in lines


def test_nothing_in_a_message_can_move_the_cursor():
    reason = Reason(message="x\x1b[2J", remedy="y\x07", by=("z\x1b",))
    text = render(replace(answer(*VM), reasons=(reason,), sentence="a\x1b"))
    assert not {"\x1b", "\x07"} & set(text)


def test_programs_get_all_of_it():
    told = json.loads(json.dumps(as_json(answer(*VM))))
    assert (told["canMigrate"], told["user"], told["vm"]) == (False, "alice", {"namespace": "prod", "name": "db"})
    (reason,) = told["reasons"]
    assert reason["by"] == ["right", "Kubernetes (RBAC)"]
    assert {one["fine"] for one in told["checks"]} == {True, False, None}
    assert told["migrationSettings"]["fields"]["allowPostCopy"] == {"value": False, "setBy": "KubeVirt default"}
