"""Projections: what is kept of an object. Everything else is dropped before the object reaches the store.

A projection is compiled once per resource from its ``keep`` paths. What it returns shares nothing with its input and is
small because it shares much with what was returned before: strings and equal parts (the access modes of a volume, a
network interface, a condition) are held once for all objects. Every watch event is decoded on its own and would
otherwise bring its own copy of each. So what is returned must never be written, as the ClusterView port says.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from typing import TypeAlias

from webhook.model.facts import WatchedResource
from webhook.model.fieldpath import steps
from webhook.model.objects import JSON, Object

_ALWAYS = (
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
)
_LABELS = ("metadata", "labels")

_WALK = "[]"
_UNSHARED = frozenset({"uid", "resourceVersion"})
"""Keys whose values no two objects share; interning them would only grow the interpreter's table."""

_INTERN_LONGEST = 63
"""Characters; a label value or name is never longer, and longer texts are rarely repeated."""

_PARTS = 5_000
"""How many parts are remembered for sharing; when they are that many, all are forgotten and learned anew."""

_Tree: TypeAlias = "dict[str, _Tree] | None"
"""What to keep below a node: None is everything, else by key, with ``[]`` for the items of a list."""


class _Dropped:
    """What a path asks for is not there, or not of the shape it expects."""


_DROPPED = _Dropped()


class Projection:
    """Prunes objects to the fields that are kept. Safe to use from many threads."""

    def __init__(self, keep: tuple[str, ...], labels: tuple[str, ...] | None = None) -> None:
        """Compile the paths.

        Args:
            keep: Field paths besides apiVersion, kind and metadata's name, namespace, uid, resourceVersion and labels.
                Dotted; ``[]`` walks a list (``spec.volumes[].name``); ``["a.b/c"]`` is a key that holds dots.
            labels: Keys of the labels that are kept; None keeps all.

        Raises:
            ValueError: a path cannot be read; paths are written by us, so this is a programming error.
        """
        tree: dict[str, _Tree] = {}
        for path in (*_ALWAYS, *keep):
            _plant(tree, steps(path))
        for label in (_LABELS,) if labels is None else ((*_LABELS, key) for key in labels):
            _plant(tree, label)
        self._tree = tree
        self._parts: dict[tuple[object, ...], JSON] = {}

    @classmethod
    def of(cls, watched: WatchedResource) -> Projection:
        """The projection of a watched resource."""
        return cls(watched.keep, watched.labels)

    def prune(self, obj: Object) -> dict[str, JSON]:
        """Return what is kept of ``obj``; pruning twice is pruning once.

        Any JSON is tolerated: what is not of the shape that a path expects is dropped.
        """
        pruned = self._prune(obj, self._tree)
        return pruned if isinstance(pruned, dict) else {}

    def _prune(self, node: JSON, tree: _Tree) -> JSON | _Dropped:
        if tree is None:
            return self._compact(node)
        if isinstance(node, Mapping):
            kept = {}
            for key, below in tree.items():
                if key in node:
                    item = node[key]
                    if key not in _UNSHARED or not isinstance(item, str):
                        item = self._prune(item, below)
                    if not isinstance(item, _Dropped):
                        kept[key] = item
            return self._shared(kept)
        if isinstance(node, list) and _WALK in tree:
            pruned = [self._prune(item, tree[_WALK]) for item in node]
            return self._shared([item for item in pruned if not isinstance(item, _Dropped)])
        return _DROPPED

    def _compact(self, node: JSON) -> JSON:
        if isinstance(node, str):
            return sys.intern(node) if type(node) is str and len(node) <= _INTERN_LONGEST else node
        if isinstance(node, Mapping):
            return self._shared({sys.intern(str(key)): self._compact(item) for key, item in node.items()})
        if isinstance(node, list):
            return self._shared([self._compact(item) for item in node])
        return node

    def _shared(self, part: dict[str, JSON] | list[JSON]) -> JSON:
        """Return an equal part that was made before, else this one; what it holds has been through here already."""
        if isinstance(part, dict):
            marks: tuple[object, ...] = (dict, *part, *map(_mark, part.values()))
        else:
            marks = (list, *map(_mark, part))
        known = self._parts.get(marks)
        if known is not None:
            return known
        if len(self._parts) >= _PARTS:
            self._parts.clear()
        self._parts[marks] = part
        return part


def _mark(item: JSON) -> object:
    """Return what tells a value from all others, in constant time.

    A part is told by its address; nothing else can take that, as what holds the part is remembered beside the mark.
    """
    if isinstance(item, str):
        return item
    return (type(item), id(item)) if isinstance(item, dict | list) else (type(item), item)


def _plant(tree: dict[str, _Tree], steps: Sequence[str]) -> None:
    *branch, leaf = (sys.intern(step) for step in steps)
    node = tree
    for step in branch:
        below = node.setdefault(step, {})
        if below is None:  # a shorter path keeps all of it already
            return
        node = below
    node[leaf] = None
