"""Decides a recorded request again under a policy set, through the same pipeline as the webhook.

What cannot be told is kept apart policy by policy: a fact that is not on record makes those policies undetermined that
need its value, and the verdict only if it hangs on them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from webhook.admission.answer import Judged, combine
from webhook.admission.pipeline import World, decide
from webhook.admission.wording import phrases_of
from webhook.audit.record import record
from webhook.impact.replay.key import Keys
from webhook.impact.replay.record import (
    ALLOWED,
    DENIED,
    OPEN,
    Outcome,
    Recorded,
    canonical,
)
from webhook.impact.replay.watch import Reads, Watch
from webhook.impact.replay.world import NotRecorded, RecordedWorld, readable
from webhook.model.decision import Decision, Evaluation
from webhook.model.facts import Deadline
from webhook.model.objects import JSON, text
from webhook.model.request import AdmissionRequest
from webhook.offline.admit import SECONDS
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.policyset import PolicySet

_TIMER = "timer_evaluate_ns"
REMEMBERED = 200_000
"""Outcomes that are remembered."""


class Judge:
    """Decides records under one policy set; remembers outcomes by what they depend on. Used by one thread."""

    def __init__(self, policies: PolicySet, cluster: World | None = None) -> None:
        self.policies = policies
        self._recorded = RecordedWorld(policies, cluster)
        self._keys = Keys(self._recorded)
        self._reads = {policy.scope: Reads.of(policy) for policy in policies.policies}
        self._known: dict[bytes, _Finding] = {}

    def outcome(self, given: Recorded) -> Outcome:
        """Return what the record's decision would come to. Raises UnusableError."""
        scope = self._keys.scope(given)
        keys = {} if "truncated" in given.raw else {self._keys.key(one, given): one.policy for one in scope.parts}
        findings = [known for key in keys if (known := self._known.get(key)) is not None]
        new = {policy.scope: key for key, policy in keys.items() if key not in self._known}
        judging = [one.policy for one in scope.parts if not keys or one.policy.scope in new]
        if judging or scope.changing:
            findings += self._judge(given, sorted([*judging, *scope.changing], key=_place), new)
        return _outcome(findings)

    def _judge(
        self, given: Recorded, policies: Sequence[CompiledPolicy], keys: Mapping[str, bytes]
    ) -> Iterator[_Finding]:
        """Judge these policies alone, and remember what they find under these keys."""
        request, decision, watch = self._decide(given, policies)
        general = sorted(self._recorded.missed)
        if general:
            yield _Finding(unknown=tuple(("", reason) for reason in general), open=True, today=self._recorded.today)
        if decision is None:
            return
        certain = self._certain(decision, watch)
        for policy in policies:
            found = self._finding(policy, request, decision, certain, watch)
            if policy.scope in keys and not general and not found.today and len(self._known) < REMEMBERED:
                self._known[keys[policy.scope]] = found
            yield found

    def _finding(
        self,
        policy: CompiledPolicy,
        request: AdmissionRequest,
        decision: Decision,
        certain: Iterable[Evaluation],
        watch: Watch,
    ) -> _Finding:
        key = (policy.name, policy.binding_name)
        mine = [one for one in certain if (one.policy, one.binding) == key]
        alone = self._combined(request, decision, mine)
        return _Finding(
            refuses=policy.name if not alone.allowed else "",
            warns=policy.name if alone.warnings else "",
            results=tuple((one.policy, one.binding, one.result.value, one.exemption) for one in mine),
            patches=tuple((one.policy, canonical(list(one.patch))) for one in mine if one.patch),
            unknown=((policy.name, watch.unknown[key]),) if key in watch.unknown else (),
            open=key in watch.may_refuse,
            today=self._recorded.today,
        )

    def decision(self, given: Recorded) -> Decision:
        """Return the decision with all that is said, of those policies of which it can be told."""
        request, decision, watched = self._decide(given, self.policies.policies)
        if decision is None:
            return Decision(id="", uid=request.uid, allowed=True)
        return self._combined(request, decision, self._certain(decision, watched))

    def difference(self, given: Recorded) -> str:
        """Say where the decision differs from the one on record, word by word; empty if it does not."""
        request, decision, watched = self._decide(given, self.policies.policies)
        if decision is None or watched.unknown or self._recorded.missed:
            return "it cannot be made from what is on record"
        again = record(request, given.phase, decision, time=given.moment, replica="", cluster="")
        for name in ("result", "evaluations"):
            if _timeless(again[name]) != _timeless(given.raw.get(name)):
                return _first_difference(_timeless(given.raw.get(name)), _timeless(again[name]), name)
        return ""

    def _decide(
        self, given: Recorded, policies: Sequence[CompiledPolicy]
    ) -> tuple[AdmissionRequest, Decision | None, Watch]:
        request = given.admission_request()
        self._recorded.turn_to(given, request)
        watch = Watch(given, self._reads)
        try:
            decision = decide(
                request,
                given.phase,
                policies=replace(self._recorded.policies, policies=tuple(policies)),
                world=self._recorded.world,
                now=given.moment,
                deadline=Deadline.after(SECONDS),
                decision_id=text(given.raw, "decision_id"),
                observer=watch,
            )
        except NotRecorded as error:  # who asks cannot be told
            self._recorded.missed.add(error.reason)
            return request, None, watch
        watch.look_at(decision.evaluations)
        watch.look_beyond(policies)
        return request, decision, watch

    @staticmethod
    def _certain(decision: Decision, watch: Watch) -> list[Evaluation]:
        return [one for one in decision.evaluations if (one.policy, one.binding) not in watch.unknown]

    def _combined(self, request: AdmissionRequest, decision: Decision, evaluations: Iterable[Evaluation]) -> Decision:
        """The decision as these evaluations alone make it."""
        judged = Judged(
            request=request,
            origin=decision.origin,
            evaluations=tuple(evaluations),
            patch=decision.patch,
            facts=decision.facts,
            unavailable=decision.unavailable,
            questions=decision.questions,
            revision=decision.revision,
        )
        return combine(judged, decision.id, phrases_of(self.policies.parameters))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Finding:
    """What one policy, under one binding, comes to; or what cannot be told of any."""

    refuses: str = ""
    """Its name if it does; ``warns`` too."""
    warns: str = ""
    results: tuple[tuple[str, str, str, str], ...] = ()
    patches: tuple[tuple[str, str], ...] = ()
    unknown: tuple[tuple[str, str], ...] = ()
    open: bool = False
    """It might refuse."""
    today: bool = False


