"""A report as JUnit XML: a test suite for each file, a test case for each thing examined.

Source: ``junit-10.xsd`` of the Jenkins xUnit plugin, the strictest of the schemas in use.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Sequence
from xml.etree.ElementTree import Element, SubElement, indent, tostring

from webhook.errors import Problem
from webhook.output.finding import Examined, Finding, Level, Place, Report
from webhook.output.wording import circumstances, counted

_NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]|[\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
"""What XML cannot hold, and what it discourages or a terminal obeys. Source: XML 1.0, production 2, Char."""

_COUNTED = {"tests": "testcase", "failures": "failure", "errors": "error", "skipped": "skipped"}


def write(report: Report) -> str:
    """Return the XML document."""
    root = Element("testsuites", name=_text(f"migguard {report.command}"))
    by_file: dict[str, list[Examined]] = {}
    for one in report.examined:
        by_file.setdefault(one.place.file, []).append(one)
    for file, group in by_file.items():
        _suite(root, report, file, map(_case, group))
    if report.problems or not report.examined:
        _suite(root, report, "", map(_unread, report.problems))
    _count(root, ("tests", "failures", "errors"))
    indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{tostring(root, encoding="unicode")}'


def _suite(root: Element, report: Report, file: str, cases: Iterable[Element]) -> None:
    suite = SubElement(root, "testsuite", name=_text(file or f"migguard {report.command}"))
    properties = SubElement(suite, "properties")
    for name, text in circumstances(report):
        SubElement(properties, "property", name=_text(name), value=_text(text))
    suite.extend(cases)
    _count(suite, _COUNTED)


def _count(node: Element, attributes: Iterable[str]) -> None:
    for attribute in attributes:
        node.set(attribute, str(sum(1 for _ in node.iter(_COUNTED[attribute]))))


def _case(one: Examined) -> Element:
    file = one.place.file or one.subject
    case = Element("testcase", name=_text(one.subject or str(one.place)), classname=_text(file))
    errors = [finding for finding in one.shown if finding.level is Level.ERROR]
    others = [finding for finding in one.shown if finding.level is not Level.ERROR]
    if errors:
        more = f" (and {counted(len(errors) - 1, 'more error')})" if len(errors) > 1 else ""  # readers show one failure
        _outcome(case, "failure", errors[0].rule, f"{errors[0].message}{more}").text = _text(_lines(errors))
    elif one.skipped:
        _outcome(case, "skipped", "skipped", one.skipped)
    if others:
        SubElement(case, "system-out").text = _text(_lines(others))
    return case


def _unread(problem: Problem) -> Element:
    file = Place.of(problem.where).file or "input"
    case = Element("testcase", name=_text(problem.where or "input"), classname=_text(file))
    _outcome(case, "error", "unreadable", problem.message).text = _text(str(problem))
    return case


def _outcome(case: Element, tag: str, kind: str, message: str) -> Element:
    return SubElement(case, tag, type=_text(kind), message=_text(message))


def _lines(findings: Sequence[Finding]) -> str:
    return "\n".join(
        f"{place}{finding.level}: {finding.message}{rule}{hint}"
        for finding in findings
        for place in [f"{finding.place}: " if str(finding.place) else ""]
        for rule in [f" [{finding.rule}]" if finding.rule else ""]
        for hint in [f"\n{textwrap.indent(finding.hint, '    ')}" if finding.hint else ""]
    )


def _text(text: str) -> str:
    """Only characters that XML can hold."""
    return _NOT_XML.sub("\ufffd", text)
