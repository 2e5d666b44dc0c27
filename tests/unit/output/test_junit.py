"""JUnit XML: valid against the schema of the Jenkins plugin, and read by other readers."""

from __future__ import annotations

from dataclasses import replace
from xml.etree import ElementTree as ET

import junitparser
import xmlschema

from tests.support.findings import DENIED, REPORT, report_of
from webhook.output.finding import Report
from webhook.output.junit import write

SCHEMA = xmlschema.XMLSchema("tests/support/schemas/junit-10.xsd")


def suites(report: Report) -> list[junitparser.TestSuite]:
    text = write(report)
    SCHEMA.validate(text)
    return list(junitparser.JUnitXml.fromstring(text.encode()))


def test_a_file_is_a_suite_and_a_manifest_is_a_case() -> None:
    db, web, unread = suites(REPORT)
    assert [(suite.name, suite.tests, suite.failures, suite.errors, suite.skipped) for suite in (db, web, unread)] == [
        ("apps/db.yaml", 1, 1, 0, 0),
        ("apps/web.yaml", 2, 0, 0, 1),
        ("migguard check", 1, 0, 1, 0),
    ]
    assert [(case.classname, case.name) for case in web] == [
        ("apps/web.yaml", "VirtualMachine prod/web"),
        ("apps/web.yaml", "VirtualMachine prod/old"),
    ]


def test_errors_are_one_failure_and_the_rest_is_output() -> None:
    [case] = next(iter(suites(REPORT)))
    [failure] = case.result
    assert isinstance(failure, junitparser.Failure)
    assert (failure.type, failure.message) == ("critical-flag", "VirtualMachine prod/db is flagged critical")
    assert failure.text == (
        "apps/db.yaml:14:7: error: VirtualMachine prod/db is flagged critical [critical-flag]\n"
        "    ask a migration admin"
    )
    assert "warning: the timeout of 5 s is short [timeout-bounds]" in str(case.system_out)


def test_a_hint_of_several_lines_keeps_its_indentation() -> None:
    [suite] = suites(report_of(replace(DENIED, hint="absent:\n  - {kind: Namespace}")))
    [failure] = next(iter(suite)).result
    assert str(failure.text).endswith("]\n    absent:\n      - {kind: Namespace}")


def test_a_failure_says_how_many_more_errors_there_are() -> None:
    [suite] = suites(report_of(DENIED, replace(DENIED, message="another"), replace(DENIED, message="a third")))
    [case] = suite
    [failure] = case.result
    assert failure.message == "VirtualMachine prod/db is flagged critical (and 2 more errors)"
    assert "a third" in str(failure.text)


def test_an_exemption_is_a_skipped_case_and_an_unreadable_file_an_error() -> None:
    _, web, unread = suites(REPORT)
    assert [type(result).__name__ for case in web for result in case.result] == ["Skipped"]
    assert [result.message for case in unread for result in case.result] == ["not valid YAML"]


def test_what_the_result_rests_on_is_a_property() -> None:
    suite = ET.fromstring(write(REPORT)).find("testsuite")
    assert suite is not None
    assert [(one.get("name"), one.get("value")) for one in suite.iter("property")] == [
        ("asked as", "jane"),
        ("not examined", "2 (no policy is about ConfigMap)"),
    ]


def test_a_report_on_nothing_is_still_a_document() -> None:
    assert [suite.tests for suite in suites(replace(report_of(), examined=()))] == [0]
