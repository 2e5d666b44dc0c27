"""Findings that an author has decided to live with."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import binding, exemption, findings, policy, rules_of

IGNORE = "migguard.io/lint-ignore"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("deny-ignores-errors", ["no-title"], id="one"),
        pytest.param("deny-ignores-errors, no-title", [], id="two"),
        pytest.param("no-title deny-ignores-errors\n", [], id="separated-by-space"),
        pytest.param(" ", ["deny-ignores-errors", "no-title"], id="nothing"),
        pytest.param("no-titel", ["deny-ignores-errors", "lint-ignore-unknown", "no-title"], id="unknown"),
        pytest.param("schema", ["deny-ignores-errors", "lint-ignore-unknown", "no-title"], id="what-must-be"),
        pytest.param("no-title, deny-ignores-errors, always-true", ["lint-ignore-unused"], id="nothing-to-silence"),
    ],
)
def test_rules_are_silenced_for_one_document(written: str, expected: list[str], tmp_path: Path) -> None:
    given = policy(failurePolicy="Ignore", notes={IGNORE: written, "migguard.io/title": ""})
    assert rules_of(tmp_path, given) == expected


def test_a_misspelt_rule_is_told_what_it_means(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, policy(notes={IGNORE: "no-titel"}))
    assert (found.message, found.hint) == ("there is no rule 'no-titel'", "did you mean 'no-title'?")


def test_another_document_is_not_silenced(tmp_path: Path) -> None:
    silent, loud = (policy(name, failurePolicy="Ignore") for name in ("a", "b"))
    silent["metadata"]["annotations"][IGNORE] = "deny-ignores-errors"
    assert [one.subject for one in findings(tmp_path, silent, loud)] == ["GuardPolicy b"]


def test_exemptions_have_the_annotation_too(tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(), exemption(namespaces=None, notes={IGNORE: "exemption-wide"})) == []


def test_what_the_webhook_insists_on_is_never_silenced(tmp_path: Path) -> None:
    given = binding("gard")
    given["metadata"]["annotations"] = {IGNORE: "unknown-name"}
    assert rules_of(tmp_path, policy(), given) == ["lint-ignore-unknown", "unknown-name"]
