"""What a mutation's expression gave, as an RFC 6902 JSON Patch that is proven to apply.

Two styles, as in MutatingAdmissionPolicy: ``JSONPatch`` gives a list of operations, ``ApplyConfiguration`` a partial
object that is merged in: maps key by key, everything else (lists too, as for a custom resource without list types)
replaced whole.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping

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


class _TestFailedError(EvaluationError):
    """A ``test`` operation does not hold."""


def as_patch(result: JSON, target: Object | None, *, json_patch: bool) -> tuple[PatchOperation, ...]:
    """Return the operations for what a mutation's expression gave; none when the object already is as wanted.

    A ``test`` that does not hold means that nothing is to be changed. Raises EvaluationError when it is not a patch,
    would change the object's identity, or does not apply to ``target``.

    Source: Kubernetes ``admission/plugin/policy/mutating/patch``.
    """
    if target is None:
        raise EvaluationError("there is no object to change")
    operations = tuple(_listed(result)) if json_patch else tuple(_merged(result, target))
    if len(operations) > MAX_OPERATIONS:
        raise EvaluationError(f"the patch has {len(operations)} operations; {MAX_OPERATIONS} are allowed")
    for operation in operations:
        _check_identity(operation)
    try:
        changed = apply(operations, target)
    except _TestFailedError:
        return ()
    return () if same(changed, target) else operations


def apply(patch: tuple[PatchOperation, ...], target: Object) -> Object:
    """Return a changed copy of ``target``. Raises EvaluationError when an operation does not apply."""
    try:
        changed: Object = jsonpatch.apply_patch(target, [dict(operation) for operation in patch])
    except jsonpatch.JsonPatchTestFailed as error:
        raise _TestFailedError(f"the patch does not apply: {error}") from error
    except (jsonpatch.JsonPatchException, jsonpointer.JsonPointerException, TypeError, KeyError, IndexError) as error:
        raise EvaluationError(f"the patch does not apply: {error}") from error
    if not isinstance(changed, dict):
        raise EvaluationError("the patch replaces the whole object by something that is not one")
    return changed


def _listed(result: JSON) -> Iterator[PatchOperation]:
    if not isinstance(result, list):
        raise EvaluationError("a JSONPatch mutation must give a list of operations")
    _check_values(result, "")
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


def _merged(result: JSON, target: Object) -> Iterator[PatchOperation]:
    if not isinstance(result, Mapping):
        raise EvaluationError("an ApplyConfiguration mutation must give a partial object")
    _check_values(result, "", nulls=False)
    yield from _merge(result, target, "")


def _merge(result: Object, target: Object, path: str) -> Iterator[PatchOperation]:
    for key, wanted in sorted(result.items()):  # maps of CEL have no order, and the same request gets the same answer
        here = f"{path}/{key.replace('~', '~0').replace('/', '~1')}"
        present = target.get(key)
        if isinstance(wanted, Mapping) and isinstance(present, Mapping):
            yield from _merge(wanted, present, here)
        elif key not in target or not same(present, wanted):
            yield {"op": "add", "path": here, "value": wanted}


def _check_values(node: JSON, where: str, *, nulls: bool = True) -> None:
    """Refuse what CEL has and JSON has not; and null, where it would mean to remove a field."""
    if isinstance(node, Mapping):
        for key, item in node.items():
            if not isinstance(key, str):
                raise EvaluationError(f"the mutation gives a key that is not a string: {where}/{key}")
            _check_values(item, f"{where}/{key}", nulls=nulls)
    elif isinstance(node, list):
        for index, item in enumerate(node):
            _check_values(item, f"{where}/{index}", nulls=nulls)
    elif node is None and not nulls:
        raise EvaluationError(f"the partial object sets {where} to null; use a JSONPatch to remove a field")
    elif not _is_scalar(node):
        kind = node if isinstance(node, float) else type(node).__name__
        raise EvaluationError(f"the mutation gives {kind} at {where}, which JSON does not have")


def _is_scalar(node: JSON) -> bool:
    return math.isfinite(node) if isinstance(node, float) else isinstance(node, bool | int | str | None)


def same(left: JSON, right: JSON) -> bool:
    """Equality of JSON values, which tells true from 1."""
    if isinstance(left, Mapping) and isinstance(right, Mapping):
        return left.keys() == right.keys() and all(same(item, right[key]) for key, item in left.items())
    if isinstance(left, list) and isinstance(right, list):
        return len(left) == len(right) and all(map(same, left, right))
    return isinstance(left, bool) == isinstance(right, bool) and bool(left == right)


def _check_identity(operation: PatchOperation) -> None:
    touched = [] if operation["op"] == "test" else [operation["path"]]
    if operation["op"] == "move":
        touched.append(operation["from"])
    for pointer in touched:
        if any(pointer == fixed or fixed.startswith(f"{pointer}/") for fixed in IDENTITY):
            raise EvaluationError(f"a mutation may not change {pointer or 'the whole object'}")
