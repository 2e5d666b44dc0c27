"""Semantic versions as Kubernetes' CEL library reads them.

Source: semver.org 2.0.0; ``k8s.io/apiserver/pkg/cel/library/semverlib.go``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering

LONGEST = 512
"""Characters of a version that are read; a longer one is refused."""

_NUMBER = r"(0|[1-9][0-9]*)"
_IDENTIFIERS = r"[0-9A-Za-z-]+(?:\.[0-9A-Za-z-]+)*"
_VERSION = re.compile(rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}(?:-({_IDENTIFIERS}))?(?:\+{_IDENTIFIERS})?")
_LEADING_ZEROS = re.compile(r"^0+(?=[0-9])")


@total_ordering
@dataclass(frozen=True, slots=True)
class Semver:
    """One version; build metadata is left out because it says nothing about precedence."""

    major: int
    minor: int
    patch: int
    prerelease: tuple[str, ...] = ()

    def __lt__(self, other: Semver) -> bool:
        mine, others = (self.major, self.minor, self.patch), (other.major, other.minor, other.patch)
        if mine != others:
            return mine < others
        if not self.prerelease or not other.prerelease:
            return bool(self.prerelease) and not other.prerelease
        return [_precedence(part) for part in self.prerelease] < [_precedence(part) for part in other.prerelease]

    def __str__(self) -> str:
        text = f"{self.major}.{self.minor}.{self.patch}"
        return f"{text}-{'.'.join(self.prerelease)}" if self.prerelease else text


def parse(text: str, normalize: bool = False) -> Semver:
    """Read a version; ``normalize`` allows a leading v, no minor or patch, and leading zeros. Raises ValueError."""
    if len(text) > LONGEST:
        raise ValueError(f"a version of {len(text)} characters is longer than the {LONGEST} that are read")
    match = _VERSION.fullmatch(_normalized(text) if normalize else text)
    if match is None or not _valid_prerelease(match.group(4)):
        raise ValueError(f"{text!r} is not a semantic version such as 1.2.3 or 1.2.3-rc.1")
    major, minor, patch, prerelease = match.groups()
    return Semver(int(major), int(minor), int(patch), tuple(prerelease.split(".")) if prerelease else ())


def is_semver(text: str, normalize: bool = False) -> bool:
    """Say whether :func:`parse` would succeed."""
    try:
        parse(text, normalize)
    except ValueError:
        return False
    return True


def compare(first: Semver, second: Semver) -> int:
    """Return 1 if the first has precedence, -1 if the second has, 0 if neither."""
    return (first > second) - (first < second)


def _normalized(text: str) -> str:
    parts = [_LEADING_ZEROS.sub("", part) for part in text.removeprefix("v").split(".", 2)]
    missing = 0 if re.search(r"[+-]", parts[-1]) else 3 - len(parts)
    return ".".join([*parts, *["0"] * missing])


def _valid_prerelease(text: str | None) -> bool:
    return text is None or not any(re.fullmatch(r"0[0-9]+", part) for part in text.split("."))


def _precedence(identifier: str) -> tuple[int, int, str]:
    """Numbers come before words and are compared as numbers."""
    return (0, int(identifier), "") if identifier.isdecimal() else (1, 0, identifier)
