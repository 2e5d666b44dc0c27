"""What a policy, a binding or an exemption covers, and what of it is lost or gained."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product
from typing import Any, NamedTuple

from webhook.impact.policydiff.change import Difference, Effect, by_reach
from webhook.model.objects import mapping, mappings, strings, text
from webhook.model.request import Operation
from webhook.policy.document import MatchResources, ResourceRule
from webhook.source.parsed import FilePath

_EVERY = "*"


class Atom(NamedTuple):
    """One kind of request that a rule covers; ``*`` stands for all."""

    operation: str
    resource: str
    group: str
    version: str
    name: str
    scope: str

    def covers(self, other: Atom) -> bool:
        """Say whether all that the other covers is covered by this one."""
        plain = zip(self[2:], other[2:], strict=True)
        return (
            self.operation == other.operation
            and _resource_covers(self.resource, other.resource)
            and all(own in {_EVERY, asked} for own, asked in plain)
        )

    def __str__(self) -> str:
        shown = f"{self.operation} {self.resource}.{self.group}" if self.group else f"{self.operation} {self.resource}"
        version = "" if self.version == _EVERY else f" {self.version}"
        name = "" if self.name == _EVERY else f" {self.name}"
        return f"{shown}{version}{name}" + ("" if self.scope == _EVERY else f" ({self.scope})")


def atoms(rules: Iterable[ResourceRule], *, exact: bool) -> list[Atom]:
    """Take rules apart. Versions count only with ``matchPolicy: Exact``."""
    found: dict[Atom, None] = {}
    for rule in rules:
        operations = [one.value for one in Operation] if _EVERY in rule.operations else rule.operations
        versions = rule.versions if exact else (_EVERY,)
        parts = (operations, rule.resources, rule.groups, versions, rule.names or (_EVERY,), (rule.scope,))
        found.update(dict.fromkeys(Atom(*part) for part in product(*parts)))
    return sorted(found)


def match_differences(
    old: MatchResources, new: MatchResources, path: FilePath, *, wider: Effect = Effect.STRICTER
) -> Iterator[Difference]:
    """Compare what two match constraints cover."""
    yield from _rule_differences(old, new, path, wider=wider)
    if old.exact != new.exact:
        both = any(_EVERY not in rule.versions for match in (old, new) for rule in match.excluded)
        yield Difference(
            field="matchPolicy",
            effect=Effect.CHANGED if both else wider.inverse if new.exact else wider,
            before=_policy(old),
            after=_policy(new),
            note="for resourceRules and excludeResourceRules alike" if both else "",
            path=(*path, "matchPolicy"),
        )
    for field, before, after in (
        ("namespaceSelector", old.namespace_selector, new.namespace_selector),
        ("objectSelector", old.object_selector, new.object_selector),
    ):
        yield from selector_differences(field, before, after, path, wider=wider)


def _policy(match: MatchResources) -> str:
    return "Exact" if match.exact else "Equivalent"


def _rule_differences(
    old: MatchResources, new: MatchResources, path: FilePath, *, wider: Effect
) -> Iterator[Difference]:
    exact = old.exact and new.exact
    before, after = (atoms(match.rules, exact=exact) for match in (old, new))
    if bool(before) != bool(after):  # only in a binding: no rules are all requests
        effect, shown = (wider.inverse, ("every request", after)) if after else (wider, (before, "every request"))
        yield Difference(
            field="resourceRules", effect=effect, before=_listed(shown[0]), after=_listed(shown[1]), path=path
        )
    else:
        yield from _reach("resourceRules", before, after, path, wider)
    yield from _reach(
        "excludeResourceRules",
        atoms(old.excluded, exact=exact),
        atoms(new.excluded, exact=exact),
        path,
        wider.inverse,
    )


def _reach(field: str, before: list[Atom], after: list[Atom], path: FilePath, wider: Effect) -> Iterator[Difference]:
    lost = [one for one in before if not any(other.covers(one) for other in after)]
    gained = [one for one in after if not any(other.covers(one) for other in before)]
    if lost or gained:
        # With what remains of the lost, or was there before of the gained.
        shown = (
            [one for one in before if one in lost or any(other.covers(one) for other in gained)],
            [one for one in after if one in gained or any(other.covers(one) for other in lost)],
        )
        yield Difference(
            field=field,
            effect=by_reach(lost, gained, wider=wider),
            before=_listed(shown[0]) or None,
            after=_listed(shown[1]) or None,
            path=(*path, field),
        )


def _listed(shown: str | list[Atom]) -> list[str]:
    return [shown] if isinstance(shown, str) else [str(one) for one in shown]


def _resource_covers(pattern: str, other: str) -> bool:
    """``*/*`` covers all, ``*`` all but subresources, ``pods/*`` those of pods. Source: VAP's resourceRules."""
    if pattern in {other, "*/*"}:
        return True
    (resource, _, subresource), (asked, _, below) = pattern.partition("/"), other.partition("/")
    if resource not in {_EVERY, asked}:
        return False
    return subresource == below or (subresource == _EVERY and bool(below))


def selector_differences(
    field: str,
    before: Mapping[str, Any] | None,
    after: Mapping[str, Any] | None,
    path: FilePath,
    *,
    wider: Effect = Effect.STRICTER,
) -> Iterator[Difference]:
    """Compare two label selectors; none, and an empty one, select everything."""
    first, second = requirements(before), requirements(after)
    if first != second:
        yield Difference(
            field=field,
            # What has more requirements selects less.
            effect=by_reach(first - second, second - first, wider=wider.inverse),
            before=sorted(first) or None,
            after=sorted(second) or None,
            path=(*path, field),
        )


def requirements(selector: Mapping[str, Any] | None) -> frozenset[str]:
    """Return what a label selector asks for, in kubectl's words; all must hold."""
    found = {f"{key}={wanted}" for key, wanted in mapping(dict(selector or {}), "matchLabels").items()}
    for expression in mappings(dict(selector or {}), "matchExpressions"):
        key, values = text(expression, "key"), sorted(set(strings(expression, "values")))
        match text(expression, "operator"):
            case "In":
                found.add(f"{key}={values[0]}" if len(values) == 1 else f"{key} in ({','.join(values)})")
            case "NotIn":
                found.add(f"{key}!={values[0]}" if len(values) == 1 else f"{key} notin ({','.join(values)})")
            case "Exists":
                found.add(key)
            case "DoesNotExist":
                found.add(f"!{key}")
            case unknown:  # selects nothing
                found.add(f"{key} {unknown}")
    return frozenset(found)