def _outcome(findings: Sequence[_Finding]) -> Outcome:
    refusing = sorted({one.refuses for one in findings if one.refuses})
    unknown = sorted({reason for one in findings for reason in one.unknown})
    verdict = DENIED if refusing else ALLOWED
    if any(not name for name, _ in unknown) or (not refusing and any(one.open for one in findings)):
        verdict = OPEN
    return Outcome(
        verdict=verdict,
        denied_by=tuple(refusing),
        warned_by=tuple(sorted({one.warns for one in findings if one.warns})),
        results=tuple(sorted((result for one in findings for result in one.results), key=lambda result: result[:2])),
        patches=tuple(sorted((patch for one in findings for patch in one.patches), key=lambda patch: patch[0])),
        unknown=tuple(unknown),
        today=any(one.today for one in findings),
    )


def _place(policy: CompiledPolicy) -> tuple[str, str]:
    """The order in which policies are judged."""
    return policy.name, policy.binding_name


def _timeless(node: JSON) -> JSON:
    """What is on record of an answer or of evaluations, without how long they took."""
    if isinstance(node, list):
        return [{key: item for key, item in one.items() if key != _TIMER} for one in node if isinstance(one, dict)]
    return node


def _first_difference(then: JSON, now: JSON, path: str) -> str:
    if isinstance(then, dict) and isinstance(now, dict):
        key = next(key for key in sorted({*then, *now}) if then.get(key) != now.get(key))
        return _first_difference(then.get(key), now.get(key), f"{path}.{key}")
    if isinstance(then, list) and isinstance(now, list) and len(then) == len(now):
        index = next(index for index, one in enumerate(then) if one != now[index])
        return _first_difference(then[index], now[index], f"{path}[{index}]")
    return f"{path}: on record {canonical(then)}, again {readable(canonical(now))}"


def message_of(decision: Decision) -> str:
    """What the user would have seen: the refusal, else the warnings."""
    return readable(decision.message or "\n".join(decision.warnings))
