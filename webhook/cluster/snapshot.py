"""A snapshot: a folder of manifests that hold what decisions need of a cluster, and nothing else.

Made for Git: one file for each namespace and for each cluster-scoped kind, objects and keys in order, without what
changes by itself. Up to :data:`READABLE` objects it is YAML, beyond that JSON with one object a line, which is read
fifty times as fast.

::

    snapshot.yaml               when, of which cluster, what could not be read
    cluster/nodes.yaml          a cluster-scoped kind
    namespaces/prod.yaml        everything in a namespace
"""

from __future__ import annotations

import contextlib
import json
import re
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from webhook.cluster.store import Store
from webhook.errors import ClusterError, InputError, UsageError
from webhook.model.facts import WatchedResource
from webhook.model.objects import JSON, Object, mapping, namespace_of, text
from webhook.source import files

API_VERSION, KIND = "migguard.io/v1alpha1", "ClusterSnapshot"
HEADER = "snapshot.yaml"
READABLE = 1_000
"""Objects in a snapshot that is written as YAML."""

_OWNED = ("cluster", "namespaces", HEADER)
"""What a snapshot consists of; the header comes last, so that a folder with one is whole."""
_NAME = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
"""A namespace. Source: Kubernetes "Object Names and IDs" (RFC 1123 label)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What ``snapshot.yaml`` says."""

    taken: str
    """RFC 3339."""
    server: str = ""
    """URL of the API server; empty if the snapshot was made of manifests."""
    server_version: str = ""
    migguard: str
    counts: Mapping[str, int]
    """Objects by resource."""
    unreadable: Mapping[str, str]
    """By resource: why it could not be read."""


def is_header(obj: Object) -> bool:
    """Say whether a document is the header of a snapshot, which is no object of the cluster."""
    return text(obj, "kind") == KIND and text(obj, "apiVersion").partition("/")[0] == API_VERSION.partition("/")[0]


def header_of(folder: Path) -> Header | None:
    """Return the header of a snapshot; None if this is none. Raises InputError if it cannot be read."""
    file = folder / HEADER
    if not file.is_file():
        return None
    documents, problems = files.parse(files.read(file), str(file))
    if problems:
        raise InputError(problems[0].message, where=problems[0].where, hint="take the snapshot again")
    found = next((document.value for document in documents if is_header(document.value)), None)
    if found is None:
        return None
    spec = mapping(found, "spec")
    return Header(
        taken=text(spec, "taken"),
        server=text(spec, "server"),
        server_version=text(spec, "serverVersion"),
        migguard=text(spec, "migguard"),
        counts={name: count for name, count in mapping(spec, "objects").items() if isinstance(count, int)},
        unreadable={name: why for name, why in mapping(spec, "unreadable").items() if isinstance(why, str)},
    )


def check_target(folder: Path, *, force: bool = False) -> None:
    """Refuse a folder that holds other things than a snapshot, before the work begins. Raises UsageError."""
    if folder.exists() and not folder.is_dir():
        raise UsageError("is not a folder", where=str(folder), hint="name a folder, new or of an earlier snapshot")
    if force or not folder.is_dir() or header_of(folder) is not None:
        return
    if any(not entry.name.startswith(".") for entry in folder.iterdir()):
        raise UsageError(
            "holds files, and is not a snapshot",
            where=str(folder),
            hint="name another folder, or --force to write a snapshot beside them",
        )


