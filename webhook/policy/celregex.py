"""Kubernetes' ``find`` and ``findAll`` on the runtime's own RE2, which takes linear time whatever pattern and text.

The patterns are those of ``matches()``. Python's ``re`` would be wrong here: its syntax differs, and a text in a
request could keep it busy for hours.

Source: ``k8s.io/apiserver/pkg/cel/library/regex.go``.
"""

from __future__ import annotations

import re
from typing import Any

from cel_expr_python import cel
from cel_expr_python.ext import ext_optional

_CAPTURING = re.compile(
    r"""(\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\])|\((?!\?)|\(\?P?<\w+>""", re.DOTALL | re.ASCII
)
"""What must be left alone (quoted text, an escape, a character class), or the start of a capturing group."""
_WHY = re.compile(r"invalid regular expression: ([^:]*)")


def _function(expression: str) -> Any:
    environment = cel.NewEnv(
        config=cel.NewEnvConfigFromYaml("name: find\nextensions:\n  - name: regex\n"),
        variables={"text": cel.Type.STRING, "pattern": cel.Type.STRING},
        extensions=[ext_optional.ExtOptional()],
    )
    return environment.compile(expression)


_FIRST = _function("regex.extract(text, pattern).orValue('')")
_ALL = _function("regex.extractAll(text, pattern)")


def find(text: str, pattern: str) -> str:
    """Return the leftmost match, or an empty string. Raises ValueError for a pattern that is not RE2."""
    found = _evaluate(_FIRST, text, pattern)
    return str(found)


def find_all(text: str, pattern: str, limit: int = -1) -> list[str]:
    """Return the matches that are not empty, at most ``limit`` if it is not negative. Raises ValueError."""
    found: list[str] = _evaluate(_ALL, text, pattern)
    return found if limit < 0 else found[:limit]


def _evaluate(expression: Any, text: str, pattern: str) -> Any:
    # extract gives the one group of a pattern rather than its match: make the whole pattern the one group.
    whole = f"({_CAPTURING.sub(lambda match: match.group(1) or '(?:', pattern)})"
    result = expression.eval(data={"text": text, "pattern": whole})
    if result.type() == cel.Type.ERROR:
        why = _WHY.search(str(result.plain_value()))
        raise ValueError(f"{pattern[:80]!r} is not a regular expression of RE2{': ' + why.group(1) if why else ''}")
    return result.plain_value()
