"""From directories of YAML to documents: every problem of every file at once, each with file:line:column."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from webhook.errors import InputError, PolicyError, Problem
from webhook.model.duration import parse_duration
from webhook.model.objects import mapping, text
from webhook.policy import reading, schedule, schema
from webhook.policy.document import Documents, Exemption
from webhook.policy.spelling import nearest
from webhook.source.files import Document, find, parse, read

TEST_FOLDER = "tests"
"""Folders of this name hold policy tests and are not entered."""
_FOREIGN = frozenset({"Kustomization", "Component"})
"""Kinds that live in the same folders of a Git repository and mean nothing here."""


def load(paths: Sequence[Path], *, now: datetime) -> Documents:
    """Read all policy documents below these paths.

    Raises PolicyError with every problem found: unreadable files, broken YAML, schema errors, names used twice,
    references to policies that are not there, exemptions that run too long after ``now``, and a set without any policy.
    """
    problems: list[Problem] = []
    return _load(_files(paths, problems), read, problems, where=", ".join(str(path) for path in paths), now=now)


def load_texts(texts: Mapping[str, str], *, now: datetime) -> Documents:
    """Do the same with the content of files that were read before: the ``texts`` of earlier Documents."""
    return _load([Path(name) for name in texts], lambda path: texts[str(path)], [], where="", now=now)


def _load(
    files: Sequence[Path], content: Callable[[Path], str], problems: list[Problem], *, where: str, now: datetime
) -> Documents:
    documents: list[Document] = []
    texts: dict[str, str] = {}
    for path in files:
        try:
            texts[str(path)] = content(path)
            found, broken = parse(texts[str(path)], str(path))
        except InputError as error:
            found, broken = [], [Problem(error.where, error.message, error.hint)]
        documents.extend(found)
        problems.extend(broken)
    by_kind: dict[str, list[Document]] = {kind: [] for kind in schema.KINDS}
    for document in documents:
        problem = _sort(document, by_kind)
        problems.extend(problem)
    if not problems and not by_kind["GuardPolicy"]:
        problems.append(Problem(where, "holds no GuardPolicy", "a guard without policies would let everything through"))
    if problems:
        raise PolicyError(tuple(problems))
    digests = sorted(hashlib.sha256(text.encode()).hexdigest() for text in texts.values())
    loaded = Documents(
        policies=tuple(reading.policy(document) for document in by_kind["GuardPolicy"]),
        bindings=tuple(reading.binding(document) for document in by_kind["GuardPolicyBinding"]),
        exemptions=tuple(one for document in by_kind["Exemption"] if (one := reading.exemption(document, problems))),
        parameters=full_parameters(mapping(by_kind["Parameters"][0].value, "spec") if by_kind["Parameters"] else {}),
        digest=hashlib.sha256("\n".join(digests).encode()).hexdigest(),
        texts=texts,
        parameters_document=next(iter(by_kind["Parameters"]), None),
    )
    problems.extend(_cross_check(loaded, by_kind, now))
    if problems:
        raise PolicyError(tuple(problems))
    return loaded


def default_parameters() -> dict[str, Any]:
    """The ``spec`` of a Parameters document that says nothing."""
    return full_parameters({})


def full_parameters(spec: Mapping[str, Any]) -> dict[str, Any]:
    """The ``spec`` of a Parameters document with every default filled in where it says nothing."""
    return schema.defaults(mapping(schema.schema("Parameters"), "properties", "spec"), spec)


def policy_files(paths: Sequence[Path]) -> list[Path]:
    """The files that are read, in order. Raises InputError."""
    return find(paths, skip=frozenset({TEST_FOLDER}))


def _files(paths: Sequence[Path], problems: list[Problem]) -> list[Path]:
    files: dict[Path, None] = {}
    for path in paths:
        try:
            files.update(dict.fromkeys(policy_files([path])))
        except InputError as error:
            problems.append(Problem(error.where, error.message, error.hint))
    return list(files)


def _sort(document: Document, by_kind: dict[str, list[Document]]) -> list[Problem]:
    """Put a document under its kind, or say what is wrong with it."""
    kind = text(document.value, "kind")
    if not isinstance(document.value, dict) or not kind:
        return [
            Problem(document.where(), "not a migguard document: it has no kind", f"one of {', '.join(schema.KINDS)}")
        ]
    if kind == schema.TEST_KIND or kind in _FOREIGN:
        return []
    if kind not in by_kind:
        hint = nearest(kind, schema.KINDS) or f"a policy directory holds {', '.join(schema.KINDS)}"
        return [Problem(document.where(("kind",)), f"unknown kind '{kind}'", hint)]
    problems = schema.check(document, kind)
    if not problems:
        by_kind[kind].append(document)
    return problems


def _cross_check(loaded: Documents, by_kind: Mapping[str, list[Document]], now: datetime) -> list[Problem]:
    """Find what no single document shows."""
    problems: list[Problem] = []
    for kind, documents in by_kind.items():
        first: dict[str, Document] = {}
        for document in documents:
            name = text(document.value, "metadata", "name") if kind != "Parameters" else "the one Parameters document"
            other = first.setdefault(name, document)
            if other is not document:
                where = document.where(("metadata", "name"))
                problems.append(
                    Problem(where, f"{kind} '{name}' stands twice", f"the other is {other.where(('metadata', 'name'))}")
                )
    names = [policy.name for policy in loaded.policies]
    for binding in loaded.bindings:
        if binding.policy_name not in names:
            where = binding.document.where(("spec", "policyName"))
            problems.append(
                Problem(where, f"no GuardPolicy '{binding.policy_name}'", nearest(binding.policy_name, names))
            )
    longest = timedelta(days=loaded.parameters["exemptions"]["maxDays"])
    for exemption in loaded.exemptions:
        problems.extend(_check_exemption(exemption, names, longest, now))
    if loaded.parameters_document is not None:
        problems.extend(check_windows(loaded.parameters_document))
    return problems


def _check_exemption(exemption: Exemption, names: Sequence[str], longest: timedelta, now: datetime) -> list[Problem]:
    problems = []
    for index, name in enumerate(exemption.policies):
        if name not in names:
            where = exemption.document.where(("spec", "policies", index))
            problems.append(Problem(where, f"no GuardPolicy '{name}'", nearest(name, names)))
    if exemption.starts and exemption.starts >= exemption.expires:
        problems.append(Problem(exemption.document.where(("spec", "expires")), "expires before it starts"))
    elif exemption.expires - (exemption.starts or now) > longest:
        message = f"expires more than {longest.days} days {'after it starts' if exemption.starts else 'from now'}"
        hint = "an exemption is a debt with a date: renew it by review (spec.exemptions.maxDays of Parameters)"
        problems.append(Problem(exemption.document.where(("spec", "expires")), message, hint))
    return problems


def check_windows(parameters: Document) -> Iterator[Problem]:
    """Find freeze windows that freeze for ever. The Parameters document fits its schema."""
    for index, window in enumerate(full_parameters(mapping(parameters.value, "spec"))["freezeWindows"]):
        length, zone = parse_duration(window["duration"]), ZoneInfo(window["timeZone"])
        if not schedule.ends(window["schedule"], length, zone):
            where = parameters.where(("spec", "freezeWindows", index, "duration"))
            message = f"freeze window '{window['name']}' never ends: it begins anew within its {window['duration']}"
            yield Problem(where, message, "shorten the duration, or let it begin less often")
