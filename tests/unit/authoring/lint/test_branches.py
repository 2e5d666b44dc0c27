"""Branches of conditional expressions that are never taken."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import findings, policy, rule, rules_of, validation

FIRST = "vmi.obstacles.map(one, one.code == 'a' ? 'x' : 'y')[0]"


@pytest.mark.parametrize(
    ("expression", "never"),
    [
        pytest.param("vmi.phase == 'a' ? 'x' : vmi.phase == 'b' ? 'y' : 'z'", "", id="good"),
        pytest.param("vmi.phase == 'a' ? 'x' : vmi.phase == 'a' ? 'y' : 'z'", "'y'", id="same-test-again"),
        pytest.param("vmi.found ? (vmi.found ? 'x' : 'y') : 'z'", "'y'", id="same-test-within"),
        pytest.param("vmi.phase == 'a' || vmi.found ? 'x' : vmi.found ? 'y' : 'z'", "'y'", id="part-of-a-test"),
        pytest.param("vmi.found && vmi.migratable ? 'x' : vmi.found ? 'y' : 'z'", "", id="less-than-a-test"),
        pytest.param("request.operation == 'DELETE' ? 'x' : 'y'", "'x'", id="operation-that-is-not-matched"),
        pytest.param("request.operation == 'CREATE' ? 'x' : 'y'", "", id="operation-that-is-matched"),
        pytest.param("vmi.critical ? 'x' : 'y'", "'y'", id="only-said-of-what-is-violated"),
        pytest.param(f"{FIRST} + (vmi.name == 'a' ? {FIRST} : '')", "", id="names-of-macros-are-their-own"),
    ],
)
def test_a_branch_of_a_message(expression: str, never: str, tmp_path: Path) -> None:
    given = policy(validations=[validation(messageExpression=expression)])
    found = findings(tmp_path, given)
    assert [one.rule for one in found] == (["unreachable-branch"] if never else [])
    for one in found:
        line = (tmp_path / "0.yaml").read_text("utf-8").splitlines()[one.place.line - 1]
        assert line[one.place.column - 1 :].startswith(never.replace("'", "''"))


@pytest.mark.parametrize(
    ("expression", "dead"),
    [
        pytest.param("vmi.phase == 'a' || vmi.found && vmi.phase == 'b'", "", id="good"),
        pytest.param("vmi.phase == 'a' && vmi.phase == 'b' || vmi.found", "vmi.phase == 'b'", id="two-values-at-once"),
        pytest.param("(vmi.phase != 'a' || vmi.phase != 'b') && vmi.found", "vmi.phase != 'b'", id="always-decides"),
        pytest.param("request.operation == 'DELETE' && vmi.found || vmi.critical", "request", id="not-matched"),
        pytest.param("!vmi.found || vmi.critical && !vmi.found", "!vmi.found", id="what-stands-before"),
        pytest.param("vmi.found && (!vmi.found || vmi.critical)", "!vmi.found", id="within"),
        pytest.param("!vmi.found || vmi.found && vmi.critical", "", id="said-twice-to-be-clear"),
        pytest.param("oldObject == null || vmi.critical", "", id="operation-that-is-matched"),
        pytest.param("object == null || vmi.critical", "", id="null-to-be-sure"),
        pytest.param("vmi.critical || !vmi.critical && vmi.found && vmi.migratable", "", id="else"),
        pytest.param("vmi.labels.all(k, k == 'a' || k != 'a' && vmi.found)", "", id="items"),
        pytest.param("vmi.labels.all(k, k == 'a' && k == 'b' || vmi.found)", "k == 'b'", id="items-of-two-values"),
    ],
)
def test_an_operand_has_one_outcome(expression: str, dead: str, tmp_path: Path) -> None:
    found = findings(tmp_path, policy(validations=[validation(expression)]))
    assert [one.rule for one in found] == (["dead-operand"] if dead else [])
    for one in found:
        line = (tmp_path / "0.yaml").read_text("utf-8").splitlines()[one.place.line - 1]
        assert line[one.place.column - 1 :].replace("''", "'").startswith(dead)


def test_the_same_part_of_another_shape_is_alive(tmp_path: Path) -> None:
    rules = [rule("CREATE"), rule("DELETE", resource="virtualmachineinstances")]
    given = policy(rules=rules, validations=[validation("request.operation == 'DELETE' && vmi.found || vmi.critical")])
    assert rules_of(tmp_path, given) == []


def test_conditions_hold_for_variables(tmp_path: Path) -> None:
    variables = [{"name": "word", "expression": "vmi.critical ? 'x' : 'y'"}]
    conditions = [{"name": "c", "expression": "vmi.critical"}]
    validations = [validation("variables.word == object.spec.word")]
    assert rules_of(tmp_path, policy(variables=variables, matchConditions=conditions, validations=validations)) == [
        "unreachable-branch"
    ]


def test_nothing_is_certain_for_a_condition(tmp_path: Path) -> None:
    conditions = [
        {"name": "c", "expression": "vmi.found"},
        {"name": "d", "expression": "vmi.found ? vmi.migratable : true"},
    ]
    assert rules_of(tmp_path, policy(matchConditions=conditions)) == []


def test_conditions_hold_for_validations(tmp_path: Path) -> None:
    conditions = [{"name": "c", "expression": "vmi.critical"}]
    validations = [validation("vmi.critical ? vmi.found : vmi.migratable")]
    assert rules_of(tmp_path, policy(matchConditions=conditions, validations=validations)) == ["unreachable-branch"]
