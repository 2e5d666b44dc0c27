"""How Go's ``encoding/json`` finds the fields of a struct: whatever the case of the keys, in document order.

Source: Go ``encoding/json`` ``decode.go`` (``object``), ``fold.go`` (``foldName``).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook.model.objects import JSON


def fold(key: str) -> str:
    """Fold case as Go does: one character for one. The long s is an s, the Kelvin sign a k."""
    return "".join(folded if len(folded := character.casefold()) == 1 else character for character in key)


def members(node: Mapping[str, JSON], name: str) -> Iterator[tuple[str, JSON]]:
    """Yield each key of a map that Go decodes into the field of this name, with its value; the last one wins."""
    wanted = fold(name)
    return ((key, item) for key, item in node.items() if fold(key) == wanted)
