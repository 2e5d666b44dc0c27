"""What migguard answers, with every reason: results of policies and the one decision made from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TypeAlias

from webhook.model.objects import JSON


class Action(StrEnum):
    """What a violation leads to: ValidatingAdmissionPolicy's ``validationActions``."""

    DENY = "Deny"
    WARN = "Warn"
    AUDIT = "Audit"


class FailurePolicy(StrEnum):
    """What an evaluation error or an unavailable fact leads to."""

    FAIL = "Fail"
    IGNORE = "Ignore"


class Result(StrEnum):
    """The outcome of one policy for one request, in PolicyReport's words.

    ``skip`` means that the policy matched but was not judged (an exemption); ``error`` that it could not be judged.
    """

    PASS = "pass"  # noqa: S105 - a result, not a password
    FAIL = "fail"
    ERROR = "error"
    SKIP = "skip"


PatchOperation: TypeAlias = Mapping[str, JSON]
"""One RFC 6902 operation: ``op``, ``path``, and ``value`` or ``from`` where the operation has them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Violation:
    """One validation that does not hold: the finished text, what to do, and what it leads to."""

    policy: str
    validation: int
    """Index in ``spec.validations``."""
    message: str
    remediation: str = ""
    field: str = ""
    """Path of the offending field in the object, such as ``spec.vmiName``."""
    reason: str = ""
    """Machine-readable reason of the API Status: Forbidden, Invalid, …"""
    actions: frozenset[Action]


@dataclass(frozen=True, slots=True, kw_only=True)
class Evaluation:
    """One policy, under one binding, judged for one request."""

    policy: str
    binding: str = ""
    result: Result
    violations: tuple[Violation, ...] = ()
    patch: tuple[PatchOperation, ...] = ()
    warnings: tuple[str, ...] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=dict)
    error: str = ""
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    actions: frozenset[Action] = frozenset({Action.DENY})
    exemption: str = ""
    facts_read: frozenset[str] = frozenset()
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Stage:
    """What was read while the object was as it came, or as one mutation left it."""

    facts: Mapping[str, JSON]
    unavailable: Mapping[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Decision:
    """The one answer to a request; the AdmissionReview response and the audit record are both made from it."""

    id: str
    uid: str
    allowed: bool
    code: int = 200
    reason: str = ""
    message: str = ""
    warnings: tuple[str, ...] = ()
    patch: tuple[PatchOperation, ...] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=dict)
    evaluations: tuple[Evaluation, ...] = ()
    facts: Mapping[str, JSON] = field(default_factory=dict)
    """Every fact that was read and its value."""
    unavailable: Mapping[str, str] = field(default_factory=dict)
    """Facts that were wanted and could not be had, with the reason."""
    stages: tuple[Stage, ...] = ()
    """Of ``facts`` and ``unavailable``, what was read of the object as it came, then after each change by a mutation: a
    fact about the object may differ."""
    questions: tuple[Mapping[str, JSON], ...] = ()
    """Authorization questions asked for this decision, with their answers."""
    origin: str = ""
    revision: str = ""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Time spent, by part: ``total`` always."""
