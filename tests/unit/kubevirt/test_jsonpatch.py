"""JSON Patch as HyperConverged reads it. Source: RFC 6902; github.com/evanphx/json-patch/v5 patch.go."""

from __future__ import annotations

import copy
import json
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.kubevirt.jsonpatch import PatchError, apply_step, read_patch


def patched(document: Any, *operations: dict[str, Any]) -> Any:
    result = copy.deepcopy(document)
    for step in read_patch(json.dumps(operations)):
        apply_step(result, step)
    return result


def op(kind: str, path: str, **rest: Any) -> dict[str, Any]:
    return {"op": kind, "path": path, **rest}


DOCUMENT = {"a": {"b": [1, 2, 3], "c": True, "n": None}, "x/y": 1, "m~n": 2}


@pytest.mark.parametrize(
    ("operation", "path", "value"),
    [
        pytest.param(op("add", "/a/d", value=1), ("a", "d"), 1, id="add a key"),
        pytest.param(op("add", "/a/c", value=False), ("a", "c"), False, id="add replaces"),
        pytest.param(op("add", "/a/b/0", value=0), ("a", "b"), [0, 1, 2, 3], id="insert"),
        pytest.param(op("add", "/a/b/-", value=4), ("a", "b"), [1, 2, 3, 4], id="append"),
        pytest.param(op("add", "/a/b/-1", value=4), ("a", "b"), [1, 2, 3, 4], id="append by negative index"),
        pytest.param(op("replace", "/a/b/-1", value=9), ("a", "b"), [1, 2, 9], id="replace by negative index"),
        pytest.param(op("replace", "/a/n", value=1), ("a", "n"), 1, id="replace a null"),
        pytest.param(op("remove", "/a/b/1"), ("a", "b"), [1, 3], id="remove an item"),
        pytest.param(op("copy", "/a/d", **{"from": "/a/c"}), ("a", "d"), True, id="copy"),
        pytest.param(op("move", "/a/d", **{"from": "/x~1y"}), ("a", "d"), 1, id="move, escaped slash"),
        pytest.param(op("move", "/a/d", **{"from": "/m~0n"}), ("a", "d"), 2, id="move, escaped tilde"),
        pytest.param(op("test", "/a/c", value=True), ("a", "c"), True, id="test holds"),
        pytest.param(op("test", "/a/missing", value=None), ("a", "c"), True, id="test for null where nothing is"),
        pytest.param(op("test", "/a/missing"), ("a", "c"), True, id="test without a value where nothing is"),
        pytest.param(
            op("copy", "/a/d", **{"from": "x/a/c"}), ("a", "d"), True, id="before the first slash of from is ignored"
        ),
        pytest.param(op("copy", "/a/d", **{"from": "/a/"}), ("a", "d"), None, id="an empty last step reads as null"),
        pytest.param(op("copy", "/d", **{"from": ""}), ("d", "x/y"), 1, id="copy of the whole document"),
        pytest.param(op("replace", "/a/", value=5), ("a", ""), 5, id="replace writes an empty key"),
        pytest.param(op("test", "/a/", value=None), ("a", "c"), True, id="test for null of an empty last step"),
        pytest.param(op("add", "/a/b/+1", value=9), ("a", "b"), [1, 9, 2, 3], id="index with a sign"),
    ],
)
def test_an_operation_does_what_hyperconverged_does(
    operation: dict[str, Any], path: tuple[str, ...], value: Any
) -> None:
    result = patched(DOCUMENT, operation)
    for key in path:
        result = result[key]
    assert result == value
    assert type(result) is type(value)


