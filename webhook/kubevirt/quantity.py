"""Kubernetes quantities as whole numbers of bytes.

Source: Kubernetes ``staging/src/k8s.io/apimachinery/pkg/api/resource/quantity.go``.
"""

from __future__ import annotations

import re
from decimal import ROUND_UP, Context, Decimal

MAX_INT64 = 2**63 - 1

_QUANTITY = re.compile(
    r"(?P<number>[+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))"
    r"(?:(?P<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?P<exponent>[+-]?[0-9]+))?",
    re.ASCII,
)
_BINARY = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}
_DECIMAL = {"n": -9, "u": -6, "m": -3, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_MAX_EXPONENT = 400
"""Larger powers of ten are beyond any quantity; bounds the arithmetic on untrusted text."""
_MAX_LENGTH = 256
_EXACT = Context(prec=2 * _MAX_EXPONENT + _MAX_LENGTH)


def parse_bytes(quantity: object) -> int | None:
    """Return a quantity in bytes, rounded up and held within int64 as Kubernetes does; None if it is not one.

    A JSON number is a quantity too. Text must be as Kubernetes writes it: no spaces, no lower-case ``ki``.
    """
    if isinstance(quantity, bool) or not isinstance(quantity, int | float | str):
        return None
    if isinstance(quantity, int):
        return _clamped(quantity)
    written = quantity if isinstance(quantity, str) else repr(quantity)
    found = _QUANTITY.fullmatch(written) if len(written) <= _MAX_LENGTH else None
    if found is None:
        return None
    return _clamped(_whole(Decimal(found["number"]), found["suffix"] or "", int(found["exponent"] or 0)))


def _whole(number: Decimal, suffix: str, exponent: int) -> int:
    if suffix in _BINARY:
        scaled = _EXACT.multiply(number, Decimal(2 ** _BINARY[suffix]))
    else:
        power = max(-_MAX_EXPONENT, min(_MAX_EXPONENT, _DECIMAL.get(suffix, exponent)))
        scaled = number.scaleb(power, _EXACT)
    return int(scaled.to_integral_value(ROUND_UP))


def _clamped(number: int) -> int:
    return max(-MAX_INT64, min(MAX_INT64, number))
