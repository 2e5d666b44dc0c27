"""/healthz, /readyz and /metrics, on a listener of their own.

So probes and scrapes need neither our certificate nor one of the threads that decide.
"""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar, cast
from urllib.parse import parse_qs, urlsplit

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import choose_encoder

from webhook.runtime import Condition

log = logging.getLogger(__name__)

CLIENT_SECONDS = 5.0
"""A client that is silent for this long is dropped."""

_TEXT = "text/plain; charset=utf-8"


@dataclass(frozen=True, slots=True)
class Reply:
    """An HTTP answer."""

    status: HTTPStatus
    body: bytes
    content_type: str = _TEXT


@dataclass(frozen=True, slots=True)
class Health:
    """What is told about the process."""

    conditions: Callable[[], Sequence[Condition]]
    registry: CollectorRegistry

    def reply(self, target: str, accept: str = "") -> Reply:
        """Answer a GET of ``target`` (path and query)."""
        parts = urlsplit(target)
        match parts.path:
            case "/healthz":
                return Reply(HTTPStatus.OK, b"ok\n")
            case "/readyz":
                return self._readiness(verbose="verbose" in parse_qs(parts.query, keep_blank_values=True))
            case "/metrics":
                encode, content_type = choose_encoder(accept)
                return Reply(HTTPStatus.OK, encode(self.registry), content_type)
            case _:
                return Reply(HTTPStatus.NOT_FOUND, b"there are /healthz, /readyz, /readyz?verbose and /metrics\n")

    def _readiness(self, *, verbose: bool) -> Reply:
        conditions = self.conditions()
        ready = all(condition.ok for condition in conditions)
        shown = conditions if verbose else [condition for condition in conditions if not condition.ok]
        # In the form of the kube-apiserver's own /readyz?verbose.
        lines = [f"[{'+' if one.ok else '-'}]{one.name}: {one.message}" for one in shown]
        lines.append("ok" if ready else "not ready")
        body = "".join(f"{line}\n" for line in lines)
        return Reply(HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE, body.encode())


class HealthServer:
    """Serves a Health on a socket that is bound already, in a thread. Owner: the worker process."""

    def __init__(self, listener: socket.socket, health: Health) -> None:
        self._server = _Server(listener, health)
        self._thread = threading.Thread(target=self._server.serve_forever, name="health", daemon=True)

    def start(self) -> None:
        """Serve from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Stop serving and close the socket."""
        self._server.shutdown()
        self._server.server_close()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, listener: socket.socket, health: Health) -> None:
        super().__init__(listener.getsockname()[:2], _Exchange, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.health = health

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ARG002 - the overridden signature
        log.debug("health client %s went away", client_address)


class _Exchange(BaseHTTPRequestHandler):
    timeout: ClassVar[float | None] = CLIENT_SECONDS

    def do_GET(self) -> None:
        health = cast("_Server", self.server).health
        reply = health.reply(self.path, self.headers.get("Accept", ""))
        self.send_response(reply.status)
        self.send_header("Content-Type", reply.content_type)
        self.send_header("Content-Length", str(len(reply.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(reply.body)

    do_HEAD = do_GET  # noqa: N815 - the name http.server looks for

    def version_string(self) -> str:
        return "migguard"

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the overridden signature
        log.debug(format, *args)
