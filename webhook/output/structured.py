"""A report as JSON or YAML: everything it holds, for programs."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

import yaml

from webhook.errors import Problem
from webhook.model.objects import JSON
from webhook.output.finding import Examined, Finding, Place, Report, Rule

_OBEYED = re.compile("[\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069]")
"""Characters that JSON and YAML let stand as they are and a terminal obeys."""


def as_json(report: Report) -> str:
    """Return the report as one JSON object."""
    return json_text(tree(report))


def as_yaml(report: Report) -> str:
    """Return the report as YAML, with the same content as the JSON."""
    content = json.loads(as_json(report).encode("utf-8", "replace"))  # no shared parts, hence no anchors
    return _escaped(yaml.dump(content, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100))


def json_text(value: JSON) -> str:
    """Return JSON for people too: indented, in any script, and nothing in it that a terminal would obey."""
    return _escaped(json.dumps(value, indent=2, ensure_ascii=False))


def _escaped(written: str) -> str:
    """Write what a terminal obeys as an escape; such characters stand between double quotes only."""
    return _OBEYED.sub(lambda found: f"\\u{ord(found[0]):04x}", written)


class _Dumper(yaml.SafeDumper):
    """Quotes each text that holds what a terminal obeys."""


def _text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _OBEYED.search(text) else None)


_Dumper.add_representer(str, _text)


def tree(report: Report) -> dict[str, JSON]:
    """Return the report as JSON values; what is empty is left out of findings and of what was examined."""
    return {
        "command": report.command,
        "revision": report.revision,
        "settings": dict(report.settings),
        "summary": {**report.summary, "exitCode": report.exit_code},
        "examined": [_examined(one) for one in report.examined],
        "leftOut": dict(report.left_out),
        "problems": [_problem(problem) for problem in report.problems],
        "rules": [_rule(rule) for rule in report.rules],
    }


def _rule(rule: Rule) -> dict[str, JSON]:
    return _filled(
        {
            "name": rule.name,
            "title": rule.title,
            "description": rule.description,
            "severity": rule.severity,
            "category": rule.category,
            "reference": rule.reference,
        }
    )


def _examined(one: Examined) -> dict[str, JSON]:
    return _filled(
        {
            "subject": one.subject,
            "place": _place(one.place),
            "skipped": one.skipped,
            "findings": [_finding(finding) for finding in one.findings],
            "notes": list(one.notes),
        }
    )


def _finding(finding: Finding) -> dict[str, JSON]:
    return _filled(
        {
            "rule": finding.rule,
            "level": str(finding.level),
            "message": finding.message,
            "hint": finding.hint,
            "place": _place(finding.place),
            "subject": finding.subject,
            "field": finding.field,
            "properties": dict(finding.properties),
        }
    )


def _place(place: Place) -> dict[str, JSON]:
    return _filled({"file": place.file, "line": place.line, "column": place.column})


def _problem(problem: Problem) -> dict[str, JSON]:
    return _filled({"place": _place(Place.of(problem.where)), "message": problem.message, "hint": problem.hint})


def _filled(fields: Mapping[str, JSON]) -> dict[str, JSON]:
    return {name: value for name, value in fields.items() if value not in ("", 0, [], {})}
