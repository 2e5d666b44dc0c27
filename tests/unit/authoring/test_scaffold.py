"""What is begun passes lint and test as it is."""

from __future__ import annotations

from pathlib import Path

import pytest

from webhook.authoring import scaffold
from webhook.authoring.scaffold import KINDS, ExemptionRequest, NewFile, exemption, policy, write
from webhook.cli.main import run
from webhook.errors import UsageError
from webhook.model.decision import Action
from webhook.source.files import parse

EXEMPTION = ExemptionRequest(
    name="storage-move",
    policies=["held"],
    subjects=[{"kind": "User", "name": 'carl "the mover": #1'}],
    namespaces=["prod"],
    operations=["CREATE"],
    owner="storage@example.com",
    reason="it's a: {test}\nof 'quoting' ✓",
    ticket="T-1",
    expires="2026-12-24",
)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("action", list(Action), ids=str)
def test_a_new_policy_passes_lint_and_its_own_test(
    kind: str, action: Action, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(policy("held", kind, action, tmp_path, None))
    assert run(["test", "--coverage-min", "100", str(tmp_path)]) == 0, capsys.readouterr().out
    assert run(["lint", "--warn-exit-code", "1", str(tmp_path)]) == 0, capsys.readouterr().out


def test_the_line_for_editors_leads_to_the_schema(tmp_path: Path) -> None:
    files = policy("held", "KubeVirt", Action.DENY, tmp_path / "policies", tmp_path / "schemas")
    assert files[0].text.splitlines()[0] == "# yaml-language-server: $schema=../../schemas/guardpolicy.json"
    assert files[1].text.splitlines()[0] == "# yaml-language-server: $schema=../../../schemas/policytest.json"


def test_an_exemption_says_what_was_asked_for_whatever_characters_are_in_it(tmp_path: Path) -> None:
    file = exemption(EXEMPTION, tmp_path, None)
    (document,), problems = parse(file.text, "exemption")
    assert problems == []
    assert document.value["spec"]["reason"] == EXEMPTION.reason
    assert document.value["spec"]["subjects"] == EXEMPTION.subjects
    assert file.path == tmp_path / "storage-move.yaml"


def test_nothing_is_overwritten_and_nothing_is_half_written(tmp_path: Path) -> None:
    there = tmp_path / "b.yaml"
    there.write_text("mine")
    with pytest.raises(UsageError, match="is there already"):
        write([NewFile(tmp_path / "a.yaml", "new"), NewFile(there, "new")])
    assert there.read_text() == "mine"
    assert not (tmp_path / "a.yaml").exists()


def test_a_place_that_cannot_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(UsageError, match="cannot be written"):
        write([NewFile(tmp_path / "file" / "a.yaml", "new")])


def test_every_kind_to_begin_with_is_one_that_is_read() -> None:
    assert next(iter(scaffold.KINDS)) == "VirtualMachineInstanceMigration"
