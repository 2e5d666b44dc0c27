"""One request through both calls of the webhook, as the API server makes them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime

from webhook.admission.pipeline import World, decide
from webhook.model.decision import Decision
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.offline.outcome import Outcome
from webhook.policy.evaluate import NOBODY, Observer
from webhook.policy.mutate import apply
from webhook.policy.policyset import PolicySet

SECONDS = 30.0
"""For one decision: the most that an API server would wait."""


def admit(  # noqa: PLR0913 - as decide
    request: AdmissionRequest,
    phases: Iterable[Phase] = tuple(Phase),
    *,
    policies: PolicySet,
    world: World,
    now: datetime,
    observer: Observer = NOBODY,
    beyond_refusal: bool = False,
) -> Outcome:
    """Mutation first, then validation of its result.

    A refusal ends it, unless one wants to know also what the next phase would have found (``beyond_refusal``).
    """
    decisions: list[Decision] = []
    for phase in phases:
        decision = decide(
            request,
            phase,
            policies=policies,
            world=world,
            now=now,
            deadline=Deadline.after(SECONDS),
            decision_id=f"{request.uid}-{phase}",
            observer=observer,
        )
        decisions.append(decision)
        if not decision.allowed and not beyond_refusal:
            break
        if phase is Phase.MUTATE and decision.patch and request.object is not None:
            request = replace(request, object=apply(decision.patch, request.object))
    return Outcome(tuple(decisions), request.object)
