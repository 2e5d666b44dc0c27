"""Natives and facts that are read where there are none."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.authoring.lint.linting import Json, findings, policy, rule, rules_of, validation

TEXT = {"messageExpression": "'request ' + request.uid"}


def judged(expression: str, *rules: Json, **spec: Any) -> Json:
    return policy(rules=rules, validations=[validation(expression, **TEXT)], **spec)


@pytest.mark.parametrize(
    ("expression", "operations", "expected"),
    [
        pytest.param("object.spec.a == 1", ["CREATE", "UPDATE"], [], id="object"),
        pytest.param("object.spec.a == 1", ["DELETE"], ["native-out-of-place"], id="no-object-on-delete"),
        pytest.param("object.spec.a == 1", ["UPDATE", "DELETE"], ["native-sometimes-absent"], id="at-times"),
        pytest.param("object['spec'].a == 1", ["DELETE"], ["native-out-of-place"], id="index"),
        pytest.param("has(object.spec)", ["DELETE"], ["native-out-of-place"], id="has"),
        pytest.param("object.?spec.hasValue()", ["DELETE"], ["native-out-of-place"], id="optional"),
        pytest.param("dyn(object) == vmi.labels", ["DELETE"], [], id="null-itself"),
        pytest.param("object == null || object.spec.a == 1", ["UPDATE", "DELETE"], [], id="asked-for-null"),
        pytest.param("object != null ? object.spec.a == 1 : vmi.found", ["UPDATE", "DELETE"], [], id="conditional"),
        pytest.param("request.operation == 'DELETE' || object.a == 1", ["UPDATE", "DELETE"], [], id="asked-first"),
        pytest.param("object.a == 1 || request.operation == 'DELETE'", ["UPDATE", "DELETE"], [], id="asked-last"),
        pytest.param(
            "[1].all(x, request.operation == 'DELETE' || object.a == x)",
            ["UPDATE", "DELETE"],
            [],
            id="asked-in-a-macro",
        ),
        pytest.param("oldObject.spec.a == 1", ["CREATE"], ["native-out-of-place"], id="no-old-object-on-create"),
        pytest.param("oldObject.spec.a == 1", ["*"], ["native-sometimes-absent"], id="any-operation"),
        pytest.param("dyn(object) == null || object.a == 1", ["UPDATE", "DELETE"], [], id="asked-for-null-by-dyn"),
        pytest.param("vm.mayMoveVolumes && object.a == 1", ["UPDATE", "DELETE"], [], id="kept-away-by-a-fact"),
        pytest.param(
            "vmi.found && object.a == 1", ["UPDATE", "DELETE"], ["native-sometimes-absent"], id="not-kept-away"
        ),
        pytest.param("'a' in oldObject", ["CREATE"], ["native-out-of-place"], id="looked-for"),
        pytest.param("oldObject.all(key, key != 'a')", ["CREATE"], ["native-out-of-place"], id="walked"),
        pytest.param("dyn(oldObject).a == 1", ["CREATE"], ["native-out-of-place"], id="as-anything"),
        pytest.param("dyn(oldObject) in [vmi.labels]", ["CREATE"], [], id="null-itself-in-a-list"),
        pytest.param("[{'a': 1}].all(object, object.a == 1) || vmi.found", ["DELETE"], [], id="a-name-of-a-macro"),
    ],
)
def test_there_is_an_object(expression: str, operations: list[str], expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, judged(expression, rule(*operations))) == expected


@pytest.mark.parametrize(
    "guard",
    [
        pytest.param("!(request.operation in params.ops)", id="operations-of-a-parameter"),
        pytest.param("!request.operation.matches('^(CREATE|UPDATE)$')", id="pattern"),
        pytest.param("!['CREATE', 'UPDATE'].exists(o, o == request.operation)", id="macro"),
        pytest.param("type(object) == null_type", id="type"),
        pytest.param("[null].exists(n, n == object)", id="null-in-a-list"),
        pytest.param("request.options.kind == 'DeleteOptions'", id="options"),
        pytest.param("variables.gone", id="variable"),
    ],
)
def test_a_test_that_is_not_understood_may_keep_other_operations_away(guard: str, tmp_path: Path) -> None:
    spec: Json = {
        "variables": [{"name": "gone", "expression": "!(request.operation in params.ops)"}],
        "paramSchema": {"type": "object", "properties": {"ops": {"type": "array", "default": ["CREATE", "UPDATE"]}}},
    }
    unused = {"unused-variable", "unused-param"}
    says = {"messageExpression": "'a is ' + string(object.spec.a)"}
    for expression in (
        f"{guard} || object.spec.a == 1",
        f"object.spec.a == 1 || {guard}",
        f"{guard} ? vmi.found : object.spec.a == 1",
        f"!({guard}) && object.spec.a == 1 || {guard}",
    ):
        given = policy(rules=[rule("CREATE", "UPDATE", "DELETE")], validations=[validation(expression, **says)], **spec)
        assert set(rules_of(tmp_path, given)) <= unused
    condition = guard if guard != "variables.gone" else spec["variables"][0]["expression"]
    conditions = [{"name": "c", "expression": f"!({condition})"}]
    given = judged("object.spec.a == 1", rule("UPDATE", "DELETE"), matchConditions=conditions, **spec)
    assert set(rules_of(tmp_path, given)) <= unused


@pytest.mark.parametrize("test", ["object.spec.b == 1", "oldObject.spec.b == 1", "request.name == 'db'", "vmi.found"])
def test_a_test_of_something_else_keeps_nothing_away(test: str, tmp_path: Path) -> None:
    found = rules_of(tmp_path, judged(f"{test} || object.spec.a == 1", rule("UPDATE", "DELETE")))
    assert set(found) == {"native-sometimes-absent"}


def test_a_condition_keeps_other_operations_away(tmp_path: Path) -> None:
    conditions = [{"name": "c", "expression": "request.operation != 'DELETE'"}]
    given = judged("object.spec.a == 1", rule("UPDATE", "DELETE"), matchConditions=conditions)
    assert rules_of(tmp_path, given) == []


def test_a_condition_keeps_other_operations_away_by_a_fact(tmp_path: Path) -> None:
    conditions = [{"name": "c", "expression": "vm.mayMoveVolumes"}]
    given = judged("object.spec.a == 1", rule("UPDATE", "DELETE"), matchConditions=conditions)
    assert rules_of(tmp_path, given) == []


def test_a_message_is_only_made_of_what_is_violated(tmp_path: Path) -> None:
    says = {"messageExpression": "'a is ' + string(object.spec.a)"}
    given = validation("request.operation == 'DELETE' || object.spec.a == 1", **says)
    assert rules_of(tmp_path, policy(rules=[rule("UPDATE", "DELETE")], validations=[given])) == []
    given = validation("vmi.migratable", **says)
    (found,) = findings(tmp_path, policy(rules=[rule("UPDATE", "DELETE")], validations=[given]))
    assert found.message.endswith("reading a field of it is an error there, and the text is left out")


def test_a_mutation_is_never_worked_out_on_delete(tmp_path: Path) -> None:
    mutation = {
        "name": "m",
        "patchType": "ApplyConfiguration",
        "expression": "{'spec': {'a': object.spec.b}}",
        "warning": "a was set",
    }
    assert rules_of(tmp_path, policy(rules=[rule("UPDATE", "DELETE")], mutations=[mutation])) == []


def test_a_variable_counts_where_it_is_read_and_is_told_of_where_it_stands(tmp_path: Path) -> None:
    variables = [{"name": "a", "expression": "object.spec.a == 1"}]
    guarded = judged("request.operation == 'DELETE' || variables.a", rule("UPDATE", "DELETE"), variables=variables)
    assert rules_of(tmp_path, guarded) == []
    (found,) = findings(tmp_path, judged("variables.a", rule("UPDATE", "DELETE"), variables=variables))
    line = (tmp_path / "0.yaml").read_text("utf-8").splitlines()[found.place.line - 1]
    assert line[found.place.column - 1 :] == "object.spec.a == 1"


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([rule("CREATE")], [], id="namespaced"),
        pytest.param(
            [rule("CREATE", group="migrations.kubevirt.io", resource="migrationpolicies")],
            ["native-out-of-place"], id="cluster-scoped",
        ),
        pytest.param([rule("UPDATE", group="", resource="namespaces")], ["native-out-of-place"], id="namespace"),
        pytest.param([rule("CREATE", group="x.io", resource="things")], [], id="not-known"),
        pytest.param(
            [rule("CREATE", group="x.io", resource="things", scope="Cluster")], ["native-out-of-place"], id="by-scope"
        ),
        pytest.param(
            [rule("CREATE"), rule("CREATE", group="", resource="nodes")], ["native-sometimes-absent"], id="mixed"
        ),
    ],
)  # fmt: skip
def test_there_is_a_namespace(rules: list[Json], expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, judged("namespaceObject.metadata.name == 'prod'", *rules)) == expected


CONFIG = rule("CREATE", group="hco.kubevirt.io", resource="hyperconvergeds")
ROLES = rule("CREATE", group="rbac.authorization.k8s.io", resource="roles")
VMIMS = "virtualmachineinstancemigrations"


@pytest.mark.parametrize(
    ("fact", "rules", "fits"),
    [
        pytest.param("config.after.allowPostCopy", [CONFIG], True, id="configuration"),
        pytest.param("config.after.allowPostCopy", [ROLES], False, id="configuration-of-a-role"),
        pytest.param("config.after.allowPostCopy", [ROLES, CONFIG], True, id="one-of-the-rules-will-do"),
        pytest.param("config.after.allowPostCopy", [rule("CREATE", resource="*", group="*")], True, id="wildcard"),
        pytest.param("vmi.critical", [ROLES], False, id="vm-of-a-role"),
        pytest.param("vmi.critical", [rule("CREATE", group="", resource="pods/eviction")], True, id="vm-of-a-pod"),
        pytest.param("rbac.trusted", [rule("CREATE")], False, id="role-of-a-vm"),
        pytest.param("vmim.final", [rule("DELETE", resource=VMIMS)], True, id="stored-migration"),
        pytest.param("vmim.final", [rule("CREATE", resource=VMIMS)], False, id="migration-that-is-not-there-yet"),
        pytest.param("freeze.active", [ROLES], True, id="anything"),
        pytest.param("requester.canMigrate", [ROLES], True, id="requester"),
        pytest.param("migration.allowPostCopy", [ROLES], True, id="the-clusters-own-settings"),
        pytest.param("vm.leavesVMI", [rule("DELETE")], True, id="deletion"),
        pytest.param("vm.leavesVMI", [rule("CREATE")], False, id="creation"),
    ],
)
def test_a_fact_says_something_here(fact: str, rules: list[Json], fits: bool, tmp_path: Path) -> None:
    assert rules_of(tmp_path, judged(fact, *rules)) == ([] if fits else ["fact-out-of-place"])


def test_a_fact_that_is_only_come_to_elsewhere_is_out_of_place(tmp_path: Path) -> None:
    given = judged("request.operation == 'CREATE' ? vmim.final : vmi.found", rule("CREATE", "UPDATE", resource=VMIMS))
    assert rules_of(tmp_path, given) == ["fact-out-of-place"]
    given = judged("request.operation == 'UPDATE' ? vmim.final : vmi.found", rule("CREATE", "UPDATE", resource=VMIMS))
    assert rules_of(tmp_path, given) == []


def test_the_hint_says_what_the_fact_is_about(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, judged("rbac.trusted", rule("CREATE")))
    assert (
        found.message == "rbac.trusted says nothing about CREATE of virtualmachines: it is empty or the default there"
    )
    assert found.hint.startswith("it is: The written or bound role is a trusted ClusterRole")
