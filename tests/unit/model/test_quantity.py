"""Source: Kubernetes apimachinery pkg/api/resource/quantity.go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.model.quantity import MAX_INT64, parse_bytes


@pytest.mark.parametrize(
    ("written", "size"),
    [
        ("0", 0),
        ("64Mi", 64 * 2**20),
        ("1Gi", 2**30),
        ("2Ki", 2048),
        ("1k", 1000),
        ("1M", 10**6),
        ("1E", 10**18),
        ("1e3", 1000),
        ("1E3", 1000),
        ("1E-1", 1),
        ("0.5Gi", 2**29),
        (".5Ki", 512),
        ("5.", 5),
        ("+5", 5),
        ("-5", -5),
        ("1m", 1),
        ("1500m", 2),
        ("1u", 1),
        ("1n", 1),
        ("0n", 0),
        (12, 12),
        (1.5, 2),
        ("16Ei", MAX_INT64),
        ("1e400", MAX_INT64),
        pytest.param(10**5000, MAX_INT64, id="thousands of digits"),
    ],
)
def test_a_quantity_in_bytes(written: Any, size: int) -> None:
    assert parse_bytes(written) == size


@pytest.mark.parametrize(
    "written",
    [
        "",
        "Mi",
        "64 Mi",
        "64mi",
        "64MB",
        "64MiB",
        " 1",
        "1 ",
        "1\n",
        "0x10",
        "1e",
        "1.2.3",
        "\u0661",
        "9" * 600,
        True,
        None,
        [],
        {},
    ],
    ids=repr,
)
def test_what_kubernetes_refuses_is_no_quantity(written: Any) -> None:
    assert parse_bytes(written) is None


@given(
    st.text(max_size=20)
    | st.integers()
    | st.floats()
    | st.from_regex(r"[0-9.]{1,9}[eE][+-]?[0-9]{1,6}", fullmatch=True)
)
def test_any_value_is_a_number_within_int64_or_none(written: Any) -> None:
    found = parse_bytes(written)
    assert found is None or -MAX_INT64 <= found <= MAX_INT64
