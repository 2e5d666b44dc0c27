"""How one request was judged, step by step: what the tools that explain a decision show."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.model.decision import Action, Decision, FailurePolicy, PatchOperation, Result, Violation
from webhook.model.objects import JSON
from webhook.model.request import AdmissionRequest, Phase


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One expression of a policy, and what came of it."""

    name: str
    """The condition's, variable's or mutation's name; of a validation ``validations[0]``."""
    where: str
    """``file:line:column``."""
    expression: str
    value: JSON = None
    error: str = ""
    """Why it has no value; empty if it has."""
    facts: frozenset[str] = frozenset()
    """What it reads, through variables too."""


@dataclass(frozen=True, slots=True)
class ValidationStep:
    """One validation; it holds if its value is True."""

    step: Step
    violation: Violation | None
    """What a person is told, if it does not hold."""


@dataclass(frozen=True, slots=True)
class MutationStep:
    """One mutation; the value of its step is what its expression gave."""

    step: Step
    patch: tuple[PatchOperation, ...] = ()
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """One look-up in the cluster that a fact was read from."""

    text: str
    """Such as ``PersistentVolumeClaim prod/db-data`` or ``2 virtualmachineinstancemigrations by vmi prod/db``."""
    objects: tuple[str, ...] = ()
    """What was found, the first few of many."""
    count: int = 0
    """How many were found."""


@dataclass(frozen=True, slots=True, kw_only=True)
class FactStep:
    """One fact that a policy read."""

    name: str
    summary: str
    value: JSON = None
    unavailable: str = ""
    """Why it has no value; empty if it has."""
    set_by: str = ""
    """What gives it this value, where that is known: a field of an object, a MigrationPolicy, a label."""
    sources: tuple[Source, ...] = ()
    """What of the cluster was looked at; none for a fact about the request alone."""
    questions: tuple[Mapping[str, JSON], ...] = ()
    """Permission questions that were asked for it, with their answers."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyTrace:
    """One policy, under one binding, in one phase."""

    name: str
    binding: str
    where: str
    title: str = ""
    severity: str = ""
    actions: frozenset[Action]
    failure_policy: FailurePolicy
    left_out: str = ""
    """Why it was not judged; empty if it was."""
    result: Result | None = None
    """None where it was not judged and no exemption is why."""
    decides: bool = False
    """It refuses the request."""
    error: str = ""
    conditions: tuple[Step, ...] = ()
    variables: tuple[Step, ...] = ()
    validations: tuple[ValidationStep, ...] = ()
    mutations: tuple[MutationStep, ...] = ()
    audit_annotations: Mapping[str, str] = field(default_factory=dict)
    facts: tuple[str, ...] = ()
    """Names of the facts that it reads."""
    seconds: float = 0.0

    @property
    def matched(self) -> bool:
        """Whether it concerns the request; an exempted one does."""
        return not self.left_out or self.result is Result.SKIP


@dataclass(frozen=True, slots=True, kw_only=True)
class PhaseTrace:
    """One of the two calls of the webhook."""

    phase: Phase
    request: AdmissionRequest
    """As the phase began."""
    decision: Decision
    policies: tuple[PolicyTrace, ...]
    """In order of name, then binding; all that have to do with this phase."""
    facts: Mapping[str, FactStep]
    """All that were read, by name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trace:
    """One request through the phases."""

    request: AdmissionRequest
    phases: tuple[PhaseTrace, ...]
    """Those that were reached."""

    @property
    def allowed(self) -> bool:
        """Whether all phases let it through."""
        return all(one.decision.allowed for one in self.phases)

    @property
    def decision(self) -> Decision:
        """The one that counts: the first refusal, or that of the last phase."""
        return next((one.decision for one in self.phases if not one.decision.allowed), self.phases[-1].decision)

    @property
    def policies(self) -> tuple[PolicyTrace, ...]:
        """Those of all phases."""
        return tuple(policy for one in self.phases for policy in one.policies)

    @property
    def seconds(self) -> float:
        """What all phases took."""
        return sum(one.decision.seconds.get("total", 0.0) for one in self.phases)
