"""The expressions of one policy as trees, each with the part it plays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import Enum

from webhook.authoring.lint.shapes import Shape, shapes_of
from webhook.policy.celsyntax import Kind, Node, SyntaxProblem, parse
from webhook.policy.document import GuardPolicy, Text, Wordings


class Role(Enum):
    """What an expression is for."""

    CONDITION = "match condition"
    VARIABLE = "variable"
    VALIDATION = "validation"
    MESSAGE = "message"
    """What is said of a validation."""
    MUTATION = "mutation"
    WARNING = "warning"
    """What is said of a mutation."""
    ANNOTATION = "audit annotation"


@dataclass(frozen=True, slots=True)
class Part:
    """One expression."""

    role: Role
    name: str
    """Its name, or its index."""
    text: Text = field(repr=False)
    node: Node = field(repr=False)

    def __str__(self) -> str:
        return f"{self.role.value} {self.name}"


@dataclass(frozen=True, slots=True)
class Expressions:
    """All expressions of a policy that compiles."""

    policy: GuardPolicy
    parts: tuple[Part, ...]
    shapes: tuple[Shape, ...]
    """What the policy matches."""

    def of(self, *roles: Role) -> tuple[Part, ...]:
        """Those of these roles, in the order of the document."""
        return tuple(part for part in self.parts if part.role in roles)

    @property
    def variables(self) -> Mapping[str, Part]:
        """The variables by name."""
        return {part.name: part for part in self.of(Role.VARIABLE)}

    def names_behind(self, node: Node) -> frozenset[str]:
        """The names in a tree, and in the variables that it reads."""
        found, waiting = set(names_in(node)), variables_in(node)
        seen: set[str] = set()
        while waiting:
            seen |= waiting
            nodes = [self.variables[name].node for name in waiting & self.variables.keys()]
            found |= {name for one in nodes for name in names_in(one)}
            waiting = frozenset(name for one in nodes for name in variables_in(one)) - seen
        return frozenset(found)


def expressions_of(policy: GuardPolicy) -> Expressions | None:
    """Read the expressions of a policy; None if one of them has a form that is not known here."""
    try:
        parts = tuple(Part(role, name, text, parse(text.text)) for role, name, text in _texts(policy))
    except SyntaxProblem:
        return None
    by_origin = any("requester.origin" in names_in(part.node) for part in parts)
    return Expressions(policy, parts, shapes_of(policy, by_origin=by_origin))


def _texts(policy: GuardPolicy) -> Iterator[tuple[Role, str, Text]]:
    yield from ((Role.CONDITION, one.name, one.expression) for one in policy.conditions)
    yield from ((Role.VARIABLE, one.name, one.expression) for one in policy.variables)
    for index, validation in enumerate(policy.validations):
        yield Role.VALIDATION, str(index), validation.expression
        for wordings in (validation.message, validation.remediation):
            yield from ((Role.MESSAGE, str(index), text) for text in _said(wordings))
    for index, mutation in enumerate(policy.mutations):
        yield Role.MUTATION, str(index), mutation.expression
        yield from ((Role.WARNING, str(index), text) for text in _said(mutation.warning))
    yield from ((Role.ANNOTATION, one.name, one.expression) for one in policy.audit_annotations)


def _said(wordings: Wordings) -> Iterator[Text]:
    return (one.expression for one in wordings.values() if one.expression is not None)


def names_in(node: Node) -> frozenset[str]:
    """Every name and chain of fields in a tree: of ``a.b.c`` that is ``a``, ``a.b`` and ``a.b.c``."""
    return frozenset(one.dotted for one in node.walk() if one.kind in {Kind.NAME, Kind.SELECT} and one.dotted)


def variables_in(node: Node) -> frozenset[str]:
    """The variables that a tree names."""
    prefix = "variables."
    return frozenset(name.removeprefix(prefix).partition(".")[0] for name in names_in(node) if name.startswith(prefix))
