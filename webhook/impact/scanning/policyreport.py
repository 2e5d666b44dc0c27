"""The result of a scan as PolicyReports: one for each namespace in which something was found, one for the rest.

Their size is bounded, as etcd is: failures come first, then what could not be judged, then warnings; passes are only
counted. The summary counts everything, also what was cut.

Source: openreports/reports-api ``apis/openreports.io/v1alpha1``; kubernetes-sigs/wg-policy-prototypes
``policy-report/pkg/api/wgpolicyk8s.io/v1alpha2``. Both have the same results.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from webhook.impact.policyrules import SEVERITIES
from webhook.impact.scanning.judge import Scanned
from webhook.model.objects import JSON, GroupVersionResource, Object, mapping, text
from webhook.output.finding import Finding, Rule
from webhook.output.tables import plain

NAME = "migguard"
"""Of each report, and of their manager and source."""
MANAGED_BY = "app.kubernetes.io/managed-by"
MAX_RESULTS = 200
MAX_BYTES = 900 * 1024
"""Of a report as JSON. etcd refuses what is larger than 1.5 MiB; the API server keeps its own notes in it too."""
MAX_TEXT = 800
"""Characters of a message or a remediation."""

CUT = "migguard.io/results-cut"
"""Annotation of a report: how many of its results are not listed."""
NOT_SCANNED = "migguard.io/not-scanned"
"""Annotation of every report: resources that could not be read, of which it therefore tells nothing."""
REVISION = "migguard.io/policy-revision"

_RESULTS = ("fail", "error", "warn")
"""In the order in which they are listed."""


class Form(StrEnum):
    """Which API the reports are of."""

    OPENREPORTS = "openreports"
    WGPOLICY = "wgpolicy"


@dataclass(frozen=True, slots=True)
class API:
    """The kinds and resources of one API of reports."""

    group: str
    version: str
    kind: str
    """Of a namespace's report; that of the cluster has ``Cluster`` before it."""

    def resource(self, *, cluster: bool) -> GroupVersionResource:
        """Return the resource of the one or the other."""
        name = f"{'cluster' if cluster else ''}{self.kind.lower()}s"
        return GroupVersionResource(self.group, self.version, name)


APIS: Mapping[Form, API] = {
    Form.OPENREPORTS: API("openreports.io", "v1alpha1", "Report"),
    Form.WGPOLICY: API("wgpolicyk8s.io", "v1alpha2", "PolicyReport"),
}
"""The one that is preferred first."""


def reports(scanned: Scanned, form: Form, *, now: datetime, limit: int = MAX_RESULTS) -> tuple[Object, ...]:
    """Return the reports of a scan: that of the cluster, which there always is, then those of namespaces by name.

    Args:
        scanned: What was found.
        form: Which API.
        now: When: the time of every result.
        limit: Results that a report lists at most.
    """
    rules = {rule.name: rule for rule in scanned.report.rules}
    found: dict[str, list[Finding]] = {"": []}
    for finding in scanned.report.findings:
        found.setdefault(text(finding.properties.get("object"), "namespace"), []).append(finding)
    made = []
    for namespace, findings in sorted(found.items()):
        ordered = sorted(findings, key=lambda one: _order(one, rules))
        counts = _summary(ordered, scanned, namespace)
        results = _fitting([_result(one, rules, now) for one in ordered[:limit]])
        annotations = _annotations(scanned, len(ordered) - len(results))
        made.append(_report(APIS[form], namespace, results, counts, annotations))
    return tuple(made)


def _order(finding: Finding, rules: Mapping[str, Rule]) -> tuple[int, int, str, str, str]:
    result, rule = text(finding.properties, "result"), rules.get(finding.rule, Rule(name=finding.rule))
    severity = SEVERITIES.index(rule.severity) if rule.severity else len(SEVERITIES)
    return (_RESULTS.index(result), severity, finding.rule, finding.subject, finding.message)


def _summary(findings: Iterable[Finding], scanned: Scanned, namespace: str) -> dict[str, int]:
    counts = dict.fromkeys((*_RESULTS, "pass", "skip"), 0)
    for finding in findings:
        counts[text(finding.properties, "result")] += 1
    counts["pass"] = scanned.passed.get(namespace, 0)
    counts["skip"] = scanned.skipped.get(namespace, 0)
    return counts


def _result(finding: Finding, rules: Mapping[str, Rule], now: datetime) -> dict[str, JSON]:
    rule, found = rules.get(finding.rule, Rule(name=finding.rule)), text(finding.properties, "result")
    validation = finding.properties.get("validation")
    said = {"remediation": finding.hint, "field": finding.field}
    result: dict[str, JSON] = {
        "source": NAME,
        "policy": finding.rule,
        "rule": f"validations[{validation}]" if validation is not None else "",
        "category": rule.category,
        "severity": rule.severity,
        "timestamp": {"seconds": int(now.timestamp()), "nanos": 0},
        "result": found,
        "scored": found == "fail",
        "message": _bounded(finding.message),
        "resources": [dict(mapping(finding.properties, "object"))] if "object" in finding.properties else [],
        "properties": {key: _bounded(item) for key, item in said.items() if item},
    }
    return {key: item for key, item in result.items() if item not in ("", [], {})}


def _fitting(results: Sequence[Mapping[str, JSON]]) -> list[Mapping[str, JSON]]:
    """Return as many of the first results as a report may hold."""
    size, kept = 0, []
    for result in results:
        size += len(json.dumps(result))
        if size > MAX_BYTES:
            break
        kept.append(result)
    return kept


def _annotations(scanned: Scanned, cut: int) -> dict[str, str]:
    said = {CUT: str(cut) if cut else "", NOT_SCANNED: ", ".join(scanned.unread)}
    return {REVISION: scanned.report.revision, **{name: text for name, text in said.items() if text}}


def _report(
    api: API,
    namespace: str,
    results: Sequence[Mapping[str, JSON]],
    counts: Mapping[str, int],
    annotations: Mapping[str, str],
) -> Object:
    labels = {MANAGED_BY: NAME}
    report: dict[str, JSON] = {
        "apiVersion": f"{api.group}/{api.version}",
        "kind": api.kind if namespace else f"Cluster{api.kind}",
        "metadata": {"name": NAME, "namespace": namespace, "labels": labels, "annotations": dict(annotations)},
        "summary": dict(counts),
        "results": list(results),
    }
    if not namespace:
        del report["metadata"]["namespace"]
    if api is APIS[Form.OPENREPORTS]:
        report["source"] = NAME
    return report


def _bounded(said: str) -> str:
    line = plain(said)
    return line if len(line) <= MAX_TEXT else f"{line[: MAX_TEXT - 1]}…"
