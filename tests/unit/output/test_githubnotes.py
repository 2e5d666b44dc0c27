"""Annotations on a pull request."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support.findings import DENIED, NOTED, REPORT, report_of
from webhook.output.finding import Finding, Place
from webhook.output.githubnotes import write
from webhook.output.wording import totals

TITLE = "title=critical-flag%3A VirtualMachine prod/db"
OTHER = "title=timeout-bounds%3A VirtualMachine prod/db"
PLACE = "file=apps/db.yaml,line"


def test_each_finding_is_a_command_worst_first() -> None:
    assert write(REPORT).splitlines() == [
        "::error file=apps/bad.yaml,line=3,col=5,title=cannot be read::not valid YAML%0Acheck the indentation",
        f"::error {PLACE}=14,col=7,{TITLE}::VirtualMachine prod/db is flagged critical%0Aask a migration admin",
        f"::warning {PLACE}=20,col=3,{OTHER}::the timeout of 5 s is short",
        f"::notice {PLACE}=14,col=7,{OTHER}::sets spec.timeout to 30",
        "::notice file=apps/db.yaml,line=1,col=1,title=VirtualMachine prod/db::another VM of this name is in staging",
        "- asked as: jane",
        "- not examined: 2 (no policy is about ConfigMap)",
        f"migguard check: {totals(REPORT)}",
    ]


@pytest.mark.parametrize(
    ("finding", "expected"),
    [
        pytest.param(
            replace(DENIED, hint="", message="100% full\n::error::forged"),
            f"::error {PLACE}=14,col=7,{TITLE}::100%25 full ::error::forged",
            id="message",
        ),
        pytest.param(
            replace(NOTED, rule="a,b:c", subject="", place=Place(file="x,line=1::y.yaml"), message="m"),
            "::notice file=x%2Cline=1%3A%3Ay.yaml,title=a%2Cb%3Ac%3A VirtualMachine prod/db::m",
            id="properties",
        ),
    ],
)
def test_text_cannot_make_a_command_of_its_own(finding: Finding, expected: str) -> None:
    assert write(report_of(finding)).splitlines()[0] == expected


def test_settings_cannot_make_a_command() -> None:
    lines = write(replace(report_of(), settings={"::error::x": "y\n::error::z"})).splitlines()
    assert not [line for line in lines if line.startswith("::")]
