"""What a report says of itself."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.findings import DB, DENIED, FINE, NOTED, REPORT, WARNED, report_of
from webhook.output.finding import Finding, Level, Place


@pytest.mark.parametrize(
    ("findings", "warning_exit_code", "expected"),
    [
        pytest.param((), 0, 0, id="nothing-found"),
        pytest.param((NOTED,), 7, 0, id="notes-alone"),
        pytest.param((WARNED,), 0, 0, id="warnings-count-only-if-asked"),
        pytest.param((WARNED, NOTED), 7, 7, id="warnings-have-a-code-of-their-own"),
        pytest.param((WARNED, DENIED), 7, 1, id="an-error-outweighs-a-warning"),
    ],
)
def test_the_exit_code_is_that_of_the_worst_finding(
    findings: tuple[Finding, ...], warning_exit_code: int, expected: int
) -> None:
    assert replace(report_of(*findings), warning_exit_code=warning_exit_code).exit_code == expected


def test_what_could_not_be_read_outweighs_what_was_found() -> None:
    assert REPORT.failed
    assert REPORT.exit_code == 2


def test_the_summary_counts_things_and_findings_apart() -> None:
    assert REPORT.summary == {
        "examined": 3,
        "failed": 1,
        "skipped": 1,
        "errors": 1,
        "warnings": 1,
        "notes": 2,
        "problems": 1,
    }


def test_findings_are_shown_worst_first_with_place_and_subject() -> None:
    bare = Finding(rule="any", level=Level.WARNING, message="no place of its own")
    shown = replace(DB, findings=(NOTED, bare, DENIED)).shown
    assert [one.level for one in shown] == [Level.ERROR, Level.WARNING, Level.NOTE, Level.NOTE]
    assert [(one.subject, str(one.place)) for one in shown[:2]] == [
        ("VirtualMachine prod/db", "apps/db.yaml:14:7"),
        ("VirtualMachine prod/db", "apps/db.yaml:1:1"),
    ]
    assert not FINE.shown


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        pytest.param("a/b.yaml:3:5", Place(file="a/b.yaml", line=3, column=5), id="with-line-and-column"),
        pytest.param("a/b.yaml", Place(file="a/b.yaml"), id="a-file-alone"),
        pytest.param("C:x", Place(file="C:x"), id="a-colon-in-the-name"),
        pytest.param("", Place(), id="nowhere"),
    ],
)
def test_a_place_is_read_as_documents_write_it(where: str, expected: Place) -> None:
    assert Place.of(where) == expected
    assert str(Place.of(where)) == where
