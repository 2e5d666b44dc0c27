"""From a case of a policy test to the AdmissionRequest that the API server would make of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from webhook.admission import review as review_format
from webhook.errors import ReviewError
from webhook.kubevirt.resources import RESOURCES
from webhook.model.objects import (
    GroupVersionKind,
    GroupVersionResource,
    Object,
    mapping,
    name_of,
    namespace_of,
    strings,
    text,
)
from webhook.model.request import AdmissionRequest, Operation, UserInfo

_KNOWN = {(row.resource.group, row.kind): row for row in RESOURCES}
_SERVICE_ACCOUNT = "system:serviceaccount:"
_NEEDED: Mapping[Operation, frozenset[str]] = {
    Operation.CREATE: frozenset({"object"}),
    Operation.UPDATE: frozenset({"object", "oldObject"}),
    Operation.DELETE: frozenset({"oldObject"}),
    Operation.CONNECT: frozenset({"object"}),
}
"""Which objects come with an operation. Source: Kubernetes ``admission.k8s.io/v1`` types."""
_IN_REVIEW = frozenset({"user", "operation", "object", "oldObject", "resource", "subresource", "dryRun", "options"})


class RequestError(Exception):
    """A case cannot be made into a request; ``path`` is the field at fault."""

    def __init__(self, path: tuple[str, ...], message: str, hint: str = "") -> None:
        super().__init__(message)
        self.path = path
        self.message = message
        self.hint = hint


def request_of(case: Mapping[str, Any], uid: str) -> AdmissionRequest:
    """Return the request of a case whose objects are loaded. Raises RequestError."""
    if "review" in case:
        return _reviewed(case)
    operation = Operation(text(case, "operation"))
    given = frozenset({"object", "oldObject"} & case.keys())
    for name in sorted(_NEEDED[operation] - given):
        raise RequestError(("operation",), f"{operation} needs '{name}'", f"give {name} or {name}From")
    for name in sorted(given - _NEEDED[operation]):
        raise RequestError((name,), f"{operation} has no '{name}'", "the API server sends none")
    field = "object" if "object" in given else "oldObject"
    subject = mapping(case, field)
    for other in sorted(given):
        if _identity(mapping(case, other)) != _identity(subject):
            raise RequestError(
                (other,), "oldObject and object are not the same object", "compare kind, name, namespace"
            )
    kind = _kind(subject)
    resource = _resource(kind, text(case, "resource"), text(case, "subresource"), field)
    watched = _KNOWN.get((kind.group, kind.kind))
    namespaced = watched.namespaced if watched else bool(namespace_of(subject))
    namespace = _namespace(subject, kind, namespaced=namespaced)
    return AdmissionRequest(
        uid=uid,
        kind=kind,
        resource=resource,
        subresource=text(case, "subresource"),
        request_kind=kind,
        request_resource=resource,
        request_subresource=text(case, "subresource"),
        name=name_of(subject),
        namespace=namespace,
        operation=operation,
        user=user_of(mapping(case, "user")),
        object=_placed(case.get("object"), namespace, namespaced=namespaced),
        old_object=_placed(case.get("oldObject"), namespace, namespaced=namespaced),
        options=case.get("options"),
        dry_run=case.get("dryRun") is True,
    )


def _reviewed(case: Mapping[str, Any]) -> AdmissionRequest:
    """The request in an AdmissionReview, read as the webhook reads it."""
    for name in sorted(_IN_REVIEW & case.keys()):
        raise RequestError((name,), f"'{name}' and a review are both given", "the review says it all: remove it")
    try:
        return review_format.parse(json.dumps(case["review"]).encode())
    except ReviewError as error:
        raise RequestError(("review",), error.message, error.hint) from error


def user_of(node: Mapping[str, Any]) -> UserInfo:
    """Return the user with the groups that the API server's authentication adds by itself.

    Source: Kubernetes ``staging/src/k8s.io/apiserver/pkg/authentication/group/authenticated_group_adder.go`` and
    ``serviceaccount/util.go``.
    """
    username = text(node, "username")
    implied = ["system:authenticated"]
    if username.startswith(_SERVICE_ACCOUNT):
        namespace = username.removeprefix(_SERVICE_ACCOUNT).partition(":")[0]
        implied = ["system:serviceaccounts", f"system:serviceaccounts:{namespace}", *implied]
    if username == "system:anonymous":
        implied = ["system:unauthenticated"]
    extra = {key: tuple(strings(node, "extra", key)) for key in mapping(node, "extra")}
    groups = tuple(dict.fromkeys([*strings(node, "groups"), *implied]))
    return UserInfo(username=username, uid=text(node, "uid"), groups=groups, extra=extra)


def _kind(obj: Object) -> GroupVersionKind:
    group, slash, version = text(obj, "apiVersion").rpartition("/")
    return GroupVersionKind(group if slash else "", version, text(obj, "kind"))


def _identity(obj: Object) -> tuple[str, str, str]:
    return text(obj, "kind"), namespace_of(obj), name_of(obj)


def _resource(kind: GroupVersionKind, stated: str, subresource: str, field: str) -> GroupVersionResource:
    """The resource of a kind. What is written to a subresource may be of a kind of its own, such as an Eviction."""
    watched = _KNOWN.get((kind.group, kind.kind))
    if watched is None and subresource:
        owners = [row.resource for row in RESOURCES if row.resource.resource == stated]
        if owners:
            return owners[0]
    if watched is None and not stated:
        raise RequestError(
            (field, "kind"),
            f"the resource of {kind.api_version} {kind.kind} is not known",
            "state its plural name as 'resource', such as resource: widgets",
        )
    name = stated or (watched.resource.resource if watched else "")
    return GroupVersionResource(kind.group, kind.version, name)


def _namespace(obj: Object, kind: GroupVersionKind, *, namespaced: bool) -> str:
    """The namespace of the request; a Namespace is in itself, for what is asked about it."""
    if kind.group == "" and kind.kind == "Namespace":
        return name_of(obj)
    return (namespace_of(obj) or "default") if namespaced else ""


def _placed(obj: Object | None, namespace: str, *, namespaced: bool) -> Object | None:
    """The object with its namespace filled in, as the API server does before admission."""
    if obj is None or not namespaced or namespace_of(obj):
        return obj
    return {**obj, "metadata": {**mapping(obj, "metadata"), "namespace": namespace}}
