"""SARIF: valid against the OASIS schema, and with what code scanning reads."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from tests.support.findings import DENIED, REPORT, RULE, WARNED, report_of
from webhook import __version__
from webhook.output.finding import Finding, Place, Report
from webhook.output.sarif import FINGERPRINT, write

SCHEMA = json.loads(Path("tests/support/schemas/sarif-2.1.0.json").read_text(encoding="utf-8"))


def run(report: Report) -> dict[str, Any]:
    log = json.loads(write(report))
    jsonschema.Draft4Validator(SCHEMA).validate(log)
    made: dict[str, Any] = log["runs"][0]
    return made


def results(*findings: Finding) -> list[dict[str, Any]]:
    made: list[dict[str, Any]] = run(report_of(*findings))["results"]
    return made


def fingerprint(finding: Finding) -> str:
    made: str = results(finding)[0]["partialFingerprints"][FINGERPRINT]
    return made


def test_a_rule_is_described_for_code_scanning() -> None:
    driver = run(REPORT)["tool"]["driver"]
    assert (driver["name"], driver["version"]) == ("migguard", __version__)
    first, second = driver["rules"]
    assert first["helpUri"] == RULE.reference
    assert first["defaultConfiguration"] == {"level": "error"}
    assert first["properties"] == {
        "tags": ["security", "safety"],
        "precision": "high",
        "security-severity": "8.0",
        "severity": "high",
    }
    assert "helpUri" not in second, "a reference in words is no address"
    assert second["help"]["text"] == "See: KubeVirt, user guide"


def test_a_result_names_its_rule_place_and_object() -> None:
    first = run(REPORT)["results"][0]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("critical-flag", 0, "error")
    assert first["message"]["text"] == "VirtualMachine prod/db is flagged critical\nask a migration admin"
    assert first["locations"] == [
        {
            "physicalLocation": {
                "artifactLocation": {"uri": "apps/db.yaml", "uriBaseId": "%SRCROOT%"},
                "region": {"startLine": 14, "startColumn": 7},
            },
            "logicalLocations": [{"fullyQualifiedName": "VirtualMachine prod/db metadata.labels", "kind": "resource"}],
        }
    ]
    assert first["properties"] == {"policy": "critical-flag", "code": 403}


def test_a_rule_that_only_a_finding_names_is_there_too() -> None:
    made = run(report_of(replace(DENIED, rule="unheard-of")))
    assert made["tool"]["driver"]["rules"][made["results"][0]["ruleIndex"]]["id"] == "unheard-of"


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        pytest.param(replace(DENIED, place=Place(file="apps/db.yaml", line=99, column=1)), True, id="lines-move"),
        pytest.param(
            replace(DENIED, message="VirtualMachine prod/db is flagged critical", hint="other"), True, id="hint-changes"
        ),
        pytest.param(replace(DENIED, rule="timeout-bounds"), False, id="another-rule"),
        pytest.param(replace(DENIED, subject="VirtualMachine prod/db2"), False, id="another-object"),
        pytest.param(replace(DENIED, field="spec.running"), False, id="another-field"),
        pytest.param(replace(DENIED, place=Place(file="apps/other.yaml", line=14)), False, id="another-file"),
        pytest.param(replace(DENIED, message="something else"), False, id="another-message"),
    ],
)
def test_a_fingerprint_lasts_as_long_as_the_finding(changed: Finding, is_same: bool) -> None:
    assert (fingerprint(changed) == fingerprint(DENIED)) is is_same


def test_a_fingerprint_does_not_depend_on_the_numbers_in_a_message() -> None:
    assert fingerprint(replace(WARNED, message="5 s")) == fingerprint(replace(WARNED, message="61 s"))


def test_two_findings_alike_have_fingerprints_of_their_own() -> None:
    first, second = results(WARNED, WARNED)
    assert first["partialFingerprints"] != second["partialFingerprints"]


@pytest.mark.parametrize(
    ("file", "artifact"),
    [
        pytest.param("a b/ü:1.yaml", {"uri": "a%20b/%C3%BC%3A1.yaml", "uriBaseId": "%SRCROOT%"}, id="odd-characters"),
        pytest.param("/srv/x.yaml", {"uri": "file:///srv/x.yaml"}, id="absolute"),
    ],
)
def test_a_file_is_an_address(file: str, artifact: dict[str, str]) -> None:
    [result] = results(replace(DENIED, place=Place(file=file, line=1, column=1)))
    assert result["locations"][0]["physicalLocation"]["artifactLocation"] == artifact


def test_an_object_of_a_cluster_has_no_file() -> None:
    [result] = results(replace(DENIED, place=Place()))
    assert list(result["locations"][0]) == ["logicalLocations"]


def test_the_run_tells_how_it_ended_and_what_it_could_not_look_at() -> None:
    invocation = run(REPORT)["invocations"][0]
    assert (invocation["executionSuccessful"], invocation["exitCode"]) == (False, 2)
    assert [(one["level"], one["message"]["text"]) for one in invocation["toolExecutionNotifications"]] == [
        ("error", "not valid YAML\ncheck the indentation"),
        ("note", "VirtualMachine prod/old was not judged: exemption 'old-vms' lets it through"),
        ("note", "VirtualMachine prod/db: another VM of this name is in staging"),
        ("note", "2 not examined: no policy is about ConfigMap"),
    ]
    assert invocation["toolExecutionNotifications"][0]["locations"][0]["physicalLocation"]["region"]["startLine"] == 3


@pytest.mark.parametrize(
    ("message", "text"),
    [
        pytest.param("set {0} to {}", "set {{0}} to {{}}", id="no-placeholder"),
        pytest.param("see [here](https://evil.example)", "see [here] (https://evil.example)", id="no-link"),
        pytest.param("spec.disks[0] is [a]", "spec.disks[0] is [a]", id="brackets-that-are-text"),
    ],
)
def test_a_message_is_plain_text(message: str, text: str) -> None:
    assert results(replace(WARNED, message=message))[0]["message"] == {"text": text}
