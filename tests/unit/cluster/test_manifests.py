from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from webhook.cluster.manifests import load, store_from
from webhook.errors import InputError
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource, name_of, namespace_of

VMIS = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstances"), "VirtualMachineInstance", True, ("spec",)
)
HCOS = WatchedResource(
    GroupVersionResource("hco.kubevirt.io", "v1", "hyperconvergeds"), "HyperConverged", True, ("spec",)
)
NODES = WatchedResource(GroupVersionResource("", "v1", "nodes"), "Node", False, ())
RESOURCES = (VMIS, HCOS, NODES)

Write = Callable[[str, str], Path]

VMI = "apiVersion: kubevirt.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: db, namespace: prod}\n"


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def written(name: str, content: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        return path

    return written


def problem(path: Path) -> str:
    with pytest.raises(InputError) as raised:
        store_from([path], RESOURCES)
    return str(raised.value)


class TestReading:
    def test_a_folder_is_read_with_its_subfolders_in_order(self, write: Write, tmp_path: Path) -> None:
        write("b/vmi.yml", VMI.replace("db", "web"))
        write("a.yaml", VMI)
        write("b/notes.txt", "not: [a manifest")
        write(".hidden/x.yaml", "not: [a manifest")
        write("..data/x.yaml", "not: [a manifest")
        assert [name_of(obj) for obj in load([tmp_path]).objects] == ["db", "web"]

    def test_many_documents_and_empty_ones(self, write: Write) -> None:
        path = write("all.yaml", f"---\n---\n{VMI}---\n# nothing\n---\n{VMI.replace('db', 'web')}---\n")
        assert [name_of(obj) for obj in load([path]).objects] == ["db", "web"]

    def test_lists_are_taken_apart_and_their_items_may_leave_out_the_type(self, write: Write) -> None:
        write("l.yaml", "apiVersion: v1\nkind: List\nitems:\n- {apiVersion: v1, kind: Node, metadata: {name: n1}}\n")
        path = write("t.json", '{"apiVersion":"v1","kind":"NodeList","items":[{"metadata":{"name":"n2"}}]}')
        store, _ = store_from([path.parent], RESOURCES)
        assert [name_of(node) for node in store.list(NODES)] == ["n1", "n2"]

    def test_objects_are_matched_by_group_and_kind_in_any_version(self, write: Write) -> None:
        path = write(
            "all.yaml",
            VMI.replace("/v1", "/v1alpha3")
            + "---\napiVersion: hco.kubevirt.io/v1beta1\nkind: HyperConverged\nmetadata: {name: a, namespace: cnv}\n"
            + "---\napiVersion: hco.kubevirt.io/v1\nkind: HyperConverged\nmetadata: {name: b, namespace: cnv}\n",
        )
        store, ignored = store_from([path], RESOURCES)
        assert [obj["apiVersion"] for obj in store.list(VMIS)] == ["kubevirt.io/v1alpha3"]
        assert [obj["apiVersion"] for obj in store.list(HCOS)] == ["hco.kubevirt.io/v1beta1", "hco.kubevirt.io/v1"]
        assert ignored == {}

    def test_other_kinds_are_counted(self, write: Write) -> None:
        path = write(
            "all.yaml",
            VMI
            + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"
            + "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: b}\n"
            + "---\napiVersion: other.io/v1\nkind: VirtualMachineInstance\nmetadata: {name: a}\n",
        )
        store, ignored = store_from([path], RESOURCES)
        assert ignored == {"ConfigMap": 2, "VirtualMachineInstance.other.io": 1}
        assert len(store.list(VMIS)) == 1

    def test_a_namespaced_object_without_a_namespace_is_in_default(self, write: Write) -> None:
        path = write("vmi.yaml", VMI.replace(", namespace: prod", ""))
        assert [namespace_of(obj) for obj in store_from([path], RESOURCES)[0].list(VMIS)] == ["default"]

    def test_kinds_of_which_there_are_none_are_empty_and_never_stale(self, write: Write) -> None:
        store, _ = store_from([write("vmi.yaml", VMI)], RESOURCES)
        assert store.list(NODES) == ()
        assert store.unreadable(NODES) == ""


class TestErrors:
    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            pytest.param("a: [1\nb: 2\n", ":2:2: not valid YAML: did not find expected ',' or ']'", id="broken-yaml"),
            pytest.param("a: 1\nb:\n  c: 1\n  c: 2\n", ":4:3: the key 'c' is there twice", id="duplicate-key"),
            pytest.param("metadata: {name: x}\n", ":1:1: the object has no kind", id="no-kind"),
            pytest.param("a: &x {kind: A}\n---\nkind: *x\n", ":3:7: *x names nothing", id="alias-over-documents"),
            pytest.param("kind: Node\nmetadata: {name: x}\n", ":1:1: Node has no valid apiVersion", id="no-version"),
            pytest.param(
                "# first\napiVersion: a/b/c\nkind: Node\nmetadata: {name: x}\n",
                ":2:1: Node has no valid apiVersion",
                id="odd-version",
            ),
            pytest.param(
                "apiVersion: v1\nkind: Node\nmetadata: {generateName: x-}\n",
                ":1:1: Node has no metadata.name",
                id="no-name",
            ),
            pytest.param(
                "apiVersion: v1\nkind: Node\nmetadata: {name: n, namespace: prod}\n",
                ":1:1: Node is cluster-scoped, but 'n' names a namespace (remove metadata.namespace)",
                id="namespace-of-a-cluster-scoped-object",
            ),
            pytest.param(
                VMI.replace("prod", "5"), ":1:1: VirtualMachineInstance db has a namespace", id="odd-namespace"
            ),
            pytest.param("- a\n- b\n", ":1:1: a manifest must be a mapping", id="a-list"),
            pytest.param("just text\n", ":1:1: a manifest must be a mapping", id="a-text"),
            pytest.param("kind: List\nitems: 5\n", ":1:1: items of the List is not a list", id="items-no-list"),
            pytest.param(
                "kind: List\nitems:\n- 5\n", ":3:3: an item of the List is not a mapping", id="item-no-mapping"
            ),
            pytest.param("a: \x00\n", "not valid YAML", id="control-characters"),
        ],
    )
    def test_what_is_wrong_is_said_with_its_place(self, write: Write, content: str, expected: str) -> None:
        path = write("vm.yaml", content)
        told = problem(path)
        assert str(path) in told
        assert expected in told

    def test_an_object_that_is_there_twice_is_named_with_both_places(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", VMI)
        write(
            "b.json",
            json.dumps({"kind": "List", "items": [{}]}).replace(
                "{}",
                "\n "
                + json.dumps(
                    {
                        "apiVersion": "kubevirt.io/v1alpha3",
                        "kind": "VirtualMachineInstance",
                        "metadata": {"name": "db", "namespace": "prod"},
                    }
                ),
            ),
        )
        told = problem(tmp_path)
        assert "b.json:2:2: VirtualMachineInstance prod/db is there twice; the first is at " in told
        assert "a.yaml:1:1" in told

    def test_all_problems_are_told_at_once(self, write: Write, tmp_path: Path) -> None:
        write("a.yaml", "kind: [")
        write("b.yaml", "metadata: {}\n---\nkind: Node\n")
        told = problem(tmp_path)
        assert "3 problems" in told
        assert "a.yaml:2:1" in told
        assert "b.yaml:1:1" in told
        assert "b.yaml:3:1" in told

    def test_a_missing_path(self, tmp_path: Path) -> None:
        assert problem(tmp_path / "nothing") == f"{tmp_path}/nothing: no such file or directory (check the path)"

    def test_an_empty_folder(self, tmp_path: Path) -> None:
        assert "holds no .yaml, .yml, .json file" in problem(tmp_path)

    def test_files_without_objects(self, write: Write) -> None:
        assert "the manifests hold no object" in problem(write("a.yaml", "# nothing here\n"))

    def test_no_path_at_all(self) -> None:
        with pytest.raises(InputError, match="no manifests to read"):
            load([])

    def test_a_file_that_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        (tmp_path / "a.yaml").symlink_to(tmp_path / "a.yaml")  # as root, permissions stop nobody; a loop does
        assert "the file cannot be read: Too many levels of symbolic links" in problem(tmp_path)

    def test_a_folder_that_cannot_be_read(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        def denied(_: Path) -> object:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr(Path, "iterdir", denied)
        assert problem(tmp_path) == f"{tmp_path}: the folder cannot be read: Permission denied (check its permissions)"

    def test_a_file_that_is_not_text(self, tmp_path: Path) -> None:
        (tmp_path / "a.yaml").write_bytes(b"kind: \xff\xfe")
        assert "a.yaml: the file is not UTF-8 text (byte 7)" in problem(tmp_path)

    def test_a_file_that_is_too_large(self, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr("webhook.cluster.documents.MAX_BYTES", 1024 * 1024)
        assert "larger than 1 MiB" in problem(write("a.yaml", "#" * (1024 * 1024 + 1)))
