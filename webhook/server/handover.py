"""What one worker process leaves to the one that replaces it after a crash.

The parent process opens two unnamed files before it forks, so that every worker has them and nobody else: nothing is
left on disk when the server ends, and a new server starts from what is configured, not from what once was. Of the two
the older is written each time, with a count and a digest before the content: a worker that dies while it writes leaves
the other whole.
"""

from __future__ import annotations

import hashlib
import os
import struct
import tempfile
from operator import itemgetter
from pathlib import Path

_HEADER = struct.Struct(">Q32s")
"""A count that goes up with every writing, and the SHA-256 digest of count and content."""


class Handover:
    """Bytes that outlive a worker. Owner: the parent process; one worker, and one thread in it, uses it at a time."""

    def __init__(self, folder: Path | None = None) -> None:
        """Open the files in ``folder``, by default where temporary files go; it must be writable."""
        # SIM115: they stay open for as long as the server runs.
        self._files = tuple(tempfile.TemporaryFile(dir=folder, buffering=0) for _ in range(2))  # noqa: SIM115

    def found(self) -> bytes | None:
        """Return what was left last; None if nothing was, as in the first worker of a server."""
        _, content = max(self._slots(), key=itemgetter(0))
        return content

    def leave(self, content: bytes) -> None:
        """Replace what was left. Raises OSError if there is no room; what was left before then stays."""
        counts = [count for count, _ in self._slots()]
        count = max(counts) + 1
        descriptor = self._files[counts.index(min(counts))].fileno()
        rest = memoryview(_HEADER.pack(count, _digest(count, content)) + content)
        os.ftruncate(descriptor, 0)
        while rest:
            rest = rest[os.pwrite(descriptor, rest, os.fstat(descriptor).st_size) :]

    def close(self) -> None:
        """Close the files of this process."""
        for file in self._files:
            file.close()

    def _slots(self) -> list[tuple[int, bytes | None]]:
        """Count and content of both files; 0 and None for one that is empty or broken."""
        return [_read(file.fileno()) for file in self._files]


def _read(descriptor: int) -> tuple[int, bytes | None]:
    written = os.pread(descriptor, os.fstat(descriptor).st_size, 0)
    if len(written) < _HEADER.size:
        return 0, None
    count, digest = _HEADER.unpack_from(written)
    content = written[_HEADER.size :]
    return (count, content) if digest == _digest(count, content) else (0, None)


def _digest(count: int, content: bytes) -> bytes:
    return hashlib.sha256(struct.pack(">Q", count) + content).digest()
