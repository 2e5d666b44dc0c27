"""What a request came to in all phases together."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.model.decision import Decision, Evaluation, PatchOperation, Result
from webhook.model.objects import JSON, Object

_WORST_FIRST = (Result.FAIL, Result.ERROR, Result.PASS, Result.SKIP)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What the phases of one request came to, together."""

    decisions: tuple[Decision, ...]
    object: Object | None
    """After the patches of all phases."""

    @property
    def last(self) -> Decision:
        """The decision that counts: the refusal, or that of the last phase."""
        return self.decisions[-1]

    @property
    def patch(self) -> tuple[PatchOperation, ...]:
        """The operations of all phases."""
        return tuple(operation for decision in self.decisions for operation in decision.patch)

    @property
    def warnings(self) -> tuple[str, ...]:
        """The warnings of all phases, once each."""
        return tuple(dict.fromkeys(warning for decision in self.decisions for warning in decision.warnings))

    @property
    def audit_annotations(self) -> dict[str, str]:
        """The annotations of all phases; the later phase has the last word."""
        return {key: text for decision in self.decisions for key, text in decision.audit_annotations.items()}

    @property
    def evaluations(self) -> tuple[Evaluation, ...]:
        """The evaluations of all phases."""
        return tuple(evaluation for decision in self.decisions for evaluation in decision.evaluations)

    @property
    def origin(self) -> str:
        """The class of requests that this one counts among."""
        return self.last.origin

    @property
    def facts(self) -> dict[str, JSON]:
        """Every fact that was read in any phase; the later phase has the last word."""
        return {name: value for decision in self.decisions for name, value in decision.facts.items()}

    @property
    def unavailable(self) -> dict[str, str]:
        """Facts that were wanted and could not be had, with the reason."""
        return {name: reason for decision in self.decisions for name, reason in decision.unavailable.items()}

    @property
    def results(self) -> dict[str, str]:
        """What each policy that was judged or exempted came to: the worst of its evaluations."""
        found: dict[str, Result] = {}
        for one in self.evaluations:
            worst = min(found.get(one.policy, one.result), one.result, key=_WORST_FIRST.index)
            found[one.policy] = worst
        return {name: str(result) for name, result in found.items()}

    @property
    def exemptions(self) -> tuple[str, ...]:
        """Exemptions that let the request through, once each."""
        return tuple(dict.fromkeys(one.exemption for one in self.evaluations if one.exemption))
