"""What a scan finds: objects judged as they stand, by the policies that would judge their creation."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.unit.impact.scans import NOW, exemption, found, namespace, policy, scanned, vm, vmi, vmim
from webhook.output.finding import Level

NO_HALT = policy("no-halt", "object.spec.running")
HALTED = vm("db", running=False)


def test_each_object_is_judged_as_if_it_were_created_as_it_stands(tmp_path: Path) -> None:
    result = scanned(tmp_path, [NO_HALT], [HALTED, vm("web")])
    (db, web) = result.report.examined
    (finding,) = db.findings
    assert (db.subject, web.subject, web.findings) == ("VirtualMachine prod/db", "VirtualMachine prod/web", ())
    assert (finding.rule, finding.level, finding.message) == ("no-halt", Level.ERROR, "not so: object.spec.running")
    assert finding.properties == {
        "result": "fail",
        "validation": 0,
        "object": {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "namespace": "prod", "name": "db"},
    }
    assert db.place.file.endswith("cluster.yaml")
    assert db.place.line > 1
    assert result.report.exit_code == 1
    assert dict(result.passed) == {"prod": 1}


def test_a_policy_that_compares_with_the_old_object_judges_as_if_there_were_none(tmp_path: Path) -> None:
    ratchet = policy("ratchet", "object.spec.running || (oldObject != null && !oldObject.spec.running)")
    assert found(scanned(tmp_path, [ratchet], [HALTED])) == [("VirtualMachine prod/db", "ratchet")]


@pytest.mark.parametrize(
    ("actions", "level", "result", "code"),
    [
        pytest.param(["Deny"], Level.ERROR, "fail", 1, id="deny"),
        pytest.param(["Deny", "Audit"], Level.ERROR, "fail", 1, id="deny-and-audit"),
        pytest.param(["Warn", "Audit"], Level.WARNING, "warn", 0, id="warn"),
        pytest.param(["Audit"], Level.NOTE, "warn", 0, id="audit"),
    ],
)
def test_how_much_a_finding_counts_is_what_it_would_lead_to(
    tmp_path: Path, actions: list[str], level: Level, result: str, code: int
) -> None:
    report = scanned(tmp_path, [policy("p", "object.spec.running", validationActions=actions)], [HALTED]).report
    (finding,) = report.findings
    assert (finding.level, finding.properties["result"], report.exit_code) == (level, result, code)


def test_a_binding_says_where_a_policy_applies_in_a_scan_too(tmp_path: Path) -> None:
    binding = {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "GuardPolicyBinding",
        "metadata": {"name": "in-prod"},
        "spec": {
            "policyName": "no-halt",
            "matchResources": {"namespaceSelector": {"matchLabels": {"stage": "prod"}}},
            "validationActions": ["Warn"],
        },
    }
    objects = [namespace("prod", stage="prod"), HALTED, vm("db", "dev", running=False)]
    result = scanned(tmp_path, [NO_HALT, binding], objects)
    assert [(one.subject, one.level) for one in result.report.findings] == [("VirtualMachine prod/db", Level.WARNING)]


class TestRequesters:
    def test_a_policy_that_judges_who_asks_is_left_out_and_named(self, tmp_path: Path) -> None:
        result = scanned(tmp_path, [NO_HALT, policy("who", "request.userInfo.username == 'olga'")], [HALTED])
        assert found(result) == [("VirtualMachine prod/db", "no-halt")]
        assert result.report.settings == {"not judged, as they judge who asks (see migguard replay)": "who"}

    @pytest.mark.parametrize(
        "question",
        [
            "requester.canMigrate",
            "authorizer.group('kubevirt.io').resource('virtualmachines').check('delete').allowed()",
            "size(requester.groups) > 0",
        ],
    )
    def test_what_it_comes_to_only_for_some_objects_is_left_out_for_those_alone(
        self, tmp_path: Path, question: str
    ) -> None:
        late = policy("late", f"object.metadata.name != 'db' || {question}", "object.spec.running")
        result = scanned(tmp_path, [late], [HALTED, vm("odd"), vm("web", running=False)])
        assert found(result) == [("VirtualMachine prod/db", "late"), ("VirtualMachine prod/web", "late")]
        assert result.report.settings["not judged for some objects, as that depends on who asks"] == "late"
        result = scanned(tmp_path, [late], [vm("db")])
        assert (found(result), dict(result.passed), dict(result.skipped)) == ([], {}, {"prod": 1})

    def test_a_message_that_names_the_requester_is_no_reason_to_leave_it_out(self, tmp_path: Path) -> None:
        named: dict[str, Any] = policy("named", "object.spec.running")
        named["spec"]["validations"][0]["messageExpression"] = "requester.username + ' halted it'"
        (finding,) = scanned(tmp_path, [named], [HALTED]).report.findings
        assert finding.message == "somebody halted it"

    def test_the_person_stamped_on_a_migration_is_named(self, tmp_path: Path) -> None:
        named: dict[str, Any] = policy("named", "false", resources=["virtualmachineinstancemigrations"])
        named["spec"]["validations"][0]["messageExpression"] = "requester.username + ' moves it'"
        stamped = vmim("move", "db", annotations={"migguard.io/requested-by": "olga", "migguard.io/origin": "User"})
        (finding,) = scanned(tmp_path, [named], [vmi("db"), stamped]).report.findings
        assert finding.message == "olga moves it"

    def test_a_drain_is_not_judged_as_a_person(self, tmp_path: Path) -> None:
        people = policy("people", "false", resources=["virtualmachineinstancemigrations"], origins=["User", "VirtAPI"])
        drain = vmim("drain", "db", annotations={"kubevirt.io/evacuationMigration": "worker-1"})
        assert found(scanned(tmp_path, [people], [vmi("db"), drain, vmim("move", "web")])) == [
            ("VirtualMachineInstanceMigration prod/move", "people")
        ]


class TestErrors:
    @pytest.mark.parametrize(
        ("failure", "level", "code"), [("Fail", Level.ERROR, 1), ("Ignore", Level.WARNING, 0)], ids=["fail", "ignore"]
    )
    def test_what_cannot_be_judged_is_told_as_such(self, tmp_path: Path, failure: str, level: Level, code: int) -> None:
        broken = policy("broken", "object.spec.nothing == 1", failurePolicy=failure)
        report = scanned(tmp_path, [broken], [HALTED]).report
        (finding,) = report.findings
        assert (finding.level, finding.properties["result"], report.exit_code) == (level, "error", code)
        assert finding.message.startswith("cannot be judged: validations[0]: ")
        assert "validation" not in finding.properties


class TestVirtualMachines:
    CANNOT = policy("cannot", "object.metadata.name != 'db'", resources=["virtualmachines", "virtualmachineinstances"])

    def test_a_vmi_is_not_told_of_again_where_its_vm_is(self, tmp_path: Path) -> None:
        assert found(scanned(tmp_path, [self.CANNOT], [vmi("db"), HALTED])) == [("VirtualMachine prod/db", "cannot")]

    @pytest.mark.parametrize(
        "objects",
        [
            pytest.param([vmi("db")], id="on-its-own"),
            pytest.param([vmi("db"), vm("db", "dev")], id="of-another-namespace"),
        ],
    )
    def test_but_it_is_where_nobody_else_is(self, tmp_path: Path, objects: list[dict[str, Any]]) -> None:
        assert ("VirtualMachineInstance prod/db", "cannot") in found(scanned(tmp_path, [self.CANNOT], objects))

    def test_what_has_ended_is_counted_only(self, tmp_path: Path) -> None:
        any_vmi = policy("any", "false", resources=["virtualmachineinstances", "virtualmachineinstancemigrations"])
        objects = [vmi("db", phase="Succeeded"), vmi("web", phase="Failed"), vmim("move", "db", phase="Failed")]
        report = scanned(tmp_path, [any_vmi], objects).report
        assert report.examined == ()
        assert report.left_out == {
            "VirtualMachineInstance that has ended": 2,
            "VirtualMachineInstanceMigration that has ended": 1,
        }


class TestMigrations:
    NOT_TWICE = policy(
        "not-twice", "size(migrations.unfinishedOfVM) == 0", resources=["virtualmachineinstancemigrations"]
    )

    def test_one_in_flight_does_not_stand_in_its_own_way(self, tmp_path: Path) -> None:
        assert found(scanned(tmp_path, [self.NOT_TWICE], [vmi("db"), vmim("move", "db")])) == []

    def test_but_another_one_does(self, tmp_path: Path) -> None:
        objects = [vmi("db"), vmim("move", "db"), vmim("again", "db")]
        assert len(found(scanned(tmp_path, [self.NOT_TWICE], objects))) == 2

    def test_a_policy_may_judge_what_the_migration_of_each_running_vm_would_be(self, tmp_path: Path) -> None:
        moving = policy(
            "moving",
            "vmi.name != 'db'",
            resources=["virtualmachineinstancemigrations"],
            operations=["CREATE"],
            annotations={"migguard.io/scan": "migration"},
            origins=["User"],
        )
        objects = [vmi("db"), vmi("web"), vmi("old", phase="Succeeded"), vmim("move", "db")]
        assert found(scanned(tmp_path, [moving], objects)) == [("VirtualMachineInstance prod/db", "moving")]


class TestExemptions:
    def test_one_for_the_object_counts_whoever_it_is_for(self, tmp_path: Path) -> None:
        result = scanned(tmp_path, [NO_HALT, exemption("until-april", "no-halt", names=["db"])], [HALTED])
        (examined,) = result.report.examined
        assert examined.findings == ()
        assert examined.notes == ("no-halt does not judge it: exemption 'until-april'",)
        assert (dict(result.passed), dict(result.skipped)) == ({}, {"prod": 1})

    @pytest.mark.parametrize(
        "fields",
        [
            pytest.param({}, id="one-for-people-and-any-object"),
            pytest.param({"names": ["web"]}, id="one-for-another-object"),
            pytest.param({"names": ["db"], "operations": ["DELETE"]}, id="one-for-deletions"),
            pytest.param({"names": ["db"], "starts": "2026-03-20"}, id="one-that-has-not-begun"),
        ],
    )
    def test_but_not(self, tmp_path: Path, fields: dict[str, Any]) -> None:
        result = scanned(tmp_path, [NO_HALT, exemption("other", "no-halt", **fields)], [HALTED])
        assert found(result) == [("VirtualMachine prod/db", "no-halt")]

    def test_an_expired_one_counts_no_more_and_is_told(self, tmp_path: Path) -> None:
        over = exemption("over", "no-halt", names=["db"], expires="2026-03-01")
        result = scanned(tmp_path, [NO_HALT, over], [HALTED])
        assert found(result) == [("Exemption over", "exemption-expired"), ("VirtualMachine prod/db", "no-halt")]
        assert [rule.name for rule in result.report.rules] == ["exemption-expired", "exemption-expiring", "no-halt"]


def test_what_a_mutation_would_change_is_a_note(tmp_path: Path) -> None:
    mutation = {
        "name": "label",
        "patchType": "ApplyConfiguration",
        "expression": "has(object.spec.stage) ? {} : {'spec': {'stage': 'none'}}",
        "warning": "stage was set to none",
    }
    objects = [vm("db"), vm("web", stage="prod")]
    db, web = scanned(tmp_path, [policy("stage", mutations=[mutation])], objects).report.examined
    assert (db.notes, web.notes) == (("stage would change it: stage was set to none",), ())


def test_the_same_cluster_gives_the_same_report(tmp_path: Path) -> None:
    objects = [HALTED, vm("web", running=False), vm("x", "dev", running=False)]
    first = scanned(tmp_path / "a", [NO_HALT], objects)
    second = scanned(tmp_path / "b", [NO_HALT], objects[::-1])
    assert found(first) == found(second)
    assert found(first)[0][0] == "VirtualMachine dev/x"


def test_time_counts_as_the_scan_is_told(tmp_path: Path) -> None:
    soon = exemption("soon", "no-halt", names=["db"], expires="2026-03-10")
    assert found(scanned(tmp_path, [NO_HALT, soon], [HALTED])) == [("Exemption soon", "exemption-expiring")]
    later = scanned(tmp_path, [NO_HALT, soon], [HALTED], now=NOW + timedelta(days=30))
    assert [rule for _, rule in found(later)] == ["exemption-expired", "no-halt"]
