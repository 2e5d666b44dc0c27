"""Policies as the rules of a report."""

from __future__ import annotations

from collections.abc import Iterable

from webhook.model.decision import Action
from webhook.output.finding import Level, Rule
from webhook.policy.document import GuardPolicy

SEVERITIES = ("critical", "high", "medium", "low", "info")
"""Worst first. Source: PolicyReport ``ResultSeverity`` (openreports/reports-api)."""


def rule_of(policy: GuardPolicy) -> Rule:
    """Return what a policy says of itself."""

    def said(name: str) -> str:
        return " ".join(policy.annotations.get(f"migguard.io/{name}", "").split())

    severity = said("severity")
    return Rule(
        name=policy.name,
        title=said("title"),
        description=said("description"),
        severity=severity if severity in SEVERITIES else "",
        category=said("category"),
        reference=said("reference"),
    )


def rules_of(policies: Iterable[GuardPolicy]) -> tuple[Rule, ...]:
    """Return the rules of policies, each once, by name."""
    found = {policy.name: rule_of(policy) for policy in policies}
    return tuple(found[name] for name in sorted(found))


def level_of(actions: Iterable[Action]) -> Level:
    """Return how much a violation counts that leads to these actions."""
    taken = frozenset(actions)
    if Action.DENY in taken:
        return Level.ERROR
    return Level.WARNING if Action.WARN in taken else Level.NOTE
