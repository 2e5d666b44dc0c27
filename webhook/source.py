"""Files of YAML or JSON documents, read with positions, so that every later error can say file:line:column.

Stricter than YAML: duplicate keys, keys that are not strings, and documents that expand beyond all reason are errors.
Values are what Kubernetes would see: timestamps stay the strings they were written as.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import yaml

from webhook.errors import InputError, Problem
from webhook.model.objects import JSON

Loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

FilePath: TypeAlias = "tuple[str | int, ...]"
"""Where a value stands in a document: keys and list indexes from the root."""

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 16 * 1024 * 1024
"""A file larger than this is refused unread: 16 MiB, ten times what etcd would store of one object."""
MAX_NODES = 2_000_000
"""Values in one file after YAML aliases are expanded; stops alias bombs."""
MAX_DEPTH = 100
"""Nesting of one document; Kubernetes objects stay far below 50."""

_TIMESTAMP = "tag:yaml.org,2002:timestamp"


@dataclass(frozen=True, slots=True)
class Position:
    """A place in a file; line and column count from 1."""

    line: int
    column: int
    offset: int
    """Where the text of a scalar begins, in characters from the start of the file."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    file: str
    value: JSON
    text: str = field(repr=False)
    """The whole file."""
    positions: dict[FilePath, Position] = field(repr=False)

    def where(self, path: FilePath = ()) -> str:
        """``file:line:column`` of the value at ``path``, or of the nearest thing around it."""
        while path not in self.positions and path:
            path = path[:-1]
        position = self.positions[path]
        return f"{self.file}:{position.line}:{position.column}"

    def where_in_text(self, path: FilePath, offset: int) -> str:
        """``file:line:column`` of the character at ``offset`` of the string that stands at ``path``.

        YAML folds and indents, so the place is found by counting the characters that are not white space: those are
        the same in the file and in the value (but for escapes in double quotes, where the place may be a few columns
        off).
        """
        text = self.value_at(path)
        position = self.positions.get(path)
        if position is None or not isinstance(text, str):
            return self.where(path)
        wanted = sum(not character.isspace() for character in text[:offset])
        at = position.offset
        while at < len(self.text) and (wanted or self.text[at].isspace()):
            wanted -= not self.text[at].isspace()
            at += 1
        line = self.text.count("\n", 0, at) + 1
        return f"{self.file}:{line}:{at - self.text.rfind(chr(10), 0, at)}"

    def value_at(self, path: FilePath) -> JSON:
        """The value at ``path``, or None."""
        node = self.value
        for key in path:
            try:
                node = node[key]
            except (KeyError, IndexError, TypeError):
                return None
        return node


def find(paths: list[Path], *, skip: frozenset[str] = frozenset()) -> list[Path]:
    """List the YAML and JSON files in these directories (recursively) and files, in stable order.

    Names that begin with a dot are left out, which is what makes a mounted ConfigMap (``..data`` and its symlinks)
    read once. ``skip`` names folders that are not entered. Raises InputError for a path that is missing, unreadable
    or holds no such file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError(
                "no such file or directory", where=str(path), hint="check the path; it is relative to where you are"
            )
        files = list(_walk(path, skip)) if path.is_dir() else [path]
        if not files:
            raise InputError(
                f"holds no {', '.join(SUFFIXES)} file", where=str(path), hint="is this the right directory?"
            )
        found.update(dict.fromkeys(files))
    return list(found)


def _walk(folder: Path, skip: frozenset[str]) -> Iterator[Path]:
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(folder)) from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name in skip:
            continue
        if entry.is_dir():
            yield from _walk(entry, skip)
        elif entry.suffix in SUFFIXES:
            yield entry


def read(path: Path) -> str:
    """Return a file's text. Raises InputError when it cannot be read, is too large or is not UTF-8."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=str(path)) from error
    if len(content) > MAX_FILE_BYTES:
        raise InputError(f"is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB", where=str(path), hint="split the file")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8: byte {error.start}", where=str(path)) from error


def parse(text: str, file: str) -> tuple[list[Document], list[Problem]]:
    """Read all documents of a file's text; a broken one is a problem and ends the file, empty ones are left out."""
    loader = Loader(text)
    documents: list[Document] = []
    try:
        while loader.check_node():
            reader = _Reader(loader, text, file)
            value = reader.convert(loader.get_node(), ())
            if reader.problems:
                return documents, reader.problems
            if value is not None:
                documents.append(Document(file, value, text, reader.positions))
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        where = f"{file}:{mark.line + 1}:{mark.column + 1}" if mark else file
        return documents, [Problem(where, f"not valid YAML: {error.problem or error.context}")]
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        return documents, [Problem(file, f"not valid YAML: {str(error) or type(error).__name__}")]
    finally:
        loader.dispose()
    return documents, []


class _Reader:
    """Turns the nodes of one document into plain values, and notes where each stood."""

    def __init__(self, loader: Any, text: str, file: str) -> None:
        self.positions: dict[FilePath, Position] = {}
        self.problems: list[Problem] = []
        self._loader = loader
        self._text = text
        self._file = file
        self._nodes = 0

    def convert(self, node: Any, path: FilePath) -> JSON:
        self._nodes += 1
        if self._nodes > MAX_NODES or len(path) > MAX_DEPTH:
            if not self.problems:
                self._problem(node, "the document is too deep or too large once its aliases are expanded")
            return None
        self.positions[path] = self._position(node)
        if isinstance(node, yaml.MappingNode):
            return self._mapping(node, path)
        if isinstance(node, yaml.SequenceNode):
            return [self.convert(item, (*path, index)) for index, item in enumerate(node.value)]
        if node.tag == _TIMESTAMP:
            return node.value
        return self._loader.construct_object(node)

    def _mapping(self, node: Any, path: FilePath) -> dict[str, JSON]:
        values: dict[str, JSON] = {}
        for key_node, value_node in node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else None
            if not isinstance(key, str) or key_node.tag == "tag:yaml.org,2002:merge":
                self._problem(
                    key_node, "a key must be a plain string", "YAML merge keys and complex keys are not Kubernetes"
                )
            elif key in values:
                self._problem(key_node, f"the key '{key}' stands twice in the same mapping", "remove one of them")
            else:
                values[key] = self.convert(value_node, (*path, key))
        return values

    def _position(self, node: Any) -> Position:
        mark = node.start_mark
        offset = mark.index
        style = getattr(node, "style", None)
        if isinstance(node, yaml.ScalarNode) and style in {"|", ">"}:
            offset = self._text.find("\n", offset) + 1 or len(self._text)
        elif isinstance(node, yaml.ScalarNode) and style in {"'", '"'}:
            offset += 1
        return Position(mark.line + 1, mark.column + 1, offset)

    def _problem(self, node: Any, message: str, hint: str = "") -> None:
        mark = node.start_mark
        self.problems.append(Problem(f"{self._file}:{mark.line + 1}:{mark.column + 1}", message, hint))
