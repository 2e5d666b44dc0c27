"""What the author's tools find, in one shape for all of them, so that each form of output is written once."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from webhook.errors import InputError, Problem
from webhook.model.objects import JSON


class Level(StrEnum):
    """How much a finding counts, in SARIF's words: an ``error`` makes the command exit with 1."""

    ERROR = "error"
    WARNING = "warning"
    NOTE = "note"

    @property
    def rank(self) -> int:
        """0 for the worst: what findings are sorted by."""
        return list(Level).index(self)


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where something stands: file, and line and column from 1 (0 where they are not known)."""

    file: str = ""
    line: int = 0
    column: int = 0

    def __str__(self) -> str:
        return ":".join([self.file, *(str(number) for number in (self.line, self.column) if number)])

    @classmethod
    def of(cls, where: str) -> Place:
        """Read ``file:line:column``, as documents give it."""
        file, line, column = [*where.rsplit(":", 2), "", ""][:3]
        if line.isdigit() and column.isdigit():
            return cls(file=file, line=int(line), column=int(column))
        return cls(file=where)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a finding is an instance of: a policy, or a rule of lint."""

    name: str
    title: str = ""
    description: str = ""
    severity: str = ""
    """critical, high, medium, low or info; empty where there is none."""
    category: str = ""
    reference: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One thing that a person should know of."""

    rule: str
    """``Rule.name``."""
    level: Level
    message: str
    hint: str = ""
    """What to do."""
    place: Place = dataclasses.field(default_factory=Place)
    subject: str = ""
    """The object it is about, such as ``VirtualMachine prod/db``; empty for a file."""
    field: str = ""
    """Path of the field in the object."""
    properties: Mapping[str, JSON] = dataclasses.field(default_factory=dict)
    """More that machines may want to know."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Examined:
    """One thing that was looked at, found good or not: a manifest, a policy file, an object of the cluster."""

    subject: str
    place: Place = dataclasses.field(default_factory=Place)
    findings: tuple[Finding, ...] = ()
    """Worst first."""
    notes: tuple[str, ...] = ()
    """What else there is to say, such as what a mutation would set."""
    skipped: str = ""
    """Why it was not judged, such as an exemption; empty if it was."""

    @property
    def failed(self) -> bool:
        """Whether there is an error among its findings."""
        return any(finding.level is Level.ERROR for finding in self.findings)

    @property
    def shown(self) -> tuple[Finding, ...]:
        """Findings and notes as a person reads them: worst first, each with a place and a subject."""
        notes = (Finding(rule="", level=Level.NOTE, message=note) for note in self.notes)
        return tuple(
            dataclasses.replace(
                one,
                place=one.place if one.place.file else self.place,
                subject=one.subject or self.subject,
            )
            for one in sorted((*self.findings, *notes), key=lambda one: one.level.rank)
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The result of one run, in stable order."""

    command: str
    """``lint``, ``check`` or ``scan``."""
    rules: tuple[Rule, ...]
    """Of all that was looked for, by name."""
    examined: tuple[Examined, ...]
    revision: str = ""
    """Of the policy set."""
    settings: Mapping[str, str] = dataclasses.field(default_factory=dict)
    """What the result rests on, such as who asked and which cluster's state was looked at."""
    left_out: Mapping[str, int] = dataclasses.field(default_factory=dict)
    """What was met and not examined: how many, by reason."""
    problems: tuple[Problem, ...] = ()
    """What could not be read; the rest was examined all the same."""
    warning_exit_code: int = 0
    """What to exit with where there are warnings and nothing worse."""
    problem_exit_code: int = InputError.exit_code
    """What to exit with where there are problems."""

    @property
    def findings(self) -> tuple[Finding, ...]:
        """All of them, in the order of what was examined."""
        return tuple(finding for one in self.examined for finding in one.findings)

    def count(self, level: Level) -> int:
        """How many findings there are of a level."""
        return sum(finding.level is level for finding in self.findings)

    @property
    def failed(self) -> bool:
        """Whether there is an error among them."""
        return self.count(Level.ERROR) > 0

    @property
    def exit_code(self) -> int:
        """What the command exits with: what could not be read outweighs what was found in the rest."""
        if self.problems:
            return self.problem_exit_code
        if self.failed:
            return 1
        return self.warning_exit_code if self.count(Level.WARNING) else 0

    @property
    def summary(self) -> Mapping[str, int]:
        """How many things were examined, how they fared, and how many findings there are of each level."""
        return {
            "examined": len(self.examined),
            "failed": sum(one.failed for one in self.examined),
            "skipped": sum(bool(one.skipped) for one in self.examined),
            "errors": self.count(Level.ERROR),
            "warnings": self.count(Level.WARNING),
            "notes": self.count(Level.NOTE) + sum(len(one.notes) for one in self.examined),
            "problems": len(self.problems),
        }
