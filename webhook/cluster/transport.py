"""HTTP to the kube-apiserver over the ``kubernetes`` library's configuration, credentials and connection pool.

Added to what the library does: connections can be cut while another thread waits on them, so that a stop is prompt, and
nothing is retried or redirected behind our back.
"""

from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from weakref import WeakSet

import urllib3
import yaml
from kubernetes.client import ApiClient, Configuration
from kubernetes.config import ConfigException, load_incluster_config, load_kube_config
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool

from webhook import __version__
from webhook.cluster.failures import shorten
from webhook.errors import ClusterError, InputError

_POOL = 64
"""Connections kept: one for each watch (about 20 resources), the rest for the server's threads."""

_CHUNK = 64 * 1024

_APPLY = "application/apply-patch+yaml"
"""Of a server-side apply, the only patch that we send. Source: Kubernetes API concepts, "PATCH HTTP verb"."""

_UNEXPECTED = (ValueError, LookupError, TypeError, AttributeError, urllib3.exceptions.HTTPError)
"""How the library meets a kubeconfig that is not shaped like one."""


class HttpAnswer:
    """An answer whose body is read as it comes."""

    def __init__(self, response: urllib3.BaseHTTPResponse) -> None:
        self._response = response
        self.status = response.status

    def chunks(self) -> Iterator[bytes]:
        """Yield the body as it comes."""
        yield from self._response.stream(_CHUNK, decode_content=True)

    def close(self) -> None:
        """Give the connection up; one that was read to its end is back in the pool already."""
        self._response.close()


class HttpTransport:
    """Sends requests of many threads through one connection pool."""

    def __init__(self, api: ApiClient) -> None:
        self._api = api
        self._credentials = threading.Lock()
        self._sockets = _Sockets()
        self._pool: urllib3.PoolManager = api.rest_client.pool_manager
        self._pool.pool_classes_by_scheme = {
            "http": self._sockets.tracked(HTTPConnectionPool),
            "https": self._sockets.tracked(HTTPSConnectionPool),
        }
        self.server: str = api.configuration.host.rstrip("/")

    def send(self, method: str, target: str, body: bytes | None, *, connect: float, read: float) -> HttpAnswer:
        """Send one request; a second time if a kept connection turns out to be closed by the other side.

        Everything we send may be sent twice: reads, access reviews, which create nothing that stays, and the apply and
        deletion of reports, which are the same done twice.
        """
        headers = self._headers(target, method)
        if body is not None:
            headers["Content-Type"] = _APPLY if method == "PATCH" else "application/json"
        timeout = urllib3.Timeout(connect=connect, read=read)

        def once() -> HttpAnswer:
            return HttpAnswer(
                self._pool.request(
                    method,
                    self.server + target,
                    body=body,
                    headers=headers,
                    timeout=timeout,
                    preload_content=False,
                    redirect=False,
                    retries=False,
                )
            )

        try:
            return once()
        except urllib3.exceptions.ProtocolError:
            if self._sockets.cut_all:
                raise
            return once()

    def close(self) -> None:
        """Cut every connection, also those on which another thread waits."""
        self._sockets.cut()
        self._pool.clear()

    def _headers(self, target: str, method: str) -> dict[str, str]:
        headers = {"Accept": "application/json", "User-Agent": f"migguard/{__version__}"}
        with self._credentials:  # the library renews tokens in here, and does not expect two threads
            self._api.update_params_for_auth(headers, [], ["BearerToken"], target, method, None)
        return headers


class _Sockets:
    """The open sockets of a pool."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open: WeakSet[Any] = WeakSet()
        self.cut_all = False

    def tracked(self, pool: Any) -> Any:
        """Return a pool class whose connections are known here."""
        known = self

        class Connection(pool.ConnectionCls):  # type: ignore[misc]  # the library chooses the class
            def connect(self) -> None:
                super().connect()
                known.add(self.sock)

        return type(pool.__name__, (pool,), {"ConnectionCls": Connection})

    def add(self, opened: Any) -> None:
        with self._lock:
            self._open.add(opened)
            if self.cut_all:
                _shut(opened)

    def cut(self) -> None:
        with self._lock:
            self.cut_all = True
            for opened in self._open:
                _shut(opened)


def _shut(opened: Any) -> None:
    """Wake whoever reads from a socket. The plain socket's method: that of a TLS socket would pull the rug away."""
    plain = getattr(opened, "socket", opened)  # TLS through a TLS proxy is a wrapper
    try:
        socket.socket.shutdown(plain, socket.SHUT_RDWR)
    except OSError:
        return  # closed already


def open_transport(kubeconfig: Path | None, context: str | None) -> HttpTransport:
    """Read a kubeconfig (or several, in a list as ``$KUBECONFIG`` has it), or the service account of the pod.

    Sends nothing.

    Raises:
        InputError: the kubeconfig cannot be used.
        ClusterError: the service account cannot be used.
    """
    unusable = ClusterError if kubeconfig is None else InputError
    configuration = Configuration(connection_pool_maxsize=_POOL)
    where = str(kubeconfig) if kubeconfig else "the service account of this pod"
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)  # type: ignore[no-untyped-call]  # not annotated
        else:
            for file in str(kubeconfig).split(os.pathsep):
                Path(file).read_bytes()  # the library calls a missing file an empty one
            load_kube_config(  # type: ignore[no-untyped-call]  # not annotated
                str(kubeconfig), context, client_configuration=configuration, persist_config=False
            )
        return HttpTransport(ApiClient(configuration))
    except OSError as error:
        raise unusable(f"{where} cannot be read: {error.strerror or error}", hint="check the path") from error
    except ConfigException as error:
        hint = "check the file and the context" if kubeconfig else "outside a pod, name a kubeconfig with --kubeconfig"
        raise unusable(f"{where} cannot be used: {shorten(error)}", hint=hint) from error
    except (yaml.YAMLError, *_UNEXPECTED) as error:
        # The texts of these may repeat what the file holds, keys included.
        raise unusable(
            f"{where} is not a kubeconfig ({type(error).__name__})", hint="see kubectl config view"
        ) from error
