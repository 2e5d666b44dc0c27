"""`migguard export vap`: what goes to standard output and what to standard error, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import yaml

from webhook.cli.main import run

ROOT = Path(__file__).parents[3]
BACKSTOP = str(ROOT / "examples" / "backstop")


@pytest.fixture(scope="module", name="few")
def few_policies(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Two of the built-in policies: one that can be exported, one that cannot."""
    folder = tmp_path_factory.mktemp("few")
    for name in ("vmim-stamp", "freeze-window"):
        (folder / f"{name}.yaml").write_text((ROOT / "policies" / name / "policy.yaml").read_text("utf-8"), "utf-8")
    return str(folder)


def test_yaml_goes_to_standard_output_and_loads(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "vap", "--policies", BACKSTOP, "--install-namespace", "openshift-cnv"]
    assert run(arguments) == 0
    out, err = capsys.readouterr()
    objects = list(yaml.safe_load_all(out))
    assert [obj["kind"] for obj in objects] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"] * 5
    assert "openshift-cnv:kubevirt-controller" in out
    assert "kubevirt-hyperconverged:" not in out
    assert err == ""


def test_json_holds_the_same(capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["export", "vap", "--policies", BACKSTOP]
    run(arguments)
    as_yaml = list(yaml.safe_load_all(capsys.readouterr().out))
    run([*arguments, "-o", "json"])
    as_json = json.loads(capsys.readouterr().out)
    assert as_json["kind"] == "List"
    assert as_json["items"] == as_yaml


def test_guessed_namespaces_are_said(capsys: pytest.CaptureFixture[str]) -> None:
    run(["export", "vap", "--policies", BACKSTOP])
    assert "--install-namespace" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("flags", "code"),
    [
        pytest.param([], 0, id="some-refused"),
        pytest.param(["--strict"], 1, id="strict"),
        pytest.param(["--policy", "vmim-stamp", "--strict"], 0, id="none-refused"),
        pytest.param(["--policy", "freeze-window"], 1, id="nothing-left"),
        pytest.param(["--policy", "freeze-windows"], 2, id="no-such-policy"),
    ],
)
def test_the_exit_code_says_what_came_of_it(
    flags: list[str], code: int, few: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["export", "vap", "--policies", few, *flags]) == code
    assert "Traceback" not in capsys.readouterr().err


def test_each_refused_policy_is_listed_with_place_and_reason(few: str, capsys: pytest.CaptureFixture[str]) -> None:
    run(["export", "vap", "--policies", few])
    lines = capsys.readouterr().err.splitlines()
    (found,) = [line for line in lines if "freeze-window is" in line]
    assert found.startswith(f"{few}/freeze-window.yaml:")
    assert "it reads freeze.active, freeze.name, freeze.reason, freeze.until, which only migguard knows" in found


@pytest.mark.parametrize(
    "text", ["y", "n", "on", "0o17", "1e5", "07", "~", "a\x85b", "x" * 80 + "\u2028y", "it's: {so}", "no"]
)
def test_no_text_is_anything_else_to_another_reader_of_yaml(
    text: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    policy = yaml.safe_load((ROOT / "examples/backstop/migrate-right/policy.yaml").read_text("utf-8"))
    policy["metadata"]["annotations"]["migguard.io/title"] = text
    (tmp_path / "policy.json").write_text(json.dumps(policy))
    assert run(["export", "vap", "--policies", str(tmp_path)]) == 0
    out = capsys.readouterr().out
    for obj in yaml.safe_load_all(out):
        assert obj["metadata"]["annotations"]["migguard.io/title"] == text
    (line,) = {line.strip() for line in out.splitlines() if "io/title" in line}
    assert line.endswith('"') or len(text) > 60
