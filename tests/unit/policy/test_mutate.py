"""From what a mutation's expression gave to a patch that is proven to apply."""

from __future__ import annotations

import copy
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import jsonpatch
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.engine import migration
from webhook.model.decision import PatchOperation
from webhook.model.objects import value
from webhook.policy.cel import EvaluationError
from webhook.policy.mutate import IDENTITY, OPERATIONS, apply, as_patch, same

TARGET: dict[str, Any] = {
    "apiVersion": "hco.kubevirt.io/v1beta1",
    "kind": "HyperConverged",
    "metadata": {"name": "kubevirt-hyperconverged", "namespace": "openshift-cnv", "labels": {"a/b": "1", "c~d": "2"}},
    "spec": {"live": {"parallel": 5, "postCopy": 1, "network": None}, "list": [1, 2], "flags": [True, False]},
}


def _merged(partial: object) -> list[PatchOperation]:
    return list(as_patch(partial, TARGET, json_patch=False))


def _listed(*operations: object) -> list[PatchOperation]:
    return list(as_patch(list(operations), TARGET, json_patch=True))


# ApplyConfiguration


@pytest.mark.parametrize(
    ("partial", "operations"),
    [
        pytest.param({}, [], id="nothing"),
        pytest.param({"spec": {}}, [], id="nothing below"),
        pytest.param({"spec": {"live": {"parallel": 5}}}, [], id="as it is"),
        pytest.param({"spec": {"live": {"parallel": 5.0}}}, [], id="the same number"),
        pytest.param({"spec": {"list": [1, 2]}}, [], id="the same list"),
        pytest.param(
            {"spec": {"live": {"parallel": 2}}},
            [{"op": "add", "path": "/spec/live/parallel", "value": 2}],
            id="other value",
        ),
        pytest.param(
            {"spec": {"live": {"postCopy": True}}},
            [{"op": "add", "path": "/spec/live/postCopy", "value": True}],
            id="true is not 1",
        ),
        pytest.param(
            {"spec": {"flags": [1, False]}},
            [{"op": "add", "path": "/spec/flags", "value": [1, False]}],
            id="nor in a list",
        ),
        pytest.param(
            {"spec": {"live": {"bandwidth": "64Mi"}}},
            [{"op": "add", "path": "/spec/live/bandwidth", "value": "64Mi"}],
            id="new field",
        ),
        pytest.param(
            {"spec": {"virt": {"live": {"a": 1}}}},
            [{"op": "add", "path": "/spec/virt", "value": {"live": {"a": 1}}}],
            id="new field with its parents",
        ),
        pytest.param({"status": {}}, [{"op": "add", "path": "/status", "value": {}}], id="new empty field"),
        pytest.param(
            {"spec": {"live": {"network": {"name": "x"}}}},
            [{"op": "add", "path": "/spec/live/network", "value": {"name": "x"}}],
            id="in place of null",
        ),
        pytest.param(
            {"spec": {"list": {"a": 1}}},
            [{"op": "add", "path": "/spec/list", "value": {"a": 1}}],
            id="in place of a list",
        ),
        pytest.param(
            {"spec": {"live": [1]}}, [{"op": "add", "path": "/spec/live", "value": [1]}], id="list in place of a map"
        ),
        pytest.param(
            {"metadata": {"labels": {"a/b": "9", "c~d": "9", "~1": "9", "": "9"}}},
            [
                {"op": "add", "path": "/metadata/labels/", "value": "9"},
                {"op": "add", "path": "/metadata/labels/a~1b", "value": "9"},
                {"op": "add", "path": "/metadata/labels/c~0d", "value": "9"},
                {"op": "add", "path": "/metadata/labels/~01", "value": "9"},
            ],
            id="keys with slash and tilde",
        ),
    ],
)
def test_a_partial_object_becomes_one_operation_for_each_difference(partial: object, operations: list[Any]) -> None:
    assert _merged(partial) == operations


