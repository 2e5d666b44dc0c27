"""gunicorn's threaded worker, made fit for an admission webhook.

What it adds: nobody waits for a client that does not go on. Until its handshake is done, and after its last answer, a
connection is only watched by the poller: it holds no thread, and not the one that accepts (gunicorn lingers there for
2 s on each client that it closes). A thread is held from a request's first byte on, for a bounded time (gunicorn waits
for ever on a client that trickles).

Further: a TLS context that can change between connections; the client's name checked; SIGHUP reloads policies instead
of the process; and a shutdown that first says "not ready", then drains.
"""

from __future__ import annotations

import errno
import logging
import selectors
import signal
import socket
import ssl
import threading
import time
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, cast

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from webhook.certs.files import ServingCertificate

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 5.0
"""From connecting to the end of the TLS handshake."""
REQUEST_SECONDS = 10.0
"""From the handshake to the first request; and for a request's head and body together: 3 MiB at a slow 0.3 MB/s."""
SEND_SECONDS = 10.0
"""For one write of an answer."""
LINGER_SECONDS = 0.5
"""How long a client may take to close after our last word; what it still sends is read meanwhile, as closing on unread
bytes resets the connection, which may cost the client our answer. Source: RFC 9112 section 9.6."""
LINGER_BYTES = 64 * 1024
"""How much of it is read."""
LINGERING = 64
"""How many may linger at a time; beyond that they are closed at once."""

RESERVED = 64
"""File descriptors that connections leave to audit log, watches and policy files: without those all is refused."""
_EXHAUSTED = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})
EXHAUSTED_SECONDS = 10.0
"""Without any for this long, the next lack of descriptors is told again."""
PAUSE_SECONDS = 0.1

_UNFINISHED = object()
"""What ``handle`` returns for a connection that has to wait in the poller."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hooks:
    """What the worker tells the application about."""

    certificate: ServingCertificate
    client_names: frozenset[str]
    """Common names that a client's certificate may have; empty: any that its CA vouches for."""
    reload: Callable[[], None]
    drain: Callable[[], None]
    shutdown_delay: float
    """Seconds between "not ready" and the end of accepting connections."""


class BoundedSocket(ssl.SSLSocket):
    """A TLS connection that ends, as if the client had hung up, when its request is not read by the deadline."""

    deadline = float("inf")
    """In seconds of the monotonic clock."""

    def setblocking(self, flag: bool) -> None:
        """Blocking means: wait, but not for ever."""
        self.settimeout(SEND_SECONDS if flag else 0.0)

    def recv(self, buflen: int = 1024, flags: int = 0) -> bytes:
        """See socket.recv; empty when the time is up."""
        before = self.gettimeout()
        remaining = self.deadline - time.monotonic()
        if remaining <= 0:
            return b""
        self.settimeout(remaining if before is None else min(before, remaining))
        try:
            return super().recv(buflen, flags)
        except TimeoutError:
            log.debug("a client was too slow")
            return b""
        finally:
            self.settimeout(before)


