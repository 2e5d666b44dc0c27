"""What parsing a text into JSON values gives: values with places, or the reason why not."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook.model.objects import JSON

MAX_DEPTH = 100
"""Levels of nesting; real objects have under 30."""

TOO_DEEP = f"nested deeper than {MAX_DEPTH} levels"


FilePath: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands in a document: keys and list indexes from the root."""


@dataclass(frozen=True, slots=True)
class Place:
    """Line and column, from 1 on; ``offset`` is where the text of a scalar begins, in characters from the start."""

    line: int
    column: int
    offset: int = 0

    def __str__(self) -> str:
        return f"{self.line}:{self.column}"


@dataclass(frozen=True, slots=True)
class Parsed:
    """One document; ``items`` are the places of the items of its top-level list ``items``, if it has one."""

    value: JSON
    place: Place
    items: Sequence[Place] = ()
    places: Mapping[FilePath, Place] = field(default_factory=dict)
    """Where every value starts; only noted when asked for."""


class UnparsableError(Exception):
    """A text is not what it should be; never leaves the package, its readers make a Problem of it."""

    def __init__(self, message: str, place: Place | None = None, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.place = place
        self.hint = hint
