"""Tables for terminals and pull requests: aligned, whole, and safe whatever is in the cells."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.output.tables import columns, escaped, markdown, plain


def test_columns_are_aligned_and_no_cell_is_cut() -> None:
    long = "x" * 300
    assert columns(["name", "count"], [["a", 1], [long, 22]]).splitlines() == [
        f"{'NAME':300}  COUNT",
        f"{'a':300}  1",
        f"{long}  22",
    ]


def test_what_looks_like_a_number_stays_as_it_is_written() -> None:
    assert columns(["revision"], [["1e5"], ["007"]]).split() == ["REVISION", "1e5", "007"]


def test_a_table_without_rows_is_its_header() -> None:
    assert columns(["name"], []) == "NAME"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\nb", "a b"),
        ("\x1b[31mred", "[31mred"),
        ("bell\x07", "bell"),
        ("right\u202eleft", "right left"),
        ("ライブマイグレーション", "ライブマイグレーション"),
    ],
)
def test_nothing_moves_the_terminal(text: str, shown: str) -> None:
    assert plain(text) == shown


def test_markdown_cells_are_text() -> None:
    table = markdown(["what"], [["a|b"], ["<script>"], ["@everyone *now*"], ["[x](y)"]])
    assert table.splitlines()[2:] == [
        r"| a\|b |",
        r"| \<script\> |",
        "| @\u200beveryone \\*now\\* |",
        r"| \[x\](y) |",
    ]


@given(st.lists(st.lists(st.text(), min_size=2, max_size=2), max_size=5))
def test_each_row_is_one_line(rows: list[list[str]]) -> None:
    assert len(markdown(["a", "b"], rows).splitlines()) == 2 + len(rows)
    assert len(columns(["a", "b"], rows).split("\n")) == 1 + len(rows)


@given(st.text())
def test_no_cell_of_markdown_ends_early(text: str) -> None:
    unescaped = escaped(text).replace("\\\\", "").replace("\\|", "")
    assert "|" not in unescaped
