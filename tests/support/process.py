"""Processes that tests start: on loopback ports, with a log that is kept, and never outliving the test run.

Run as a script it is the launcher that ties a command to its starter (Linux ``PR_SET_PDEATHSIG``) and becomes it, so
that a killed pytest leaves nothing behind. A launcher rather than ``preexec_fn``, which is unsafe beside threads.
"""

from __future__ import annotations

import ctypes
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

_PR_SET_PDEATHSIG = 1
_POLL_SECONDS = 0.05


class ProcessError(RuntimeError):
    """A process ended, or was not ready in time; the text bears the end of its log."""


def free_port() -> int:
    """Return a loopback port that nobody listens on now."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
    return port


def until(ready: Callable[[], bool], *, seconds: float, what: str) -> None:
    """Wait until ``ready`` says so; raise TimeoutError naming ``what`` when it has not within ``seconds``."""
    end = time.monotonic() + seconds
    while not ready():
        if time.monotonic() > end:
            raise TimeoutError(f"{what}: not within {seconds:g} s")
        time.sleep(_POLL_SECONDS)


class Process:
    """One child process and its log file (stdout and stderr together, appended to over restarts)."""

    def __init__(
        self, name: str, command: Sequence[str | Path], *, log: Path, environment: Mapping[str, str] | None = None
    ) -> None:
        self.name = name
        self.log = log
        self._command = [str(part) for part in command]
        self._environment = environment
        self._popen: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether it was started and has not ended."""
        return self._popen is not None and self._popen.poll() is None

    @property
    def pid(self) -> int:
        """The id of the running process."""
        if self._popen is None:
            raise ProcessError(f"{self.name} is not started")
        return self._popen.pid

    def start(self, ready: Callable[[], bool], *, seconds: float) -> None:
        """Start it and wait until ``ready``; raise ProcessError with the end of the log otherwise."""
        launcher = [sys.executable, "-I", "-S", __file__, str(os.getpid())]
        with self.log.open("ab") as log:
            self._popen = subprocess.Popen(
                [*launcher, *self._command],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=None if self._environment is None else {**os.environ, **self._environment},
            )
        try:
            until(lambda: not self.running or ready(), seconds=seconds, what=f"{self.name} ready")
        except TimeoutError as error:
            self.stop()
            raise ProcessError(f"{error}\n{self.tail()}") from None
        if not self.running:
            raise ProcessError(f"{self.name} ended with code {self._popen.returncode}\n{self.tail()}")

    def stop(self, *, seconds: float = 10) -> None:
        """End it (SIGTERM, then SIGKILL after ``seconds``) and wait for that."""
        popen, self._popen = self._popen, None
        if popen is None or popen.poll() is not None:
            return
        popen.send_signal(signal.SIGCONT)
        popen.terminate()
        try:
            popen.wait(seconds)
        except subprocess.TimeoutExpired:
            popen.kill()
            popen.wait()

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal."""
        os.kill(self.pid, number)

    def kill(self) -> None:
        """End it at once, as a crash would."""
        popen, self._popen = self._popen, None
        if popen is not None:
            popen.kill()
            popen.wait()

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop its clock and its children's while the block runs: connections stay open and nothing answers."""
        family = _family(self.pid)
        for pid in family:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in family:
                os.kill(pid, signal.SIGCONT)

    def tail(self, lines: int = 40, *, without: str = "\n") -> str:
        """The last lines of its log, leaving out those that contain ``without``."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        return "\n".join([line for line in text.splitlines() if without not in line][-lines:])


def _family(pid: int) -> list[int]:
    """A process and all below it."""
    children = [int(word) for each in Path(f"/proc/{pid}/task").glob("*/children") for word in each.read_text().split()]
    return [pid, *(one for child in children for one in _family(child))]


def _become(starter: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    if sys.platform == "linux" and libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "prctl(PR_SET_PDEATHSIG)")
    if os.getppid() != starter:  # it ended before we were tied to it
        sys.exit(1)
    os.execv(command[0], command)


if __name__ == "__main__":
    _become(int(sys.argv[1]), sys.argv[2:])
