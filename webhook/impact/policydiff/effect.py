"""What two policy sets decide differently: on the requests of their tests, and on the VMs of a cluster.

Only the policies that may decide otherwise are run, with all those that change objects; where one of them does decide
otherwise, the whole sets say what the request comes to.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from itertools import chain
from typing import Any

from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.errors import InputError, PolicyError
from webhook.impact.policydiff.compare import PolicyDiff, Side
from webhook.impact.vm.name import VMName, migration_request
from webhook.kubevirt.criticality import is_running
from webhook.kubevirt.requester import located, migrating_accounts
from webhook.kubevirt.resources import VMI
from webhook.model.decision import Action, Evaluation, Result
from webhook.model.objects import mapping, name_of, namespace_of
from webhook.model.request import AdmissionRequest, Phase, UserInfo
from webhook.offline.admit import admit
from webhook.offline.request import user_of
from webhook.offline.testing.suite import Suite
from webhook.offline.testing.world import overlaid, store_of, world_of
from webhook.policy import loader
from webhook.policy.compiled import compile_policies
from webhook.policy.policyset import PolicySet

NOT_JUDGED = "not judged"
_WORDS = ("deny", "error", "warn", "audit", "change", "pass", "exempt", NOT_JUDGED)
"""Worst first."""
_SILENT = frozenset({"pass", "exempt", NOT_JUDGED})
"""Outcomes that nobody notices: from one of them to another is no difference."""
_ADMINISTRATOR = user_of({"username": "kubernetes-admin", "groups": ["system:masters"]})

Asked = Callable[[Side], tuple[World, datetime]]
"""What a request is decided in, on either side."""


@dataclass(frozen=True, slots=True)
class PolicyFlip:
    """One policy that judges a request otherwise."""

    policy: str
    before: str
    after: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Flip:
    """One request that is judged otherwise."""

    subject: str
    """``TEST/CASE``, or the VM."""
    where: str = ""
    allowed_before: bool
    allowed_after: bool
    """What the whole sets say."""
    policies: tuple[PolicyFlip, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """What came of running requests against both sets."""

    title: str
    judged: int
    flips: tuple[Flip, ...]
    notices: tuple[str, ...] = ()


@dataclass(slots=True)
class _Sets:
    """The policy sets of both sides: all policies or some, compiled once for each set of parameters."""

    diff: PolicyDiff
    _known: dict[tuple[str, bool, str], PolicySet] = field(default_factory=dict)
    _touched: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        applied = chain.from_iterable(side.policies.items() for side in (self.diff.old, self.diff.new))
        self._touched = self.diff.policies | {name for name, found in applied if found.document.mutations}

    def of(self, side: Side, overlay: Mapping[str, Any], *, whole: bool) -> PolicySet:
        """Return the set; raises PolicyError where the overlaid parameters do not fit it."""
        key = ("old" if side is self.diff.old else "new", whole, json.dumps(overlay, sort_keys=True))
        if key not in self._known:
            self._known[key] = self._set(side, overlay, whole=whole)
        return self._known[key]

    def _set(self, side: Side, overlay: Mapping[str, Any], *, whole: bool) -> PolicySet:
        parameters = loader.full_parameters(overlaid(side.documents.parameters, overlay))
        compiled = [one for found in side.policies.values() for one in found.compiled]
        if overlay:
            values = _values(side, parameters)
            compiled = [replace(one, params=values[one.name, one.binding_name]) for one in compiled]
        return PolicySet(
            revision=side.revision,
            policies=tuple(one for one in compiled if whole or one.name in self._touched),
            exemptions=side.documents.exemptions,
            parameters=parameters,
            catalog=CATALOG,
        )


def _values(side: Side, parameters: Mapping[str, Any]) -> dict[tuple[str, str], Mapping[str, Any]]:
    """The values of each policy's parameters, by policy and binding; its expressions need no compiling for that."""
    bare = tuple(
        replace(one, conditions=(), variables=(), validations=(), mutations=(), audit_annotations=())
        for one in side.documents.policies
    )
    documents = replace(side.documents, policies=bare, parameters=parameters, parameters_document=None)
    compiled, problems = compile_policies(documents, CATALOG)
    if problems:
        raise PolicyError(problems)
    return {(one.name, one.binding_name): one.params for one in compiled}


