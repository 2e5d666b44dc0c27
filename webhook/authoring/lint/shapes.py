"""What kinds of requests a policy matches: a short list that stands for all of them.

What no rule decides is left open (None), as the resource where a rule says ``*``.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

from webhook.kubevirt.requester import Origin
from webhook.kubevirt.resources import RESOURCES, VMIM
from webhook.kubevirt.templates import TEMPLATES
from webhook.model.facts import Scope
from webhook.model.request import Operation
from webhook.policy.document import GuardPolicy, MatchResources, ResourceRule

_ANY = "*"
_KINDS = {(one.group, one.resource): one.kind for one in TEMPLATES} | {
    (one.resource.group, one.resource.resource): one.kind for one in RESOURCES
}
_NAMESPACED = {(one.group, one.resource): True for one in TEMPLATES} | {
    (one.resource.group, one.resource.resource): one.namespaced for one in RESOURCES
}
_OF_CONTROLLER = frozenset({Origin.DRAIN, Origin.WORKLOAD_UPDATE})


@dataclass(frozen=True, slots=True, kw_only=True)
class Shape:
    """Requests that are alike: None stands for any."""

    group: str | None
    resource: str | None
    subresource: str | None
    operation: Operation
    origin: Origin | None = None
    cluster_scoped: bool | None = None

    @property
    def kind(self) -> str | None:
        """The kind of the object, where it is known; a subresource may have another."""
        if self.group is None or self.resource is None or self.subresource is None:
            return None
        return None if self.subresource not in {"", "status", "finalize"} else _KINDS.get((self.group, self.resource))

    def __str__(self) -> str:
        resource = self.resource or _ANY
        part = f"/{self.subresource or _ANY}" if self.subresource != "" else ""
        return f"{self.operation} of {resource}{part}"


def shapes_of(policy: GuardPolicy, *, by_origin: bool = True) -> tuple[Shape, ...]:
    """Return the shapes of what a policy matches, once each; one for each origin class if they are to be told apart."""
    origins: Sequence[Origin | None] = sorted(map(Origin, policy.origins)) or (list(Origin) if by_origin else [None])
    plain = matched(policy.match)
    shapes = [_with(shape, origin) for shape, origin in product(plain, origins) if _asks(origin, shape)]
    return tuple(dict.fromkeys(shapes))


def _with(shape: Shape, origin: Origin | None) -> Shape:
    return Shape(
        group=shape.group,
        resource=shape.resource,
        subresource=shape.subresource,
        operation=shape.operation,
        origin=origin,
        cluster_scoped=shape.cluster_scoped,
    )


def origin_asks(origin: str, match: MatchResources) -> bool:
    """Say whether requests of this origin may be among what is matched."""
    return any(_asks(Origin(origin), shape) for shape in matched(match))


def _asks(origin: Origin | None, shape: Shape) -> bool:
    """Drains and updates create migrations; Source: ``webhook.kubevirt.requester.classify``."""
    if origin not in _OF_CONTROLLER:
        return True
    return (
        shape.group in (None, VMIM.resource.group)
        and shape.resource in (None, VMIM.resource.resource)
        and not shape.subresource
        and shape.operation is Operation.CREATE
    )


def matched(match: MatchResources) -> tuple[Shape, ...]:
    """Return the shapes that the rules cover and no rule excludes again."""
    shapes = (shape for rule in match.rules for shape in _of_rule(rule))
    return tuple(dict.fromkeys(one for one in shapes if not any(_covers_all(rule, one) for rule in match.excluded)))


def _of_rule(rule: ResourceRule) -> Iterator[Shape]:
    for group, pattern, operation in product(rule.groups, rule.resources, _operations(rule)):
        resource, _, part = pattern.partition("/")
        known = _NAMESPACED.get((group, resource))
        cluster_scoped = None if known is None else not known
        if rule.scope != _ANY:
            wanted = rule.scope == "Cluster"
            if cluster_scoped is not None and cluster_scoped != wanted:
                continue
            cluster_scoped = wanted
        yield Shape(
            group=_open(group),
            resource=_open(resource),
            subresource=_open(part),
            operation=operation,
            cluster_scoped=cluster_scoped,
        )


def _open(word: str) -> str | None:
    return None if word == _ANY else word


def _operations(rule: ResourceRule) -> Iterable[Operation]:
    return Operation if _ANY in rule.operations else [Operation(one) for one in rule.operations]


def _covers_all(rule: ResourceRule, shape: Shape) -> bool:
    """Say whether a rule covers every request of a shape."""
    if rule.names or (rule.scope != _ANY and (rule.scope == "Cluster") is not shape.cluster_scoped):
        return False
    return (
        (_ANY in rule.groups or shape.group in rule.groups)
        and shape.operation in _operations(rule)
        and any(_pattern_covers(pattern, shape) for pattern in rule.resources)
    )


def _pattern_covers(pattern: str, shape: Shape) -> bool:
    resource, _, part = pattern.partition("/")
    if resource not in (_ANY, shape.resource):
        return False
    if part == _ANY:
        return bool(shape.subresource) or resource == _ANY or shape.subresource is None
    return part == shape.subresource


def overlaps(rule: ResourceRule, shape: Shape) -> bool:
    """Say whether a rule may cover some request of a shape."""
    return (
        (shape.group is None or _ANY in rule.groups or shape.group in rule.groups)
        and shape.operation in _operations(rule)
        and any(_pattern_overlaps(pattern, shape) for pattern in rule.resources)
        and (rule.scope == _ANY or shape.cluster_scoped is None or (rule.scope == "Cluster") == shape.cluster_scoped)
    )


def _pattern_overlaps(pattern: str, shape: Shape) -> bool:
    resource, _, part = pattern.partition("/")
    if resource != _ANY and shape.resource not in (None, resource):
        return False
    return shape.subresource is None or part in {_ANY, shape.subresource}


def excludes(rules: Iterable[ResourceRule], shape: Shape) -> bool:
    """Say whether one of these rules covers every request of a shape."""
    return any(_covers_all(rule, shape) for rule in rules)


def in_scope(scopes: Iterable[Scope], shape: Shape) -> bool:
    """Say whether a fact with these scopes may say something of a request of this shape."""
    return any(
        shape.operation in scope.operations
        and (not scope.resources or any(_addressed(address, shape) for address in scope.resources))
        for scope in scopes
    )


def _addressed(address: tuple[str, str], shape: Shape) -> bool:
    group, pattern = address
    resource, _, part = pattern.partition("/")
    return (
        shape.group in (None, group)
        and shape.resource in (None, resource)
        and (shape.subresource is None or part in {_ANY, shape.subresource})
    )


def known_values(shape: Shape) -> Mapping[str, Any]:
    """What the shape says of native variables and facts, by their dotted names."""
    values = {
        "request.operation": str(shape.operation),
        "request.resource.group": shape.group,
        "request.resource.resource": shape.resource,
        "request.subResource": shape.subresource,
        "request.kind.kind": shape.kind,
        "requester.origin": None if shape.origin is None else str(shape.origin),
    }
    return {name: value for name, value in values.items() if value is not None}


def presence(shape: Shape) -> Mapping[str, bool]:
    """Which natives there are (True) and which are null (False), where that is known."""
    natives = {
        "object": shape.operation is not Operation.DELETE,
        "oldObject": shape.operation in {Operation.UPDATE, Operation.DELETE},
    }
    return natives if shape.cluster_scoped is None else natives | {"namespaceObject": not shape.cluster_scoped}
