"""What a record says of fields that were there and are not on record, see :mod:`webhook.audit.pruning`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.audit.pruning import ANY, DROPPED, ITEMS
from webhook.model.objects import JSON, items, strings
from webhook.policy.fieldsread import FieldPath, FieldsRead


def restored(node: JSON) -> JSON:
    """A recorded value in which null stands for what was dropped, so that it has the names that it had.

    Only what :func:`hidden` does not name may be read of it.
    """
    if isinstance(node, dict):
        names = dict.fromkeys(name for name in strings(node, DROPPED) if name != ANY)
        return names | {key: restored(item) for key, item in node.items() if key != DROPPED}
    return [restored(item) for item in node] if isinstance(node, list) else node


def marked(node: JSON) -> bool:
    """Say whether anything was dropped from a recorded value."""
    if isinstance(node, dict):
        return DROPPED in node or any(map(marked, node.values()))
    return isinstance(node, list) and any(map(marked, node))


def hidden(roots: Mapping[str, JSON], read: FieldsRead) -> str:
    """The first field among those read that was there and is not on record; empty if all are."""
    for path in read.paths:
        if _hidden(roots.get(path[0]), path[1:], whole=path in read.whole):
            return ".".join(path).replace(f".{ITEMS}", ITEMS)
    return ""


def _hidden(node: JSON, path: FieldPath, *, whole: bool) -> bool:
    if not path:
        return whole and marked(node)
    step, *rest = path
    if isinstance(node, list):
        return any(_hidden(item, tuple(rest), whole=whole) for item in node) if step == ITEMS else marked(node)
    if not isinstance(node, dict):
        return False
    if step == ITEMS:  # its keys, and nothing else
        return ANY in items(node, DROPPED)
    if step in node:
        return _hidden(node[step], tuple(rest), whole=whole)
    return dropped(node, step)


def dropped(node: Mapping[str, Any], key: str) -> bool:
    """Say whether this field of a recorded mapping was there and is not on record."""
    names = node.get(DROPPED)
    return isinstance(names, list) and (key in names or ANY in names)
