"""What there is to exercise in policies: each policy, binding, condition, validation, mutation, text and branch."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from functools import lru_cache

from webhook.offline.testing.branches import branches
from webhook.output.finding import Place
from webhook.policy.celsyntax import SyntaxProblem
from webhook.policy.document import ENGLISH, GuardPolicy, GuardPolicyBinding, Named, Text, Wordings
from webhook.source.files import Document
from webhook.source.parsed import FilePath

MAX_SHOWN = 100
"""Characters of an expression in one line."""


class Lack(StrEnum):
    """What is missing where a point was not exercised."""

    JUDGED = "was never judged"
    APPLIED = "never applied"
    TRUE = "was never true"
    FALSE = "was never false"
    REACHED = "was never reached"
    """Neither true nor false."""
    PASSED = "never passed"
    FAILED = "never failed"
    CHANGED = "never changed anything"
    UNCHANGED = "never left an object as it is"
    SAID = "was never said"
    SET = "was never set"


@dataclass(frozen=True, slots=True)
class Key:
    """Names a point whichever test loaded the policy: file, line of its document, path in it, and what of that."""

    file: str
    line: int
    path: FilePath
    lack: Lack
    start: int = -1
    """Of a branch: where it starts in the expression."""

    @classmethod
    def of(cls, document: Document, path: FilePath, lack: Lack, start: int = -1) -> Key:
        """The key for a place in a document."""
        return cls(_real(document.file), document.positions[()].line, path, lack, start)


@dataclass(frozen=True, slots=True, kw_only=True)
class Point:
    """One thing that tests should exercise."""

    policy: str
    place: Place
    what: str
    """Such as ``validations[0]``, or the text of a condition."""
    lack: Lack

    def __str__(self) -> str:
        return f"{self.place}: {self.what} {self.lack}"


def points_of(policies: Iterable[GuardPolicy], bindings: Iterable[GuardPolicyBinding]) -> dict[Key, Point]:
    """Return all points, policy after policy, in the order of the file."""
    found: dict[Key, Point] = {}
    for policy in policies:
        found.update(sorted(_of_policy(policy), key=_order))
    for binding in bindings:
        found.update(_of_binding(binding))
    return found


def judged(policy: GuardPolicy) -> Key:
    """The point that a policy was judged at all."""
    return Key.of(policy.document, (), Lack.JUDGED)


def applied(binding: GuardPolicyBinding) -> Key:
    """The point that a policy was judged under a binding."""
    return Key.of(binding.document, (), Lack.APPLIED)


def key_of(text: Text, lack: Lack, start: int = -1) -> Key:
    """The key of a point of an expression."""
    return Key.of(text.document, text.path, lack, start)


def _order(entry: tuple[Key, Point]) -> tuple[int, int]:
    place = entry[1].place
    return place.line, place.column


def _of_binding(binding: GuardPolicyBinding) -> Iterator[tuple[Key, Point]]:
    place = Place.of(binding.document.where(("metadata", "name")))
    what = f"binding '{binding.name}'"
    yield applied(binding), Point(policy=binding.policy_name, place=place, what=what, lack=Lack.APPLIED)


def _of_policy(policy: GuardPolicy) -> Iterator[tuple[Key, Point]]:
    name = policy.name
    place = Place.of(policy.document.where(("metadata", "name")))
    yield judged(policy), Point(policy=name, place=place, what=f"policy '{name}'", lack=Lack.JUDGED)
    for condition in policy.conditions:
        what = f"match condition '{condition.name}'"
        yield from _of_text(name, condition.expression, what, Lack.TRUE, Lack.FALSE, boolean=True)
    for variable in policy.variables:
        yield from _of_text(name, variable.expression, "")
    for index, validation in enumerate(policy.validations):
        at = f"validations[{index}]"
        yield from _of_text(name, validation.expression, at, Lack.PASSED, Lack.FAILED, boolean=True)
        yield from _of_wordings(name, f"the message of {at}", validation.message)
        yield from _of_wordings(name, f"the remediation of {at}", validation.remediation)
    for mutation in policy.mutations:
        at = f"mutation '{mutation.name}'"
        yield from _of_text(name, mutation.expression, at, Lack.CHANGED, Lack.UNCHANGED)
        yield from _of_wordings(name, f"the warning of {at}", mutation.warning)
    for annotation in policy.audit_annotations:
        yield from _of_annotation(name, annotation)


def _of_annotation(policy: str, annotation: Named) -> Iterator[tuple[Key, Point]]:
    yield from _of_text(policy, annotation.expression, f"audit annotation '{annotation.name}'", Lack.SET)


def _of_wordings(policy: str, what: str, wordings: Wordings) -> Iterator[tuple[Key, Point]]:
    for language, wording in wordings.items():
        if wording.expression is not None:
            spoken = what if language == ENGLISH else f"{what} in '{language}'"
            yield from _of_text(policy, wording.expression, spoken, Lack.SAID)


def _of_text(policy: str, text: Text, what: str, *lacks: Lack, boolean: bool = False) -> Iterator[tuple[Key, Point]]:
    place = Place.of(text.where)
    for lack in lacks:
        yield key_of(text, lack), Point(policy=policy, place=place, what=what, lack=lack)
    try:
        found = branches(text.text, boolean=boolean)
    except SyntaxProblem:  # what the runtime takes but our grammar does not is no condition that could be asked for
        return
    for branch in found:
        place = Place.of(text.document.where_in_text(text.path, branch.start))
        shown = _shown(text.text[branch.start : branch.end])
        for lack in (Lack.TRUE, Lack.FALSE):
            yield key_of(text, lack, branch.start), Point(policy=policy, place=place, what=shown, lack=lack)


def _shown(expression: str) -> str:
    line = " ".join(expression.split())
    return f"`{line}`" if len(line) <= MAX_SHOWN else f"`{line[:MAX_SHOWN]}…`"


@lru_cache(maxsize=4096)
def _real(file: str) -> str:
    return os.path.realpath(file)
