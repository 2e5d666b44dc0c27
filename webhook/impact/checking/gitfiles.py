"""Manifests as they lie in a Git repository: which documents are objects to be applied, and where each field stands.

What is no such object (values of a chart, a kustomization and its patches, templates, migguard's own documents) is left
out with its reason; what cannot be read is a problem, and the rest is read all the same.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from webhook.errors import InputError, Problem
from webhook.model.objects import JSON, Object, items, mapping, mappings, name_of, strings, text, value
from webhook.output.finding import Place
from webhook.source.files import MAX_FILE_BYTES, Document, find, parse, read
from webhook.source.parsed import FilePath

STDIN = "standard input"

_KUSTOMIZATIONS = frozenset({"kustomization.yaml", "kustomization.yml"})
_KUSTOMIZE_GROUP = "kustomize.config.k8s.io/"
_OWN_GROUP = "migguard.io/"

PATCH = "a patch of a kustomization: check the output of kustomize build"
KUSTOMIZATION = "a kustomization: check the output of kustomize build"
CHART = "part of a Helm chart: check the output of helm template"
TEMPLATE = "a template: check what it renders"
OWN = "a document of migguard: see migguard lint and migguard test"
REVIEW = "an AdmissionReview: see migguard review"
NO_OBJECT = "not a Kubernetes object"


@dataclass(frozen=True, slots=True, eq=False)
class Manifest:
    """One object and where it stands; two that say the same are two."""

    object: Object
    document: Document = field(repr=False)
    path: FilePath = ()
    """Where in the document: an item of a List."""
    fields: Sequence[FilePath] = field(default=(), repr=False)
    """Where its parts are in the document."""

    @property
    def place(self) -> Place:
        """Where it begins."""
        return Place.of(self.document.where(self.path))

    def place_of(self, steps: Sequence[str | int]) -> Place:
        """Where a field stands, or what is nearest to it.

        Policies name a migration setting by its own name alone (``bandwidthPerMigration``), as HyperConverged, KubeVirt
        and MigrationPolicy have it in different places: then it is the outermost field of that name.
        """
        if not steps:
            return self.place
        wanted = tuple(steps)
        whole = (*self.path, *wanted)
        if whole not in self.document.positions:
            whole = min((path for path in self.fields if path[-len(wanted) :] == wanted), key=len, default=whole)
        return Place.of(self.document.where(whole))


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A document or file that is no object to be applied."""

    subject: str
    place: Place
    why: str


@dataclass(frozen=True, slots=True)
class Found:
    """What files hold, in file order."""

    manifests: tuple[Manifest, ...]
    left_out: tuple[LeftOut, ...]
    problems: tuple[Problem, ...]


def gather(names: Iterable[str]) -> Found:
    """Read files, folders with their subfolders, and standard input (``-``). Never raises for what is in them."""
    reading = _Reading()
    for name in dict.fromkeys(names):
        reading.take(name)
    patches = frozenset(path for document in reading.documents for path in _patches(document))
    manifests: list[Manifest] = []
    for document in reading.documents:
        for found in _objects(document, patches):
            if isinstance(found, Manifest):
                manifests.append(found)
            else:
                reading.left_out.append(found)
    return Found(tuple(manifests), tuple(reading.left_out), tuple(reading.problems))


class _Reading:
    """Gathers the documents of files. Used once."""

    def __init__(self) -> None:
        self.documents: list[Document] = []
        self.left_out: list[LeftOut] = []
        self.problems: list[Problem] = []
        self._seen: set[Path] = set()

    def take(self, name: str) -> None:
        """Read what a name on the command line stands for."""
        if name == "-":
            self._parse(STDIN, _standard_input)
            return
        try:
            files = find([Path(name)])
        except InputError as error:
            self.problems.append(Problem(error.where, error.message, error.hint))
            return
        for file in files:
            self._file(file)

    def _file(self, file: Path) -> None:
        if file.resolve() in self._seen:  # named twice, or in a folder and by itself
            return
        self._seen.add(file.resolve())
        if _in_chart(file):
            self.left_out.append(LeftOut("", Place(file=str(file)), CHART))
            return
        self._parse(str(file), lambda: read(file))

    def _parse(self, name: str, content: Callable[[], str]) -> None:
        try:
            written = content()
        except InputError as error:
            self.problems.append(Problem(error.where, error.message, error.hint))
            return
        documents, problems = parse(written, name)
        if problems and "{{" in written:
            self.left_out.append(LeftOut("", Place(file=name), TEMPLATE))
            return
        self.documents += documents
        self.problems += problems
        if name == STDIN and not documents and not problems:
            # Without pipefail a shell takes a kustomize that failed for one that had nothing to say.
            self.problems.append(Problem(STDIN, "holds no document", "see whether the command before the pipe failed"))


