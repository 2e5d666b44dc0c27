"""Hints for words that nobody knows."""

from __future__ import annotations

import pytest

from webhook.policy.spelling import nearest


@pytest.mark.parametrize(
    ("word", "hint"),
    [("requester.canMigrat", "did you mean 'requester.canMigrate'?"), ("zebra", ""), ("", "")],
    ids=["near", "far", "empty"],
)
def test_what_was_probably_meant_is_only_told_where_something_is_near(word: str, hint: str) -> None:
    assert nearest(word, ["requester.canMigrate", "vmi.labels"]) == hint