@pytest.mark.parametrize(
    ("partial", "error"),
    [
        pytest.param([], "must give a partial object", id="list"),
        pytest.param("text", "must give a partial object", id="text"),
        pytest.param(None, "must give a partial object", id="null"),
        pytest.param({"spec": {"a": None}}, "sets /spec/a to null; use a JSONPatch to remove a field", id="null field"),
        pytest.param({"new": {"a": {"b": None}}}, "sets /new/a/b to null", id="null in a new field"),
        pytest.param({"spec": {"list": [None]}}, "sets /spec/list/0 to null", id="null in a list"),
        pytest.param({1: "a"}, "a key that is not a string: /1", id="number as a key"),
        pytest.param(
            {"spec": {"new": {True: 1}}}, "a key that is not a string: /spec/new/True", id="key in a new field"
        ),
        pytest.param({"spec": {"at": datetime(2026, 1, 1, tzinfo=UTC)}}, "gives datetime at /spec/at", id="time"),
        pytest.param({"spec": {"for": timedelta(hours=1)}}, "gives timedelta at /spec/for", id="duration"),
        pytest.param({"spec": {"raw": [bytearray(b"x")]}}, "gives bytearray at /spec/raw/0", id="bytes"),
        pytest.param({"spec": {"x": float("inf")}}, "gives inf at /spec/x", id="infinite"),
        pytest.param({"spec": {"x": float("nan")}}, "gives nan at /spec/x", id="not a number"),
        pytest.param({"kind": "Other"}, "may not change /kind", id="kind"),
        pytest.param({"metadata": {"namespace": "other"}}, "may not change /metadata/namespace", id="namespace"),
        pytest.param({"metadata": "x"}, "may not change /metadata", id="all metadata"),
        pytest.param({f"f{n}": n for n in range(101)}, "has 101 operations; 100 are allowed", id="too much"),
    ],
)
def test_what_is_no_usable_partial_object_is_refused(partial: object, error: str) -> None:
    with pytest.raises(EvaluationError, match=error):
        _merged(partial)


def test_naming_the_object_as_it_is_is_no_change() -> None:
    assert _merged({key: TARGET[key] for key in ("apiVersion", "kind", "metadata")}) == []


# JSONPatch


@pytest.mark.parametrize(
    ("operations", "changed"),
    [
        pytest.param([], {}, id="nothing"),
        pytest.param([{"op": "add", "path": "/spec/new", "value": 1}], {"new": 1}, id="add"),
        pytest.param(
            [{"op": "replace", "path": "/spec/live/parallel", "value": 2}], {"live.parallel": 2}, id="replace"
        ),
        pytest.param(
            [{"op": "replace", "path": "/spec/live/postCopy", "value": True}],
            {"live.postCopy": True},
            id="true is not 1",
        ),
        pytest.param([{"op": "add", "path": "/spec/list/-", "value": 3}], {"list": [1, 2, 3]}, id="add to a list"),
        pytest.param([{"op": "copy", "from": "/spec/list", "path": "/spec/other"}], {"other": [1, 2]}, id="copy"),
        pytest.param(
            [{"op": "test", "path": "/spec/live/parallel", "value": 5}, {"op": "add", "path": "/spec/a", "value": 1}],
            {"a": 1},
            id="test that holds",
        ),
        pytest.param([{"op": "add", "path": "/spec/live/network", "value": None}], {}, id="null for null"),
        pytest.param([{"op": "add", "path": "/spec/none", "value": None}], {"none": None}, id="new null"),
    ],
)
def test_a_list_of_operations_changes_what_it_says(operations: list[Any], changed: dict[str, Any]) -> None:
    result = apply(tuple(_listed(*operations)), TARGET)

    for path, wanted in changed.items():
        assert same(value(result["spec"], *path.split(".")), wanted)
    if not changed:
        assert result == TARGET


@pytest.mark.parametrize(
    "operations",
    [
        pytest.param([{"op": "replace", "path": "/spec/live/parallel", "value": 5}], id="as it is"),
        pytest.param(
            [{"op": "add", "path": "/spec/a", "value": 1}, {"op": "remove", "path": "/spec/a"}], id="there and back"
        ),
        pytest.param([{"op": "test", "path": "/kind", "value": "HyperConverged"}], id="only tests"),
        pytest.param(
            [{"op": "test", "path": "/spec/live/parallel", "value": 6}, {"op": "remove", "path": "/spec"}],
            id="a test that does not hold",
        ),
    ],
)
def test_operations_that_change_nothing_are_no_patch(operations: list[Any]) -> None:
    assert _listed(*operations) == []