def _standard_input() -> str:
    content = sys.stdin.buffer.read(MAX_FILE_BYTES + 1)
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB", where=STDIN, hint="split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8 text (byte {error.start + 1})", where=STDIN) from error


def _in_chart(file: Path) -> bool:
    """A template or subchart. Source: Helm documentation, "Charts", "The Chart File Structure"."""
    inner = [folder.parent for folder in file.absolute().parents if folder.name in {"templates", "charts"}]
    return any((folder / "Chart.yaml").is_file() for folder in inner)


def _patches(document: Document) -> Iterator[Path]:
    """The files that a kustomization lays over others; they are no whole objects.

    Source: Kubernetes documentation, "Declarative Management of Kubernetes Objects Using Kustomize", "Feature List".
    """
    if not _is_kustomization(document):
        return
    folder = Path(document.file).parent
    named = [text(patch, "path") for key in ("patches", "patchesJson6902") for patch in mappings(document.value, key)]
    for name in [*named, *strings(document.value, "patchesStrategicMerge")]:
        if name and "\n" not in name:  # a patch may also be written in place
            yield Path(os.path.normpath(folder / name))


def _is_kustomization(document: Document) -> bool:
    named = text(document.value, "apiVersion").startswith(_KUSTOMIZE_GROUP)
    return named or (Path(document.file).name in _KUSTOMIZATIONS and not text(document.value, "apiVersion"))


def _objects(document: Document, patches: frozenset[Path]) -> Iterator[Manifest | LeftOut]:
    """Take a document apart: a list, typed or not, holds objects; items of a typed one may leave out their type."""
    if Path(document.file) in patches:
        yield LeftOut(_called(document.value), Place.of(document.where()), PATCH)
        return
    kind = text(document.value, "kind")
    if not kind.endswith("List") or not isinstance(mapping(document.value).get("items"), list):
        yield _object(document, (), document.value, list(document.positions))
        return
    api_version = text(document.value, "apiVersion")
    implied = {} if kind == "List" else {"apiVersion": api_version, "kind": kind.removesuffix("List")}
    fields: dict[FilePath, list[FilePath]] = {}
    for path in document.positions:
        fields.setdefault(path[:2], []).append(path)
    for index, item in enumerate(items(document.value, "items")):
        typed = {**implied, **item} if isinstance(item, Mapping) else item
        yield _object(document, ("items", index), typed, fields.get(("items", index), ()))


def _object(document: Document, path: FilePath, obj: JSON, fields: Sequence[FilePath]) -> Manifest | LeftOut:
    why = _why_not(document, obj)
    if why:
        return LeftOut(_called(obj), Place.of(document.where(path)), why)
    return Manifest(obj, document, path, fields)


def _why_not(document: Document, obj: JSON) -> str:
    api_version, kind = text(obj, "apiVersion"), text(obj, "kind")
    if _is_kustomization(document):
        return KUSTOMIZATION
    if not api_version or not kind or not isinstance(value(obj, "metadata"), Mapping):
        return REVIEW if kind == "AdmissionReview" else NO_OBJECT
    if any("{{" in one for one in (api_version, kind, name_of(obj), text(obj, "metadata", "namespace"))):
        return TEMPLATE
    return OWN if api_version.startswith(_OWN_GROUP) else ""


def _called(obj: JSON) -> str:
    return " ".join(part for part in (text(obj, "kind"), name_of(obj)) if part)
