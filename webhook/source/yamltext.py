"""YAML texts into JSON values, as Kubernetes' tools read them rather than as PyYAML does by default.

A duplicate key is an error, dates stay texts, ``52:54:00:12:34:56`` is a MAC address (PyYAML sees a number to base 60),
and what JSON does not have (NaN, binary, sets) is refused. Aliases may repeat a part, but not so often that the result
has more nodes than the text has characters.

The parser's events are read rather than its nodes: composing nodes recurses in C without a bound, and a few kilobytes
of brackets end the process.

Source: sigs.k8s.io/yaml (``UnmarshalStrict``), which kubectl uses.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import yaml

from webhook.model.objects import JSON
from webhook.source.parsed import MAX_DEPTH, TOO_DEEP, FilePath, Parsed, Place, UnparsableError

_LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SCALARS = yaml.constructor.SafeConstructor()
_TAG = "tag:yaml.org,2002:"
_MERGE = _TAG + "merge"
_SECOND_LEVEL = 2
_EXPONENT = re.compile(r"[-+]?[0-9]+[eE][-+]?[0-9]{1,2}")
"""A number to Kubernetes' tools, as in ``memory: 1e9``, but a text to PyYAML, which wants a dot in it."""


def parse(content: str, *, places: bool = False) -> Iterator[Parsed]:
    """Yield the documents of a text; with ``places``, where each of their values starts.

    Raises:
        UnparsableError: with its place, when the reading comes to what is wrong.
    """
    try:
        loader = _LOADER(content)  # refuses control characters at once
        try:
            yield from _documents(loader, content, places=places)
        finally:
            loader.dispose()
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        place = Place(mark.line + 1, mark.column + 1) if mark else None
        raise UnparsableError(
            f"not valid YAML: {error.problem or error.context}", place, "check indentation, quotes and brackets"
        ) from error
    except yaml.YAMLError as error:
        raise UnparsableError(f"not valid YAML: {str(error).splitlines()[0]}", hint="it must be plain text") from error


def _documents(loader: Any, content: str, *, places: bool) -> Iterator[Parsed]:
    loader.get_event()  # the stream starts
    while not loader.check_event(yaml.StreamEndEvent):
        loader.get_event()  # the document starts
        place = _place(loader.peek_event())
        noted: dict[FilePath, Place] = {}
        found = _Reader(loader, content, noted if places else None).node(0)
        loader.get_event()  # the document ends
        yield Parsed(found.value, place, found.places, noted)


def _place(event: Any) -> Place:
    return Place(event.start_mark.line + 1, event.start_mark.column + 1)


def _text_place(event: Any, content: str) -> Place:
    """Where a value starts, with the offset of the first character of a scalar's own text."""
    mark, offset = event.start_mark, event.start_mark.index
    style = getattr(event, "style", None)
    if style in {"|", ">"}:  # the text starts on the line below the indicator
        offset = content.find("\n", offset) + 1 or len(content)
    elif style in {"'", '"'}:
        offset += 1
    return Place(mark.line + 1, mark.column + 1, offset)


@dataclass(frozen=True, slots=True)
class _Node:
    """A value with its size: how many nodes, and how many levels below it.

    ``places`` are where the items start: of a list on the second level, and of ``items`` of the top-level mapping.
    """

    value: JSON
    count: int = 1
    height: int = 0
    places: Sequence[Place] = ()


