"""Cluster state from files: YAML or JSON manifests, as ``kubectl get -o yaml`` writes and ``kubectl apply`` reads them.

Nothing is guessed: what cannot be read, is there twice, or stands in the wrong scope is an error that names its place.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from webhook.cluster.documents import Found, read_file
from webhook.cluster.snapshot import is_header
from webhook.cluster.store import Store
from webhook.errors import InputError, Problem
from webhook.model.facts import WatchedResource
from webhook.model.objects import Object, mapping, name_of, namespace_of, reference, text
from webhook.source.files import find


@dataclass(frozen=True, slots=True)
class Manifests:
    """What files hold: the objects in file order, and how many of kinds that nobody asked for, by ``Kind.group``."""

    objects: tuple[Object, ...]
    ignored: Mapping[str, int]


def load(paths: Iterable[Path], resources: Iterable[WatchedResource] | None = None) -> Manifests:
    """Read manifests.

    Args:
        paths: Files, or folders that are read with their subfolders (names that start with a dot are left out).
        resources: The kinds that are wanted, matched by group and kind in any version; others are counted as ignored.
            Namespaced objects of these kinds get the namespace ``default`` if they name none. None: every kind.

    Raises:
        InputError: with every problem found, each with its place.
    """
    wanted = None if resources is None else {(row.resource.group, row.kind): row for row in resources}
    reading = _Reading(wanted)
    files = find(paths)
    if not files:
        raise InputError("no manifests to read", hint="name a file or a folder with .yaml, .yml or .json files")
    for file in files:
        reading.take(read_file(file))
    if reading.problems:
        raise _error(reading.problems)
    if not reading.objects and not reading.ignored and not reading.snapshots:
        raise InputError("the manifests hold no object", where=", ".join(map(str, files[:3])))
    return Manifests(tuple(reading.objects), dict(sorted(reading.ignored.items())))


def store_from(paths: Iterable[Path], resources: Sequence[WatchedResource]) -> tuple[Store, Mapping[str, int]]:
    """Return a store filled from manifests, never stale, and how many objects of other kinds were ignored, by kind.

    Raises:
        InputError: as :func:`load`.
    """
    manifests = load(paths, resources)
    by_type: dict[tuple[str, str], list[Object]] = {}
    for obj in manifests.objects:
        by_type.setdefault(_type_of(obj), []).append(obj)
    store = Store(resources)
    for watched in resources:
        store.replace(watched, by_type.get((watched.resource.group, watched.kind), ()))
    return store, manifests.ignored


def _type_of(obj: Object) -> tuple[str, str]:
    """Group and kind."""
    group, slash, _ = text(obj, "apiVersion").partition("/")
    return (group if slash else "", text(obj, "kind"))


class _Reading:
    """Objects, problems and counts while files are read."""

    def __init__(self, wanted: Mapping[tuple[str, str], WatchedResource] | None) -> None:
        self.wanted = wanted
        self.objects: list[Object] = []
        self.ignored: Counter[str] = Counter()
        self.problems: list[Problem] = []
        self.snapshots = 0
        self._places: dict[tuple[str, str, str, str], Found] = {}

    def take(self, found: Iterable[Found | Problem]) -> None:
        for item in found:
            problem = item if isinstance(item, Problem) else self._object(item)
            if problem is not None:
                self.problems.append(problem)

    def _object(self, found: Found) -> Problem | None:
        if is_header(found.value):  # says what the snapshot beside it is; no object of a cluster
            self.snapshots += 1
            return None
        problem = _identity_problem(found)
        if problem is not None:
            return problem
        group, kind = _type_of(found.value)
        if self.wanted is not None:
            watched = self.wanted.get((group, kind))
            if watched is None:
                self.ignored[f"{kind}.{group}" if group else kind] += 1
                return None
            if namespace_of(found.value) and not watched.namespaced:
                return found.problem(
                    f"{kind} is cluster-scoped, but {name_of(found.value)!r} names a namespace",
                    "remove metadata.namespace",
                )
            if watched.namespaced and not namespace_of(found.value):
                found = found.with_value(
                    {**found.value, "metadata": {**found.value["metadata"], "namespace": "default"}}
                )
        return self._once(found, group, kind)

    def _once(self, found: Found, group: str, kind: str) -> Problem | None:
        key = (group, kind, namespace_of(found.value), name_of(found.value))
        first = self._places.setdefault(key, found)
        if first is not found:
            return found.problem(
                f"{reference(found.value)} is there twice; the first is at {first.where}", "remove one of them"
            )
        self.objects.append(found.value)
        return None


def _identity_problem(found: Found) -> Problem | None:
    """Say what an object lacks to be one."""
    obj = found.value
    if not text(obj, "kind"):
        return found.problem("the object has no kind", "every manifest needs apiVersion, kind and metadata.name")
    api_version = text(obj, "apiVersion")
    if not api_version or api_version.count("/") > 1:
        return found.problem(
            f"{text(obj, 'kind')} has no valid apiVersion", "write it as group/version, or v1 for the core group"
        )
    if not name_of(obj):
        return found.problem(
            f"{text(obj, 'kind')} has no metadata.name", "give it a name; generateName names no object"
        )
    if "namespace" in mapping(obj, "metadata") and not isinstance(obj["metadata"]["namespace"], str | None):
        return found.problem(f"{text(obj, 'kind')} {name_of(obj)} has a namespace that is not a text", "quote it")
    return None


def _error(problems: Sequence[Problem]) -> InputError:
    if len(problems) == 1:
        return InputError(problems[0].message, where=problems[0].where, hint=problems[0].hint)
    return InputError(f"{len(problems)} problems in the manifests:\n" + "\n".join(map(str, problems)))
