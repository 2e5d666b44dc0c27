"""What is answered when we cannot decide: people are refused and told why, system components pass and are recorded."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from webhook.admission import natives
from webhook.admission.wording import phrases_of
from webhook.errors import FactUnavailable
from webhook.kubevirt.requester import PEOPLE, Origin, classify
from webhook.model.decision import Action, Decision, FailurePolicy
from webhook.model.facts import Deadline, FactContext, WatchedResource
from webhook.model.objects import Object
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.evaluate import Case, applicable
from webhook.policy.match import Subject
from webhook.policy.policyset import PolicySet

log = logging.getLogger(__name__)

_SECONDS = 1.0
"""For what the request alone tells; the time of the request itself may be used up."""


def is_person(origin: str) -> bool:
    """Say whether a request of this origin is refused when it cannot be judged. An unknown one counts as a person."""
    return origin in PEOPLE or origin not in set(Origin)


@dataclass(frozen=True, slots=True)
class _Unknown:
    """A cluster of which nothing is known, and an authorizer that knows nobody."""

    why: str

    def _fail(self, *_: object, **__: object) -> Any:
        raise FactUnavailable(self.why)

    get = select = list = allows = _fail

    def last_known(self, watched: WatchedResource) -> Sequence[Object]:  # noqa: ARG002 - see ClusterView
        """See ClusterView."""
        return ()


def could_refuse(
    policies: PolicySet, request: AdmissionRequest, origin: str, why: str, parameters: Mapping[str, Any]
) -> bool:
    """Say whether a policy refuses such a request where nothing is known but the request itself.

    A match condition that the request alone answers counts: an edit that leaves labels alone is none of the business of
    a policy about labels.
    """
    unknown = _Unknown(why)
    context = FactContext(
        request=request,
        view=unknown,
        authorizer=unknown,
        parameters=parameters,
        now=datetime.now(UTC),
        deadline=Deadline.after(_SECONDS),
    )

    judging = [
        policy
        for policy in policies.policies
        if Action.DENY in policy.actions and policy.document.failure_policy is FailurePolicy.FAIL
    ]
    case = Case(
        Subject(request, origin, lambda: natives.namespace(context)),
        natives.variables(request),
        lambda names: natives.resolve(context, policies.catalog, names),
    )
    try:
        applied, failed = applicable(judging, case)
    except Exception:
        log.exception("internal error while asking which policies guard a request")
        return True
    return bool(applied or failed)


def undecided(
    request: AdmissionRequest,
    phase: Phase,
    why: str,
    *,
    decision_id: str,
    parameters: Mapping[str, Any],
    policies: PolicySet,
) -> Decision:
    """Return the decision for a request that could not be judged at all, because of ``why``.

    What no policy would refuse for that reason passes: a full disk stops neither an eviction nor the role binding that
    mends migguard itself. ``parameters`` are those of the policy set with the namespaces where KubeVirt is, see
    ``requester.located``.
    """
    origin = classify(request.user, parameters, request)
    refused = is_person(origin) and could_refuse(policies, request, origin, why, parameters)
    phrases = phrases_of(parameters)
    told = phrases.undecided.format(subject=request.subject, why=why)
    step = f"{phrases.next_step}{phrases.try_again}{phrases.stop}"
    message = f"{told}\n{step}\n{phrases.decision.format(id=decision_id)}"
    return Decision(
        id=decision_id,
        uid=request.uid,
        allowed=not refused,
        code=503 if refused else 200,
        reason="ServiceUnavailable" if refused else "",
        message=message if refused else "",
        audit_annotations={"decision-id": decision_id, "origin": origin, "undecided": f"{phase}: {why}"[:1024]},
        origin=origin,
    )