class _Reader:
    """Reads one document from the parser's events."""

    def __init__(self, loader: Any, content: str, noted: dict[FilePath, Place] | None) -> None:
        self._loader = loader
        self._content = content
        self._noted = noted
        self._path: list[str | int] = []
        self._left = len(content) + 1
        self._anchors: dict[str, _Node] = {}

    def node(self, depth: int) -> _Node:
        """Read the next node, which is ``depth`` levels below the top."""
        event = self._loader.get_event()
        if self._noted is not None:
            self._noted[tuple(self._path)] = _text_place(event, self._content)
        if isinstance(event, yaml.AliasEvent):
            found = self._alias(event)
        elif depth > MAX_DEPTH:
            raise UnparsableError(TOO_DEEP, _place(event), "real objects have under 30")
        elif isinstance(event, yaml.ScalarEvent):
            found = _Node(self._scalar(event))
        elif isinstance(event, yaml.SequenceStartEvent):
            found = self._sequence(event, depth + 1)
        else:
            found = self._mapping(event, depth + 1)
        if depth + found.height > MAX_DEPTH:
            raise UnparsableError(TOO_DEEP, _place(event), "real objects have under 30")
        if event.anchor is not None and not isinstance(event, yaml.AliasEvent):
            self._anchors[event.anchor] = found
        return found

    def _child(self, step: str | int, depth: int) -> _Node:
        self._path.append(step)
        found = self.node(depth)
        self._path.pop()
        return found

    def _alias(self, event: yaml.AliasEvent) -> _Node:
        found = self._anchors.get(event.anchor or "")
        if found is None:
            raise UnparsableError(f"*{event.anchor} names nothing that stands before it", _place(event))
        self._left -= found.count
        if self._left < 0:
            raise UnparsableError("aliases (*name) make this text far larger than it is", _place(event), "write it out")
        return found

    def _sequence(self, event: yaml.SequenceStartEvent, depth: int) -> _Node:
        _check_tag(event, "seq")
        values: list[JSON] = []
        places: list[Place] = []
        count, height = 1, 0
        while not self._loader.check_event(yaml.SequenceEndEvent):
            if depth == _SECOND_LEVEL:
                places.append(_place(self._loader.peek_event()))
            item = self._child(len(values), depth)
            values.append(item.value)
            count, height = count + item.count, max(height, item.height + 1)
        self._loader.get_event()
        return _Node(values, count, height, places)

    def _mapping(self, event: yaml.MappingStartEvent, depth: int) -> _Node:
        _check_tag(event, "map")
        own: dict[str, JSON] = {}
        merged: dict[str, JSON] = {}
        places: Sequence[Place] = ()
        count, height = 1, 0
        while not self._loader.check_event(yaml.MappingEndEvent):
            key = self._loader.get_event()
            if not isinstance(key, yaml.ScalarEvent):
                raise UnparsableError("a key must be a text", _place(key), "quote it")
            item = self._child(str(key.value), depth)
            count, height = count + item.count, max(height, item.height + 1)
            if self._tag(key) == _MERGE:
                merged = {**_merge(key, item.value), **merged}
            elif key.value in own:
                raise UnparsableError(f"the key {key.value!r} is there twice", _place(key), "remove one of them")
            else:
                own[key.value] = item.value
            if key.value == "items" and depth == 1:
                places = item.places
        self._loader.get_event()
        return _Node({**merged, **own} if merged else own, count, height, places)

    def _tag(self, event: yaml.ScalarEvent) -> str:
        """The tag as written, or what the text looks like (``resolve`` knows YAML 1.1's words for it)."""
        if event.tag is not None and event.tag != "!":
            return str(event.tag)
        return str(self._loader.resolve(yaml.ScalarNode, event.value, event.implicit))

    def _scalar(self, event: yaml.ScalarEvent) -> JSON:
        written: str = event.value
        tag = self._tag(event)
        node = yaml.ScalarNode(tag, written)
        match tag.removeprefix(_TAG):
            case "null":
                return None
            case "bool":
                return _SCALARS.construct_yaml_bool(node)
            case "int" if ":" not in written:
                return _SCALARS.construct_yaml_int(node)
            case "float" if ":" not in written:
                return _finite(_SCALARS.construct_yaml_float(node), event)
            case "str" if event.implicit[0] and _EXPONENT.fullmatch(written):
                return float(written)
            case "str" | "timestamp" | "value" | "merge" | "int" | "float":
                return written
            case _:
                raise UnparsableError(f"the YAML tag {tag} has no meaning in a manifest", _place(event), "remove it")


def _check_tag(event: yaml.CollectionStartEvent, expected: str) -> None:
    if event.tag not in {None, "!", _TAG + expected}:
        raise UnparsableError(f"the YAML tag {event.tag} has no meaning in a manifest", _place(event), "remove it")


def _finite(number: float, event: yaml.ScalarEvent) -> float:
    if not math.isfinite(number):
        raise UnparsableError(f"{event.value} is not a number in JSON", _place(event), "quote it if it is a text")
    return number


def _merge(key: yaml.ScalarEvent, value: JSON) -> dict[str, JSON]:
    """What ``<<`` brings: a mapping, or several of which the first counts most."""
    merged: dict[str, JSON] = {}
    for source in value if isinstance(value, list) else [value]:
        if not isinstance(source, dict):
            raise UnparsableError("<< must name mappings", _place(key))
        merged = {**source, **merged}
    return merged
