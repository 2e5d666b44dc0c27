"""The catalogue of rules: complete, told apart, and each explained."""

from __future__ import annotations

import re
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules

import pytest

from webhook.authoring import lint
from webhook.authoring.lint.rule import PAGE, LintRule
from webhook.authoring.lint.rules import RULES

ROOT = Path(__file__).parents[4]
TESTS = "\n".join(path.read_text("utf-8") for path in Path(__file__).parent.glob("test_*.py"))


def test_the_rules_of_every_topic_are_in_the_catalogue_once() -> None:
    modules = [import_module(f"{lint.__name__}.{found.name}") for found in iter_modules(lint.__path__)]
    topics = [module for module in modules if isinstance(getattr(module, "RULES", None), tuple)]
    listed = [rule for topic in topics for rule in topic.RULES]
    defined = {one.name for module in modules for one in vars(module).values() if isinstance(one, LintRule)}
    assert sorted(rule.name for rule in listed) == sorted(RULES)
    assert defined == set(RULES)


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_rule_is_explained(rule: LintRule) -> None:
    assert re.fullmatch(r"[a-z]+(-[a-z]+)*", rule.name)
    assert rule.title[0].isupper()
    assert not rule.title.endswith(".")
    assert rule.description.endswith(".")
    assert rule.bad or not rule.good or rule.name == "near-limit"


@pytest.mark.parametrize("name", RULES)
def test_a_test_sees_the_rule_find_something(name: str) -> None:
    assert f'"{name}"' in TESTS


@pytest.mark.parametrize("rule", RULES.values(), ids=RULES)
def test_a_reference_leads_to_a_paragraph(rule: LintRule) -> None:
    page = (ROOT / PAGE).read_text("utf-8")
    assert rule.rule.reference == f"{PAGE}#{rule.name}"
    assert f"\n### {rule.name}\n" in page
