"""What of a Git repository is an object to be applied, and where its fields stand."""

from __future__ import annotations

import io
import sys
from pathlib import Path

import pytest

from webhook.impact.checking import gitfiles
from webhook.impact.checking.gitfiles import Found, gather
from webhook.model.objects import name_of

VM = "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: db}\n"


def found_in(folder: Path, **files: str) -> Found:
    """Write files (``__`` in a name is a slash) and read the folder."""
    for name, content in files.items():
        path = folder / name.replace("__", "/").replace("_yaml", ".yaml").replace("_json", ".json")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, "utf-8")
    return gather([str(folder)])


@pytest.mark.parametrize(
    ("files", "why"),
    [
        pytest.param({"a_yaml": "replicas: 2\n"}, gitfiles.NO_OBJECT, id="values"),
        pytest.param({"a_yaml": "- op: add\n"}, gitfiles.NO_OBJECT, id="a-list"),
        pytest.param({"a_yaml": "just text\n"}, gitfiles.NO_OBJECT, id="a-text"),
        pytest.param({"a_yaml": "apiVersion: v1\nkind: Namespace\n"}, gitfiles.NO_OBJECT, id="no-metadata"),
        pytest.param({"a_yaml": "kind: {{ .Values.kind }}\n"}, gitfiles.TEMPLATE, id="a-template-that-is-no-yaml"),
        pytest.param({"a_yaml": VM.replace("db", "'{{ name }}'")}, gitfiles.TEMPLATE, id="a-templated-name"),
        pytest.param({"c__Chart_yaml": "", "c__templates__vm_yaml": VM}, gitfiles.CHART, id="a-helm-chart"),
        pytest.param({"kustomization_yaml": "resources: [x]\n"}, gitfiles.KUSTOMIZATION, id="kustomization-by-name"),
        pytest.param(
            {"a_yaml": "apiVersion: kustomize.config.k8s.io/v1alpha1\nkind: Component\n"},
            gitfiles.KUSTOMIZATION,
            id="kustomization-by-group",
        ),
        pytest.param(
            {"a_yaml": "apiVersion: migguard.io/v1alpha1\nkind: Exemption\nmetadata: {name: x}\n"},
            gitfiles.OWN,
            id="a-document-of-migguard",
        ),
        pytest.param({"a_yaml": "apiVersion: v1\nkind: AdmissionReview\n"}, gitfiles.REVIEW, id="an-admission-review"),
    ],
)
def test_what_is_no_object_is_left_out_with_its_reason(tmp_path: Path, files: dict[str, str], why: str) -> None:
    found = found_in(tmp_path, **files)
    assert not found.manifests
    assert [one.why for one in found.left_out] == [why]
    assert not found.problems


@pytest.mark.parametrize(
    "listed",
    [
        pytest.param("patches:\n  - path: ../patch.yaml\n", id="patches"),
        pytest.param("patchesStrategicMerge: [../patch.yaml]\n", id="strategic-merge"),
        pytest.param("patchesJson6902: [{path: ../patch.yaml}]\n", id="json-patch"),
    ],
)
def test_the_patch_of_a_kustomization_is_no_whole_object(tmp_path: Path, listed: str) -> None:
    found = found_in(tmp_path, overlay__kustomization_yaml=listed, patch_yaml=VM, vm_yaml=VM.replace("db", "whole"))
    assert [name_of(one.object) for one in found.manifests] == ["whole"]
    assert (gitfiles.PATCH, "VirtualMachine db") in [(one.why, one.subject) for one in found.left_out]


def test_a_stream_holds_one_object_a_document(tmp_path: Path) -> None:
    found = found_in(tmp_path, a_yaml=f"{VM}---\n---\n{VM.replace('db', 'web')}")
    assert [(name_of(one.object), one.place.line) for one in found.manifests] == [("db", 1), ("web", 6)]
    assert not found.left_out


LIST = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachineList
items:
  - metadata: {name: one}
    spec:
      running: true
  - apiVersion: kubevirt.io/v1alpha3
    kind: VirtualMachine
    metadata: {name: two}
    spec:
      running: false
