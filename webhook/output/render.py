"""One report in the form that was asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from webhook.errors import UsageError
from webhook.output import githubnotes, junit, markdownreport, sarif, structured, tabular
from webhook.output.finding import Report

_WRITERS: Mapping[str, Callable[[Report], str]] = {
    "table": tabular.write,
    "json": structured.as_json,
    "yaml": structured.as_yaml,
    "junit": junit.write,
    "sarif": sarif.write,
    "markdown": markdownreport.write,
    "github": githubnotes.write,
}

FORMS: tuple[str, ...] = tuple(_WRITERS)
"""Names of all forms; the first is for people at a terminal."""


def render(report: Report, form: str) -> str:
    """Return the report as text that UTF-8 can hold, without a line end at its end.

    Raises UsageError for a form that there is not.
    """
    if form not in _WRITERS:
        raise UsageError(f"'{form}' is no form of output", hint=f"choose one of {', '.join(FORMS)}")
    written = _WRITERS[form](report).rstrip("\n")
    return written.encode("utf-8", "replace").decode()  # JSON input may hold halves of characters
