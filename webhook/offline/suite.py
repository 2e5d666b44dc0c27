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
from webhook.model.decision import PatchOperation
from webhook.model.facts import Attributes
from webhook.model.objects import Object, mapping, mappings, strings, text, value
from webhook.model.request import AdmissionRequest, Phase
from webhook.offline.request import RequestError, request_of
from webhook.policy import schema
from webhook.policy.loader import check_windows
from webhook.policy.reading import instant
from webhook.policy.spelling import nearest
from webhook.source.files import Document, find, parse, read

_GROUP = "migguard.io/"
_MENTIONED = re.compile(r"migguard\.io/v\d|PolicyTest")
"""Only files with this in their text are parsed: a directory of policies may hold foreign files."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Expectation:
    """What a case must come to; None where it says nothing. Texts are parts of what must be there, or /expressions/."""

    allowed: bool | None = None
    code: int | None = None
    reason: str | None = None
    policy: str | None = None
    message: tuple[str, ...] | None = None
    warnings: tuple[str, ...] | None = None
    errors: tuple[str, ...] = ()
    """Errors of evaluation; any that is not expected fails the case."""
    patch: tuple[PatchOperation, ...] | None = None
    patched: Mapping[str, Any] | None = None
    audit_annotations: Mapping[str, str | None] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """One request and what is expected of its decision."""

    name: str
    where: str
    request: AdmissionRequest
    phases: tuple[Phase, ...]
    expect: Expectation


@dataclass(frozen=True, slots=True)
class Review:
    """One stated answer to permission questions; ``*`` as the user is anyone."""

    user: str
    question: str
    """As :class:`Attributes` write it."""
    allowed: bool


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
    cases: tuple[Case, ...]


def suites(paths: Sequence[Path]) -> tuple[Suite, ...]:
    """Read every PolicyTest below these paths.

    Raises PolicyError with every problem of every file, and InputError if a path is missing or there is no test at all.
    """
    problems: list[Problem] = []
    found: list[Suite] = []
    for file in find(list(paths)):
        content = read(file)
        if not _MENTIONED.search(content):
            continue
        documents, broken = parse(content, str(file))
        problems.extend(broken)
        for document in documents:
            found.extend(_suite(document, file.parent, problems))
    if problems:
        raise PolicyError(tuple(problems))
    if not found:
        where = ", ".join(map(str, paths))
        raise InputError(
            f"no {schema.TEST_KIND} was found", where=where, hint="tests lie in policies/NAME/tests/*.yaml"
        )
    return tuple(found)


def _suite(document: Document, folder: Path, problems: list[Problem]) -> Iterator[Suite]:
    kind = text(document.value, "kind")
    if kind != schema.TEST_KIND:
        if text(document.value, "apiVersion").startswith(_GROUP) and kind not in schema.KINDS:
            known = (*schema.KINDS, schema.TEST_KIND)
            problems.append(Problem(document.where(("kind",)), f"unknown kind '{kind}'", nearest(kind, known)))
        return
    wrong = schema.check(document, kind) or [*_check_parameters(document), *_check_texts(document)]
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


def _check_texts(document: Document) -> Iterator[Problem]:
    for index, case in enumerate(mappings(document.value, "spec", "cases")):
        expect = mapping(case, "expect")
        places: dict[tuple[str, ...], Any] = {
            (name,): value(expect, name) for name in ("message", "warnings", "errors")
        }
        places |= {("auditAnnotations", key): item for key, item in mapping(expect, "auditAnnotations").items()}
        for place, texts in places.items():
            for pattern in texts_of(texts) or ():
                try:
                    finds(pattern, "")
                except re.error as error:
                    where = document.where(("spec", "cases", index, "expect", *place))
                    yield Problem(where, f"{pattern} is not a regular expression: {error}")


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
            now=self._now(text(spec, "now")),
            objects=tuple(mappings(spec, "objects")),
            cluster=self._paths(strings(spec, "cluster")),
            reviews=tuple(_review(review) for review in mappings(spec, "accessReviews")),
            cases=cases,
        )

    def _paths(self, names: Sequence[str]) -> tuple[Path, ...]:
        return tuple(_normal(Path(self._folder, name)) for name in names)

    def _now(self, written: str) -> datetime | None:
        if not written:
            return None
        try:
            return instant(written)
        except ValueError:
            self._problem(("spec", "now"), f"now '{written}' is not a time", "write 2026-12-31T18:00:00Z")
            return None

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
                expect=_expectation(mapping(case, "expect")),
            )

    def _files(self, case: Mapping[str, Any], place: tuple[str | int, ...]) -> dict[str, Object]:
        """The objects that stand in files of their own, by field."""
        found: dict[str, Object] = {}
        for field_name in ("object", "oldObject"):
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


def texts_of(node: Any) -> tuple[str, ...] | None:
    """One text or a list of them as a tuple; None where there is none."""
    if isinstance(node, str):
        return (node,)
    return tuple(node) if isinstance(node, list) else None


def finds(pattern: str, where: str) -> bool:
    """Say whether a text is part of ``where``, or a ``/regular expression/`` matches in it."""
    if len(pattern) > 1 and pattern.startswith("/") and pattern.endswith("/"):
        return re.search(pattern[1:-1], where, re.DOTALL) is not None
    return pattern in where


def _expectation(node: Mapping[str, Any]) -> Expectation:
    return Expectation(
        allowed=node.get("allowed"),
        code=node.get("code"),
        reason=node.get("reason"),
        policy=node.get("policy"),
        message=texts_of(node.get("message")),
        warnings=texts_of(node.get("warnings")),
        errors=texts_of(node.get("errors")) or (),
        patch=tuple(node["patch"]) if "patch" in node else None,
        patched=node.get("patched"),
        audit_annotations=mapping(node, "auditAnnotations"),
    )


def _review(node: Mapping[str, Any]) -> Review:
    fields = {
        name: text(node, name) for name in ("verb", "group", "resource", "subresource", "namespace", "name", "path")
    }
    question = " ".join(text(node, "canI").split()) or str(Attributes(**fields))
    return Review(text(node, "user"), question, node["allowed"])
