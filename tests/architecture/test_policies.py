"""What every built-in policy owes to whoever meets it: where it comes from, and all that it says in both languages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
import yaml

from docs.policyexample import speaking
from webhook.admission.natives import CATALOG
from webhook.admission.wording import PHRASES
from webhook.offline.outcome import Outcome
from webhook.offline.testing.run import run
from webhook.offline.testing.suite import suites
from webhook.policy.document import ENGLISH, GuardPolicy, Wordings
from webhook.policy.policyset import load

ROOT = Path(__file__).parents[2]
POLICIES = sorted(path.name for path in (ROOT / "policies").iterdir() if path.is_dir())
ANNOTATIONS = {f"migguard.io/{name}" for name in ("title", "severity", "category", "reference", "description")}
SEVERITIES = {"critical", "high", "medium", "low"}
LANGUAGES = sorted(set(PHRASES) - {ENGLISH})
_JAPANESE = re.compile(r"[\u3040-\u30ff]")
"""Hiragana and katakana: a sentence has some, and Chinese or an English name has none."""


@cache
def _policies() -> dict[str, GuardPolicy]:
    return {policy.name: policy.document for policy in load([ROOT / "policies"], CATALOG).policies}


def _said(policy: GuardPolicy) -> Iterator[tuple[str, Wordings]]:
    for index, validation in enumerate(policy.validations):
        yield f"validations[{index}].message", validation.message
        yield f"validations[{index}].remediation", validation.remediation
    for mutation in policy.mutations:
        yield f"mutation '{mutation.name}'", mutation.warning


def test_a_policy_is_named_after_its_folder() -> None:
    assert sorted(_policies()) == POLICIES


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_says_what_it_is_for_and_where_that_comes_from(name: str) -> None:
    annotations = _policies()[name].annotations

    assert {key for key in ANNOTATIONS if not annotations.get(key, "").strip()} == set()
    assert annotations["migguard.io/severity"] in SEVERITIES


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_names_a_next_step_wherever_it_finds_something(name: str) -> None:
    wordings = [validation.remediation[ENGLISH] for validation in _policies()[name].validations]

    assert all(one.text or one.expression for one in wordings)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_is_translated_in_full(name: str, language: str) -> None:
    missing = []
    for place, wordings in _said(_policies()[name]):
        english, other = wordings[ENGLISH], wordings.get(language)
        texts = [other.text, other.expression.text if other.expression else ""] if other else []
        if (english.text or english.expression) and not any(map(_JAPANESE.search, texts)):
            missing.append(place)

    assert missing == []


@pytest.mark.parametrize("name", POLICIES)
def test_a_policy_decides_the_same_in_japanese_and_says_it_in_japanese(name: str) -> None:
    for suite in suites([ROOT / "policies" / name / "tests"]):
        for english, japanese in zip(run(speaking(suite, ENGLISH)), run(speaking(suite, "ja")), strict=True):
            assert _verdict(english.outcome) == _verdict(japanese.outcome), english.case.where
            assert [text for text in _words(japanese.outcome) if not _JAPANESE.search(text)] == [], english.case.where


def _verdict(outcome: Outcome) -> tuple[object, ...]:
    found = [(one.policy, one.result, len(one.violations), one.patch) for one in outcome.evaluations]
    return outcome.last.allowed, outcome.last.code, len(outcome.warnings), found


def _words(outcome: Outcome) -> list[str]:
    violations = [violation for evaluation in outcome.evaluations for violation in evaluation.violations]
    warnings = [warning for evaluation in outcome.evaluations for warning in evaluation.warnings]
    return [text for one in violations for text in (one.message, one.remediation) if text] + warnings


def test_the_ready_made_migration_policies_are_those_that_the_tests_prove() -> None:
    copied = ROOT / "policies" / "protection-kept" / "tests" / "critical.yaml"
    shipped = ROOT / "examples" / "migrationpolicy-critical.yaml"
    assert list(yaml.safe_load_all(copied.read_text("utf-8"))) == list(yaml.safe_load_all(shipped.read_text("utf-8")))
