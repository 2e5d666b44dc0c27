"""JSON Patch (RFC 6902) in the dialect that HyperConverged's annotation is read in.

Differences from the RFC: array indexes may be negative and count from the end, a ``test`` for null also holds where
there is nothing, and an empty or null patch does nothing. What stands before the first slash of a pointer is not
looked at; a last step that is empty reads as null. Stricter than Go in three respects: an object that has a key twice
is refused, because Go would merge the two values; and so are very many operations, and a copy of something very large.

Source: ``github.com/evanphx/json-patch/v5`` v5.9.11 ``patch.go`` (``findObject``, ``partialDoc.get``), used by
HyperConverged ``controllers/operands/operand.go``.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, NoReturn, TypeAlias

from webhook.model.objects import JSON, same
from webhook.source.jsontext import DuplicateKeyError, unique

Pointer: TypeAlias = tuple[str, ...]
"""The unescaped steps of a JSON pointer."""

MAX_STEPS = 200
"""Operations in one patch; bounds the work that it can cause."""

MAX_COPIED = 2000
"""Values that one copy operation may duplicate; a whole KubeVirt CR has some hundreds."""

_INDEX = re.compile(r"[+-]?[0-9]{1,9}", re.ASCII)
_WITH_VALUE = frozenset({"add", "replace"})
_WITH_SOURCE = frozenset({"move", "copy"})
_KINDS = _WITH_VALUE | _WITH_SOURCE | {"remove", "test"}


class PatchError(Exception):
    """The patch cannot be read or applied; the message says which operation and why."""


@dataclass(frozen=True, slots=True)
class PatchStep:
    """One operation."""

    kind: str
    path: Pointer
    source: Pointer = ()
    """``from`` of a move or copy; empty is the whole document."""
    value: JSON = None

    def __str__(self) -> str:
        return f"{self.kind} /{'/'.join(self.path)}"


def read_patch(written: str) -> tuple[PatchStep, ...]:
    """Read the text of a patch. Raises PatchError."""
    try:
        operations = json.loads(written, object_pairs_hook=unique, parse_constant=_no_constant)
    except DuplicateKeyError:
        raise PatchError("an object in it has the same key twice") from None
    except (ValueError, RecursionError) as error:
        raise PatchError(f"it is not JSON: {error}") from None
    if operations is None:
        return ()
    if not isinstance(operations, list):
        raise PatchError("it is not a JSON array of operations")
    if len(operations) > MAX_STEPS:
        raise PatchError(f"it has {len(operations)} operations; more than {MAX_STEPS} are not judged")
    return tuple(_step(operation, number) for number, operation in enumerate(operations, start=1))


def _no_constant(written: str) -> NoReturn:
    raise PatchError(f"it is not JSON: {written} is no value")


def _step(operation: JSON, number: int) -> PatchStep:
    kind = operation.get("op") if isinstance(operation, Mapping) else None
    if not isinstance(kind, str) or kind not in _KINDS:
        raise PatchError(f"operation {number} is none of add, remove, replace, move, copy and test")
    if kind in _WITH_VALUE and "value" not in operation:
        raise PatchError(f"operation {number} has no value")
    path = _text(operation, "path", number)
    if not path.startswith("/"):
        raise PatchError(f"operation {number} has no path that begins with /")
    source = _text(operation, "from", number) if kind in _WITH_SOURCE else ""
    if source and "/" not in source:
        raise PatchError(f"operation {number} has a from without /")
    return PatchStep(kind, _pointer(path), _pointer(source), operation.get("value"))


def _text(operation: Mapping[str, Any], key: str, number: int) -> str:
    written = operation.get(key)
    if not isinstance(written, str):
        raise PatchError(f"operation {number} has no {key}")
    return written


def _pointer(written: str) -> Pointer:
    return tuple(step.replace("~1", "/").replace("~0", "~") for step in written.split("/")[1:])


def apply_step(document: JSON, step: PatchStep) -> None:
    """Apply one operation to ``document``, which is changed in place. Raises PatchError; then it may be half done."""
    match step.kind:
        case "add":
            _add(document, step.path, copy.deepcopy(step.value))
        case "replace":
            _get(document, step.path)
            _set(_parent(document, step.path), step.path[-1], copy.deepcopy(step.value))
        case "remove":
            _remove(document, step.path)
        case "copy":
            _add(document, step.path, _duplicate(_get(document, step.source)))
        case "move":
            moved = _get(document, step.source)
            _remove(document, step.source)
            _add(document, step.path, moved)
        case _:
            _test(document, step)


def _duplicate(node: JSON) -> JSON:
    """Copy a value; copies of copies would double the document with every operation."""
    waiting, counted = [node], 0
    while waiting:
        counted += 1
        if counted > MAX_COPIED:
            raise PatchError(f"a copy of more than {MAX_COPIED} values is not judged")
        found = waiting.pop()
        waiting.extend(found.values() if isinstance(found, dict) else found if isinstance(found, list) else ())
    return copy.deepcopy(node)


def _missing(path: Pointer) -> PatchError:
    return PatchError(f"there is nothing at /{'/'.join(path)}")


def _parent(document: JSON, path: Pointer) -> dict[str, JSON] | list[JSON]:
    node = _get(document, path[:-1])
    if not isinstance(node, dict | list):
        raise _missing(path[:-1])
    return node


def _get(document: JSON, path: Pointer) -> JSON:
    """Return what is at a path; an empty step stands for the container, which nothing is known of: it reads as null."""
    if path and path[-1] == "":
        _parent(document, path)
        return None
    node = document
    for step in path:
        if isinstance(node, dict) and step in node and step:
            node = node[step]
        elif isinstance(node, list):
            node = node[_index(step, len(node), path)]
        else:
            raise _missing(path)
    return node


def _index(step: str, length: int, path: Pointer) -> int:
    index = int(step) if _INDEX.fullmatch(step) else length
    if not -length <= index < length:
        raise _missing(path)
    return index % length


def _set(parent: dict[str, JSON] | list[JSON], key: str, item: JSON) -> None:
    if isinstance(parent, dict):
        parent[key] = item
    else:
        parent[_index(key, len(parent), (key,))] = item


def _add(document: JSON, path: Pointer, item: JSON) -> None:
    parent, key = _parent(document, path), path[-1]
    if isinstance(parent, dict):
        parent[key] = item
    elif key == "-":
        parent.append(item)
    else:
        parent.insert(_index(key, len(parent) + 1, path), item)


def _remove(document: JSON, path: Pointer) -> None:
    if not path:
        raise PatchError("the whole document cannot be moved")
    parent, key = _parent(document, path), path[-1]
    if isinstance(parent, list):
        del parent[_index(key, len(parent), path)]
    elif key in parent:
        del parent[key]
    else:
        raise _missing(path)


def _test(document: JSON, step: PatchStep) -> None:
    parent, key = _parent(document, step.path), step.path[-1]
    absent = isinstance(parent, dict) and key not in parent
    found = None if absent else _get(document, step.path)
    if not same(found, step.value):
        raise PatchError(f"the value at /{'/'.join(step.path)} is another than the one it tests for")