_ONE_OF = "one of add, replace, test, remove, copy, move"


@pytest.mark.parametrize(
    ("result", "error"),
    [
        pytest.param({"op": "add"}, "must give a list of operations", id="no list"),
        pytest.param(["add"], f"operation 0 has no 'op' that is {_ONE_OF}", id="text"),
        pytest.param(
            [{"op": "merge", "path": "/a"}], f"operation 0 has no 'op' that is {_ONE_OF}", id="unknown operation"
        ),
        pytest.param([{"path": "/a"}], "operation 0 has no 'op'", id="no operation"),
        pytest.param([{"op": ["add"], "path": "/a"}], "operation 0 has no 'op'", id="operation is no text"),
        pytest.param([{"op": "add", "path": "/a"}], "needs exactly op, path, value", id="no value"),
        pytest.param([{"op": "remove", "path": "/a", "value": 1}], "needs exactly op, path", id="value too many"),
        pytest.param([{"op": "copy", "path": "/a"}], "needs exactly op, from, path", id="no from"),
        pytest.param([{"op": "add", "path": 1, "value": 1}], "path and from are strings", id="path is no text"),
        pytest.param(
            [{"op": "add", "path": "spec", "value": 1}], "does not apply: Location must start with /", id="no slash"
        ),
        pytest.param(
            [{"op": "add", "path": "/spec/a~2", "value": 1}], "does not apply: Found invalid escape", id="escape"
        ),
        pytest.param([{"op": "remove", "path": "/spec/absent"}], "does not apply", id="remove what is not there"),
        pytest.param([{"op": "replace", "path": "/spec/absent", "value": 1}], "does not apply", id="replace nothing"),
        pytest.param([{"op": "add", "path": "/status/a", "value": 1}], "does not apply", id="add below nothing"),
        pytest.param(
            [{"op": "add", "path": "/spec/live/network/a", "value": 1}], "does not apply", id="add below null"
        ),
        pytest.param([{"op": "add", "path": "/spec/list/7", "value": 1}], "does not apply", id="outside of a list"),
        pytest.param([{"op": "add", "path": "/kind/a", "value": 1}], "does not apply", id="below a text"),
        pytest.param([{"op": "add", "path": "/spec/a", "value": float("inf")}], "gives inf at /0/value", id="infinite"),
        pytest.param(
            [{"op": "add", "path": "/spec/a", "value": datetime(2026, 1, 1, tzinfo=UTC)}],
            "gives datetime at /0/value",
            id="time",
        ),
        pytest.param([{"op": "test", "path": "/kind", "value": "x"}] * 101, "has 101 operations", id="too many"),
    ],
)
def test_what_is_no_usable_json_patch_is_refused(result: object, error: str) -> None:
    with pytest.raises(EvaluationError, match=error):
        as_patch(result, TARGET, json_patch=True)


@pytest.mark.parametrize("path", ["", "/metadata", *IDENTITY])
def test_the_identity_of_an_object_cannot_be_changed(path: str) -> None:
    operations = [
        {"op": "add", "path": path, "value": {}},
        {"op": "replace", "path": path, "value": "x"},
        {"op": "remove", "path": path},
        {"op": "copy", "from": "/spec", "path": path},
        {"op": "move", "from": "/spec", "path": path},
        {"op": "move", "from": path, "path": "/spec/x"},
    ]
    for operation in operations:
        with pytest.raises(EvaluationError, match="a mutation may not change"):
            _listed(operation)


def test_an_operation_may_read_what_it_may_not_change() -> None:
    assert len(_listed({"op": "copy", "from": "/metadata/name", "path": "/spec/name"})) == 1
    assert _listed({"op": "test", "path": "/metadata/name", "value": "x"}) == []


def test_labels_and_annotations_may_be_changed() -> None:
    assert len(_listed({"op": "add", "path": "/metadata/annotations", "value": {"a": "b"}})) == 1


def test_there_must_be_an_object() -> None:
    with pytest.raises(EvaluationError, match="there is no object to change"):
        as_patch({}, None, json_patch=False)


