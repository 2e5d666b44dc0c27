"""Branches of conditional expressions that are never taken."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from webhook.authoring.lint.expressions import Expressions, Part, Role
from webhook.authoring.lint.formula import Formula, both, impossible, negate
from webhook.authoring.lint.found import Found, within
from webhook.authoring.lint.meaning import Meaning
from webhook.authoring.lint.rule import warning
from webhook.policy.celsyntax import Kind, Node

UNREACHABLE_BRANCH = warning(
    "unreachable-branch",
    "A branch of an expression is never taken",
    "A test before it has decided the same already, or the test has one outcome for all that the policy matches.",
    bad="kind == 'a' ? 1 : kind == 'a' ? 2 : 3",
    good="kind == 'a' ? 1 : 3",
)

RULES = (UNREACHABLE_BRANCH,)


_Taken = Mapping[tuple[int, bool], bool]
"""For each test, by where it begins, and each outcome: whether it can be."""


def check(expressions: Expressions) -> Iterator[Found]:
    """Find branches that no request that the policy matches comes to."""
    for part in expressions.parts:
        tests = [node for node in part.node.walk() if node.kind is Kind.CONDITIONAL]
        if not tests or not expressions.shapes:
            continue
        taken: dict[tuple[int, bool], bool] = {}
        for shape in expressions.shapes:
            meaning = Meaning(expressions, shape)
            given = _given(expressions, part, meaning)
            if not impossible(given):
                _walk(part.node, meaning, given, {}, taken)
        yield from _never_taken(part, tests, taken)


def _given(expressions: Expressions, part: Part, meaning: Meaning) -> Formula:
    """What is certain when a part is evaluated."""
    if part.role is Role.CONDITION:
        return both()
    conditions = (meaning.formula(one.node) for one in expressions.of(Role.CONDITION))
    violated = (
        negate(meaning.formula(one.node))
        for one in expressions.of(Role.VALIDATION)
        if part.role is Role.MESSAGE and one.name == part.name
    )
    return both(*conditions, *violated)


def _walk(
    node: Node, meaning: Meaning, given: Formula, names: Mapping[str, str], taken: dict[tuple[int, bool], bool]
) -> None:
    if node.kind is Kind.CONDITIONAL:
        test, *branches = node.children
        _walk(test, meaning, given, names, taken)
        outcome = meaning.formula(test, names)
        for truth, branch in zip((True, False), branches, strict=True):
            assumed = both(given, outcome if truth else negate(outcome))
            reached = not impossible(assumed)
            taken[test.start, truth] = taken.get((test.start, truth), False) or reached
            if reached:
                _walk(branch, meaning, assumed, names, taken)
        return
    inner = {**names, **{name: f"{name}@{node.start}" for name in node.binds}}
    for index, child in enumerate(node.children):
        _walk(child, meaning, given, inner if index else names, taken)


def _never_taken(part: Part, tests: list[Node], taken: _Taken) -> Iterator[Found]:
    for conditional in tests:
        test, yes, no = conditional.children
        for truth, branch in ((True, yes), (False, no)):
            if taken.get((test.start, truth)) is False and taken.get((test.start, not truth)):
                message = f"this branch is never taken: the test before it is always {str(not truth).lower()} here"
                hint = "a test before it, or what the policy matches, has decided it"
                yield within(UNREACHABLE_BRANCH, part.text, branch.start, message, hint)
