"""The objects that manifests find in the cluster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.admission.pipeline import World
from webhook.cluster.failures import StatusError
from webhook.cluster.store import Store
from webhook.errors import ClusterError
from webhook.impact.checking import ground as grounds
from webhook.impact.checking.applying import LAST_APPLIED
from webhook.impact.checking.ground import KINDS, Ground, Standing, Unknown, bare, ground_of
from webhook.impact.checking.unknown import NO_CLUSTER
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES, VM, VMIM
from webhook.model.objects import GroupVersionResource, Object, name_of
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


def existing(ground: Ground, obj: Object) -> Object | Unknown | None:
    found = ground.existing(VM.resource, "prod", obj)
    return found.object if isinstance(found, Standing) else found


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
    ground.apply(VM.resource, "prod", vm(labels={"a": "new"}, resourceVersion="7"), vm())
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
        whole = {**move, "spec": {"vmiName": "db"}}
        ground.apply(VMIM.resource, "prod", whole, whole)
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


def live(monkeypatch: pytest.MonkeyPatch, client: FakeClient, *, listed: bool = True) -> Ground:
    """A cluster whose VM was listed as it was, with a label; or could not be."""
    store = Store(RESOURCES)
    if listed:
        store.replace(VM, [vm(labels={"a": "old"})])
    else:
        store.refuse(VM, "our account may not list them")
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


FORBIDDEN = StatusError("no", status=403)
POOL = {"apiVersion": "pool.kubevirt.io/v1", "kind": "VirtualMachinePool", "metadata": {"name": "db"}}
POOLS = GroupVersionResource("pool.kubevirt.io", "v1", "virtualmachinepools")


def test_what_may_not_be_read_is_not_absent(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = live(monkeypatch, FakeClient(FORBIDDEN), listed=False)
    assert existing(ground, vm()) == Unknown("our account may not list them")
    assert ground.existing(POOLS, "prod", POOL) == Unknown(
        "our account lacks the RBAC verb 'get' on virtualmachinepools.pool.kubevirt.io"
    )


def test_what_a_snapshot_could_not_read_or_does_not_hold_is_not_absent(tmp_path: Path) -> None:
    header = {"unreadable": {"virtualmachines.kubevirt.io": "our account may not list them"}}
    document = {"apiVersion": "migguard.io/v1alpha1", "kind": "ClusterSnapshot", "spec": header}
    (tmp_path / "snapshot.yaml").write_text(yaml.safe_dump(document))
    ground = ground_of(ClusterSource((tmp_path,)), lambda _: None)
    assert existing(ground, vm()) == Unknown("our account may not list them (when the snapshot was taken)")
    assert ground.existing(POOLS, "prod", POOL) == Unknown(
        "virtualmachinepools.pool.kubevirt.io are not part of a snapshot"
    )


def test_without_a_cluster_nothing_is_known_to_be_there_but_what_was_applied() -> None:
    ground = bare()
    assert existing(ground, vm()) == Unknown(NO_CLUSTER)
    ground.apply(VM.resource, "prod", vm(labels={"a": "made"}), vm())
    assert ground.existing(VM.resource, "prod", vm()) == Standing(vm(labels={"a": "made"}), last=vm())


def test_what_was_applied_last_is_what_the_object_notes_of_it(tmp_path: Path) -> None:
    note = {LAST_APPLIED: json.dumps(vm(labels={"a": "b"}))}
    ground = of_manifests(tmp_path, vm(annotations=note))
    found = ground.existing(VM.resource, "prod", vm())
    assert isinstance(found, Standing)
    assert found.last == vm(labels={"a": "b"})


def test_a_cluster_that_fails_halfway_is_an_error(monkeypatch: pytest.MonkeyPatch) -> None:
    ground = live(monkeypatch, FakeClient(StatusError("the API server is ill", status=500)))
    with pytest.raises(ClusterError, match="the API server is ill"):
        existing(ground, vm())


def test_the_kinds_of_templates_are_known_beside_those_that_facts_read() -> None:
    assert ("pool.kubevirt.io", "VirtualMachinePool") in KINDS
    assert KINDS["kubevirt.io", "VirtualMachine"] is VM
