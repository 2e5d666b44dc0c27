"""Mutations that are undone, have nothing to change, or are silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, policy, rule, rules_of


def merging(expression: str, name: str = "m", **fields: str) -> Json:
    said = fields or {"warning": "it was set"}
    return {"name": name, "patchType": "ApplyConfiguration", "expression": expression, **said}


def patching(expression: str, name: str = "p") -> Json:
    return {"name": name, "patchType": "JSONPatch", "expression": expression, "warning": "it was set"}


def operation(name: str, path: str) -> str:
    return f"[{{'op': '{name}', 'path': '{path}'}}]"


def adds(path: str, value: str = "1") -> str:
    return f"{{'op': 'add', 'path': '{path}', 'value': {value}}}"


@pytest.mark.parametrize(
    ("first", "second", "undone"),
    [
        pytest.param(merging("{'spec': {'a': 1}}"), merging("{'spec': {'a': 2}}", "n"), True, id="same-field"),
        pytest.param(merging("{'spec': {'a': 1}}"), merging("{'spec': {'b': 2}}", "n"), False, id="another-field"),
        pytest.param(merging("{'spec': {'a': 1, 'b': 1}}"), merging("{'spec': {'a': 2}}", "n"), False, id="part"),
        pytest.param(merging("{'spec': {'a': 1}}"), patching(f"[{adds('/spec/a')}]"), True, id="both-styles"),
        pytest.param(merging("{'a/b': 1}"), patching(f"[{adds('/a~1b')}]"), True, id="escaped"),
        pytest.param(
            merging("vmi.found ? {'spec': {'a': 1}} : {}"), merging("{'spec': {'a': 2}}", "n"), True, id="maybe-set"
        ),
        pytest.param(
            merging("{'spec': {'a': 1}}"), merging("vmi.found ? {'spec': {'a': 2}} : {}", "n"), False, id="maybe-undone"
        ),
        pytest.param(
            merging("{'spec': {'a': 1}}"),
            merging("vmi.found ? {'spec': {'a': 2}} : {'spec': {'a': 3}}", "n"), True, id="undone-in-any-case",
        ),
        pytest.param(
            merging("{'spec': {'a': 1}}"), merging("{'spec': {?'a': optional.none()}}", "n"), False, id="optional"
        ),
        pytest.param(patching(f"[{adds('/a')}]"), patching(operation("remove", "/a"), "n"), False, id="removed"),
        pytest.param(
            patching(f"['/a'].map(p, {adds('/a')})"), patching(f"[{adds('/a')}]", "n"), False, id="computed"
        ),
    ],
)  # fmt: skip
def test_a_mutation_is_undone(first: Json, second: Json, undone: bool, tmp_path: Path) -> None:
    found = rules_of(tmp_path, policy(mutations=[first, second]))
    assert found == (["mutation-overwritten"] if undone else [])


@pytest.mark.parametrize(
    ("operations", "expected"), [(["DELETE"], ["mutation-never-runs"]), (["DELETE", "UPDATE"], []), (["*"], [])]
)
def test_there_is_something_to_mutate(operations: list[str], expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(rules=[rule(*operations)], mutations=[merging("{'spec': {'a': 1}}")])) == expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        ({"warning": "a was set"}, []),
        ({"warningExpression": "vmi.found ? 'a was set' : ''"}, []),
        ({"warningExpression": "''"}, ["silent-mutation"]),
        ({"warningExpression": "''", "warning": "a was set"}, []),
    ],
)
def test_a_mutation_tells_what_it_does(said: dict[str, str], expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(mutations=[merging("{'spec': {'a': 1}}", **said)])) == expected
