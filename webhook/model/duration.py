"""Lengths of time as people write them: ``90s``, ``1h30m``, ``48h``."""

from __future__ import annotations

import re
from datetime import timedelta

_PART = re.compile(r"([0-9]+(?:\.[0-9]+)?)(h|m|s)")
_WHOLE = re.compile(rf"(?:{_PART.pattern})+")
_SECONDS = {"h": 3600.0, "m": 60.0, "s": 1.0}
MAX_LENGTH = 40
"""Characters that are read at all: far more than any real duration has."""


def parse_duration(text: str) -> timedelta:
    """Read a duration: numbers with the units h, m and s, each number with its unit.

    A unit may stand twice and in any order, as in Go; smaller units and signs have no use here.

    Source: Go ``time.ParseDuration``, which Kubernetes' ``metav1.Duration`` reads.

    Raises:
        ValueError: If it is none; the text says what one looks like.
    """
    wrong = f"'{text[:MAX_LENGTH]}' is not a duration such as 90m, 1h30m or 48h"
    if len(text) > MAX_LENGTH or not _WHOLE.fullmatch(text):
        raise ValueError(wrong)
    seconds = sum(float(number) * _SECONDS[unit] for number, unit in _PART.findall(text))
    try:
        return timedelta(seconds=seconds)
    except OverflowError as error:
        raise ValueError(wrong) from error
