"""What the worker adds to gunicorn's: bounds on slow clients, seen over a socket pair in this process."""

import socket
import ssl
import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from gunicorn.workers.gthread import ThreadWorker

from webhook.certs.authority import ensure
from webhook.certs.files import ServingCertificate, TLSFiles
from webhook.server import worker
from webhook.server.worker import BoundedSocket, Connection, Hooks


@pytest.fixture(name="hooks", scope="module")
def hooks_with_a_certificate(tmp_path_factory: pytest.TempPathFactory) -> Hooks:
    made = ensure(tmp_path_factory.mktemp("certificate"), ("localhost",), datetime.now(UTC))
    return Hooks(
        certificate=ServingCertificate(TLSFiles(made.certificate, made.key)),
        client_names=frozenset(),
        reload=lambda: None,
        drain=lambda: None,
        shutdown_delay=0.0,
    )


@pytest.fixture(name="pair")
def connected_sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    ours, theirs = socket.socketpair()
    yield ours, theirs
    ours.close()
    theirs.close()


def connection(hooks: Hooks, ours: socket.socket) -> Connection:
    return Connection(hooks, SimpleNamespace(is_ssl=True), ours, (("client", 1), ("server", 2)))


def shaken(hooks: Hooks, pair) -> tuple[BoundedSocket, ssl.SSLSocket]:
    """Both ends of a TLS connection."""
    ours, theirs = pair
    served = connection(hooks, ours)
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    client: list[ssl.SSLSocket] = []
    thread = threading.Thread(target=lambda: client.append(context.wrap_socket(theirs)))
    thread.start()
    wrapped = served._handshake()
    thread.join()
    return wrapped, client[0]


def test_what_a_client_sends_in_time_is_received(hooks, pair):
    served, client = shaken(hooks, pair)
    client.sendall(b"hello")
    assert served.recv(100) == b"hello"
    served.close()
    client.close()


def test_a_client_that_is_late_looks_like_one_that_hung_up(hooks, pair):
    served, client = shaken(hooks, pair)
    served.deadline = time.monotonic() + 0.05
    assert served.recv(100) == b""
    client.sendall(b"too late")
    assert served.recv(100) == b""
    served.close()
    client.close()


def test_waiting_is_never_for_ever(hooks, pair):
    served, client = shaken(hooks, pair)
    served.setblocking(True)
    assert served.gettimeout() == worker.SEND_SECONDS
    served.setblocking(False)
    assert served.gettimeout() == 0
    served.close()
    client.close()


def test_each_request_of_a_kept_connection_has_its_own_time(hooks, pair, monkeypatch):
    served, client = shaken(hooks, pair)
    served.deadline = time.monotonic() - 60
    seen: list[float] = []
    monkeypatch.setattr(ThreadWorker, "handle", lambda _self, conn: seen.append(conn.sock.deadline))
    worker.Worker.handle(worker.Worker.__new__(worker.Worker), SimpleNamespace(sock=served))
    assert seen[0] == pytest.approx(time.monotonic() + worker.REQUEST_SECONDS, abs=5)
    served.close()
    client.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "plain HTTP on the HTTPS port", id="plain-http"),
        pytest.param(b"\x00" * 64, "", id="garbage"),
        pytest.param(None, "nothing came for 0.05 s", id="silence"),
    ],
)
def test_a_handshake_that_fails_closes_quietly_with_one_line(hooks, pair, caplog, monkeypatch, sent, reason):
    monkeypatch.setattr(worker, "HANDSHAKE_SECONDS", 0.05)
    ours, theirs = pair
    if sent is not None:
        theirs.sendall(sent)
    served = connection(hooks, ours)
    with caplog.at_level("INFO"), pytest.raises(StopIteration):
        served.init()
    (record,) = caplog.records
    assert record.getMessage() == "TLS handshake failed"
    assert reason in vars(record)["reason"]
    assert not record.exc_info
    served.sock.close()


@pytest.mark.parametrize(
    ("certificate", "name"),
    [
        ({}, ""),
        ({"subject": ((("organizationName", "x"),), (("commonName", "apiserver"),))}, "apiserver"),
    ],
    ids=["none", "with-organisation"],
)
def test_a_clients_common_name_is_found(certificate, name):
    assert worker._common_name(certificate) == name
