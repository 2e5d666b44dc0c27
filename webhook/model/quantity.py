"""Kubernetes' resource quantities (``512Mi``, ``1.5G``, ``100m``, ``12e6``) as exact decimals.

Source: ``k8s.io/apimachinery/pkg/api/resource/{quantity,suffix}.go``. Where Go's two representations give different
answers for one number (``quantity('1000m').isInteger()`` is false there, ``quantity('1').isInteger()`` is
true) we follow what Kubernetes documents: a quantity is an integer if converting it loses nothing.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import ROUND_UP, Context, Decimal, Inexact, InvalidOperation, Overflow

LONGEST = 512
"""Characters of a quantity that are read; a longer one is refused: no object shall make us compute with megabytes."""
LARGEST_EXPONENT = 512
"""Powers of ten that are read: ``1e999999999`` is a gigabyte once it is added to 1. Go would try."""

_QUANTITY = re.compile(r"([+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+))([eEinumkKMGTP]*[-+]?[0-9]*)", re.ASCII)
_EXPONENT = re.compile(r"[eE]([+-]?[0-9]+)", re.ASCII)
MAX_INT64 = 2**63 - 1

_NANO = Decimal("1e-9")
_CAP = Decimal(MAX_INT64)
_EXACT = Context(prec=4 * LARGEST_EXPONENT, Emax=8 * LARGEST_EXPONENT, Emin=-8 * LARGEST_EXPONENT)
_EXACT.traps[Inexact] = True
_ROUNDING = Context(prec=4 * LARGEST_EXPONENT, rounding=ROUND_UP)

_DECIMAL_SUFFIXES: Mapping[str, int] = {
    "n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18,
}  # fmt: skip
_BINARY_SUFFIXES: Mapping[str, int] = {"Ki": 10, "Mi": 20, "Gi": 30, "Ti": 40, "Pi": 50, "Ei": 60}


def parse(text: str) -> Decimal:
    """Return the number a quantity stands for. Raises ValueError with a text for the author of the policy.

    As in Kubernetes, what is finer than a nano is rounded away from zero, and with a binary suffix 2^63-1 is the most.
    """
    if len(text) > LONGEST:
        raise ValueError(f"a quantity of {len(text)} characters is longer than the {LONGEST} that are read")
    match = _QUANTITY.fullmatch(text)
    if match is None:
        raise ValueError(f"{text!r} is not a quantity: write a number and a suffix, such as 512Mi, 1.5G, 100m or 12e6")
    number, suffix = Decimal(match.group(1)), match.group(2)
    if suffix in _BINARY_SUFFIXES:
        size = _nanos(_EXACT.multiply(number, Decimal(2 ** _BINARY_SUFFIXES[suffix])))
        return size if abs(size) <= _CAP else _CAP.copy_sign(size)
    return _nanos(_EXACT.scaleb(number, _power_of_ten(text, suffix)))


def parse_bytes(written: object) -> int | None:
    """Return a quantity in bytes, rounded up and held within int64 as Kubernetes does; None if it is not one.

    A JSON number is a quantity too.
    """
    if isinstance(written, bool) or not isinstance(written, int | float | str):
        return None
    if isinstance(written, int):
        whole = written
    else:
        try:
            number = parse(written if isinstance(written, str) else repr(written))
        except ValueError:
            return None
        whole = int(number.to_integral_value(ROUND_UP, _ROUNDING))
    return max(-MAX_INT64, min(MAX_INT64, whole))


def is_quantity(text: str) -> bool:
    """Say whether :func:`parse` would succeed."""
    try:
        parse(text)
    except ValueError:
        return False
    return True


def canonical(number: Decimal) -> str:
    """Return the one text for this number, so that equal quantities are equal texts."""
    return str(_EXACT.normalize(number)) if number else "0"


def from_canonical(text: str) -> Decimal:
    """Read back what :func:`canonical` wrote. Raises ValueError."""
    try:
        number = Decimal(text)
    except InvalidOperation:
        number = Decimal("nan")
    if not number.is_finite() or abs(number.adjusted()) > 2 * LARGEST_EXPONENT:
        raise ValueError(f"{text[:80]!r} is not the value of a quantity")
    return number


def is_integer(number: Decimal) -> bool:
    """Say whether the number is whole and fits into 64 bits, so that :func:`as_integer` succeeds."""
    return -(2**63) <= number < 2**63 and number == number.to_integral_value()


def as_integer(number: Decimal) -> int:
    """Return the number as an integer. Raises ValueError where that would lose something."""
    if not is_integer(number):
        raise ValueError(f"the quantity {canonical(number)} is not a whole number of 64 bits: ask isInteger() first")
    return int(number)


def add(first: Decimal, second: Decimal | int) -> Decimal:
    """Return the exact sum. Raises ValueError beyond what quantities can be."""
    try:
        return _EXACT.add(first, Decimal(second))
    except (Inexact, Overflow):
        raise ValueError("the sum of the quantities is too large") from None


def subtract(first: Decimal, second: Decimal | int) -> Decimal:
    """Return the exact difference. Raises ValueError beyond what quantities can be."""
    return add(first, -Decimal(second) if isinstance(second, int) else second.copy_negate())


def sign(number: Decimal) -> int:
    """Return 1, 0 or -1."""
    return compare(number, Decimal(0))


def compare(first: Decimal, second: Decimal) -> int:
    """Return 1 if the first is greater, -1 if it is less, 0 if they are equal."""
    return (first > second) - (first < second)


def _power_of_ten(text: str, suffix: str) -> int:
    if suffix in _DECIMAL_SUFFIXES:
        return _DECIMAL_SUFFIXES[suffix]
    match = _EXPONENT.fullmatch(suffix)
    if match is None:
        known = ", ".join([*filter(None, _DECIMAL_SUFFIXES), *_BINARY_SUFFIXES])
        raise ValueError(f"{text!r} is not a quantity: {suffix!r} is no suffix (known are {known} and e3)")
    exponent = int(match.group(1))
    if abs(exponent) > LARGEST_EXPONENT:
        raise ValueError(f"the exponent of the quantity {text!r} is beyond the ±{LARGEST_EXPONENT} that are read")
    return exponent


def _nanos(number: Decimal) -> Decimal:
    rounded = number.quantize(_NANO, context=_ROUNDING)
    return number if number == rounded else rounded
