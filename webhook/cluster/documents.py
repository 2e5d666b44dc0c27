"""Reading one YAML or JSON file into objects, lists taken apart, each with the place where it stands.

Files are foreign: their size is bounded here, their depth and the expansion of their aliases where they are parsed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from webhook.errors import InputError, Problem
from webhook.model.objects import JSON, text
from webhook.source import jsontext, yamltext
from webhook.source.files import read
from webhook.source.parsed import Parsed, Place, UnparsableError

MAX_BYTES = 256 * 1024 * 1024
"""Per file, so that a mistaken path (a disk image) is refused at once; 10,000 VMs with their claims are about 60 MB."""


@dataclass(frozen=True, slots=True)
class Found:
    """One object of a file and where it starts."""

    path: Path
    place: Place
    value: dict[str, JSON]

    @property
    def where(self) -> str:
        """``file:line:column``."""
        return f"{self.path}:{self.place}"

    def problem(self, message: str, hint: str = "") -> Problem:
        """A problem at this place."""
        return Problem(self.where, message, hint)

    def with_value(self, value: dict[str, JSON]) -> Found:
        """The same place with another object."""
        return replace(self, value=value)


def read_file(path: Path) -> Iterator[Found | Problem]:
    """Yield the objects of a file, and a Problem for what is not one.

    Parsing ends at the first thing that is neither YAML nor JSON; documents before it have been yielded.
    """
    content = _text_of(path)
    if isinstance(content, Problem):
        yield content
        return
    parse = jsontext.parse if path.suffix.lower() == ".json" else yamltext.parse
    try:
        for document in parse(content):
            yield from _objects(path, document)
    except UnparsableError as error:
        where = f"{path}:{error.place}" if error.place else str(path)
        yield Problem(where, error.message, error.hint)


def _text_of(path: Path) -> str | Problem:
    try:
        return read(path, limit=MAX_BYTES)
    except InputError as error:
        return Problem(error.where, error.message, error.hint)


def _objects(path: Path, document: Parsed) -> Iterator[Found | Problem]:
    """Take a list apart: ``v1`` ``List``, or a typed one, whose items may leave out their type."""
    value = document.value
    if value is None:  # an empty document, as between two separators
        return
    if not isinstance(value, dict):
        yield Problem(f"{path}:{document.place}", "a manifest must be a mapping", "expected apiVersion, kind, metadata")
        return
    kind = text(value, "kind")
    if not kind.endswith("List") or "items" not in value:
        yield Found(path, document.place, value)
        return
    items = value["items"]
    if not isinstance(items, list):
        if items is not None:
            yield Problem(f"{path}:{document.place}", f"items of the {kind} is not a list")
        return
    implied = {} if kind == "List" else {"apiVersion": value.get("apiVersion"), "kind": kind.removesuffix("List")}
    for item, place in zip(items, document.items, strict=True):
        if isinstance(item, dict):
            yield Found(path, place, {**implied, **item})
        else:
            yield Problem(f"{path}:{place}", f"an item of the {kind} is not a mapping")
