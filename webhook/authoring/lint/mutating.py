"""Mutations that are undone, have nothing to change, or are silent."""

from __future__ import annotations

from collections.abc import Iterator

from webhook.authoring.lint.expressions import Expressions, Part, Role
from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.meaning import literal
from webhook.authoring.lint.rule import error, warning
from webhook.model.request import Operation
from webhook.policy.celsyntax import Kind, Node
from webhook.policy.document import ENGLISH

MUTATION_OVERWRITTEN = warning(
    "mutation-overwritten",
    "A mutation is undone by a later one",
    "All fields that it sets are set again, whatever happens, by a later mutation of the policy.",
)
MUTATION_NEVER_RUNS = error(
    "mutation-never-runs",
    "There is nothing to mutate",
    "The policy has mutations and matches nothing but DELETE, which has no object to change.",
)
SILENT_MUTATION = warning(
    "silent-mutation",
    "A mutation says nothing",
    "Its warning is always empty: the user does not learn that the object was changed.",
)

RULES = (
    MUTATION_OVERWRITTEN,
    MUTATION_NEVER_RUNS,
    SILENT_MUTATION,
)


_SETS = frozenset({"add", "replace"})


def check(expressions: Expressions) -> Iterator[Found]:
    """Judge the mutations of a policy."""
    policy, parts = expressions.policy, expressions.of(Role.MUTATION)
    operations = {shape.operation for shape in expressions.shapes}
    if parts and operations == {Operation.DELETE}:
        message = "the policy matches nothing but DELETE, and there nothing can be changed"
        yield at(MUTATION_NEVER_RUNS, policy.document, ("spec", "mutations"), message, "let it match CREATE or UPDATE")
    certain = [_paths(part, certain=True) for part in parts]
    for index, part in enumerate(parts):
        own = _paths(part, certain=False)
        later = next((at_ for at_ in range(index + 1, len(parts)) if own and own <= certain[at_]), None)
        if later is not None:
            name = policy.mutations[later].name
            message = f"mutation '{policy.mutations[index].name}' sets what mutation '{name}' sets anew in any case"
            yield at(MUTATION_OVERWRITTEN, policy.document, part.text.path, message, "remove one of them")
    for index, mutation in enumerate(policy.mutations):
        said = mutation.warning[ENGLISH]
        if not said.text and said.expression is not None and said.expression.text.strip() in {"''", '""'}:
            path = ("spec", "mutations", index, "warningExpression")
            message = f"mutation '{mutation.name}' never tells the user what it changed"
            yield at(
                SILENT_MUTATION, policy.document, path, message, "say which field was set, and how to choose another"
            )


def _paths(part: Part, *, certain: bool) -> frozenset[str]:
    """The JSON pointers that a mutation sets: always, or at most; empty where that cannot be told."""
    found = _set_by(part.node, part.text.text, certain=certain)
    return frozenset(found) if found is not None else frozenset()


def _set_by(node: Node, text: str, *, certain: bool) -> set[str] | None:
    if node.kind is Kind.CONDITIONAL:
        branches = [_set_by(branch, text, certain=certain) for branch in node.children[1:]]
        known = [one for one in branches if one is not None]
        if len(known) < len(branches):
            return None
        return known[0] & known[1] if certain else known[0] | known[1]
    if node.kind is Kind.LIST:
        return _operations(node)
    return _leaves(node, text, "", certain=certain) if node.kind is Kind.MAP else None


def _operations(node: Node) -> set[str] | None:
    paths: set[str] = set()
    for item in node.children:
        entries = {_text(key): value for key, value in _entries(item)} if item.kind is Kind.MAP else {}
        operation, path = (_text(entries[name]) if name in entries else "" for name in ("op", "path"))
        if operation not in _SETS or not path:
            return None
        paths.add(path)
    return paths


def _leaves(node: Node, text: str, above: str, *, certain: bool) -> set[str] | None:
    if node.kind is not Kind.MAP:
        return {above}
    found: set[str] = set()
    for key, value in _entries(node):
        name = _text(key)
        below = _leaves(value, text, f"{above}/{name.replace('~', '~0').replace('/', '~1')}", certain=certain)
        if not name or below is None:
            return None
        if not (certain and _is_optional(key, text)):
            found |= below
    return found


def _is_optional(key: Node, text: str) -> bool:
    return text[: key.start].rstrip().endswith("?")


def _entries(node: Node) -> Iterator[tuple[Node, Node]]:
    return zip(node.children[::2], node.children[1::2], strict=True)


def _text(node: Node) -> str:
    found = literal(node.name) if node.kind is Kind.LITERAL else None
    return found if isinstance(found, str) else ""
