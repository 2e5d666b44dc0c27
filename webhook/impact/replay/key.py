"""What the finding of a policy depends on, as one short key: for records with equal keys it is the same.

Names of objects are in few of the expressions that decide, though in most messages. So a month of migrations has few
different keys, and most policies need not be judged again.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from webhook.audit.pruning import DROPPED, ITEMS
from webhook.errors import FactUnavailable
from webhook.impact.replay.record import Recorded
from webhook.impact.replay.world import ALONE, RecordedWorld
from webhook.model.objects import JSON, items, mapping, text, value
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy import fieldsread
from webhook.policy.cel import Expression
from webhook.policy.compiled import CompiledPolicy, Needs
from webhook.policy.document import Exemption, MatchResources
from webhook.policy.fieldsread import FieldPath
from webhook.policy.match import NAMESPACES, covers

_ABSENT, _HIDDEN = b"absent", b"hidden"
"""Stand for what is not there and what was dropped; no JSON value is one of them."""
_NAMED = frozenset({("request",), ("request", "name")})
"""What reads it reads the name of the object."""
_Target: TypeAlias = tuple[Any, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One policy that may cover requests of one kind, and what its finding depends on."""

    policy: CompiledPolicy
    number: int
    facts: tuple[str, ...]
    alone: tuple[str, ...]
    """Those of the facts that need not be on record."""
    paths: tuple[FieldPath, ...]
    namespace: bool
    """Labels of the Namespace select, or an expression reads it."""
    labels: bool
    names: bool
    asks: bool
    exemptions: tuple[Exemption, ...]


@dataclass(frozen=True, slots=True)
class Scope:
    """The policies that may cover requests of one kind."""

    parts: tuple[Part, ...]
    """Those that find what they find whatever the others do."""
    changing: tuple[CompiledPolicy, ...]
    """Those that change the object one after another: each sees what those before it made of it."""


class Keys:
    """Makes the keys for one policy set. Used by one thread."""

    def __init__(self, world: RecordedWorld) -> None:
        self._world = world
        self._scopes: dict[_Target, Scope] = {}
        self._parts = 0

    def scope(self, given: Recorded) -> Scope:
        """Return the policies that may cover the request of a record. Raises UnusableError."""
        request = given.request
        target = (
            given.phase,
            text(request, "operation"),
            text(request, "subResource"),
            bool(given.namespace),
            *(_triple(request.get(name)) for name in ("resource", "requestResource", "kind")),
        )
        if target not in self._scopes:
            self._scopes[target] = self._make(given.admission_request(), given.phase)
        return self._scopes[target]

    def key(self, part: Part, given: Recorded) -> bytes:
        """Return what the finding of a policy for a record depends on. Raises UnusableError."""
        first = given.stages[0]  # what changes the object is not judged by its key
        facts, unavailable = mapping(first, "facts"), mapping(first, "unavailable")
        values = [facts.get(name, _ABSENT) for name in part.facts]
        missing = [unavailable.get(name, _ABSENT) for name in part.facts]
        read = [_look(given.roots.get(path[0]), path[1:]) for path in part.paths]
        parts = [part.number, given.origin, *self._world.changes(given), values, missing, read]
        return marshal.dumps([*parts, *self._more(part, given, facts)], 2)

    def _more(self, part: Part, given: Recorded, facts: Mapping[str, Any]) -> Iterable[Any]:
        """What only some policies depend on."""
        if part.namespace:
            yield given.given.get("namespaceObject"), text(given.given, "namespaceUnavailable")
        if part.labels:
            yield [_labels(given.request.get("object")), _labels(given.request.get("oldObject"))]
        if part.names:
            yield text(given.request, "name"), given.given.get("requestName", _ABSENT)
        if part.asks:
            yield items(given.raw, "questions"), given.request.get("userInfo")
        if part.alone:
            yield [self._alone(given, name) for name in part.alone if self._is_wanted(given, name, facts)]
        if part.exemptions:
            moment = given.moment
            yield [one.expires > moment and (one.starts is None or one.starts <= moment) for one in part.exemptions]
            yield mapping(given.request, "userInfo"), given.namespace, text(given.request, "name")
            yield given.given.get("requestName", _ABSENT)

    def _is_wanted(self, given: Recorded, name: str, facts: Mapping[str, Any]) -> bool:
        return name not in facts or bool(self._world.outdated(given, name))

    def _alone(self, given: Recorded, name: str) -> JSON:
        try:
            return self._world.alone(given, given.admission_request(), name)
        except FactUnavailable as error:
            return [str(error)]

    def _make(self, request: AdmissionRequest, phase: Phase) -> Scope:
        concerned = [one for one in self._world.policies.policies if _judges(one, phase) and _may_cover(one, request)]
        changing = tuple(one for one in concerned if phase is Phase.MUTATE and one.mutations)
        return Scope(tuple(self._part(one, request) for one in concerned if one not in changing), changing)

    def _part(self, policy: CompiledPolicy, request: AdmissionRequest) -> Part:
        self._parts += 1
        exemptions = tuple(one for one in self._world.policies.exemptions if policy.name in one.policies)
        matches = _matches(policy)
        selecting: list[MatchResources | Exemption] = [*matches, *exemptions]
        facts, paths = _deciding(policy)
        own = request.resource == NAMESPACES  # its own labels select it
        ruled_by_name = any(rule.names for one in matches for rule in (*one.rules, *one.excluded))
        return Part(
            policy=policy,
            number=self._parts,
            facts=tuple(sorted(facts)),
            alone=tuple(sorted(facts & ALONE)),
            paths=tuple(sorted(paths)),
            namespace="namespaceObject" in facts or any(one.namespace_selector for one in selecting),
            labels=any(one.object_selector or (own and one.namespace_selector) for one in selecting),
            names=ruled_by_name or not _NAMED.isdisjoint(paths),
            asks="authorizer" in facts,
            exemptions=exemptions,
        )