"""


def test_items_of_a_list_have_places_and_types_of_their_own(tmp_path: Path) -> None:
    one, two = found_in(tmp_path, a_yaml=LIST).manifests
    assert (one.object["kind"], one.object["apiVersion"]) == ("VirtualMachine", "kubevirt.io/v1")
    assert two.object["apiVersion"] == "kubevirt.io/v1alpha3"
    assert [one.place.line, two.place.line] == [4, 7]
    assert [one.place_of(("spec", "running")).line, two.place_of(("spec", "running")).line] == [6, 11]
    assert [one.place_of(("running",)).line, two.place_of(("running",)).line] == [6, 11]


def test_a_list_in_json_is_read_as_kubectl_writes_it(tmp_path: Path) -> None:
    namespace = '{"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "a"}}'
    written = f'{{"apiVersion": "v1", "kind": "List", "items": [\n{namespace},\n7]}}'
    found = found_in(tmp_path, a_json=written)
    assert [(name_of(one.object), one.place.line) for one in found.manifests] == [("a", 2)]
    assert [(one.why, one.place.line) for one in found.left_out] == [(gitfiles.NO_OBJECT, 3)]


DEEP = """\
apiVersion: hco.kubevirt.io/v1beta1
kind: HyperConverged
metadata:
  name: kubevirt-hyperconverged
spec:
  liveMigrationConfig:
    network: migration
  deeper:
    still:
      network: another
"""


@pytest.mark.parametrize(
    ("field", "line"),
    [
        pytest.param("spec.liveMigrationConfig.network", 7, id="a-path"),
        pytest.param("network", 7, id="a-name-alone-is-the-outermost-of-that-name"),
        pytest.param("spec.liveMigrationConfig.progressTimeout", 7, id="absent-so-where-it-would-stand"),
        pytest.param("metadata.annotations", 4, id="absent-under-metadata"),
        pytest.param("nowhere", 1, id="unheard-of-so-the-object"),
        pytest.param("", 1, id="none"),
    ],
)
def test_a_field_is_placed_at_its_line_or_what_is_nearest(tmp_path: Path, field: str, line: int) -> None:
    [manifest] = found_in(tmp_path, a_yaml=DEEP).manifests
    assert manifest.place_of(tuple(field.split(".")) if field else ()).line == line


def test_every_problem_is_told_with_its_place_and_the_rest_is_read(tmp_path: Path) -> None:
    found_in(tmp_path, bad_yaml="a: [1\n", twice_yaml="a: 1\na: 2\n", good_yaml=VM)
    found = gather([str(tmp_path), str(tmp_path / "missing")])
    assert [name_of(one.object) for one in found.manifests] == ["db"]
    assert [problem.where.removeprefix(f"{tmp_path}/") for problem in found.problems] == [
        "bad.yaml:2:1",
        "twice.yaml:2:1",
        "missing",
    ]


def test_a_file_that_is_named_twice_is_read_once(tmp_path: Path) -> None:
    found_in(tmp_path, a_yaml=VM)
    assert len(gather([str(tmp_path), str(tmp_path / "a.yaml"), str(tmp_path)]).manifests) == 1


def test_standard_input_is_read_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(VM.encode())))
    [manifest] = gather(["-"]).manifests
    assert str(manifest.place) == "standard input:1:1"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"\xff\xfe", "is not UTF-8 text (byte 1)", id="not-text"),
        pytest.param(b"a" * 17_000_000, "is larger than 16 MiB", id="endless"),
        pytest.param(b"", "holds no document", id="of-a-command-that-failed"),
        pytest.param(b"---\n# nothing\n", "holds no document", id="only-a-remark"),
    ],
)
def test_standard_input_that_cannot_be_read_is_a_problem(
    monkeypatch: pytest.MonkeyPatch, content: bytes, message: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(content)))
    assert [problem.message for problem in gather(["-"]).problems] == [message]
