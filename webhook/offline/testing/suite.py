"""PolicyTest documents: found below directories, held against their schema, and read into cases that can be run."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from webhook.errors import InputError, PolicyError, Problem
from webhook.model.objects import Object, mapping, mappings, strings, text
from webhook.model.request import AdmissionRequest, Phase
from webhook.offline.request import RequestError, request_of
from webhook.offline.testing.expectation import Expectation, faults
from webhook.offline.testing.stated import Absent, Review, reviews_of
from webhook.policy import schema
from webhook.policy.loader import check_windows
from webhook.policy.reading import instant
from webhook.policy.spelling import nearest
from webhook.source.files import Document, find, parse, read
from webhook.source.parsed import FilePath

_GROUP = "migguard.io/"
_MENTIONED = re.compile(r"migguard\.io/v\d|PolicyTest")
"""Only files with this in their text are parsed: a directory of policies may hold foreign files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and what is expected of its decision."""

    name: str
    where: str
    request: AdmissionRequest
    phases: tuple[Phase, ...]
    expect: Expectation
    path: FilePath = ()
    """Where it stands in the document of its suite."""
    now: datetime | None = None
    """What the clock says in this case; None: as in the suite."""
    objects: tuple[Object, ...] = ()
    """Objects of the cluster in this case, besides or instead of those of the suite."""
    absent: tuple[Absent, ...] = ()
    """What is not in the cluster in this case, whatever the suite says."""
    reviews: tuple[Review, ...] = ()
    """Answers that come before those of the suite."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Suite:
    """One PolicyTest document."""

    name: str
    document: Document = field(repr=False)
    policies: tuple[Path, ...]
    parameters: Document | None
    """A Parameters document of what the test lays over the policies' own."""
    now: datetime | None
    objects: tuple[Object, ...]
    cluster: tuple[Path, ...]
    reviews: tuple[Review, ...]
    absent: tuple[Absent, ...] = ()
    cases: tuple[Case, ...]


@dataclass(frozen=True, slots=True)
class Found:
    """The tests below some paths, and what is wrong with those that cannot be read."""

    suites: tuple[Suite, ...]
    problems: tuple[Problem, ...]


def suites(paths: Sequence[Path]) -> tuple[Suite, ...]:
    """Read every PolicyTest below these paths.

    Raises PolicyError with every problem of every file, and InputError if a path is missing or there is no test at all.
    """
    found = read_suites(paths)
    if found.problems:
        raise PolicyError(found.problems)
    return found.suites


def read_suites(paths: Sequence[Path]) -> Found:
    """Do the same, but give the tests that can be read and the problems of the others.

    Raises InputError if a path is missing or there is no test at all.
    """
    problems: list[Problem] = []
    found: list[Suite] = []
    for file in find(list(paths)):
        try:
            content = read(file)
        except InputError as error:
            problems.append(Problem(error.where, error.message, error.hint))
            continue
        if not _MENTIONED.search(content):
            continue
        documents, broken = parse(content, str(file))
        problems.extend(broken)
        for document in documents:
            found.extend(_suite(document, file.parent, problems))
    if not (found or problems):
        where = ", ".join(map(str, paths))
        raise InputError(
            f"no {schema.TEST_KIND} was found", where=where, hint="tests lie in policies/NAME/tests/*.yaml"
        )
    return Found(tuple(found), tuple(problems))


def _suite(document: Document, folder: Path, problems: list[Problem]) -> Iterator[Suite]:
    kind = text(document.value, "kind")
    if kind != schema.TEST_KIND:
        if text(document.value, "apiVersion").startswith(_GROUP) and kind not in schema.KINDS:
            known = (*schema.KINDS, schema.TEST_KIND)
            problems.append(Problem(document.where(("kind",)), f"unknown kind '{kind}'", nearest(kind, known)))
        return
    wrong = schema.check(document, kind) or [*_check_parameters(document), *_check_expectations(document)]
    reading = _Reading(document, folder)
    if not wrong:
        suite = reading.suite()
        wrong = reading.problems
        if not wrong:
            yield suite
    problems.extend(wrong)


def _parameters(document: Document) -> Document | None:
    """``spec.parameters`` as a Parameters document whose values stand where the test has them."""
    place = ("spec", "parameters")
    given = document.value_at(place)
    if given is None:
        return None
    whole = {"apiVersion": schema.API_VERSION, "kind": "Parameters", "metadata": {"name": "test"}, "spec": given}
    positions = {("spec", *at[2:]): position for at, position in document.positions.items() if at[:2] == place}
    positions[()] = positions["spec",]
    return Document(document.file, whole, document.text, positions)


