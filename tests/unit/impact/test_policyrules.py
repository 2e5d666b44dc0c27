"""What a policy says of itself, as a rule of a report."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.impact.scans import policy, ready
from webhook.impact.policyrules import level_of, rules_of
from webhook.model.decision import Action
from webhook.output.finding import Level


def test_annotations_make_the_rule_each_policy_once_by_name(tmp_path: Path) -> None:
    annotations = {
        "migguard.io/title": "A title",
        "migguard.io/severity": "critical",
        "migguard.io/category": "storage",
        "migguard.io/reference": "a book",
        "migguard.io/description": "in\n  lines",
    }
    found = ready(tmp_path, policy("b", "true"), policy("a", "true", annotations=annotations))
    first, second = rules_of(one.document for one in (*found.objects, *found.objects))
    assert (first.name, first.title, first.severity, first.category) == ("a", "A title", "critical", "storage")
    assert (first.reference, first.description) == ("a book", "in lines")
    assert (second.name, second.title) == ("b", "")


def test_a_severity_that_reports_do_not_know_is_none(tmp_path: Path) -> None:
    (rule,) = rules_of(
        one.document
        for one in ready(tmp_path, policy("p", "true", annotations={"migguard.io/severity": "huge"})).objects
    )
    assert rule.severity == ""


@pytest.mark.parametrize(
    ("actions", "level"),
    [
        ({Action.DENY}, Level.ERROR),
        ({Action.DENY, Action.AUDIT}, Level.ERROR),
        ({Action.WARN, Action.AUDIT}, Level.WARNING),
        ({Action.AUDIT}, Level.NOTE),
    ],
)
def test_the_level_is_what_a_violation_leads_to(actions: set[Action], level: Level) -> None:
    assert level_of(actions) is level
