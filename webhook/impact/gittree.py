"""A file or directory at a Git revision, as git itself spells it: ``main:policies``, ``HEAD~3:./hco.yaml``.

Nothing is fetched, written to the repository or run from it. What is read is put into a directory of its own, so that
all that reads files reads revisions too.

Source: gitrevisions(7), git-ls-tree(1), git-cat-file(1).
"""

from __future__ import annotations

import os
import posixpath
import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from webhook.errors import InputError, PolicyError
from webhook.impact.gitcommand import forbid_partial, git_output, git_run
from webhook.source.files import MAX_FILE_BYTES, SUFFIXES

MAX_FILES = 20_000
MAX_BYTES = 256 * 1024 * 1024
"""Of all files together."""

_COLON = re.compile(r"((?:\{[^}]*\}|[^:{])*):(.*)", re.DOTALL)
"""The first colon that is not within braces: ``HEAD@{2026-03-01 12:00}:policies``."""
_ENTRY = re.compile(rb"(\d{6}) (\w+) ([0-9a-f]+) +(\d+|-)\t(.*)", re.DOTALL)
_SYMLINK, _SUBMODULE = b"120000", b"160000"


class NotInRevisionError(InputError):
    """The revision is there, and the path is not in it."""


@dataclass(frozen=True, slots=True)
class Revision:
    """``REV:PATH``; the path counts from the top of the repository, or from here if it begins with ``./``."""

    revision: str
    path: str

    def __str__(self) -> str:
        return f"{self.revision}:{self.path}"


@dataclass(frozen=True, slots=True)
class Opened:
    """A file or directory on disk, and how people called it."""

    name: str
    path: Path
    root: Path | None = None
    """Where a revision was put; None for what was on disk anyway."""
    revision: str = ""

    def told(self, text: str) -> str:
        """Return a text with files called as people know them: ``main:policies/x.yaml`` for one at a revision."""
        if self.root is None:
            return text
        return text.replace(f"{self.root}{os.sep}", f"{self.revision}:").replace(str(self.root), f"{self.revision}:")


def revision_of(spelling: str) -> Revision | None:
    """Read ``REV:PATH``; None for what is not spelled so."""
    found = _COLON.fullmatch(spelling)
    return Revision(found[1], found[2]) if found else None


@contextmanager
def opened(spelling: str, *, whole: bool = False) -> Iterator[Opened]:
    """Open a path, or a file or directory at a revision; a path that exists is one.

    Args:
        spelling: As people write it.
        whole: Put all YAML and JSON files of the revision there: those in the directory refer to others.

    Raises:
        InputError: No such path, revision or repository, or too much in it. Errors that are raised within name files
            as people know them.
        UsageError: git is needed and not installed.
    """
    revision = None if Path(spelling).exists() else revision_of(spelling)
    if revision is None:
        yield Opened(spelling, Path(spelling))
        return
    with tempfile.TemporaryDirectory(prefix="migguard-") as scratch:
        root = Path(scratch).resolve()
        found = Opened(spelling, _put(revision, root, whole=whole), root, revision.revision)
        try:
            yield found
        except PolicyError as error:
            problems = (
                replace(one, where=found.told(one.where), message=found.told(one.message), hint=found.told(one.hint))
                for one in error.problems
            )
            raise PolicyError(tuple(problems)) from error
        except InputError as error:
            where, hint = found.told(error.where), found.told(error.hint)
            raise InputError(found.told(error.message), where=where, hint=hint) from error


def opened_together(spellings: Sequence[str], stack: ExitStack, *, whole: bool = False) -> list[Opened]:
    """Open what makes one policy set together; of several, those that a revision does not have yet are left out.

    Raises as :func:`opened`.
    """
    found: list[Opened] = []
    for spelling in spellings:
        try:
            found.append(stack.enter_context(opened(spelling, whole=whole)))
        except NotInRevisionError:
            if len(spellings) == 1:
                raise
    if not found:
        raise InputError("none of them is there", where=", ".join(spellings), hint="check the revision and the paths")
    return found


def together(parts: Sequence[Opened]) -> str:
    """Return what to call that which makes one policy set together: ``main:{base, team}``."""
    revisions = {one.revision for one in parts}
    if len(parts) == 1 or len(revisions) > 1:
        return ", ".join(one.name for one in parts)
    paths = ", ".join(one.name.removeprefix(f"{one.revision}:").removeprefix("./") for one in parts)
    return f"{revisions.pop()}:{{{paths}}}" if parts[0].revision else paths


def spread(written: str, path: str) -> tuple[str, str]:
    """Return the spellings of both sides of ``A..B``, ``A...B`` (from where they parted) or ``A`` (against the files).

    Raises as :func:`opened`.
    """
    below = path if path.startswith(("./", "../")) else f"./{path}"
    for dots in ("...", ".."):
        first, found, second = written.partition(dots)
        if found:
            first, second = first or "HEAD", second or "HEAD"
            if dots == "...":
                first = _merge_base(first, second)
            return f"{first}:{below}", f"{second}:{below}"
    return f"{written}:{below}", path


def _merge_base(first: str, second: str) -> str:
    for name in (first, second):
        _tree(name)
    found = git_run("merge-base", first, second)
    if found.returncode != 0:
        raise InputError(
            f"{first} and {second} have no common ancestor that is known here",
            hint="a shallow checkout lacks it: fetch the whole history",
        )
    return found.stdout.decode().split()[0][:12]


