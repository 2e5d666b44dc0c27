"""Which fields of ``object``, ``oldObject`` and ``request`` the expressions of a policy read.

A record keeps just these of an object, and a replay must know whether what it needs was kept. So the answer errs on one
side only: it may name a field that is not read, never leave one out.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from webhook.model.objects import GroupVersionResource
from webhook.policy.cel import Expression
from webhook.policy.celsyntax import Kind, Node, SyntaxProblem, parse
from webhook.policy.compiled import CompiledPolicy, Needs
from webhook.policy.document import MatchResources

FieldPath: TypeAlias = tuple[str, ...]
"""Keys from the root on; :data:`ITEMS` steps into all items of a list, or to the keys of a mapping."""

ITEMS = "[]"
ROOTS = ("object", "oldObject", "request", "namespaceObject")
"""The native variables that are objects."""

_MENTIONED = re.compile(rf"\b(?:{'|'.join(ROOTS)})\b")
_OBJECTS = frozenset({"object", "oldObject"})
_NOTHING: frozenset[FieldPath] = frozenset()
_SHALLOW_CALLS = frozenset({"has", "type"})
_UNWRAPPING = frozenset({"value", "orValue", "or"})


@dataclass(frozen=True, slots=True)
class _Scope:
    """What the names in an expression stand for, as far as it matters here."""

    paths: Mapping[str, frozenset[FieldPath]]
    """Fields of the roots."""
    keys: Mapping[str, tuple[str, ...]]
    """One of these texts: the variable of a macro over a list of literals."""

    def binding(self, name: str, paths: frozenset[FieldPath], keys: tuple[str, ...] = ()) -> _Scope:
        return _Scope({**self.paths, name: paths}, {**self.keys, name: keys})

    def alternatives(self, node: Node) -> tuple[str, ...]:
        """The texts that a key may be; none where that cannot be told."""
        if node.kind is Kind.NAME:
            return self.keys.get(node.name, ())
        key = _literal(node)
        return () if key is None else (key,)


@dataclass(frozen=True, slots=True)
class FieldsRead:
    """Field paths from a root on (``object``, …), in two degrees."""

    whole: frozenset[FieldPath] = _NOTHING
    """The value and all below it."""
    present: frozenset[FieldPath] = _NOTHING
    """Only whether it is there, and of which type."""

    def __or__(self, other: FieldsRead) -> FieldsRead:
        return FieldsRead(self.whole | other.whole, self.present | other.present)

    @property
    def paths(self) -> tuple[FieldPath, ...]:
        """All of them, in order."""
        return tuple(sorted(self.whole | self.present))


def judging(policy: CompiledPolicy) -> tuple[Expression, ...]:
    """The expressions that decide in validation, besides the conditions: an annotation that fails is an error too."""
    return (*(one.expression for one in policy.validations), *(one for _, one in policy.audit_annotations))


def speaking(policy: CompiledPolicy) -> tuple[Expression, ...]:
    """The expressions that only say something: messages, remediations, warnings of mutations."""
    said = [text for one in policy.validations for text in (*one.message, *one.remediation)]
    said += [text for one in policy.mutations for text in one.warning]
    return tuple(one for one in said if isinstance(one, Expression))


def of_policy(policy: CompiledPolicy) -> FieldsRead:
    """What a policy reads in all that it says and does."""
    conditions = of_expressions((one for _, one in policy.conditions), policy.for_conditions)
    validations = of_expressions((*judging(policy), *speaking(policy)), policy.for_validations)
    mutations = of_expressions((*(one.expression for one in policy.mutations), *speaking(policy)), policy.for_mutations)
    return conditions | validations | mutations


def of_objects(policies: Iterable[CompiledPolicy]) -> Callable[[GroupVersionResource], FieldsRead]:
    """Return what says which fields policies read of an object of a resource, old or new: paths from the object on."""
    every = [(policy.document.match, of_policy(policy)) for policy in policies]

    def of_resource(resource: GroupVersionResource) -> FieldsRead:
        read = [one for match, one in every if _may_cover(match, resource)]
        whole = {path[1:] for one in read for path in one.whole if path[0] in _OBJECTS}
        present = {path[1:] for one in read for path in one.present if path[0] in _OBJECTS}
        if () in whole:  # an expression that goes through the object as a whole
            return FieldsRead(frozenset({("metadata",), ("spec",), ("status",)}))
        return FieldsRead(frozenset(whole), frozenset(present - {()}))

    return of_resource


def _may_cover(match: MatchResources, resource: GroupVersionResource) -> bool:
    return not match.rules or any(
        {"*", resource.group} & set(rule.groups)
        and any(pattern.partition("/")[0] in {"*", resource.resource} for pattern in rule.resources)
        for rule in match.rules
    )


def of_expressions(expressions: Iterable[Expression], needs: Needs) -> FieldsRead:
    """What these expressions read, through the variables among ``needs`` that they use."""
    variables = {one.name: one.expression for one in needs.variables}
    found = _Reader({name: expression.source.text for name, expression in variables.items()})
    for expression in expressions:
        found.read(expression.source.text)
    return FieldsRead(frozenset(found.whole), frozenset(found.present))


class _Reader:
    """Follows values from the roots through one or more expressions. What an expression *uses* of them is read."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self.whole: set[FieldPath] = set()
        self.present: set[FieldPath] = set()
        self._variables = variables
        self._known: dict[str, frozenset[FieldPath]] = {}

    def read(self, text: str) -> None:
        """Add what an expression reads whose value is used as a whole."""
        self._use(self._value(text))

    def _value(self, text: str) -> frozenset[FieldPath]:
        """The fields that the value of an expression may be; what it reads on the way is added."""
        if not _MENTIONED.search(text) and not any(self._behind(name) for name in self._named(text)):
            for name in self._named(text):
                self._variable(name)
            return _NOTHING
        try:
            tree = parse(text)
        except SyntaxProblem:  # the runtime took it: then it may read anything
            self.whole |= {(root,) for root in ROOTS}
            return _NOTHING
        return self._visit(tree, _Scope({root: frozenset({(root,)}) for root in ROOTS}, {}))

    def _named(self, text: str) -> Iterator[str]:
        return (name for name in self._variables if re.search(rf"\bvariables\s*\.\s*{name}\b", text))

    def _behind(self, name: str) -> bool:
        return bool(self._variable(name))

    def _variable(self, name: str) -> frozenset[FieldPath]:
        if name not in self._known:
            self._known[name] = _NOTHING  # variables see only those before them, so this is never met
            self._known[name] = self._value(self._variables[name])
        return self._known[name]

    def _use(self, paths: frozenset[FieldPath]) -> None:
        self.whole |= paths

    def _visit(self, node: Node, scope: _Scope) -> frozenset[FieldPath]:
        match node.kind:
            case Kind.NAME:
                return scope.paths.get(node.name, _NOTHING)
            case Kind.SELECT:
                return self._select(node, scope)
            case Kind.INDEX:
                return self._index(node, scope)
            case Kind.CONDITIONAL:
                self._use(self._visit(node.children[0], scope))
                return self._visit(node.children[1], scope) | self._visit(node.children[2], scope)
            case Kind.CALL:
                return self._call(node, scope)
            case Kind.METHOD:
                return self._method(node, scope)
            case Kind.RELATION:
                self._relation(node, scope)
            case _:
                self._use_all(node.children, scope)
        return _NOTHING

    def _use_all(self, nodes: Iterable[Node], scope: _Scope) -> None:
        for node in nodes:
            self._use(self._visit(node, scope))

    def _select(self, node: Node, scope: _Scope) -> frozenset[FieldPath]:
        owner = node.children[0]
        if owner.kind is Kind.NAME and owner.name == "variables" and "variables" not in scope.paths:
            return self._variable(node.name) if node.name in self._variables else _NOTHING
        return frozenset((*path, node.name) for path in self._visit(owner, scope))

    def _index(self, node: Node, scope: _Scope) -> frozenset[FieldPath]:
        paths = self._visit(node.children[0], scope)
        if keys := scope.alternatives(node.children[1]):
            return frozenset((*path, key) for path in paths for key in keys)
        self._use(self._visit(node.children[1], scope))
        self._use(paths)
        return _NOTHING

    def _call(self, node: Node, scope: _Scope) -> frozenset[FieldPath]:
        if node.name == "dyn" and len(node.children) == 1:
            return self._visit(node.children[0], scope)
        if node.name in _SHALLOW_CALLS and len(node.children) == 1:
            self.present |= self._visit(node.children[0], scope)
        else:
            self._use_all(node.children, scope)
        return _NOTHING

    def _method(self, node: Node, scope: _Scope) -> frozenset[FieldPath]:
        receiver, *arguments = node.children
        if node.binds:
            return self._macro(node, scope)
        paths = self._visit(receiver, scope)
        if node.name in _UNWRAPPING:
            return paths.union(*(self._visit(one, scope) for one in arguments))
        if node.name == "hasValue":
            self.present |= paths
        else:
            self._use(paths)
        self._use_all(arguments, scope)
        return _NOTHING

    def _macro(self, node: Node, scope: _Scope) -> frozenset[FieldPath]:
        receiver, *arguments = node.children
        if receiver.dotted == "cel":  # cel.bind(name, value, result)
            bound = self._visit(arguments[1], scope)
            return self._visit(arguments[2], scope.binding(node.binds[0], bound))
        paths = self._visit(receiver, scope)
        self.present |= paths
        if len(node.binds) > 1:  # the second one has the values, of a mapping too
            self._use(paths)
        each = paths if node.name.startswith("opt") else frozenset((*path, ITEMS) for path in paths)
        self.present |= each
        inner = scope.binding(node.binds[0], _NOTHING).binding(node.binds[-1], each, _texts(receiver))
        self._use_all(arguments[len(node.binds) :], inner)
        return paths if node.name == "filter" else _NOTHING

    def _relation(self, node: Node, scope: _Scope) -> None:
        left, right = node.children
        if node.name == "in" and (keys := scope.alternatives(left)):
            self.present |= {(*path, key) for path in self._visit(right, scope) for key in keys}
        elif node.name != "in" and any(one.kind is Kind.LITERAL and one.name == "null" for one in node.children):
            for side in node.children:
                self.present |= self._visit(side, scope)
        else:
            self._use_all(node.children, scope)


def _texts(node: Node) -> tuple[str, ...]:
    """The texts of a list of string literals; none where there is anything else in it."""
    found = [_literal(one) for one in node.children] if node.kind is Kind.LIST else []
    return tuple(one for one in found if one is not None) if None not in found else ()


def _literal(node: Node) -> str | None:
    """The value of a string literal; None for anything else, and for one that is not written plainly."""
    if node.kind is not Kind.LITERAL or node.name[:1] not in {"'", '"'}:
        return None
    try:
        found = ast.literal_eval(node.name)
    except (SyntaxError, ValueError):
        return None
    return found if isinstance(found, str) else None
