"""The page docs/reference/lint.md: every rule of ``migguard lint``."""

from __future__ import annotations

from collections.abc import Iterator

from docs.markdown import block, code, page, table
from webhook.authoring.lint.rule import LintRule
from webhook.authoring.lint.rules import RULES, TOPICS
from webhook.authoring.lint.silence import ANNOTATION


def text() -> str:
    """Return the page."""
    rows = ((f"[{code(rule.name)}](#{rule.name})", rule.level.value, rule.title) for rule in RULES.values())
    return page(
        "Rules of lint",
        f"What {code('migguard lint DIR...')} finds in policies, bindings, exemptions and parameters. An error makes "
        f"it exit with 1; warnings are shown too, notes with {code('--level note')}.",
        f"Annotation {code(f'{ANNOTATION}: RULE, RULE')} silences rules for one document, but for those that the "
        "webhook itself insists on. Say in a comment why the document is right. An annotation that silences nothing is "
        "found too.",
        table(("rule", "level", "what it finds"), rows),
        *_topics(),
    )


def _topics() -> Iterator[str]:
    for topic, rules in TOPICS.items():
        yield f"## {topic}"
        for rule in rules:
            yield from _rule(rule)


def _rule(rule: LintRule) -> Iterator[str]:
    yield f"### {rule.name}"
    silence = " It cannot be silenced." if rule.must else ""
    yield f"{rule.level.value.capitalize()}: {_lower(rule.title)}. {rule.description}{silence}"
    if rule.bad:
        yield "Found:"
        yield block("text", rule.bad)
    if rule.good:
        yield "Rather:"
        yield block("text", rule.good)


def _lower(sentence: str) -> str:
    return sentence[0].lower() + sentence[1:]
