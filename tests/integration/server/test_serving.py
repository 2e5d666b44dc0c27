"""``migguard serve`` as a process on loopback: TLS, bad clients, reloads, shutdown, as a kube-apiserver meets them."""

import http.client
import json
import os
import shutil
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509

from tests.support.pki import Authority
from tests.support.process import Process, free_port, until
from tests.support.reviews import POLICY, body, small_world
from webhook.admission.review import MAX_BODY_BYTES
from webhook.certs.authority import ensure

MIGGUARD = Path(sys.executable).with_name("migguard")


OPENED: list[http.client.HTTPSConnection | socket.socket] = []


@pytest.fixture(autouse=True)
def connections_are_closed() -> Iterator[None]:
    """Close what the test opened."""
    yield
    while OPENED:
        OPENED.pop().close()


class Server:
    """A migguard process and ways to talk to it."""

    def __init__(self, folder: Path, *flags: str | Path, with_manifests: bool = True) -> None:
        self.folder = folder
        self.policies, cluster = small_world(folder / "world")
        self.port, self.health_port = free_port(), free_port()
        self.audit_log = folder / "audit.jsonl"
        self.made = folder / "state"
        arguments: list[str | Path] = ["serve", "--policies", self.policies]
        arguments += ["--cluster", cluster] if with_manifests else []
        arguments += ["--listen", f"127.0.0.1:{self.port}", "--health-listen", f"127.0.0.1:{self.health_port}"]
        arguments += ["--audit-log", self.audit_log, "--state-dir", self.made, "--log-format", "text"]
        self.process = Process("migguard", [MIGGUARD, *arguments, *flags], log=folder / "log")

    @property
    def log(self) -> str:
        return self.process.log.read_text()

    def start(self) -> None:
        self.process.start(lambda: self.health("/readyz")[0] == 200, seconds=30)

    def health(self, path: str) -> tuple[int, str]:
        """Status and text; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.health_port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except OSError:
            return 0, ""

    def trusting(self, ca: Path | None = None) -> ssl.SSLContext:
        return ssl.create_default_context(cafile=str(ca or self.made / "ca.crt"))

    def connect(self, context: ssl.SSLContext | None = None) -> http.client.HTTPSConnection:
        connection = http.client.HTTPSConnection("127.0.0.1", self.port, timeout=20, context=context or self.trusting())
        OPENED.append(connection)
        return connection

    def raw(self) -> socket.socket:
        connection = socket.create_connection(("127.0.0.1", self.port), timeout=20)
        OPENED.append(connection)
        return connection

    def wrapped(self) -> ssl.SSLSocket:
        connection = self.trusting().wrap_socket(self.raw(), server_hostname="localhost")
        OPENED.append(connection)
        return connection

    def served_certificate(self) -> x509.Certificate:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        with self.raw() as plain, context.wrap_socket(plain) as wrapped:
            der = wrapped.getpeercert(binary_form=True)
        assert der is not None
        return x509.load_der_x509_certificate(der)


def post(
    connection: http.client.HTTPSConnection, data: bytes | None = None, path: str = "/validate?timeout=10s"
) -> tuple[int, Any]:
    connection.request("POST", path, body() if data is None else data, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())


@pytest.fixture(scope="module", name="server")
def running_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One that tests share and leave as they found it."""
    server = Server(tmp_path_factory.mktemp("server"))
    server.start()
    yield server
    server.process.stop()


@pytest.fixture(name="started")
def server_starter(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Start a server of the test's own, with flags."""
    servers: list[Server] = []

    def start(*flags: str | Path) -> Server:
        server = Server(tmp_path / f"server-{len(servers)}", *flags)
        servers.append(server)
        server.start()
        return server

    yield start
    for server in servers:
        server.process.stop()


def replace(path: Path, source: Path) -> None:
    new = path.with_suffix(".new")
    shutil.copy(source, new)
    new.replace(path)


def test_a_review_is_decided_over_tls_that_the_ca_bundle_vouches_for(server):
    connection = server.connect()
    assert post(connection, body("move"))[1]["response"]["allowed"] is True
    assert post(connection, body("forbidden"))[1]["response"]["allowed"] is False


def test_the_start_tells_where_it_listens_and_what_is_loaded(server):
    until(
        lambda: "ready" in server.log.splitlines()[-1] or "migguard: ready" in server.log, seconds=5, what="ready line"
    )
    for line in [
        f"migguard: CA bundle for the webhook configuration: {server.made}/ca.crt",
        f"migguard: serving /validate and /mutate on https://127.0.0.1:{server.port}",
        f"migguard: serving /healthz, /readyz and /metrics on http://127.0.0.1:{server.health_port}",
        "migguard: policies loaded (policies: 1, revision: sha256:",
        "migguard: cluster state: 1 objects from",
        f"migguard: audit records go to {server.audit_log}",
        "migguard: ready",
    ]:
        assert line in server.log


def test_a_connection_is_kept_for_the_next_review(server):
    connection = server.connect()
    post(connection)
    kept = connection.sock
    post(connection)
    assert connection.sock is kept


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3], ids=["1.2", "1.3"])
def test_current_tls_versions_are_spoken(server, version):
    context = server.trusting()
    context.minimum_version = context.maximum_version = version
    connection = server.connect(context)
    assert post(connection)[0] == 200


