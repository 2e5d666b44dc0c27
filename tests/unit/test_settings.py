"""Settings: what flags and environment mean, and what is refused."""

from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook import settings
from webhook.cluster.watch import SILENCE_SECONDS, WATCH_SECONDS
from webhook.errors import UsageError
from webhook.settings import Address, duration

POLICIES = {"policies": ["policies"]}


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        pytest.param("10s", 10.0, id="seconds"),
        pytest.param("1m30s", 90.0, id="minutes-and-seconds"),
        pytest.param("500ms", 0.5, id="milliseconds"),
        pytest.param("1.5s", 1.5, id="fraction"),
        pytest.param("2h", 7200.0, id="hours"),
        pytest.param("250us", 0.00025, id="microseconds"),
        pytest.param("7", 7.0, id="bare-seconds"),
    ],
)
def test_a_go_duration_is_read_as_seconds(text, seconds):
    assert duration(text) == pytest.approx(seconds)


@pytest.mark.parametrize("text", ["", "s", "ten", "10 s", "-1s", "1d", "10s;", "1s" * 40, "\u0661s", "1e9s"])
def test_what_is_no_duration_is_refused(text):
    with pytest.raises(ValueError, match="is not a duration"):
        duration(text)


@given(st.text())
def test_any_text_is_a_duration_or_a_value_error(text):
    with suppress(ValueError):
        assert duration(text) >= 0


@pytest.mark.parametrize(
    ("text", "address"),
    [
        pytest.param("127.0.0.1:8443", Address("127.0.0.1", 8443), id="ipv4"),
        pytest.param("[::1]:8443", Address("::1", 8443), id="ipv6"),
        pytest.param("localhost:0", Address("localhost", 0), id="any-port"),
        pytest.param(":443", Address("0.0.0.0", 443), id="all-interfaces"),
    ],
)
def test_an_address_is_read(text, address):
    assert Address.parse(text) == address


def test_an_ipv6_address_is_shown_in_brackets():
    assert str(Address("::1", 8443)) == "[::1]:8443"


@pytest.mark.parametrize("text", ["8443", "localhost", "host:http", "host:65536", "::1:8443", "[::1]", ""])
def test_what_is_no_address_is_refused(text):
    with pytest.raises(ValueError, match="is not an address"):
        Address.parse(text)


def test_a_flag_wins_over_its_variable():
    read = settings.read({**POLICIES, "listen": ["127.0.0.1:1"]}, {"MIGGUARD_LISTEN": "127.0.0.1:2"})
    assert read.listen == Address("127.0.0.1", 1)


def test_a_variable_is_read_where_no_flag_is_given():
    read = settings.read({}, {"MIGGUARD_POLICIES": "a:b", "MIGGUARD_TLS_NAME": "x.example,10.0.0.1"})
    assert read.policies == (Path("a"), Path("b"))
    assert read.tls_name == ("x.example", "10.0.0.1")


def test_the_last_of_repeated_flags_counts():
    assert settings.read({**POLICIES, "threads": ["2", "4"]}, {}).threads == 4


@pytest.mark.parametrize(
    ("flags", "environment", "says"),
    [
        pytest.param({"threads": ["none"]}, {}, "--threads: 'none' is not a whole number from 1 to 256", id="flag"),
        pytest.param({}, {"MIGGUARD_THREADS": "0"}, "MIGGUARD_THREADS: '0' is not a whole", id="variable"),
        pytest.param({"max_time": ["31s"]}, {}, "--max-time: '31s' is not between 0.1s and 30s", id="too-long"),
        pytest.param({"max_staleness": ["59s"]}, {}, "--max-staleness: '59s' is not between 60s", id="too-short"),
        pytest.param({"audit_sync": ["yes"]}, {}, "--audit-sync: 'yes' is none of fsync, flush", id="choice"),
        pytest.param({"listen": ["x"]}, {}, "--listen: 'x' is not an address", id="address"),
        pytest.param({"tls_cert": ["a"]}, {}, "--tls-cert: is given without --tls-key", id="certificate-without-key"),
        pytest.param({"tls_key": ["a"]}, {}, "--tls-key: is given without --tls-cert", id="key-without-certificate"),
        pytest.param({"client_name": ["x"]}, {}, "--client-name: is given without --client-ca", id="name-without-ca"),
        pytest.param({"context": ["x"]}, {}, "--context: is given without --kubeconfig", id="context-alone"),
        pytest.param({"cluster": ["d"], "kubeconfig": ["f"]}, {}, "--cluster: a directory", id="two-clusters"),
    ],
)
def test_wrong_use_is_refused_by_the_name_that_was_used(flags, environment, says):
    with pytest.raises(UsageError) as error:
        settings.read({**POLICIES, **flags}, environment)
    assert says in str(error.value)


def test_the_least_staleness_is_more_than_a_quiet_watch_of_a_healthy_api_server_may_be_silent():
    least = settings.read({**POLICIES, "max_staleness": ["60s"]}, {}).max_staleness
    assert least >= WATCH_SECONDS[1] + SILENCE_SECONDS


def test_policies_are_required():
    with pytest.raises(UsageError, match="no policies are given"):
        settings.read({}, {})


def test_every_setting_has_a_help_text_and_a_name_of_its_own():
    entries = settings.entries()
    assert len({entry.flag for entry in entries}) == len(entries)
    assert all(entry.help.endswith(".") for entry in entries)
    assert all(entry.variable.startswith("MIGGUARD_") for entry in entries)


def test_the_state_directory_follows_xdg(monkeypatch):
    monkeypatch.setenv("XDG_STATE_HOME", "/state")
    assert settings.read(POLICIES, {}).state_dir == Path("/state/migguard")