def _check_parameters(document: Document) -> list[Problem]:
    parameters = _parameters(document)
    if parameters is None:
        return []
    wrong = [
        replace(problem, message=problem.message.replace("spec", "spec.parameters", 1))
        for problem in schema.check(parameters, "Parameters")
    ]
    return wrong or [*check_windows(parameters)]


def _check_expectations(document: Document) -> Iterator[Problem]:
    for index, case in enumerate(mappings(document.value, "spec", "cases")):
        for path, message, hint in faults(mapping(case, "expect")):
            yield Problem(document.where(("spec", "cases", index, "expect", *path)), message, hint)


class _Reading:
    """Turns one document that fits its schema into a suite; gathers what the schema cannot see."""

    def __init__(self, document: Document, folder: Path) -> None:
        self._document = document
        self._folder = folder
        self.problems: list[Problem] = []

    def suite(self) -> Suite:
        spec = mapping(self._document.value, "spec")
        cases = tuple(self._cases(mappings(spec, "cases")))
        return Suite(
            name=text(self._document.value, "metadata", "name"),
            document=self._document,
            policies=self._paths(strings(spec, "policies") or ("..",)),
            parameters=_parameters(self._document),
            now=self._now(spec, ("spec",)),
            objects=tuple(mappings(spec, "objects")),
            cluster=self._paths(strings(spec, "cluster")),
            reviews=reviews_of(spec),
            absent=self._absent(spec, ("spec",)),
            cases=cases,
        )

    def _paths(self, names: Sequence[str]) -> tuple[Path, ...]:
        return tuple(_normal(Path(self._folder, name)) for name in names)

    def _now(self, node: Mapping[str, Any], place: FilePath) -> datetime | None:
        written = text(node, "now")
        if not written:
            return None
        try:
            return instant(written)
        except ValueError:
            self._problem((*place, "now"), f"now '{written}' is not a time", "write 2026-12-31T18:00:00Z")
            return None

    def _absent(self, node: Mapping[str, Any], place: FilePath) -> tuple[Absent, ...]:
        found = []
        for index, stated in enumerate(mappings(node, "absent")):
            absent = Absent.of(stated)
            for name, message, hint in absent.faults():
                self._problem((*place, "absent", index, name), message, hint)
            found.append(absent)
        return tuple(found)

    def _cases(self, cases: Sequence[Mapping[str, Any]]) -> Iterator[Case]:
        names: set[str] = set()
        for index, case in enumerate(cases):
            place = ("spec", "cases", index)
            name = text(case, "name")
            if name in names:
                self._problem((*place, "name"), f"the case '{name}' stands twice", "give each case its own name")
            names.add(name)
            try:
                request = request_of({**case, **self._files(case, place)}, uid=f"case-{index + 1}")
            except RequestError as error:
                self._problem((*place, *error.path), error.message, error.hint)
                continue
            yield Case(
                name=name,
                where=self._document.where((*place, "name")),
                request=request,
                phases=_PHASES[text(case, "phase") or "both"],
                expect=Expectation.of(mapping(case, "expect")),
                path=place,
                now=self._now(case, place),
                objects=tuple(mappings(case, "objects")),
                absent=self._absent(case, place),
                reviews=reviews_of(case),
            )

    def _files(self, case: Mapping[str, Any], place: tuple[str | int, ...]) -> dict[str, Object]:
        """The objects that stand in files of their own, by field."""
        found: dict[str, Object] = {}
        for field_name in ("object", "oldObject", "review"):
            name = text(case, f"{field_name}From")
            if not name:
                continue
            at = (*place, f"{field_name}From")
            if field_name in case:
                self._problem(at, f"{field_name} and {field_name}From are both given", "choose one of them")
                continue
            loaded = self._object(_normal(Path(self._folder, name)), at)
            if loaded is not None:
                found[field_name] = loaded
        return found

    def _object(self, path: Path, at: tuple[str | int, ...]) -> Object | None:
        try:
            documents, broken = parse(read(path), str(path))
        except InputError as error:
            self._problem(at, str(error))
            return None
        if broken:
            self.problems.extend(broken)
            return None
        if len(documents) != 1 or not isinstance(documents[0].value, dict):
            self._problem(at, f"{path} holds {len(documents)} documents, not one object")
            return None
        obj: Object = documents[0].value
        return obj

    def _problem(self, path: tuple[str | int, ...], message: str, hint: str = "") -> None:
        self.problems.append(Problem(self._document.where(path), message, hint))


_PHASES: Mapping[str, tuple[Phase, ...]] = {
    "both": (Phase.MUTATE, Phase.VALIDATE),
    "mutate": (Phase.MUTATE,),
    "validate": (Phase.VALIDATE,),
}


def _normal(path: Path) -> Path:
    """The path as messages should show it, without ``..`` in its middle."""
    return Path(os.path.normpath(path))
