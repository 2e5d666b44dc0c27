"""Which policies a request concerns: a list of small predicates, each of which says why a policy does not apply.

Source: Kubernetes ``admission/plugin/webhook/predicates`` (rules, namespace, object) and ``matchconditions``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from webhook.model.objects import JSON, GroupVersionResource, labels_of
from webhook.model.request import AdmissionRequest
from webhook.model.selectors import selects
from webhook.policy.document import MatchResources, ResourceRule

NAMESPACES = GroupVersionResource("", "v1", "namespaces")


@dataclass(frozen=True, slots=True)
class Subject:
    """A request with what matching needs besides: its origin class, and its namespace's labels when asked for."""

    request: AdmissionRequest
    origin: str
    namespace: Callable[[], Mapping[str, Any]]
    """The Namespace object of the request (empty when there is none). May raise FactUnavailable."""


def why_not(match: MatchResources, subject: Subject) -> str:
    """Say why these match constraints do not cover a request; empty when they do. May raise FactUnavailable."""
    return next((reason for predicate in _PREDICATES if (reason := predicate(match, subject))), "")


def covers(rule: ResourceRule, request: AdmissionRequest, *, exact: bool) -> bool:
    """Say whether one resource rule covers a request."""
    asked = (request.request_resource or request.resource) if exact else request.resource
    return (
        _in(rule.groups, asked.group)
        and (not exact or _in(rule.versions, asked.version))
        and _in(rule.operations, request.operation)
        and any(_resource(pattern, asked.resource, request.subresource) for pattern in rule.resources)
        and (not rule.names or request.subject.name in rule.names)
        and (rule.scope == "*" or (rule.scope == "Namespaced") == _namespaced(request))
    )


def _rules(match: MatchResources, subject: Subject) -> str:
    request = subject.request
    if match.rules and not any(covers(rule, request, exact=match.exact) for rule in match.rules):
        resource = f"{request.resource}/{request.subresource}" if request.subresource else str(request.resource)
        return f"no resource rule covers {request.operation} of {resource}"
    return ""


def _excluded(match: MatchResources, subject: Subject) -> str:
    excluded = any(covers(rule, subject.request, exact=match.exact) for rule in match.excluded)
    return "an excludeResourceRule covers it" if excluded else ""


def _namespace_selector(match: MatchResources, subject: Subject) -> str:
    """Cluster-scoped objects are never left out by a namespaceSelector; a Namespace is judged by its own labels."""
    request = subject.request
    if not match.namespace_selector:
        return ""
    if request.resource == NAMESPACES:
        labels = labels_of(request.object if request.object is not None else request.old_object)
    elif _namespaced(request):
        labels = labels_of(subject.namespace())
    else:
        return ""
    return "" if selects(match.namespace_selector, labels) else "namespaceSelector does not select its namespace"


def _object_selector(match: MatchResources, subject: Subject) -> str:
    """Either the new or the old object may match, so that taking a label off does not take the object out of reach."""
    if not match.object_selector:
        return ""
    objects: Iterable[JSON] = (subject.request.object, subject.request.old_object)
    if any(node is not None and selects(match.object_selector, labels_of(node)) for node in objects):
        return ""
    return "objectSelector does not select it"


_PREDICATES: tuple[Callable[[MatchResources, Subject], str], ...] = (
    _rules,
    _excluded,
    _namespace_selector,
    _object_selector,
)


def _namespaced(request: AdmissionRequest) -> bool:
    """Say whether the object lies in a namespace. A request about a Namespace carries its name, but does not."""
    return bool(request.namespace) and request.resource != NAMESPACES


def _in(allowed: tuple[str, ...], asked: str) -> bool:
    return "*" in allowed or asked in allowed


def _resource(pattern: str, resource: str, subresource: str) -> bool:
    """Match ``*`` (all resources, no subresource), ``*/*`` (all), ``*/status``, ``pods/*`` or ``pods/status``."""
    wanted, _, wanted_subresource = pattern.partition("/")
    if wanted not in ("*", resource):
        return False
    return wanted_subresource == subresource or (wanted_subresource == "*" and (bool(subresource) or wanted == "*"))
