"""Policies that no test loads."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from webhook.authoring.lint.found import Found, at, of_problem
from webhook.authoring.lint.rule import error, warning
from webhook.authoring.lint.sources import UNREADABLE
from webhook.errors import InputError, PolicyError
from webhook.offline.testing.suite import suites
from webhook.policy.document import GuardPolicy
from webhook.policy.loader import TEST_FOLDER
from webhook.source.files import find, parse, read

POLICY_TEST = error(
    "policy-test",
    "A test of policies cannot be read",
    "A PolicyTest does not fit its schema, or its requests make no sense. It would not run.",
    must=True,
)
NO_TESTS = warning(
    "no-tests",
    "A policy has no tests",
    "No PolicyTest loads it, neither below the given paths nor in the folder tests beside it.",
)

RULES = (POLICY_TEST, NO_TESTS)


def check(policies: Iterable[GuardPolicy], paths: Sequence[Path]) -> Iterator[Found]:
    """Find policies without a test below these paths or beside them, and tests that cannot be read."""
    policies = tuple(policies)
    tested: set[Path] = set()
    for file in _files(policies, paths):
        try:
            tested |= {path.resolve() for suite in suites([file]) for path in suite.policies}
        except PolicyError as broken:
            yield from _unreadable(file) or (of_problem(POLICY_TEST, one) for one in broken.problems)
        except InputError:  # it holds no test, or is a link to nothing
            yield from () if file.exists() else _unreadable(file)
    for policy in policies:
        file = Path(policy.document.file).resolve()
        if not tested & {file, *file.parents}:
            message = f"no test loads policy '{policy.name}'"
            hint = f"add {Path(policy.document.file).parent / TEST_FOLDER / 'NAME.yaml'}, of kind PolicyTest"
            yield at(NO_TESTS, policy.document, ("metadata", "name"), message, hint)


def _unreadable(file: Path) -> list[Found]:
    """Why a file cannot be read at all; nothing if it can, whatever it holds."""
    try:
        return [of_problem(UNREADABLE, one) for one in parse(read(file), str(file))[1]]
    except InputError as error:
        return [Found(rule=UNREADABLE, where=error.where or str(file), message=error.message, hint=error.hint)]


def _files(policies: Iterable[GuardPolicy], paths: Sequence[Path]) -> Iterable[Path]:
    """All files below the paths and in the folders beside the policies, once each."""
    files = dict.fromkeys(find(paths))
    for folder in sorted({Path(policy.document.file).parent / TEST_FOLDER for policy in policies}):
        with suppress(InputError):  # there is no such folder, or nothing in it
            files.update(dict.fromkeys(find([folder])))
    return files
