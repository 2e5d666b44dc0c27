"""Findings that hang on fields which a manifest leaves out and the object in the cluster has.

``kubectl apply`` lets such a field stay unless it was applied before, which is noted on the object. Where nobody can
read that note, a manifest is judged both ways, and what only one of them meets says on which fields it hangs.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from webhook.output.finding import Finding, Level
from webhook.source.parsed import FilePath

SETTING = "stay, as with kubectl apply, where it is not known whether they were applied before"
"""What a result rests on that took fields to be left out."""

_SHOWN = 3
"""Fields in a message."""

_LESSER = {Level.ERROR: Level.WARNING, Level.WARNING: Level.NOTE, Level.NOTE: Level.NOTE}
_ANNOTATIONS = ("metadata", "annotations")


def counting_on(left: Iterable[FilePath], finding: Finding) -> Finding:
    """Return a finding that is there only as long as the fields stay."""
    names, one = _named(left, finding)
    stays, it = ("stays", "it") if one else ("stay", "them")
    hint = f"the manifest leaves out {names}, which {stays} in the cluster with kubectl apply; without {it} this passes"
    return replace(finding, hint="; ".join(filter(None, (finding.hint, hint))))


def only_without(left: Iterable[FilePath], finding: Finding) -> Finding:
    """Return a finding that is there only if the fields go, as something lesser."""
    names, one = _named(left, finding)
    goes = "goes" if one else "go"
    message = f"only if {names}, which the manifest leaves out, {goes} (as with kubectl replace): {finding.message}"
    properties = {key: item for key, item in finding.properties.items() if key != "code"}
    return replace(finding, level=_LESSER[finding.level], message=message, properties=properties)


def _named(left: Iterable[FilePath], finding: Finding) -> tuple[str, bool]:
    """Name the fields, those that the finding is about if it says so; and say whether it is one."""
    steps = tuple(finding.field.split(".")) if finding.field else ()
    found = sorted(left, key=lambda path: path[:2] == _ANNOTATIONS)
    about = [path for path in found if steps and (steps[: len(path)] == path or path[-len(steps) :] == steps)]
    names = [".".join(map(str, path)) for path in about or found]
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}", len(names) == 1
