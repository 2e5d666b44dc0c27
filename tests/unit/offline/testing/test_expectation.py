"""Texts that expectations are made of."""

# ruff: noqa: E501 - a case is one line

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


@pytest.mark.parametrize(
    ("node", "path", "message"),
    [
        pytest.param({"patched": {}}, ("patched",), "'patched' expects nothing", id="patched"),
        pytest.param({"auditAnnotations": {}}, ("auditAnnotations",), "'auditAnnotations' expects nothing", id="annotations"),
        pytest.param({"message": "//"}, ("message",), "// is found in any message", id="empty-expression"),
        pytest.param({"message": ["fine", "/^.*$/"]}, ("message",), "/^.*$/ is found in any message", id="anything"),
    ],
)  # fmt: skip
def test_what_would_hold_of_any_decision_is_no_expectation(
    node: dict[str, object], path: tuple[str, ...], message: str
) -> None:
    assert [(at, said) for at, said, _ in faults(node)] == [(path, message)]


@pytest.mark.parametrize(
    "node",
    [
        pytest.param({"message": []}, id="no-message"),
        pytest.param({"message": "/^$/"}, id="an-empty-one"),
        pytest.param({"message": "/^[^b]*$/"}, id="one-without-something"),
        pytest.param({"warnings": "/.*/"}, id="some-warning"),
        pytest.param({"auditAnnotations": {"by": None}}, id="no-annotation"),
        pytest.param({"patch": []}, id="no-patch"),
    ],
)
def test_what_some_decisions_do_not_meet_is_one(node: dict[str, object]) -> None:
    assert list(faults(node)) == []
