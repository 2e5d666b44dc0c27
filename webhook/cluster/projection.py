"""Projections: what is kept of an object. Everything else is dropped before the object reaches the store.

A projection is compiled once per resource from its ``keep`` paths. What it returns shares nothing with its input and is
small: keys and repeated strings are interned, because every watch event is decoded on its own and would otherwise bring
its own copy of ``spec``, of the namespace and of each label.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping
from typing import TypeAlias

from webhook.model.facts import WatchedResource
from webhook.model.objects import JSON, Object

_ALWAYS = (
    "apiVersion",
    "kind",
    "metadata.name",
    "metadata.namespace",
    "metadata.uid",
    "metadata.resourceVersion",
    "metadata.labels",
)

_WALK = "[]"
_STEP = re.compile(r"""\.?(?: (?P<walk>\[\]) | \["(?P<quoted>[^"]+)"\] | (?P<plain>[^.\[\]]+) )""", re.VERBOSE)

_UNSHARED = frozenset({"uid", "resourceVersion"})
"""Keys whose values no two objects share; interning them would only grow the interpreter's table."""

_INTERN_LONGEST = 63
"""Characters; a label value or name is never longer, and longer texts are rarely repeated."""

_Tree: TypeAlias = "dict[str, _Tree] | None"
"""What to keep below a node: None is everything, else by key, with ``[]`` for the items of a list."""


class Projection:
    """Prunes objects to the fields that are kept. Immutable; safe to use from many threads."""

    def __init__(self, keep: tuple[str, ...]) -> None:
        """Compile the paths.

        Args:
            keep: Field paths besides apiVersion, kind and metadata's name, namespace, uid, resourceVersion and labels.
                Dotted; ``[]`` walks a list (``spec.volumes[].name``); ``["a.b/c"]`` is a key that holds dots.

        Raises:
            ValueError: a path cannot be read; paths are written by us, so this is a programming error.
        """
        tree: dict[str, _Tree] = {}
        for path in (*_ALWAYS, *keep):
            _plant(tree, _steps(path))
        self._tree = tree

    @classmethod
    def of(cls, watched: WatchedResource) -> Projection:
        """The projection of a watched resource."""
        return cls(watched.keep)

    def prune(self, obj: Object) -> dict[str, JSON]:
        """Return what is kept of ``obj``; pruning twice is pruning once.

        Any JSON is tolerated: what is not of the shape that a path expects is dropped.
        """
        pruned = _prune(obj, self._tree)
        return pruned if isinstance(pruned, dict) else {}


def _steps(path: str) -> list[str]:
    steps: list[str] = []
    position = 0
    while position < len(path):
        found = _STEP.match(path, position)
        if found is None:
            raise ValueError(f"the kept path {path!r} cannot be read from character {position + 1} on")
        steps.append(found["walk"] or found["quoted"] or found["plain"])
        position = found.end()
    if not steps:
        raise ValueError("a kept path is empty")
    return steps


def _plant(tree: dict[str, _Tree], steps: list[str]) -> None:
    *branch, leaf = (sys.intern(step) for step in steps)
    node = tree
    for step in branch:
        below = node.setdefault(step, {})
        if below is None:  # a shorter path keeps all of it already
            return
        node = below
    node[leaf] = None


class _Dropped:
    """What a path asks for is not there, or not of the shape it expects."""


_DROPPED = _Dropped()


def _prune(node: JSON, tree: _Tree) -> JSON | _Dropped:
    if tree is None:
        return _compact(node)
    if isinstance(node, Mapping):
        kept = {}
        for key, below in tree.items():
            if key in node:
                item = node[key] if key in _UNSHARED else _prune(node[key], below)
                if not isinstance(item, _Dropped):
                    kept[key] = item
        return kept
    if isinstance(node, list) and _WALK in tree:
        pruned = [_prune(item, tree[_WALK]) for item in node]
        return [item for item in pruned if not isinstance(item, _Dropped)]
    return _DROPPED


def _compact(node: JSON) -> JSON:
    if isinstance(node, str):
        return sys.intern(node) if type(node) is str and len(node) <= _INTERN_LONGEST else node
    if isinstance(node, Mapping):
        return {sys.intern(str(key)): _compact(item) for key, item in node.items()}
    if isinstance(node, list):
        return [_compact(item) for item in node]
    return node
