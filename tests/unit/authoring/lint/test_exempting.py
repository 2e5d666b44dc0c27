"""Exemptions: too wide, run out, or of no effect."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, binding, exemption, findings, policy, rule, rules_of


@pytest.mark.parametrize(
    ("expires", "message"),
    [
        pytest.param("2026-05-01", "", id="later"),
        pytest.param("2026-03-16T12:00:01Z", "", id="just-not-soon"),
        pytest.param("2026-03-16T12:00:00Z", "exemption 'spared' (owner team-a) runs out in 14 days", id="soon"),
        pytest.param("2026-03-03", "exemption 'spared' (owner team-a) runs out in 1 day", id="tomorrow"),
        pytest.param(
            "2026-03-02", "exemption 'spared' (owner team-a) ran out 1 day ago and no longer applies", id="today"
        ),
        pytest.param(
            "2025-12-02", "exemption 'spared' (owner team-a) ran out 91 days ago and no longer applies", id="long-ago"
        ),
    ],
)
def test_an_exemption_runs_out(expires: str, message: str, tmp_path: Path) -> None:
    found = findings(tmp_path, policy(), exemption(expires=expires))
    rule_name = "exemption-expired" if "ran out" in message else "exemption-expiring"
    assert [(one.rule, one.message) for one in found] == ([(rule_name, message)] if message else [])


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({}, [], id="good"),
        pytest.param({"namespaces": ["*"]}, ["exemption-wildcard"], id="any-namespace"),
        pytest.param({"namespaces": ["prod", "dev-*"]}, ["exemption-wildcard"], id="namespaces-that-begin-so"),
        pytest.param({"names": ["*"]}, ["exemption-wildcard"], id="any-name"),
        pytest.param({"namespaces": None}, ["exemption-wide"], id="everywhere"),
        pytest.param({"namespaces": None, "namespaceSelector": {}}, ["exemption-wide"], id="empty-selector"),
        pytest.param({"namespaces": None, "names": ["db"]}, [], id="names"),
        pytest.param({"namespaces": None, "objectSelector": {"matchLabels": {"a": "b"}}}, [], id="selector"),
        pytest.param({"operations": None}, ["exemption-any-operation"], id="no-operations"),
        pytest.param({"operations": ["*"]}, ["exemption-any-operation"], id="star"),
        pytest.param(
            {"subjects": [{"kind": "Group", "name": "system:authenticated"}]}, ["exemption-crowd"], id="everybody"
        ),
        pytest.param({"subjects": [{"kind": "Group", "name": "system:masters"}]}, ["exemption-crowd"], id="masters"),
        pytest.param(
            {"subjects": [{"kind": "Group", "name": "system:serviceaccounts:prod"}]}, ["exemption-crowd"], id="accounts"
        ),
        pytest.param({"subjects": [{"kind": "Group", "name": "vm-admins"}]}, [], id="group"),
        pytest.param({"operations": ["DELETE"]}, ["exemption-never-matches"], id="operation-that-is-not-judged"),
        pytest.param(
            {"namespaces": None, "operations": None, "expires": "2026-01-01"}, ["exemption-expired"], id="only-expired"
        ),
    ],
)
def test_an_exemption_is_narrow_and_of_effect(spec: Json, expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(), exemption(**spec)) == expected


def test_an_exemption_for_namespaces_is_moot_where_there_are_none(tmp_path: Path) -> None:
    cluster_scoped = rule("UPDATE", group="migrations.kubevirt.io", resource="migrationpolicies")
    encrypted = {
        "expression": "!config.after.disableTLS",
        "messageExpression": "'disableTLS is ' + string(config.after.disableTLS)",
        "remediation": "encrypt",
    }
    given = policy(rules=[cluster_scoped], validations=[encrypted])
    assert rules_of(tmp_path, given, exemption()) == ["exemption-never-matches"]
    assert rules_of(tmp_path, given, exemption(namespaces=None, names=["p"])) == []


@pytest.mark.parametrize(
    ("spec", "idle"),
    [
        pytest.param({}, False, id="denies"),
        pytest.param({"validationActions": ["Warn"], "failurePolicy": "Ignore"}, True, id="warns"),
        pytest.param({"validationActions": ["Warn"]}, False, id="refuses-what-it-cannot-judge"),
        pytest.param({"validationActions": ["Audit"], "failurePolicy": "Ignore"}, True, id="records"),
    ],
)
def test_an_exemption_from_what_refuses_nothing(spec: Json, idle: bool, tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(**spec), exemption()) == (["exemption-idle"] if idle else [])


def test_a_binding_that_denies_makes_an_exemption_useful(tmp_path: Path) -> None:
    warns = policy(validationActions=["Warn"], failurePolicy="Ignore")
    bound = [binding(validationActions=["Warn"]), binding(name="strict", validationActions=["Deny"])]
    assert "exemption-idle" not in rules_of(tmp_path, warns, *bound, exemption())


@pytest.mark.parametrize(("count", "named", "wide"), [(2, 2, False), (3, 3, True), (4, 3, False), (12, 10, True)])
def test_an_exemption_from_every_policy(count: int, named: int, wide: bool, tmp_path: Path) -> None:
    policies = [policy(f"p{number}") for number in range(count)]
    found = rules_of(tmp_path, *policies, exemption(*(f"p{number}" for number in range(named))))
    assert found == (["exemption-of-everything"] if wide else [])
