"""The command as a whole: exit codes, one line per error, and what is imported."""

import importlib
import json
import subprocess
import sys

import pytest

from webhook import __version__
from webhook.cli import main as module
from webhook.cli.main import COMMANDS, program_name, run
from webhook.errors import ClusterError, InputError, MigguardError, PolicyError, Problem, UsageError


@pytest.fixture(name="failing")
def command_that_raises(monkeypatch):
    """Make ``migguard review`` raise an error before it does anything."""

    def arrange(error: BaseException) -> None:
        def fail(*_args, **_kwargs):
            raise error

        monkeypatch.setattr(module.group, "invoke", fail)

    monkeypatch.delenv("MIGGUARD_DEBUG", raising=False)
    return arrange


@pytest.mark.parametrize("name", sorted(COMMANDS))
def test_every_command_is_where_the_table_says_and_has_help(name, capsys):
    path, summary = COMMANDS[name]
    command = importlib.import_module(path).command
    assert command.name == name
    assert command.get_short_help_str(limit=100) == summary
    assert run([name, "--help"]) == 0
    assert f"migguard {name}" in capsys.readouterr().out


def test_the_version_is_told(capsys):
    assert run(["--version"]) == 0
    assert capsys.readouterr().out == f"migguard {__version__}\n"


def test_help_lists_the_commands_without_importing_them():
    code = (
        "import sys; from webhook.cli.main import run; run(['--help']);"
        " print([name for name in sys.modules if name.startswith('webhook.cli.')])"
    )
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert "Serve the webhook." in out
    assert out.rstrip().endswith("['webhook.cli.main']")


def test_review_needs_no_web_server_and_no_kubernetes_client():
    code = "import sys, json, webhook.cli.review; print(json.dumps(sorted(sys.modules)))"
    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert not {"flask", "gunicorn", "kubernetes", "prometheus_client", "rich"} & set(json.loads(out))


@pytest.mark.parametrize(
    "arguments",
    [["nonsense"], ["--nonsense"], ["review"], ["review", "-f"], ["serve", "extra"]],
    ids=["command", "flag", "missing-option", "missing-value", "extra-argument"],
)
def test_wrong_use_is_exit_code_2(arguments, capsys):
    assert run(arguments) == 2
    assert "Error: " in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "code", "lines"),
    [
        pytest.param(UsageError("bad", where="--x", hint="do y"), 2, ["migguard: --x: bad (do y)"], id="usage"),
        pytest.param(InputError("bad", where="a.yaml:3"), 2, ["migguard: a.yaml:3: bad"], id="input"),
        pytest.param(ClusterError("refused"), 3, ["migguard: refused"], id="cluster"),
        pytest.param(
            PolicyError((Problem("a.yaml:1:2", "bad"), Problem("b.yaml:3:4", "worse", "mend"))),
            2,
            ["migguard: a.yaml:1:2: bad", "migguard: b.yaml:3:4: worse (mend)"],
            id="policies",
        ),
    ],
)
def test_an_error_is_one_line_for_each_problem_and_its_exit_code(failing, capsys, error, code, lines):
    failing(error)
    assert run(["review"]) == code
    assert capsys.readouterr().err.splitlines() == lines


def test_an_accident_is_exit_code_3_and_one_line_never_1(failing, capsys):
    failing(ZeroDivisionError("oops"))
    assert run(["review"]) == 3
    (line,) = capsys.readouterr().err.splitlines()
    assert line.startswith("migguard: internal error: ZeroDivisionError: oops")
    assert "MIGGUARD_DEBUG=1" in line


@pytest.mark.parametrize("error", [ZeroDivisionError("oops"), MigguardError("bad")], ids=["accident", "error"])
def test_a_traceback_is_to_be_had(failing, monkeypatch, error):
    failing(error)
    monkeypatch.setenv("MIGGUARD_DEBUG", "1")
    with pytest.raises(type(error)):
        run(["review"])


def test_an_interrupt_is_no_error_message(failing, capsys):
    failing(KeyboardInterrupt())
    assert run(["review"]) == 130
    assert "Traceback" not in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv0", "name"),
    [
        ("/usr/bin/migguard", "migguard"),
        ("/usr/bin/kubectl-migguard", "kubectl migguard"),
        ("webhook/__main__.py", "migguard"),
    ],
    ids=["installed", "kubectl-plugin", "module"],
)
def test_the_program_is_called_what_the_user_typed(argv0, name):
    assert program_name(argv0) == name
