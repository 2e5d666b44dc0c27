"""The wire format: AdmissionReview v1 in, AdmissionReview v1 out.

The body is untrusted: it is bounded in size and depth, and whatever JSON tolerates but Kubernetes does not (duplicate
keys, NaN, infinite numbers, half of a surrogate pair) is refused here, so that nothing behind this module meets it.
Two things that Kubernetes does tolerate are made harmless: integers beyond 64 bit, and NUL characters.

Source: Kubernetes ``admission.k8s.io/v1`` types.
"""

from __future__ import annotations

import base64
import json
import math
import re
from collections.abc import Mapping
from typing import Any, Never

from webhook.errors import ReviewError
from webhook.model.decision import Decision
from webhook.model.objects import (
    JSON,
    GroupVersionKind,
    GroupVersionResource,
    Object,
    items,
    mapping,
    strings,
    text,
    value,
)
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.source.jsontext import DuplicateKeyError, unique

API_VERSION = "admission.k8s.io/v1"
MAX_BODY_BYTES = 8 * 1024 * 1024
"""The API server takes bodies of about 3 MiB; a review may hold the new and the old object, and is written wider."""
MAX_DEPTH = 128
"""Nesting of a review. Real objects stay below 30; recursion in the CEL runtime and here is safe far above this."""
_INTEGERS = range(-(2**63), 2**63)
_INTEGER_DIGITS = len(str(-(2**63)))
"""With the sign. What is longer is never made an integer, which takes time that grows with the square of the length."""
_NUL, _REPLACEMENT = "\0", "\ufffd"
_CONTROL = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f]")
"""All but tab and line feed."""


def parse(body: bytes) -> AdmissionRequest:
    """Read the request part of an AdmissionReview. Raises ReviewError (400 or 413) for anything else."""
    review = decode(body)
    if not isinstance(review, dict) or text(review, "kind") != "AdmissionReview":
        raise ReviewError(
            "the body is not an AdmissionReview", hint="this address is for the kube-apiserver's webhook calls"
        )
    version = text(review, "apiVersion")
    if version != API_VERSION:
        hint = f"set admissionReviewVersions: [v1] in the webhook configuration; only {API_VERSION} is understood"
        raise ReviewError(f"AdmissionReview of apiVersion '{version}' is not supported", hint=hint)
    request = value(review, "request")
    if not isinstance(request, dict):
        raise ReviewError("the AdmissionReview holds no request")
    return _request(request)


def decode(body: bytes) -> JSON:
    """Decode bounded, strict JSON. Raises ReviewError."""
    if len(body) > MAX_BODY_BYTES:
        raise ReviewError(f"the body is larger than {MAX_BODY_BYTES // 1024 // 1024} MiB", status=413)
    try:
        decoded = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_object,
            parse_constant=_constant,
            parse_float=_float,
            parse_int=_integer,
        )
    except RecursionError as error:
        raise ReviewError(f"the body is nested deeper than {MAX_DEPTH} levels") from error
    except UnicodeDecodeError as error:
        raise ReviewError(f"the body is not UTF-8: byte {error.start}") from error
    except ValueError as error:
        raise ReviewError(f"the body is not JSON: {str(error)[:200]}") from error
    if body.count(b"{") + body.count(b"[") > MAX_DEPTH and _deeper_than(decoded, MAX_DEPTH):
        raise ReviewError(f"the body is nested deeper than {MAX_DEPTH} levels")
    if b"\\ud" in body or b"\\uD" in body:
        _check_surrogates(decoded)
    return _without_nul(decoded) if b"\\u0000" in body else decoded


def render(decision: Decision) -> bytes:
    """Write the AdmissionReview that answers a request.

    What is shown to people holds no control characters: they come from objects, would reach a terminal, and the API
    server drops a warning that has one. Source: Kubernetes ``apimachinery/pkg/util/net`` (``NewWarningHeader``).
    """
    response: dict[str, Any] = {"uid": decision.uid, "allowed": decision.allowed}
    if not decision.allowed:
        response["status"] = {
            "status": "Failure",
            "code": decision.code,
            "reason": decision.reason,
            "message": _CONTROL.sub(_REPLACEMENT, decision.message),
        }
    if decision.patch:
        response["patchType"] = "JSONPatch"
        response["patch"] = base64.b64encode(json.dumps(list(decision.patch), sort_keys=True).encode()).decode()
    if decision.warnings:
        response["warnings"] = [_CONTROL.sub(_REPLACEMENT, " ".join(one.split())) for one in decision.warnings]
    if decision.audit_annotations:
        response["auditAnnotations"] = dict(decision.audit_annotations)
    return json.dumps({"apiVersion": API_VERSION, "kind": "AdmissionReview", "response": response}).encode()


