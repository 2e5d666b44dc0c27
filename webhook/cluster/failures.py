"""What went wrong between us and the kube-apiserver, in words: server, request, status, and what to do.

Never repeats credentials, nor bodies that are not a Kubernetes Status (a proxy's page may hold anything).
"""

from __future__ import annotations

import json
import re
import ssl
from collections.abc import Mapping
from typing import TypeAlias

import urllib3
import urllib3.exceptions
from kubernetes.client.exceptions import ApiException, OpenApiException
from kubernetes.config import ConfigException

from webhook.errors import ClusterError
from webhook.model.objects import text

_CONNECTING = "Failed to establish a new connection: "

_VERBS = {"POST": "create", "PATCH": "patch", "DELETE": "delete"}

_LONGEST = 300
"""Characters of foreign text in a message."""

_SECRETS = (
    re.compile(r"(?i)\b(bearer|basic)\s+[^\s'\",]+"),
    re.compile(r"(?i)\b(token|password|authorization)[\"']?\s*[=:]\s*(?!bearer|basic)[^\s'\",]+"),
)


class StatusError(ClusterError):
    """The API server answered with an error; ``status`` is the HTTP status."""

    def __init__(self, message: str, *, status: int, where: str = "", hint: str = "") -> None:
        super().__init__(message, where=where, hint=hint)
        self.status = status


def shorten(foreign: object) -> str:
    """Return foreign text for a message: one line, without credentials, cut."""
    line = " ".join(str(foreign).split())
    for secret in _SECRETS:
        line = secret.sub(r"\1 …", line)
    return line if len(line) <= _LONGEST else line[: _LONGEST - 1] + "…"


def refused(server: str, method: str, path: str, query: Mapping[str, object], status: int, body: bytes) -> StatusError:
    """Say what an answer that is not a success means."""
    said = _status_message(body)
    message = f"{method} {path} was answered with {status}" + (f": {said}" if said else "")
    return StatusError(message, status=status, where=server, hint=_advice(status, method, path, query))


def _status_message(body: bytes) -> str:
    try:
        status = json.loads(body)
    except (ValueError, RecursionError):
        return ""
    return shorten(text(status, "message")) if text(status, "kind") == "Status" else ""


def _advice(status: int, method: str, path: str, query: Mapping[str, object]) -> str:
    match status:
        case 401:
            return "the API server does not know our credentials: is the token or client certificate expired?"
        case 403:
            return f"our account lacks the RBAC verb {needed_right(method, path, query)}"
        case 404:
            return "is the CustomResourceDefinition installed, and is this the address of a kube-apiserver?"
        case 410:
            return "the history of this resource is gone; it will be listed again"
        case 429:
            return "the API server is busy, or priority and fairness holds us back"
        case _ if status >= 500:  # noqa: PLR2004 - HTTP: the server's fault
            return "see the API server's log"
        case _:
            return ""


def needed_right(method: str, path: str, query: Mapping[str, object]) -> str:
    """Return the right that a request needs, as ``'list' on virtualmachines.kubevirt.io``.

    Source: Kubernetes "Authorization", "Determine the request verb".
    """
    match [part for part in path.split("/") if part]:
        case ["api", _, *rest]:
            group = ""
        case ["apis", group, _, *rest]:
            pass
        case _:
            return f"{method.lower()!r} on {path}"
    where = "cluster-wide"
    if rest[:1] == ["namespaces"] and len(rest) > 2:  # noqa: PLR2004 - namespaces, its name, then the resource
        where, rest = f"in namespace {rest[1]}", rest[2:]
    resource, named = (rest[0] if rest else "*"), len(rest) > 1
    if method in _VERBS:
        verb = _VERBS[method]
    elif query.get("watch"):
        verb = "watch"
    else:
        verb = "get" if named else "list"
    return f"{verb!r} on {resource}.{group} {where}" if group else f"{verb!r} on {resource} {where}"


_Meaning: TypeAlias = tuple[type[BaseException] | tuple[type[BaseException], ...], str, str]

_MEANINGS: tuple[_Meaning, ...] = (
    (
        (urllib3.exceptions.SSLError, ssl.SSLError),
        "TLS failed: {error}",
        "check the certificate authority in the kubeconfig, and that no proxy stands between",
    ),
    (urllib3.exceptions.ProxyError, "the proxy does not let us through: {error}", "check HTTPS_PROXY and NO_PROXY"),
    (urllib3.exceptions.NameResolutionError, "its host name is not known here", "check the address and DNS"),
    (
        (urllib3.exceptions.NewConnectionError, ConnectionRefusedError),
        "cannot connect: {error}",
        "is it running, and can it be reached from here?",
    ),
    (
        urllib3.exceptions.ConnectTimeoutError,
        "no connection came about in time",
        "is it running, and can it be reached from here?",
    ),
    (
        (urllib3.exceptions.TimeoutError, TimeoutError),
        "nothing came within {seconds:g} s",
        "is the API server overloaded, or the network cut?",
    ),
    ((urllib3.exceptions.ProtocolError, ConnectionError), "the connection broke: {error}", ""),
    (urllib3.exceptions.LocationValueError, "the address is no URL", "check the server in the kubeconfig"),
    (urllib3.exceptions.HTTPError, "{kind}: {error}", ""),
    (
        ConfigException,
        "our credentials cannot be used: {error}",
        "check the kubeconfig, or the service account that is mounted into the pod",
    ),
    (OpenApiException, "{kind}: {error}", ""),
    (OSError, "{kind}: {error}", "check that the files the kubeconfig names are there and readable"),
)
"""What exceptions of the libraries below mean; the first row that fits counts, so the most specific stand first."""


def explain(error: BaseException, server: str, doing: str, seconds: float = 0) -> ClusterError | None:
    """Return the ClusterError that says what ``error`` means; None if it is none of the libraries' below."""
    cause = error.reason if isinstance(error, urllib3.exceptions.MaxRetryError) and error.reason else error
    if isinstance(cause, ApiException) and cause.status:
        return StatusError(
            f"{doing} was answered with {cause.status}: {shorten(cause.reason)}", status=cause.status, where=server
        )
    for kinds, meaning, hint in _MEANINGS:
        if isinstance(cause, kinds):
            said = meaning.format(error=_words(cause), kind=type(cause).__name__, seconds=seconds)
            return ClusterError(f"{doing}: {said}", where=server, hint=hint)
    return None


def _words(error: BaseException) -> str:
    """The text of an exception, without what only a debugger wants."""
    if isinstance(error, ApiException):  # its text repeats headers and body
        return shorten(error.reason)
    return shorten(str(error).rpartition(_CONNECTING)[2])
