"""The connection to the kube-apiserver: plain JSON in and out, every failure told in one way.

Addresses, certificates, credentials and their renewal are the ``kubernetes`` library's; its typed models are not used,
they cost more than everything else together. Foreign exceptions are mapped to ClusterError by
:mod:`webhook.cluster.failures`, and nowhere else.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import quote, urlencode

from webhook.cluster.failures import StatusError, explain, refused
from webhook.cluster.transport import open_transport
from webhook.errors import ClusterError, UsageError
from webhook.model.objects import JSON, GroupVersionResource, items, text

PAGE = 500
"""Objects asked for at once; the chunk size of kubectl and client-go."""

MAX_BODY = 256 * 1024 * 1024
"""Bytes of one answer. A page of 500 large VMs is about 20 MB; what is far above is no list of Kubernetes objects."""

MAX_LINE = 16 * 1024 * 1024
"""Bytes of one watch event. etcd holds objects of up to 1.5 MB by default."""

MAX_ERROR_BODY = 64 * 1024
"""Bytes of an answer that is not a success; a Status has a few hundred."""

_CHUNK = 64 * 1024
_CONNECT_SECONDS = 5.0
_OK = range(200, 300)
_BUSY = 429
_CLOSED = "the connection to the API server was closed by us"

Query = Mapping[str, str | int]


class Answer(Protocol):
    """An HTTP answer whose body is yet to be read; what the transport returns."""

    status: int

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes."""

    def close(self) -> None:
        """Give the connection up."""


class Transport(Protocol):
    """Sends requests with credentials; raises the exceptions of the libraries below. Used by many threads."""

    server: str

    def send(self, method: str, target: str, body: bytes | None, *, connect: float, read: float) -> Answer:
        """Send one request to a path with its query; ``read`` is how many seconds may pass between two bytes."""

    def close(self) -> None:
        """Cut every connection, also those on which another thread waits."""


@dataclass(frozen=True, slots=True)
class Page:
    """A part of a list; ``size`` is its length in bytes as it was sent."""

    items: list[Any]
    version: str
    api_version: str
    size: int


