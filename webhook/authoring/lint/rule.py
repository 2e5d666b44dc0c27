"""What there is to find: a rule has a name, a level, what it means, and an example of wrong and right."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.output.finding import Level, Rule

PAGE = "docs/reference/lint.md"
"""Where each rule has a paragraph."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LintRule:
    """One kind of finding."""

    name: str
    title: str
    level: Level
    description: str
    bad: str = ""
    """What it finds, as it stands in a document."""
    good: str = ""
    """What to write instead."""
    must: bool = False
    """The webhook would not load such a document: no annotation silences it."""

    @property
    def rule(self) -> Rule:
        """The rule as reports show it."""
        return Rule(
            name=self.name,
            title=self.title,
            description=self.description,
            category="lint",
            reference=f"{PAGE}#{self.name}",
        )


def error(name: str, title: str, description: str, bad: str = "", good: str = "", *, must: bool = False) -> LintRule:
    """A rule whose findings make lint fail."""
    return LintRule(name=name, title=title, level=Level.ERROR, description=description, bad=bad, good=good, must=must)


def warning(name: str, title: str, description: str, bad: str = "", good: str = "") -> LintRule:
    """A rule whose findings are shown by default."""
    return LintRule(name=name, title=title, level=Level.WARNING, description=description, bad=bad, good=good)


def note(name: str, title: str, description: str, bad: str = "", good: str = "") -> LintRule:
    """A rule whose findings are shown if asked for."""
    return LintRule(name=name, title=title, level=Level.NOTE, description=description, bad=bad, good=good)
