"""The shape of the code: where things are, how large they are, and that each has its tests."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "webhook"
MODULES = sorted(path for path in PACKAGE.rglob("*.py") if path.name not in {"__init__.py", "__main__.py"})
MAX_LINES = 400
FORBIDDEN = {"manager", "helper", "helpers", "util", "utils", "common", "handler", "processor", "info", "base"}


@pytest.mark.parametrize("module", [pytest.param(path, id=str(path.relative_to(PACKAGE))) for path in MODULES])
def test_a_module_is_small_says_what_it_is_for_and_has_a_telling_name(module: Path) -> None:
    text = module.read_text("utf-8")
    assert text.count("\n") <= MAX_LINES
    assert ast.get_docstring(ast.parse(text))
    assert module.stem not in FORBIDDEN


@pytest.mark.parametrize(
    "folder", [pytest.param(path, id=path.name) for path in sorted((ROOT / "policies").iterdir()) if path.is_dir()]
)
def test_a_policy_folder_holds_the_policy_and_its_tests(folder: Path) -> None:
    assert (folder / "policy.yaml").is_file()
    assert list((folder / "tests").glob("*.yaml"))
