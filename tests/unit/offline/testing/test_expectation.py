"""Texts that expectations are made of."""

import pytest

from webhook.offline.testing.expectation import Expectation, faults, finds


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b.c", "ab.cd", True),
        ("b.c", "abxcd", False),
        ("/b.c/", "abxcd", True),
        ("/^b/", "ab", False),
        ("/", "a/b", True),
    ],
)
def test_a_pattern_is_a_part_or_an_expression_between_slashes(pattern: str, text: str, found: bool) -> None:
    assert finds(pattern, text) is found


def test_nothing_said_is_nothing_expected_but_an_empty_list_is() -> None:
    assert Expectation.of({}) == Expectation()
    assert Expectation.of({"message": []}).message == ()


def test_misspelt_facts_and_broken_expressions_are_found() -> None:
    node = {"facts": {"requester.canMigrat": True}, "warnings": ["fine", "/(/"]}
    assert [(path, message.split(":")[0], hint) for path, message, hint in faults(node)] == [
        (("warnings",), "/(/ is not a regular expression", ""),
        (
            ("facts", "requester.canMigrat"),
            "there is no fact 'requester.canMigrat'",
            "did you mean 'requester.canMigrate'?",
        ),
    ]
