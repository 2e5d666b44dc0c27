"""What people are told, compared apart from what is decided."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.impact.policydiff.change import Difference, Effect
from webhook.impact.policydiff.shape import normal
from webhook.policy.document import Mutation, Validation, Wording, Wordings
from webhook.source.parsed import FilePath

_SAYS_NOTHING = Wording()


def validation_wording(field: str, old: Validation, new: Validation, path: FilePath) -> Iterator[Difference]:
    """Compare message, remediation and field of two validations, in all languages."""
    yield from _wordings(f"{field}.message", old.message, new.message, path)
    yield from _wordings(f"{field}.remediation", old.remediation, new.remediation, path)
    if old.field != new.field:
        yield Difference(
            field=f"{field}.field",
            effect=Effect.WORDING,
            before=old.field or None,
            after=new.field or None,
            path=(*path, "field"),
        )


def mutation_wording(field: str, old: Mutation, new: Mutation, path: FilePath) -> Iterator[Difference]:
    """Compare the warnings of two mutations, in all languages."""
    yield from _wordings(f"{field}.warning", old.warning, new.warning, path)


def _wordings(field: str, old: Wordings, new: Wordings, path: FilePath) -> Iterator[Difference]:
    for language in sorted({*old, *new}):
        before, after = (_said(found.get(language, _SAYS_NOTHING)) for found in (old, new))
        if before != after:
            yield Difference(
                field=f"{field} ({language})", effect=Effect.WORDING, before=before, after=after, path=path
            )


def _said(wording: Wording) -> str | None:
    """Text and expression, whichever there are."""
    parts = [wording.text] if wording.text else []
    parts += [normal(wording.expression.text)] if wording.expression else []
    return " | ".join(parts) or None
