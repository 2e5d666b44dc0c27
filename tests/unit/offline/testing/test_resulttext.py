"""Results at a terminal."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.support.policytests import POLICIES, Write, case
from webhook.offline.testing.compare import Mismatch
from webhook.offline.testing.results import Asked, run_all
from webhook.offline.testing.resulttext import told
from webhook.offline.testing.resulttext import write as written


@pytest.mark.parametrize(
    ("mismatch", "lines"),
    [
        pytest.param(
            Mismatch("allowed", "true", "false"), ["allowed: expected true, got false"], id="values-in-one-line"
        ),
        pytest.param(
            Mismatch("message", "", "", wanted="bob may not move", found=("bob may not start\nNext step: ask",)),
            [
                "message: this was not found",
                "  expected | bob may not move",
                "           |             ^ got: start Next step: ask",
                "  got      | bob may not start",
                "           | Next step: ask",
            ],
            id="where-it-differs",
        ),
        pytest.param(
            Mismatch("warnings", "", "", wanted="ab", found=("xa", "ya")),
            [
                "warnings: this was not found",
                "  expected | ab",
                "           |  ^ got: the end",
                "  got      | xa",
                "           | ya",
            ],
            id="it-ends-too-early",
        ),
        pytest.param(
            Mismatch("message", "", "", wanted="権限が", found=("権限は",)),
            [
                "message: this was not found",
                "  expected | 権限が",
                "           |     ^ got: は",
                "  got      | 権限は",
            ],
            id="wide-characters",
        ),
        pytest.param(
            Mismatch("message", "", "", wanted="/b.b/", found=("bob\x1b[2J",)),
            ["message: this was not found", "  expected | /b.b/", "  got      | bob [2J"],
            id="expressions-have-no-mark-and-nothing-moves-the-cursor",
        ),
        pytest.param(
            Mismatch("warnings", "", "", wanted="x"),
            ["warnings: this was not found", "  expected | x", "  got      | nothing"],
            id="nothing-there",
        ),
        pytest.param(
            Mismatch("warnings", "none", "", found=("one", "two")),
            ["warnings: expected none", "  got      | one", "           | two"],
            id="something-there",
        ),
        pytest.param(
            Mismatch("patch", f'[{"x" * 60}, "a"]', f'[{"x" * 60}, "b"]'),
            [
                "patch: this differs",
                f'  expected | [{"x" * 60}, "a"]',
                f'  got      | [{"x" * 60}, "b"]',
                f"           | {' ' * 64}^",
            ],
            id="long-values",
        ),
        pytest.param(
            Mismatch("cluster", "", "Node n was looked up", "absent:\n  - {kind: Node}"),
            [
                "cluster: Node n was looked up",
                "  say it in the test or in the case:",
                "    absent:",
                "      - {kind: Node}",
            ],
            id="what-to-write",
        ),
    ],
)
def test_a_mismatch_reads_like_this(mismatch: Mismatch, lines: list[str]) -> None:
    assert list(told(mismatch)) == lines


def test_what_was_got_is_not_shown_twice_in_a_row() -> None:
    mismatch = Mismatch("message", "", "", wanted="x", found=("bob",))
    assert list(told(mismatch, ("bob",)))[-1] == "  got      | the same as above"


def test_only_failures_are_shown_and_the_last_line_has_the_numbers(write: Write) -> None:
    folder = write(case({"allowed": True}, name="good"), case({"allowed": False}, name="bad"))
    lines = written(run_all(Asked(paths=(folder,)))).splitlines()
    assert lines[0].startswith(f"FAIL {folder}/policies/demo/tests/suite.yaml:")
    assert lines[0].endswith(" demo/bad")
    assert lines[1:] == ["     allowed: expected false, got true", "1 passed, 1 failed in 1 test"]


def test_a_trace_stands_below_its_case_passed_or_not(write: Write) -> None:
    text = written(run_all(Asked(paths=(write(case({"allowed": False}, user="bob")),), trace=True)))
    assert text.startswith("ok   ")
    assert "\n     DENIED by may-migrate\n" in text


def test_gaps_of_coverage_are_told_then_policies_then_totals(write: Write, tmp_path: Path) -> None:
    (tmp_path / "more.yaml").write_text(POLICIES.split("---")[0].replace("may-migrate", "untested"))
    asked = Asked(paths=(write(case({"allowed": True})),), coverage=True, minimum=99, require_tests=True)
    lines = written(run_all(asked)).splitlines()
    assert lines[0] == f"FAIL {tmp_path}/more.yaml:4:18: no case judges policy 'untested'"
    assert lines[1] == f"{tmp_path}/more.yaml:4:18: policy 'untested' was never judged"
    assert [line.split() for line in lines if line.startswith(("POLICY", "may-", "priority", "untested"))] == [
        ["POLICY", "COVERAGE", "EXERCISED"],
        ["may-migrate", "50.0", "%", "3", "of", "6"],
        ["priority", "57.1", "%", "4", "of", "7"],
        ["untested", "0.0", "%", "0", "of", "6"],
    ]
    assert lines[-2:] == [
        "coverage 36.8 % (7 of 19), policies in full: 0 of 3, less than the 99 % that is asked for",
        "1 passed, 0 failed in 1 test, policies without a test: 1",
    ]


def test_the_same_results_give_the_same_text(write: Write) -> None:
    asked = Asked(paths=(write(case({"allowed": False}, user="bob")),), coverage=True, trace=True)
    first, second = written(run_all(asked)), written(run_all(replace(asked)))
    assert first == second