def _request(request: Mapping[str, Any]) -> AdmissionRequest:
    uid = text(request, "uid")
    if not uid:
        raise ReviewError("request.uid is missing", hint="without it no answer can be matched to the request")
    operation = _operation(text(request, "operation"))
    username = text(request, "userInfo", "username")
    if not username:
        raise ReviewError("request.userInfo.username is missing")
    new, old = _object_at(request, "object"), _object_at(request, "oldObject")
    if new is None and operation in (Operation.CREATE, Operation.UPDATE):
        raise ReviewError(f"request.object is missing or null on {operation}")
    if old is None and operation in (Operation.UPDATE, Operation.DELETE):
        raise ReviewError(f"request.oldObject is missing or null on {operation}")
    return AdmissionRequest(
        uid=uid,
        kind=_kind(request, "kind"),
        resource=_resource(request, "resource"),
        subresource=text(request, "subResource"),
        request_kind=_kind(request, "requestKind") if mapping(request, "requestKind") else None,
        request_resource=_resource(request, "requestResource") if mapping(request, "requestResource") else None,
        request_subresource=text(request, "requestSubResource"),
        name=text(request, "name"),
        namespace=text(request, "namespace"),
        operation=operation,
        user=_user(mapping(request, "userInfo")),
        object=new,
        old_object=old,
        options=value(request, "options"),
        dry_run=value(request, "dryRun") is True,
    )


def _operation(name: str) -> Operation:
    try:
        return Operation(name)
    except ValueError as error:
        allowed = ", ".join(Operation)
        raise ReviewError(f"request.operation is '{name[:40]}'", hint=f"one of {allowed}") from error


def _user(node: Mapping[str, Any]) -> UserInfo:
    extra = {key: tuple(strings(node, "extra", key)) for key in mapping(node, "extra")}
    return UserInfo(
        username=text(node, "username"), uid=text(node, "uid"), groups=tuple(strings(node, "groups")), extra=extra
    )


def _kind(request: Mapping[str, Any], field: str) -> GroupVersionKind:
    node = mapping(request, field)
    if not text(node, "kind"):
        raise ReviewError(f"request.{field} names no kind")
    return GroupVersionKind(text(node, "group"), text(node, "version"), text(node, "kind"))


def _resource(request: Mapping[str, Any], field: str) -> GroupVersionResource:
    node = mapping(request, field)
    if not text(node, "resource"):
        raise ReviewError(f"request.{field} names no resource")
    return GroupVersionResource(text(node, "group"), text(node, "version"), text(node, "resource"))


def _object_at(request: Mapping[str, Any], field: str) -> Object | None:
    """Return an object without managedFields, which are large, never judged, and costly to hand to CEL."""
    node = value(request, field)
    if node is None:
        return None
    if not isinstance(node, dict):
        raise ReviewError(f"request.{field} is not an object")
    metadata = node.get("metadata")
    if isinstance(metadata, dict):
        metadata.pop("managedFields", None)
    return node


def _object(pairs: list[tuple[str, JSON]]) -> dict[str, JSON]:
    try:
        return unique(pairs)
    except DuplicateKeyError as error:
        raise ReviewError(
            f"the body is not strict JSON: the key {error.key[:80]!r} stands twice in one object"
        ) from error


def _constant(name: str) -> Never:
    raise ReviewError(f"the body is not JSON: {name} is not a JSON number")


def _float(written: str) -> float:
    number = float(written)
    if math.isinf(number):
        raise ReviewError(f"the body is not usable JSON: the number {written[:40]} is out of range")
    return number


def _integer(written: str) -> int | float:
    """Read an integer that 64 bit cannot hold as a float, as the API server does; the CEL runtime takes no other.

    Source: Kubernetes ``apimachinery/pkg/util/json``.
    """
    if len(written) <= _INTEGER_DIGITS and (number := int(written)) in _INTEGERS:
        return number
    return _float(written)


def _without_nul(node: JSON) -> JSON:
    """Put U+FFFD for each NUL: the CEL runtime cuts a text there, so that one that only begins well would pass.

    Refusing the request instead would let a guest, whose words are in its VMI's status, stop that status.
    """
    if isinstance(node, str):
        return node.replace(_NUL, _REPLACEMENT)
    if isinstance(node, list):
        return [_without_nul(item) for item in node]
    if isinstance(node, dict):
        return _object([(_without_nul(key), _without_nul(item)) for key, item in node.items()])
    return node


def _deeper_than(node: JSON, levels: int) -> bool:
    """Walk without recursion, level by level."""
    current = [node]
    for _ in range(levels):
        current = [child for parent in current for child in _children(parent)]
        if not current:
            return False
    return True


def _children(node: JSON) -> list[JSON]:
    children = node.values() if isinstance(node, dict) else items({"": node}, "")
    return [child for child in children if isinstance(child, (dict, list))]


def _check_surrogates(decoded: JSON) -> None:
    try:
        json.dumps(decoded, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ReviewError("the body is not usable JSON: it holds half of a surrogate pair") from error
