"""One thing that a check found, before it is a finding of a report."""

from __future__ import annotations

from dataclasses import dataclass

from webhook.authoring.lint.rule import LintRule
from webhook.errors import Problem
from webhook.policy.document import Text
from webhook.source.files import Document
from webhook.source.parsed import FilePath


@dataclass(frozen=True, slots=True, kw_only=True)
class Found:
    """What is wrong, and where; ``document`` is None where a file is no document."""

    rule: LintRule
    where: str
    """``file:line:column``."""
    message: str
    hint: str = ""
    document: Document | None = None


def at(rule: LintRule, document: Document, path: FilePath, message: str, hint: str = "") -> Found:
    """Something about the value at a path of a document, or about what is nearest to it."""
    return Found(rule=rule, where=document.where(path), message=message, hint=hint, document=document)


def within(rule: LintRule, text: Text, offset: int, message: str, hint: str = "") -> Found:
    """Something about the character at an offset of an expression."""
    where = text.document.where_in_text(text.path, offset)
    return Found(rule=rule, where=where, message=message, hint=hint, document=text.document)


def of_problem(rule: LintRule, problem: Problem, document: Document | None = None) -> Found:
    """A problem that another part of migguard has found."""
    return Found(rule=rule, where=problem.where, message=problem.message, hint=problem.hint, document=document)
