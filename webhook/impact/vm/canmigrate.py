"""Whether somebody may migrate a VM now: yes or no, every reason, what to do, and how it would go."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from webhook.admission.pipeline import World
from webhook.errors import FactUnavailable
from webhook.impact.vm.checklist import Check, checks_of
from webhook.impact.vm.console import Console
from webhook.impact.vm.membership import doubt
from webhook.impact.vm.name import Presence, VMName, migration_command, migration_request
from webhook.impact.vm.refusals import Reason, refusals, warnings
from webhook.impact.vm.settings import VMSettings, settings_of
from webhook.model.facts import FactContext
from webhook.model.request import UserInfo
from webhook.offline.tracing.factsource import FactSources
from webhook.offline.tracing.trace import trace
from webhook.policy.policyset import PolicySet


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """The answer to ``may this user migrate this VM now?``."""

    vm: VMName
    user: UserInfo
    allowed: bool
    sentence: str
    """The answer in one sentence."""
    unsure: str
    """Why a no may not hold, as groups of the user may be missing; mostly empty."""
    reasons: tuple[Reason, ...]
    """All that refuse it; empty if it is allowed."""
    warnings: tuple[Reason, ...]
    checks: tuple[Check, ...]
    settings: VMSettings | None
    """What it would be done with; None where that is not known."""
    console: str
    """What differs for those who use virtctl or the console; may be empty."""
    commands: tuple[str, ...]
    """How to migrate it, if it is allowed."""
    revision: str
    """Of the policy set."""


def can_migrate(
    named: VMName, user: UserInfo, *, policies: PolicySet, world: World, now: datetime, groups_known: bool = False
) -> Answer:
    """Answer for one VM and user; ``groups_known`` if they are in no group beyond those that are given.

    Raises InputError where there is no such VM, and FactUnavailable where not even that can be known.
    """
    presence = Presence.of(named, world.view)
    request = migration_request(named, user, world.view)
    context = FactSources(policies, world, now).context(request, world.view)
    judged = trace(request, policies=policies, world=world, now=now, beyond_refusal=True)
    reasons = refusals(judged, context, named)
    console = Console(named, context, policies, world, presence)
    return Answer(
        vm=named,
        user=user,
        allowed=not reasons,
        sentence=_sentence(named, user, reasons),
        unsure="" if groups_known else doubt((fact for one in reasons for fact in one.facts), context, policies),
        reasons=reasons,
        warnings=warnings(judged),
        checks=checks_of(context, policies.catalog),
        settings=_settings(context),
        console=console.differs(refused=bool(reasons)),
        commands=(*console.commands, migration_command(named, world.view)) if not reasons else (),
        revision=policies.revision,
    )


def _sentence(named: VMName, user: UserInfo, reasons: tuple[Reason, ...]) -> str:
    whom = user.username or "nobody"
    if not reasons:
        return f"{whom} may migrate VM {named} now"
    count = "one thing is in the way" if len(reasons) == 1 else f"{len(reasons)} things are in the way"
    return f"{whom} cannot migrate VM {named} now: {count}"


def _settings(context: FactContext) -> VMSettings | None:
    try:
        return settings_of(context)
    except FactUnavailable:
        return None
