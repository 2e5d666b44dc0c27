"""Results of tests for people at a terminal: what failed and how, what is not exercised, and the numbers."""

from __future__ import annotations

import unicodedata
from bisect import bisect_left
from collections.abc import Iterator
from itertools import takewhile

from webhook.offline.testing.compare import Mismatch
from webhook.offline.testing.coverage import Coverage
from webhook.offline.testing.expectation import is_expression
from webhook.offline.testing.results import Results
from webhook.offline.testing.run import CaseResult
from webhook.offline.tracing import text as tracetext
from webhook.output.tables import columns, plain
from webhook.output.wording import counted

_INDENT = "     "
_LINE = 110
"""Characters of two values that are shown in one line."""
_AHEAD = 40
"""Characters of a text that are shown from where it differs."""


def write(results: Results) -> str:
    """Return the report: failures, gaps of coverage, and a summary as the last line."""
    lines = [line for case in results.cases for line in _case(case)]
    lines += [
        f"FAIL {policy.document.where(('metadata', 'name'))}: no case judges policy '{policy.name}'"
        for policy in results.untested
    ]
    if results.coverage is not None:
        lines += _coverage(results.coverage)
    return "\n".join([*lines, *summary(results)])


def summary(results: Results) -> Iterator[str]:
    """What it came to, in numbers."""
    if results.coverage is not None:
        least = f", less than the {results.minimum:g} % that is asked for" if results.too_little else ""
        yield f"coverage {share(results.coverage)}{least}"
    untested = f", policies without a test: {len(results.untested)}" if results.untested else ""
    yield f"{results.passed} passed, {results.failed} failed in {counted(results.suites, 'test')}{untested}"


def share(coverage: Coverage) -> str:
    """The coverage in one line."""
    full = sum(one.exercised == one.total for one in coverage.policies.values())
    points, policies = coverage.share, coverage.policies
    return f"{points} ({points.exercised} of {points.total}), policies in full: {full} of {len(policies)}"


def _coverage(coverage: Coverage) -> Iterator[str]:
    yield from (plain(str(gap)) for gap in coverage.told)
    rows = [
        (name, one, f"{one.exercised} of {one.total}")
        for name, one in coverage.policies.items()
        if one.exercised < one.total
    ]
    if rows:
        yield from ("", *columns(("policy", "coverage", "exercised"), rows).splitlines(), "")


def _case(case: CaseResult) -> Iterator[str]:
    if not case.passed or case.trace is not None:
        yield plain(f"{'ok  ' if case.passed else 'FAIL'} {case.case.where} {case.suite}/{case.case.name}")
    before: tuple[str, ...] = ()
    for mismatch in case.mismatches:
        yield from (f"{_INDENT}{line}" for line in told(mismatch, before))
        before = mismatch.found
    if case.trace is not None:
        yield from (f"{_INDENT}{line}".rstrip() for line in tracetext.render(case.trace).splitlines())


def told(mismatch: Mismatch, before: tuple[str, ...] = ()) -> Iterator[str]:
    """A mismatch in lines: texts stand below each other, and where they begin to differ is marked.

    What was got is not shown once more if it is what was shown ``before``.
    """
    if mismatch.wanted:
        yield f"{plain(mismatch.field)}: this was not found"
        expected = plain(mismatch.wanted)
        yield f"  expected | {expected}"
        yield from _mark(expected, [" ".join(map(plain, text.splitlines())) for text in mismatch.found])
    elif mismatch.found:
        yield f"{plain(mismatch.field)}: expected {plain(mismatch.expected)}"
    elif len(str(mismatch)) > _LINE and mismatch.expected:
        yield from _beside(mismatch)
    else:
        yield plain(str(mismatch))
    if mismatch.found and mismatch.found == before:
        yield "  got      | the same as above"
    elif mismatch.wanted or mismatch.found:
        lines = [plain(line) for text in mismatch.found for line in text.splitlines()] or ["nothing"]
        yield f"  got      | {lines[0]}"
        yield from (f"           | {line}" for line in lines[1:])
    if mismatch.hint:
        yield "  say it in the test or in the case:"
        yield from (f"    {line}" for line in mismatch.hint.splitlines())


def _beside(mismatch: Mismatch) -> Iterator[str]:
    """Two long values below each other, with a caret below the first character that differs."""
    expected, got = plain(mismatch.expected), plain(mismatch.got)
    same = sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], zip(expected, got, strict=False)))
    yield f"{plain(mismatch.field)}: this differs"
    yield f"  expected | {expected}"
    yield f"  got      | {got}"
    yield f"           | {' ' * _width(got[:same])}^"


def _mark(expected: str, found: list[str]) -> Iterator[str]:
    """A caret below the first character of a text that nothing has after what comes before it."""
    if is_expression(expected):
        return
    # Whoever has a text has all its beginnings: so the longest that somebody has is found by halving.
    length = bisect_left(
        range(1, len(expected) + 1), x=True, key=lambda end: not any(expected[:end] in t for t in found)
    )
    if not length:
        return
    text = next(text for text in found if expected[:length] in text)
    at = text.index(expected[:length]) + length
    there = text[at : at + _AHEAD]
    more = "…" if len(text) > at + _AHEAD else ""
    yield f"           | {' ' * _width(expected[:length])}^ got: {f'{there}{more}' if there else 'the end'}"


def _width(text: str) -> int:
    """Columns on a terminal; Source: Unicode Standard Annex 11."""
    return sum(2 if unicodedata.east_asian_width(character) in "WF" else 1 for character in text)
