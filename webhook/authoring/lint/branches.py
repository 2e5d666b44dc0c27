"""Parts of expressions that are never come to, or never make a difference."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from webhook.authoring.lint.expressions import Expressions, Part, Role
from webhook.authoring.lint.formula import Formula, alike, both, impossible, negate
from webhook.authoring.lint.found import Found, within
from webhook.authoring.lint.meaning import Meaning
from webhook.authoring.lint.rule import warning
from webhook.authoring.lint.values import compared_in_vain
from webhook.policy.celsyntax import Kind, Node

UNREACHABLE_BRANCH = warning(
    "unreachable-branch",
    "A branch of an expression is never taken",
    "A test before it has decided the same already, or the test has one outcome for all that the policy matches.",
    bad="kind == 'a' ? 1 : kind == 'a' ? 2 : 3",
    good="kind == 'a' ? 1 : 3",
)

DEAD_OPERAND = warning(
    "dead-operand",
    "An operand of && or || has one outcome",
    "For all that the policy matches and that comes to it, the operand is false, or it decides || by being true: what "
    "was meant by it never happens. Whole validations and conditions have rules of their own.",
    bad="kind == 'a' && kind == 'b' || vmi.found",
    good="vmi.found",
)

RULES = (UNREACHABLE_BRANCH, DEAD_OPERAND)


_LOGIC = frozenset({Kind.OR, Kind.AND})
_JUDGED = frozenset({Role.CONDITION, Role.VALIDATION})
_NOTHING: Mapping[str, str] = {}


def check(expressions: Expressions) -> Iterator[Found]:
    """Find branches that no request that the policy matches comes to, and operands that make no difference."""
    for part in expressions.parts:
        logic = any(node.kind in _LOGIC or node.kind is Kind.CONDITIONAL for node in part.node.walk())
        if logic and not any(compared_in_vain(part.node)):
            seen = _Seen()
            for shape in expressions.shapes:
                meaning = Meaning(expressions, shape)
                given = _given(expressions, part, meaning)
                if not impossible(given):
                    walk = _Walk(meaning, seen)
                    walk.node(part.node, given, _NOTHING)
                    walk.whole(part.node, given)
            yield from _never_taken(part, seen.outcomes)
            if part.role not in _JUDGED or len(seen.whole) > 1:
                yield from _dead(part, part.node, seen.outcomes)


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


_Outcomes = Mapping[tuple[int, int], set[bool]]
"""What tests and operands may come to where they are come to, by where they stand in the text."""


@dataclass(slots=True)
class _Seen:
    """What was found for the shapes so far."""

    outcomes: defaultdict[tuple[int, int], set[bool]] = field(default_factory=lambda: defaultdict(set))
    whole: set[bool] = field(default_factory=set)
    """Of the expression itself."""


@dataclass(frozen=True, slots=True)
class _Walk:
    """Goes through an expression as it is evaluated for one shape."""

    meaning: Meaning
    seen: _Seen

    def node(self, node: Node, given: Formula, names: Mapping[str, str]) -> None:
        """Note what the parts of a tree may come to where this is given, which is possible."""
        if node.kind is Kind.CONDITIONAL:
            self._conditional(node, given, names)
        elif node.kind in _LOGIC:
            self._operands(node, given, names)
        else:
            inner = {**names, **{name: f"{name}@{node.start}" for name in node.binds}}
            for index, child in enumerate(node.children):
                self.node(child, given, inner if index else names)

    def whole(self, node: Node, given: Formula) -> None:
        """Note what the expression itself may come to."""
        self.seen.whole.update(_possible(given, self.meaning.formula(node)))

    def _conditional(self, node: Node, given: Formula, names: Mapping[str, str]) -> None:
        test, *branches = node.children
        self.node(test, given, names)
        outcome = self.meaning.formula(test, names)
        possible = _possible(given, outcome)
        self.seen.outcomes[test.start, test.end] |= possible
        for truth, branch in zip((True, False), branches, strict=True):
            if truth in possible:
                self.node(branch, both(given, outcome if truth else negate(outcome)), names)

    def _operands(self, node: Node, given: Formula, names: Mapping[str, str]) -> None:
        """The operands before it are false where one of || counts, and true where one of && does."""
        decisive = node.kind is Kind.OR
        for child in node.children:
            self.node(child, given, names)
            outcome = self.meaning.formula(child, names)
            possible = _possible(given, outcome)
            self.seen.outcomes[child.start, child.end] |= possible
            if (not decisive) not in possible:
                break
            given = both(given, negate(outcome) if decisive else outcome)


def _possible(given: Formula, outcome: Formula) -> set[bool]:
    given = given if alike(given, outcome) else both()
    wanted = ((True, outcome), (False, negate(outcome)))
    return {truth for truth, formula in wanted if not impossible(both(given, formula))}


def _never_taken(part: Part, outcomes: _Outcomes) -> Iterator[Found]:
    for conditional in (node for node in part.node.walk() if node.kind is Kind.CONDITIONAL):
        test, *branches = conditional.children
        for truth, branch in zip((True, False), branches, strict=True):
            if outcomes.get((test.start, test.end)) == {not truth}:
                message = f"this branch is never taken: the test before it is always {str(not truth).lower()} here"
                hint = "a test before it, or what the policy matches, has decided it"
                yield within(UNREACHABLE_BRANCH, part.text, branch.start, message, hint)


def _dead(part: Part, node: Node, outcomes: _Outcomes) -> Iterator[Found]:
    """Of operands within one another only the innermost is told of: that is the reason for those around it."""
    for child in node.children:
        below = list(_dead(part, child, outcomes))
        yield from below
        if node.kind not in _LOGIC or child.kind is node.kind or below or _asks_for_null(child):
            continue
        possible = outcomes.get((child.start, child.end))
        if possible == {False} or (possible == {True} and node.kind is Kind.OR):
            truth = "never true" if possible == {False} else "always true"
            message = f"this is {truth} here, after what stands before it and for what the policy matches"
            yield within(DEAD_OPERAND, part.text, child.start, message, "correct it, or leave it out")


def _asks_for_null(node: Node) -> bool:
    """Say whether an operand makes sure that there is an object: whoever is careful is not told off."""
    return node.kind is Kind.RELATION and any(one.kind is Kind.LITERAL and one.name == "null" for one in node.children)
