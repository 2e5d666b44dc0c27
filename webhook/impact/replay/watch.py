"""Watches a decision that is made from a record, for what the record does not hold.

The pipeline takes a field that was dropped for one that was never there. So what each policy reads is held against what
is on record, policy by policy, before its result is believed.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

from webhook.audit.pruning import DROPPED
from webhook.impact.replay.marks import dropped, hidden, marked
from webhook.impact.replay.record import Recorded, canonical
from webhook.impact.replay.world import reason_in
from webhook.model.decision import Action, Evaluation, FailurePolicy
from webhook.model.objects import JSON, text
from webhook.policy import fieldsread
from webhook.policy.cel import Activation, EvaluationError
from webhook.policy.compiled import CompiledMutation, CompiledPolicy
from webhook.policy.evaluate import Case, Observer
from webhook.policy.fieldsread import FieldsRead

_MUTATION = "mutation '"
"""How the error of an evaluation begins that is one of a mutation."""


class Reads:
    """Which fields the parts of a policy read that decide, not those that only say something."""

    __slots__ = ("conditions", "mutations", "validations")

    def __init__(self, conditions: FieldsRead, validations: FieldsRead, mutations: FieldsRead) -> None:
        self.conditions, self.validations, self.mutations = conditions, validations, mutations

    @classmethod
    def of(cls, policy: CompiledPolicy) -> Reads:
        """Those of a policy."""
        of = fieldsread.of_expressions
        return cls(
            of((one for _, one in policy.conditions), policy.for_conditions),
            of(fieldsread.judging(policy), policy.for_validations),
            of((one.expression for one in policy.mutations), policy.for_mutations),
        )


class Watch(Observer):
    """Notes of which policies it cannot be told what they find, as they read fields or facts that are not on record."""

    def __init__(self, given: Recorded, reads: Mapping[str, Reads]) -> None:
        self._given = given
        self._roots = given.roots
        self._reads = reads
        self.unknown: dict[tuple[str, str], str] = {}
        """Policy and binding, and why."""
        self.may_refuse: set[tuple[str, str]] = set()
        """Of these, those that would refuse if they found something."""
        self._lost: set[tuple[str, str]] = set()
        """Of these, those of which it cannot be told what they change."""

    def conditions(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:  # noqa: ARG002 - see Observer
        """See Observer."""
        self._look(policy, self._reads[policy.scope].conditions)

    def validations(self, policy: CompiledPolicy, values: Activation, case: Case) -> None:  # noqa: ARG002 - the same
        """See Observer."""
        self._look(policy, self._reads[policy.scope].validations)

    def mutation(
        self,
        policy: CompiledPolicy,
        mutation: CompiledMutation,
        values: Activation,
        case: Case,  # noqa: ARG002 - see Observer
    ) -> None:
        """See Observer."""
        if self._look(policy, self._reads[policy.scope].mutations):
            self._lost.add((policy.name, policy.binding_name))
        elif mutation.document.json_patch and (
            reason := self._beyond(_operations(mutation, values))
        ):  # a test may fail for it
            self._note(policy, reason)
            self._lost.add((policy.name, policy.binding_name))

    def _look(self, policy: CompiledPolicy, read: FieldsRead) -> bool:
        if not read.paths or not (field := hidden(self._roots, read)):
            return False
        self._note(policy, f"field {field} was not recorded")
        return True

    def look_at(self, evaluations: Iterable[Evaluation]) -> None:
        """Note those whose error or whose patch goes back to something that is not on record."""
        for one in evaluations:
            changing = mutates(one)
            if reason := reason_in(one.error) or (self._misplaced(one) if changing else ""):
                self.unknown.setdefault((one.policy, one.binding), reason)
                if changing:
                    self._lost.add((one.policy, one.binding))
                errs = not changing or one.failure_policy is FailurePolicy.FAIL
                if errs and Action.DENY in one.actions:
                    self.may_refuse.add((one.policy, one.binding))

    def look_beyond(self, policies: Iterable[CompiledPolicy]) -> None:
        """Note the mutations after one of which it cannot be told what it changes: they see what it made."""
        for policy in policies:
            key = (policy.name, policy.binding_name)
            if policy.mutations and self._lost and key > min(self._lost):
                self._note(policy, f"what policy {min(self._lost)[0]} changes before it cannot be told")

    def _note(self, policy: CompiledPolicy, reason: str) -> None:
        key = (policy.name, policy.binding_name)
        self.unknown.setdefault(key, reason)
        if Action.DENY in policy.actions:
            self.may_refuse.add(key)

    def _misplaced(self, evaluation: Evaluation) -> str:
        """Why a change cannot be told: it is at a place of which is not on record what was there."""
        recorded = self._roots["object"]
        if evaluation.error and DROPPED in canonical(recorded):
            return "whether its patch applies was not recorded"
        return self._beyond(evaluation.patch)

    def _beyond(self, operations: Iterable[Mapping[str, JSON]]) -> str:
        """Why it cannot be told what these operations do: of the place of one is not on record what was there."""
        for operation in operations:
            whole = operation.get("op") != "remove"  # what is removed may be anything
            for pointer in (text(operation, "path"), text(operation, "from")):
                if pointer and _hides(self._roots["object"], pointer, whole=whole):
                    return f"field object{pointer.replace('/', '.')} was not recorded"
        return ""


def _operations(mutation: CompiledMutation, values: Activation) -> Sequence[Mapping[str, JSON]]:
    """The operations that a JSON Patch would have, also where it comes to no change."""
    try:
        found = mutation.expression.evaluate(values)
    except EvaluationError:  # the evaluation says so
        return ()
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else ()


def _hides(node: JSON, pointer: str, *, whole: bool) -> bool:
    """Say whether a JSON pointer leads to or through something that was dropped; or, of the whole, if it holds that."""
    for step in pointer.split("/")[1:]:
        key = step.replace("~1", "/").replace("~0", "~")
        if isinstance(node, list):
            node = node[int(key)] if key.isdigit() and int(key) < len(node) else None
        elif isinstance(node, dict):
            if key not in node:
                return dropped(node, key)
            node = node[key]
    return whole and marked(node)


def mutates(evaluation: Evaluation) -> bool:
    """Say whether an evaluation is that of a mutation which changed the object, or failed to."""
    return bool(evaluation.patch) or evaluation.error.startswith(_MUTATION)
