"""The result of a replay, ready to be shown: totals, and per policy who is concerned, with an example of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from webhook.admission.wording import phrases_of
from webhook.impact.replay.judge import Judge, message_of
from webhook.impact.replay.record import Recorded
from webhook.impact.replay.run import Setup
from webhook.impact.replay.tally import Change, Place, Row, Tally, by_policy
from webhook.model.decision import Decision
from webhook.model.objects import ObjectRef, mappings, strings, text
from webhook.policy.policyset import PolicySet

RECORDED = "what was decided then"


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One decision that changes."""

    place: str
    """``file:line``."""
    decision: str
    time: str
    phase: str
    request: str
    """What was asked for, such as ``CREATE VirtualMachineInstanceMigration prod/move-1``."""
    message: str
    """What the user would read now; where nothing is said any more, what was said then."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """A user in a namespace whose decisions change."""

    user: str
    namespace: str
    decisions: int
    first: str
    last: str
    example: Example


@dataclass(frozen=True, slots=True, kw_only=True)
class Group:
    """What changes by one policy."""

    change: Change
    policy: str
    decisions: int
    users: int
    namespaces: int
    first: str
    last: str
    concerned: tuple[Concerned, ...]
    """Those with the most decisions."""
    left_out: int
    """More of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ReplayReport:
    """All that is shown."""

    revision: str
    against: str
    """A revision, or :data:`RECORDED`."""
    cluster: bool
    tally: Tally = field(repr=False)
    groups: tuple[Group, ...]


def report(tally: Tally, setup: Setup, *, limit: int) -> ReplayReport:
    """Make the report; of each group ``limit`` users and namespaces are named (0: all)."""
    speaking = _Speaking(setup)
    return ReplayReport(
        revision=setup.candidate.revision,
        against=setup.baseline.revision if setup.baseline else RECORDED,
        cluster=setup.cluster is not None,
        tally=tally,
        groups=tuple(
            _group(change, policy, rows, limit, speaking)
            for (change, policy), rows in by_policy(tally.rows.items()).items()
        ),
    )


def _group(change: Change, policy: str, rows: Sequence[tuple[Place, Row]], limit: int, speaking: _Speaking) -> Group:
    named = rows[: limit or None]
    return Group(
        change=change,
        policy=policy,
        decisions=sum(row.decisions for _, row in rows),
        users=len({place.user for place, _ in rows}),
        namespaces=len({place.namespace for place, _ in rows}),
        first=min(row.first for _, row in rows),
        last=max(row.last for _, row in rows),
        concerned=tuple(
            Concerned(
                user=place.user,
                namespace=place.namespace,
                decisions=row.decisions,
                first=row.first,
                last=row.last,
                example=speaking.example(place, row),
            )
            for place, row in named
        ),
        left_out=len(rows) - len(named),
    )


class _Speaking:
    """Works out what is said in the decisions that are shown, and only in those."""

    def __init__(self, setup: Setup) -> None:
        self._candidate = Judge(setup.candidate, setup.cluster)
        self._baseline = Judge(setup.baseline, setup.cluster) if setup.baseline else None
        self._policies = setup.candidate

    def example(self, place: Place, row: Row) -> Example:
        given = Recorded(json.loads(row.record))
        request = given.request
        kind, subresource = text(request, "kind", "kind"), text(request, "subResource")
        subject = ObjectRef(f"{kind}/{subresource}" if subresource else kind, given.namespace, text(request, "name"))
        return Example(
            place=row.place,
            decision=text(given.raw, "decision_id"),
            time=given.time,
            phase=given.phase.value,
            request=f"{text(request, 'operation')} {subject}",
            message=self._message(place, given),
        )

    def _message(self, place: Place, given: Recorded) -> str:
        if place.change is Change.PATCHED:
            before, after = self._before_patch(place.policy, given), self._candidate.decision(given)
            return f"was {before}, would be {_patch(after, place.policy)}"
        if place.change in {Change.LET_THROUGH, Change.UNWARNED}:
            return self._then(place, given)
        decision = self._candidate.decision(given)
        if place.change is Change.REFUSED:
            return message_of(decision)
        return _warnings(decision.warnings, place.policy, self._policies)

    def _then(self, place: Place, given: Recorded) -> str:
        """What was said then, or by the policies that are compared with."""
        if self._baseline:
            decision = self._baseline.decision(given)
            message, warnings = message_of(decision), decision.warnings
        else:
            message = text(given.raw, "result", "response", "status", "message")
            warnings = tuple(_recorded_warnings(place.policy, given))
        return message if place.change is Change.LET_THROUGH else _warnings(warnings, place.policy, self._policies)

    def _before_patch(self, policy: str, given: Recorded) -> str:
        if self._baseline:
            return _patch(self._baseline.decision(given), policy)
        evaluations = [one for one in mappings(given.raw, "evaluations") if text(one, "policy") == policy]
        return _operations([operation for one in evaluations for operation in mappings(one, "patch")])


def _recorded_warnings(policy: str, given: Recorded) -> Iterator[str]:
    for one in mappings(given.raw, "evaluations"):
        if text(one, "policy") == policy:
            yield from (text(violation, "message") for violation in mappings(one, "violations"))
            yield from strings(one, "warnings")
            yield from filter(None, [text(one, "error")])


def _patch(decision: Decision, policy: str) -> str:
    return _operations([operation for one in decision.evaluations if one.policy == policy for operation in one.patch])


def _operations(operations: Sequence[object]) -> str:
    return json.dumps(list(operations), sort_keys=True, ensure_ascii=False) if operations else "none"


def _warnings(warnings: Sequence[str], policy: str, policies: PolicySet) -> str:
    """The warnings of one policy; all where it cannot be told whose they are, as in another language."""
    beginning = phrases_of(policies.parameters).policy.format(policy=policy)
    return "\n".join([one for one in warnings if one.startswith(beginning)] or warnings)