class Connection(TConn):  # type: ignore[misc]  # gunicorn has no types
    """One client's connection, from before the handshake. Never in two threads at a time."""

    initialized: bool
    sock: Any
    parser: Any

    def __init__(self, hooks: Hooks, cfg: Any, sock: socket.socket, addresses: tuple[Any, Any]) -> None:
        super().__init__(cfg, sock, *addresses)
        self._hooks = hooks
        self.shaken = False
        """Whether the handshake is done."""
        self.awaits = selectors.EVENT_READ
        """What has to happen before ``shake`` can go on."""
        self.timeout = time.monotonic() + HANDSHAKE_SECONDS
        """When it is dropped if it waits in the poller, in seconds of the monotonic clock."""
        self.drained = 0
        """Bytes read while it lingers."""

    def shake(self) -> bool:
        """Go on with the handshake as far as is possible without waiting; whether it is alive.

        When it is done the client's first request may come.
        """
        try:
            if not isinstance(self.sock, BoundedSocket):
                self.sock = self._wrapped()
            self.sock.do_handshake()
            self._check_name()
        except ssl.SSLWantReadError:
            self.awaits = selectors.EVENT_READ
            return True
        except ssl.SSLWantWriteError:
            self.awaits = selectors.EVENT_WRITE
            return True
        except (OSError, ValueError) as error:
            # Port scans, plain HTTP, clients that do not trust us: theirs to mend, one quiet line is enough.
            self.told(_reason(error))
            return False
        self.shaken = True
        self.awaits = selectors.EVENT_READ
        self.timeout = time.monotonic() + REQUEST_SECONDS
        return True

    def told(self, reason: str) -> None:
        """Log that the handshake failed."""
        log.info("TLS handshake failed", extra={"client": self.client[0], "reason": reason})

    def init(self) -> None:
        """Make ready to read requests; gunicorn calls it before each."""
        if not self.initialized:
            self.initialized = True
            self.parser = http.get_parser(self.cfg, self.sock, self.client)

    def _wrapped(self) -> BoundedSocket:
        context = self._hooks.certificate.context
        context.sslsocket_class = BoundedSocket
        return cast("BoundedSocket", context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False))

    def _check_name(self) -> None:
        if self._hooks.client_names:
            name = _common_name(self.sock.getpeercert() or {})
            if name not in self._hooks.client_names:
                raise ValueError(f"the client's certificate is for '{name}', which --client-name does not list")


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The process that serves: one per replica, with threads."""

    exhausted_at = float("-inf")
    """When descriptors were last lacking, in seconds of the monotonic clock."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.lingering: deque[Connection] = deque()
        """Connections that are closed but for reading, in order of when they end. Of the accepting thread."""

    @property
    def _hooks(self) -> Hooks:
        hooks: Hooks = self.app.hooks
        return hooks

    def init_signals(self) -> None:
        """Take SIGHUP and leave SIGINT to the parent process, which turns it into a shutdown like SIGTERM."""
        super().init_signals()
        signal.signal(signal.SIGHUP, self._handle_hangup)
        signal.signal(signal.SIGINT, signal.SIG_IGN)

    def _handle_hangup(self, _signal: int, _frame: FrameType | None) -> None:
        self._hooks.reload()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Say "not ready" at once; stop accepting when the delay is over, and drain."""
        self._hooks.drain()
        if self._hooks.shutdown_delay <= 0:
            super().handle_exit(sig, frame)
            return
        timer = threading.Timer(self._hooks.shutdown_delay, super().handle_exit, (sig, frame))
        timer.daemon = True
        timer.start()

    def accept(self, listener: Any) -> None:
        """Accept a connection; it gets a thread once its client has sent something, and is dropped if it does not."""
        try:
            client, address = listener.accept()
        except (BlockingIOError, ConnectionAbortedError):
            return
        except OSError as error:
            if error.errno not in _EXHAUSTED:
                raise
            self._exhausted(error)
            return
        self.nr_conns += 1
        self._wait(Connection(self._hooks, self.cfg, client, (address, listener.getsockname())))

    def handle(self, conn: Connection) -> Any:
        """Go on with a handshake, or serve one request of a connection, in one of the threads."""
        if not conn.shaken:
            return conn.shake() and _UNFINISHED
        conn.sock.deadline = time.monotonic() + REQUEST_SECONDS
        return super().handle(conn)

    def finish_request(self, conn: Connection, fs: Future[Any]) -> None:
        """Decide, in the thread that accepts, what becomes of a connection that a thread is done with."""
        result = False if fs.cancelled() or fs.exception() is not None else fs.result()
        if result is _UNFINISHED:
            self._wait(conn)
        elif result:
            super().finish_request(conn, fs)
        else:
            self.nr_conns -= 1
            self._linger(conn)

    def murder_pending(self) -> None:
        """Close what has waited for too long; gunicorn calls it every second."""
        now = time.monotonic()
        # Not in order of time: one that goes on with its handshake is put at the end, and keeps its time.
        for conn in [one for one in self.pending_conns if one.timeout <= now]:
            self.pending_conns.remove(conn)
            if isinstance(conn.sock, BoundedSocket) and not conn.shaken:
                conn.told(f"not done within {HANDSHAKE_SECONDS:g} s")
            self.nr_conns -= 1
            self._drop(conn)
        while self.lingering and self.lingering[0].timeout <= now:
            self._drop(self.lingering.popleft())

    def _exhausted(self, error: OSError) -> None:
        """Pause: the listener stays readable, so without one this would spin until somebody hangs up."""
        now = time.monotonic()
        if now - self.exhausted_at > EXHAUSTED_SECONDS:
            log.warning("no connection can be accepted: %s", error.strerror)
        self.exhausted_at = now
        time.sleep(PAUSE_SECONDS)

    def _wait(self, conn: Connection) -> None:
        """Leave a connection to the poller until something comes from its client."""
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, conn.awaits, partial(self.on_pending_socket_readable, conn))

    def _linger(self, conn: Connection) -> None:
        """Close a connection: our side at once, the client's when it does so itself or LINGER_SECONDS are over."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
        except OSError:
            conn.close()
            return
        if len(self.lingering) >= LINGERING:
            conn.close()
            return
        conn.timeout = time.monotonic() + LINGER_SECONDS
        self.lingering.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._drain, conn))

    def _drain(self, conn: Connection, _sock: Any) -> None:
        try:
            read = len(socket.socket.recv(conn.sock, LINGER_BYTES))  # ciphertext: TLS has ended
        except BlockingIOError:
            return
        except OSError:
            read = 0
        conn.drained += read
        if read == 0 or conn.drained > LINGER_BYTES:
            self.lingering.remove(conn)
            self._drop(conn)

    def _drop(self, conn: Connection) -> None:
        self.poller.unregister(conn.sock)
        conn.close()


def _common_name(certificate: Any) -> str:
    for relative_name in certificate.get("subject", ()):
        for key, value in relative_name:
            if key == "commonName":
                return str(value)
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "HTTP_REQUEST":
        return "plain HTTP on the HTTPS port"
    return str(error)