def write(folder: Path, store: Store, header: Header, *, identified: frozenset[WatchedResource]) -> None:
    """Write a snapshot, in place of the one that is there; other files in the folder stay.

    Everything is written beside it first, so a run that fails leaves the old snapshot as it was.

    Args:
        folder: Where; it is made if it is not there. See :func:`check_target`.
        store: What to write; resources that cannot be read are left out.
        header: What to say of it.
        identified: Kinds whose ``metadata.uid`` facts read; that of others is left out.

    Raises:
        ClusterError: a namespace has a name that cannot be one.
        InputError: the folder cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".snapshot-", dir=folder) as staging:
            new, old = Path(staging, "new"), Path(staging, "old")
            new.mkdir()
            old.mkdir()
            for name, content in _contents(store, header, identified):
                file = new / name
                file.parent.mkdir(exist_ok=True)
                file.write_text(content, encoding="utf-8", errors="replace")
            _swap(folder, new, old)
    except OSError as error:
        raise InputError(
            f"the snapshot cannot be written: {error.strerror or error}",
            where=str(folder),
            hint="check permissions and free space; an earlier snapshot is as it was",
        ) from error


def _swap(folder: Path, new: Path, old: Path) -> None:
    """Put the new snapshot in the place of the old one, step by step; all is undone if a step fails."""
    with contextlib.ExitStack() as undo:
        for source, target, names in ((folder, old, reversed(_OWNED)), (new, folder, _OWNED)):
            for name in names:
                if (source / name).exists():
                    shutil.move(source / name, target / name)
                    undo.callback(shutil.move, target / name, source / name)
        undo.pop_all()


def _contents(store: Store, header: Header, identified: frozenset[WatchedResource]) -> Iterator[tuple[str, str]]:
    """Yield the path of each file and its text."""
    readable = [watched for watched in store.resources if not store.unreadable(watched)]
    compact = sum(store.counts().values()) > READABLE
    dump, suffix = (json_lines, "json") if compact else (yaml_documents, "yaml")
    by_namespace: dict[str, list[Object]] = {}
    for watched in sorted(readable, key=lambda one: (one.kind, one.resource.group)):
        found = [_stable(obj, with_uid=watched in identified) for obj in store.list(watched)]
        if not watched.namespaced and found:
            yield f"cluster/{watched.resource}.{suffix}", dump(found)
        elif watched.namespaced:
            for obj in found:
                by_namespace.setdefault(namespace_of(obj), []).append(obj)
    for namespace, objects in sorted(by_namespace.items()):
        if not _NAME.fullmatch(namespace):
            raise ClusterError(f"a namespace is called {namespace!r}, which no namespace can be")
        yield f"namespaces/{namespace}.{suffix}", dump(objects)
    yield HEADER, yaml_documents([_document(header)])


def _stable(obj: Object, *, with_uid: bool) -> Object:
    """An object without what changes by itself."""
    dropped = {"resourceVersion"} if with_uid else {"resourceVersion", "uid"}
    metadata = {key: item for key, item in mapping(obj, "metadata").items() if key not in dropped}
    return {**obj, "metadata": metadata}


def _document(header: Header) -> Object:
    spec: dict[str, JSON] = {
        "taken": header.taken,
        "server": header.server,
        "serverVersion": header.server_version,
        "migguard": header.migguard,
        "objects": dict(sorted(header.counts.items())),
        "unreadable": dict(sorted(header.unreadable.items())),
    }
    filled = {key: item for key, item in spec.items() if item not in ("", {})}
    return {"apiVersion": API_VERSION, "kind": KIND, "metadata": {"name": "snapshot"}, "spec": filled}


def json_lines(objects: Sequence[Object]) -> str:
    """Return a List with one object a line, its keys in order."""
    lines = ",\n".join(json.dumps(obj, sort_keys=True, separators=(",", ":"), ensure_ascii=False) for obj in objects)
    return f'{{"apiVersion":"v1","kind":"List","items":[\n{lines}\n]}}\n'


_BREAKS = re.compile("[\x85\u2028\u2029\ufeff]")


class _Dumper(yaml.SafeDumper):
    """Writes what Kubernetes' tools read as the same values: texts that they take for numbers are quoted."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002 - the overridden signature
        """Say that parts which are shared in memory are written out each time: an alias would be no stable text."""
        return True


_Dumper.add_implicit_resolver(
    "tag:yaml.org,2002:float", re.compile(r"^[-+]?[0-9]+[eE][-+]?[0-9]+$"), list("-+0123456789")
)


def _text(dumper: _Dumper, written: str) -> yaml.ScalarNode:
    """Quote a text that holds what YAML takes for the end of a line, which is lost elsewhere."""
    return dumper.represent_scalar("tag:yaml.org,2002:str", written, style='"' if _BREAKS.search(written) else None)


_Dumper.add_representer(str, _text)


def yaml_documents(objects: Iterable[Object]) -> str:
    """Return one document for each object, its keys in order."""
    return "---\n".join(
        yaml.dump(obj, Dumper=_Dumper, sort_keys=True, allow_unicode=True, width=120, default_flow_style=False)
        for obj in objects
    )
