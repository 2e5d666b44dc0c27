"""The audit record of one decision, as plain JSON.

Names are OPA's decision log's where it has one, and AdmissionReview's below ``input.request`` and ``result.response``:

======================  =======================================================================================
``decision_id``         OPA; also in the API server's audit annotations
``timestamp``           OPA; when it was decided, RFC 3339, UTC
``labels``              OPA; ``id`` (replica), ``version`` (migguard's), ``cluster``
``path``                OPA; the phase: ``validate`` or ``mutate``
``revision``            OPA; the policy set's content digest
``requested_by``        OPA; the authenticated user name
``input.request``       AdmissionReview: uid, operation, kind, resource, subResource, namespace, name, dryRun, userInfo;
                        object, oldObject and options, pruned
``input.…``             ours; namespaceObject (name and labels) and parameters (digests of what facts depend on)
``result.response``     AdmissionReview: allowed, status, warnings, patch (as JSON), auditAnnotations
``metrics``             OPA; parts of the time spent: ``timer_NAME_ns``
``origin``              ours; the class of requester (User, Drain, …)
``evaluations``         ours; each policy that matched: result, violations, exemption, error, time
``facts``               ours; facts that were read and their values
``unavailable``         ours; facts that were wanted and could not be had, with the reason
``stages``              ours; facts and unavailable once more, of the object as it came and as each mutation left it;
                        absent where only the former was asked about
``questions``           ours; authorization questions asked, with answers
``truncated``           ours; paths of what was cut to keep the record bounded; absent if nothing was
======================  =======================================================================================

Of objects only those fields are kept that a decision may be made by, see :mod:`webhook.audit.basis`: those that the
policies in force read, and of kinds that matter to migrations the settings. Where others were, the key ``…`` lists
their names. Never kept are managedFields, the data of cloud-init and Ignition, hook sidecars, arguments of kernels,
texts with a URL that holds user information, what Secrets and ConfigMaps hold, and the copy of the object that
``kubectl apply`` leaves. Of ``userInfo.extra`` only the keys are kept, as authenticators put tokens' contents there.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from webhook import __version__
from webhook.audit.basis import Basis
from webhook.audit.pruning import DROPPED
from webhook.model.decision import Decision, Evaluation, Stage, Violation
from webhook.model.objects import JSON, GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Phase

MAX_TEXT = 4096
"""Characters of one string: enough for a refusal's whole message; stops a user from filling the disk with a name."""
MAX_ITEMS = 100
"""Entries of one list or mapping."""
MAX_VALUES = 4000
"""Values in one record, about 200 kB at the usual lengths."""
MAX_CHARACTERS = 256 * 1024
"""Characters of all strings of a record together."""
MAX_DEPTH = 12
"""Nesting; a fact's value may hold some JSON of its own."""

EXTRA = "requester.extra"
"""The fact whose values are not kept."""


def record(  # noqa: PLR0913 - all that is put on record is an argument
    request: AdmissionRequest,
    phase: Phase,
    decision: Decision,
    *,
    time: datetime,
    replica: str,
    cluster: str,
    basis: Basis | None = None,
) -> dict[str, JSON]:
    """Return the record of a decision: plain JSON of bounded size.

    With its ``basis`` the decision can be made again.
    """
    labels = {"id": replica, "version": __version__} | ({"cluster": cluster} if cluster else {})
    cut = _Cut()
    written: dict[str, JSON] = cut.plain(
        {
            "decision_id": decision.id,
            "timestamp": time,
            "labels": labels,
            "path": phase.value,
            "revision": decision.revision,
            "requested_by": request.user.username,
            "origin": decision.origin,
            "input": _input(request, basis),
            "result": {"response": _response(decision)},
            "metrics": {f"timer_{part}_ns": round(seconds * 1e9) for part, seconds in decision.seconds.items()},
            "evaluations": [_evaluation(evaluation) for evaluation in decision.evaluations],
            "unavailable": decision.unavailable,
            "questions": decision.questions,
            "facts": _facts(decision.facts),
            **_stages(decision.stages),
        }
    )
    if cut.paths:
        written["truncated"] = cut.paths
    return written


def _input(request: AdmissionRequest, basis: Basis | None) -> dict[str, Any]:
    if basis is None:
        return {"request": _request(request)}
    whole = _request(request) | {"object": basis.object, "oldObject": basis.old_object, "options": basis.options}
    told = {"namespaceUnavailable": basis.namespace_unavailable} if basis.namespace_unavailable else {}
    named = {"requestName": request.name} if request.name != request.subject.name else {}
    return {
        "request": whole,
        "namespaceObject": basis.namespace,
        "parameters": basis.parameters,
        **told,
        **named,
    }


def _facts(facts: Mapping[str, JSON]) -> Mapping[str, JSON]:
    if not facts.get(EXTRA):
        return facts
    return {**facts, EXTRA: {DROPPED: sorted(facts[EXTRA])}}


