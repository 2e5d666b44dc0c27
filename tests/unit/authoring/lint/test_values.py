"""Comparisons of what has a few known values with something else."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import findings, policy, rule, rules_of, validation

VMIMS = rule("DELETE", resource="virtualmachineinstancemigrations")


@pytest.mark.parametrize(
    ("expression", "hint"),
    [
        pytest.param("request.operation == 'DELETE' || vmi.found", "", id="good"),
        pytest.param("request.operation != 'Update' && vmi.found", "did you mean 'UPDATE'?", id="case"),
        pytest.param("'drain' == requester.origin || vmi.found", "did you mean 'Drain'?", id="sides-exchanged"),
        pytest.param("requester.origin in ['User', 'Drian'] || vmi.found", "did you mean 'Drain'?", id="list"),
        pytest.param(
            "request.operation == 'PATCH' || vmi.found",
            "it is one of CREATE, UPDATE, DELETE, CONNECT", id="nothing-like-it",
        ),
        pytest.param("requester.origin == vmi.name || vmi.found", "", id="no-constant"),
        pytest.param("request.name == 'Update' || vmi.found", "", id="another-name"),
        pytest.param("[{'operation': 'x'}].all(request, request.operation == 'x') || vmi.found", "", id="macro"),
    ],
)  # fmt: skip
def test_what_is_compared_is_a_value(expression: str, hint: str, tmp_path: Path) -> None:
    given = policy(rules=[rule("UPDATE", "DELETE")], validations=[validation(expression)])
    assert [(one.rule, one.hint) for one in findings(tmp_path, given)] == ([("unknown-value", hint)] if hint else [])


@pytest.mark.parametrize(("value", "expected"), [("", []), ("Drain", []), ("drain", ["unknown-value"])])
def test_who_made_a_migration_may_be_unknown(value: str, expected: list[str], tmp_path: Path) -> None:
    given = policy(rules=[VMIMS], validations=[validation(f"vmim.origin == '{value}' || vmi.found")])
    assert rules_of(tmp_path, given) == expected
