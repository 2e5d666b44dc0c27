"""Every language that Parameters can name says everything, with the same values in it."""

from __future__ import annotations

from dataclasses import asdict
from string import Formatter

import pytest

from webhook.admission.wording import PHRASES, phrases_of
from webhook.policy import schema
from webhook.policy.loader import default_parameters


def _fields(template: str) -> set[str]:
    return {name for _, name, _, _ in Formatter().parse(template) if name is not None}


def test_there_are_phrases_for_every_language_of_parameters() -> None:
    spec = schema.schema("Parameters")["properties"]["spec"]["properties"]

    assert set(PHRASES) == set(spec["language"]["enum"])


def test_english_is_spoken_unless_another_language_is_asked_for() -> None:
    assert phrases_of(default_parameters()) is PHRASES["en"]
    assert phrases_of({**default_parameters(), "language": "ja"}) is PHRASES["ja"]


@pytest.mark.parametrize("language", sorted(PHRASES))
def test_a_language_says_everything_with_the_values_that_english_names(language: str) -> None:
    said, english = asdict(PHRASES[language]), asdict(PHRASES["en"])

    assert {name: _fields(text) for name, text in said.items()} == {
        name: _fields(text) for name, text in english.items()
    }
    assert all(text for name, text in said.items() if name != "space")
