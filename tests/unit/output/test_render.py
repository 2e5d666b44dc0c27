"""Every form is valid whatever text findings hold."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from pathlib import Path

import jsonschema
import pytest
import xmlschema
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support.findings import REPORT
from webhook.errors import Problem, UsageError
from webhook.output.finding import Examined, Finding, Level, Place, Report, Rule
from webhook.output.markdownreport import MAX_CHARACTERS
from webhook.output.render import FORMS, render

SARIF = jsonschema.Draft4Validator(json.loads(Path("tests/support/schemas/sarif-2.1.0.json").read_text("utf-8")))
JUNIT = xmlschema.XMLSchema("tests/support/schemas/junit-10.xsd")

NASTY = [
    "",
    "\x00",
    "\x1b[31m",
    "a|b",
    "l1\nl2\r\n",
    "::error::x",
    "100%",
    "]]>",
    "<b>&amp;",
    "\ud800",
    "\ufffe",
    "{0}",
]
TEXT = st.one_of(st.sampled_from(NASTY), st.text(st.characters(), max_size=20))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | TEXT, lambda below: st.lists(below, max_size=2), max_leaves=3
)
PLACES = st.builds(Place, file=TEXT, line=st.integers(0, 9), column=st.integers(0, 9))
FINDINGS = st.builds(
    Finding,
    rule=TEXT,
    level=st.sampled_from(Level),
    message=TEXT,
    hint=TEXT,
    place=PLACES,
    subject=TEXT,
    field=TEXT,
    properties=st.dictionaries(TEXT, JSON, max_size=2),
)
EXAMINED = st.builds(
    Examined,
    subject=TEXT,
    place=PLACES,
    findings=st.lists(FINDINGS, max_size=3).map(tuple),
    notes=st.lists(TEXT, max_size=2).map(tuple),
    skipped=TEXT,
)
REPORTS = st.builds(
    Report,
    command=st.sampled_from(["lint", "check", "scan"]),
    rules=st.lists(
        st.builds(Rule, name=TEXT, title=TEXT, description=TEXT, severity=TEXT, category=TEXT, reference=TEXT),
        max_size=3,
    ).map(tuple),
    examined=st.lists(EXAMINED, max_size=3).map(tuple),
    revision=TEXT,
    settings=st.dictionaries(TEXT, TEXT, max_size=2),
    left_out=st.dictionaries(TEXT, st.integers(1, 9), max_size=2),
    problems=st.lists(st.builds(Problem, where=TEXT, message=TEXT, hint=TEXT), max_size=2).map(tuple),
    warning_exit_code=st.integers(0, 9),
)
CONTROL = re.compile("[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e]")


def valid_table(text: str, report: Report) -> None:
    assert not CONTROL.search(text)
    assert sum(re.match("(error|warning|note)( |$)", line) is not None for line in text.splitlines()) == _shown(report)


def valid_github(text: str, report: Report) -> None:
    assert not CONTROL.search(text)
    commands = [line for line in text.split("\n") if line.startswith("::")]
    assert len(commands) == _shown(report) + len(report.problems)
    for command in commands:
        assert re.fullmatch(
            r"::(error|warning|notice)( (file|line|col|title)=[^:,]*(,(line|col|title)=[^:,]*)*)?::.+", command
        )


def valid_markdown(text: str, report: Report) -> None:
    assert len(text) <= MAX_CHARACTERS
    rows = [line for line in text.split("\n") if line.startswith("|")]
    assert {len(re.findall(r"(?<!\\)\|", row)) for row in rows} <= {3, 4, 5}
    assert text.count("<details>") == text.count("</details>")


def valid_json(text: str, report: Report) -> None:
    assert not CONTROL.search(text)
    assert json.loads(text)["summary"]["exitCode"] == report.exit_code


def valid_yaml(text: str, report: Report) -> None:
    assert not CONTROL.search(text)
    assert yaml.safe_load(text) == json.loads(render(report, "json"))


def valid_sarif(text: str, report: Report) -> None:
    assert not CONTROL.search(text)
    SARIF.validate(json.loads(text))


def valid_junit(text: str, report: Report) -> None:
    JUNIT.validate(text)


VALID: Mapping[str, Callable[[str, Report], None]] = {
    "table": valid_table,
    "json": valid_json,
    "yaml": valid_yaml,
    "junit": valid_junit,
    "sarif": valid_sarif,
    "markdown": valid_markdown,
    "github": valid_github,
}


def _shown(report: Report) -> int:
    return sum(len(one.shown) for one in report.examined)


@pytest.mark.parametrize("form", FORMS)
@given(report=REPORTS)
def test_any_text_in_a_report_gives_valid_output(form: str, report: Report) -> None:
    text = render(report, form)
    assert text.encode(), "it can be printed"
    assert text == render(report, form), "it is stable"
    VALID[form](text, report)


@pytest.mark.parametrize("form", FORMS)
def test_no_form_ends_with_an_empty_line(form: str) -> None:
    assert render(REPORT, form) == render(REPORT, form).strip("\n")


def test_a_form_that_there_is_not_is_refused() -> None:
    with pytest.raises(UsageError, match="'xml' is no form of output"):
        render(REPORT, "xml")
