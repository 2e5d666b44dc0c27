"""The catalogue of all lint rules. Each topic lists its own in ``RULES``; this module only joins them."""

from __future__ import annotations

from collections.abc import Mapping

from webhook.authoring.lint import (
    branches,
    exempting,
    judging,
    limits,
    matching,
    mutating,
    ordering,
    reach,
    served,
    silence,
    sources,
    tested,
    unused,
    values,
    wording,
)
from webhook.authoring.lint.rule import LintRule

TOPICS: Mapping[str, tuple[LintRule, ...]] = {
    "What the webhook would refuse to load": (*sources.RULES, tested.POLICY_TEST),
    "What a policy matches": (*matching.RULES, *served.RULES),
    "What a policy judges and changes": (*values.RULES, *judging.RULES, *branches.RULES, *mutating.RULES),
    "What an expression reads": (*reach.RULES, *unused.RULES, *limits.RULES, *ordering.RULES),
    "What a policy says": (*wording.RULES, tested.NO_TESTS),
    "Exemptions": exempting.RULES,
    "Silence": silence.RULES,
}
"""All rules by topic."""

RULES: Mapping[str, LintRule] = {rule.name: rule for rules in TOPICS.values() for rule in rules}
"""All rules by name."""
