"""From what the policies found to the one answer: allowed or not, and every word the user reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.admission.failure import is_person
from webhook.model.decision import Action, Decision, Evaluation, FailurePolicy, PatchOperation, Result, Violation
from webhook.model.objects import JSON
from webhook.model.request import AdmissionRequest

CODES: Mapping[str, int] = {
    "Unauthorized": 401,
    "Forbidden": 403,
    "Conflict": 409,
    "RequestEntityTooLarge": 413,
    "Invalid": 422,
    "ServiceUnavailable": 503,
}
"""HTTP code of each reason of a Status; Source: Kubernetes ``meta/v1`` StatusReason."""

MAX_ANNOTATION = 1024
"""Characters of one audit annotation; the API server writes all of them into one line of its audit log."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """All that one pass over a request found."""

    request: AdmissionRequest
    origin: str
    evaluations: tuple[Evaluation, ...]
    patch: tuple[PatchOperation, ...]
    facts: Mapping[str, JSON]
    unavailable: Mapping[str, str]
    questions: tuple[Mapping[str, JSON], ...]
    revision: str


@dataclass(frozen=True, slots=True)
class _Refusal:
    """One reason to refuse."""

    policy: str
    message: str
    remediation: str
    reason: str


def combine(judged: Judged, decision_id: str) -> Decision:
    """Make the decision: any Deny refuses; warnings, patch and audit annotations are gathered from all policies."""
    refusals = [refusal for evaluation in judged.evaluations for refusal in _refusals(evaluation, judged.origin)]
    reason = refusals[0].reason if refusals else ""
    return Decision(
        id=decision_id,
        uid=judged.request.uid,
        allowed=not refusals,
        code=CODES[reason] if refusals else 200,
        reason=reason,
        message=_message(judged.request, refusals, decision_id) if refusals else "",
        warnings=_warnings(judged),
        patch=() if refusals else judged.patch,
        audit_annotations=_annotations(judged, decision_id),
        evaluations=judged.evaluations,
        facts=judged.facts,
        unavailable=judged.unavailable,
        questions=judged.questions,
        origin=judged.origin,
        revision=judged.revision,
    )


def _refusals(evaluation: Evaluation, origin: str) -> list[_Refusal]:
    if Action.DENY not in evaluation.actions:
        return []
    if evaluation.result is Result.FAIL:
        return [
            _Refusal(one.policy, one.message, one.remediation, one.reason)
            for one in evaluation.violations
            if Action.DENY in one.actions
        ]
    if evaluation.result is Result.ERROR and evaluation.failure_policy is FailurePolicy.FAIL and is_person(origin):
        message = f"it could not be judged: {evaluation.error}"
        remediation = "try again; if it stays, show this to whoever runs migguard"
        return [_Refusal(evaluation.policy, message, remediation, "ServiceUnavailable")]
    return []


def _message(request: AdmissionRequest, refusals: list[_Refusal], decision_id: str) -> str:
    if len(refusals) == 1:
        only = refusals[0]
        return f"{request.subject} was refused by policy {only.policy}: {_sentences(only)}\n(decision {decision_id})"
    policies = len({refusal.policy for refusal in refusals})
    by = f"{policies} policies" if policies > 1 else f"policy {refusals[0].policy}, for {len(refusals)} reasons"
    lines = [f"{request.subject} was refused by {by}:"]
    lines += [f"- {refusal.policy}: {_sentences(refusal, indent='  ')}" for refusal in refusals]
    return "\n".join([*lines, f"(decision {decision_id})"])


def _sentences(refusal: _Refusal, indent: str = "") -> str:
    if not refusal.remediation:
        return refusal.message
    return f"{refusal.message}\n{indent}Next step: {refusal.remediation}"


def _warnings(judged: Judged) -> tuple[str, ...]:
    """What kubectl prints as ``Warning:``, once each, on one line each."""
    texts: list[str] = []
    for evaluation in judged.evaluations:
        if Action.WARN in evaluation.actions:
            texts += [_warning(violation) for violation in evaluation.violations]
            if evaluation.result is Result.ERROR and evaluation.failure_policy is FailurePolicy.FAIL:
                texts.append(f"policy {evaluation.policy} could not be judged: {evaluation.error}")
        texts += [f"policy {evaluation.policy}: {warning}" for warning in evaluation.warnings]
    return tuple(dict.fromkeys(" ".join(one.split()) for one in texts))


def _warning(violation: Violation) -> str:
    text = f"policy {violation.policy}: {violation.message}"
    return f"{text}. Next step: {violation.remediation}" if violation.remediation else text


def _annotations(judged: Judged, decision_id: str) -> dict[str, str]:
    """What the API server writes into its own audit log; it puts the webhook's name before each key."""
    annotations = {"decision-id": decision_id, "origin": judged.origin, "policy-set": judged.revision}
    for evaluation in judged.evaluations:
        annotations |= evaluation.audit_annotations
        if evaluation.exemption:
            annotations[f"exemption.{evaluation.policy}"] = evaluation.exemption
        if evaluation.result is Result.ERROR:
            annotations[f"error.{evaluation.policy}"] = evaluation.error
        if Action.AUDIT in evaluation.actions and evaluation.violations:
            annotations[f"violation.{evaluation.policy}"] = "; ".join(one.message for one in evaluation.violations)
    return {key: value[:MAX_ANNOTATION] for key, value in annotations.items()}