@pytest.mark.parametrize(
    "operation",
    [
        pytest.param(op("replace", "/a/d", value=1), id="replace of nothing"),
        pytest.param(op("remove", "/a/d"), id="remove of nothing"),
        pytest.param(op("add", "/d/e", value=1), id="missing parent"),
        pytest.param(op("add", "/a/n/e", value=1), id="null parent"),
        pytest.param(op("add", "/a/c/e", value=1), id="parent is a boolean"),
        pytest.param(op("add", "/a/b/4", value=1), id="index beyond the end"),
        pytest.param(op("add", "/a/b/one", value=1), id="index is a word"),
        pytest.param(op("remove", "/a/b/3"), id="remove beyond the end"),
        pytest.param(op("test", "/a/c", value=1), id="1 is not true"),
        pytest.param(op("test", "/a/b/0", value=1.0), id="1.0 is not 1"),
        pytest.param(op("test", "/a/b", value=[1, 2]), id="shorter list"),
        pytest.param(op("test", "/a/c"), id="test without a value where something is"),
        pytest.param(op("copy", "/a/d", **{"from": "/nothing"}), id="copy of nothing"),
        pytest.param(op("move", "/a/d", **{"from": "/a/"}), id="move of an empty last step"),
        pytest.param(op("move", "/d", **{"from": ""}), id="move of the whole document"),
        pytest.param(op("move", "/a/c/d", **{"from": "/a/c"}), id="move into itself"),
        pytest.param(op("remove", "/a/"), id="remove of an empty last step"),
        pytest.param(op("test", "/a//c", value=True), id="an empty step leads nowhere"),
        pytest.param(op("add", "/a/b/", value=1), id="an empty step is no index"),
    ],
)
def test_an_operation_that_cannot_be_done_is_an_error(operation: dict[str, Any]) -> None:
    with pytest.raises(PatchError):
        patched(DOCUMENT, operation)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        pytest.param("", "not JSON", id="empty text"),
        pytest.param("[] []", "not JSON", id="trailing text"),
        pytest.param("{}", "not a JSON array", id="object"),
        pytest.param('"x"', "not a JSON array", id="string"),
        pytest.param("[1]", "operation 1 is none of", id="number"),
        pytest.param("[null]", "operation 1 is none of", id="null operation"),
        pytest.param('[{"op":"ADD","path":"/spec/x","value":1}]', "operation 1 is none of", id="capitals"),
        pytest.param('[{"op":"add","path":"/spec/x"}]', "operation 1 has no value", id="no value"),
        pytest.param('[{"op":"add","value":1}]', "operation 1 has no path", id="no path"),
        pytest.param('[{"op":"add","path":"spec","value":1}]', "operation 1 has no path", id="relative path"),
        pytest.param('[{"op":"copy","path":"/spec/x"}]', "operation 1 has no from", id="no source"),
        pytest.param(
            '[{"op":"copy","path":"/a","from":"b"}]', "operation 1 has a from without /", id="source without a slash"
        ),
        pytest.param('[{"op":"copy","path":"/a","from":null}]', "operation 1 has no from", id="source is null"),
        pytest.param('[{"op":"add","path":"/spec/x","value":NaN}]', "NaN is no value", id="NaN"),
        pytest.param('[{"op":"add","path":"/a","value":{"k":1,"k":2}}]', "same key twice", id="key twice"),
        pytest.param("[" * 100_000, "not JSON", id="deep"),
        pytest.param('[{"op":"add","path":"/a","value":' + "9" * 5000 + "}]", "not JSON", id="number without end"),
    ],
)
def test_a_malformed_patch_says_what_is_wrong(written: str, message: str) -> None:
    with pytest.raises(PatchError, match=message):
        read_patch(written)


@pytest.mark.parametrize("written", ["[]", "null", " [ ] "])
def test_an_empty_patch_does_nothing(written: str) -> None:
    assert read_patch(written) == ()


def test_copies_of_copies_are_bounded() -> None:
    doubling = [op("copy", f"/a/x{number}", **{"from": "/a"}) for number in range(40)]
    with pytest.raises(PatchError, match="copy of more than"):
        patched(DOCUMENT, *doubling)


KEYS = st.sampled_from(["a", "b", "0", "1"])
VALUES = st.recursive(
    st.sampled_from([None, True, "x", 7]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=8,
)
PATHS = st.lists(KEYS, min_size=1, max_size=3).map(lambda keys: "".join(f"/{key}" for key in keys))
OPERATIONS = st.one_of(
    st.builds(
        lambda kind, path, value: op(kind, path, value=value), st.sampled_from(["add", "replace"]), PATHS, VALUES
    ),
    st.builds(lambda path: op("remove", path), PATHS),
    st.builds(lambda path, source: op("copy", path, **{"from": source}), PATHS, PATHS),
)


@given(st.dictionaries(KEYS, VALUES, max_size=4), st.lists(OPERATIONS, max_size=4))
def test_results_agree_with_the_reference_implementation(document: dict[str, Any], operations: list[Any]) -> None:
    try:
        expected = jsonpatch.apply_patch(document, operations)
    except (jsonpatch.JsonPatchException, jsonpatch.JsonPointerException, TypeError):
        with pytest.raises(PatchError):
            patched(document, *operations)
    else:
        assert patched(document, *operations) == expected
