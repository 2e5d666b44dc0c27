"""The objects that manifests find in the cluster."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.admission.pipeline import World
from webhook.cluster.failures import StatusError
from webhook.cluster.store import Store
from webhook.errors import ClusterError
from webhook.impact.checking import ground as grounds
from webhook.impact.checking.ground import KINDS, Ground, ground_of
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES, VM, VMIM
from webhook.model.objects import Object, name_of
from webhook.offline.state import ClusterSource


def vm(**metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": "db", "namespace": "prod", **metadata},
        "spec": {"running": True},
    }


def of_manifests(folder: Path, *objects: Any, header: bool = False) -> Ground:
    (folder / "objects.yaml").write_text(yaml.safe_dump_all(objects))
    if header:
        (folder / "snapshot.yaml").write_text("{apiVersion: migguard.io/v1alpha1, kind: ClusterSnapshot, spec: {}}")
    return ground_of(ClusterSource((folder,)), lambda _: None)


def existing(ground: Ground, obj: Object) -> Object | None:
    return ground.existing(VM.resource, "prod", obj)


def test_manifests_of_a_cluster_hold_whole_objects(tmp_path: Path) -> None:
    ground = of_manifests(tmp_path, vm(annotations={"a": "b"}, managedFields=[{}]))
    assert existing(ground, vm()) == vm(annotations={"a": "b"}), "but not what the API server leaves out itself"


def test_of_a_snapshot_what_it_does_not_hold_is_taken_to_be_unchanged(tmp_path: Path) -> None:
    ground = of_manifests(tmp_path, vm(labels={"a": "old"}), header=True)
    assert existing(ground, vm(labels={"a": "new"}, annotations={"c": "d"})) == vm(
        labels={"a": "old"}, annotations={"c": "d"}
    )


def test_what_is_applied_is_there_from_then_on(tmp_path: Path) -> None:
    ground = of_manifests(tmp_path, vm(labels={"a": "old"}, resourceVersion="7"))
    ground.apply(VM.resource, "prod", vm(labels={"a": "new"}, resourceVersion="7"))
    held = ground.world.view.get(VM, "prod", "db")
    assert held is not None
    assert held["metadata"]["labels"] == {"a": "new"}
    ground.delete(VM.resource, "prod", vm())
    assert ground.world.view.get(VM, "prod", "db") is None
    assert existing(ground, vm()) is None


def test_objects_with_generated_names_are_all_there(tmp_path: Path) -> None:
    ground = of_manifests(tmp_path, vm())
    for _ in range(2):
        move = {"apiVersion": "kubevirt.io/v1", "kind": VMIM.kind, "metadata": {"generateName": "move-"}}
        ground.apply(VMIM.resource, "prod", {**move, "spec": {"vmiName": "db"}})
    assert [name_of(one) for one in ground.world.view.list(VMIM)] == ["move-(1)", "move-(2)"]


class FakeClient:
    """Answers as an API server would."""

    server = "https://api.example:6443"

    def __init__(self, answer: Object | ClusterError) -> None:
        self.answer = answer
        self.asked: list[str] = []

    def get(self, path: str) -> Object:
        self.asked.append(path)
        if isinstance(self.answer, ClusterError):
            raise self.answer
        return self.answer


def live(monkeypatch: pytest.MonkeyPatch, client: FakeClient) -> Ground:
    """A cluster whose VM was listed as it was, with a label."""
    store = Store(RESOURCES)
    store.put(VM, vm(labels={"a": "old"}))
    monkeypatch.setattr(grounds, "world_from", lambda *_: World(store, RBACAuthorizer(store)))
    monkeypatch.setattr(grounds, "connected", lambda _: client)
    return ground_of(ClusterSource(), lambda _: None)


@pytest.mark.parametrize(
    ("answer", "found"),
    [
        pytest.param(vm(annotations={"a": "b"}), vm(annotations={"a": "b"}), id="the-whole-object"),
        pytest.param(StatusError("no", status=404), None, id="absent"),
        pytest.param(StatusError("no", status=403), vm(labels={"a": "old"}), id="forbidden-so-what-was-listed"),
    ],
)
def test_a_live_cluster_is_asked_for_the_object(
    monkeypatch: pytest.MonkeyPatch, answer: Object | ClusterError, found: Object | None
) -> None:
    client = FakeClient(answer)
    ground = live(monkeypatch, client)
    assert ground.name == client.server
    assert existing(ground, vm(labels={"a": "new"})) == found
    assert client.asked == ["/apis/kubevirt.io/v1/namespaces/prod/virtualmachines/db"]


def test_a_cluster_that_fails_halfway_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = live(monkeypatch, FakeClient(StatusError("the API server is ill", status=500)))
    with pytest.raises(ClusterError, match="the API server is ill"):
        existing(ground, vm())


def test_the_kinds_of_templates_are_known_beside_those_that_facts_read() -> None:
    assert ("pool.kubevirt.io", "VirtualMachinePool") in KINDS
    assert KINDS["kubevirt.io", "VirtualMachine"] is VM
