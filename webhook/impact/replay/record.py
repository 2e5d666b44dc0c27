"""A recorded decision as it can be made again: its request, what was known then, and what came of it."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from webhook.admission.failure import is_person
from webhook.audit.pruning import ANY, DROPPED, ITEMS
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
from webhook.policy.fieldsread import FieldPath, FieldsRead

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
        if "object" not in self.request:
            raise UnusableError(TOO_OLD)
        if "undecided" in mapping(raw, "result", "response", "auditAnnotations"):
            raise UnusableError("it could not be judged when it was made (see its audit annotation 'undecided')")
        if any(path.partition(".")[0].partition("[")[0] in _PARTS for path in strings(raw, "truncated")):
            raise UnusableError(CUT)
        if any(_labels_cut(self.request.get(name)) for name in ("object", "oldObject")):
            raise UnusableError(CUT)
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
            object=without_marks(request.get("object")),
            old_object=without_marks(request.get("oldObject")),
            options=without_marks(request.get("options")),
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


def without_marks(node: JSON) -> JSON:
    """A recorded value without the names of what was dropped."""
    if isinstance(node, dict):
        return {key: without_marks(item) for key, item in node.items() if key != DROPPED}
    if isinstance(node, list):
        return [without_marks(item) for item in node]
    return node


def marked(node: JSON) -> bool:
    """Say whether anything was dropped from a recorded value."""
    if isinstance(node, dict):
        return DROPPED in node or any(map(marked, node.values()))
    return isinstance(node, list) and any(map(marked, node))


def hidden(roots: Mapping[str, JSON], read: FieldsRead) -> str:
    """The first field among those read that was there and is not on record; empty if all are."""
    for path in read.paths:
        if _hidden(roots.get(path[0]), path[1:], whole=path in read.whole):
            return ".".join(path).replace(f".{ITEMS}", ITEMS)
    return ""


def _hidden(node: JSON, path: FieldPath, *, whole: bool) -> bool:
    if not path:
        return whole and marked(node)
    step, *rest = path
    if isinstance(node, list):
        return any(_hidden(item, tuple(rest), whole=whole) for item in node) if step == ITEMS else marked(node)
    if not isinstance(node, dict):
        return False
    if step == ITEMS:
        return marked(node)
    if step in node:
        return _hidden(node[step], tuple(rest), whole=whole)
    return dropped(node, step)


def dropped(node: Mapping[str, Any], key: str) -> bool:
    """Say whether this field of a recorded mapping was there and is not on record."""
    names = node.get(DROPPED)
    return isinstance(names, list) and (key in names or ANY in names)


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
