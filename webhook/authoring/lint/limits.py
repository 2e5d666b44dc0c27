"""Expressions that fail: constants that are none, and limits of the runtime that are near."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.authoring.lint.expressions import Expressions, Part
from webhook.authoring.lint.found import Found, within
from webhook.authoring.lint.rule import error, note, warning
from webhook.policy.cel import CompileError, Compiler, EvaluationError, activation
from webhook.policy.celsyntax import Kind, Node
from webhook.policy.document import Text

BAD_CONSTANT = error(
    "bad-constant",
    "A part of an expression always fails",
    "A constant is no quantity, duration, time or regular expression, or a number is divided by 0: every evaluation "
    "that comes to it is an error.",
    bad="object.metadata.name.matches('[')",
    good=r"object.metadata.name.matches('\\[')",
)
UNSUPPORTED_MACRO = error(
    "unsupported-macro",
    "A macro compiles and always fails",
    "The runtime refuses transformMap and transformMapEntry when it comes to them, whatever map they are given: every "
    "such evaluation is an error.",
    bad="object.metadata.labels.transformMap(k, v, v)",
    good="object.metadata.labels.transformList(k, v, k + '=' + v)",
)
NESTED_ITERATION = note(
    "nested-iteration",
    "The cost grows with the square of a list",
    "For every item of a list in the object another such list is walked. After 10,000 steps an evaluation ends in an "
    "error.",
    bad="object.spec.a.all(x, object.spec.b.exists(y, …))",
)
NEAR_LIMIT = warning(
    "near-limit",
    "An expression is close to a limit",
    "Expressions may be nested 32 levels deep and take 10,000 steps in loops; the next edit, or a longer list, goes "
    "beyond.",
    good="variables for parts of it",
)

RULES = (
    BAD_CONSTANT,
    UNSUPPORTED_MACRO,
    NESTED_ITERATION,
    NEAR_LIMIT,
)


_REFUSED = frozenset({"transformMap", "transformMapEntry"})
"""Source: cel-expr-python 0.1.3, which has no ``cel.@mapInsert``; see tests/unit/authoring/lint/test_limits.py."""
_PATTERNS = frozenset({"matches", "find", "findAll"})
_MACROS = frozenset({"all", "exists", "exists_one", "existsOne", "filter", "map", "transformList", "transformMap"})
_UNTRUSTED = frozenset({"object", "oldObject"})
_SPARE = 4
"""Levels of nesting that an expression should have left of the 32 that the runtime parses."""
_LONG = 60
"""Characters of an expression below which it cannot be nested that deep."""
_DEEPEST = 2
"""Loops within one another that a list in an object may drive: three walk 10,000 steps for 22 items."""


def check(expressions: Expressions) -> Iterator[Found]:
    """Judge all expressions of a policy."""
    for part in expressions.parts:
        yield from _constants(part, part.node)
        for node in part.node.walk():
            if node.kind is Kind.METHOD and node.name in _REFUSED and node.binds:
                message = f"the runtime refuses {node.name}: every evaluation that comes to it is an error"
                hint = "make a list with transformList, or ask for each key"
                yield within(UNSUPPORTED_MACRO, part.text, node.start, message, hint)
        yield from _loops(part, part.node, 0, frozenset())
        if len(part.text.text) > _LONG and _is_deep(part.text):
            message = f"the expression is nested within {_SPARE} levels of what the runtime parses (32)"
            yield within(NEAR_LIMIT, part.text, 0, message, "move parts of it into variables")


def _constants(part: Part, node: Node) -> Iterator[Found]:
    """Constant calls are evaluated; so is a constant pattern, on an empty text."""
    own = part.text.text[node.start : node.end]
    is_division = node.kind is Kind.ARITHMETIC and node.name in {"/", "%"}
    if (node.kind in {Kind.CALL, Kind.METHOD} or is_division) and _is_constant(node):
        if problem := _fails(part.text, f"[{own}] == []"):
            yield _bad(part, node, own, problem)
        return
    if node.kind is Kind.METHOD and node.name in _PATTERNS and len(node.children) > 1:
        pattern = node.children[1]
        written = part.text.text[pattern.start : pattern.end]
        if pattern.kind is Kind.LITERAL and (problem := _fails(part.text, f"[''.{node.name}({written})] == []")):
            yield _bad(part, pattern, written, problem)
    for child in node.children:
        yield from _constants(part, child)


def _bad(part: Part, node: Node, written: str, problem: str) -> Found:
    return within(BAD_CONSTANT, part.text, node.start, f"{written} always fails: {problem}", "correct the constant")


def _is_constant(node: Node) -> bool:
    return all(one.kind not in {Kind.NAME, Kind.MESSAGE} for one in node.walk())


def _fails(text: Text, expression: str) -> str:
    """Why a constant expression fails when it is evaluated; empty if it does not, or cannot be evaluated by itself."""
    try:
        Compiler({}).compile(Text(expression, text.document, ()), ("bool",)).evaluate(activation({}))
    except CompileError:
        return ""
    except EvaluationError as error:
        return str(error)
    return ""


def _is_deep(text: Text) -> bool:
    """Whether it no longer parses with a few more levels around it."""
    wrapped = f"{'(' * _SPARE}{text.text}\n{')' * _SPARE}"
    try:
        Compiler({}).compile(Text(wrapped, text.document, ()), ("dyn",))
    except CompileError as error:
        return any("recursion" in problem.message for problem in error.problems)
    return False


def _loops(part: Part, node: Node, depth: int, driven: frozenset[str]) -> Iterator[Found]:
    """Count loops over lists of the object; ``driven`` are names of items of such lists."""
    below, names = depth, driven
    if node.kind is Kind.METHOD and node.name in _MACROS and node.binds and _is_untrusted(node.children[0], driven):
        below, names = depth + 1, driven | set(node.binds)
        if below == _DEEPEST:
            message = "for every item of a list in the object another list of it is walked"
            hint = "an evaluation ends in an error after 10,000 steps: two lists of 100 items are enough"
            yield within(NESTED_ITERATION, part.text, node.start, message, hint)
        elif below > _DEEPEST:
            message = f"{below} loops over lists of the object are nested: lists of 22 items go beyond 10,000 steps"
            yield within(NEAR_LIMIT, part.text, node.start, message, "walk the lists one after another")
    for index, child in enumerate(node.children):
        yield from _loops(part, child, below if index else depth, names if index else driven)


def _is_untrusted(node: Node, driven: frozenset[str]) -> bool:
    return any(one.kind is Kind.NAME and one.name in _UNTRUSTED | driven for one in node.walk())
