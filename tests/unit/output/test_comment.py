"""Parts of a comment, and the whole short enough for one."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from webhook.output.comment import MAX_CHARACTERS, bounded, code, section

ROWS = [(f"name-{number}", "x" * 100) for number in range(2_000)]


def test_rows_give_way_and_their_number_is_said() -> None:
    text = bounded(["### title", section("Things", ("Name", "What"), ROWS, folded=True), "the end"])
    assert text.startswith("### title\n")
    assert "</details>\n\nthe end" in text
    assert "lines left out: `-o json` has them all." in text
    assert MAX_CHARACTERS * 0.9 < len(text) <= MAX_CHARACTERS + 100


def test_other_lines_do_too_where_they_alone_are_too_many() -> None:
    text = bounded([f"> note {number}: {'x' * 100}" for number in range(2_000)])
    assert len(text) <= MAX_CHARACTERS + 100


def test_what_fits_is_whole() -> None:
    assert bounded(["a", "", section("T", ("A",), [("b",)], folded=False)]) == "a\n\n**T**\n\n| A |\n| --- |\n| b |"


def test_a_section_without_rows_is_nothing() -> None:
    assert section("T", ("A",), [], folded=False) == ""


@given(st.text())
def test_code_is_one_line_that_ends_where_it_should(text: str) -> None:
    assert "\n" not in code(text)
    assert code(text).count("`") == 2


@given(st.lists(st.text(max_size=300), max_size=30))
def test_nothing_is_ever_too_long(parts: list[str]) -> None:
    assert len(bounded([part * 300 for part in parts])) <= MAX_CHARACTERS + 100
