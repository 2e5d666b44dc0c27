"""The walk-through prints what it says: each of its commands is run anew, in a folder of its own."""

from __future__ import annotations

import pytest

from docs import walkthrough


@pytest.mark.timeout(600)
def test_every_command_of_the_walk_through_prints_what_stands_below_it() -> None:
    page = walkthrough.PAGE.read_text("utf-8")
    assert walkthrough.played(page) == page, "run 'make docs' and read what changed"


def test_what_differs_each_time_is_masked() -> None:
    page = "```console\n$ echo took 3.2 ms on 2026-11-24T10:00:00Z; exit 3\n```"
    assert walkthrough.played(page) == (
        "```console\n$ echo took 3.2 ms on 2026-11-24T10:00:00Z; exit 3\ntook N ms on DATE\n[exit code 3]\n```"
    )
