"""Completion: scripts for shells, and the answers that kubectl wants from a plugin."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from webhook.cli.completion import SHELLS, candidates
from webhook.cli.main import group, run

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize("shell", SHELLS)
def test_there_is_a_script_for_each_shell(shell: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", shell]) == 0
    assert "_MIGGUARD_COMPLETE" in capsys.readouterr().out


def test_another_shell_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["completion", "cmd"]) == 2
    assert "bash" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        pytest.param(["can"], "can-migrate", id="a-command"),
        pytest.param(["export", "v"], "vap", id="a-command-of-a-command"),
        pytest.param(["new", "policy", "x", "--act"], "--action", id="an-option"),
        pytest.param(["new", "policy", "x", "--action", "De"], "Deny", id="a-choice"),
    ],
)
def test_kubectl_is_told_what_a_word_may_become(words: list[str], expected: str) -> None:
    *lines, directive = candidates(group, words)
    assert [line.partition("\t")[0] for line in lines] == [expected]
    assert directive == ":4"


@pytest.mark.parametrize(
    "words",
    [
        ["new", "test", ""],
        ["check", "-f", ""],
        ["diff", "--manifest", "a"],
        ["diff", "pol"],
        ["explain", "-f", ""],
        ["review", "--filename", "x"],
        ["replay", ""],
        ["lint", "pol"],
    ],
)
def test_where_a_file_is_wanted_the_shell_completes_it(words: list[str]) -> None:
    assert candidates(group, words) == [":0"]


def test_the_shell_is_answered_by_the_program_itself() -> None:
    environment = {"_MIGGUARD_COMPLETE": "bash_complete", "COMP_WORDS": "migguard sna", "COMP_CWORD": "1"}
    done = subprocess.run(
        [sys.executable, "-m", "webhook"], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stdout == "plain,snapshot\n"
