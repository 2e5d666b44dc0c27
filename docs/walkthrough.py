"""Plays the commands of ``docs/walk-through.md`` in a folder of their own, and writes what they print into the page.

Run by ``make docs``; a test plays them again and compares.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "walk-through.md"
_BLOCK = re.compile(r"^```console\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"^```yaml title=(\S+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_ANY = re.compile(f"{_BLOCK.pattern}|{_FILE.pattern}", re.DOTALL | re.MULTILINE)
_MASKS = (
    (re.compile(r"\b\d+(\.\d+)? (ms|s)\b"), "N ms"),
    (re.compile(r"\b20\d\d-\d\d-\d\d(T\d\d:\d\d:\d\d(\.\d+)?(Z|\+00:00))?"), "DATE"),
    (re.compile(r"sha256:[0-9a-f]{16}"), "sha256:REVISION"),
    (re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}"), "ID"),
)
"""What is different each time."""
SECONDS = 120.0
"""For one command."""


def played(page: str) -> str:
    """Return the page with each command followed by what it prints, and files written where it shows them."""
    with tempfile.TemporaryDirectory() as scratch:
        here = Path(scratch)
        for name in ("policies", "examples"):
            shutil.copytree(ROOT / name, here / name, symlinks=True)
        return _ANY.sub(lambda found: _play(found, here), page)


def _play(found: re.Match[str], here: Path) -> str:
    block, name, content = found.groups()
    if name:
        target = here / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(content, "utf-8")
        return found[0]
    commands = [line for line in block.splitlines() if line.startswith(("$ ", "> "))]
    lines: list[str] = []
    for command in _joined(commands):
        lines += [*command, *_run("\n".join(line[2:] for line in command), here)]
    return "```console\n" + "\n".join(lines) + "\n```"


def _joined(lines: list[str]) -> list[list[str]]:
    """Commands with their further lines."""
    commands: list[list[str]] = []
    for line in lines:
        if line.startswith("$ "):
            commands.append([line])
        else:
            commands[-1].append(line)
    return commands


def _run(command: str, here: Path) -> list[str]:
    programs = Path(sys.executable).parent
    environment = {
        "PATH": f"{programs}{os.pathsep}{os.environ['PATH']}",
        "HOME": str(here),
        "LC_ALL": "C.UTF-8",
        "MIGGUARD_POLICIES": "policies",
    }
    done = subprocess.run(  # noqa: S603 - the page's own commands
        ["/bin/bash", "-c", command],
        cwd=here,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=SECONDS,
        check=False,
    )
    text = done.stdout
    for pattern, mask in _MASKS:
        text = pattern.sub(mask, text)
    lines = [line.rstrip() for line in text.rstrip().splitlines()]
    return [*lines, f"[exit code {done.returncode}]"] if done.returncode else lines


def main() -> int:
    """Write the page."""
    PAGE.write_text(played(PAGE.read_text("utf-8")), "utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
