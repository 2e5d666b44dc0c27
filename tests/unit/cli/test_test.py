"""``migguard test``: the report and the exit codes."""

# ruff: noqa: E501 - a case is one line

import json
from pathlib import Path

import pytest

from webhook.cli.main import run

POLICY = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: no-move}
spec:
  matchConstraints:
    resourceRules:
      - apiGroups: [kubevirt.io]
        apiVersions: ["*"]
        resources: [virtualmachineinstancemigrations]
        operations: [CREATE]
  validations:
    - {expression: "request.userInfo.username != 'bob'", message: bob moves nothing}
"""
SUITE = """
apiVersion: migguard.io/v1alpha1
kind: PolicyTest
metadata: {name: moves}
spec:
  objects:
    - {apiVersion: v1, kind: Namespace, metadata: {name: prod}}
  cases:
    - name: alice moves
      user: {username: alice}
      operation: CREATE
      object: &move
        apiVersion: kubevirt.io/v1
        kind: VirtualMachineInstanceMigration
        metadata: {name: m, namespace: prod}
        spec: {vmiName: db}
      expect: {allowed: true}
    - name: bob moves nothing
      user: {username: bob}
      operation: CREATE
      object: *move
      expect: {allowed: false, message: bob moves nothing}
    - name: bob moves
      user: {username: bob}
      operation: CREATE
      object: *move
      expect: {allowed: true}