def _stages(stages: Sequence[Stage]) -> dict[str, Any]:
    if not any(stage.facts or stage.unavailable for stage in stages[1:]):
        return {}
    return {"stages": [{"facts": _facts(stage.facts), "unavailable": stage.unavailable} for stage in stages]}


def _request(request: AdmissionRequest) -> dict[str, Any]:
    user = request.user
    return {
        "uid": request.uid,
        "operation": request.operation.value,
        "kind": _kind(request.kind),
        "resource": _resource(request.resource),
        "subResource": request.subresource,
        "requestKind": _kind(request.request_kind),
        "requestResource": _resource(request.request_resource),
        "requestSubResource": request.request_subresource,
        "namespace": request.namespace,
        "name": request.subject.name,
        "dryRun": request.dry_run,
        "userInfo": {
            "username": user.username,
            "uid": user.uid,
            "groups": user.groups,
            "extraKeys": sorted(user.extra),
        },
    }


def _kind(kind: GroupVersionKind | None) -> dict[str, str] | None:
    return None if kind is None else {"group": kind.group, "version": kind.version, "kind": kind.kind}


def _resource(resource: GroupVersionResource | None) -> dict[str, str] | None:
    if resource is None:
        return None
    return {"group": resource.group, "version": resource.version, "resource": resource.resource}


def _response(decision: Decision) -> dict[str, Any]:
    return {
        "allowed": decision.allowed,
        "status": {"code": decision.code, "reason": decision.reason, "message": decision.message},
        "warnings": decision.warnings,
        "patch": decision.patch,
        "auditAnnotations": decision.audit_annotations,
    }


def _evaluation(evaluation: Evaluation) -> dict[str, Any]:
    return {
        "policy": evaluation.policy,
        "binding": evaluation.binding,
        "result": evaluation.result.value,
        "validationActions": sorted(action.value for action in evaluation.actions),
        "violations": [_violation(violation) for violation in evaluation.violations],
        "patch": evaluation.patch,
        "warnings": evaluation.warnings,
        "error": evaluation.error,
        "failurePolicy": evaluation.failure_policy.value,
        "exemption": evaluation.exemption,
        "facts": sorted(evaluation.facts_read),
        "timer_evaluate_ns": round(evaluation.seconds * 1e9),
    }


def _violation(violation: Violation) -> dict[str, Any]:
    return {
        "validation": violation.validation,
        "message": violation.message,
        "field": violation.field,
        "reason": violation.reason,
        "validationActions": sorted(action.value for action in violation.actions),
    }


@dataclass(slots=True)
class _Cut:
    """Turns anything into plain JSON, and keeps it bounded: says what was cut, and where.

    Runs for every decision over a few hundred values, hence the exact types first and no path until one is needed.
    """

    paths: list[str] = field(default_factory=list)
    values: int = 0
    characters: int = 0
    _here: list[str | int] = field(default_factory=list)
    """Keys and list indexes that lead to the value at hand."""

    def plain(self, node: Any) -> JSON:
        self.values += 1
        kind = type(node)
        if kind is str:
            return self.text(node)
        if node is None or kind is bool:
            return node
        if isinstance(node, int):
            return node if abs(node) < 1 << 64 else self.text(str(node))
        if isinstance(node, float):
            return node if math.isfinite(node) else str(node)
        if isinstance(node, Mapping | list | tuple | set | frozenset):
            return self.inside(node)
        return self.text(_written(node))

    def text(self, node: str) -> str:
        room = min(MAX_TEXT, max(0, MAX_CHARACTERS - self.characters))
        size = len(node)
        self.characters += min(size, room)
        return node if size <= room else self.mark(node[:room] + "…")

    def inside(self, node: Any) -> JSON:
        if len(self._here) >= MAX_DEPTH:
            return self.mark("…")
        return self.mapping(node) if isinstance(node, Mapping) else self.items(node)

    def mapping(self, node: Mapping[Any, Any]) -> dict[str, JSON]:
        kept: dict[str, JSON] = {}
        for key, value in node.items():
            if len(kept) >= MAX_ITEMS or self.values >= MAX_VALUES:
                self.mark(None)
                break
            self._here.append("*")
            name = self._here[-1] = self.text(str(key))
            kept[name] = self.plain(value)
            self._here.pop()
        return kept

    def items(self, node: Any) -> list[JSON]:
        kept: list[JSON] = []
        for value in node if isinstance(node, list | tuple) else sorted(node, key=str):
            if len(kept) >= MAX_ITEMS or self.values >= MAX_VALUES:
                self.mark(None)
                break
            self._here.append(len(kept))
            kept.append(self.plain(value))
            self._here.pop()
        return kept

    def mark(self, kept: Any) -> Any:
        """Note that the value at hand was cut, and return what is left of it."""
        if len(self.paths) < MAX_ITEMS:
            steps = (f"[{step}]" if isinstance(step, int) else f".{step}" for step in self._here)
            self.paths.append("".join(steps).removeprefix(".")[:MAX_TEXT])
        return kept


def _written(node: object) -> str:
    if isinstance(node, datetime):
        return node.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
    return str(node)
