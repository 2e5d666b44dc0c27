"""What a record keeps of an object: the fields that are asked for, and of all others that they were there.

Where fields were dropped, the key :data:`DROPPED` lists their names. So a reader can tell a field that was not there
from one that is not on record, whatever was kept when the record was written.

Source, of what is never kept: KubeVirt's VirtualMachineInstance (``spec.volumes[].cloudInit…``,
``spec.domain.firmware.kernelBoot``, the annotations for Ignition and for hook sidecars); ``kubectl apply``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from webhook.model.objects import JSON

DROPPED = "…"
"""Key under which a pruned mapping lists the names of the fields that were dropped from it."""
ANY = "*"
"""In such a list: there were more, or their names are too long to be kept."""
ITEMS = "[]"
"""Step of a path into all items of a list; of a mapping it tells no more than the names in it."""

NEVER = frozenset(
    {
        "userData",
        "userDataBase64",
        "networkData",
        "networkDataBase64",
        "kernelArgs",
        "kubectl.kubernetes.io/last-applied-configuration",
        "kubevirt.io/ignitiondata",
        "hooks.kubevirt.io/hookSidecars",
    }
)
"""Fields that may hold secrets, or a copy of the whole object: never kept, wherever they stand."""
NEVER_ON_TOP = frozenset({"data", "stringData", "binaryData"})
"""What Secrets and ConfigMaps hold: never kept either."""

_CREDENTIALS = re.compile(r"://[^/?#\s]*@")
"""User information in a URL; a text with it is dropped, as one without it would be another. Source: RFC 3986 3.2.1."""

MAX_VALUES = 1000
"""Values kept of one object; a whole HyperConverged has some 300."""
MAX_CHARACTERS = 32 * 1024
"""Characters kept of one object."""
MAX_TEXT = 1024
"""Characters of one text; a longer one is dropped."""
MAX_ITEMS = 100
"""Items of one list; a longer one is dropped."""
MAX_NAMES = 40
"""Names of dropped fields in one mapping."""
MAX_NAME = 128
"""Characters of the name of a field."""
MAX_DEPTH = 9
"""Nesting: with the record around it, no more than the record allows."""

Path: TypeAlias = tuple[str, ...]
_Tree: TypeAlias = "dict[str, _Tree] | None"
"""What is kept below a node: None is everything."""


class _Drop:
    """The value is not kept."""


_DROP = _Drop()


class Pruner:
    """Prunes objects to some fields. Safe to use from many threads."""

    def __init__(self, whole: Iterable[Path], present: Iterable[Path] = ()) -> None:
        """Compile the paths.

        Args:
            whole: Fields that are kept with all below them.
            present: Fields of which no more is kept than that they are there, and of which type.
        """
        self._tree: dict[str, _Tree] = {}
        for path in present:
            _plant(self._tree, path, {})
        for path in whole:
            _plant(self._tree, path, None)

    def prune(self, obj: Mapping[str, Any]) -> dict[str, JSON]:
        """Return what is kept of an object. It shares its parts that are kept whole with it."""
        return _Pruning().mapping(obj, self._tree, 1)


@dataclass(slots=True)
class _Pruning:
    """The pruning of one object: what is left of its bounds."""

    values: int = field(default=MAX_VALUES)
    characters: int = field(default=MAX_CHARACTERS)

    def mapping(self, node: Mapping[str, Any], tree: _Tree, depth: int) -> dict[str, JSON]:
        kept: dict[str, JSON] = {}
        dropped: list[str] = []
        for key, item in node.items():
            below: _Tree | _Drop = None if tree is None else tree.get(key, _DROP)
            secret = key in NEVER or key == DROPPED or (depth == 1 and key in NEVER_ON_TOP)
            found = _DROP if secret or isinstance(below, _Drop) else self._prune(item, below, depth)
            if isinstance(found, _Drop):
                dropped.append(key)
            else:
                kept[key] = found
        if dropped:
            kept[DROPPED] = _names(dropped)
        return kept

    def _prune(self, item: JSON, tree: _Tree, depth: int) -> JSON | _Drop:
        self.values -= 1
        if self.values < 0 or depth > MAX_DEPTH:
            return _DROP
        if isinstance(item, str):
            self.characters -= len(item)
            return item if len(item) <= MAX_TEXT and self.characters >= 0 and not _CREDENTIALS.search(item) else _DROP
        if isinstance(item, dict):  # where a list is gone through there may be a mapping: of which that tells the names
            return self.mapping(item, tree, depth + 1)
        if isinstance(item, list):
            return self._items(item, tree, depth + 1)
        return item

    def _items(self, node: Sequence[JSON], tree: _Tree, depth: int) -> list[JSON] | _Drop:
        if len(node) > MAX_ITEMS:
            return _DROP
        below = None if tree is None else tree.get(ITEMS, {})
        kept = [self._prune(item, below, depth) for item in node]
        return _DROP if any(isinstance(item, _Drop) for item in kept) else kept


def _names(dropped: list[str]) -> list[str]:
    names = sorted(name for name in dropped if len(name) <= MAX_NAME)
    more = len(names) < len(dropped) or len(names) > MAX_NAMES
    return [*names[:MAX_NAMES], ANY] if more else names


def _plant(tree: dict[str, _Tree], path: Path, leaf: _Tree) -> None:
    """Add a path to the tree; the shorter of two that are kept whole wins."""
    *branch, last = path
    for step in branch:
        below = tree.setdefault(step, {})
        if below is None:
            return
        tree = below
    if leaf is None:
        tree[last] = None
    else:
        tree.setdefault(last, {})