class Client:
    """Speaks to one kube-apiserver. Safe to use from many threads. Made by :func:`connect`."""

    def __init__(
        self, transport: Transport, *, patience: Sequence[float] = (), pause: Callable[[float], None] = time.sleep
    ) -> None:
        """Make a client.

        Args:
            transport: What sends.
            patience: Where the API server says that it is busy (429): seconds to wait before each further try.
            pause: Waits.
        """
        self._patience = tuple(patience)
        self._pause = pause
        self._transport = transport
        self._closed = threading.Event()

    @property
    def server(self) -> str:
        """The URL of the API server."""
        return self._transport.server

    def close(self) -> None:
        """Cut every connection; calls that wait, and all later ones, fail with ClusterError."""
        self._closed.set()
        self._transport.close()

    def get(self, path: str, query: Query | None = None, *, timeout: float = 30.0) -> JSON:
        """Return what stands at ``path``; seconds for the whole call.

        Raises:
            StatusError: the API server answered with an error (404 is one too).
            ClusterError: anything else that went wrong.
        """
        return _json(self.server, path, self._call("GET", path, query, None, timeout))

    def post(self, path: str, body: JSON, *, timeout: float = 30.0) -> JSON:
        """Create ``body`` at ``path`` and return what the API server made of it; errors as :meth:`get`."""
        return _json(self.server, path, self._call("POST", path, None, json.dumps(body).encode(), timeout))

    def apply(self, path: str, body: JSON, *, manager: str, timeout: float = 30.0) -> None:
        """Create or update the object at ``path`` by server-side apply, as the owner of the fields of ``body``.

        Fields that another manager owns are taken over. Errors as :meth:`get`.
        Source: Kubernetes "Server-Side Apply" (JSON is YAML).
        """
        query: Query = {"fieldManager": manager, "force": "true", "fieldValidation": "Strict"}
        self._call("PATCH", path, query, json.dumps(body).encode(), timeout)

    def delete(self, path: str, *, timeout: float = 30.0) -> None:
        """Delete the object at ``path``; errors as :meth:`get`."""
        self._call("DELETE", path, None, None, timeout)

    def pages(self, path: str, query: Query | None = None, *, timeout: float = 30.0) -> Iterator[Page]:
        """Yield a list page by page; ``timeout`` is for each page.

        No resourceVersion is sent, so that the list is the newest there is; all pages are of the same moment. A token
        that expired meanwhile is a StatusError 410: begin again.
        Source: Kubernetes API concepts, "Retrieving large results sets in chunks", "Resource versions" (the parameter
        resourceVersionMatch is only valid beside a resourceVersion, and neither beside ``continue``).
        """
        token = ""
        while True:
            asked: dict[str, str | int] = {**(query or {}), "limit": PAGE}
            if token:
                asked["continue"] = token
            raw = self._call("GET", path, asked, None, timeout)
            page = _json(self.server, path, raw)
            token = text(page, "metadata", "continue")
            version = text(page, "metadata", "resourceVersion")
            yield Page(list(items(page, "items")), version, text(page, "apiVersion"), len(raw))
            if not token:
                return

    @contextmanager
    def stream(self, path: str, query: Query, *, silence: float) -> Iterator[Iterator[bytes]]:
        """Open a watch; yields the iterator of its lines once the API server has accepted it.

        The iterator ends when the API server ends the watch, and raises ClusterError when the connection breaks, when
        nothing comes for ``silence`` seconds, or when a line is longer than a watch event can be.
        """
        with self._foreign("GET", path, silence):
            answer = self._send("GET", path, query, None, silence)
            try:
                self._check(answer, "GET", path, query)
                yield self._lines(answer, path, silence)
            finally:
                answer.close()

    def _lines(self, answer: Answer, path: str, silence: float) -> Iterator[bytes]:
        with self._foreign("GET", path, silence):
            begun = b""
            for chunk in answer.chunks():
                *lines, begun = (begun + chunk).split(b"\n")
                yield from (line for line in lines if line)
                if len(begun) > MAX_LINE:
                    raise ClusterError(f"an event of the watch on {path} is longer than {MAX_LINE} bytes")
            if begun.strip():
                raise ClusterError(f"the watch on {path} ended in the middle of an event")

    def _call(self, method: str, path: str, query: Query | None, body: bytes | None, timeout: float) -> bytes:
        for wait in self._patience:
            try:
                return self._call_once(method, path, query, body, timeout)
            except StatusError as error:
                if error.status != _BUSY:
                    raise
            self._pause(wait)
        return self._call_once(method, path, query, body, timeout)

    def _call_once(self, method: str, path: str, query: Query | None, body: bytes | None, timeout: float) -> bytes:
        ends = time.monotonic() + timeout
        with self._foreign(method, path, timeout):
            answer = self._send(method, path, query, body, timeout)
            try:
                self._check(answer, method, path, query)
                return _read(answer, ends, MAX_BODY)
            finally:
                answer.close()

    def _send(self, method: str, path: str, query: Query | None, body: bytes | None, seconds: float) -> Answer:
        if self._closed.is_set():
            raise ClusterError(_CLOSED, where=self.server)
        target = f"{path}?{urlencode(query)}" if query else path
        connect = min(_CONNECT_SECONDS, seconds)
        return self._transport.send(method, target, body, connect=connect, read=seconds)

    def _check(self, answer: Answer, method: str, path: str, query: Query | None) -> None:
        if answer.status not in _OK:
            body = _read(answer, time.monotonic() + _CONNECT_SECONDS, MAX_ERROR_BODY)
            raise refused(self.server, method, path, query or {}, answer.status, body)

    @contextmanager
    def _foreign(self, method: str, path: str, seconds: float) -> Iterator[None]:
        """Map what the libraries below raise; the one place where it is done."""
        try:
            yield
        except Exception as error:
            if isinstance(error, ClusterError):
                raise
            if self._closed.is_set():  # whatever a connection that is cut under its reader raises
                raise ClusterError(_CLOSED, where=self.server) from error
            told = explain(error, self.server, f"{method} {path}", seconds)
            if told is None:
                raise
            raise told from error


def resource_path(resource: GroupVersionResource, namespace: str = "", name: str = "") -> str:
    """Return the path of a collection, or of one object in it."""
    parts = ["apis", resource.group] if resource.group else ["api"]
    parts.append(resource.version)
    if namespace:
        parts += ["namespaces", namespace]
    parts += [resource.resource, name] if name else [resource.resource]
    return "".join(f"/{quote(part, safe=':')}" for part in parts)


def connect(kubeconfig: Path | None = None, context: str | None = None, *, patience: Sequence[float] = ()) -> Client:
    """Return a client for the cluster of a kubeconfig file, or of the pod we run in. Nothing is sent yet.

    Args:
        kubeconfig: The file; None for the service account of the pod.
        context: A context of the kubeconfig; None for its current one.
        patience: See :class:`Client`.

    Raises:
        InputError: the kubeconfig cannot be used.
        ClusterError: the service account cannot be used.
        UsageError: a context without a kubeconfig.
    """
    if kubeconfig is None and context is not None:
        raise UsageError("a context was given without a kubeconfig", hint="name the file with --kubeconfig")
    return Client(open_transport(kubeconfig, context), patience=patience)


def _read(answer: Answer, ends: float, limit: int) -> bytes:
    parts, length = [], 0
    for chunk in answer.chunks():
        parts.append(chunk)
        length += len(chunk)
        if length > limit:
            if limit == MAX_ERROR_BODY:
                return b""
            raise ClusterError(f"the answer is longer than {limit} bytes")
        if time.monotonic() > ends:
            raise TimeoutError
    return b"".join(parts)


def _json(server: str, path: str, raw: bytes) -> JSON:
    try:
        return json.loads(raw)
    except ValueError as error:
        raise ClusterError(
            f"the answer to GET {path} is not JSON", where=server, hint="is this the address of a kube-apiserver?"
        ) from error
