from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
import urllib3
from kubernetes.client import ApiClient, Configuration
from urllib3.exceptions import NewConnectionError, ProtocolError

from webhook import __version__
from webhook.cluster.transport import HttpTransport

BROKEN = ProtocolError("Connection aborted.", ConnectionResetError(104, "Connection reset by peer"))
REFUSED = NewConnectionError(None, "Connection refused")  # type: ignore[arg-type]  # the connection plays no part


class Response:
    status = 200
    closed = False

    def stream(self, amt: int, *, decode_content: bool) -> Iterator[bytes]:
        yield b"x" * min(amt, 3)

    def close(self) -> None:
        self.closed = True


class Pool:
    """Stands for urllib3's pool: remembers what was asked, answers as told."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers = list(answers)
        self.asked: list[dict[str, Any]] = []
        self.cleared = False

    def request(self, method: str, url: str, **options: Any) -> Response:
        self.asked.append({"method": method, "url": url, **options})
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer

    def clear(self) -> None:
        self.cleared = True


def transport(*answers: Response | Exception, token: str = "") -> tuple[HttpTransport, Pool]:
    configuration = Configuration(host="https://api.test:6443/")
    if token:
        configuration.api_key["BearerToken"] = token
        configuration.api_key_prefix["BearerToken"] = "Bearer"
    made = HttpTransport(ApiClient(configuration))
    pool = Pool(*answers)
    made._pool = pool  # type: ignore[assignment]  # stands for urllib3's
    return made, pool


def test_a_request_carries_credentials_and_is_neither_redirected_nor_retried_by_the_library() -> None:
    made, pool = transport(Response(), token="t0ken")
    answer = made.send("POST", "/x?y=z", b"{}", connect=2, read=7)
    assert (answer.status, list(answer.chunks())) == (200, [b"xxx"])
    (asked,) = pool.asked
    assert (asked["method"], asked["url"], asked["body"]) == ("POST", "https://api.test:6443/x?y=z", b"{}")
    assert asked["headers"] == {
        "Accept": "application/json",
        "Content-Type": "application/json",
        "User-Agent": f"migguard/{__version__}",
        "authorization": "Bearer t0ken",
    }
    assert (asked["redirect"], asked["retries"], asked["preload_content"]) == (False, False, False)
    timeout = asked["timeout"]
    assert isinstance(timeout, urllib3.Timeout)
    assert (timeout.connect_timeout, timeout.read_timeout) == (2, 7)


def test_a_token_that_is_renewed_is_used_for_the_next_request() -> None:
    made, pool = transport(Response(), Response(), token="old")
    made.send("GET", "/x", None, connect=1, read=1)

    def renew(configuration: Configuration) -> None:
        configuration.api_key["BearerToken"] = "new"

    made._api.configuration.refresh_api_key_hook = renew
    made.send("GET", "/x", None, connect=1, read=1)
    assert [asked["headers"]["authorization"] for asked in pool.asked] == ["Bearer old", "Bearer new"]


def test_a_kept_connection_that_the_server_has_closed_is_tried_once_more() -> None:
    made, pool = transport(BROKEN, Response())
    assert made.send("GET", "/x", None, connect=1, read=1).status == 200
    assert len(pool.asked) == 2


@pytest.mark.parametrize(
    ("answers", "tries"),
    [pytest.param([BROKEN, BROKEN], 2, id="twice-broken"), pytest.param([REFUSED], 1, id="refused")],
)
def test_other_failures_are_raised(answers: list[Exception], tries: int) -> None:
    made, pool = transport(*answers)
    with pytest.raises(type(answers[-1])):
        made.send("GET", "/x", None, connect=1, read=1)
    assert len(pool.asked) == tries


def test_after_closing_a_broken_connection_is_not_tried_again() -> None:
    made, pool = transport(BROKEN)
    made.close()
    assert pool.cleared
    with pytest.raises(ProtocolError):
        made.send("GET", "/x", None, connect=1, read=1)


@pytest.mark.parametrize("scheme", ["http", "https"])
def test_connections_are_known_so_that_they_can_be_cut(scheme: str) -> None:
    made = HttpTransport(ApiClient(Configuration(host="https://api.test:6443")))
    pool: Any = made._pool.pool_classes_by_scheme[scheme]
    assert issubclass(pool, urllib3.connectionpool.HTTPConnectionPool)
    assert pool.ConnectionCls.connect.__module__ == HttpTransport.__module__
