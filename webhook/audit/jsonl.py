"""Audit records as JSON lines: appended to a file, or to standard output where there is none.

One place only, so that no record is read twice: a pod without a volume logs to standard output and the cluster's log
collection takes it from there; with a file, the file is the record (and what later stages are fed from).

A record is written whole or not at all: what a full disk or a crash left of one is removed, or at least ended, before
the next. A file that log rotation moved away or removed is opened anew; one that was truncated is gone on with.
"""

from __future__ import annotations

import errno
import fcntl
import json
import os
import sys
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

from webhook.errors import AuditError
from webhook.model.objects import JSON

_Write: TypeAlias = Callable[[int, bytes | memoryview], int]


class JsonLines:
    """Writes records.

    Owner: the runtime. Safe to use from many threads; a lock on the file keeps other processes from writing to it. With
    ``sync``, threads that wait for the disk share one fsync.
    """

    def __init__(self, path: Path | None, *, sync: bool = True, write: _Write = os.write) -> None:
        """Open the file.

        Args:
            path: Where to append; None for standard output.
            sync: Whether a record is on disk, rather than with the operating system, before ``write`` returns.
            write: ``os.write``, or in tests one that fails.

        Raises:
            AuditError: The file cannot be opened, or another process writes to it.
        """
        self._path = path
        self._sync = sync and path is not None
        self._os_write = write
        self._lock = threading.Lock()
        self._sync_lock = threading.Lock()
        self._written = 0
        self._synced = 0
        self._torn = False
        self._descriptor = -1
        self._open()

    @property
    def place(self) -> str:
        """Where records go, in words."""
        return "standard output" if self._path is None else str(self._path)

    def write(self, record: Mapping[str, JSON]) -> None:
        """Append one record and return once it is safe. Raises AuditError if it is not."""
        # ASCII only: a lone surrogate or a terminal's control sequence from a request cannot harm a reader.
        try:
            line = json.dumps(record, ensure_ascii=True, allow_nan=False, separators=(",", ":")).encode("ascii") + b"\n"
        except (TypeError, ValueError) as error:
            raise AuditError(f"the record is not JSON: {error}", where=self.place) from error
        try:
            with self._lock:
                self._reopen_if_rotated()
                self._append(line)
                self._written += 1
                mine = self._written
            if self._sync:
                self._wait_for_disk(mine)
        except OSError as error:
            raise self._error(error) from error

    def close(self) -> None:
        """Close the file."""
        with self._sync_lock, self._lock:
            self._close()

    def _append(self, line: bytes) -> None:
        start = os.fstat(self._descriptor).st_size if self._path is not None else 0
        text = b"\n" + line if self._torn else line
        rest = memoryview(text)
        try:
            while rest:
                rest = rest[self._os_write(self._descriptor, rest) :]
        except OSError:
            self._torn = self._torn or len(rest) < len(text)
            self._cut_back(start)
            raise
        self._torn = False

    def _cut_back(self, size: int) -> None:
        """Remove the beginning of a record that could not be ended; where that fails it is ended before the next."""
        if self._path is None or not self._torn:
            return
        try:
            os.ftruncate(self._descriptor, size)
        except OSError:
            return
        self._torn = not self._ends_a_line()

    def _wait_for_disk(self, mine: int) -> None:
        with self._sync_lock:
            if self._synced >= mine:
                return
            with self._lock:
                target = self._written
                descriptor = os.dup(self._descriptor)
            try:
                os.fsync(descriptor)
            finally:
                os.close(descriptor)
            self._synced = target

    def _open(self) -> None:
        if self._path is None:
            self._descriptor = sys.stdout.fileno()
            return
        try:
            self._descriptor = os.open(self._path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)
            fcntl.flock(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self._torn = not self._ends_a_line()
        except OSError as error:
            self._close()
            raise self._error(error) from error

    def _close(self) -> None:
        if self._path is not None and self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def _reopen_if_rotated(self) -> None:
        if self._path is None:
            return
        if self._descriptor >= 0:
            opened = os.fstat(self._descriptor)
            try:
                named = self._path.stat()
            except FileNotFoundError:
                named = None
            if named is not None and (named.st_dev, named.st_ino) == (opened.st_dev, opened.st_ino):
                return
            if self._sync:
                os.fsync(self._descriptor)
            self._close()
        self._open()

    def _ends_a_line(self) -> bool:
        size = os.fstat(self._descriptor).st_size
        return size == 0 or os.pread(self._descriptor, 1, size - 1) == b"\n"

    def _error(self, error: OSError) -> AuditError:
        if error.errno in {errno.EWOULDBLOCK, errno.EAGAIN} and self._path is not None:
            return AuditError(
                "another process writes to this audit log", where=self.place, hint="give each replica a file of its own"
            )
        reason = error.strerror or str(error)
        return AuditError(f"audit records cannot be written: {reason}", where=self.place, hint="see --audit-log")
