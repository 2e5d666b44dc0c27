"""Completion of the command line in shells, and behind kubectl, where migguard is a plugin."""

from __future__ import annotations

import sys

import click
from click.shell_completion import ShellComplete, get_completion_class

from webhook.errors import UsageError

SHELLS = ("bash", "zsh", "fish")
_NO_FILES = ":4"
"""Tells kubectl not to complete file names beside what is listed; Source: cobra ``ShellCompDirectiveNoFileComp``."""
_FILES = ":0"


@click.command("completion", short_help="Print a script for completion in a shell.")
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print a script that completes the commands and options of migguard in a shell.

    \b
      migguard completion bash > /etc/bash_completion.d/migguard
      migguard completion zsh > "${fpath[1]}/_migguard"
      migguard completion fish > ~/.config/fish/completions/migguard.fish

    Behind kubectl ('kubectl migguard') the completion is kubectl's own: it finds kubectl_complete-migguard on the PATH.

    Exit code: 0 printed, 2 wrong use.
    """  # noqa: D301 - click wants the character, not a backslash
    root = click.get_current_context().find_root()
    script = get_completion_class(shell)
    if script is None:
        raise UsageError(f"no completion for '{shell}'")
    click.echo(script(root.command, {}, "migguard", "_MIGGUARD_COMPLETE").source())
    return 0


def candidates(root: click.Command, words: list[str]) -> list[str]:
    """Return the lines by which a plugin answers kubectl: what the last of these words may become, and what else to do.

    Source: kubectl, ``pkg/cmd/plugin`` (kubectl_complete-PLUGIN), cobra's ``__complete`` protocol.
    """
    *before, last = words or [""]
    found = ShellComplete(root, {}, "kubectl migguard", "_MIGGUARD_COMPLETE").get_completions(before, last)
    lines = [f"{one.value}\t{one.help}" if one.help else str(one.value) for one in found if one.type == "plain"]
    return [*lines, _FILES if any(one.type in {"file", "dir"} for one in found) else _NO_FILES]


def kubectl_complete() -> None:
    """Answer kubectl: the program kubectl_complete-migguard."""
    from webhook.cli.main import group  # noqa: PLC0415 - main imports the commands, of which this module holds one

    sys.stdout.write("\n".join(candidates(group, sys.argv[1:])) + "\n")
