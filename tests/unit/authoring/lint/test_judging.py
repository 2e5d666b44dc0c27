"""Validations that cannot find anything, find everything, or repeat one another."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import findings, policy, rule, rules_of, validation
from webhook.output.finding import Level


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("!vmi.critical", [], id="good"),
        pytest.param("true", ["always-true"], id="true"),
        pytest.param("false", [], id="false-is-meant"),
        pytest.param("vmi.critical || !vmi.critical", ["always-true"], id="tautology"),
        pytest.param("vmi.critical && !(vmi.critical)", ["always-false"], id="contradiction"),
        pytest.param("vmi.phase == 'a' || vmi.phase != 'a'", ["always-true"], id="equality-and-its-negation"),
        pytest.param("'a' == vmi.phase || !(vmi.phase == 'a')", ["always-true"], id="sides-exchanged"),
        pytest.param("vmi.critical ? true : !vmi.critical", ["always-true"], id="conditional"),
        pytest.param("request.operation != 'DELETE'", ["always-true"], id="operation-that-is-not-matched"),
        pytest.param("request.operation == 'DELETE'", ["always-false"], id="operation-that-is-never-there"),
        pytest.param("request.operation == 'CREATE' || !vmi.critical", [], id="operation-that-is-one-of-two"),
        pytest.param("vmi.memoryBytes > 0 || vmi.memoryBytes <= 0", [], id="orders-are-not-compared"),
        pytest.param("vmi.labels.exists(k, k == 'a') || !vmi.labels.exists(l, l == 'a')", ["always-true"], id="macro"),
        pytest.param("vmi.labels.exists(k, k == 'a') || !vmi.labels.exists(l, l == 'b')", [], id="another-macro"),
        pytest.param("object.spec.a == 1 || object.spec.a == 2", [], id="values"),
        pytest.param("vmi.phase == 'a' && 'b' == vmi.phase", ["always-false"], id="two-values-at-once"),
        pytest.param("vmi.phase != 'a' || vmi.phase != 'b'", ["always-true"], id="not-one-or-not-the-other"),
        pytest.param("vmi.phase != 'a' && vmi.phase != 'b'", [], id="neither-of-two"),
        pytest.param("object.spec.a == 1 && object.spec.a == 1.0", [], id="one-number-in-two-types"),
        pytest.param("vmi.phase == 'a' && vmi.phase == vmi.name", [], id="value-and-another-field"),
    ],
)
def test_a_validation_can_hold_and_can_fail(expression: str, expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(validations=[validation(expression)])) == expected


def test_what_the_conditions_make_sure_of_finds_nothing(tmp_path: Path) -> None:
    conditions = [{"name": "critical", "expression": "vmi.critical"}]
    given = policy(matchConditions=conditions, validations=[validation("vmi.critical || vmi.found")])
    assert rules_of(tmp_path, given) == ["always-true"]


def test_variables_are_looked_into(tmp_path: Path) -> None:
    variables = [{"name": "safe", "expression": "!vmi.critical"}, {"name": "both", "expression": "variables.safe"}]
    given = policy(variables=variables, validations=[validation("variables.both || vmi.critical")])
    assert rules_of(tmp_path, given) == ["always-true"]


def test_an_operation_that_only_some_rules_have_is_open(tmp_path: Path) -> None:
    rules = [rule("CREATE"), rule("DELETE", resource="virtualmachineinstances")]
    given = policy(rules=rules, validations=[validation("request.operation != 'DELETE' || !vmi.critical")])
    assert rules_of(tmp_path, given) == []


@pytest.mark.parametrize(
    ("second", "expected"),
    [
        pytest.param("!vmi.critical && vmi.found", "duplicate-validation", id="layout"),
        pytest.param("vmi.found && !vmi.critical", "duplicate-validation", id="order"),
        pytest.param("!(vmi.critical || !vmi.found)", "duplicate-validation", id="said-differently"),
        pytest.param("vmi.found", "implied-validation", id="part-of-it"),
        pytest.param("!vmi.critical || vmi.migratable", "implied-validation", id="weaker"),
        pytest.param("!vmi.critical && vmi.found && vmi.migratable", "implied-validation", id="stronger"),
        pytest.param("vmi.migratable", "", id="another"),
        pytest.param("vmi.critical || vmi.migratable", "", id="opposite-case"),
    ],
)
def test_a_validation_repeats_another(second: str, expected: str, tmp_path: Path) -> None:
    given = policy(validations=[validation("!vmi.critical  &&  vmi.found"), validation(second)])
    assert rules_of(tmp_path, given) == ([expected] if expected else [])


def test_the_weaker_one_is_told_of_wherever_it_stands(tmp_path: Path) -> None:
    given = policy(validations=[validation("vmi.found"), validation("!vmi.critical && vmi.found")])
    (found,) = findings(tmp_path, given)
    assert found.message == "whenever this is violated, validations[1] is violated too"
    assert found.level is Level.WARNING  # shown by default


def test_an_expression_of_many_parts_is_given_up_rather_than_waited_for(tmp_path: Path) -> None:
    many = " && ".join(f"(object.spec.a{n} || object.spec.b{n} || object.spec.c{n})" for n in range(30))
    assert rules_of(tmp_path, policy(validations=[validation(many)])) == []