def _put(revision: Revision, root: Path, *, whole: bool) -> Path:
    """Write what is there below ``root``, at its path in the repository, and return where it is."""
    tree, path = _tree(revision.revision), _from_top(revision.path)
    if path == ".." or path.startswith("../"):
        raise InputError("the path leads out of the repository", where=str(revision))
    entry = _entry_at(tree, path, revision) if path else None
    if entry is not None and entry.kind == "blob":
        _write([(path, entry.identity)], root, where=str(revision))
    else:
        top = "" if whole else path
        base = root / top
        base.mkdir(parents=True, exist_ok=True)
        entries = _entries(f"{tree}:{top}", below="" if not whole else path, where=str(revision))
        _write(entries, base, where=str(revision))
        (root / path).mkdir(parents=True, exist_ok=True)
    return root / path


def _tree(revision: str) -> str:
    """Return the id of the tree of a revision."""
    if not revision or revision.startswith("-"):
        raise InputError(f"'{revision}' is not a revision", hint="write REV:PATH, such as main:policies")
    here = git_run("rev-parse", "--git-dir")
    if here.returncode != 0:
        said = here.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise InputError(
            f"the revision '{revision}' cannot be read: {said.removeprefix('fatal: ')}",
            hint="run it in a clone of the repository, or give two directories",
        )
    found = git_run("rev-parse", "--verify", "--quiet", f"{revision}^{{tree}}")
    forbid_partial(found, where=revision)
    if found.returncode != 0:
        raise InputError(
            f"there is no path and no revision '{revision}'",
            hint="git branch -a lists branches; a shallow checkout lacks those that were not fetched",
        )
    return found.stdout.decode().strip()


def _from_top(path: str) -> str:
    """Return a path as it counts from the top of the repository."""
    if path in {".", ".."} or path.startswith(("./", "../")):
        path = posixpath.join(git_output("rev-parse", "--show-prefix").decode().strip(), path)
    plain = posixpath.normpath(path.strip("/"))
    return "" if plain == "." else plain


class _Entry(NamedTuple):
    mode: bytes
    kind: str
    identity: str
    size: int
    path: str


def _listed(*arguments: str, where: str) -> Iterator[_Entry]:
    for line in filter(None, git_output("ls-tree", "-l", "-z", "--full-tree", *arguments, where=where).split(b"\0")):
        found = _ENTRY.fullmatch(line)
        if found is None:
            raise InputError("git ls-tree gives what cannot be read", where=where)
        size = 0 if found[4] == b"-" else int(found[4])
        yield _Entry(found[1], found[2].decode(), found[3].decode(), size, found[5].decode(errors="surrogateescape"))


def _entry_at(tree: str, path: str, revision: Revision) -> _Entry:
    """Find a file or directory; what leads to it may be neither."""
    for place in reversed(list(accumulate(path.split("/"), posixpath.join))):
        for entry in _listed(tree, "--", place, where=str(revision)):
            _forbid_others(entry, str(revision))
            if place == path:
                return entry
    raise NotInRevisionError(
        f"'{path}' is not in revision '{revision.revision}'",
        where=str(revision),
        hint="paths count from the top of the repository; write REV:./PATH for one from here",
    )


def _forbid_others(entry: _Entry, where: str) -> None:
    for mode, what in ((_SYMLINK, "symbolic link"), (_SUBMODULE, "submodule")):
        if entry.mode == mode:
            raise InputError(f"'{entry.path}' is a {what}, which is not followed in a revision", where=where)
    if entry.size > MAX_FILE_BYTES:
        raise InputError(f"'{entry.path}' is larger than {MAX_FILE_BYTES // 1024 // 1024} MiB", where=where)


def _entries(name: str, *, below: str, where: str) -> list[tuple[str, str]]:
    """List the YAML and JSON files below a tree: path and id of each."""
    entries: list[tuple[str, str]] = []
    size = 0
    for entry in _listed("-r", name, where=where):
        if entry.mode == _SUBMODULE or not entry.path.lower().endswith(SUFFIXES) or not _is_inside(entry.path):
            continue
        if entry.mode == _SYMLINK and not entry.path.startswith(below):
            continue
        _forbid_others(entry, where)
        size += entry.size
        entries.append((entry.path, entry.identity))
    if len(entries) > MAX_FILES or size > MAX_BYTES:
        message = f"holds {len(entries)} YAML and JSON files of {size // 1024 // 1024} MiB, which is more than are read"
        raise InputError(message, where=where, hint="name a directory further down")
    return entries


def _is_inside(path: str) -> bool:
    """Git refuses to make a tree that leads out of itself; a crafted one may hold anything."""
    return not {"", ".", ".."} & set(path.split("/"))


def _write(entries: list[tuple[str, str]], base: Path, *, where: str) -> None:
    asked = "".join(f"{identity}\n" for _, identity in entries).encode()
    content = git_output("cat-file", "--batch", given=asked, where=where)
    at = 0
    for path, _ in entries:
        end = content.index(b"\n", at)
        size = int(content[at:end].split(b" ")[2])
        target = base / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content[end + 1 : end + 1 + size])
        at = end + size + 2
