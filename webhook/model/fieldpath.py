"""Paths of fields as :class:`webhook.model.facts.WatchedResource` writes them in ``keep``."""

from __future__ import annotations

import re

_STEP = re.compile(r"""\.?(?: (?P<items>\[\]) | \["(?P<quoted>[^"]+)"\] | (?P<plain>[^.\[\]]+) )""", re.VERBOSE)


def steps(path: str) -> tuple[str, ...]:
    """Read a path: ``spec.volumes[].name``, ``metadata.annotations["a.b/c"]``; ``[]`` walks the items of a list.

    Raises:
        ValueError: It is empty, or cannot be read.
    """
    found: list[str] = []
    position = 0
    while position < len(path):
        step = _STEP.match(path, position)
        if step is None:
            raise ValueError(f"the kept path {path!r} cannot be read from character {position + 1} on")
        found.append(step["items"] or step["quoted"] or step["plain"])
        position = step.end()
    if not found:
        raise ValueError("a kept path is empty")
    return tuple(found)
