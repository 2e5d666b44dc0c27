"""Findings that a document's author has decided to live with, by annotation ``migguard.io/lint-ignore``."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence

from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.rule import LintRule, warning
from webhook.model.objects import annotations_of
from webhook.policy.spelling import nearest
from webhook.source.files import Document

LINT_IGNORE_UNKNOWN = warning(
    "lint-ignore-unknown",
    "A silenced rule is none",
    "Annotation migguard.io/lint-ignore names a rule that there is not, or one that cannot be silenced.",
)
LINT_IGNORE_UNUSED = warning(
    "lint-ignore-unused",
    "A silenced rule finds nothing",
    "Annotation migguard.io/lint-ignore names a rule that finds nothing in this document: remove it.",
)

RULES = (LINT_IGNORE_UNKNOWN, LINT_IGNORE_UNUSED)

ANNOTATION = "migguard.io/lint-ignore"
_PLACE = ("metadata", "annotations", ANNOTATION)


def silenced(document: Document, found: Sequence[Found], known: Mapping[str, LintRule]) -> Sequence[Found]:
    """Return what is left of the findings about a document, with what is wrong with its annotation."""
    ignored = _ignored(document)
    if not ignored:
        return found
    left = [one for one in found if one.rule.must or one.rule.name not in ignored]
    left += _wrong(document, ignored, {one.rule.name for one in found}, known)
    return left


def _ignored(document: Document) -> Sequence[str]:
    written = annotations_of(document.value).get(ANNOTATION, "")
    return list(dict.fromkeys(re.findall(r"[^\s,]+", written)))


def _wrong(
    document: Document, ignored: Iterable[str], occurring: set[str], known: Mapping[str, LintRule]
) -> Iterable[Found]:
    for name in ignored:
        rule = known.get(name)
        if rule is None:
            hint = nearest(name, known) or "migguard lint --rules lists them"
            yield at(LINT_IGNORE_UNKNOWN, document, _PLACE, f"there is no rule '{name}'", hint)
        elif rule.must:
            message = f"rule '{name}' cannot be silenced"
            yield at(LINT_IGNORE_UNKNOWN, document, _PLACE, message, "the webhook would not load such a document")
        elif name not in occurring:
            message = f"rule '{name}' finds nothing in this document"
            yield at(LINT_IGNORE_UNUSED, document, _PLACE, message, "remove it from the annotation")
