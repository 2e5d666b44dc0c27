"""Mutations that are undone, have nothing to change, or are silent."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, findings, policy, rule, rules_of


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
            merging("requester.origin == 'User' ? {'spec': {'a': 2}} : {'spec': {'a': 3}}", "n"),
            True, id="undone-in-any-case",
        ),
        pytest.param(
            merging("{'spec': {'a': 1}}"), merging("{'spec': {?'a': optional.none()}}", "n"), False, id="optional"
        ),
        pytest.param(patching(f"[{adds('/a')}]"), patching(operation("remove", "/a"), "n"), False, id="removed"),
        pytest.param(patching(f"[{adds('/a')}]"), patching(f"[{adds('/a')}]", "n"), True, id="added-twice"),
        pytest.param(patching(f"[{adds('/l/0')}]"), patching(f"[{adds('/l/0')}]", "n"), False, id="both-inserted"),
        pytest.param(patching(f"[{adds('/l/-')}]"), patching(f"[{adds('/l/-')}]", "n"), False, id="both-appended"),
        pytest.param(patching(f"[{adds('/l/-/a')}]"), patching(f"[{adds('/l/-/a')}]", "n"), False, id="in-an-item"),
        pytest.param(
            patching(f"[{adds('/a')}]"),
            patching("[{'op': 'replace', 'path': '/a', 'value': 2}]", "n"), False, id="replaced-as-it-is-there",
        ),
        pytest.param(
            merging("{'spec': {'a': 1}}"), merging("{'spec': {'a': object.spec.?a.orValue(0) + 1}}", "n"),
            False, id="read-by-the-later-one",
        ),
        pytest.param(
            merging("{'spec': {'a': 1}}"), merging("{'spec': {'a': vmi.critical}}", "n"), False, id="read-by-a-fact"
        ),
        pytest.param(
            merging("{'spec': {'a': params}}"), merging("{'spec': {'a': params}}", "n"), False, id="perhaps-merged"
        ),
        pytest.param(
            patching(f"['/a'].map(p, {adds('/a')})"), patching(f"[{adds('/a')}]", "n"), False, id="computed"
        ),
    ],
)  # fmt: skip
def test_a_mutation_is_undone(first: Json, second: Json, undone: bool, tmp_path: Path) -> None:
    found = rules_of(tmp_path, policy(mutations=[first, second]))
    assert found == (["mutation-overwritten"] if undone else [])


def test_a_mutation_in_between_may_have_read_it(tmp_path: Path) -> None:
    variables = [{"name": "a", "expression": "object.spec.?a.orValue(0)"}]
    reads = merging("{'spec': {'b': variables.a}}", "n")
    first, last = merging("{'spec': {'a': 1}}"), merging("{'spec': {'a': 2}}", "o")
    assert rules_of(tmp_path, policy(variables=variables, mutations=[first, reads, last])) == []
    assert rules_of(tmp_path, policy(variables=variables, mutations=[first, last, reads])) == ["mutation-overwritten"]


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


@pytest.mark.parametrize(
    ("expression", "message"),
    [
        pytest.param(f"[{adds('/spec/a')}]", "", id="good"),
        pytest.param("[{'op': 'set', 'path': '/a', 'value': 1}]", "'set' is no operation", id="no-operation"),
        pytest.param("[{'path': '/a', 'value': 1}]", "'' is no operation", id="without-operation"),
        pytest.param(f"[{adds('spec/a')}]", "path 'spec/a' does not begin with /", id="no-pointer"),
        pytest.param("[{'op': 'move', 'path': '/a', 'from': 'b'}]", "from 'b' does not begin", id="from-no-pointer"),
        pytest.param("[{'op': 'add', 'path': '/a'}]", "'add' needs exactly op, path, value", id="no-value"),
        pytest.param("[{'op': 'remove', 'path': '/a', 'value': 1}]", "'remove' needs exactly op, path", id="value"),
        pytest.param(f"[{adds('/metadata/name')}]", "a mutation may not change /metadata/name", id="identity"),
        pytest.param("[{'op': 'test', 'path': '/metadata/name', 'value': 'a'}]", "", id="identity-tested"),
        pytest.param("[{'op': 'copy', 'path': '/a', 'from': '/kind'}]", "", id="identity-copied"),
        pytest.param(f"vmi.found ? [{adds('/a')}] : [{adds('b')}]", "path 'b' does not", id="in-a-branch"),
        pytest.param(f"[{adds('/a')}] + (vmi.found ? [{adds('b')}] : [])", "path 'b' does not", id="joined"),
        pytest.param(f"['a'].map(p, {adds('b')})", "path 'b' does not", id="in-a-macro"),
        pytest.param("['a'].map(p, {'op': 'add', 'path': p, 'value': 1})", "", id="computed-path"),
        pytest.param("['add'].map(o, {'op': o, 'path': '/a', 'value': 1})", "", id="computed-operation"),
        pytest.param("[{'op': 'add', 'path': '/a', ?'value': optional.of(1)}]", "", id="optional-member"),
        pytest.param("[{'op': 'add', 'path': '/a', 'value': {'op': 'set'}}]", "", id="value-like-an-operation"),
        pytest.param("['op'].map(k, {k: 'add', 'path': '/a', 'value': 1})", "", id="computed-key"),
    ],
)
def test_an_operation_of_a_patch_can_be_done(expression: str, message: str, tmp_path: Path) -> None:
    found = findings(tmp_path, policy(mutations=[patching(expression)]))
    assert [one.rule for one in found] == (["bad-patch"] if message else [])
    assert all(one.message.startswith(message) for one in found)
