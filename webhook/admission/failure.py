"""What is answered when we cannot decide: people are refused and told why, system components pass and are recorded."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.kubevirt.requester import Origin, classify
from webhook.model.decision import Decision
from webhook.model.request import AdmissionRequest, Phase

PEOPLE = frozenset({Origin.USER, Origin.VIRT_API})
"""Origins behind which a person waits for an answer.

Everything else does drains, upgrades and reconciliation: if we refused those when we cannot know, a node could not be
emptied at 3 a.m. because of us.
"""


def is_person(origin: str) -> bool:
    """Say whether a request of this origin is refused when it cannot be judged. An unknown one counts as a person."""
    return origin in PEOPLE or origin not in set(Origin)


def undecided(
    request: AdmissionRequest, phase: Phase, why: str, *, decision_id: str, parameters: Mapping[str, Any]
) -> Decision:
    """Return the decision for a request that could not be judged at all, because of ``why``.

    ``parameters`` are those of the policy set with the namespaces where KubeVirt is, see ``requester.located``.
    """
    origin = classify(request.user, parameters, request)
    refused = is_person(origin)
    message = (
        f"{request.subject} could not be judged, so it was refused: {why}\n"
        f"Next step: try again; if it stays, show this to whoever runs migguard.\n(decision {decision_id})"
    )
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
