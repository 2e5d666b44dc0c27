"""How Go finds a struct's fields. Source: Go encoding/json decode.go, fold.go."""

from __future__ import annotations

import pytest

from webhook.kubevirt.godecode import fold, members


@pytest.mark.parametrize(
    ("left", "right", "same"),
    [
        pytest.param("allowPostCopy", "ALLOWPOSTCOPY", True, id="foldName-ascii"),
        pytest.param("disableTLS", "di\u017fableTLS", True, id="foldName-long-s"),
        pytest.param("network", "networ\u212a", True, id="foldName-kelvin-sign"),
        pytest.param("ss", "\u00df", False, id="foldName-one-character-for-one"),
        pytest.param("i", "\u0130", False, id="foldName-dotted-capital-i-is-no-i"),
        pytest.param("i", "\u0131", False, id="foldName-dotless-i-is-no-i"),
        pytest.param("allow-post-copy", "allowPostCopy", False, id="foldName-only-case"),
    ],
)
def test_case_is_folded_as_go_does(left: str, right: str, same: bool) -> None:
    assert (fold(left) == fold(right)) is same


def test_all_spellings_are_given_in_document_order() -> None:
    assert list(members({"B": 1, "a": 2, "b": 3}, "b")) == [("B", 1), ("b", 3)]
