"""What `--help` says: of every command what it does, examples that can be copied, and the exit codes."""

from __future__ import annotations

from collections.abc import Iterator

import click
import pytest

from webhook.cli.main import COMMANDS, group


def _all() -> Iterator[tuple[str, click.Command]]:
    for name in sorted(COMMANDS):
        command = group.get_command(click.Context(group), name)
        assert command is not None
        yield name, command
        if isinstance(command, click.Group):
            yield from ((f"{name} {below}", command.commands[below]) for below in sorted(command.commands))


EVERY = dict(_all())
LEAVES = {name: command for name, command in EVERY.items() if not isinstance(command, click.Group)}


def _help(command: click.Command, name: str) -> str:
    return command.get_help(click.Context(command, info_name=f"migguard {name}", terminal_width=100))


@pytest.mark.parametrize("name", LEAVES)
def test_the_help_has_examples_one_to_a_line(name: str) -> None:
    text = _help(LEAVES[name], name)
    examples = [line.strip() for line in text.splitlines() if f"migguard {name.split(maxsplit=1)[0]}" in line]
    assert [line for line in examples if not line.startswith("Usage:")], text
    assert "\b" not in text
    assert "\\b" not in text


@pytest.mark.parametrize("name", LEAVES)
def test_the_help_says_the_exit_codes(name: str) -> None:
    assert "Exit code" in _help(LEAVES[name], name) or name == "serve" or name.startswith("new ")


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_explained(name: str) -> None:
    unexplained = [
        option.name
        for option in LEAVES[name].params
        if isinstance(option, click.Option) and not (option.help or "").strip()
    ]
    assert unexplained == []
