"""``migguard test``: run the tests of policies, without a cluster."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from webhook.errors import PolicyError, Problem, UsageError
from webhook.offline.run import CaseResult, run
from webhook.offline.suite import Suite, suites


@click.command("test", short_help="Run the tests of policies.")
@click.argument("paths", metavar="DIR...", nargs=-1, required=True)
@click.option("--run", "pattern", metavar="REGEX", default="", help="Only cases whose TEST/CASE this is found in.")
@click.option(
    "-o",
    "--output",
    type=click.Choice(["table", "json"]),
    default="table",
    show_default=True,
    help="Form of the report.",
)
def command(paths: tuple[str, ...], pattern: str, output: str) -> int:
    """Run every PolicyTest below the directories, through the same decision as the webhook.

    By convention the tests of a policy are policies/NAME/tests/*.yaml. Nothing is asked of a cluster.

    Exit code: 0 all passed, 1 some failed, 2 wrong use or input, 3 an error.
    """
    wanted = _wanted(pattern)
    found = suites([Path(path) for path in paths])
    results = _run_all(found, wanted)
    if not results:
        raise UsageError(f"no case of {len(found)} tests is called like '{pattern}'", hint="names are TEST/CASE")
    click.echo(_json(results) if output == "json" else _table(results))
    return 0 if all(result.passed for result in results) else 1


def _run_all(found: Sequence[Suite], wanted: Callable[[str], bool]) -> list[CaseResult]:
    """Run all tests. Raises PolicyError with the problems of all that cannot be set up."""
    results: list[CaseResult] = []
    problems: list[Problem] = []
    for suite in found:
        try:
            results += run(suite, wanted)
        except PolicyError as error:
            problems += error.problems
    if problems:
        raise PolicyError(tuple(dict.fromkeys(problems)))
    return results


def _wanted(pattern: str) -> Callable[[str], bool]:
    try:
        search = re.compile(pattern).search
    except re.error as error:
        raise UsageError(f"--run: '{pattern}' is not a regular expression: {error}") from error
    return lambda name: search(name) is not None


def _table(results: Sequence[CaseResult]) -> str:
    failed = [result for result in results if not result.passed]
    lines = []
    for result in failed:
        lines.append(f"FAIL {result.case.where} {result.suite}/{result.case.name}")
        lines += [f"     {mismatch}" for mismatch in result.mismatches]
    return "\n".join([*lines, f"{len(results) - len(failed)} passed, {len(failed)} failed"])


def _json(results: Sequence[CaseResult]) -> str:
    failed = sum(not result.passed for result in results)
    report = {"passed": len(results) - failed, "failed": failed, "cases": [_case(result) for result in results]}
    return json.dumps(report, indent=2)


def _case(result: CaseResult) -> dict[str, Any]:
    last = result.outcome.last
    return {
        "test": result.suite,
        "case": result.case.name,
        "where": result.case.where,
        "passed": result.passed,
        "mismatches": [{"field": one.field, "expected": one.expected, "got": one.got} for one in result.mismatches],
        "decision": {
            "allowed": last.allowed,
            "code": last.code,
            "reason": last.reason,
            "message": last.message,
            "warnings": list(result.outcome.warnings),
            "patch": list(result.outcome.patch),
            "auditAnnotations": result.outcome.audit_annotations,
        },
    }