def test_old_tls_is_refused(server):
    context = server.trusting()
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    with pytest.raises(ssl.SSLError):
        post(server.connect(context))


def test_plain_http_on_the_tls_port_is_closed_and_leaves_no_traceback(server):
    with server.raw() as plain:
        plain.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n")
        assert b"HTTP/1.1 200" not in b"".join(iter(lambda: plain.recv(1024), b""))
    until(lambda: "plain HTTP on the HTTPS port" in server.log, seconds=5, what="the log line")
    assert "Traceback" not in server.log


@pytest.mark.parametrize(
    ("head", "status"),
    [
        pytest.param(b"POST /" + b"x" * 3000 + b" HTTP/1.1\r\n\r\n", 414, id="long-line"),
        pytest.param(b"POST /validate HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n", 431, id="long-header"),
        pytest.param(b"POST /validate HTTP/1.1\r\n" + b"X: y\r\n" * 60 + b"\r\n", 431, id="many-headers"),
        pytest.param(b"NONSENSE\r\n\r\n", 400, id="nonsense"),
    ],
)
def test_a_head_out_of_bounds_gets_a_4xx_and_no_traceback(server, head, status):
    connection = server.wrapped()
    connection.sendall(head)
    assert connection.recv(1024).split()[1] == str(status).encode()
    assert "Traceback" not in server.log


def test_a_body_that_is_too_large_is_refused_and_the_server_lives_on(server):
    connection = server.connect()
    headers = {"Content-Type": "application/json", "Content-Length": str(100 * 1024 * 1024)}
    connection.request("POST", "/validate", headers=headers)
    assert connection.getresponse().status == 413
    assert post(server.connect())[0] == 200


def test_clients_that_connect_and_stay_silent_keep_nobody_waiting_and_are_dropped(server):
    silent = [server.raw() for _ in range(50)]
    started = time.monotonic()
    assert post(server.connect())[0] == 200
    assert time.monotonic() - started < 3
    assert silent[0].recv(1) == b""


BAD_CLIENTS = 60
"""Of one kind. Where a thread, or the one that accepts, waits for each, the request behind them takes over a minute."""


def kept_waiting(server: Server) -> bool:
    """Whether a good request takes far longer than it should."""
    started = time.monotonic()
    assert post(server.connect())[0] == 200
    return time.monotonic() - started > 20


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n", id="plain-http"),
        pytest.param(b"\x16\x03\x01", id="part-of-a-client-hello"),
        pytest.param(b"\x00" * 64, id="garbage"),
    ],
)
def test_clients_that_fail_the_handshake_and_stay_keep_nobody_waiting(server, sent):
    bad = [server.raw() for _ in range(BAD_CLIENTS)]
    for client in bad:
        client.sendall(sent)
    assert not kept_waiting(server)
    assert "WORKER TIMEOUT" not in server.log


