"""``migguard serve``: its flags become settings. What it then serves is tested with real connections."""

from pathlib import Path

import pytest

from webhook import settings
from webhook.cli import serve as module
from webhook.cli.main import run
from webhook.errors import UsageError
from webhook.settings import Address


@pytest.fixture(name="served")
def settings_that_were_served(monkeypatch):
    served: list[settings.Settings] = []
    monkeypatch.setattr(module, "serve", served.append)
    monkeypatch.setattr(module, "configure_logging", lambda *_: None)
    return served


def test_flags_become_settings(served):
    assert run(["serve", "--policies", "a", "--policies", "b", "--cluster", "c", "--listen", "[::1]:1"]) == 0
    (found,) = served
    assert found.policies == (Path("a"), Path("b"))
    assert found.cluster == (Path("c"),)
    assert found.listen == Address("::1", 1)


def test_variables_become_settings(served, monkeypatch):
    monkeypatch.setenv("MIGGUARD_POLICIES", "a")
    monkeypatch.setenv("MIGGUARD_SHUTDOWN_DELAY", "5s")
    assert run(["serve"]) == 0
    assert served[0].shutdown_delay == 5


def test_wrong_values_are_one_line_with_the_flag(served, capsys):
    assert run(["serve", "--policies", "a", "--listen", "nowhere"]) == 2
    assert capsys.readouterr().err.startswith("migguard: --listen: 'nowhere' is not an address")
    assert served == []


def test_help_shows_every_setting_with_its_default(capsys):
    assert run(["serve", "--help"]) == 0
    text = capsys.readouterr().out
    assert all(entry.flag in text for entry in settings.entries())
    assert "[127.0.0.1:8443]" in text


def test_what_the_server_refuses_is_told(monkeypatch, capsys):
    def refuse(_):
        raise UsageError("cannot listen", where="--listen")

    monkeypatch.setattr(module, "serve", refuse)
    monkeypatch.setattr(module, "configure_logging", lambda *_: None)
    assert run(["serve", "--policies", "a"]) == 2
    assert capsys.readouterr().err == "migguard: --listen: cannot listen\n"
