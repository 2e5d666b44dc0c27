"""What a snapshot does not hold of the objects that policies judge: a verdict on it would be blind, and is named."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping

from webhook.impact.scanning.scannable import Scannable, deciding
from webhook.model.facts import WatchedResource
from webhook.offline.snapshot import KEPT
from webhook.policy.celsyntax import parse
from webhook.policy.compiled import CompiledPolicy

_ALWAYS = ("apiVersion", "kind", "metadata.name", "metadata.namespace", "metadata.labels")
_STEP = re.compile(r"\[\].*")
"""A list and what of its items is kept: that anything is, is as much as can be told of an expression that walks it."""


def unkept(policies: Scannable, resources: Iterable[WatchedResource] = KEPT) -> Mapping[str, tuple[str, ...]]:
    """Return the policies that decide by fields of objects which a snapshot leaves out, with those fields.

    Single annotations are kept; a policy that reads any is among them.
    """
    kept = {(one.resource.group, one.resource.resource): _paths(one) for one in resources}
    found: dict[str, tuple[str, ...]] = {}
    for policy in policies.objects:
        held = [paths for (group, name), paths in kept.items() if policies.judges(policy, group, name)]
        missing = sorted({field for field in _fields(policy) for paths in held if not _holds(paths, field)})
        if missing:
            found[policy.name] = tuple(missing)
    return found


def _paths(watched: WatchedResource) -> tuple[str, ...]:
    return (*_ALWAYS, *(_STEP.sub("", path) for path in watched.keep if '["' not in path))


def _fields(policy: CompiledPolicy) -> Iterator[str]:
    """The longest chains of fields of ``object`` that decide."""
    for expression in deciding(policy):
        chains = {node.dotted for node in parse(expression.source.text).walk()}
        for chain in chains:
            root, _, field = chain.partition(".")
            if root == "object" and field and not any(other.startswith(f"{chain}.") for other in chains):
                yield field


def _holds(paths: Iterable[str], field: str) -> bool:
    return any(field == path or field.startswith(f"{path}.") or path.startswith(f"{field}.") for path in paths)
