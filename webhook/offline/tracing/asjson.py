"""A trace for machines: plain values for JSON or YAML."""

from __future__ import annotations

from typing import Any

from webhook.model.objects import JSON
from webhook.offline.tracing.steps import FactStep, PhaseTrace, PolicyTrace, Step, Trace


def as_json(trace: Trace, *, times: bool = False) -> dict[str, JSON]:
    """Return all of a trace; without ``times`` the same request always gives the same."""
    request, decision = trace.request, trace.decision
    shown: dict[str, JSON] = {
        "request": {
            "uid": request.uid,
            "operation": str(request.operation),
            "group": request.resource.group,
            "resource": request.resource.resource,
            "subresource": request.subresource,
            "namespace": request.namespace,
            "name": request.subject.name,
            "user": request.user.username,
            "groups": list(request.user.groups),
            "origin": decision.origin,
            "dryRun": request.dry_run,
        },
        "allowed": trace.allowed,
        "refusedBy": list(dict.fromkeys(one.name for one in trace.policies if one.decides)),
        "policySet": decision.revision,
        "phases": [_phase(one, times=times) for one in trace.phases],
    }
    return shown | ({"seconds": trace.seconds} if times else {})


def _phase(phase: PhaseTrace, *, times: bool) -> dict[str, JSON]:
    decision = phase.decision
    shown: dict[str, JSON] = {
        "phase": str(phase.phase),
        "allowed": decision.allowed,
        "code": decision.code,
        "reason": decision.reason,
        "message": decision.message,
        "warnings": list(decision.warnings),
        "patch": [dict(one) for one in decision.patch],
        "policies": [_policy(one, times=times) for one in phase.policies],
        "facts": [_fact(one) for one in phase.facts.values()],
        "questions": [dict(one) for one in decision.questions],
    }
    return shown | ({"seconds": dict(decision.seconds)} if times else {})


def _policy(policy: PolicyTrace, *, times: bool) -> dict[str, JSON]:
    shown: dict[str, JSON] = {
        "policy": policy.name,
        "binding": policy.binding,
        "where": policy.where,
        "title": policy.title,
        "severity": policy.severity,
        "matched": policy.matched,
        "leftOut": policy.left_out,
        "result": str(policy.result) if policy.result else "",
        "refuses": policy.decides,
        "actions": sorted(policy.actions),
        "failurePolicy": str(policy.failure_policy),
        "error": policy.error,
        "conditions": [_step(one) for one in policy.conditions],
        "variables": [_step(one) for one in policy.variables],
        "validations": [
            _step(one.step)
            | ({"message": told.message, "remediation": told.remediation, "field": told.field} if told else {})
            for one in policy.validations
            for told in [one.violation]
        ],
        "mutations": [
            _step(one.step) | {"patch": [dict(operation) for operation in one.patch], "warnings": list(one.warnings)}
            for one in policy.mutations
        ],
        "auditAnnotations": dict(policy.audit_annotations),
        "facts": list(policy.facts),
    }
    return shown | ({"seconds": policy.seconds} if times else {})


def _step(step: Step) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": step.name, "where": step.where, "expression": step.expression}
    return shown | ({"error": step.error} if step.error else {"value": step.value})


def _fact(fact: FactStep) -> dict[str, Any]:
    shown: dict[str, Any] = {"name": fact.name}
    shown |= {"unavailable": fact.unavailable} if fact.unavailable else {"value": fact.value}
    return shown | {
        "setBy": fact.set_by,
        "readFrom": [{"lookUp": one.text, "objects": list(one.objects), "count": one.count} for one in fact.sources],
        "asked": [dict(one) for one in fact.questions],
    }
