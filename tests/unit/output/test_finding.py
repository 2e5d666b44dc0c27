"""Findings: places read from documents' own words, and what makes a report fail."""

from __future__ import annotations

import pytest

from webhook.output.finding import Examined, Finding, Level, Place, Report


@pytest.mark.parametrize(
    ("where", "place"),
    [
        ("a/b.yaml:3:14", Place(file="a/b.yaml", line=3, column=14)),
        ("C:/odd:name.yaml:3:14", Place(file="C:/odd:name.yaml", line=3, column=14)),
        ("a.yaml", Place(file="a.yaml")),
        ("standard input", Place(file="standard input")),
        ("", Place()),
    ],
)
def test_a_place_is_read_as_documents_write_it(where: str, place: Place) -> None:
    assert Place.of(where) == place
    assert str(place) == where


@pytest.mark.parametrize(
    ("levels", "failed"),
    [((), False), ((Level.NOTE, Level.WARNING), False), ((Level.NOTE, Level.ERROR), True)],
)
def test_only_an_error_fails_a_report(levels: tuple[Level, ...], failed: bool) -> None:
    findings = tuple(Finding(rule="r", level=level, message="m") for level in levels)
    report = Report(command="check", rules=(), examined=(Examined(subject="a", findings=findings),))
    assert report.failed is failed
    assert sum(report.count(level) for level in Level) == len(report.findings) == len(levels)
