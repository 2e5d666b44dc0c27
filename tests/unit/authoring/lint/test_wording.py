"""What a policy tells people: its title and severity, what is wrong, and what to do."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, binding, findings, policy, rules_of, validation


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("title", "no-title"),
        ("severity", "no-severity"),
        ("category", "no-category"),
        ("description", "no-description"),
        ("reference", "no-reference"),
    ],
)
@pytest.mark.parametrize("value", [None, "  "], ids=["missing", "blank"])
def test_a_policy_says_what_it_is_for(name: str, rule: str, value: str | None, tmp_path: Path) -> None:
    given = policy()
    annotations = given["metadata"]["annotations"]
    annotations.pop(f"migguard.io/{name}")
    if value is not None:
        annotations[f"migguard.io/{name}"] = value
    assert rules_of(tmp_path, given) == [rule]


def test_a_severity_is_one_of_five(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, policy(notes={"migguard.io/severity": "hihg"}))
    assert (found.rule, found.message, found.hint) == ("no-severity", "'hihg' is no severity", "did you mean 'high'?")


def test_titles_are_told_apart(tmp_path: Path) -> None:
    one, other = (
        policy(name, notes={"migguard.io/title": title}) for name, title in (("a", "VMs stay"), ("b", "vms  stay"))
    )
    (found,) = findings(tmp_path, one, other)
    assert (found.rule, found.subject, found.message) == (
        "same-title",
        "GuardPolicy b",
        "policy 'a' has the same title",
    )


NO_STEP = {"expression": "!vmi.critical", "messageExpression": "'VM ' + vmi.name"}


@pytest.mark.parametrize(
    ("spec", "expected"),
    [
        pytest.param({"validations": [NO_STEP]}, ["no-remediation"], id="deny"),
        pytest.param({"validations": [NO_STEP], "validationActions": ["Warn"]}, [], id="warn"),
        pytest.param({"failurePolicy": "Ignore"}, ["deny-ignores-errors"], id="deny-and-ignore"),
        pytest.param({"failurePolicy": "Ignore", "validationActions": ["Warn"]}, [], id="warn-and-ignore"),
        pytest.param(
            {"validations": [{**NO_STEP, "remediationExpression": "'ask ' + vmi.name"}]}, [], id="step-by-expression"
        ),
    ],
)
def test_a_refusal_names_a_next_step(spec: Json, expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(**spec)) == expected


def test_a_binding_decides_what_a_policy_does(tmp_path: Path) -> None:
    warns = policy(validations=[NO_STEP], validationActions=["Warn"])
    assert rules_of(tmp_path, warns, binding(validationActions=["Deny"])) == ["no-remediation"]
    denies = policy(validations=[NO_STEP])
    assert rules_of(tmp_path, denies, binding(validationActions=["Warn"])) == []


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param(validation(), [], id="expression"),
        pytest.param({**NO_STEP, "message": "m", "remediation": "r"}, [], id="expression-and-text"),
        pytest.param(
            {"expression": "!vmi.critical", "message": "m", "remediation": "r"}, ["constant-message"], id="fact"
        ),
        pytest.param(
            {"expression": "object.a == 1", "message": "m", "remediation": "r"}, ["constant-message"], id="object"
        ),
        pytest.param(
            {"expression": "variables.bad", "message": "m", "remediation": "r"},
            ["constant-message"],
            id="by-a-variable",
        ),
        pytest.param(
            {"expression": "request.dryRun == true", "message": "m", "remediation": "r"}, [], id="request-alone"
        ),
    ],
)
def test_a_refusal_says_something_of_the_object(given: Json, expected: list[str], tmp_path: Path) -> None:
    variables = [{"name": "bad", "expression": "vmi.critical"}]
    spec: Json = {"variables": variables} if "variables" in given["expression"] else {}
    document = policy(validations=[given], **spec)
    assert rules_of(tmp_path, document) == expected
    warns = {**document, "spec": {**document["spec"], "validationActions": ["Warn"]}}
    assert rules_of(tmp_path, warns) == []


def test_parts_are_told_apart_by_name(tmp_path: Path) -> None:
    conditions = [{"name": "c", "expression": "vmi.found"}, {"name": "c", "expression": "vmi.migratable"}]
    (found,) = findings(tmp_path, policy(matchConditions=conditions))
    assert (found.rule, found.message) == ("duplicate-part", "'c' stands twice among the matchConditions")
