"""How the server is set up; that it serves is tested with real connections in tests/integration/server."""

import logging
import resource
import socket
from pathlib import Path

import pytest

from webhook.errors import UsageError
from webhook.server.gunicorn import Supervisor, _certificate, _own_names, bind, connections
from webhook.settings import Address, Settings


def settings(**changes) -> Settings:
    return Settings(policies=(Path("policies"),), **changes)


def test_an_address_that_is_taken_is_wrong_use_of_its_flag(monkeypatch):
    def taken(*_):
        raise OSError(98, "Address already in use")

    monkeypatch.setattr(socket.socket, "bind", taken)
    with pytest.raises(UsageError) as error:
        bind(Address("127.0.0.1", 1), "--health-listen")
    assert str(error.value) == (
        "--health-listen: cannot listen on 127.0.0.1:1: Address already in use (give another HOST:PORT)"
    )


@pytest.mark.parametrize(
    ("host", "names", "expected"),
    [
        pytest.param("127.0.0.1", (), ("localhost", "127.0.0.1", "::1"), id="loopback"),
        pytest.param("0.0.0.0", (), ("localhost", "127.0.0.1", "::1"), id="all-interfaces"),
        pytest.param("10.0.0.1", (), ("localhost", "127.0.0.1", "::1", "10.0.0.1"), id="an-address"),
        pytest.param("::", ("a.svc",), ("localhost", "127.0.0.1", "::1", "a.svc"), id="more-names"),
    ],
)
def test_our_own_certificate_names_where_we_can_be_reached(host, names, expected):
    assert _own_names(settings(listen=Address(host, 1), tls_name=names)) == expected


def test_without_a_certificate_one_is_made_and_the_ca_bundle_told(tmp_path, caplog):
    with caplog.at_level(logging.INFO):
        certificate, names = _certificate(settings(state_dir=tmp_path / "state"))
    assert certificate.files.certificate == tmp_path / "state" / "tls.crt"
    assert "localhost" in names
    assert f"CA bundle for the webhook configuration: {tmp_path}/state/ca.crt" in caplog.messages


def test_a_given_certificate_is_served_and_never_renewed_by_us(tmp_path):
    made, _ = _certificate(settings(state_dir=tmp_path))
    certificate, names = _certificate(settings(tls_cert=made.files.certificate, tls_key=made.files.key))
    assert certificate.expires == made.expires
    assert names == ()


def test_exit_codes_that_end_the_server_are_those_of_the_command():
    assert (Supervisor.APP_LOAD_ERROR, Supervisor.WORKER_BOOT_ERROR) == (2, 3)


@pytest.mark.parametrize(
    ("soft", "hard", "held"),
    [
        pytest.param(1024, 4096, 1000, id="the soft limit can be raised"),
        pytest.param(4096, 4096, 1000, id="high enough"),
        pytest.param(resource.RLIM_INFINITY, resource.RLIM_INFINITY, 1000, id="no limit"),
        pytest.param(300, 300, 172, id="low, with room left for what else is opened"),
        pytest.param(64, 64, 8, id="very low"),
    ],
)
def test_connections_leave_open_files_for_other_things(monkeypatch, soft, hard, held):
    raised = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: raised.append(limits))
    assert connections() == held
    assert raised == ([(1128, 4096)] if (soft, hard) == (1024, 4096) else [])
