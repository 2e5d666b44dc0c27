"""Results of tests as a report, for the forms that all tools of the author have: JUnit, Markdown, notes on GitHub.

A mismatch is an error; what no test exercises is a warning, and an error where the coverage must be higher.
"""

from __future__ import annotations

from collections.abc import Iterator

from webhook.offline.testing.compare import Mismatch
from webhook.offline.testing.coverage import Coverage
from webhook.offline.testing.points import Point
from webhook.offline.testing.results import Results
from webhook.offline.testing.resulttext import share
from webhook.offline.testing.run import CaseResult
from webhook.output.finding import Examined, Finding, Level, Place, Report
from webhook.policy.document import GuardPolicy


def report_of(results: Results) -> Report:
    """Return the report of a run of tests."""
    settings = {"cases": f"{results.passed} passed, {results.failed} failed"}
    examined = [*map(_case, results.cases), *map(_untested, results.untested)]
    if results.coverage is not None:
        settings["coverage"] = share(results.coverage)
        examined += _coverage(results.coverage)
        if results.too_little:
            examined.append(_too_little(results))
    return Report(command="test", rules=(), examined=tuple(examined), settings=settings, problems=results.problems)


def _case(case: CaseResult) -> Examined:
    return Examined(
        subject=f"{case.suite}/{case.case.name}",
        place=Place.of(case.case.where),
        findings=tuple(map(_mismatch, case.mismatches)),
    )


def _mismatch(mismatch: Mismatch) -> Finding:
    return Finding(rule=mismatch.field, level=Level.ERROR, message=str(mismatch), hint=mismatch.hint)


def _untested(policy: GuardPolicy) -> Examined:
    finding = Finding(rule="require-tests", level=Level.ERROR, message=f"no case judges policy '{policy.name}'")
    place = Place.of(policy.document.where(("metadata", "name")))
    return Examined(subject=f"tests of {policy.name}", place=place, findings=(finding,))


def _coverage(coverage: Coverage) -> Iterator[Examined]:
    """One for each policy that is not exercised in full."""
    gaps: dict[str, list[Point]] = {}
    for gap in coverage.told:
        gaps.setdefault(gap.policy, []).append(gap)
    for policy, found in gaps.items():
        findings = tuple(
            Finding(
                rule="coverage",
                level=Level.WARNING,
                message=f"{gap.what} {gap.lack}",
                place=gap.place,
                subject=f"policy {policy}",
            )
            for gap in found
        )
        reached = coverage.policies[policy]
        subject = f"coverage of {policy}: {reached} ({reached.exercised} of {reached.total})"
        yield Examined(subject=subject, place=Place(file=found[0].place.file), findings=findings)


def _too_little(results: Results) -> Examined:
    assert results.coverage is not None  # noqa: S101 - the caller has looked
    message = f"coverage is {results.coverage.share}, {results.minimum:g} % is asked for"
    finding = Finding(rule="coverage-min", level=Level.ERROR, message=message)
    return Examined(subject="coverage", findings=(finding,))
