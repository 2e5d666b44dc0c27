"""gunicorn's threaded worker, made fit for an admission webhook.

What it adds: no thread for a client that sends nothing, and a bound on the whole time that handshake, head and body may
take (gunicorn's threads otherwise wait for ever on a client that trickles); a TLS context that can change between
connections; the client's name checked; SIGHUP reloads policies instead of the process; and a shutdown that first says
"not ready", then drains.
"""

from __future__ import annotations

import logging
import selectors
import signal
import socket
import ssl
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from types import FrameType
from typing import Any, cast

from gunicorn import http
from gunicorn.workers.gthread import TConn, ThreadWorker

from webhook.certs.files import ServingCertificate

log = logging.getLogger(__name__)

HANDSHAKE_SECONDS = 5.0
"""For the TLS handshake; stops a client that connects and stays silent from holding a thread."""
REQUEST_SECONDS = 10.0
"""For a request's head and body together: 3 MiB at a slow 0.3 MB/s; stops a client that trickles bytes."""
SEND_SECONDS = 10.0
"""For one write of an answer."""


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
    """One client's connection, from before the handshake."""

    initialized: bool
    sock: Any
    parser: Any

    def __init__(self, hooks: Hooks, cfg: Any, sock: socket.socket, addresses: tuple[Any, Any]) -> None:
        super().__init__(cfg, sock, *addresses)
        self._hooks = hooks

    def init(self) -> None:
        """Do the handshake, once. Raises StopIteration, at which gunicorn closes the connection, if it fails."""
        if self.initialized:
            return
        self.initialized = True
        try:
            self.sock = self._handshake()
        except (OSError, ValueError) as error:
            # Port scans, plain HTTP, clients that do not trust us: theirs to mend, one quiet line is enough.
            log.info("TLS handshake failed", extra={"client": self.client[0], "reason": _reason(error)})
            raise StopIteration from None
        self.parser = http.get_parser(self.cfg, self.sock, self.client)

    def _handshake(self) -> BoundedSocket:
        self.sock.settimeout(HANDSHAKE_SECONDS)
        context = self._hooks.certificate.context
        context.sslsocket_class = BoundedSocket
        wrapped = cast("BoundedSocket", context.wrap_socket(self.sock, server_side=True, do_handshake_on_connect=False))
        self.sock = wrapped
        wrapped.do_handshake()
        if self._hooks.client_names:
            name = _common_name(wrapped.getpeercert() or {})
            if name not in self._hooks.client_names:
                raise ValueError(f"the client's certificate is for '{name}', which --client-name does not list")
        wrapped.setblocking(True)
        wrapped.deadline = time.monotonic() + REQUEST_SECONDS
        return wrapped


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn has no types
    """The process that serves: one per replica, with threads."""

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
        self.nr_conns += 1
        connection = Connection(self._hooks, self.cfg, client, (address, listener.getsockname()))
        connection.timeout = time.monotonic() + HANDSHAKE_SECONDS
        self.pending_conns.append(connection)
        self.poller.register(client, selectors.EVENT_READ, partial(self.on_pending_socket_readable, connection))

    def handle(self, conn: Any) -> Any:
        """Serve one request of a connection, in one of the threads."""
        if isinstance(conn.sock, BoundedSocket):
            conn.sock.deadline = time.monotonic() + REQUEST_SECONDS
        return super().handle(conn)


def _common_name(certificate: Any) -> str:
    for relative_name in certificate.get("subject", ()):
        for key, value in relative_name:
            if key == "commonName":
                return str(value)
    return ""


def _reason(error: Exception) -> str:
    if isinstance(error, ssl.SSLError) and error.reason == "HTTP_REQUEST":
        return "plain HTTP on the HTTPS port"
    if isinstance(error, TimeoutError):
        return f"nothing came for {HANDSHAKE_SECONDS:g} s"
    return str(error)
