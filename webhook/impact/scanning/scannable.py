"""Which policies can judge what already exists, and how they are made ready for it.

A scan has objects, but no requests: nobody asks, nothing changes. So policies judge each object as if it were created
as it stands. What a policy cannot judge without knowing who asks is left out and said, never guessed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Never

from webhook.errors import FactUnavailable, InputError
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import GroupVersionResource
from webhook.model.request import Operation
from webhook.policy.cel import Expression
from webhook.policy.compiled import CompiledPolicy, Variable
from webhook.policy.document import Exemption, ResourceRule, Subject
from webhook.policy.policyset import PolicySet

ANNOTATION = "migguard.io/scan"
"""On a policy: how a scan uses it, where it is not to judge each object as it stands."""

NO_REQUESTER = "a scan has no requester"

NEEDS_REQUESTER = "they judge who asks (see migguard replay)"
JUDGES_ACTS = "they judge acts, not what stands"
OUT_BY_ANNOTATION = f"their annotation {ANNOTATION} says so"

_ANSWERED = frozenset({"requester.origin", "requester.personKnown"})
"""What can be told of the maker of an object."""
_NAME = "requester.username"
"""It has a value for messages, by which nothing may be decided."""


class Use(StrEnum):
    """What the annotation may say."""

    OBJECTS = "objects"
    """Each object is judged as if it were created as it stands: the default."""
    MIGRATION = "migration"
    """Each running VM is judged as if a person asked for its migration now."""
    NEVER = "never"
    """Its verdict says nothing of what stands: it depends on the hour, or on what else goes on."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Scannable:
    """The policies of a set as a scan uses them."""

    policies: PolicySet
    """With what is not known without a requester made unavailable; exemptions as :func:`_for_objects` says."""
    objects: tuple[CompiledPolicy, ...]
    migration: tuple[CompiledPolicy, ...]
    exemptions: tuple[Exemption, ...]
    """All of the set, as they stand in its files."""
    left_out: Mapping[str, tuple[str, ...]]
    """By reason, the names of the policies that are not judged."""

    def judging(self, resource: GroupVersionResource) -> PolicySet:
        """Return the set of those policies that may judge objects of a resource."""
        kept = [one for one in self.objects if self.judges(one, resource.group, resource.resource)]
        return replace(self.policies, policies=tuple(kept))

    @staticmethod
    def judges(policy: CompiledPolicy, group: str, resource: str) -> bool:
        """Say whether a policy may judge objects of a resource."""
        return any(_covers(rule, group, resource) for rule in _creating(policy))

    def judging_migrations(self) -> PolicySet:
        """Return the set of those that judge a migration of each running VM."""
        return replace(self.policies, policies=self.migration)

    def rules(self) -> Iterator[ResourceRule]:
        """All rules by which objects are found."""
        for policy in self.objects:
            yield from _creating(policy)


def scannable(policies: PolicySet) -> Scannable:
    """Sort the policies of a set by how a scan uses them. Raises InputError for an annotation that means nothing."""
    used: dict[Use, list[CompiledPolicy]] = {use: [] for use in Use}
    left_out: dict[str, dict[str, None]] = {}
    for policy in policies.policies:
        use = _use(policy)
        reason = OUT_BY_ANNOTATION if use is Use.NEVER else _why_not(policy)
        if reason:
            left_out.setdefault(reason, {})[policy.name] = None
        else:
            used[use].append(policy)
    catalog = {name: _unanswered(fact) for name, fact in policies.catalog.items()}
    exemptions = tuple(found for one in policies.exemptions if (found := _for_objects(one)) is not None)
    return Scannable(
        policies=replace(policies, catalog=catalog, exemptions=exemptions),
        objects=tuple(used[Use.OBJECTS]),
        migration=tuple(used[Use.MIGRATION]),
        exemptions=policies.exemptions,
        left_out={reason: tuple(names) for reason, names in sorted(left_out.items())},
    )


def _use(policy: CompiledPolicy) -> Use:
    said = policy.document.annotations.get(ANNOTATION, Use.OBJECTS)
    if said not in list(Use):
        raise InputError(
            f"annotation {ANNOTATION} of policy '{policy.name}' is '{said}'",
            where=policy.document.where,
            hint=f"one of {', '.join(Use)}",
        )
    return Use(said)


def _why_not(policy: CompiledPolicy) -> str:
    if not any(True for _ in _creating(policy)):
        return JUDGES_ACTS
    return NEEDS_REQUESTER if _decides_by_requester(policy) else ""


def _creating(policy: CompiledPolicy) -> Iterator[ResourceRule]:
    """The rules that cover the creation of an object, as opposed to what is done with one."""
    for rule in policy.document.match.rules:
        if {"*", Operation.CREATE} & set(rule.operations) and any("/" not in name for name in rule.resources):
            yield rule


def _covers(rule: ResourceRule, group: str, resource: str) -> bool:
    return bool({"*", group} & set(rule.groups)) and bool({"*", "*/*", resource} & set(rule.resources))


def _decides_by_requester(policy: CompiledPolicy) -> bool:
    """Say whether a verdict of the policy depends on who asks; that a message names them is no reason."""
    return any(_reads_requester(expression) for expression in deciding(policy))


def deciding(policy: CompiledPolicy) -> Iterator[Expression]:
    """Yield the expressions that make a verdict, with the variables that they read, through others too."""
    variables = {one.name: one for needs in _needs(policy) for one in needs}
    waiting = [expression for _, expression in policy.conditions]
    waiting += [one.expression for one in policy.validations]
    waiting += [one.expression for one in policy.mutations]
    seen: set[str] = set()
    while waiting:
        expression = waiting.pop()
        yield expression
        for name in sorted(expression.variables - seen):
            seen.add(name)
            if name in variables:
                waiting.append(variables[name].expression)


def _needs(policy: CompiledPolicy) -> Iterable[tuple[Variable, ...]]:
    return (policy.for_conditions.variables, policy.for_validations.variables, policy.for_mutations.variables)


def _reads_requester(expression: Expression) -> bool:
    # However it is written (request.userInfo, request.?userInfo, request['userInfo']), the field has just this name.
    return _NAME in expression.facts or "userInfo" in expression.source.text


def _unanswered(fact: Fact) -> Fact:
    """What is asked about the requester has no answer; only the name for messages has."""
    if fact.name == "authorizer" or (fact.name.startswith("requester.") and fact.name not in {*_ANSWERED, _NAME}):
        return replace(fact, resolve=_refuse)
    return fact


def _refuse(_: FactContext) -> Never:
    raise FactUnavailable(NO_REQUESTER)


def _for_objects(exemption: Exemption) -> Exemption | None:
    """Return an exemption as it counts in a scan; None if it does not.

    One that is for certain objects counts whoever it is for: they may have made them. One that is for people and any
    object at all says nothing of what stands.
    """
    bounds: tuple[object, ...] = (
        exemption.namespaces,
        exemption.names,
        exemption.namespace_selector,
        exemption.object_selector,
    )
    if not any(bounds):
        return None
    anybody = Subject("Group", "system:authenticated")
    writes = not exemption.operations or bool({"*", Operation.CREATE, Operation.UPDATE} & set(exemption.operations))
    return replace(exemption, subjects=(anybody,), operations=()) if writes else None
