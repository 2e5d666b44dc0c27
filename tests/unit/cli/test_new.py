"""`migguard new`: files where they belong, and clear refusals of what cannot be."""

from __future__ import annotations

import io
from pathlib import Path

import pytest
import yaml

from webhook.cli.main import run

ROOT = Path(__file__).parents[3]
EXEMPTION = [
    *("new", "exemption", "storage-move", "--policy", "held", "--user", "carl", "-n", "prod", "--owner", "team"),
    *("--reason", "moves", "--ticket", "T-1"),
]


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_from_nothing_to_an_exempted_policy(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["new", "policy", "held", "--action", "Deny"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "wrote policies/held/policy.yaml",
        "wrote policies/held/tests/held.yaml",
        "next: migguard test policies/held",
    ]
    assert run(EXEMPTION) == 0
    assert run(["new", "test", "policies/held", "--name", "surprises"]) == 0
    assert run(["test", "policies"]) == 0
    assert run(["lint", "policies"]) == 0


def test_an_exemption_ends_when_it_was_asked_to(folder: Path) -> None:
    run(["new", "policy", "held"])
    assert run([*EXEMPTION, "--days", "3", "--group", "movers", "--serviceaccount", "ns:mover"]) == 0
    spec = yaml.safe_load((folder / "policies/exemptions/storage-move.yaml").read_text())["spec"]
    assert spec["subjects"] == [
        {"kind": "User", "name": "carl"},
        {"kind": "Group", "name": "movers"},
        {"kind": "ServiceAccount", "namespace": "ns", "name": "mover"},
    ]


def test_a_request_from_elsewhere_becomes_a_test(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run(["new", "policy", "held"])
    review = (ROOT / "examples/requests/1-allowed.yaml").read_bytes()
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(review)))
    assert run(["new", "test", "policies/held", "--name", "ticket-1", "-f", "-"]) == 0
    assert run(["test", "policies/held/tests/ticket-1.yaml"]) == 0


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        pytest.param(["new", "policy", "On_Hold"], "'On_Hold' is no name", id="bad-name"),
        pytest.param(
            ["new", "policy", "held", "--kind", "VirtualMachin"], "did you mean 'VirtualMachine'", id="bad-kind"
        ),
        pytest.param(["new", "policy", "there"], "is there already", id="overwriting-a-policy"),
        pytest.param(["new", "test", "policies/there", "--name", "there"], "is there already", id="overwriting-a-test"),
        pytest.param(["new", "test", "policies/gone"], "no such file", id="no-such-policy"),
        pytest.param(
            [argument for argument in EXEMPTION if argument not in {"--user", "carl"}],
            "nobody would be exempt",
            id="nobody",
        ),
        pytest.param([*EXEMPTION, "--serviceaccount", "mover"], "write NAMESPACE:NAME", id="half-an-account"),
        pytest.param([*EXEMPTION, "--policies", "policies"], "no GuardPolicy 'held'", id="a-policy-that-is-not-there"),
        pytest.param([*EXEMPTION[:-1], ""], "spec.ticket", id="no-ticket"),
        pytest.param(
            [*EXEMPTION, "--policies", "policies", "--policy", "there", "--days", "400"],
            "expires more than 90 days from now",
            id="too-long",
        ),
    ],
)
def test_what_cannot_be_is_said_in_one_line(
    arguments: list[str], said: str, folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run(["new", "policy", "there"])
    capsys.readouterr()
    assert run(arguments) == 2
    err = capsys.readouterr().err
    assert said in err
    assert "Traceback" not in err
    assert not (folder / "policies/exemptions").exists()
