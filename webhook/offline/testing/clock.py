"""Whether a decision rests on the time at which a test happens to be run: such a test must say what time it is."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime

from webhook.admission import natives
from webhook.admission.exemption import exempting
from webhook.admission.pipeline import World
from webhook.errors import FactUnavailable
from webhook.model.facts import Deadline, FactContext
from webhook.model.objects import mappings
from webhook.model.request import AdmissionRequest
from webhook.offline.admit import SECONDS
from webhook.offline.outcome import Outcome
from webhook.offline.testing.compare import Mismatch
from webhook.policy.document import Exemption
from webhook.policy.policyset import PolicySet

_ALWAYS = datetime.max.replace(tzinfo=UTC)


def unstated(
    request: AdmissionRequest, outcome: Outcome, *, policies: PolicySet, world: World, now: datetime
) -> Iterator[Mismatch]:
    """Tell what of the clock, which said ``now`` as no test did, had a part in a decision.

    That is a fact about the time, or an exemption of which nothing but its dates says whether it covers the request.
    """
    read = [*_facts(outcome, policies), *_exemptions(request, outcome, policies, world, now)]
    if read:
        got = f"{' and '.join(read)} had a part in this, and the test does not say what time it is"
        yield Mismatch("clock", "", got, f'now: "{now.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"')


def _facts(outcome: Outcome, policies: PolicySet) -> Iterator[str]:
    prefixes = ("time.", "freeze.") if mappings(policies.parameters, "freezeWindows") else ("time.",)
    yield from (f"fact {name}" for name in sorted(outcome.facts) if name.startswith(prefixes))


def _exemptions(
    request: AdmissionRequest, outcome: Outcome, policies: PolicySet, world: World, now: datetime
) -> Iterator[str]:
    tried = {one.policy for one in outcome.evaluations}
    changed = replace(request, object=outcome.object)
    for exemption in policies.exemptions:
        if tried & set(exemption.policies) and any(_covers(exemption, one, world, now) for one in (request, changed)):
            yield f"the dates of exemption {exemption.name}"


def _covers(exemption: Exemption, request: AdmissionRequest, world: World, now: datetime) -> bool:
    """Whether an exemption would cover a request if it were in force."""
    context = FactContext(request, world.view, world.authorizer, {}, now, Deadline.after(SECONDS))
    in_force = replace(exemption, starts=None, expires=_ALWAYS)
    try:
        return (
            exempting([in_force], exemption.policies[0], request, namespace=lambda: natives.namespace(context), now=now)
            is not None
        )
    except FactUnavailable:
        return False
