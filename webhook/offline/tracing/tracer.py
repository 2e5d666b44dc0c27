"""Notes how policies are judged while the pipeline judges them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from webhook.model.request import AdmissionRequest
from webhook.policy.cel import Activation
from webhook.policy.compiled import CompiledMutation, CompiledPolicy, Needs
from webhook.policy.evaluate import Case, Observer


@dataclass(frozen=True, slots=True)
class Seen:
    """The values that some expressions of a policy were judged with."""

    values: Activation
    case: Case


@dataclass(slots=True)
class Notes:
    """What was seen of one policy in one phase."""

    policy: CompiledPolicy
    left_out: str = ""
    conditions: Seen | None = None
    validations: Seen | None = None
    mutations: dict[str, tuple[CompiledMutation, Seen]] = field(default_factory=dict)

    @property
    def used(self) -> Iterator[tuple[Needs, Seen]]:
        """What its expressions need, and the values that they were judged with."""
        if self.conditions is not None:
            yield self.policy.for_conditions, self.conditions
        if self.validations is not None:
            yield self.policy.for_validations, self.validations
        for _, seen in self.mutations.values():
            yield self.policy.for_mutations, seen


class Tracer(Observer):
    """Notes how policies are judged in one phase.

    A refusal may be judged a second time, see :func:`webhook.admission.pipeline.decide`; what is seen last counts.
    """

    def __init__(self) -> None:
        self._notes: dict[tuple[str, str], Notes] = {}

    def notes(self, policy: CompiledPolicy) -> Notes | None:
        """Return what was seen of a policy; None if nothing was."""
        return self._notes.get((policy.name, policy.binding_name))

    def _of(self, policy: CompiledPolicy) -> Notes:
        return self._notes.setdefault((policy.name, policy.binding_name), Notes(policy))

    def left_out(self, policy: CompiledPolicy, why: str) -> None:
        """See Observer."""
        notes = self._of(policy)
        notes.left_out, notes.validations = why, None

    def conditions(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:
        """See Observer."""
        notes = self._of(policy)
        notes.left_out, notes.conditions, notes.validations = "", Seen(values, case), None

    def validations(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:
        """See Observer."""
        notes = self._of(policy)
        notes.left_out, notes.validations = "", Seen(values, case)

    def mutation(self, policy: CompiledPolicy, mutation: CompiledMutation, values: Activation, case: Case) -> None:
        """See Observer."""
        notes = self._of(policy)
        notes.left_out = ""
        notes.mutations[mutation.document.name] = mutation, Seen(values, case)

    @property
    def requests(self) -> Mapping[str, AdmissionRequest]:
        """The request, as changed so far, that each fact was last read for."""
        found: dict[str, AdmissionRequest] = {}
        for notes in self._notes.values():
            for needs, seen in notes.used:
                found.update(dict.fromkeys(needs.facts, seen.case.subject.request))
        return found
