"""A report as SARIF 2.1.0, for code scanning and editors.

Source: OASIS, "Static Analysis Results Interchange Format (SARIF) Version 2.1.0"; GitHub documentation, "SARIF support
for code scanning", for ``security-severity``, tags and fingerprints.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import PurePath
from urllib.parse import quote

from webhook import __version__
from webhook.errors import Problem
from webhook.model.objects import JSON
from webhook.output.finding import Finding, Level, Place, Report, Rule
from webhook.output.structured import json_text

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
FINGERPRINT = "migguardFinding/v1"
"""Name of the fingerprint by which two runs know the same finding."""

_ROOT = "%SRCROOT%"
_SCORES: Mapping[str, str] = {"critical": "9.5", "high": "8.0", "medium": "5.5", "low": "2.0"}
"""Numbers that code scanning shows as just these severities: above 9.0, from 7.0, from 4.0, below."""
_LEVELS: Mapping[str, Level] = {
    "critical": Level.ERROR,
    "high": Level.ERROR,
    "medium": Level.WARNING,
    "low": Level.NOTE,
    "info": Level.NOTE,
}
_EXITS: Mapping[int, str] = {0: "nothing was refused", 1: "errors were found", 2: "not everything could be read"}
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f]")


def write(report: Report) -> str:
    """Return the log with its one run."""
    log = {"$schema": SCHEMA, "version": "2.1.0", "runs": [_run(report)]}
    return json_text(log)


def _run(report: Report) -> dict[str, JSON]:
    found = [finding for one in report.examined for finding in one.shown if finding.rule]
    rules = _rules(report.rules, found)
    index = {rule.name: at for at, rule in enumerate(rules)}
    return {
        "tool": {
            "driver": {
                "name": "migguard",
                "version": __version__,
                "semanticVersion": __version__,
                "rules": [_rule(rule) for rule in rules],
            }
        },
        "automationDetails": {"id": f"migguard/{report.command}/"},
        "originalUriBaseIds": {_ROOT: {"description": {"text": "The directory that migguard ran in."}}},
        "columnKind": "unicodeCodePoints",
        "invocations": [_invocation(report)],
        "properties": {"revision": report.revision, "settings": dict(report.settings)},
        "results": [
            _result(finding, index[finding.rule], fingerprint)
            for finding, fingerprint in zip(found, _fingerprints(found), strict=True)
        ],
    }


def _rules(rules: Iterable[Rule], found: Iterable[Finding]) -> Sequence[Rule]:
    """All rules by name, with those that only a finding names."""
    named = {finding.rule: Rule(name=finding.rule) for finding in found} | {rule.name: rule for rule in rules}
    return [named[name] for name in sorted(named)]


def _rule(rule: Rule) -> dict[str, JSON]:
    title = rule.title or rule.name
    paragraphs = [text for text in (rule.description, f"See: {rule.reference}" if rule.reference else "") if text]
    made: dict[str, JSON] = {
        "id": rule.name,
        "shortDescription": _message(title),
        "fullDescription": _message(rule.description or title),
        "help": _message("\n\n".join(paragraphs) or title),
        "defaultConfiguration": {"level": str(_LEVELS.get(rule.severity, Level.WARNING))},
        "properties": _rule_properties(rule),
    }
    if re.fullmatch(r"https?://[!-~]+", rule.reference):
        made["helpUri"] = quote(rule.reference, safe="%/:?#[]@!$&'()*+,;=~")
    return made


def _rule_properties(rule: Rule) -> dict[str, JSON]:
    """What code scanning filters and sorts by; it reads ``security-severity`` of rules tagged ``security`` only."""
    score = _SCORES.get(rule.severity)
    tags = [tag for tag in ("security" if score else "", rule.category) if tag]
    scored = {"security-severity": score} if score else {}
    severity = {"severity": rule.severity} if rule.severity else {}
    return {"tags": list(dict.fromkeys(tags)), "precision": "high", **scored, **severity}


def _result(finding: Finding, index: int, fingerprint: str) -> dict[str, JSON]:
    message = "\n".join(text for text in (finding.message, finding.hint) if text)
    return {
        "ruleId": finding.rule,
        "ruleIndex": index,
        "level": str(finding.level),
        "message": _message(message or finding.rule),
        "locations": [_location(finding.place, finding.subject, finding.field)],
        "partialFingerprints": {FINGERPRINT: fingerprint},
        "properties": dict(finding.properties),
    }


def _location(place: Place, subject: str = "", field: str = "") -> dict[str, JSON]:
    location: dict[str, JSON] = {}
    if place.file:
        location["physicalLocation"] = {"artifactLocation": _artifact(place.file), **_region(place)}
    if subject:
        logical: dict[str, JSON] = {"fullyQualifiedName": f"{subject} {field}".strip(), "kind": "resource"}
        location["logicalLocations"] = [logical]
    return location


def _artifact(file: str) -> dict[str, JSON]:
    path = PurePath(file)
    encoded = quote(path.as_posix(), safe="/", errors="replace")
    return {"uri": f"file://{encoded}"} if path.is_absolute() else {"uri": encoded, "uriBaseId": _ROOT}


def _region(place: Place) -> dict[str, JSON]:
    if not place.line:
        return {}
    column = {"startColumn": place.column} if place.column else {}
    return {"region": {"startLine": place.line, **column}}


def _fingerprints(found: Sequence[Finding]) -> Iterator[str]:
    """One for each finding: the same however far lines move and numbers in the message change."""
    seen: Counter[str] = Counter()
    for finding in found:
        message = re.sub(r"\d+", "0", finding.message)
        parts = [finding.rule, finding.place.file, finding.subject, finding.field, message]
        key = hashlib.sha256(json.dumps(parts).encode()).hexdigest()[:32]
        seen[key] += 1
        yield f"{key}:{seen[key]}"


def _invocation(report: Report) -> dict[str, JSON]:
    code = report.exit_code
    notes = [_notification("error", problem.message, Place.of(problem.where), problem) for problem in report.problems]
    notes += [
        _notification("note", f"{one.subject} was not judged: {one.skipped}", one.place)
        for one in report.examined
        if one.skipped
    ]
    notes += [
        _notification("note", f"{one.subject}: {note}", one.place) for one in report.examined for note in one.notes
    ]
    notes += [_notification("note", f"{count} not examined: {why}", Place()) for why, count in report.left_out.items()]
    return {
        "executionSuccessful": not report.problems,
        "exitCode": code,
        "exitCodeDescription": _EXITS.get(code, "there are warnings"),
        "toolExecutionNotifications": notes,
    }


def _notification(level: str, message: str, place: Place, problem: Problem | None = None) -> dict[str, JSON]:
    hint = f"\n{problem.hint}" if problem and problem.hint else ""
    location = _location(place)
    return {"level": level, "message": _message(message + hint)} | ({"locations": [location]} if location else {})


def _message(text: str) -> dict[str, JSON]:
    """Return a message object that shows just this text: what would be a placeholder or a link is escaped.

    Source: SARIF 2.1.0, "Messages with placeholders" and "Messages with embedded links".
    """
    return {"text": _CONTROL.sub(" ", text).replace("{", "{{").replace("}", "}}").replace("](", "] (")}
