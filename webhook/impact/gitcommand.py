"""Running git to read: with a list of arguments and no shell, and nothing fetched or written.

Source: git(1), environment variables; git-fetch(1), ``--refetch``.
"""

from __future__ import annotations

import os
import shutil
import subprocess

from webhook.errors import InputError, UsageError

SECONDS = 60.0
"""For one run of git."""

_ENVIRONMENT = {
    "LC_ALL": "C",
    "GIT_TERMINAL_PROMPT": "0",
    "GIT_OPTIONAL_LOCKS": "0",
    "GIT_LITERAL_PATHSPECS": "1",
    "GIT_NO_LAZY_FETCH": "1",
    "GIT_ALLOW_PROTOCOL": "none",  # a git that does not know the one before fetches nothing either
}
_PARTIAL = b"promisor remote"
"""In what git says of an object that a partial clone lacks."""


def git_output(*arguments: str, given: bytes = b"", where: str = "") -> bytes:
    """Return what git prints. Raises InputError where it fails, for what people called ``where``."""
    found = git_run(*arguments, given=given)
    forbid_partial(found, where=where)
    if found.returncode != 0:
        said = found.stderr.decode(errors="replace").strip().partition("\n")[0]
        raise InputError(f"git {arguments[0]}: {said or f'exit code {found.returncode}'}", where=where)
    return found.stdout


def forbid_partial(found: subprocess.CompletedProcess[bytes], *, where: str) -> None:
    """Raise InputError if git failed for an object that is not here: what is not here is not what does not exist."""
    if found.returncode != 0 and _PARTIAL in found.stderr:
        raise InputError(
            "this is a partial clone, which lacks files of that revision",
            where=where,
            hint="git fetch --refetch --no-filter gets them",
        )


def git_run(*arguments: str, given: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    """Run git, and return what it says and prints. Raises UsageError where it is not installed."""
    git = shutil.which("git")
    if git is None:
        raise UsageError("git is not installed", hint="give two directories instead of revisions")
    try:
        return subprocess.run(  # noqa: S603 - a list of arguments, no shell; no revision begins with a dash
            [git, "--no-pager", "--no-replace-objects", *arguments],
            input=given,
            capture_output=True,
            check=False,
            timeout=SECONDS,
            env={**os.environ, **_ENVIRONMENT},
        )
    except subprocess.TimeoutExpired as error:
        raise InputError(f"git {arguments[0]} took longer than {SECONDS:.0f} seconds") from error
    except OSError as error:
        raise UsageError(f"git cannot be run: {error.strerror}") from error