def try_cases(diff: PolicyDiff, old: Sequence[Suite], new: Sequence[Suite]) -> Trial:
    """Run the cases of tests, those of the old side as far as they are not on the new one, against both sets."""
    sets, flips, notices, judged = _Sets(diff), list[Flip](), list[str](), 0
    known = [suite.document.value for suite in new]
    gone = [suite for suite in old if suite.document.value not in known]
    for suite in [*new, *gone]:
        overlay = mapping(suite.parameters.value, "spec") if suite.parameters else {}
        try:
            store = store_of(suite)
            for case in suite.cases:
                world, now = world_of(suite, case, store), case.now or suite.now
                judged += 1
                flip = _flip(sets, overlay, case.request, case.phases, lambda side: (world, now or side.now))  # noqa: B023 - called at once
                if flip:
                    flips.append(replace(flip, subject=f"{suite.name}/{case.name}", where=case.where))
        except InputError as error:  # its parameters do not fit one of the sets, or a file that it names is not there
            notices.append(f"test {suite.name} was not run: {str(error).partition(chr(10))[0]}")
    return Trial(title="cases of tests", judged=judged, flips=_in_order(flips), notices=tuple(notices))


def try_vms(diff: PolicyDiff, world: World, user: UserInfo | None) -> Trial:
    """Judge the migration of every running VM of a cluster: asked for by a person, and by a drain of its node.

    Args:
        diff: The two sets.
        world: The cluster.
        user: Who asks; None is an administrator of the cluster.
    """
    sets, flips, judged = _Sets(diff), list[Flip](), 0
    askers = [user or _ADMINISTRATOR, *_drain(diff.new.documents.parameters, world)]
    for vmi in world.view.list(VMI):
        if not is_running(vmi):
            continue
        named = VMName(namespace_of(vmi), name_of(vmi))
        for asker in askers:
            request = migration_request(named, asker, world.view)
            judged += 1
            flip = _flip(sets, {}, request, tuple(Phase), lambda side: (world, side.now))
            if flip:
                flips.append(replace(flip, subject=f"{named}, {_asking(asker, user or _ADMINISTRATOR)}"))
    return Trial(title="migrations of running VMs", judged=judged, flips=_in_order(flips))


def _in_order(flips: Sequence[Flip]) -> tuple[Flip, ...]:
    """First what is let through or refused otherwise, then what only some policy judges otherwise."""
    return tuple(sorted(flips, key=lambda one: one.allowed_before == one.allowed_after))


def _asking(asker: UserInfo, person: UserInfo) -> str:
    return f"asked for by {asker.username}" if asker is person else "for a drain of its node"


def _drain(parameters: Mapping[str, Any], world: World) -> Iterator[UserInfo]:
    for account in migrating_accounts(located(parameters, world.view))[:1]:
        yield user_of({"username": account})


def _flip(
    sets: _Sets, overlay: Mapping[str, Any], request: AdmissionRequest, phases: Sequence[Phase], asked: Asked
) -> Flip | None:
    sides = (sets.diff.old, sets.diff.new)
    results = [_judged(request, phases, sets.of(side, overlay, whole=False), *asked(side)) for side in sides]
    before, after = (_outcomes(evaluations) for evaluations, _ in results)
    flips = tuple(
        PolicyFlip(name, before.get(name, NOT_JUDGED), after.get(name, NOT_JUDGED))
        for name in sorted({*before, *after})
        if not {before.get(name, NOT_JUDGED), after.get(name, NOT_JUDGED)} <= _SILENT
        and before.get(name, NOT_JUDGED) != after.get(name, NOT_JUDGED)
    )
    if not flips:
        return None
    was, becomes = (_judged(request, phases, sets.of(side, overlay, whole=True), *asked(side))[1] for side in sides)
    return Flip(subject="", allowed_before=was, allowed_after=becomes, policies=flips)


def _judged(
    request: AdmissionRequest, phases: Sequence[Phase], policies: PolicySet, world: World, now: datetime
) -> tuple[Sequence[Evaluation], bool]:
    """Judge all phases, also where the first one refuses: each policy is to be seen."""
    outcome = admit(request, phases, policies=policies, world=world, now=now, beyond_refusal=True)
    return outcome.evaluations, all(decision.allowed for decision in outcome.decisions)


def _outcomes(evaluations: Iterable[Evaluation]) -> dict[str, str]:
    """What each policy comes to: the worst under any binding."""
    found: dict[str, str] = {}
    for one in evaluations:
        word = _word(one)
        found[one.policy] = min(found.get(one.policy, word), word, key=_WORDS.index)
    return found


def _word(one: Evaluation) -> str:
    if one.result is Result.FAIL:
        actions = (Action.DENY, Action.WARN, Action.AUDIT)
        return next(action for action in actions if action in one.actions).value.lower()
    if one.result is Result.PASS:
        return "change" if one.patch else "pass"
    return "error" if one.result is Result.ERROR else "exempt"
