"""``migguard lint``: what is shown, in which form, and the exit codes."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import pytest
import yaml

from tests.unit.authoring.lint.linting import TEST, Json, binding, exemption, policy
from webhook.authoring.lint.rules import RULES
from webhook.cli.main import run
from webhook.output.render import FORMS

ROOT = Path(__file__).parents[3]
NOW = ["--now", "2026-03-02T12:00:00Z"]


@pytest.fixture(name="folder")
def policy_folder(tmp_path: Path) -> Path:
    return written(tmp_path, policy=policy())


def written(folder: Path, **documents: Json) -> Path:
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test.yaml").write_text(TEST, "utf-8")
    for name, document in documents.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(document, sort_keys=False, width=10_000), "utf-8")
    return folder


def test_good_policies_are_fine(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", str(folder), *NOW]) == 0
    assert capsys.readouterr().out == "nothing found (1 examined, 0 failed)\n"


def test_an_error_is_shown_with_its_place_and_makes_the_command_fail(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, bound=binding("gard"))
    assert run(["lint", str(folder), *NOW]) == 1
    told = capsys.readouterr().out
    for part in (f"{folder}/bound.yaml:6:15", "unknown-name", "no GuardPolicy 'gard'", "did you mean 'guard'?"):
        assert part in told
    assert told.endswith("1 error (2 examined, 1 failed)\n")


TESTS = b"# kind: PolicyTest\n"
BOMB = "a0: &a0 [x]\n" + "".join(f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]\n" for n in range(1, 12))


@pytest.mark.parametrize("place", [".", "tests"])
@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"\xff\xfe\x00", id="binary"),
        pytest.param(b"a: [\n", id="no-yaml"),
        pytest.param(b"[" * 2_000 + b"]" * 2_000, id="too-deep"),
        pytest.param(BOMB.encode(), id="alias-bomb"),
        pytest.param(None, id="dangling-link"),
    ],
)
def test_a_file_that_cannot_be_read_is_wrong_input_and_the_others_are_judged(
    content: bytes | None, place: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, bound=binding("gard"))
    broken = folder / place / "broken.yaml"
    if content is None:
        broken.symlink_to(folder / "missing")
    else:
        broken.write_bytes(TESTS + content)
    assert run(["lint", str(folder), *NOW]) == 2
    told = capsys.readouterr().out
    assert "unreadable" in told
    assert "unknown-name" in told


WARNS: Mapping[str, Json] = {"spared": exemption(namespaces=None)}
NOTES: Mapping[str, Json] = {"spared": exemption(operations=None)}


@pytest.mark.parametrize(
    ("documents", "arguments", "code", "shown"),
    [
        pytest.param(WARNS, [], 0, "1 warning (", id="warnings-are-shown-and-pass"),
        pytest.param(WARNS, ["--warn-exit-code", "4"], 4, "1 warning (", id="warnings-may-fail"),
        pytest.param(WARNS, ["--level", "error"], 0, "nothing found", id="errors-only"),
        pytest.param(NOTES, [], 0, "nothing found", id="notes-are-not-shown"),
        pytest.param(NOTES, ["--level", "note"], 0, "1 note (", id="notes-if-asked-for"),
        pytest.param(NOTES, ["--level", "note", "--warn-exit-code", "4"], 0, "1 note (", id="notes-never-fail"),
    ],
)
def test_levels_decide_what_is_shown(
    documents: Mapping[str, Json],
    arguments: list[str],
    code: int,
    shown: str,
    folder: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    written(folder, **documents)
    assert run(["lint", str(folder), *NOW, *arguments]) == code
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize("form", FORMS)
def test_every_form_tells_what_was_found(form: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, **WARNS)
    assert run(["lint", str(folder), *NOW, "-o", form]) == 0
    told = capsys.readouterr().out
    assert "exemption-wide" in told.replace("\\", "")
    if form == "json":
        assert json.loads(told)
    if form == "sarif":
        (result,) = json.loads(told)["runs"][0]["results"]
        assert (result["ruleId"], result["level"]) == ("exemption-wide", "warning")
        assert len(json.loads(told)["runs"][0]["tool"]["driver"]["rules"]) == len(RULES)


def test_the_clock_decides_what_has_run_out(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    written(folder, spared=exemption())
    assert run(["lint", str(folder), "--now", "2026-04-25"]) == 0
    assert "runs out in 6 days" in capsys.readouterr().out
    assert run(["lint", str(folder), "--now", "2026-05-01"]) == 0
    assert "ran out 1 day ago" in capsys.readouterr().out


def test_each_directory_may_be_a_set_of_its_own(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        written(tmp_path / name, policy=policy())
    both = [str(tmp_path / "a"), str(tmp_path / "b")]
    assert run(["lint", *both, *NOW]) == 1
    assert run(["lint", "--each", *both, *NOW]) == 0


def test_rules_lists_them_all_and_reads_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", "--rules"]) == 0
    header, *lines = capsys.readouterr().out.splitlines()
    assert header.split() == ["RULE", "LEVEL", "TITLE"]
    assert [line.split()[0] for line in lines] == list(RULES)


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param([], id="no-directory"),
        pytest.param(["missing"], id="missing"),
        pytest.param(["missing", "--now", "yesterday"], id="no-time"),
        pytest.param(["missing", "--level", "fatal"], id="no-level"),
    ],
)
def test_wrong_use(arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert run(["lint", *arguments]) == 2


def test_control_characters_of_a_document_do_not_reach_the_terminal(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    written(folder, bound=binding("guard", name="bound", **{"x\x1b[31m": 1}))
    assert run(["lint", str(folder), *NOW]) == 1
    assert "\x1b" not in capsys.readouterr().out


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["lint", "--help"]) == 0
    told = capsys.readouterr().out
    assert "  migguard lint policies/ -o sarif > lint.sarif\n" in told
    assert "Exit code: 0 no error, 1 errors were found" in told


def test_it_needs_no_web_server_and_no_kubernetes_client() -> None:
    script = (
        "import sys, webhook.cli.lint, webhook.cli.schema;"
        "print([name for name in ('flask', 'gunicorn', 'kubernetes') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "[]"