@pytest.mark.parametrize(
    ("left", "right", "equal"),
    [
        (1, 1.0, True),
        (1, True, False),
        (0, False, False),
        ({"a": [1]}, {"a": [1.0]}, True),
        ({"a": [1]}, {"a": [True]}, False),
        ([1], [1, 1], False),
        ({}, [], False),
        ({"a": None}, {}, False),
        (None, False, False),
        ("1", 1, False),
    ],
)
def test_json_values_are_the_same_where_json_would_say_so(left: object, right: object, equal: bool) -> None:
    assert same(left, right) is equal
    assert same(right, left) is equal


# For every object and every result

_keys = st.sampled_from(["a", "b", "a/b", "~", "~1", "", "spec", "0", "-"])
_scalars = st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, "x", ""])
_values = st.recursive(
    _scalars | st.none(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3),
    max_leaves=8,
)
_without_null = st.recursive(
    _scalars, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=3), max_leaves=8
)
_objects = st.dictionaries(_keys, _values, max_size=4).map(lambda fields: {**migration(), **fields})
_partials = st.dictionaries(_keys, _without_null, max_size=4)
_pointers = st.lists(_keys, max_size=3).map(
    lambda steps: "".join(f"/{step.replace('~', '~0').replace('/', '~1')}" for step in steps)
) | st.sampled_from(["/metadata/name", "/metadata", "/kind", "/metadata/labels", "/spec/vmiName", "a"])


@st.composite
def _operations(draw: st.DrawFn) -> dict[str, Any]:
    name = draw(st.sampled_from(sorted(OPERATIONS)))
    parts = {"path": _pointers, "from": _pointers, "value": _values}
    return {"op": name, **{part: draw(parts[part]) for part in sorted(OPERATIONS[name])}}


def _contains(whole: Any, part: Any) -> bool:
    if isinstance(part, dict) and isinstance(whole, dict):
        return all(key in whole and _contains(whole[key], item) for key, item in part.items())
    return same(whole, part)


@given(_objects, _partials)
def test_the_result_of_a_merge_contains_the_partial_object_and_all_that_was_there(target: Any, partial: Any) -> None:
    patch = as_patch(partial, target, json_patch=False)
    changed = apply(patch, target)

    assert _contains(changed, partial)
    for key, item in target.items():
        if key not in partial:
            assert same(changed[key], item)


@given(_objects, _partials)
def test_a_merge_applied_twice_is_a_merge_applied_once(target: Any, partial: Any) -> None:
    changed = apply(as_patch(partial, target, json_patch=False), target)

    assert as_patch(partial, changed, json_patch=False) == ()


def _patch_or_none(result: Any, target: Any, *, json_patch: bool) -> tuple[PatchOperation, ...] | None:
    try:
        return as_patch(result, target, json_patch=json_patch)
    except EvaluationError:
        return None


@given(_objects, st.lists(_operations(), max_size=4))
def test_a_patch_that_is_given_always_applies_as_any_client_would_apply_it(target: Any, operations: Any) -> None:
    before, asked = copy.deepcopy(target), copy.deepcopy(operations)
    patch = _patch_or_none(operations, target, json_patch=True)

    assert target == before
    assert operations == asked
    if patch:
        wire = json.loads(json.dumps(list(patch), allow_nan=False))
        assert same(jsonpatch.apply_patch(target, wire), apply(patch, target))
        assert not same(apply(patch, target), target)
        assert target == before


@given(_objects, st.lists(_operations(), max_size=4))
def test_no_patch_changes_the_identity_of_an_object(target: Any, operations: Any) -> None:
    changed = apply(_patch_or_none(operations, target, json_patch=True) or (), target)

    for pointer in IDENTITY:
        path = pointer.strip("/").split("/")
        assert same(value(changed, *path), value(target, *path))


@given(_objects, _values | st.floats() | st.dictionaries(st.integers() | st.text(max_size=1), _values), st.booleans())
def test_any_result_gives_a_patch_or_an_evaluation_error(target: Any, result: Any, json_patch: bool) -> None:
    patch = _patch_or_none(result, target, json_patch=json_patch)

    assert patch is None or json.dumps(list(patch), allow_nan=False)
