"""New policies, exemptions and tests that pass lint and test as they are, to be changed into what is meant."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import resources
from pathlib import Path
from string import Template

from webhook.errors import PolicyError, Problem, UsageError
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, VM, VMI, VMIM
from webhook.model.decision import Action
from webhook.model.facts import WatchedResource
from webhook.policy import loader, schema
from webhook.source.files import parse, read

KINDS: Mapping[str, WatchedResource] = {
    row.kind: row for row in (VMIM, VM, VMI, HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY)
}
"""Kinds that a policy can be begun for; the first is the default."""


@dataclass(frozen=True, slots=True)
class NewFile:
    """A file that is to be written."""

    path: Path
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ExemptionRequest:
    """What an exemption has to say."""

    name: str
    policies: Sequence[str]
    subjects: Sequence[Mapping[str, str]]
    namespaces: Sequence[str]
    operations: Sequence[str]
    owner: str
    reason: str
    ticket: str
    expires: str


def policy(name: str, kind: str, action: Action, folder: Path, schemas: Path | None) -> tuple[NewFile, ...]:
    """Return a policy and its test.

    Args:
        name: The policy's name and its folder's.
        kind: One of :data:`KINDS`.
        action: What a violation leads to.
        folder: Where policies are, such as ``policies``.
        schemas: Where ``migguard schema`` put the JSON Schemas, for editors; None for no such line.
    """
    row = KINDS[kind]
    start = "migration" if row is VMIM else "object"
    message = "VM prod/db is on hold" if row is VMIM else f"{kind} example has no owner"
    own, tests = folder / name / "policy.yaml", folder / name / "tests" / f"{name}.yaml"
    values = {
        "name": name,
        "kind": kind,
        "group": row.resource.group,
        "apiVersion": f"{row.resource.group}/{row.resource.version}",
        "resource": row.resource.resource,
        "namespace": ", namespace: prod" if row.namespaced else "",
        "action": str(action) if action is not Action.WARN else "Warn, Audit",
        "expected": "\n".join(f"        {line}" for line in _expected(action, name, message)),
    }
    return (
        NewFile(own, _filled(f"{start}-policy.yaml", values, _modeline(schemas, own, "GuardPolicy"))),
        NewFile(tests, _filled(f"{start}-test.yaml", values, _modeline(schemas, tests, "PolicyTest"))),
    )


def exemption(request: ExemptionRequest, folder: Path, schemas: Path | None) -> NewFile:
    """Return an exemption; the file is called as it is."""
    path = folder / f"{request.name}.yaml"
    values = {
        "name": request.name,
        "policies": json.dumps(list(request.policies)),
        "subjects": json.dumps(list(request.subjects)),
        "namespaces": json.dumps(list(request.namespaces)),
        "operations": json.dumps(list(request.operations)),
        "owner": json.dumps(request.owner, ensure_ascii=False),
        "reason": json.dumps(request.reason, ensure_ascii=False),
        "ticket": json.dumps(request.ticket, ensure_ascii=False),
        "expires": request.expires,
    }
    return NewFile(path, _filled("exemption.yaml", values, _modeline(schemas, path, "Exemption")))


def check_exemption(file: NewFile, policies: Sequence[Path], now: datetime) -> None:
    """Hold a new exemption against its schema, and with ``policies`` against the policy set that it becomes a part of.

    Raises PolicyError with everything that the webhook would refuse to load.
    """
    (document,), problems = parse(file.text, str(file.path))
    problems += schema.check(document, "Exemption")
    if problems or not policies:
        _raise(problems)
        return
    texts = {str(path): read(path) for path in loader.policy_files(policies)}
    try:
        loader.load_texts({**texts, str(file.path): file.text}, now=now)
    except PolicyError as error:
        _raise([one for one in error.problems if one.where.startswith(f"{file.path}:")])


def _raise(problems: Sequence[Problem]) -> None:
    if problems:
        raise PolicyError(tuple(problems))


def write(files: Sequence[NewFile]) -> None:
    """Write files, none of which may be there. Raises UsageError."""
    for file in files:
        if file.path.exists():
            raise UsageError("is there already", where=str(file.path), hint="choose another name, or remove it first")
    for file in files:
        try:
            file.path.parent.mkdir(parents=True, exist_ok=True)
            with file.path.open("x", encoding="utf-8") as opened:
                opened.write(file.text)
        except OSError as error:
            message = f"cannot be written: {error.strerror}"
            raise UsageError(message, where=str(file.path), hint="check the path and its permissions") from error


def _expected(action: Action, name: str, message: str) -> list[str]:
    if action is Action.DENY:
        return ["allowed: false", "reason: Forbidden" if message.startswith("VM ") else "reason: Invalid",
                f"policy: {name}", f"message: {message}"]  # fmt: skip
    if action is Action.WARN:
        return ["allowed: true", f"policy: {name}", f"warnings: [{message}]"]
    return ["allowed: true", f"policy: {name}", "warnings: []"]


def _modeline(schemas: Path | None, path: Path, kind: str) -> str:
    if schemas is None:
        return ""
    relative = Path(os.path.relpath(schemas, path.parent)).as_posix()
    return f"# yaml-language-server: $schema={relative}/{kind.lower()}.json\n"


def _filled(template: str, values: Mapping[str, str], modeline: str) -> str:
    text = resources.files("webhook.authoring").joinpath("templates", template).read_text("utf-8")
    return Template(text).substitute(values, modeline=modeline)
