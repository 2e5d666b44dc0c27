"""A test that is begun for a policy says what the policy says today, and passes."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest
import yaml

from webhook.authoring import testscaffold
from webhook.cli.main import run
from webhook.errors import UsageError
from webhook.policy import loader

ROOT = Path(__file__).parents[3]
VARIED = [
    "cancel-guard",
    "freeze-window",
    "leftover-upgrade-role",
    "migration-limits",
    "post-copy-exposure",
    "protection-kept",
    "requester-can-migrate",
    "vm-volumes-migratable",
    "vmim-stamp",
]
"""Deletions, roles, configuration, the clock, labels, migrations, mutations."""


def _policy(name: str, tmp_path: Path) -> Path:
    folder = tmp_path / name
    (folder / "tests").mkdir(parents=True)
    (folder / "policy.yaml").write_text((ROOT / "policies" / name / "policy.yaml").read_text("utf-8"), "utf-8")
    return folder


@pytest.mark.parametrize("name", VARIED)
def test_a_test_begun_for_a_built_in_policy_passes(
    name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = _policy(name, tmp_path)
    policy = loader.load([folder], now=datetime.now(UTC)).policies[0]
    file = testscaffold.scaffold("begun", folder, testscaffold.example(policy))
    file.path.write_text(file.text, "utf-8")
    assert run(["test", str(folder)]) == 0, capsys.readouterr().out


def test_what_is_looked_up_and_not_there_is_stated(tmp_path: Path) -> None:
    folder = _policy("vm-volumes-migratable", tmp_path)
    policy = loader.load([folder], now=datetime.now(UTC)).policies[0]
    spec = yaml.safe_load(testscaffold.scaffold("begun", folder, testscaffold.example(policy)).text)["spec"]
    assert spec["absent"] == [{"kind": "VirtualMachineInstance", "namespace": "example", "name": "example"}]
    assert "policies" not in spec
    assert spec["cases"][0]["expect"]["allowed"] is False


def test_where_no_request_can_be_guessed_one_is_asked_for(tmp_path: Path) -> None:
    policy = loader.load([_policy("eviction-guard", tmp_path)], now=datetime.now(UTC)).policies[0]
    with pytest.raises(UsageError, match="-f"):
        testscaffold.example(policy)
