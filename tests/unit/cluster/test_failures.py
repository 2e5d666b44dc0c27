from __future__ import annotations

import inspect
import json
import socket
import ssl

import kubernetes.client.exceptions
import pytest
import urllib3.exceptions
from kubernetes.config import ConfigException

from tests.unit.cluster.fakes import SERVER, routed
from webhook.cluster.failures import StatusError, explain, needed_right, refused, shorten
from webhook.errors import ClusterError

SECRET = "eyJhbGciOi.abc"


def _made(kind: type[Exception]) -> Exception:
    """An instance of any exception class, made without its constructor's arguments."""
    error = kind.__new__(kind)
    error.args = (f"went wrong with Authorization: Bearer {SECRET}",)
    for name in ("reason", "status", "body", "headers", "data", "response", "length"):
        if not isinstance(error, OSError):
            setattr(error, name, None)
    if isinstance(error, urllib3.exceptions.IncompleteRead):
        error.partial, error.expected = 1, 2
    if isinstance(error, urllib3.exceptions.InvalidChunkLength):
        error.partial, error.length = 1, b""
    return error


def _classes(module: object, root: type[Exception]) -> list[type[Exception]]:
    found = [kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, root)]
    assert found
    return found


FOREIGN = [
    *_classes(kubernetes.client.exceptions, kubernetes.client.exceptions.OpenApiException),
    *[kind for kind in _classes(urllib3.exceptions, urllib3.exceptions.HTTPError) if not issubclass(kind, Warning)],
    ConfigException,
    OSError,
    FileNotFoundError,
    PermissionError,
    TimeoutError,
    ConnectionResetError,
    BrokenPipeError,
    socket.gaierror,
    ssl.SSLError,
    ssl.SSLCertVerificationError,
]


@pytest.mark.parametrize("kind", FOREIGN, ids=lambda kind: f"{kind.__module__}.{kind.__name__}")
def test_every_exception_of_the_libraries_below_becomes_ours(kind: type[Exception]) -> None:
    client, _ = routed(lambda _: _made(kind))
    with pytest.raises(ClusterError) as raised:
        client.get("/api/v1/nodes")
    told = str(raised.value)
    assert SERVER in told
    assert "GET /api/v1/nodes" in told
    assert SECRET not in told


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        pytest.param(
            urllib3.exceptions.MaxRetryError(
                None,  # type: ignore[arg-type]  # the pool plays no part
                "/x",
                urllib3.exceptions.ConnectTimeoutError("slow"),
            ),
            f"{SERVER}: GET /x: no connection came about in time (is it running, and can it be reached from here?)",
            id="the-reason-behind-a-retry",
        ),
        pytest.param(
            urllib3.exceptions.SSLError("certificate verify failed: unable to get local issuer certificate"),
            f"{SERVER}: GET /x: TLS failed: certificate verify failed: unable to get local issuer certificate "
            "(check the certificate authority in the kubeconfig, and that no proxy stands between)",
            id="certificate",
        ),
        pytest.param(
            urllib3.exceptions.NewConnectionError(
                None,  # type: ignore[arg-type]  # the connection plays no part
                "Failed to establish a new connection: [Errno 111] Connection refused",
            ),
            f"{SERVER}: GET /x: cannot connect: [Errno 111] Connection refused "
            "(is it running, and can it be reached from here?)",
            id="refused",
        ),
        pytest.param(
            urllib3.exceptions.ProtocolError("Connection broken", ConnectionResetError(104, "reset")),
            f"{SERVER}: GET /x: the connection broke: ('Connection broken', ConnectionResetError(104, 'reset'))",
            id="broken",
        ),
        pytest.param(
            ConfigException("cmd: oc-login returned no token"),
            f"{SERVER}: GET /x: our credentials cannot be used: cmd: oc-login returned no token (check the kubeconfig, "
            "or the service account that is mounted into the pod)",
            id="credentials",
        ),
        pytest.param(
            FileNotFoundError(2, "No such file or directory", "/ca.crt"),
            f"{SERVER}: GET /x: FileNotFoundError: [Errno 2] No such file or directory: '/ca.crt' "
            "(check that the files the kubeconfig names are there and readable)",
            id="a-missing-file",
        ),
    ],
)
def test_what_went_wrong_is_told_with_what_to_do(error: Exception, expected: str) -> None:
    assert str(explain(error, SERVER, "GET /x", 5)) == expected


def test_an_api_exception_keeps_its_status_but_not_its_body() -> None:
    error = kubernetes.client.exceptions.ApiException(status=503, reason="Service Unavailable", body="token=abc")
    told = explain(error, SERVER, "GET /x")
    assert isinstance(told, StatusError)
    assert told.status == 503
    assert "abc" not in str(told)


def test_what_is_not_of_the_libraries_is_left_alone() -> None:
    assert explain(KeyError("a bug"), SERVER, "GET /x") is None


@pytest.mark.parametrize(
    ("method", "path", "query", "expected"),
    [
        ("GET", "/api/v1/nodes", {}, "'list' on nodes cluster-wide"),
        ("GET", "/api/v1/nodes", {"watch": "true"}, "'watch' on nodes cluster-wide"),
        ("GET", "/api/v1/namespaces", {}, "'list' on namespaces cluster-wide"),
        ("GET", "/api/v1/namespaces/prod", {}, "'get' on namespaces cluster-wide"),
        ("GET", "/api/v1/namespaces/prod/pods/a", {}, "'get' on pods in namespace prod"),
        (
            "GET",
            "/apis/kubevirt.io/v1/namespaces/prod/virtualmachines",
            {},
            "'list' on virtualmachines.kubevirt.io in namespace prod",
        ),
        (
            "POST",
            "/apis/authorization.k8s.io/v1/subjectaccessreviews",
            {},
            "'create' on subjectaccessreviews.authorization.k8s.io cluster-wide",
        ),
        ("GET", "/version", {}, "'get' on /version"),
    ],
)
def test_a_403_names_the_right_that_lacks(method: str, path: str, query: dict[str, str], expected: str) -> None:
    assert needed_right(method, path, query) == expected
    assert f"lacks the RBAC verb {expected}" in str(refused(SERVER, method, path, query, 403, b""))


@pytest.mark.parametrize(
    ("status", "expected"),
    [(401, "expired"), (404, "CustomResourceDefinition"), (410, "listed again"), (429, "busy"), (503, "log")],
)
def test_other_statuses_say_what_to_do(status: int, expected: str) -> None:
    error = refused(SERVER, "GET", "/x", {}, status, json.dumps({"kind": "Status", "message": "said"}).encode())
    assert error.status == status
    assert f"GET /x was answered with {status}: said (" in str(error)
    assert expected in error.hint


@pytest.mark.parametrize(
    "body", [b"", b"<html>", b"[1]", b'{"kind":"Secret","message":"x"}', b'{"kind":"Status"}', b"\xff", b"[" * 100_000]
)
def test_only_the_message_of_a_status_is_repeated(body: bytes) -> None:
    assert str(refused(SERVER, "GET", "/x", {}, 400, body)) == f"{SERVER}: GET /x was answered with 400"


def test_foreign_text_is_cut_and_without_credentials() -> None:
    assert shorten("a\n b") == "a b"
    assert len(shorten("x" * 1000)) == 300
    for text in (f"Authorization: Bearer {SECRET}", f"token={SECRET}", f"password: {SECRET}", f"basic {SECRET}"):
        assert SECRET not in shorten(text), text
