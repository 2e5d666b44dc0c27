"""Look-ups by name that a test does not answer."""

# ruff: noqa: E501 - a case is one line

import pytest
import yaml

from webhook.cluster.store import Store
from webhook.kubevirt.resources import NAMESPACE, NODE, PVC, RESOURCES, VMI
from webhook.model.objects import ObjectRef
from webhook.offline.testing.declared import DeclaredView, statement
from webhook.offline.testing.stated import Absent

CLAIM = {"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": "data", "namespace": "prod"}}


def view(*absent: Absent) -> DeclaredView:
    store = Store(RESOURCES)
    for watched in RESOURCES:
        store.replace(watched, [CLAIM] if watched is PVC else [])
    return DeclaredView(store, absent)


@pytest.mark.parametrize(
    ("absent", "unknown"),
    [
        pytest.param((), ["PersistentVolumeClaim prod/logs", "Node n1"], id="nothing-is-stated"),
        pytest.param((Absent("Node"),), ["PersistentVolumeClaim prod/logs"], id="a-kind"),
        pytest.param((Absent("Node", "", "n1"), Absent("PersistentVolumeClaim", "prod")), [], id="name-and-namespace"),
        pytest.param((Absent("PersistentVolumeClaim", "dev"),), ["PersistentVolumeClaim prod/logs", "Node n1"], id="another-namespace"),
    ],
)  # fmt: skip
def test_what_is_neither_declared_nor_absent_is_noted_once(absent: tuple[Absent, ...], unknown: list[str]) -> None:
    looked = view(*absent)
    for _ in range(2):
        assert looked.get(PVC, "prod", "logs") is None
        assert looked.get(NODE, "ignored", "n1") is None
    assert looked.get(PVC, "prod", "data") is not None
    assert list(map(str, looked.unknown)) == unknown


def test_lists_and_indexes_need_no_statement() -> None:
    looked = view()
    assert (list(looked.list(VMI)), list(looked.last_known(VMI))) == ([], [])
    assert list(looked.select(VMI, VMI.indexes[0].name, "x")) == []
    assert looked.unknown == ()


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        (ObjectRef("PersistentVolumeClaim", "prod", "data"), {"kind": "PersistentVolumeClaim", "namespace": "prod", "name": "data"}),
        (ObjectRef("ClusterRole", "", "kubevirt.io:migrate"), {"kind": "ClusterRole", "name": "kubevirt.io:migrate"}),
        (ObjectRef("Node", "", "12"), {"kind": "Node", "name": "12"}),
        (ObjectRef("Node", "", "no"), {"kind": "Node", "name": "no"}),
        (ObjectRef("Node", "", ""), {"kind": "Node", "name": ""}),
        (ObjectRef("Node", "", 'a"b: {'), {"kind": "Node", "name": 'a"b: {'}),
    ],
)  # fmt: skip
def test_the_statement_is_yaml_for_just_that_object(reference: ObjectRef, written: dict[str, str]) -> None:
    assert yaml.safe_load(statement(reference)) == {"absent": [written]}


def test_a_namespace_is_better_declared_than_absent() -> None:
    assert yaml.safe_load(statement(ObjectRef(NAMESPACE.kind, "", "prod"))) == {
        "objects": [{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}]
    }
