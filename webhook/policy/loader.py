"""From directories of YAML to documents: every problem of every file at once, each with file:line:column."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from webhook.errors import InputError, PolicyError, Problem
from webhook.model.decision import Action, FailurePolicy
from webhook.model.objects import mapping, mappings, strings, text, value
from webhook.policy import schema
from webhook.policy.document import (
    Documents,
    Exemption,
    GuardPolicy,
    GuardPolicyBinding,
    MatchResources,
    Mutation,
    Named,
    ResourceRule,
    Subject,
    Text,
    Validation,
)
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
        policies=tuple(_policy(document) for document in by_kind["GuardPolicy"]),
        bindings=tuple(_binding(document) for document in by_kind["GuardPolicyBinding"]),
        exemptions=tuple(one for document in by_kind["Exemption"] if (one := _exemption(document, problems))),
        parameters=_parameters(by_kind["Parameters"]),
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
    return schema.defaults(mapping(schema.schema("Parameters"), "properties", "spec"), {})


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
        hint = schema.nearest(kind, schema.KINDS) or f"a policy directory holds {', '.join(schema.KINDS)}"
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
                Problem(where, f"no GuardPolicy '{binding.policy_name}'", schema.nearest(binding.policy_name, names))
            )
    longest = timedelta(days=loaded.parameters["exemptions"]["maxDays"])
    for exemption in loaded.exemptions:
        problems.extend(_check_exemption(exemption, names, longest, now))
    return problems


def _check_exemption(exemption: Exemption, names: Sequence[str], longest: timedelta, now: datetime) -> list[Problem]:
    problems = []
    for index, name in enumerate(exemption.policies):
        if name not in names:
            where = exemption.document.where(("spec", "policies", index))
            problems.append(Problem(where, f"no GuardPolicy '{name}'", schema.nearest(name, names)))
    if exemption.starts and exemption.starts >= exemption.expires:
        problems.append(Problem(exemption.document.where(("spec", "expires")), "expires before it starts"))
    elif exemption.expires - (exemption.starts or now) > longest:
        message = f"expires more than {longest.days} days {'after it starts' if exemption.starts else 'from now'}"
        hint = "an exemption is a debt with a date: renew it by review (spec.exemptions.maxDays of Parameters)"
        problems.append(Problem(exemption.document.where(("spec", "expires")), message, hint))
    return problems


def _policy(document: Document) -> GuardPolicy:
    spec = mapping(document.value, "spec")
    at = partial(_expression, document)
    return GuardPolicy(
        name=text(document.value, "metadata", "name"),
        annotations=mapping(document.value, "metadata", "annotations"),
        match=_match(mapping(spec, "matchConstraints")),
        conditions=_named(document, "matchConditions", "name", "expression"),
        origins=frozenset(strings(spec, "origins")),
        param_schema=mapping(spec, "paramSchema"),
        variables=_named(document, "variables", "name", "expression"),
        validations=tuple(_validation(item, at, index) for index, item in enumerate(mappings(spec, "validations"))),
        mutations=tuple(_mutation(item, at, index) for index, item in enumerate(mappings(spec, "mutations"))),
        audit_annotations=_named(document, "auditAnnotations", "key", "valueExpression"),
        actions=frozenset(Action(action) for action in strings(spec, "validationActions") or ("Deny",)),
        failure_policy=FailurePolicy(text(spec, "failurePolicy") or "Fail"),
        document=document,
    )


def _validation(item: Mapping[str, Any], at: Callable[..., Text | None], index: int) -> Validation:
    path = ("spec", "validations", index)
    return Validation(
        expression=_must(at(*path, "expression")),
        message=text(item, "message"),
        message_expression=at(*path, "messageExpression"),
        remediation=text(item, "remediation"),
        remediation_expression=at(*path, "remediationExpression"),
        reason=text(item, "reason") or "Forbidden",
        field=text(item, "field"),
    )


def _mutation(item: Mapping[str, Any], at: Callable[..., Text | None], index: int) -> Mutation:
    path = ("spec", "mutations", index)
    return Mutation(
        name=text(item, "name"),
        json_patch=item["patchType"] == "JSONPatch",
        expression=_must(at(*path, "expression")),
        warning=text(item, "warning"),
        warning_expression=at(*path, "warningExpression"),
    )


def _named(document: Document, field: str, name: str, expression: str) -> tuple[Named, ...]:
    return tuple(
        Named(text(item, name), _must(_expression(document, "spec", field, index, expression)))
        for index, item in enumerate(mappings(document.value, "spec", field))
    )


def _expression(document: Document, *path: str | int) -> Text | None:
    found = document.value_at(path)
    return Text(found, document, path) if isinstance(found, str) else None


def _must(expression: Text | None) -> Text:
    """For fields that the schema requires."""
    if expression is None:
        raise AssertionError("the schema let a document without a required expression pass")
    return expression


def _match(node: Mapping[str, Any]) -> MatchResources:
    return MatchResources(
        rules=tuple(_rule(rule) for rule in mappings(node, "resourceRules")),
        excluded=tuple(_rule(rule) for rule in mappings(node, "excludeResourceRules")),
        namespace_selector=value(node, "namespaceSelector"),
        object_selector=value(node, "objectSelector"),
        exact=text(node, "matchPolicy") == "Exact",
    )


def _rule(rule: Mapping[str, Any]) -> ResourceRule:
    return ResourceRule(
        groups=tuple(strings(rule, "apiGroups")),
        versions=tuple(strings(rule, "apiVersions")),
        resources=tuple(strings(rule, "resources")),
        operations=tuple(strings(rule, "operations")),
        names=tuple(strings(rule, "resourceNames")),
        scope=text(rule, "scope") or "*",
    )


def _binding(document: Document) -> GuardPolicyBinding:
    spec = mapping(document.value, "spec")
    actions = strings(spec, "validationActions")
    return GuardPolicyBinding(
        name=text(document.value, "metadata", "name"),
        policy_name=text(spec, "policyName"),
        match=_match(mapping(spec, "matchResources")),
        actions=frozenset(Action(action) for action in actions) if actions else None,
        params=mapping(spec, "params"),
        document=document,
    )


def _exemption(document: Document, problems: list[Problem]) -> Exemption | None:
    """Read an exemption; None, with the problem noted, if one of its dates is none."""
    spec = mapping(document.value, "spec")
    starts, expires = (_instant(document, field, problems) for field in ("starts", "expires"))
    if expires is None or (starts is None and "starts" in spec):
        return None
    return Exemption(
        name=text(document.value, "metadata", "name"),
        policies=tuple(strings(spec, "policies")),
        subjects=tuple(
            Subject(text(subject, "kind"), text(subject, "name"), text(subject, "namespace"))
            for subject in mappings(spec, "subjects")
        ),
        namespaces=tuple(strings(spec, "namespaces")),
        names=tuple(strings(spec, "names")),
        namespace_selector=value(spec, "namespaceSelector"),
        object_selector=value(spec, "objectSelector"),
        operations=tuple(strings(spec, "operations")),
        owner=text(spec, "owner"),
        reason=text(spec, "reason"),
        ticket=text(spec, "ticket"),
        starts=starts,
        expires=expires,
        document=document,
    )


def instant(written: str) -> datetime:
    """Read a date (its first moment) or an RFC 3339 time; UTC unless it says otherwise. Raises ValueError."""
    moment = datetime.fromisoformat(written)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _instant(document: Document, field: str, problems: list[Problem]) -> datetime | None:
    """Read a time of an exemption; None if it is absent or, with a problem noted, wrong."""
    written = value(document.value, "spec", field)
    if written is None:
        return None
    try:
        return instant(written)
    except ValueError:
        hint = "write 2026-12-31 or 2026-12-31T18:00:00Z"
        problems.append(Problem(document.where(("spec", field)), f"{field} '{written}' is not a date", hint))
        return None


def _parameters(documents: Sequence[Document]) -> dict[str, Any]:
    spec = mapping(schema.schema("Parameters"), "properties", "spec")
    return schema.defaults(spec, mapping(documents[0].value, "spec") if documents else {})
