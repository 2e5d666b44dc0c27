"""A recorded decision as it can be made again: its request, what was known then, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook.admission.failure import is_person
from webhook.audit.pruning import DROPPED
from webhook.impact.replay.marks import dropped, marked, restored
from webhook.model.objects import (
    JSON,
    GroupVersionKind,
    GroupVersionResource,
    items,
    mapping,
    mappings,
    strings,
    text,
    value,
)
from webhook.model.request import AdmissionRequest, Operation, Phase, UserInfo

ALLOWED, DENIED, OPEN = "allowed", "denied", "undetermined"
TOO_OLD = (
    "too old: written by a migguard that did not keep what a replay needs; replay what was written since its update"
)
CUT = "the record was cut to keep it bounded"
_PARTS = ("input", "evaluations", "stages", "unavailable", "questions")
"""What must be whole; single facts may have been cut."""


class UnusableError(Exception):
    """A record that cannot be replayed; says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What a decision came to, as far as it can be told."""

    verdict: str
    denied_by: tuple[str, ...] = ()
    """Policies."""
    warned_by: tuple[str, ...] = ()
    results: tuple[tuple[str, str, str, str], ...] = ()
    """Policy, binding, result and exemption of each evaluation."""
    patches: tuple[tuple[str, str], ...] = ()
    """Policy and what it changed, as JSON; of each that changed anything."""
    unknown: tuple[tuple[str, str], ...] = ()
    """Policies of which it cannot be told what they find, and why; an empty name stands for all."""
    today: bool = False
    """It rests on the state of the cluster that was given for the replay."""


class Recorded:
    """One audit record. Cheap to make: what is not asked for is not looked at."""

    __slots__ = ("_roots", "given", "parameters", "phase", "raw", "request")

    def __init__(self, raw: Mapping[str, Any]) -> None:
        """Take a record. Raises UnusableError where it cannot be replayed, and says why."""
        self.raw = raw
        self.given = mapping(raw, "input")
        self.request = mapping(raw, "input", "request")
        if reason := _why_not(raw, self.request):
            raise UnusableError(reason)
        try:
            self.phase = Phase(text(raw, "path"))
        except ValueError as error:
            raise UnusableError("the record names no phase") from error
        self.parameters: Mapping[str, str] = mapping(raw, "input", "parameters")
        self._roots: dict[str, JSON] = {}

    @property
    def time(self) -> str:
        """When it was decided, as written: RFC 3339 in UTC."""
        return text(self.raw, "timestamp")

    @property
    def user(self) -> str:
        """Who asked."""
        return text(self.raw, "requested_by")

    @property
    def namespace(self) -> str:
        """Of the request; empty for a cluster-scoped object."""
        return text(self.request, "namespace")

    @property
    def origin(self) -> str:
        """The class of requester."""
        return text(self.raw, "origin")

    @property
    def revision(self) -> str:
        """Of the policy set that decided."""
        return text(self.raw, "revision")

    @property
    def moment(self) -> datetime:
        """When it was decided. Raises UnusableError where that is not said."""
        try:
            found = datetime.fromisoformat(self.time)
        except ValueError as error:
            raise UnusableError("its timestamp cannot be read") from error
        if found.tzinfo is None:
            raise UnusableError("its timestamp says no time zone")
        return found

    @property
    def stages(self) -> Sequence[Mapping[str, Any]]:
        """Facts and unavailable ones, as read of the object as it came and as each mutation left it."""
        return mappings(self.raw, "stages") or (self.raw,)

    @property
    def roots(self) -> Mapping[str, JSON]:
        """The native variables as they are on record, with the names of what was dropped."""
        if self._roots:
            return self._roots
        request = self.request
        user = mapping(request, "userInfo")
        extra = {DROPPED: list(items(user, "extraKeys"))} if items(user, "extraKeys") else {}
        self._roots = {
            "object": request.get("object"),
            "oldObject": request.get("oldObject"),
            "request": {**request, "userInfo": {**user, "extra": extra}},
            "namespaceObject": self.given.get("namespaceObject"),
        }
        return self._roots

    def admission_request(self) -> AdmissionRequest:
        """The request, with what is on record of its objects. Raises UnusableError where it makes no sense."""
        request = self.request
        kind, resource = _kind(request.get("kind")), _resource(request.get("resource"))
        if kind is None or resource is None or text(request, "operation") not in set(Operation):
            raise UnusableError("the record has no kind, resource or operation")
        user = mapping(request, "userInfo")
        return AdmissionRequest(
            uid=text(request, "uid"),
            kind=kind,
            resource=resource,
            subresource=text(request, "subResource"),
            request_kind=_kind(request.get("requestKind")),
            request_resource=_resource(request.get("requestResource")),
            request_subresource=text(request, "requestSubResource"),
            name=text(self.given, "requestName") if "requestName" in self.given else text(request, "name"),
            namespace=text(request, "namespace"),
            operation=Operation(text(request, "operation")),
            user=UserInfo(
                username=text(user, "username"),
                uid=text(user, "uid"),
                groups=tuple(strings(user, "groups")),
                extra=dict.fromkeys(strings(user, "extraKeys"), ()),
            ),
            object=restored(request.get("object")),
            old_object=restored(request.get("oldObject")),
            options=restored(request.get("options")),
            dry_run=request.get("dryRun") is True,
        )

    def outcome(self) -> Outcome:
        """What came of it then."""
        response = mapping(self.raw, "result", "response")
        evaluations = mappings(self.raw, "evaluations")
        person = is_person(self.origin)
        return Outcome(
            verdict=ALLOWED if response.get("allowed") is True else DENIED,
            denied_by=_named(one for one in evaluations if _denies(one, person=person)),
            warned_by=_named(one for one in evaluations if _warns(one)),
            results=tuple(
                (text(one, "policy"), text(one, "binding"), text(one, "result"), text(one, "exemption"))
                for one in evaluations
            ),
            patches=tuple((text(one, "policy"), canonical(one["patch"])) for one in evaluations if one.get("patch")),
        )


def canonical(node: JSON) -> str:
    """One text for equal JSON."""
    return json.dumps(node, sort_keys=True)


def _why_not(raw: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Say why a record cannot be replayed; empty if it can."""
    if "object" not in request:
        return TOO_OLD
    if "undecided" in mapping(raw, "result", "response", "auditAnnotations"):
        return "it could not be judged when it was made (see its audit annotation 'undecided')"
    if any(path.partition(".")[0].partition("[")[0] in _PARTS for path in strings(raw, "truncated")):
        return CUT
    if malformed := _malformed(raw, request):
        return f"not as migguard writes it: {malformed}"
    return CUT if any(_labels_cut(request.get(name)) for name in ("object", "oldObject")) else ""