def test_clients_that_were_told_that_it_is_over_and_stay_keep_nobody_waiting(server):
    ended = [server.wrapped() for _ in range(BAD_CLIENTS)]
    for client in ended:
        client.sendall(b"GET /x HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
    assert not kept_waiting(server)


def test_clients_that_shake_hands_and_send_nothing_keep_nobody_waiting(server):
    silent = [server.wrapped() for _ in range(BAD_CLIENTS)]
    assert not kept_waiting(server)
    silent[0].sendall(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    assert b" 404 " in silent[0].recv(1024)


def test_a_handshake_in_small_pieces_is_completed(server):
    """As over a bad network: a client's hello that comes byte by byte."""
    client, hello, answers = server.raw(), ssl.MemoryBIO(), ssl.MemoryBIO()
    client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    handshake = server.trusting().wrap_bio(answers, hello, server_hostname="localhost")
    while True:
        try:
            handshake.do_handshake()
            break
        except ssl.SSLWantReadError:
            for byte in hello.read():
                client.sendall(bytes([byte]))
            answers.write(client.recv(65536))
    handshake.write(b"GET /x HTTP/1.1\r\nHost: x\r\n\r\n")
    client.sendall(hello.read())
    while True:
        answers.write(client.recv(65536))
        with suppress(ssl.SSLWantReadError):
            assert b" 404 " in handshake.read(1024)
            return


def test_a_body_in_chunks_that_is_too_large_is_refused(server):
    """A good review up to the limit, and something after it."""
    connection = server.connect()
    chunks = [body().ljust(MAX_BODY_BYTES), b"garbage"]
    connection.request("POST", "/validate", iter(chunks), {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 413


@pytest.mark.parametrize(
    "ending",
    [pytest.param(b"xx0\r\n\r\n", id="longer-than-it-says"), pytest.param(b"\r\nzz\r\n", id="size-is-no-number")],
)
def test_a_body_in_broken_chunks_is_not_judged(server, ending):
    client, data = server.wrapped(), body("in-broken-chunks")
    client.sendall(b"POST /validate HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
    client.sendall(b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%b%b" % (len(data), data, ending))
    answer = b"".join(iter(lambda: client.recv(1024), b""))
    assert answer.startswith(b"HTTP/1.1 400 ")
    assert answer.count(b"HTTP/1.1") == 1
    assert "in-broken-chunks" not in server.audit_log.read_text()
    assert "Traceback" not in server.log


def test_two_slashes_are_another_path(server):
    connection = server.connect()
    status, answer = post(connection, path="//validate")
    assert (status, answer["error"]) == (404, "there is nothing at //validate")


def test_a_client_that_trickles_its_request_is_cut_off(server):
    connection = server.wrapped()
    connection.sendall(b"POST /validate HTTP/1.1\r\n")
    started = time.monotonic()
    with suppress(OSError):
        while time.monotonic() - started < 20:
            connection.sendall(b"X: y\r\n")
            time.sleep(1)
    assert time.monotonic() - started < 15
    assert "Traceback" not in server.log


def test_readiness_liveness_and_metrics_have_their_own_listener(server):
    post(server.connect())
    assert server.health("/healthz") == (200, "ok\n")
    status, text = server.health("/readyz?verbose")
    assert status == 200
    assert "[+]policies: 1 policies in force" in text
    assert "[+]cluster: 1 objects from manifests" in text
    metrics = server.health("/metrics")[1]
    assert 'migguard_decisions_total{dry_run="false",operation="CREATE",origin="User"' in metrics
    assert "migguard_certificate_expiry_timestamp_seconds 1." in metrics
    assert server.health("/validate")[0] == 404


def test_our_own_certificate_is_used_again_by_the_next_start(started):
    server = started()
    first = server.served_certificate()
    server.process.stop()
    server.start()
    assert server.served_certificate() == first


def test_a_new_certificate_is_served_while_requests_go_on(started, tmp_path):
    authority = Authority(tmp_path)
    certificate, key = authority.serving(tmp_path, "serving")
    server = started("--tls-cert", certificate, "--tls-key", key)
    before = server.served_certificate()
    kept = server.connect(server.trusting(authority.path))
    post(kept)

    stop, statuses = threading.Event(), []

    def keep_asking() -> None:
        while not stop.is_set():
            statuses.append(post(server.connect(server.trusting(authority.path)))[0])

    thread = threading.Thread(target=keep_asking)
    thread.start()
    other = authority.serving(tmp_path, "other")
    replace(certificate, other[0])
    replace(key, other[1])
    until(lambda: server.served_certificate() != before, seconds=10, what="the new certificate is served")
    stop.set()
    thread.join()
    assert post(kept)[0] == 200
    assert statuses
    assert set(statuses) == {200}
    assert server.served_certificate() == x509.load_pem_x509_certificate(other[0].read_bytes())
    assert "a new certificate is served" in server.log


def test_only_clients_with_a_certificate_of_the_ca_and_a_listed_name_are_served(started, tmp_path):
    authority = Authority(tmp_path)
    server = started("--client-ca", authority.path, "--client-name", "kube-apiserver")

    def ask(user: str | None) -> int:
        context = server.trusting()
        if user:
            certificate, key = authority.client(user, [])
            (tmp_path / "client.pem").write_bytes(certificate + key)
            context.load_cert_chain(tmp_path / "client.pem")
        return post(server.connect(context))[0]

    assert ask("kube-apiserver") == 200
    for stranger in (None, "somebody"):
        with pytest.raises((ssl.SSLError, ConnectionError, http.client.RemoteDisconnected)):
            ask(stranger)
    assert "the client's certificate is for 'somebody'" in server.log
    assert "Traceback" not in server.log


def test_on_sigterm_it_is_unready_first_then_ends_what_was_begun(started):
    server = started("--shutdown-delay", "1s")
    connection = server.connect()
    data = body()
    connection.putrequest("POST", "/validate")
    connection.putheader("Content-Type", "application/json")
    connection.putheader("Content-Length", str(len(data)))
    connection.endheaders(data[:10])
    time.sleep(0.2)  # until the worker has begun to read it
    server.process.signal(signal.SIGTERM)
    until(lambda: server.health("/readyz")[0] == 503, seconds=5, what="unready")
    assert "serving: shutting down" in server.health("/readyz")[1]
    during = server.connect()
    assert post(during)[0] == 200
    time.sleep(1.2)  # past the delay: nothing new is accepted now
    connection.send(data[10:])
    answer = connection.getresponse()
    assert answer.status == 200
    assert json.loads(answer.read())["response"]["allowed"] is True
    until(lambda: not server.process.running, seconds=10, what="the end")
    assert "migguard: stopped" in server.log
    assert "Traceback" not in server.log


def test_an_idle_server_stops_promptly_on_ctrl_c(started):
    server = started()
    server.process.signal(signal.SIGINT)
    until(lambda: not server.process.running, seconds=5, what="the end")
    assert "Traceback" not in server.log


def test_sighup_reloads_policies_in_the_same_process(started):
    server = started()
    connection = server.connect()
    post(connection)
    server.process.signal(signal.SIGHUP)
    until(
        lambda: 'migguard_policy_reload_total{result="success"} 1.0' in server.health("/metrics")[1],
        seconds=5,
        what="the reload",
    )
    assert post(connection)[0] == 200


def test_an_edited_policy_takes_effect_on_an_open_connection(started):
    server = started()
    connection = server.connect()
    assert post(connection, body("forbidden"))[1]["response"]["allowed"] is False
    (server.policies / "policy.yaml").write_text(POLICY.replace("'forbidden'", "'other'"))
    until(
        lambda: post(connection, body("forbidden"))[1]["response"]["allowed"], seconds=5, what="the new policy decides"
    )


def test_a_worker_that_is_killed_is_replaced(started):
    server = started()
    kill_worker(server)
    until(lambda: server.health("/readyz")[0] == 200 and post_works(server), seconds=15, what="a new worker")


def test_a_worker_that_is_killed_while_the_policies_are_broken_leaves_the_last_good_set_in_force(started):
    server = started()
    good = POLICY.replace("'forbidden'", "'lately-forbidden'")
    (server.policies / "policy.yaml").write_text(good)
    until(lambda: "policies reloaded" in server.log, seconds=10, what="the good policies")
    (server.policies / "policy.yaml").write_text("kind: Nonsense")
    until(lambda: "policy reload failed" in server.log, seconds=10, what="the broken policies")

    kill_worker(server)

    until(lambda: server.health("/readyz")[0] == 200 and post_works(server), seconds=15, what="a new worker")
    assert post(server.connect(), body("lately-forbidden"))[1]["response"]["allowed"] is False
    assert "the files on disk have 1 problem(s)" in server.health("/readyz?verbose")[1]
    assert "migguard_policy_problem 1.0" in server.health("/metrics")[1]
    assert "the process that this one replaces" in server.log
    (server.policies / "policy.yaml").write_text(POLICY)
    until(
        lambda: post(server.connect(), body("lately-forbidden"))[1]["response"]["allowed"],
        seconds=10,
        what="the mended policies decide",
    )


def kill_worker(server: Server) -> None:
    (worker,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    os.kill(int(worker), signal.SIGKILL)


def post_works(server: Server) -> bool:
    try:
        return post(server.connect())[0] == 200
    except OSError:
        return False


def migguard(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run([MIGGUARD, *arguments], capture_output=True, text=True, timeout=30, check=False)


@pytest.fixture(name="world")
def small_world_flags(tmp_path) -> list[str | Path]:
    policies, cluster = small_world(tmp_path / "world")
    flags: list[str | Path] = ["serve", "--policies", policies, "--cluster", cluster, "--state-dir", tmp_path / "state"]
    return [*flags, "--listen", "127.0.0.1:0", "--health-listen", "127.0.0.1:0", "--log-format", "text"]


def test_broken_policies_end_the_start_with_every_problem_and_exit_code_2(world, tmp_path):
    (tmp_path / "world" / "policies" / "policy.yaml").write_text("kind: Nonsense\n")
    ended = migguard(*world)
    assert ended.returncode == 2
    assert "policy.yaml:1:" in ended.stderr
    assert "CA bundle for the webhook configuration" in ended.stderr
    assert "serving" not in ended.stderr
    assert "Traceback" not in ended.stderr


@pytest.mark.parametrize(
    ("flags", "code", "says"),
    [
        pytest.param(["--audit-log", "/nowhere/audit.jsonl"], 2, "/nowhere/audit.jsonl: audit records", id="audit-log"),
        pytest.param(["--tls-cert", "/no.crt", "--tls-key", "/no.key"], 2, "/no.crt: cannot be read", id="certificate"),
        pytest.param(["--listen", "192.0.2.1:1"], 2, "--listen: cannot listen on 192.0.2.1:1", id="address"),
        pytest.param(["--client-ca", "/no.crt"], 2, "/no.crt: cannot be read", id="client-ca"),
    ],
)
def test_what_it_cannot_start_with_is_one_line_and_an_exit_code(world, flags, code, says):
    ended = migguard(*world, *flags)
    assert ended.returncode == code
    assert says in ended.stderr.splitlines()[-1]
    assert "Traceback" not in ended.stderr


def test_a_kubeconfig_that_is_missing_is_wrong_use(world):
    at = world.index("--cluster")
    ended = migguard(*world[:at], "--kubeconfig", "/no/config", *world[at + 2 :])
    assert ended.returncode == 2
    assert "/no/config cannot be read: No such file" in ended.stderr.splitlines()[-1]


def test_a_port_that_is_taken_is_told_at_once(world, server):
    ended = migguard(*world, "--health-listen", f"127.0.0.1:{server.health_port}")
    assert ended.returncode == 2
    assert "--health-listen: cannot listen on" in ended.stderr


def test_our_own_certificate_files_are_made_for_the_state_directory(started):
    server = started()
    assert ensure(server.made, ("localhost", "127.0.0.1", "::1"), datetime.now(UTC)).folder == server.made
    assert server.served_certificate() == x509.load_pem_x509_certificate((server.made / "tls.crt").read_bytes())


def test_without_an_api_server_it_starts_is_not_ready_says_why_and_refuses_people_meanwhile(tmp_path):
    kubeconfig = tmp_path / "kubeconfig"
    kubeconfig.write_text(
        f"""\
apiVersion: v1
kind: Config
current-context: down
clusters: [{{name: down, cluster: {{server: "https://127.0.0.1:{free_port()}"}}}}]
users: [{{name: nobody, user: {{token: secret-token}}}}]
contexts: [{{name: down, context: {{cluster: down, user: nobody}}}}]
"""
    )
    server = Server(tmp_path, "--kubeconfig", kubeconfig, with_manifests=False)
    needs_a_fact = POLICY.replace("object.metadata.name != 'forbidden'", "requester.canMigrate")
    (server.policies / "policy.yaml").write_text(needs_a_fact)
    server.process.start(lambda: server.health("/healthz")[0] == 200, seconds=30)
    try:
        until(lambda: "refused" in server.health("/readyz")[1], seconds=10, what="the reason")
        status, text = server.health("/readyz")
        assert status == 503
        assert "[-]cluster: " in text
        response = post(server.connect())[1]["response"]
        assert response["allowed"] is False
        assert response["status"]["code"] == 503
        assert "could not be judged" in response["status"]["message"]
        assert "Traceback" not in server.log
        assert "secret-token" not in server.log
    finally:
        server.process.stop()
