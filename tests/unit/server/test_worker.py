"""What the worker adds to gunicorn's: bounds on slow clients, seen over a socket pair in this process."""

import errno
import selectors
import socket
import ssl
import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future
from contextlib import suppress
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


def untrusting() -> ssl.SSLContext:
    """A client's context that takes any certificate."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


def shaken(hooks: Hooks, pair) -> tuple[BoundedSocket, ssl.SSLSocket]:
    """Both ends of a TLS connection."""
    ours, theirs = pair
    served = connection(hooks, ours)
    theirs.setblocking(False)
    client = untrusting().wrap_socket(theirs, do_handshake_on_connect=False)
    done = False
    while not (done and served.shaken):
        with suppress(ssl.SSLWantReadError):
            client.do_handshake()
            done = True
        if not served.shaken:
            assert served.shake()
    client.settimeout(5)
    return served.sock, client


def test_what_a_client_sends_in_time_is_received(hooks, pair):
    served, client = shaken(hooks, pair)
    client.sendall(b"hello")
    served.setblocking(True)
    assert served.recv(100) == b"hello"
    served.close()
    client.close()


def test_a_client_that_is_late_looks_like_one_that_hung_up(hooks, pair):
    served, client = shaken(hooks, pair)
    served.setblocking(True)
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
    worker.Worker.handle(worker.Worker.__new__(worker.Worker), SimpleNamespace(sock=served, shaken=True))  # type: ignore[arg-type]  # a fake
    assert seen[0] == pytest.approx(time.monotonic() + worker.REQUEST_SECONDS, abs=5)
    served.close()
    client.close()


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        pytest.param(b"GET / HTTP/1.1\r\n\r\n", "plain HTTP on the HTTPS port", id="plain-http"),
        pytest.param(b"\x00" * 64, "", id="garbage"),
    ],
)
def test_a_handshake_that_fails_is_one_quiet_line(hooks, pair, caplog, sent, reason):
    ours, theirs = pair
    theirs.sendall(sent)
    served = connection(hooks, ours)
    with caplog.at_level("INFO"):
        assert not served.shake()
    (record,) = caplog.records
    assert record.getMessage() == "TLS handshake failed"
    assert reason in vars(record)["reason"]
    assert not record.exc_info
    served.sock.close()


def test_a_handshake_that_is_not_complete_waits_for_more_without_blocking(hooks, pair):
    ours, theirs = pair
    theirs.sendall(b"\x16\x03\x01")
    served = connection(hooks, ours)
    given = served.timeout
    assert served.shake()
    assert (served.shaken, served.awaits) == (False, selectors.EVENT_READ)
    theirs.sendall(b"\x02")
    assert served.shake()
    assert (served.shaken, served.timeout) == (False, given)
    served.sock.close()


@pytest.fixture(name="accepting")
def worker_without_a_loop(hooks) -> Iterator[worker.Worker]:
    """What the accepting thread works on; a test calls what the loop would."""
    made = worker.Worker.__new__(worker.Worker)
    made.poller, made.pending_conns, made.lingering = selectors.DefaultSelector(), deque(), deque()
    made.nr_conns = 1
    yield made
    made.poller.close()


def finished(result: object) -> Future[object]:
    future: Future[object] = Future()
    future.set_result(result)
    return future


def events(accepting: worker.Worker) -> None:
    """Do what the loop does with what is there now."""
    for key, _ in accepting.poller.select(0):
        key.data(key.fileobj)


def test_a_connection_that_ends_waits_for_its_client_in_the_poller_only(hooks, pair, accepting):
    ours, theirs = pair
    served = connection(hooks, ours)
    theirs.sendall(b"unread")
    accepting.finish_request(served, finished(False))
    assert accepting.nr_conns == 0
    assert theirs.recv(1) == b""
    events(accepting)
    assert list(accepting.lingering) == [served]
    theirs.close()
    events(accepting)
    assert not accepting.lingering
    assert not accepting.poller.get_map()
    assert served.sock.fileno() == -1


@pytest.mark.parametrize("limit", ["LINGER_SECONDS", "LINGER_BYTES", "LINGERING"])
def test_lingering_has_bounds(hooks, pair, accepting, monkeypatch, limit):
    monkeypatch.setattr(worker, limit, 0)
    ours, theirs = pair
    served = connection(hooks, ours)
    theirs.sendall(b"more than nothing")
    accepting.finish_request(served, finished(False))
    if limit == "LINGER_SECONDS":
        accepting.murder_pending()
    elif limit == "LINGER_BYTES":
        monkeypatch.setattr(worker, "LINGER_BYTES", 1)
        events(accepting)
        events(accepting)
    assert not accepting.lingering
    assert served.sock.fileno() == -1


class Exhausted:
    """A listener of a process that has no descriptor left."""

    def accept(self):
        raise OSError(errno.EMFILE, "Too many open files")


def test_without_descriptors_it_goes_on_and_says_so_once(accepting, monkeypatch, caplog):
    monkeypatch.setattr(worker, "PAUSE_SECONDS", 0)
    accepting.accept(Exhausted())
    accepting.accept(Exhausted())
    assert accepting.nr_conns == 1
    assert [record.getMessage() for record in caplog.records] == ["no connection can be accepted: Too many open files"]


def test_what_else_keeps_it_from_accepting_is_not_hidden(accepting):
    broken = SimpleNamespace(accept=lambda: (_ for _ in ()).throw(OSError(errno.EBADF, "Bad file descriptor")))
    with pytest.raises(OSError, match="Bad file descriptor"):
        accepting.accept(broken)


def test_a_handshake_that_trickles_keeps_the_time_it_had_and_is_dropped(hooks, pair, accepting, caplog):
    ours, theirs = pair
    theirs.sendall(b"\x16\x03\x01")
    served, later = connection(hooks, ours), connection(hooks, socket.socket())
    assert served.shake()
    accepting._wait(later)
    accepting.finish_request(served, finished(worker._UNFINISHED))
    served.timeout = time.monotonic()
    with caplog.at_level("INFO"):
        accepting.murder_pending()
    assert list(accepting.pending_conns) == [later]
    assert served.sock.fileno() == -1
    assert [vars(record)["reason"] for record in caplog.records] == ["not done within 5 s"]
    accepting._drop(later)


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
