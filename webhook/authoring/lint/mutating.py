"""Mutations that are undone, have nothing to change, or are silent."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator, Mapping

from webhook.authoring.lint.expressions import Expressions, Part, Role
from webhook.authoring.lint.found import Found, at, within
from webhook.authoring.lint.meaning import OPEN, literal
from webhook.authoring.lint.rule import error, warning
from webhook.model.request import Operation
from webhook.policy.celsyntax import Kind, Node
from webhook.policy.document import ENGLISH
from webhook.policy.mutate import IDENTITY, OPERATIONS

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
BAD_PATCH = error(
    "bad-patch",
    "An operation of a JSON Patch is refused",
    "It is none of add, replace, test, remove, copy and move, has not just the members that it needs, a path that does "
    "not begin with /, or changes what makes the object that object. The mutation fails whenever it comes to it.",
    bad="[{'op': 'set', 'path': 'spec/running', 'value': true}]",
    good="[{'op': 'add', 'path': '/spec/running', 'value': true}]",
)
SILENT_MUTATION = warning(
    "silent-mutation",
    "A mutation says nothing",
    "Its warning is always empty: the user does not learn that the object was changed.",
)

RULES = (
    MUTATION_OVERWRITTEN,
    MUTATION_NEVER_RUNS,
    BAD_PATCH,
    SILENT_MUTATION,
)


_UNCHANGED = ("requester.", "time.")
"""Facts that no change of the object changes; all others may: each mutation sees what those before it have set."""
_INTO_LIST = re.compile(r"/(-|[0-9]+)(/|$)")
"""What stands there is another item after each operation. Source: RFC 6902 section 4.1."""
_WHOLE = frozenset({Kind.LITERAL, Kind.LIST, Kind.ARITHMETIC, Kind.RELATION, Kind.OR, Kind.AND, Kind.NOT})
"""What is no map, which would be merged with the one that is there."""


def check(expressions: Expressions, facts: Collection[str]) -> Iterator[Found]:
    """Judge the mutations of a policy; ``facts`` are the names of all there are."""
    policy, parts = expressions.policy, expressions.of(Role.MUTATION)
    operations = {shape.operation for shape in expressions.shapes}
    if parts and operations == {Operation.DELETE}:
        message = "the policy matches nothing but DELETE, and there nothing can be changed"
        yield at(MUTATION_NEVER_RUNS, policy.document, ("spec", "mutations"), message, "let it match CREATE or UPDATE")
    for part in parts:
        if policy.mutations[int(part.name)].json_patch:
            yield from _operations_of(part, part.node)
    yield from _overwritten(expressions, frozenset(one for one in facts if not one.startswith(_UNCHANGED)))
    for index, mutation in enumerate(policy.mutations):
        said = mutation.warning[ENGLISH]
        if not said.text and said.expression is not None and said.expression.text.strip() in {"''", '""'}:
            path = ("spec", "mutations", index, "warningExpression")
            message = f"mutation '{mutation.name}' never tells the user what it changed"
            yield at(
                SILENT_MUTATION, policy.document, path, message, "say which field was set, and how to choose another"
            )


def _operations_of(part: Part, node: Node) -> Iterator[Found]:
    """Find operations that no object takes, in what a mutation may give."""
    if node.kind is Kind.CONDITIONAL:
        for branch in node.children[1:]:
            yield from _operations_of(part, branch)
    elif node.kind is Kind.LIST or (node.kind is Kind.ARITHMETIC and node.name == "+"):
        for child in node.children:
            yield from _operations_of(part, child)
    elif node.kind is Kind.METHOD and node.name == "map" and node.binds:
        yield from _operations_of(part, node.children[-1])
    elif node.kind is Kind.MAP and (problem := _refusal(node, part.text.text)):
        hint = "see RFC 6902: {'op': 'add', 'path': '/spec/running', 'value': true}"
        yield within(BAD_PATCH, part.text, node.start, problem, hint)


def _refusal(node: Node, text: str) -> str:
    """Why an operation is refused whatever its variable parts are; empty if it need not be."""
    entries = {_text(key): value for key, value in _entries(node)}
    operation = entries.get("op")
    is_computed = operation is not None and operation.kind is not Kind.LITERAL
    if is_computed or "" in entries or any(_is_optional(key, text) for key, _ in _entries(node)):
        return ""
    name = _text(operation) if operation is not None else ""
    if name not in OPERATIONS:
        return f"'{name}' is no operation: it is one of {', '.join(OPERATIONS)}"
    needed = OPERATIONS[name] | {"op"}
    if entries.keys() != needed:
        return f"'{name}' needs exactly {', '.join(sorted(needed))}"
    return _refused_path(name, {field: _text(value) for field, value in entries.items() if _is_literal(value)})


def _refused_path(operation: str, written: Mapping[str, str]) -> str:
    for field in ("path", "from"):
        path = written.get(field, "/")
        if not path.startswith("/"):
            return f"{field} '{path}' does not begin with /"
        changes = operation == "move" or (field == "path" and operation != "test")
        if changes and path in IDENTITY:
            return f"a mutation may not change {path}"
    return ""


def _is_literal(node: Node) -> bool:
    return node.kind is Kind.LITERAL and literal(node.name) is not OPEN


def _overwritten(expressions: Expressions, facts: frozenset[str]) -> Iterator[Found]:
    """Find mutations of which nothing is left, and which no other has read in between."""
    policy, parts = expressions.policy, expressions.of(Role.MUTATION)
    for index, part in enumerate(parts):
        own = _paths(part, certain=False)
        for later in range(index + 1, len(parts)):
            if expressions.names_behind(parts[later].node) & {"object", *facts}:
                break
            if own and own <= _paths(parts[later], certain=True):
                name, other = policy.mutations[index].name, policy.mutations[later].name
                message = f"mutation '{name}' sets what mutation '{other}' sets anew in any case"
                yield at(MUTATION_OVERWRITTEN, policy.document, part.text.path, message, "make one mutation of them")
                break


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
        return _operations(node, certain=certain)
    return _leaves(node, text, "", certain=certain) if node.kind is Kind.MAP else None


def _operations(node: Node, *, certain: bool) -> set[str] | None:
    """A replacement needs what is there, perhaps because an earlier mutation has set it: it is not certain."""
    paths: set[str] = set()
    for item in node.children:
        entries = {_text(key): value for key, value in _entries(item)} if item.kind is Kind.MAP else {}
        operation, path = (_text(entries[name]) if name in entries else "" for name in ("op", "path"))
        if not path or _INTO_LIST.search(path) or operation not in ({"add"} if certain else {"add", "replace"}):
            return None
        paths.add(path)
    return paths


def _leaves(node: Node, text: str, above: str, *, certain: bool) -> set[str] | None:
    if node.kind is not Kind.MAP:
        return set() if certain and node.kind not in _WHOLE else {above}
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
