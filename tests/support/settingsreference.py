"""What migration settings apply, worked out the slow way: straight from the rules in words, sharing no code with them.

The words are those of KubeVirt and HyperConverged: options come in layers, later wins; of the MigrationPolicies the one
with the most matching pairs applies alone; HCO decodes its patched document into the struct that it had already filled.
"""

from __future__ import annotations

import copy
from typing import Any

Json = dict[str, Any]

KUBEVIRT = {
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "completionTimeoutPerGiB": 150,
    "progressTimeout": 150,
    "allowAutoConverge": False,
    "allowPostCopy": False,
    "network": "",
    "disableTLS": False,
}
"""KubeVirt's own defaults of the fields that the tests draw from."""

_UNTIL_1_18 = {
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "completionTimeoutPerGiB": 150,
    "progressTimeout": 150,
    "allowAutoConverge": False,
    "allowPostCopy": False,
}
HYPERCONVERGED = {
    "1.13.0": {**_UNTIL_1_18, "completionTimeoutPerGiB": 800},
    "1.14.0": _UNTIL_1_18,
    "1.18.2": _UNTIL_1_18,
    "1.20.0": {
        **_UNTIL_1_18,
        "parallelOutboundMigrationsPerNode": 1,
        "completionTimeoutPerGiB": 20,
        "allowWorkloadDisruption": False,
    },
}
"""The defaults of HyperConverged's own CRD, by its release."""

POLICY_FIELDS = {"allowAutoConverge", "completionTimeoutPerGiB", "allowPostCopy", "allowWorkloadDisruption"}


# MigrationPolicy


def winner(policies: list[Json], vmi_labels: dict[str, str], namespace_labels: dict[str, str]) -> str | None:
    """The name of the policy that applies: every pair of both selectors must be there, the most pairs win.

    On a tie the one with more VMI pairs, then the first name in byte order. Without a selectors block a policy matches
    nothing, with an empty one everything; a VMI without any label is matched by all that have one, with score 0.
    """
    candidates = []
    for policy in policies:
        selectors = policy["spec"].get("selectors")
        if selectors is None:
            continue
        on_vmi = set((selectors.get("virtualMachineInstanceSelector") or {}).items())
        on_namespace = set((selectors.get("namespaceSelector") or {}).items())
        if not vmi_labels:
            on_vmi, on_namespace = set(), set()
        if on_vmi - set(vmi_labels.items()) or on_namespace - set(namespace_labels.items()):
            continue
        candidates.append((len(on_vmi) + len(on_namespace), len(on_vmi), policy["metadata"]["name"]))
    if not candidates:
        return None
    candidates.sort(key=lambda found: found[2].encode())
    candidates.sort(key=lambda found: found[:2], reverse=True)  # stable: among equals the names stay in order
    return str(candidates[0][2])


def effective(
    *,
    kubevirt: Json | None,
    hyperconverged: tuple[Json, str, list[tuple[str, Any]]] | None,
    policies: list[Json],
    vmi_labels: dict[str, str],
    namespace_labels: dict[str, str],
) -> Json:
    """The settings in force for a VMI, layer by layer.

    ``kubevirt`` is the migration configuration of the KubeVirt CR; ``hyperconverged`` (own fields, release, what the
    annotation adds) counts where that CR is not known. Null is unset everywhere, but in the annotation it clears.
    """
    layer: Json = {}
    if kubevirt is not None:
        layer = {name: item for name, item in kubevirt.items() if item is not None}
    elif hyperconverged is not None:
        fields, release, added = hyperconverged
        layer = dict(HYPERCONVERGED[release])
        layer.update({name: item for name, item in fields.items() if item is not None})
        for name, item in added:
            layer[name] = item
        layer = {name: item for name, item in layer.items() if item is not None}
    settings: Json = {**KUBEVIRT, **layer}
    settings.setdefault("allowWorkloadDisruption", settings["allowPostCopy"])
    applying = winner(policies, vmi_labels, namespace_labels)
    for policy in policies:
        if policy["metadata"]["name"] == applying:
            said = {key: item for key, item in policy["spec"].items() if key in POLICY_FIELDS and item is not None}
            if "allowPostCopy" in said:
                said.setdefault("allowWorkloadDisruption", said["allowPostCopy"])
            settings.update(said)
    return settings


# The jsonpatch annotation


class CannotRenderError(Exception):
    """HCO fails on the patch."""


INSIDE = "/spec/configuration/migrations"
BOOLEANS = ("allowAutoConverge", "allowPostCopy", "allowWorkloadDisruption", "disableTLS")
NUMBERS = ("completionTimeoutPerGiB", "progressTimeout")


def rendered_with_patch(operations: list[Json], filled: Json) -> Json:
    """The migration configuration that HCO ends up with. Raises CannotRenderError.

    ``filled`` is what it rendered from its own fields. One thing is not HCO's: a copy or move from outside of the
    migration configuration is an error, because what is there is not known.
    """
    document: Any = {"spec": {"configuration": {"migrations": copy.deepcopy(filled)}}}
    for operation in operations:
        if operation["op"] in {"copy", "move"} and not f"{operation['from']}/".startswith(f"{INSIDE}/"):
            raise CannotRenderError(operation)
        _operate(document, operation)
    return _decode(document, filled)


def _walk(document: Any, steps: list[str]) -> Any:
    for step in steps:
        if not isinstance(document, dict) or step not in document:
            raise CannotRenderError(steps)
        document = document[step]
    return document


def _operate(document: Any, operation: Json) -> None:
    *parents, last = operation["path"][1:].split("/")
    *from_parents, from_last = operation.get("from", INSIDE)[1:].split("/")
    kind, value = operation["op"], copy.deepcopy(operation.get("value"))
    if kind in {"copy", "move"}:
        value = copy.deepcopy(_walk(document, [*from_parents, from_last]))
    if kind == "move":
        del _walk(document, from_parents)[from_last]
    parent = _walk(document, parents)
    if not isinstance(parent, dict):
        raise CannotRenderError(operation)
    if kind in {"replace", "remove"} and last not in parent:
        raise CannotRenderError(operation)
    if kind == "remove":
        del parent[last]
    elif kind == "test":
        found = parent.get(last)  # what is absent equals null
        if repr(found) != repr(value) and not (isinstance(found, dict) and found == value):
            raise CannotRenderError(operation)
    else:
        parent[last] = value


def _decode(document: Any, filled: Json) -> Json:
    """Go's decoder into a struct: keys in any case, in document order; what is absent stays; null clears a pointer."""
    struct = dict(filled)
    for configuration in _in_any_case(document["spec"], "configuration"):
        if configuration is None:
            continue
        for migrations in _in_any_case(configuration, "migrations"):
            if migrations is None:
                struct = {}
                continue
            if not isinstance(migrations, dict):
                raise CannotRenderError(migrations)
            for field, value in migrations.items():
                _decode_field(struct, field, value)
    return struct


def _in_any_case(node: Any, wanted: str) -> list[Any]:
    if not isinstance(node, dict):
        raise CannotRenderError(node)
    return [item for key, item in node.items() if key.lower() == wanted]


def _decode_field(struct: Json, key: str, value: Any) -> None:
    for name in (*BOOLEANS, *NUMBERS):
        if name.lower() != key.lower():
            continue
        if value is None:
            struct.pop(name, None)
        elif type(value) is (bool if name in BOOLEANS else int):
            struct[name] = value
        else:
            raise CannotRenderError(name)
