"""POST /validate and /mutate: bytes in, bytes out.

Whatever is posted gets a well-formed AdmissionReview or a clear 4xx: this module holds the broad ``except`` that
turns an accident into the answer that ``admission.failure`` has for it.
"""

from __future__ import annotations

import logging
import uuid
from http import HTTPStatus
from typing import Protocol

from webhook.admission import review
from webhook.errors import AuditError, ReviewError
from webhook.model.decision import Decision
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.settings import duration
from webhook.telemetry import Metrics

log = logging.getLogger(__name__)

DEFAULT_TIMEOUT = 10.0
"""Seconds, where the API server does not say. Source: ``timeoutSeconds`` in admissionregistration.k8s.io/v1."""
MARGIN_SHARE = 0.1
"""Of the API server's timeout, this share is kept for the audit record and the way back …"""
LONGEST_MARGIN = 1.0
"""… but no more than these seconds."""


class Service(Protocol):
    """What decides: the runtime."""

    metrics: Metrics

    @property
    def max_time(self) -> float:
        """Seconds that a decision may take at most."""

    def decide(self, request: AdmissionRequest, phase: Phase, deadline: Deadline, decision_id: str) -> Decision:
        """Decide a request."""

    def undecided(self, request: AdmissionRequest, phase: Phase, why: str, decision_id: str) -> Decision:
        """Return what is answered when no decision can be made."""

    def record(self, request: AdmissionRequest, phase: Phase, decision: Decision) -> None:
        """Put a decision on record. Raises AuditError if that cannot be done."""


def allowance(timeout: str, longest: float) -> float:
    """Return how many seconds a decision may take.

    Args:
        timeout: The API server's ``timeout`` query value, a Go duration; empty or unreadable counts as 10 s.
        longest: Our own limit, in seconds.
    """
    try:
        given = duration(timeout) or DEFAULT_TIMEOUT
    except ValueError:
        given = DEFAULT_TIMEOUT
    return min(given - min(given * MARGIN_SHARE, LONGEST_MARGIN), longest)


def answer(service: Service, phase: Phase, body: bytes, deadline: Deadline) -> bytes:
    """Decide what is asked in ``body`` and return the AdmissionReview to answer with.

    Raises ReviewError, and nothing else, when there is no review to answer.
    """
    decision_id = str(uuid.uuid4())
    request: AdmissionRequest | None = None
    try:
        request = review.parse(body)
        return _decided(service, request, phase, deadline, decision_id)
    except ReviewError:
        raise
    except Exception as error:
        log.exception("internal error while deciding", extra={"decision_id": decision_id, "phase": phase.value})
        if request is None:
            raise ReviewError("the body cannot be read as an AdmissionReview", status=HTTPStatus.BAD_REQUEST) from error
        return _undecided(service, request, phase, f"internal error: {type(error).__name__}", decision_id)


def _decided(service: Service, request: AdmissionRequest, phase: Phase, deadline: Deadline, decision_id: str) -> bytes:
    decision = service.decide(request, phase, deadline, decision_id)
    # Rendered before it is recorded: what is on record must be what was answered.
    rendered = review.render(decision)
    try:
        service.record(request, phase, decision)
    except AuditError as error:
        log.error("%s", error, extra={"decision_id": decision_id, "uid": request.uid})  # noqa: TRY400 - a full disk, say
        return _undecided(
            service, request, phase, f"the decision cannot be put on record: {error.message}", decision_id
        )
    service.metrics.decided(request, phase, decision)
    return rendered


def _undecided(service: Service, request: AdmissionRequest, phase: Phase, why: str, decision_id: str) -> bytes:
    decision = service.undecided(request, phase, why, decision_id)
    try:
        service.record(request, phase, decision)
    except AuditError:
        # No record can be written; the log line and the metric are what is left of it.
        log.error(  # noqa: TRY400 - told once with its reason where it was first met
            "a decision is not on record",
            extra={"decision_id": decision_id, "uid": request.uid, "allowed": decision.allowed, "why": why},
        )
    service.metrics.decided(request, phase, decision)
    return review.render(decision)
