"""The command: its group, lazily loaded subcommands, and errors as one line with an exit code.

Exit codes: 0 done (or allowed), 1 the answer is no (denied, a failed test), 2 wrong use or input, 3 an error.
``MIGGUARD_DEBUG=1`` shows tracebacks.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Never

import click

from webhook import __version__
from webhook.errors import MigguardError, PolicyError

COMMANDS: Mapping[str, tuple[str, str]] = {
    "completion": ("webhook.cli.completion", "Print a script for completion in a shell."),
    "new": ("webhook.cli.new", "Begin a policy, an exemption or a test."),
    "can-migrate": ("webhook.cli.can_migrate", "Say whether somebody may migrate a VM, and why not."),
    "check": ("webhook.cli.check", "Judge manifests as if they were applied."),
    "diff": ("webhook.cli.diff", "Show what changes between policy sets, or by a manifest for running VMs."),
    "explain": ("webhook.cli.explain", "Show how a request, or the migration of a VM, is decided and why."),
    "export": ("webhook.cli.export", "Write policies as native admission policies."),
    "lint": ("webhook.cli.lint", "Find mistakes in policies, bindings and exemptions."),
    "replay": ("webhook.cli.replay", "Run recorded decisions against another policy set."),
    "review": ("webhook.cli.review", "Decide one AdmissionReview, without a server."),
    "schema": ("webhook.cli.schema", "Print the JSON Schemas of migguard's documents."),
    "scan": ("webhook.cli.scan", "Judge what already exists in a cluster."),
    "serve": ("webhook.cli.serve", "Serve the webhook."),
    "snapshot": ("webhook.cli.snapshot", "Take what decisions need from a cluster."),
    "test": ("webhook.cli.test", "Run the tests of policies."),
}
"""Name of each command: its module, which has it as ``command``, and its line in the help. A module is imported only
when its command runs: ``migguard review`` needs no web server."""

_INTERRUPTED = 130


class _Commands(click.Group):
    """A group whose commands are in COMMANDS."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - the overridden signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - the same
        if cmd_name not in COMMANDS:
            return None
        module, _ = COMMANDS[cmd_name]
        command: click.Command = importlib.import_module(module).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - the same
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in sorted(COMMANDS.items())])


@click.command(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(__version__, message="migguard %(version)s")
def group() -> None:
    """Policy-as-code admission webhook that makes live migration on KubeVirt and OpenShift Virtualization safe."""


def main() -> Never:
    """Run the command and exit."""
    sys.exit(run(sys.argv[1:], program_name(sys.argv[0])))


def program_name(argv0: str) -> str:
    """Return what the user typed: kubectl runs its plugins as ``kubectl-NAME``."""
    name = Path(argv0).name
    return name.replace("-", " ", 1) if name.startswith("kubectl-") else "migguard"


def run(arguments: list[str], program: str = "migguard") -> int:
    """Run the command and return its exit code."""
    try:
        code = group.main(arguments, prog_name=program, standalone_mode=False)
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except click.Abort:
        return _INTERRUPTED
    except MigguardError as error:
        return _tell(error)
    except Exception as error:
        if _debugging():
            raise
        click.echo(
            f"migguard: internal error: {type(error).__name__}: {error} (set MIGGUARD_DEBUG=1 to see where)", err=True
        )
        return MigguardError.exit_code
    return code if isinstance(code, int) else 0


def _tell(error: MigguardError) -> int:
    if _debugging():
        raise error
    lines = [str(problem) for problem in error.problems] if isinstance(error, PolicyError) else [str(error)]
    for line in lines:
        click.echo(f"migguard: {line}", err=True)
    return error.exit_code


def _debugging() -> bool:
    return os.environ.get("MIGGUARD_DEBUG", "") not in {"", "0"}