def _judges(policy: CompiledPolicy, phase: Phase) -> bool:
    validates = bool(policy.validations or policy.audit_annotations) and policy.document.phase is phase
    return validates or (phase is Phase.MUTATE and bool(policy.mutations))


def _matches(policy: CompiledPolicy) -> list[MatchResources]:
    return [policy.document.match, *([policy.binding.match] if policy.binding else [])]


def _may_cover(policy: CompiledPolicy, request: AdmissionRequest) -> bool:
    """Whether a policy may cover requests of this kind, whatever their names, labels and conditions."""
    return all(
        not match.rules or any(covers(replace(rule, names=()), request, exact=match.exact) for rule in match.rules)
        for match in _matches(policy)
    )


def _deciding(policy: CompiledPolicy) -> tuple[set[str], set[FieldPath]]:
    """Facts and fields that the expressions read which decide."""
    conditions = [one for _, one in policy.conditions]
    judging = fieldsread.judging(policy)
    read = fieldsread.of_expressions(conditions, policy.for_conditions)
    read |= fieldsread.of_expressions(judging, policy.for_validations)
    facts = _facts(conditions, policy.for_conditions) | _facts(judging, policy.for_validations)
    return facts, set(read.paths)


def _facts(expressions: Iterable[Expression], needs: Needs) -> set[str]:
    variables = {one.name: one.expression for one in needs.variables}
    waiting, facts, seen = list(expressions), set[str](), set[str]()
    while waiting:
        expression = waiting.pop()
        facts |= expression.facts
        waiting += [variables[name] for name in expression.variables - seen]
        seen |= expression.variables
    return facts


def _look(node: JSON, path: FieldPath) -> list[JSON]:
    """What stands at a path; of a list the whole, as it does not matter whether it is more than is read.

    Where the path ends early, how far it leads and why: an expression may take an absent parent for an error, and an
    absent field for none.
    """
    for depth, step in enumerate(path):
        if not isinstance(node, dict) or step == ITEMS:
            return [depth, node]
        if step not in node:
            return [depth, _HIDDEN, node[DROPPED]] if DROPPED in node else [depth, _ABSENT]
        node = node[step]
    return [node]


def _labels(node: JSON) -> JSON:
    """Those of an object; a selector takes an object without labels for another thing than no object."""
    return [value(node, "metadata", "labels")] if node is not None else None


def _triple(node: JSON) -> _Target:
    return (text(node, "group"), text(node, "version"), text(node, "resource") or text(node, "kind"))
