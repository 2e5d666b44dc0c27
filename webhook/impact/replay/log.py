"""Reads audit logs line by line: files, directories, compressed ones, standard input. What is broken is told."""

from __future__ import annotations

import gzip
import sys
import zlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from webhook.errors import InputError

STDIN = "-"
MAX_LINE = 4 * 1024 * 1024
"""Bytes of one line; a record is far shorter."""
CHUNK_LINES = 500
CHUNK_BYTES = 4 * 1024 * 1024
_GZIP = b"\x1f\x8b"
_Stream = IO[bytes] | gzip.GzipFile


@dataclass(frozen=True, slots=True)
class Line:
    """One line of a log, without its end."""

    file: str
    number: int
    text: bytes
    ended: bool = True
    """False where the file ends before the line does."""

    @property
    def place(self) -> str:
        """``file:line``."""
        return f"{self.file}:{self.number}"


@dataclass(frozen=True, slots=True)
class Trouble:
    """A place in a log that cannot be read, and why."""

    place: str
    why: str


def log_files(paths: Iterable[str]) -> tuple[str, ...]:
    """The files to read, in order: of a directory all that is not hidden, by name. Raises InputError."""
    found: list[str] = []
    for given in paths:
        path = Path(given)
        if given == STDIN or path.is_file():
            found.append(given)
        elif path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file() and not one.name.startswith("."))
            if not inside:
                raise InputError("holds no file", where=given, hint="an audit log is a file of JSON lines")
            found += map(str, inside)
        else:
            raise InputError("no such file or directory", where=given, hint="see --audit-log of migguard serve")
    return tuple(dict.fromkeys(found))


def lines_of(file: str) -> Iterator[Line | Trouble]:
    """Yield the lines of a log that are not empty. A file that breaks off is a trouble, and its end."""
    name = "standard input" if file == STDIN else file
    number = 0
    try:
        with _opened(file) as stream:
            while text := stream.readline(MAX_LINE):
                number += 1
                ended = text.endswith(b"\n")
                if not ended and len(text) >= MAX_LINE:
                    yield Trouble(f"{name}:{number}", f"the line has more than {MAX_LINE // 1024 // 1024} MiB")
                    _skip(stream)
                elif content := text.strip():
                    yield Line(name, number, content, ended)
    except (OSError, EOFError, zlib.error) as error:
        reason = getattr(error, "strerror", None) or str(error)
        yield Trouble(f"{name}:{number + 1}", f"cannot be read further: {reason}")


def chunks(files: Iterable[str]) -> Iterator[list[Line | Trouble]]:
    """Yield the lines of all files in portions that do not depend on how many processes share the work."""
    portion: list[Line | Trouble] = []
    size = 0
    for file in files:
        for line in lines_of(file):
            portion.append(line)
            size += len(line.text) if isinstance(line, Line) else 0
            if len(portion) >= CHUNK_LINES or size >= CHUNK_BYTES:
                yield portion
                portion, size = [], 0
    if portion:
        yield portion


def _opened(file: str) -> AbstractContextManager[_Stream]:
    if file == STDIN:
        return nullcontext(sys.stdin.buffer)
    with Path(file).open("rb") as stream:
        compressed = stream.read(len(_GZIP)) == _GZIP
    return gzip.open(file, "rb") if compressed else Path(file).open("rb")


def _skip(stream: _Stream) -> None:
    """Read to the end of a line that is too long."""
    while (text := stream.readline(MAX_LINE)) and not text.endswith(b"\n"):
        pass
