"""Kubernetes' CEL list functions on plain Python lists, with CEL's notion of equality and order.

Source: ``k8s.io/apiserver/pkg/cel/library/lists.go``.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any

_LARGEST = 2**63 - 1
_ORDERS: tuple[tuple[str, tuple[type, ...]], ...] = (
    ("bool", (bool,)),  # before the numbers, to which Python counts it
    ("number", (int, float)),
    ("string", (str,)),
    ("bytes", (bytes, bytearray)),
    ("timestamp", (datetime,)),
    ("duration", (timedelta,)),
)


def is_sorted(elements: Sequence[Any]) -> bool:
    """Say whether no element is greater than the next. Raises ValueError for what cannot be compared."""
    _check_comparable("isSorted", elements)
    return all(first <= second for first, second in pairwise(elements))


def total(elements: Sequence[Any]) -> int | float:
    """Return the sum of integers or of doubles, 0 for an empty list. Raises ValueError."""
    kinds = {type(element) for element in elements}
    if kinds - {int} and kinds - {float}:
        raise ValueError(f"sum() adds integers or doubles, not {_names(elements)}")
    found: int | float = sum(elements)
    if isinstance(found, int) and not -_LARGEST - 1 <= found <= _LARGEST:
        raise ValueError("sum() of the list does not fit into 64 bits")
    return found


def least(elements: Sequence[Any]) -> Any:
    """Return the first of the smallest elements. Raises ValueError for an empty list or what cannot be compared."""
    _check_returnable("min", elements)
    return min(elements)


def greatest(elements: Sequence[Any]) -> Any:
    """Return the first of the greatest elements. Raises ValueError for an empty list or what cannot be compared."""
    _check_returnable("max", elements)
    return max(elements)


def index_of(elements: Sequence[Any], wanted: Any) -> int:
    """Return the position of the first element that equals ``wanted``, or -1."""
    return next((at for at, element in enumerate(elements) if equal(element, wanted)), -1)


def last_index_of(elements: Sequence[Any], wanted: Any) -> int:
    """Return the position of the last element that equals ``wanted``, or -1."""
    return next((at for at in range(len(elements) - 1, -1, -1) if equal(elements[at], wanted)), -1)


def equal(first: Any, second: Any) -> bool:
    """CEL's equality: numbers by value, never a boolean with a number (which Python calls equal)."""
    if isinstance(first, bool) or isinstance(second, bool):
        return first is second
    if isinstance(first, list) and isinstance(second, list):
        return len(first) == len(second) and all(map(equal, first, second))
    if isinstance(first, dict) and isinstance(second, dict):
        return first.keys() == second.keys() and all(equal(first[key], second[key]) for key in first)
    return bool(first == second)


def _check_comparable(function: str, elements: Sequence[Any]) -> None:
    kinds = {_order(element) for element in elements}
    if len(kinds) > 1 or "" in kinds:
        raise ValueError(f"{function}() needs elements that can be compared with each other, not {_names(elements)}")


def _check_returnable(function: str, elements: Sequence[Any]) -> None:
    if not elements:
        raise ValueError(f"{function}() of an empty list")
    _check_comparable(function, elements)
    if isinstance(elements[0], datetime | timedelta):
        message = f"{function}() of timestamps or durations is not available: take an element of sort()"
        raise ValueError(message)  # noqa: TRY004 - the kind of error does not matter to CEL


def _order(element: Any) -> str:
    """Elements of one order can be compared with each other."""
    return next((name for name, types in _ORDERS if isinstance(element, types)), "")


def _names(elements: Sequence[Any]) -> str:
    return " and ".join(sorted({_order(element) or type(element).__name__ for element in elements}))
