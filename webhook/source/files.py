"""Files of YAML or JSON: finding and reading them, and documents that know where each of their values stands."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from webhook.errors import InputError, Problem
from webhook.model.objects import JSON
from webhook.source import yamltext
from webhook.source.parsed import FilePath, Place, UnparsableError

_ESCAPES = {"x": 4, "u": 6, "U": 10}
"""Length of the escapes in double quotes that are not two characters; Source: YAML 1.1 section 5.6."""
_BLANK_ESCAPES = frozenset("tnvfrN_LP \t\n")

SUFFIXES = (".yaml", ".yml", ".json")
MAX_FILE_BYTES = 16 * 1024 * 1024
"""A file larger than this is refused unread: 16 MiB, ten times what etcd would store of one object."""


@dataclass(frozen=True, slots=True)
class Document:
    """One document of a file."""

    file: str
    value: JSON
    text: str = field(repr=False)
    """The whole file."""
    positions: Mapping[FilePath, Place] = field(repr=False)

    def where(self, path: FilePath = ()) -> str:
        """``file:line:column`` of the value at ``path``, or of the nearest thing around it."""
        while path not in self.positions and path:
            path = path[:-1]
        position = self.positions[path]
        return f"{self.file}:{position.line}:{position.column}"

    def where_in_text(self, path: FilePath, offset: int) -> str:
        """``file:line:column`` of the character at ``offset`` of the string that stands at ``path``.

        YAML folds and indents, so the place is found by counting the characters that are not white space: those are
        the same in the file and in the value, where an escape in quotes counts as what it stands for.
        """
        text = self.value_at(path)
        position = self.positions.get(path)
        if position is None or not isinstance(text, str):
            return self.where(path)
        wanted = sum(not character.isspace() for character in text[:offset])
        at = position.offset
        quote = self.text[at - 1 : at]
        while at < len(self.text):
            length, blank = _character(self.text, at, quote)
            if not (wanted or blank):
                break
            wanted -= not blank
            at += length
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


def _character(text: str, at: int, quote: str) -> tuple[int, bool]:
    """How many characters of the file make the next one of a scalar, and whether that is white space."""
    if quote == "'" and text.startswith("''", at):
        return 2, False
    if quote == '"' and text[at] == "\\":
        escape = text[at + 1 : at + 2]
        return _ESCAPES.get(escape, 2), escape in _BLANK_ESCAPES
    return 1, text[at].isspace()


def find(paths: Iterable[Path], *, skip: frozenset[str] = frozenset()) -> list[Path]:
    """List the YAML and JSON files in these directories (recursively) and files, in stable order.

    Names that begin with a dot are left out, which is what makes a mounted ConfigMap (``..data`` and its symlinks)
    read once. ``skip`` names folders that are not entered. Raises InputError for a path that is missing, unreadable
    or holds no such file.
    """
    found: dict[Path, None] = {}
    for path in paths:
        if not path.exists():
            raise InputError("no such file or directory", where=str(path), hint="check the path")
        files = list(_walk(path, skip)) if path.is_dir() else [path]
        if not files:
            raise InputError(
                f"holds no {', '.join(SUFFIXES)} file", where=str(path), hint="is this the right directory?"
            )
        found.update(dict.fromkeys(files))
    return list(found)


def _walk(folder: Path, skip: frozenset[str], above: frozenset[Path] = frozenset()) -> Iterator[Path]:
    here = folder.resolve()
    if here in above:  # a symlink that leads back to where we came from
        return
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        raise InputError(
            f"the folder cannot be read: {error.strerror}", where=str(folder), hint="check its permissions"
        ) from error
    for entry in entries:
        if entry.name.startswith(".") or entry.name in skip:
            continue
        if entry.is_dir():
            yield from _walk(entry, skip, above | {here})
        elif entry.suffix.lower() in SUFFIXES:
            yield entry


def read(path: Path, *, limit: int = MAX_FILE_BYTES) -> str:
    """Return a file's text, without ever waiting for it.

    Raises InputError when it cannot be read, is not a regular file, has too many bytes, or is not UTF-8.
    """
    try:
        # Opening a FIFO would wait for its other end, and a device may have no end: whoever reads would be lost.
        with open(path, "rb", opener=_open_without_waiting) as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                raise InputError("is not a regular file", where=str(path), hint="remove it, or put a file there")
            content = file.read(limit + 1)
    except OSError as error:
        hint = "check the path and its permissions"
        raise InputError(f"the file cannot be read: {error.strerror}", where=str(path), hint=hint) from error
    if len(content) > limit:
        raise InputError(f"the file is larger than {limit // 1024 // 1024} MiB", where=str(path), hint="split it")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"the file is not UTF-8 text (byte {error.start + 1})"
        raise InputError(message, where=str(path), hint="save it as UTF-8") from error


def _open_without_waiting(path: str, flags: int) -> int:
    return os.open(path, flags | os.O_NONBLOCK | os.O_NOCTTY)


def parse(text: str, file: str) -> tuple[list[Document], list[Problem]]:
    """Read all documents of a file's text; the first thing that is not YAML is a problem and ends it."""
    documents: list[Document] = []
    try:
        documents.extend(
            Document(file, parsed.value, text, parsed.places)
            for parsed in yamltext.parse(text, places=True)
            if parsed.value is not None  # an empty document, as between two separators
        )
    except UnparsableError as error:
        where = f"{file}:{error.place}" if error.place else file
        return documents, [Problem(where, error.message, error.hint)]
    return documents, []
