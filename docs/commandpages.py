"""The page of the commands, from what their ``--help`` says."""

from __future__ import annotations

from collections.abc import Iterator

import click

from docs.markdown import block, page, table
from webhook.cli.main import COMMANDS, group

_EXIT_CODES = (
    ("0", "fine"),
    ("1", "the answer is no: refused, a failed test, a finding, a difference"),
    ("2", "wrong use, or input that cannot be read"),
    ("3", "an error of the engine or of the cluster"),
)


def text() -> str:
    """Return the page."""
    return page(
        "Commands",
        "`migguard COMMAND`, or `kubectl migguard COMMAND` where the program `kubectl-migguard` is on the PATH. "
        "The same input gives the same output, in the same order.",
        table(("command", "what"), ((f"[`{name}`](#migguard-{name})", summary) for name, (_, summary) in _commands())),
        "Exit codes of all commands:",
        table(("code", "means"), _EXIT_CODES),
        *_sections(),
    )


def _commands() -> list[tuple[str, tuple[str, str]]]:
    return sorted(COMMANDS.items())


def _sections() -> Iterator[str]:
    for name, _ in _commands():
        context = click.Context(group, info_name="migguard", **group.context_settings)
        if command := group.get_command(context, name):
            yield from _section(command, click.Context(command, info_name=name, parent=context))


def _section(command: click.Command, context: click.Context) -> Iterator[str]:
    context.max_content_width = 100
    context.terminal_width = 100
    yield f"## {context.command_path}"
    yield block("text", command.get_help(context))
    if isinstance(command, click.Group):
        for name, below in sorted(command.commands.items()):
            yield from _section(below, click.Context(below, info_name=name, parent=context))
