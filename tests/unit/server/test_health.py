"""/healthz, /readyz and /metrics, without a socket."""

from http import HTTPStatus

import pytest
from prometheus_client import CollectorRegistry, Counter

from webhook.runtime import Condition
from webhook.server.health import Health

GOOD = Condition("policies", True, "8 in force")
BAD = Condition("cluster", False, "connection refused")


def health(*conditions: Condition) -> Health:
    registry = CollectorRegistry()
    Counter("migguard_test", "A test.", registry=registry).inc()
    return Health(lambda: conditions, registry)


@pytest.mark.parametrize(
    ("conditions", "target", "status", "body"),
    [
        pytest.param((GOOD,), "/readyz", HTTPStatus.OK, "ok\n", id="ready"),
        pytest.param((GOOD, BAD), "/readyz", 503, "[-]cluster: connection refused\nnot ready\n", id="not-ready"),
        pytest.param((GOOD,), "/readyz?verbose", 200, "[+]policies: 8 in force\nok\n", id="ready-verbose"),
        pytest.param(
            (GOOD, BAD),
            "/readyz?verbose=1",
            503,
            "[+]policies: 8 in force\n[-]cluster: connection refused\nnot ready\n",
            id="not-ready-verbose",
        ),
        pytest.param((BAD,), "/healthz", 200, "ok\n", id="alive-though-not-ready"),
    ],
)
def test_probes_tell_the_state_and_why(conditions, target, status, body):
    reply = health(*conditions).reply(target)
    assert (reply.status, reply.body.decode()) == (status, body)


@pytest.mark.parametrize("target", ["/", "/metrics/", "/validate", "", "//", "/%00", "http://x/y"])
def test_any_other_path_is_not_found_and_says_what_exists(target):
    reply = health(GOOD).reply(target)
    assert reply.status == HTTPStatus.NOT_FOUND
    assert b"/readyz" in reply.body


def test_metrics_are_in_prometheus_text_format():
    reply = health(GOOD).reply("/metrics")
    assert reply.content_type.startswith("text/plain")
    assert b"migguard_test_total 1.0" in reply.body


def test_metrics_are_in_openmetrics_format_for_who_asks_for_it():
    reply = health(GOOD).reply("/metrics", "application/openmetrics-text; version=1.0.0")
    assert reply.content_type.startswith("application/openmetrics-text")
    assert reply.body.endswith(b"# EOF\n")
