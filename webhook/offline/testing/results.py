"""Runs all tests below some paths and gathers what came of them, whatever is wrong with one or the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from webhook.errors import InputError, PolicyError, Problem
from webhook.model.objects import text
from webhook.offline.testing.coverage import Coverage, Recorder
from webhook.offline.testing.points import points_of
from webhook.offline.testing.run import Bench, CaseResult
from webhook.offline.testing.suite import Suite, read_suites
from webhook.policy import loader, reading, schema
from webhook.policy.document import GuardPolicy, GuardPolicyBinding
from webhook.policy.evaluate import NOBODY
from webhook.policy.policyset import PolicySet
from webhook.source.files import parse, read


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What to run and what to find out by it."""

    paths: tuple[Path, ...]
    wanted: Callable[[str], bool] = lambda _: True
    """By the file, or by ``SUITE/CASE``."""
    fail_only: bool = False
    """Keep only the cases that failed."""
    trace: bool = False
    coverage: bool = False
    minimum: float = 0.0
    """Percent that the coverage must reach."""
    require_tests: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Results:
    """What came of all tests, in the order of their files."""

    cases: tuple[CaseResult, ...]
    """Those that are to be shown."""
    passed: int
    failed: int
    suites: int
    """How many tests had a case that was run."""
    problems: tuple[Problem, ...] = ()
    """Why tests could not be read or set up."""
    untested: tuple[GuardPolicy, ...] = ()
    """Policies that no case judges, if that was asked for."""
    coverage: Coverage | None = None
    minimum: float = 0.0

    @property
    def too_little(self) -> bool:
        """Whether the coverage is below what it must reach."""
        return self.coverage is not None and self.coverage.share.percent < self.minimum

    @property
    def exit_code(self) -> int:
        """What the command exits with: tests that could not be run outweigh those that failed."""
        if self.problems:
            return InputError.exit_code
        return 1 if self.failed or self.untested or self.too_little else 0


@dataclass(frozen=True, slots=True)
class _Policies:
    """What the tests are to test."""

    policies: tuple[GuardPolicy, ...]
    bindings: tuple[GuardPolicyBinding, ...]
    problems: tuple[Problem, ...] = ()


def run_all(asked: Asked) -> Results:
    """Run every test. Raises InputError if a path is missing or there is no test at all."""
    found = read_suites(asked.paths)
    recorder = Recorder() if asked.coverage else None
    problems = list(found.problems)
    loaded: dict[str, PolicySet] = {}
    cases: list[CaseResult] = []
    for suite in found.suites:
        try:
            bench = Bench.of(suite, loaded)
        except InputError as error:
            problems += error.problems if isinstance(error, PolicyError) else [_problem(error, suite)]
            continue
        for case in bench.run(asked.wanted, recorder or NOBODY):
            shown = asked.trace and not (asked.fail_only and case.passed)
            cases.append(replace(case, trace=bench.trace(case.case)) if shown else case)
    policies = _policies(asked, loaded) if recorder or asked.require_tests else _Policies((), ())
    failed = sum(not case.passed for case in cases)
    return Results(
        cases=tuple(case for case in cases if not (asked.fail_only and case.passed)),
        passed=len(cases) - failed,
        failed=failed,
        suites=len({case.case.where.rsplit(":", 2)[0] + case.suite for case in cases}),
        problems=tuple(dict.fromkeys([*problems, *policies.problems])),
        untested=_untested(policies.policies, cases) if asked.require_tests else (),
        coverage=recorder.coverage(points_of(policies.policies, policies.bindings)) if recorder else None,
        minimum=asked.minimum,
    )


def _untested(policies: Sequence[GuardPolicy], cases: Sequence[CaseResult]) -> tuple[GuardPolicy, ...]:
    judged = {name for case in cases for name, result in case.outcome.results.items() if result != "skip"}
    return tuple(policy for policy in policies if policy.name not in judged)


def _policies(asked: Asked, loaded: dict[str, PolicySet]) -> _Policies:
    """The policies and bindings below the paths; if there are none, those that the tests load.

    Each document stands for itself: a folder of overlays may hold one binding for each environment, or half a set.
    """
    policies: list[GuardPolicy] = []
    bindings: list[GuardPolicyBinding] = []
    problems: list[Problem] = []
    for path in _files(asked.paths):
        documents, broken = parse(read(path), str(path))
        problems += broken
        for document in documents:
            kind = text(document.value, "kind")
            if kind not in {"GuardPolicy", "GuardPolicyBinding"}:
                continue
            wrong = schema.check(document, kind)
            problems += wrong
            if not wrong and kind == "GuardPolicy":
                policies.append(reading.policy(document))
            elif not wrong:
                bindings.append(reading.binding(document))
    if policies or bindings or problems:
        return _Policies(tuple(policies), tuple(bindings), tuple(problems))
    compiled = [policy for policies_ in loaded.values() for policy in policies_.policies]
    by_place = {one.document.where: one.document for one in compiled}
    by_binding = {one.binding.document.where(): one.binding for one in compiled if one.binding}
    return _Policies(tuple(by_place.values()), tuple(by_binding.values()))


def _files(paths: Sequence[Path]) -> Iterator[Path]:
    """Files of policies; a path that holds tests only has none."""
    for path in paths:
        try:
            yield from loader.policy_files([path])
        except InputError:
            continue


def _problem(error: InputError, suite: Suite) -> Problem:
    return Problem(error.where or suite.document.where(("spec", "cluster")), error.message, error.hint)
