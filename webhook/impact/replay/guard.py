"""Objects of a record for facts that are computed anew: what was dropped cannot be taken for absent."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from webhook.audit.pruning import ANY, DROPPED
from webhook.impact.replay.marks import dropped
from webhook.model.objects import JSON


class HiddenError(Exception):
    """A fact asked for a field that was dropped."""


def guarded(node: JSON) -> JSON:
    """Return a recorded value of which a fact may read all but what was dropped."""
    if isinstance(node, dict):
        kept = {key: guarded(item) for key, item in node.items() if key != DROPPED}
        return _Guarded(kept, node) if DROPPED in node else kept
    return [guarded(item) for item in node] if isinstance(node, list) else node


def nothing() -> JSON:
    """An object of which no field is known."""
    return _Guarded({}, {DROPPED: [ANY]})


class _Guarded(dict[str, Any]):
    """A mapping that does not pretend that what was dropped was never there."""

    def __init__(self, kept: Mapping[str, Any], marks: Mapping[str, Any]) -> None:
        super().__init__(kept)
        self._marks = marks

    def _check(self, key: object) -> None:
        if isinstance(key, str) and not super().__contains__(key) and dropped(self._marks, key):
            raise HiddenError(f"field {key}")

    def __contains__(self, key: object) -> bool:
        self._check(key)
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self._check(key)
        return super().__getitem__(key)

    def get(self, key: str, default: Any = None) -> Any:
        self._check(key)
        return super().get(key, default)

    def _whole(self, *_: object) -> Any:
        raise HiddenError("the whole of a mapping")

    __iter__ = __len__ = __eq__ = keys = items = values = copy = __or__ = __ror__ = _whole
    __hash__ = None
