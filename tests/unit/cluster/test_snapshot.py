"""A snapshot on disk: what is written, that it is read back as the same, and that a failed run changes nothing."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.anyjson import any_json
from webhook.cluster import snapshot
from webhook.cluster.manifests import store_from
from webhook.cluster.snapshot import Header, check_target, header_of, json_lines, write, yaml_documents
from webhook.cluster.store import Store
from webhook.errors import ClusterError, InputError, UsageError
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource, same
from webhook.source import jsontext, yamltext

VMIS = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstances"),
    "VirtualMachineInstance",
    True,
    ("spec", 'metadata.annotations["kept"]'),
)
CLAIMS = WatchedResource(GroupVersionResource("", "v1", "persistentvolumeclaims"), "PersistentVolumeClaim", True, ())
NODES = WatchedResource(GroupVersionResource("", "v1", "nodes"), "Node", False, ("spec",))
RESOURCES = (VMIS, CLAIMS, NODES)
HEADER = Header(
    taken="2026-03-02T12:00:00Z",
    server="https://api.test:6443",
    server_version="v1.36.3",
    migguard="0.1.0",
    counts={"nodes": 1, "virtualmachineinstances.kubevirt.io": 2},
    unreadable={"persistentvolumeclaims": "persistentvolumeclaims cannot be read: we may not"},
)

Json = dict[str, Any]

TRICKY = (
    "1e9",
    "0x1f",
    "0o7",
    "1_000",
    "on",
    "null",
    "2026-03-02",
    "12:30:45",
    "~",
    "=",
    "<<",
    "-",
    "10",
    "1.5",
    ".inf",
)
OBJECTS = st.dictionaries(st.text(max_size=4), any_json(*TRICKY), max_size=3).filter(
    lambda obj: "Infinity" not in json.dumps(obj)  # JSON has no such number
)


def vmi(name: str, namespace: str = "prod", **spec: Any) -> Json:
    metadata = {"name": name, "namespace": namespace, "uid": f"uid-of-{name}", "resourceVersion": "17"}
    return {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineInstance", "metadata": metadata, "spec": spec}


def store_of(*vmis: Json) -> Store:
    store = Store(RESOURCES)
    store.replace(VMIS, vmis)
    store.replace(CLAIMS, ())
    metadata = {"name": "worker-1", "uid": "uid-of-node"}
    store.replace(NODES, [{"apiVersion": "v1", "kind": "Node", "metadata": metadata, "spec": {"unschedulable": True}}])
    return store


def written(folder: Path, store: Store, header: Header = HEADER) -> dict[str, str]:
    write(folder, store, header, identified=frozenset({VMIS}))
    return files_of(folder)


def files_of(folder: Path) -> dict[str, str]:
    return {str(file.relative_to(folder)): file.read_text() for file in sorted(folder.rglob("*")) if file.is_file()}


class TestFiles:
    def test_a_namespace_is_a_file_and_so_is_a_cluster_scoped_kind(self, tmp_path: Path) -> None:
        found = written(tmp_path, store_of(vmi("db"), vmi("web"), vmi("x", "dev")))
        assert list(found) == ["cluster/nodes.yaml", "namespaces/dev.yaml", "namespaces/prod.yaml", "snapshot.yaml"]

    def test_what_changes_by_itself_is_left_out_and_uids_are_kept_where_facts_read_them(self, tmp_path: Path) -> None:
        found = written(tmp_path, store_of(vmi("db")))
        assert found["cluster/nodes.yaml"] == (
            "apiVersion: v1\nkind: Node\nmetadata:\n  name: worker-1\nspec:\n  unschedulable: true\n"
        )
        assert "uid: uid-of-db" in found["namespaces/prod.yaml"]
        assert "resourceVersion" not in "".join(found.values())

    def test_the_same_objects_in_another_order_give_the_same_files(self, tmp_path: Path) -> None:
        one, other = vmi("a", b=1, a=2), vmi("b")
        first = written(tmp_path / "first", store_of(one, other))
        second = written(tmp_path / "second", store_of(other, dict(reversed(one.items()))))
        assert first == second

    def test_a_large_snapshot_is_json_with_one_object_a_line(self, tmp_path: Path) -> None:
        found = written(tmp_path, store_of(*(vmi(f"vm-{number:04}") for number in range(snapshot.READABLE))))
        lines = found["namespaces/prod.json"].splitlines()
        assert len(lines) == snapshot.READABLE + 2
        assert json.loads(lines[1].rstrip(","))["metadata"]["name"] == "vm-0000"

    def test_a_resource_that_could_not_be_read_is_left_out(self, tmp_path: Path) -> None:
        store = store_of(vmi("db"))
        store.refuse(VMIS, "we may not")
        assert list(written(tmp_path, store)) == ["cluster/nodes.yaml", "snapshot.yaml"]

    def test_a_namespace_that_would_lead_out_of_the_folder_is_refused(self, tmp_path: Path) -> None:
        with pytest.raises(ClusterError, match="which no namespace can be"):
            written(tmp_path / "snap", store_of(vmi("db", "../../etc")))
        assert files_of(tmp_path) == {}


class TestReading:
    def test_the_header_is_read_back_and_is_no_object(self, tmp_path: Path) -> None:
        written(tmp_path, store_of(vmi("db")))
        assert header_of(tmp_path) == HEADER
        store, ignored = store_from([tmp_path], RESOURCES)
        assert ignored == {}
        assert store.counts() == {"virtualmachineinstances.kubevirt.io": 1, "persistentvolumeclaims": 0, "nodes": 1}

    def test_a_snapshot_of_an_empty_cluster_is_one(self, tmp_path: Path) -> None:
        store = Store(RESOURCES)
        for watched in RESOURCES:
            store.absent(watched)
        assert list(written(tmp_path, store)) == ["snapshot.yaml"]
        assert sum(store_from([tmp_path], RESOURCES)[0].counts().values()) == 0

    @given(found=st.lists(OBJECTS, max_size=3))
    def test_whatever_a_field_holds_is_read_back_as_the_same(self, found: list[Json]) -> None:
        as_yaml = [document.value for document in yamltext.parse(yaml_documents(found))]
        (as_json,) = (document.value["items"] for document in jsontext.parse(json_lines(found)))
        assert same(as_yaml, found)
        assert same(as_json, found)

    @given(spec=OBJECTS)
    def test_projecting_twice_is_projecting_once(self, spec: Json) -> None:
        store, again = (Store(RESOURCES) for _ in range(2))
        store.replace(VMIS, [{**vmi("db"), "spec": spec, "status": spec}])
        again.replace(VMIS, store.list(VMIS))
        assert store.list(VMIS) == again.list(VMIS)

    @pytest.mark.parametrize("compact", [False, True], ids=["yaml", "json"])
    def test_texts_that_look_like_something_else_stay_texts(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, compact: bool
    ) -> None:
        monkeypatch.setattr(snapshot, "READABLE", 0 if compact else 1_000)
        store = store_of(*(vmi(name, size=name) for name in TRICKY))
        before = written(tmp_path, store)
        again, _ = store_from([tmp_path], RESOURCES)
        assert [obj["spec"]["size"] for obj in again.list(VMIS)] == sorted(TRICKY)
        assert written(tmp_path, again) == before

    @pytest.mark.parametrize(
        "content",
        [
            pytest.param("a: [", id="broken"),
            pytest.param("a: 1\na: 2\n", id="duplicate"),
        ],
    )
    def test_a_header_that_cannot_be_read_says_where(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "snapshot.yaml").write_text(content)
        with pytest.raises(InputError, match=r"snapshot.yaml:\d+:\d+"):
            header_of(tmp_path)

    @pytest.mark.parametrize(
        "content",
        ["", "kind: ConfigMap\n", "- 1\n", "apiVersion: migguard.io/v1alpha1\nkind: 7\n"],
        ids=["empty", "other", "list", "odd"],
    )
    def test_another_file_of_that_name_is_no_header(self, tmp_path: Path, content: str) -> None:
        (tmp_path / "snapshot.yaml").write_text(content)
        assert header_of(tmp_path) is None

    def test_a_header_of_odd_types_says_nothing(self, tmp_path: Path) -> None:
        (tmp_path / "snapshot.yaml").write_text(
            "apiVersion: migguard.io/v1\nkind: ClusterSnapshot\nspec: {taken: 1, objects: {a: x}, unreadable: {b: 2}}\n"
        )
        assert header_of(tmp_path) == Header(taken="", migguard="", counts={}, unreadable={})


class TestReplacing:
    def test_a_snapshot_takes_the_place_of_the_one_before_and_leaves_other_files_alone(self, tmp_path: Path) -> None:
        (tmp_path / ".git").mkdir()
        (tmp_path / "README.md").write_text("ours")
        written(tmp_path, store_of(vmi("db"), vmi("x", "dev")))
        found = written(tmp_path, store_of(vmi("db")), replace(HEADER, taken="2026-03-03T12:00:00Z"))
        assert list(found) == ["README.md", "cluster/nodes.yaml", "namespaces/prod.yaml", "snapshot.yaml"]
        assert (tmp_path / ".git").is_dir()
        assert not list(tmp_path.glob(".snapshot-*"))

    @pytest.mark.parametrize("step", range(1, 7))
    def test_a_run_that_fails_at_any_step_leaves_the_old_snapshot(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int
    ) -> None:
        before = written(tmp_path, store_of(vmi("db")))
        move: Callable[..., object] = shutil.move
        steps = iter(range(1, 100))

        def failing(*arguments: Any) -> object:
            if next(steps) == step:
                raise OSError(28, "No space left on device")
            return move(*arguments)

        monkeypatch.setattr(shutil, "move", failing)
        with pytest.raises(InputError, match=r"No space left on device .*an earlier snapshot is as it was"):
            written(tmp_path, store_of(vmi("web"), vmi("x", "dev")))
        assert files_of(tmp_path) == before

    def test_a_folder_that_cannot_be_written_is_an_error_with_a_place(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="cannot be written"):
            written(tmp_path / "file" / "snap", store_of())


class TestTarget:
    @pytest.mark.parametrize(
        "prepare",
        [
            pytest.param(lambda _: None, id="missing"),
            pytest.param(lambda folder: folder.mkdir(), id="empty"),
            pytest.param(lambda folder: (folder / ".git").mkdir(parents=True), id="only-hidden-files"),
            pytest.param(lambda folder: written(folder, store_of()), id="snapshot"),
        ],
    )
    def test_a_new_folder_or_a_snapshot_is_taken(self, tmp_path: Path, prepare: Callable[[Path], object]) -> None:
        prepare(tmp_path / "snap")
        check_target(tmp_path / "snap")

    def test_a_folder_with_other_files_is_taken_by_force_only(self, tmp_path: Path) -> None:
        (tmp_path / "thesis.txt").write_text("years of work")
        with pytest.raises(UsageError, match="holds files, and is not a snapshot"):
            check_target(tmp_path)
        check_target(tmp_path, force=True)

    def test_a_file_is_no_folder(self, tmp_path: Path) -> None:
        (tmp_path / "snap").write_text("")
        with pytest.raises(UsageError, match="is not a folder"):
            check_target(tmp_path / "snap", force=True)
