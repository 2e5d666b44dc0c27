"""From documents that fit their schema to frozen values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from functools import partial
from typing import Any

from webhook.errors import Problem
from webhook.model.decision import Action, FailurePolicy
from webhook.model.objects import mapping, mappings, strings, text, value
from webhook.model.request import Phase
from webhook.policy.document import (
    ENGLISH,
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
    Wording,
    Wordings,
)
from webhook.source.files import Document
from webhook.source.parsed import FilePath


def policy(document: Document) -> GuardPolicy:
    """Read a policy."""
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
        phase=Phase((text(spec, "admissionPhase") or "Validate").lower()),
        document=document,
    )


def _validation(item: Mapping[str, Any], at: Callable[..., Text | None], index: int) -> Validation:
    path = ("spec", "validations", index)
    return Validation(
        expression=_must(at(*path, "expression")),
        message=_wordings(item, at, path, "message"),
        remediation=_wordings(item, at, path, "remediation"),
        reason=text(item, "reason") or "Forbidden",
        field=text(item, "field"),
    )


def _mutation(item: Mapping[str, Any], at: Callable[..., Text | None], index: int) -> Mutation:
    path = ("spec", "mutations", index)
    return Mutation(
        name=text(item, "name"),
        json_patch=item["patchType"] == "JSONPatch",
        expression=_must(at(*path, "expression")),
        warning=_wordings(item, at, path, "warning"),
    )


def _wordings(item: Mapping[str, Any], at: Callable[..., Text | None], path: FilePath, name: str) -> Wordings:
    places = {ENGLISH: (), **{language: ("translations", language) for language in mapping(item, "translations")}}
    return {
        language: Wording(text(mapping(item, *place), name), at(*path, *place, f"{name}Expression"))
        for language, place in places.items()
    }


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


def binding(document: Document) -> GuardPolicyBinding:
    """Read a binding."""
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


def exemption(document: Document, problems: list[Problem]) -> Exemption | None:
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
