"""Policies that no test loads, and tests that cannot be read."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from tests.unit.authoring.lint.linting import NOW, TEST, policy
from webhook.authoring.lint.run import lint


@pytest.fixture(name="folder")
def policy_folder(tmp_path: Path) -> Path:
    folder = tmp_path / "guard"
    folder.mkdir()
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy()), "utf-8")
    return folder


def put(path: Path, policies: str, text: str = TEST) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text.replace("policies: [..]", f"policies: [{policies}]"), "utf-8")


def found(*paths: Path) -> list[str]:
    return [one.rule for one in lint([paths], now=NOW).findings]


def test_a_policy_without_a_test_is_found(folder: Path) -> None:
    (one,) = lint([[folder]], now=NOW).findings
    assert one.rule == "no-tests"
    assert one.hint == f"add {folder}/tests/NAME.yaml, of kind PolicyTest"


@pytest.mark.parametrize(
    ("file", "policies"),
    [
        pytest.param("guard/tests/test.yaml", "..", id="folder-above"),
        pytest.param("guard/tests/test.yaml", "../policy.yaml", id="file"),
        pytest.param("guard/test.yaml", ".", id="beside-the-policy"),
    ],
)
def test_a_test_that_loads_the_policy_is_enough(file: str, policies: str, folder: Path) -> None:
    put(folder.parent / file, policies)
    assert found(folder) == []
    assert found(folder.parent) == []


def test_a_test_beside_the_policy_counts_though_only_the_file_is_linted(folder: Path) -> None:
    put(folder / "tests" / "test.yaml", "..")
    assert found(folder / "policy.yaml") == []


def test_a_test_of_another_policy_does_not_count(folder: Path) -> None:
    put(folder / "tests" / "test.yaml", "../../other")
    assert found(folder) == ["no-tests"]


def test_a_test_from_elsewhere_counts_where_it_is_given(folder: Path) -> None:
    put(folder.parent / "checks" / "test.yaml", "../guard")
    assert found(folder) == ["no-tests"]
    assert found(folder, folder.parent / "checks") == []


def test_a_test_that_cannot_be_read_is_found_and_the_others_count(folder: Path) -> None:
    put(folder / "tests" / "good.yaml", "..")
    put(folder / "tests" / "bad.yaml", "..", TEST.replace("operation: CREATE", "operation: CRATE"))
    (one,) = lint([[folder]], now=NOW).findings
    assert (one.rule, one.place.file) == ("policy-test", str(folder / "tests" / "bad.yaml"))
    assert one.hint == "did you mean 'CREATE'?"
