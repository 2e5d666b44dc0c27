"""What a mutation's expression gave, as an RFC 6902 JSON Patch that is proven to apply.

Two styles, as in MutatingAdmissionPolicy: ``JSONPatch`` gives a list of operations, ``ApplyConfiguration`` a partial
object that is merged in: maps key by key, everything else (lists too, as for a custom resource without list types)
replaced whole.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import jsonpatch
import jsonpointer

from webhook.model.decision import PatchOperation
from webhook.model.objects import JSON, Object
from webhook.policy.cel import EvaluationError

OPERATIONS: Mapping[str, frozenset[str]] = {
    "add": frozenset({"path", "value"}),
    "replace": frozenset({"path", "value"}),
    "test": frozenset({"path", "value"}),
    "remove": frozenset({"path"}),
    "copy": frozenset({"path", "from"}),
    "move": frozenset({"path", "from"}),
}
"""Which members each operation needs; Source: RFC 6902 section 4."""

IDENTITY = ("/apiVersion", "/kind", "/metadata/name", "/metadata/namespace", "/metadata/uid", "/metadata/generateName")
"""What makes an object that object; the API server refuses a change of these."""

MAX_OPERATIONS = 100
"""A default sets a few fields; a longer patch is a mistake in a policy and would slow the API server's write path."""


def as_patch(result: JSON, target: Object | None, *, json_patch: bool) -> tuple[PatchOperation, ...]:
    """Return the operations for what a mutation's expression gave; none when the object already is as wanted.

    Raises EvaluationError when it is not a patch, would change the object's identity, or does not apply to ``target``.
    """
    if target is None:
        raise EvaluationError("there is no object to change")
    operations = tuple(_listed(result)) if json_patch else tuple(_merged(result, target))
    if len(operations) > MAX_OPERATIONS:
        raise EvaluationError(f"the patch has {len(operations)} operations; {MAX_OPERATIONS} are allowed")
    for operation in operations:
        _check_identity(operation)
    return operations if apply(operations, target) != target else ()


def apply(patch: tuple[PatchOperation, ...], target: Object) -> Object:
    """Return a changed copy of ``target``. Raises EvaluationError when an operation does not apply."""
    try:
        changed: Object = jsonpatch.apply_patch(target, [dict(operation) for operation in patch])
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError) as error:
        raise EvaluationError(f"the patch does not apply: {error}") from error
    if not isinstance(changed, dict):
        raise EvaluationError("the patch replaces the whole object by something that is not one")
    return changed


def _listed(result: JSON) -> Iterator[PatchOperation]:
    if not isinstance(result, list):
        raise EvaluationError("a JSONPatch mutation must give a list of operations")
    for index, item in enumerate(result):
        name = item.get("op") if isinstance(item, Mapping) else None
        needed = OPERATIONS.get(name) if isinstance(name, str) else None
        if needed is None:
            raise EvaluationError(f"operation {index} has no 'op' that is one of {', '.join(OPERATIONS)}")
        if set(item) != needed | {"op"}:
            raise EvaluationError(f"operation {index} ('{name}') needs exactly op, {', '.join(sorted(needed))}")
        if not all(isinstance(item[key], str) for key in needed & {"path", "from"}):
            raise EvaluationError(f"operation {index} ('{name}'): path and from are strings")
        yield item


def _merged(result: JSON, target: Object, path: str = "") -> Iterator[PatchOperation]:
    if not isinstance(result, Mapping):
        raise EvaluationError("an ApplyConfiguration mutation must give a partial object")
    for key, wanted in result.items():
        if not isinstance(key, str):
            raise EvaluationError(f"the partial object has a key that is not a string: {key!r}")
        here = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        if wanted is None:
            raise EvaluationError(f"the partial object sets {here} to null; use a JSONPatch to remove a field")
        present = target.get(key)
        if isinstance(wanted, Mapping) and isinstance(present, Mapping):
            yield from _merged(wanted, present, here)
        elif key not in target or not _same(present, wanted):
            yield {"op": "add", "path": here, "value": wanted}


def _same(left: Any, right: Any) -> bool:
    """Equality that tells true from 1."""
    return type(left) is type(right) and left == right


def _check_identity(operation: PatchOperation) -> None:
    touched = [] if operation["op"] == "test" else [operation["path"]]
    if operation["op"] == "move":
        touched.append(operation["from"])
    for pointer in touched:
        if any(pointer == fixed or fixed.startswith(f"{pointer}/") for fixed in IDENTITY):
            raise EvaluationError(f"a mutation may not change {pointer or 'the whole object'}")
