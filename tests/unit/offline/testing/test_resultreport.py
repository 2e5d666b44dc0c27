"""Results for pipelines: JUnit against its schema, Markdown and notes for a pull request, JSON."""

import json
from pathlib import Path

import junitparser
import pytest
import xmlschema

from tests.support.policytests import POLICIES, Write, case
from webhook.offline.testing import resultjson
from webhook.offline.testing.resultreport import report_of
from webhook.offline.testing.results import Asked, Results, run_all
from webhook.output.render import render

SCHEMA = xmlschema.XMLSchema("tests/support/schemas/junit-10.xsd")


@pytest.fixture(name="results")
def mixed_results(write: Write, tmp_path: Path) -> Results:
    """A case that passed, one that failed, a test that cannot be read, a policy without tests, too little coverage."""
    folder = write(
        case({"allowed": True}, name="good"), case({"message": "carol", "code": 403}, name="bad", user="bob")
    )
    (folder / "policies/demo/tests/torn.yaml").write_text("kind: PolicyTest\n  spec: [")
    (tmp_path / "more.yaml").write_text(POLICIES.split("---")[0].replace("may-migrate", "untested"))
    return run_all(Asked(paths=(folder,), coverage=True, minimum=99, require_tests=True))


def test_junit_has_a_case_for_each_case_and_for_what_else_failed(results: Results) -> None:
    text = render(report_of(results), "junit")
    SCHEMA.validate(text)
    cases = {one.name: one for suite in junitparser.JUnitXml.fromstring(text.encode()) for one in suite}
    outcome = {name: type(one.result[0]).__name__ if one.result else "" for name, one in cases.items()}
    torn = next(name for name in cases if "torn.yaml" in name)
    assert outcome == {
        "demo/good": "",
        "demo/bad": "Failure",
        "tests of untested": "Failure",
        "coverage of may-migrate: 83.3 % (5 of 6)": "",
        "coverage of priority: 57.1 % (4 of 7)": "",
        "coverage of untested: 0.0 % (0 of 6)": "",
        "coverage": "Failure",
        torn: "Error",
    }
    failure = cases["demo/bad"].result[0]
    assert failure.message == "code: expected 403, got 422 (and 1 more error)"
    assert 'message: expected "carol", got "Virtual' in failure.text


def test_markdown_shows_numbers_errors_and_gaps(results: Results) -> None:
    text = render(report_of(results), "markdown")
    assert "- cases: 1 passed, 1 failed\n- coverage: 47.3 % (9 of 19), policies in full: 0 of 3\n" in text
    assert "**Errors: 4**" in text
    assert "policy 'untested' was never judged |" in text


def test_github_marks_the_line_of_the_case_and_of_the_gap(results: Results) -> None:
    notes = render(report_of(results), "github").splitlines()
    assert any(note.startswith("::error file=") and "title=code%3A demo/bad" in note for note in notes)
    assert any(
        note.startswith("::warning file=") and "title=coverage%3A policy untested::policy 'untested'" in note
        for note in notes
    )


def test_json_has_it_all(results: Results) -> None:
    report = json.loads(resultjson.write(results))
    assert (report["passed"], report["failed"], report["tests"]) == (1, 1, 1)
    assert [(one["case"], one["passed"]) for one in report["cases"]] == [("good", True), ("bad", False)]
    assert report["cases"][1]["decision"]["results"] == {"may-migrate": "fail", "priority": "pass"}
    assert [one["policy"] for one in report["untested"]] == ["untested"]
    assert [one["where"].split(":")[0].endswith("torn.yaml") for one in report["problems"]] == [True]
    coverage = report["coverage"]
    assert (coverage["percent"], coverage["exercised"], coverage["total"], coverage["minimum"]) == (47.3, 9, 19, 99)
    assert coverage["policies"]["untested"] == {"percent": 0.0, "exercised": 0, "total": 6}
    assert coverage["gaps"][0]["what"] == "policy 'untested'"


def test_json_has_what_was_asked_for_only(write: Write) -> None:
    folder = write(case({"allowed": True}))
    assert "coverage" not in json.loads(resultjson.write(run_all(Asked(paths=(folder,)))))
    (traced,) = json.loads(resultjson.write(run_all(Asked(paths=(folder,), trace=True))))["cases"]
    assert traced["trace"]["allowed"] is True
