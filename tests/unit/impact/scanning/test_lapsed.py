"""Exemptions that have run out or soon will, as a scan tells of them."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.impact.scans import NOW, exemption, policies_in, policy
from webhook.admission.natives import CATALOG
from webhook.impact.scanning.lapsed import lapsed
from webhook.output.finding import Level
from webhook.policy.policyset import load


@pytest.mark.parametrize(
    ("expires", "expected"),
    [
        pytest.param("2026-03-01", ("exemption-expired", Level.WARNING), id="over"),
        pytest.param("2026-03-02T12:00:00Z", ("exemption-expired", Level.WARNING), id="over-at-this-moment"),
        pytest.param("2026-03-02T12:00:01Z", ("exemption-expiring", Level.NOTE), id="over-in-a-second"),
        pytest.param("2026-03-16", ("exemption-expiring", Level.NOTE), id="over-in-two-weeks"),
        pytest.param("2026-03-17", None, id="good-for-longer"),
    ],
)
def test_an_exemption_is_told_of_from_two_weeks_before_its_end(
    tmp_path: Path, expires: str, expected: tuple[str, Level] | None
) -> None:
    policies = load(
        [policies_in(tmp_path, policy("p", "true"), exemption("e", "p", expires=expires))], CATALOG, now=NOW
    )
    found = lapsed(policies.exemptions, NOW).examined
    assert [(one.rule, one.level) for examined in found for one in examined.findings] == (
        [expected] if expected else []
    )


def test_it_says_whose_it_is_what_it_spared_and_where_it_stands_the_oldest_first(tmp_path: Path) -> None:
    documents = [
        policy("p", "true"),
        exemption("soon", "p", expires="2026-03-10"),
        exemption("over", "p", expires="2026-03-01"),
    ]
    policies = load([policies_in(tmp_path, *documents)], CATALOG, now=NOW)
    over, soon = lapsed(policies.exemptions, NOW).examined
    assert (over.subject, soon.subject) == ("Exemption over", "Exemption soon")
    assert str(soon.place).rpartition("/")[2] == "policies.yaml:23:1"
    assert over.findings[0].message == "exemption 'over' from p ran out on 2026-03-01 and no longer counts"
    assert over.findings[0].hint == "remove it; if it is still needed, let its owner team-db ask again (OPS-7)"
    assert soon.findings[0].message == "exemption 'soon' from p runs out on 2026-03-10"