def _malformed(raw: Mapping[str, Any], request: Mapping[str, Any]) -> str:
    """Say what of a record is not of its shape, of all that is not read as absent where it has another."""
    for name in ("object", "oldObject", "options"):
        if not isinstance(request.get(name), dict | None):
            return f"input.request.{name} is no object"
    if not all(isinstance(one, str) for one in mapping(raw, "input", "parameters").values()):
        return "input.parameters holds what is no digest"
    if not all(_is_patch(one.get("patch")) for one in mappings(raw, "evaluations")):
        return "evaluations holds a patch that is none"
    return ""


def _is_patch(node: JSON) -> bool:
    """Say whether this may stand for the operations of a JSON Patch: null, or each with what all operations have."""
    return node is None or (isinstance(node, list) and all(map(_is_operation, node)))


def _is_operation(node: JSON) -> bool:
    return (
        isinstance(node, dict)
        and all(isinstance(node.get(key), str) for key in ("op", "path"))
        and isinstance(node.get("from", ""), str)
    )


def _labels_cut(node: JSON) -> bool:
    """Say whether labels of an object may be missing, by which policies and exemptions select."""
    if not isinstance(node, dict):
        return False
    metadata = node.get("metadata")
    if not isinstance(metadata, dict):
        return dropped(node, "metadata")
    return dropped(metadata, "labels") or marked(metadata.get("labels"))


def _named(evaluations: Iterable[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(text(one, "policy") for one in evaluations))


def _errs(evaluation: Mapping[str, Any]) -> bool:
    return evaluation.get("result") == "error" and evaluation.get("failurePolicy") == "Fail"


def _denies(evaluation: Mapping[str, Any], *, person: bool) -> bool:
    if "Deny" not in items(evaluation, "validationActions"):
        return False
    if evaluation.get("result") == "fail":
        return any("Deny" in items(one, "validationActions") for one in mappings(evaluation, "violations"))
    return person and _errs(evaluation)


def _warns(evaluation: Mapping[str, Any]) -> bool:
    found = bool(items(evaluation, "violations")) or _errs(evaluation)
    return bool(items(evaluation, "warnings")) or (found and "Warn" in items(evaluation, "validationActions"))


def _kind(node: JSON) -> GroupVersionKind | None:
    if not isinstance(node, dict):
        return None
    return GroupVersionKind(text(node, "group"), text(node, "version"), text(node, "kind"))


def _resource(node: JSON) -> GroupVersionResource | None:
    if not isinstance(node, dict):
        return None
    return GroupVersionResource(text(node, "group"), text(node, "version"), text(node, "resource"))


def is_record(node: JSON) -> bool:
    """Say whether a JSON value is an audit record of migguard at all."""
    return isinstance(value(node, "input", "request"), dict) and isinstance(value(node, "result", "response"), dict)
