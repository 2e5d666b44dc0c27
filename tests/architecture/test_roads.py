"""docs/roads.md lists every road of the domain's list, and each is shown by tests that exist."""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROADS = 23
"""Rows of the list of ways around, from the eviction of a launcher pod to disabling migguard."""

_ROWS = [
    [cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]]
    for line in (ROOT / "docs" / "roads.md").read_text("utf-8").splitlines()
    if re.match(r"\| \d+ \|", line)
]


def test_every_road_has_its_row() -> None:
    assert [int(row[0]) for row in _ROWS] == list(range(1, ROADS + 1))


@pytest.mark.parametrize("row", _ROWS, ids=lambda row: f"road-{row[0]}")
def test_a_row_says_what_is_seen_and_done_and_names_tests_that_exist(row: list[str]) -> None:
    _, road, sees, does, shown = row
    assert road
    assert sees
    assert does
    named = re.findall(r"`(test_[a-z_]+\.py)::(\w+)`", shown)
    assert named, f"no test is named: {shown}"
    for file, name in named:
        tree = ast.parse((ROOT / "tests" / "e2e" / file).read_text("utf-8"))
        known = {node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.ClassDef)}
        assert name in known, f"{file} has no {name}"


def test_policies_that_are_named_exist() -> None:
    policies = {folder.name for folder in (ROOT / "policies").iterdir() if folder.is_dir()}
    words = {word for row in _ROWS for word in re.findall(r"\(`([^)]*)`", row[3]) for word in word.split("`, `")}
    named = {word for word in words if re.fullmatch(r"[a-z]+(-[a-z]+)+", word)}
    assert named
    assert named <= policies
