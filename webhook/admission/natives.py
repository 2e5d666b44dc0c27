"""ValidatingAdmissionPolicy's own variables, and the whole catalogue of what policies can read."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import NAMESPACE
from webhook.model.facts import Fact, FactCatalog, FactContext
from webhook.model.objects import JSON, GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest
from webhook.policy.cellibrary import authorizer_value


def namespace(context: FactContext) -> Mapping[str, Any]:
    """Return the Namespace object of the request; empty for a cluster-scoped one, which a Namespace is too.

    Raises FactUnavailable where it is not in the cache: its labels must not be taken for absent ones.
    """
    name = context.request.namespace
    if not name or context.request.resource == NAMESPACE.resource:
        return {}
    found = context.view.get(NAMESPACE, "", name)
    if found is None:
        raise FactUnavailable(f"Namespace {name} was not found, so its labels are not known")
    return found


LAZY = (
    Fact(
        "namespaceObject",
        "dyn",
        "The Namespace of the request; null for a cluster-scoped object.",
        lambda context: namespace(context) or None,
    ),
    Fact(
        "authorizer",
        "map(dyn)",
        "Asks whether someone may do something, as in ValidatingAdmissionPolicy.",
        lambda context: authorizer_value(context.request),
    ),
)
"""Native variables that cost a look-up, and so are computed like facts: only when a policy reads them."""

LAZY_NAMES = frozenset(fact.name for fact in LAZY)

CATALOG: FactCatalog = {**FACTS, **{fact.name: fact for fact in LAZY}}
"""Everything besides ``object``, ``oldObject``, ``request``, ``params`` and ``variables`` that a policy can read."""


def resolve(context: FactContext, catalog: FactCatalog, names: Iterable[str]) -> tuple[dict[str, JSON], dict[str, str]]:
    """Return the values of facts by name, each computed once per request, and why the others cannot be had."""
    values: dict[str, JSON] = {}
    unavailable: dict[str, str] = {}
    for name in sorted(names):
        try:
            context.deadline.check(f"'{name}' was known")
            values[name] = context.once(("fact", name), catalog[name].resolve)
        except FactUnavailable as error:
            unavailable[name] = str(error)
    return values, unavailable


def variables(request: AdmissionRequest) -> dict[str, JSON]:
    """The values of ``object``, ``oldObject`` and ``request``; Source: ValidatingAdmissionPolicy."""
    return {
        "object": request.object,
        "oldObject": request.old_object,
        "request": {
            "uid": request.uid,
            "kind": _kind(request.kind),
            "resource": _resource(request.resource),
            "subResource": request.subresource,
            "requestKind": _kind(request.request_kind or request.kind),
            "requestResource": _resource(request.request_resource or request.resource),
            "requestSubResource": request.request_subresource or request.subresource,
            "name": request.name,
            "namespace": request.namespace,
            "operation": str(request.operation),
            "userInfo": {
                "username": request.user.username,
                "uid": request.user.uid,
                "groups": list(request.user.groups),
                "extra": {key: list(values) for key, values in request.user.extra.items()},
            },
            "dryRun": request.dry_run,
            "options": request.options,
        },
    }


def _kind(kind: GroupVersionKind) -> dict[str, JSON]:
    return {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource(resource: GroupVersionResource) -> dict[str, JSON]:
    return {"group": resource.group, "version": resource.version, "resource": resource.resource}
