"""What is answered when we cannot decide: people are refused and told why, system components pass and are recorded."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from webhook.admission.wording import phrases_of
from webhook.kubevirt.requester import Origin, classify
from webhook.model.decision import Action, Decision, FailurePolicy
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.match import covers

PEOPLE = frozenset({Origin.USER, Origin.VIRT_API})
"""Origins behind which a person waits for an answer.

Everything else does drains, upgrades and reconciliation: if we refused those when we cannot know, a node could not be
emptied at 3 a.m. because of us.
"""


def is_person(origin: str) -> bool:
    """Say whether a request of this origin is refused when it cannot be judged. An unknown one counts as a person."""
    return origin in PEOPLE or origin not in set(Origin)


def could_refuse(policy: CompiledPolicy, request: AdmissionRequest, origin: str) -> bool:
    """Say whether a policy, as far as its rules tell, refuses such a request where it cannot be judged."""
    document = policy.document
    return (
        Action.DENY in policy.actions
        and document.failure_policy is FailurePolicy.FAIL
        and (not document.origins or origin in document.origins)
        and any(covers(rule, request, exact=document.match.exact) for rule in document.match.rules)
    )


def undecided(
    request: AdmissionRequest,
    phase: Phase,
    why: str,
    *,
    decision_id: str,
    parameters: Mapping[str, Any],
    policies: Iterable[CompiledPolicy],
) -> Decision:
    """Return the decision for a request that could not be judged at all, because of ``why``.

    What no policy would refuse for that reason passes: a full disk stops neither an eviction nor the role binding that
    mends migguard itself. ``parameters`` are those of the policy set with the namespaces where KubeVirt is, see
    ``requester.located``.
    """
    origin = classify(request.user, parameters, request)
    refused = is_person(origin) and any(could_refuse(policy, request, origin) for policy in policies)
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
