"""``migguard schema``: what is printed, what is written, and the exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from webhook.authoring import schemas
from webhook.cli.main import run
from webhook.policy import schema


@pytest.mark.parametrize("kind", schemas.KINDS)
def test_a_kind_is_printed(kind: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", kind]) == 0
    assert json.loads(capsys.readouterr().out) == schema.schema(kind)


def test_the_one_for_all_is_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "migguard"]) == 0
    assert json.loads(capsys.readouterr().out) == schemas.combined()


def test_without_a_kind_all_are_printed(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema"]) == 0
    assert [one["title"] for one in json.loads(capsys.readouterr().out)] == [
        f"migguard {kind}" for kind in schemas.KINDS
    ]


def test_all_are_written_into_a_directory(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "-o", str(tmp_path)]) == 0
    names = [schemas.file_name(name) for name in (*schemas.KINDS, schemas.COMBINED)]
    assert capsys.readouterr().out.splitlines() == [str(tmp_path / name) for name in names]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(names)


def test_one_is_written_into_a_directory(tmp_path: Path) -> None:
    assert run(["schema", "exemption", "-o", str(tmp_path)]) == 0
    assert [path.name for path in tmp_path.iterdir()] == ["exemption.json"]


def test_an_unknown_kind_is_wrong_use(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "Policy"]) == 2
    assert capsys.readouterr().err.startswith("migguard: 'Policy' is no kind of document")


def test_help_shows_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["schema", "--help"]) == 0
    told = capsys.readouterr().out
    assert "  migguard schema -o .schemas\n" in told
    assert "Exit code: 0 done, 2 wrong use." in told