"""


@pytest.fixture(name="folder")
def policy_folder(tmp_path: Path) -> Path:
    (tmp_path / "no-move" / "tests").mkdir(parents=True)
    (tmp_path / "no-move" / "policy.yaml").write_text(POLICY)
    (tmp_path / "no-move" / "tests" / "moves.yaml").write_text(SUITE)
    return tmp_path


def test_failed_cases_are_shown_with_expected_and_got(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", str(folder)]) == 1
    assert capsys.readouterr().out.splitlines() == [
        f"FAIL {folder}/no-move/tests/moves.yaml:23:13 moves/bob moves",
        "     allowed: expected true, got false",
        "2 passed, 1 failed in 1 test",
    ]


def test_only_the_cases_that_are_asked_for_are_run(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", str(folder), "--run", "moves/(alice|bob moves nothing)"]) == 0
    assert capsys.readouterr().out == "2 passed, 0 failed in 1 test\n"


def test_cases_can_be_asked_for_by_their_file(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = folder / "other" / "tests"
    other.mkdir(parents=True)
    (other / "first.yaml").write_text(SUITE.replace("{name: moves}", "{name: others}"))
    (other.parent / "policy.yaml").write_text(POLICY)
    assert run(["test", str(folder), "--run", "no-move/tests/"]) == 1
    assert capsys.readouterr().out.endswith("2 passed, 1 failed in 1 test\n")
    assert run(["test", str(folder), "--run", "no-move/tests/|^others/alice"]) == 1
    assert capsys.readouterr().out.endswith("3 passed, 1 failed in 2 tests\n")


def test_the_report_as_json_holds_every_decision(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", str(folder), "-o", "json"]) == 1
    report = json.loads(capsys.readouterr().out)
    assert (report["passed"], report["failed"]) == (2, 1)
    assert [(one["case"], one["passed"], one["decision"]["code"]) for one in report["cases"]] == [
        ("alice moves", True, 200),
        ("bob moves nothing", True, 403),
        ("bob moves", False, 403),
    ]
    assert report["cases"][2]["mismatches"] == [{"field": "allowed", "expected": "true", "got": "false"}]
    assert "bob moves nothing" in report["cases"][2]["decision"]["message"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["missing"], "no such file or directory"),
        (["--run", "nobody"], "no case is called like 'nobody'"),
        (["--run", "("], "'(' is not a regular expression"),
        (["--output", "xml"], "'xml' is not one of"),
        (["--coverage-min", "101"], "101"),
        (["--require-tests", "--run", "x"], "--require-tests needs all cases (leave out --run)"),
        (["no-move/policy.yaml"], "no PolicyTest was found"),
    ],
)
def test_wrong_use_and_input_is_exit_code_2(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    paths = [str(folder / argument) if not argument.startswith("-") else argument for argument in arguments[:1]]
    full = [*paths, *arguments[1:]] if not arguments[0].startswith("-") else [*arguments, str(folder)]
    assert run(["test", *full]) == 2
    assert message in capsys.readouterr().err


def test_the_problems_of_all_tests_are_told_together(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "no-move" / "policy.yaml").write_text(POLICY.replace("request.userInfo", "requst.userInfo"))
    (folder / "other" / "tests").mkdir(parents=True)
    (folder / "other" / "policy.yaml").write_text(POLICY.replace("request.userInfo", "reqest.userInfo"))
    (folder / "other" / "tests" / "moves.yaml").write_text(SUITE)
    assert run(["test", str(folder)]) == 2
    told = capsys.readouterr().err
    assert f"{folder}/no-move/policy.yaml:13:" in told
    assert f"{folder}/other/policy.yaml:13:" in told


@pytest.mark.parametrize("form", ["table", "json", "junit", "markdown", "github"])
def test_a_test_that_cannot_be_set_up_does_not_hide_the_results_of_the_others(
    folder: Path, capsys: pytest.CaptureFixture[str], form: str
) -> None:
    (folder / "no-move" / "tests" / "torn.yaml").write_text("kind: PolicyTest\n  spec: [")
    assert run(["test", str(folder), "-o", form]) == 2
    told = capsys.readouterr()
    assert told.err.startswith(f"migguard: {folder}/no-move/tests/torn.yaml:2:7: not valid YAML")
    assert "bob moves" in told.out


@pytest.mark.parametrize(
    ("arguments", "code", "shown"),
    [
        pytest.param(["--coverage"], 0, "policies in full: 1 of 1", id="in-full"),
        pytest.param(["--coverage-min", "100"], 0, "coverage 100.0 % (3 of 3)", id="enough"),
        pytest.param(["--coverage-min", "100", "--run", "alice"], 1, ":13:20: validations[0] never failed", id="too-little"),
        pytest.param(["--require-tests"], 0, "2 passed, 0 failed in 1 test", id="tested"),
        pytest.param(["--trace", "--run", "alice"], 0, "CREATE of VirtualMachineInstanceMigration prod/m by alice", id="traced"),
        pytest.param(["--trace", "--fail-only"], 0, "2 passed, 0 failed in 1 test", id="nothing-to-trace"),
    ],
)  # fmt: skip
def test_what_tests_leave_out_can_be_asked_for(
    folder: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], code: int, shown: str
) -> None:
    tests = folder / "no-move" / "tests" / "moves.yaml"
    tests.write_text(SUITE.split("    - name: bob moves\n", maxsplit=1)[0])
    assert run(["test", str(folder), *arguments]) == code
    assert shown in capsys.readouterr().out


def test_an_expectation_that_anything_meets_is_an_error_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    tests = folder / "no-move" / "tests" / "moves.yaml"
    tests.write_text(SUITE.replace("message: bob moves nothing", "patched: {}"))
    assert run(["test", str(folder)]) == 2
    told = capsys.readouterr().err
    assert told.startswith(f"migguard: {tests}:22:41: 'patched' expects nothing (an empty mapping")


def test_a_policy_without_a_test_fails_if_tests_are_required(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "new").mkdir()
    (folder / "new" / "policy.yaml").write_text(POLICY.replace("no-move", "new"))
    assert run(["test", str(folder), "--require-tests"]) == 1
    assert f"FAIL {folder}/new/policy.yaml:4:18: no case judges policy 'new'" in capsys.readouterr().out


def test_the_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["test", "--help"]) == 0
    told = capsys.readouterr().out
    assert "migguard test policies --require-tests --coverage-min 100 -o junit > tests.xml" in told
    assert "Exit code: 0 all passed" in told


def test_a_policy_that_does_not_compile_is_told_with_its_place(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = folder / "no-move" / "policy.yaml"
    file.write_text(POLICY.replace("request.userInfo", "requst.userInfo"))
    assert run(["test", str(folder)]) == 2
    assert capsys.readouterr().err.startswith(f"migguard: {file}:13:36: ")
