"""A scripted API server at the client's transport border: no socket, no waiting."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from webhook.cluster.client import Client

SERVER = "https://api.test:6443"


class Reply:
    """An answer: a status, and a body that comes in chunks; an exception among them breaks the connection."""

    def __init__(self, status: int, *chunks: bytes | Exception) -> None:
        self.status = status
        self._chunks = chunks
        self.closed = False

    def chunks(self) -> Iterator[bytes]:
        for chunk in self._chunks:
            if isinstance(chunk, Exception):
                raise chunk
            yield chunk

    def close(self) -> None:
        self.closed = True


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it reached the transport."""

    method: str
    path: str
    query: dict[str, str]
    body: Any
    read: float


@dataclass
class FakeTransport:
    """Answers each request by the function; remembers what was asked."""

    answer: Callable[[Sent], Reply | Exception]
    server: str = SERVER
    sent: list[Sent] = field(default_factory=list)
    replies: list[Reply] = field(default_factory=list)
    closed: bool = False

    def send(self, method: str, target: str, body: bytes | None, *, connect: float, read: float) -> Reply:
        parts = urlsplit(target)
        request = Sent(method, parts.path, dict(parse_qsl(parts.query)), json.loads(body) if body else None, read)
        self.sent.append(request)
        reply = self.answer(request)
        if isinstance(reply, Exception):
            raise reply
        self.replies.append(reply)
        return reply

    def close(self) -> None:
        self.closed = True


def scripted(*replies: Reply | Exception, then: Callable[[], None] | None = None) -> tuple[Client, FakeTransport]:
    """A client whose requests get these answers one after the other; ``then`` is called when they are used up."""
    left = list(replies)

    def answer(request: Sent) -> Reply | Exception:
        if not left:
            raise AssertionError(f"nobody expected {request}")
        reply = left.pop(0)
        if not left and then is not None:
            then()
        return reply

    transport = FakeTransport(answer)
    return Client(transport), transport


def routed(routes: Callable[[Sent], Reply | Exception]) -> tuple[Client, FakeTransport]:
    """A client whose requests are answered by a function."""
    transport = FakeTransport(routes)
    return Client(transport), transport


def ok(body: Any) -> Reply:
    return Reply(200, json.dumps(body).encode())


def failure(code: int, message: str = "") -> Reply:
    status = {"kind": "Status", "apiVersion": "v1", "status": "Failure", "code": code, "message": message}
    return Reply(code, json.dumps(status).encode())


def listed(*items: Any, version: str = "10", token: str = "", api_version: str = "v1") -> Reply:
    metadata = {"resourceVersion": version} | ({"continue": token} if token else {})
    return ok({"kind": "SomeList", "apiVersion": api_version, "metadata": metadata, "items": list(items)})


def event(kind: str, obj: Any) -> bytes:
    return json.dumps({"type": kind, "object": obj}).encode() + b"\n"


def bookmark(version: str) -> bytes:
    return event("BOOKMARK", {"kind": "Some", "metadata": {"resourceVersion": version}})


def named(name: str, version: str, namespace: str = "prod", **labels: str) -> dict[str, Any]:
    """An object as it stands in a list: without its type."""
    return {"metadata": {"name": name, "namespace": namespace, "resourceVersion": version, "labels": labels}}
