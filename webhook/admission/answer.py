"""From what the policies found to the one answer: allowed or not, and every word the user reads."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.admission.failure import is_person
from webhook.admission.wording import Phrases
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


def combine(judged: Judged, decision_id: str, phrases: Phrases) -> Decision:
    """Make the decision: any Deny refuses; warnings, patch and audit annotations are gathered from all policies."""
    refusals = [one for evaluation in judged.evaluations for one in _refusals(evaluation, judged.origin, phrases)]
    reason = refusals[0].reason if refusals else ""
    return Decision(
        id=decision_id,
        uid=judged.request.uid,
        allowed=not refusals,
        code=CODES[reason] if refusals else 200,
        reason=reason,
        message=_message(str(judged.request.subject), refusals, decision_id, phrases) if refusals else "",
        warnings=_warnings(judged, phrases),
        patch=() if refusals else judged.patch,
        audit_annotations=_annotations(judged, decision_id),
        evaluations=judged.evaluations,
        facts=judged.facts,
        unavailable=judged.unavailable,
        questions=judged.questions,
        origin=judged.origin,
        revision=judged.revision,
    )


def _refusals(evaluation: Evaluation, origin: str, phrases: Phrases) -> list[_Refusal]:
    if Action.DENY not in evaluation.actions:
        return []
    if evaluation.result is Result.FAIL:
        return [
            _Refusal(one.policy, one.message, one.remediation, one.reason)
            for one in evaluation.violations
            if Action.DENY in one.actions
        ]
    if evaluation.result is Result.ERROR and evaluation.failure_policy is FailurePolicy.FAIL and is_person(origin):
        message = phrases.not_judged.format(why=evaluation.error)
        return [_Refusal(evaluation.policy, message, phrases.try_again, "ServiceUnavailable")]
    return []


def _message(subject: str, refusals: list[_Refusal], decision_id: str, phrases: Phrases) -> str:
    decision = phrases.decision.format(id=decision_id)
    if len(refusals) == 1:
        only = refusals[0]
        refused = phrases.refused.format(subject=subject, policy=only.policy)
        return f"{refused}{_sentences(only, phrases)}\n{decision}"
    policies = len({refusal.policy for refusal in refusals})
    refused = phrases.refused_by_many if policies > 1 else phrases.refused_for_reasons
    lines = [refused.format(subject=subject, policy=refusals[0].policy, policies=policies, reasons=len(refusals))]
    lines += [f"- {refusal.policy}: {_sentences(refusal, phrases, indent='  ')}" for refusal in refusals]
    return "\n".join([*lines, decision])


def _sentences(refusal: _Refusal, phrases: Phrases, indent: str = "") -> str:
    if not refusal.remediation:
        return refusal.message
    return f"{refusal.message}\n{indent}{phrases.next_step}{refusal.remediation}"


def _warnings(judged: Judged, phrases: Phrases) -> tuple[str, ...]:
    """What kubectl prints as ``Warning:``, once each, on one line each."""
    texts: list[str] = []
    for evaluation in judged.evaluations:
        policy = phrases.policy.format(policy=evaluation.policy)
        if Action.WARN in evaluation.actions:
            texts += [policy + _warning(violation, phrases) for violation in evaluation.violations]
            if evaluation.result is Result.ERROR and evaluation.failure_policy is FailurePolicy.FAIL:
                texts.append(phrases.policy_not_judged.format(policy=evaluation.policy, why=evaluation.error))
        texts += [policy + warning for warning in evaluation.warnings]
    return tuple(dict.fromkeys(" ".join(one.split()) for one in texts))


def _warning(violation: Violation, phrases: Phrases) -> str:
    if not violation.remediation:
        return violation.message
    ended = violation.message if violation.message.endswith(phrases.stop) else violation.message + phrases.stop
    return f"{ended}{phrases.space}{phrases.next_step}{violation.remediation}"


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
