"""Validations that cannot find anything, find everything, or repeat one another."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations

from webhook.authoring.lint.expressions import Expressions, Part, Role
from webhook.authoring.lint.formula import Formula, both, impossible, negate
from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.meaning import Meaning
from webhook.authoring.lint.rule import LintRule, warning
from webhook.policy.celsyntax import Kind

ALWAYS_TRUE = warning(
    "always-true",
    "A validation can never find anything",
    "Whatever is asked, the expression is true where the policy applies: by itself, or because the match conditions "
    "have made sure of it.",
    bad="request.operation != 'DELETE' || …, where operations lack DELETE",
    good="the part after ||",
)
ALWAYS_FALSE = warning(
    "always-false",
    "A validation refuses everything",
    "Whatever is asked, the expression is false where the policy applies. Write false if that is meant.",
)
DUPLICATE_VALIDATION = warning(
    "duplicate-validation",
    "A validation stands twice",
    "Another validation of the policy has the same expression: every violation is told twice.",
)
IMPLIED_VALIDATION = warning(
    "implied-validation",
    "A validation adds nothing to another",
    "Whenever it is violated, another one of the policy is violated too.",
)

RULES = (
    ALWAYS_TRUE,
    ALWAYS_FALSE,
    DUPLICATE_VALIDATION,
    IMPLIED_VALIDATION,
)


def check(expressions: Expressions) -> Iterator[Found]:
    """Judge the validations of a policy for each shape of requests under which its conditions can be met."""
    worlds = _worlds(expressions)
    validations = expressions.of(Role.VALIDATION)
    useful = []
    for one in validations if worlds else ():
        formulas = [(given, meaning.formula(one.node)) for meaning, given in worlds]
        if all(impossible(both(given, negate(holds))) for given, holds in formulas):
            message = "this is always true where the policy applies, so it finds nothing"
            hint = "compare it with what matchConstraints, origins and matchConditions let through"
            yield _about(ALWAYS_TRUE, expressions, one, message, hint)
        elif one.node.kind is not Kind.LITERAL and all(impossible(both(given, holds)) for given, holds in formulas):
            message = "this is never true where the policy applies, so it refuses everything"
            yield _about(ALWAYS_FALSE, expressions, one, message, "write false if that is meant")
        else:
            useful.append(one)
    yield from _repeated(expressions, useful, worlds)


def _worlds(expressions: Expressions) -> list[tuple[Meaning, Formula]]:
    """Each shape with what its conditions make sure of, without those that the conditions leave out."""
    worlds = []
    for shape in expressions.shapes:
        meaning = Meaning(expressions, shape)
        given = both(*(meaning.formula(one.node) for one in expressions.of(Role.CONDITION)))
        if not impossible(given):
            worlds.append((meaning, given))
    return worlds


def _repeated(
    expressions: Expressions, validations: Sequence[Part], worlds: Sequence[tuple[Meaning, Formula]]
) -> Iterator[Found]:
    told: set[Part] = set()
    for first, second in combinations(validations, 2):
        if second in told:
            continue
        formulas = [(given, m.formula(first.node), m.formula(second.node)) for m, given in worlds]
        forth = all(impossible(both(given, one, negate(other))) for given, one, other in formulas)
        back = all(impossible(both(given, other, negate(one))) for given, one, other in formulas)
        if forth and back:
            told.add(second)
            message = f"this says the same as validations[{first.name}]"
            yield _about(DUPLICATE_VALIDATION, expressions, second, message, "remove one of them")
        elif forth or back:
            less, more = (second, first) if forth else (first, second)
            if less not in told:
                told.add(less)
                message = f"whenever this is violated, validations[{more.name}] is violated too"
                hint = "make the other one let this case pass, or remove this one"
                yield _about(IMPLIED_VALIDATION, expressions, less, message, hint)


def _about(rule: LintRule, expressions: Expressions, part: Part, message: str, hint: str) -> Found:
    return at(rule, expressions.policy.document, part.text.path, message, hint)
