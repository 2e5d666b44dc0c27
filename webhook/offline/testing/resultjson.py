"""Results of tests as JSON."""

from __future__ import annotations

from typing import Any

from webhook.offline.testing.coverage import Coverage, Share
from webhook.offline.testing.results import Results
from webhook.offline.testing.run import CaseResult
from webhook.offline.tracing import asjson as tracejson
from webhook.output.structured import json_text


def write(results: Results) -> str:
    """Return the report. What was not asked for (traces, coverage, policies without tests) is not in it."""
    report: dict[str, Any] = {
        "passed": results.passed,
        "failed": results.failed,
        "tests": results.suites,
        "cases": [_case(case) for case in results.cases],
        "problems": [{"where": one.where, "message": one.message, "hint": one.hint} for one in results.problems],
        "untested": [
            {"policy": one.name, "where": one.document.where(("metadata", "name"))} for one in results.untested
        ],
    }
    if results.coverage is not None:
        report["coverage"] = {**_coverage(results.coverage), "minimum": results.minimum}
    return json_text(report)


def _coverage(coverage: Coverage) -> dict[str, Any]:
    return {
        **_share(coverage.share),
        "policies": {name: _share(share) for name, share in coverage.policies.items()},
        "gaps": [
            {"policy": gap.policy, "where": str(gap.place), "what": gap.what, "lack": str(gap.lack)}
            for gap in coverage.told
        ],
    }


def _share(share: Share) -> dict[str, Any]:
    return {"percent": share.percent, "exercised": share.exercised, "total": share.total}


def _case(result: CaseResult) -> dict[str, Any]:
    last = result.outcome.last
    case: dict[str, Any] = {
        "test": result.suite,
        "case": result.case.name,
        "where": result.case.where,
        "passed": result.passed,
        "mismatches": [
            {"field": one.field, "expected": one.expected, "got": one.got} | ({"hint": one.hint} if one.hint else {})
            for one in result.mismatches
        ],
        "decision": {
            "allowed": last.allowed,
            "code": last.code,
            "reason": last.reason,
            "message": last.message,
            "warnings": list(result.outcome.warnings),
            "patch": list(result.outcome.patch),
            "auditAnnotations": result.outcome.audit_annotations,
            "origin": result.outcome.origin,
            "results": result.outcome.results,
        },
    }
    return case | ({"trace": tracejson.as_json(result.trace)} if result.trace is not None else {})
