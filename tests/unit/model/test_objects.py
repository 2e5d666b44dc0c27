"""Reading untrusted objects: what is not of the wanted type counts as absent."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.model import objects
from webhook.model.objects import GroupVersionKind, GroupVersionResource, ObjectRef

OBJECT = {
    "kind": "VirtualMachine",
    "metadata": {
        "name": "db",
        "namespace": "prod",
        "labels": {"app": "db", "size": 3, "none": None},
        "annotations": {"note": "x", "list": []},
    },
    "spec": {"list": ["a", 1, None, {"b": 2}], "text": "t", "null": None, "number": 4},
}
ODD: list[object] = [
    None,
    1,
    1.5,
    True,
    "text",
    [],
    [[]],
    {},
    {"metadata": None},
    {"metadata": []},
    {"metadata": {"labels": "x"}},
]

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(["metadata", "labels", "name", "spec"]), inner),
    max_leaves=10,
)


def _dotted(value: object) -> str:
    return ".".join(value) if isinstance(value, tuple) else repr(value)


@pytest.mark.parametrize(
    ("path", "found"),
    [
        (("spec", "text"), "t"),
        (("spec", "null"), None),
        (("spec", "absent"), None),
        (("spec", "text", "deeper"), None),
        (("spec", "list", "0"), None),
        (("absent", "deeper"), None),
    ],
    ids=_dotted,
)
def test_value_is_what_stands_at_a_path(path: tuple[str, ...], found: object) -> None:
    assert objects.value(OBJECT, *path) == found


def test_value_without_a_path_is_the_node_itself() -> None:
    assert objects.value(OBJECT) is OBJECT


def test_each_reader_returns_what_is_of_its_type() -> None:
    assert objects.mapping(OBJECT, "metadata", "annotations") == {"note": "x", "list": []}
    assert objects.items(OBJECT, "spec", "list") == ["a", 1, None, {"b": 2}]
    assert objects.mappings(OBJECT, "spec", "list") == [{"b": 2}]
    assert objects.strings(OBJECT, "spec", "list") == ["a"]
    assert objects.text(OBJECT, "spec", "text") == "t"
    assert objects.labels_of(OBJECT) == {"app": "db"}
    assert objects.annotations_of(OBJECT) == {"note": "x"}
    assert objects.name_of(OBJECT) == "db"
    assert objects.namespace_of(OBJECT) == "prod"
    assert objects.reference(OBJECT) == ObjectRef("VirtualMachine", "prod", "db")


@pytest.mark.parametrize("path", [("spec", "text"), ("spec", "number"), ("spec", "null"), ("absent",)], ids=_dotted)
def test_a_mapping_or_list_that_is_something_else_is_empty(path: tuple[str, ...]) -> None:
    assert objects.mapping(OBJECT, *path) == {}
    assert list(objects.items(OBJECT, *path)) == []
    assert list(objects.mappings(OBJECT, *path)) == []
    assert list(objects.strings(OBJECT, *path)) == []


@pytest.mark.parametrize("path", [("spec", "list"), ("spec", "number"), ("spec", "null"), ("absent",)], ids=_dotted)
def test_a_text_that_is_something_else_is_empty(path: tuple[str, ...]) -> None:
    assert objects.text(OBJECT, *path) == ""


@pytest.mark.parametrize("node", ODD, ids=str)
def test_an_odd_object_has_no_name_labels_or_annotations(node: object) -> None:
    assert objects.name_of(node) == objects.namespace_of(node) == ""
    assert objects.labels_of(node) == objects.annotations_of(node) == {}
    assert str(objects.reference(node)) == "object "


@given(json_values, st.lists(st.sampled_from(["metadata", "labels", "name", "spec"]), max_size=4))
def test_no_json_can_make_a_reader_fail_or_return_another_type(node: object, path: list[str]) -> None:
    assert isinstance(objects.mapping(node, *path), dict)
    assert all(isinstance(item, dict) for item in objects.mappings(node, *path))
    assert all(isinstance(item, str) for item in objects.strings(node, *path))
    assert isinstance(objects.text(node, *path), str)
    assert all(isinstance(item, str) for item in objects.labels_of(node).values())
    assert isinstance(str(objects.reference(node)), str)


@pytest.mark.parametrize(
    ("named", "text"),
    [
        (ObjectRef("PersistentVolumeClaim", "prod", "db-data"), "PersistentVolumeClaim prod/db-data"),
        (ObjectRef("Node", "", "node01"), "Node node01"),
        (GroupVersionResource("kubevirt.io", "v1", "virtualmachines"), "virtualmachines.kubevirt.io"),
        (GroupVersionResource("", "v1", "pods"), "pods"),
    ],
    ids=str,
)
def test_messages_call_things_as_kubectl_does(named: object, text: str) -> None:
    assert str(named) == text


@pytest.mark.parametrize(
    ("kind", "version"),
    [
        (GroupVersionKind("kubevirt.io", "v1", "VirtualMachine"), "kubevirt.io/v1"),
        (GroupVersionKind("", "v1", "Pod"), "v1"),
    ],
)
def test_the_api_version_of_the_core_group_is_just_its_version(kind: GroupVersionKind, version: str) -> None:
    assert kind.api_version == version
