from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.cluster.projection import Projection

POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {
        "name": "db",
        "namespace": "prod",
        "uid": "u-1",
        "resourceVersion": "7",
        "generation": 3,
        "labels": {"app": "db"},
        "annotations": {"kubevirt.io/domain": "db", "other": "x"},
        "managedFields": [{"manager": "kubectl"}],
    },
    "spec": {
        "nodeName": "n1",
        "volumes": [
            {"name": "data", "persistentVolumeClaim": {"claimName": "db-data"}},
            {"name": "scratch", "emptyDir": {"sizeLimit": "1Gi"}},
        ],
    },
}
IDENTITY: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "db", "namespace": "prod", "uid": "u-1", "resourceVersion": "7", "labels": {"app": "db"}},
}


@pytest.mark.parametrize(
    ("keep", "expected"),
    [
        pytest.param((), {}, id="nothing-but-the-identity"),
        pytest.param(("spec.nodeName",), {"spec": {"nodeName": "n1"}}, id="a-field"),
        pytest.param(("spec.volumes",), {"spec": {"volumes": POD["spec"]["volumes"]}}, id="a-whole-list"),
        pytest.param(
            ("spec.volumes[].name",), {"spec": {"volumes": [{"name": "data"}, {"name": "scratch"}]}}, id="in-each-item"
        ),
        pytest.param(
            ("spec.volumes[].emptyDir.medium",),
            {"spec": {"volumes": [{}, {"emptyDir": {}}]}},
            id="a-mapping-on-the-way-stays-as-a-sign",
        ),
        pytest.param(("spec", "spec.nodeName"), {"spec": POD["spec"]}, id="a-shorter-path-before-a-longer"),
        pytest.param(("spec.nodeName", "spec"), {"spec": POD["spec"]}, id="a-shorter-path-after-a-longer"),
        pytest.param(("status.phase", "spec.nothing"), {"spec": {}}, id="absent-fields"),
        pytest.param(("spec.nodeName[].x", "spec.volumes.name"), {"spec": {}}, id="fields-of-another-shape"),
    ],
)
def test_only_the_kept_fields_stay(keep: tuple[str, ...], expected: dict[str, object]) -> None:
    assert Projection(keep).prune(POD) == {**IDENTITY, **expected}


@pytest.mark.parametrize(
    ("labels", "kept"),
    [
        pytest.param(None, {"a": "1", "b.c/d": "2"}, id="all"),
        pytest.param(("b.c/d", "x"), {"b.c/d": "2"}, id="some"),
        pytest.param((), {}, id="none"),
    ],
)
def test_labels_are_kept_as_they_are_asked_for(labels: tuple[str, ...] | None, kept: dict[str, str]) -> None:
    pruned = Projection((), labels).prune({"metadata": {"name": "p", "labels": {"a": "1", "b.c/d": "2"}}})
    assert pruned["metadata"].get("labels", {}) == kept


def test_a_key_with_dots_is_written_in_brackets() -> None:
    pruned = Projection(('metadata.annotations["kubevirt.io/domain"]', "metadata.generation")).prune(POD)
    assert pruned["metadata"]["annotations"] == {"kubevirt.io/domain": "db"}
    assert pruned["metadata"]["generation"] == 3


@pytest.mark.parametrize("path", ["", "spec.", "spec..name", "[", 'metadata.annotations["x"', "spec.volumes[0].name"])
def test_a_path_that_cannot_be_read_is_a_programming_error(path: str) -> None:
    with pytest.raises(ValueError, match="kept path"):
        Projection((path,))


def test_repeated_strings_are_held_once() -> None:
    projection = Projection(("spec.nodeName", "spec.volumes"))
    first, second = (projection.prune(json.loads(json.dumps(POD))) for _ in range(2))
    assert first["spec"]["nodeName"] is second["spec"]["nodeName"]
    assert next(iter(first["metadata"]["labels"])) is next(iter(second["metadata"]["labels"]))
    assert next(iter(first["spec"])) is next(iter(second["spec"]))


def test_equal_parts_are_held_once() -> None:
    projection = Projection(("spec.volumes[].name",))
    first, second = (
        projection.prune({**json.loads(json.dumps(POD)), "metadata": {"name": name}}) for name in ("a", "b")
    )
    assert first["spec"] is second["spec"]
    assert first["metadata"] is not second["metadata"]


@pytest.mark.parametrize("values", [(1, True, 1.0), (0, False, None, "", [], {}), ([[]], [{}])])
def test_parts_that_python_takes_for_equal_stay_apart(values: tuple[object, ...]) -> None:
    projection = Projection(("spec",))
    pruned = [projection.prune({"spec": {"field": item}})["spec"]["field"] for item in values]
    assert [(type(item), item) for item in pruned] == [(type(item), item) for item in values]


def test_what_is_remembered_for_sharing_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("webhook.cluster.projection._PARTS", 10)
    projection = Projection(("spec",))
    objects = [{"metadata": {"name": f"a{number}"}, "spec": {"list": [number % 3]}} for number in range(100)]
    assert [projection.prune(obj) for obj in objects] == objects
    assert len(projection._parts) <= 10


def test_what_is_kept_shares_nothing_with_the_object() -> None:
    source = json.loads(json.dumps(POD))
    pruned = Projection(("spec", "metadata.uid")).prune(source)
    source["spec"]["volumes"].clear()
    source["metadata"]["labels"]["app"] = "changed"
    assert pruned == {**IDENTITY, "spec": POD["spec"]}


KEYS = st.sampled_from(["metadata", "labels", "uid", "spec", "volumes", "name", "a.b/c"])
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=20,
)
PATHS = st.lists(
    st.lists(st.sampled_from(["metadata", "spec", "volumes", "name", "[]", '["a.b/c"]']), min_size=1, max_size=4),
    max_size=4,
).map(lambda paths: tuple(".".join(steps).replace(".[", "[") for steps in paths))


@given(JSON, PATHS)
def test_any_json_is_pruned_and_pruning_twice_is_pruning_once(node: object, keep: tuple[str, ...]) -> None:
    projection = Projection(keep)
    projection.prune({"metadata": {"labels": {"name": [1, True, None]}}, "spec": {"volumes": [{}]}})
    once = projection.prune(node)  # type: ignore[arg-type]  # anything may come from a broken server
    assert isinstance(once, dict)
    assert projection.prune(once) == once
