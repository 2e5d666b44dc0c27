"""Natives and facts that are read where there are none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from webhook.authoring.lint.expressions import Expressions, Part, Role
from webhook.authoring.lint.formula import impossible, negate
from webhook.authoring.lint.found import Found, within
from webhook.authoring.lint.meaning import Meaning
from webhook.authoring.lint.rule import error, warning
from webhook.authoring.lint.shapes import Shape, in_scope, presence
from webhook.model.decision import FailurePolicy
from webhook.model.facts import FactCatalog, Scope
from webhook.model.request import Operation
from webhook.policy.celsyntax import Kind, Node

FACT_OUT_OF_PLACE = error(
    "fact-out-of-place",
    "A fact says nothing here",
    "The fact is about other kinds of objects or other operations than those for which the expression is evaluated: it "
    "is always empty or the default.",
    bad="config.after.allowPostCopy, for roles",
    good="a fact about what the policy matches",
)
NATIVE_OUT_OF_PLACE = error(
    "native-out-of-place",
    "There is no such object in these requests",
    "object is null on DELETE, oldObject on CREATE, namespaceObject for cluster-scoped objects. Reading a field of "
    "null, or looking for one in it, is an error, which failurePolicy decides about.",
    bad="object.spec.running, where only DELETE matches",
    good="oldObject.spec.running",
)
NATIVE_SOMETIMES_ABSENT = warning(
    "native-sometimes-absent",
    "For some requests there is no such object",
    "As native-out-of-place, for some of the requests that the policy matches: with failurePolicy Fail those are "
    "refused.",
    bad="object.spec.running, for UPDATE and DELETE",
    good="request.operation == 'DELETE' || object.spec.running",
)

RULES = (
    FACT_OUT_OF_PLACE,
    NATIVE_OUT_OF_PLACE,
    NATIVE_SOMETIMES_ABSENT,
)


_WHY = {
    "object": "on DELETE there is no object after the write",
    "oldObject": "on CREATE there is no object before the write",
    "namespaceObject": "a cluster-scoped object has no namespace",
}
_INSTEAD = {
    "object": "read oldObject there, or ask for request.operation first",
    "oldObject": "read object there, or ask for request.operation first",
    "namespaceObject": "ask for namespaceObject != null first",
}
_TELLING = frozenset({*_WHY, "request", "request.operation", "request.options"})
"""What tells, itself or by its value, whether there is an object."""
_DEREFERENCING = frozenset({Kind.SELECT, Kind.INDEX})
_FIELDS_ONLY = {Kind.SELECT: {*_WHY, "request"}, Kind.INDEX: set(_WHY)}
"""Of what a part is read, and not the whole; an index of the request may be anything."""
_TEXTS = frozenset({Role.MESSAGE, Role.WARNING})
_CHANGES = frozenset({Role.MUTATION, Role.WARNING})
Scopes = Mapping[str, tuple[Scope, ...]]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where something is read."""

    part: Part
    offset: int
    name: str


@dataclass(slots=True)
class _Reads:
    """For which shapes each place is come to, and for which of them there is something."""

    there: dict[_Place, list[Shape]] = field(default_factory=dict)
    absent: dict[_Place, list[Shape]] = field(default_factory=dict)

    def note(self, place: _Place, shape: Shape, *, there: bool) -> None:
        (self.there if there else self.absent).setdefault(place, []).append(shape)


def check(expressions: Expressions, scopes: Scopes, catalog: FactCatalog) -> Iterator[Found]:
    """Find what is read of null, and facts that say nothing about what the policy matches."""
    reads = _Reads()
    for shape in expressions.shapes:
        meaning = Meaning(expressions, shape)
        if not any(impossible(meaning.formula(one.node)) for one in expressions.of(Role.CONDITION)):
            _Walk(expressions, meaning, scopes, reads).all()
    for place, shapes in reads.absent.items():
        always = place not in reads.there
        if place.name in _WHY:
            yield _null(expressions, place, shapes, always=always)
        elif always:
            message = f"{place.name} says nothing about {_listed(shapes)}: it is empty or the default there"
            hint = f"it is: {catalog[place.name].summary}"
            yield within(FACT_OUT_OF_PLACE, place.part.text, place.offset, message, hint)


def _null(expressions: Expressions, place: _Place, shapes: list[Shape], *, always: bool) -> Found:
    text, offset, name = place.part.text, place.offset, place.name
    if always:
        message = f"{name} is null here: {_WHY[name]}, and reading a field of null is an error"
        return within(NATIVE_OUT_OF_PLACE, text, offset, message, _INSTEAD[name])
    outcome = _outcome(expressions, place.part)
    message = f"{name} is null for {_listed(shapes)}: reading a field of it is an error there, {outcome}"
    return within(NATIVE_SOMETIMES_ABSENT, text, offset, message, _INSTEAD[name])


def _outcome(expressions: Expressions, part: Part) -> str:
    if part.role in _TEXTS:
        return "and the text is left out"
    refused = expressions.policy.failure_policy is FailurePolicy.FAIL
    return "which failurePolicy Fail refuses" if refused else "which failurePolicy Ignore lets pass unjudged"


def _listed(shapes: list[Shape], limit: int = 3) -> str:
    texts = list(dict.fromkeys(map(str, shapes)))
    return ", ".join(texts[:limit]) + (", …" if len(texts) > limit else "")


@dataclass(slots=True)
class _Walk:
    """Goes through the expressions as they are evaluated for one shape."""

    expressions: Expressions
    meaning: Meaning
    scopes: Scopes
    reads: _Reads
    _seen: set[str] = field(default_factory=set)
    _guarded: bool = False
    """A fact that says nothing for this shape, or a test whose outcome is not known here, may keep what is read from
    being come to."""

    def all(self) -> None:
        conditions = self.expressions.of(Role.CONDITION)
        guarded = any(self._is_vacuous(one.node) for one in conditions)
        for part in self.expressions.parts:
            if self._is_evaluated(part):
                before = [one for one in conditions if one is not part] + self._judged(part)
                self._guarded = guarded or any(self._may_guard(one.node, frozenset()) for one in before)
                self.node(part.node, part, frozenset())

    def _judged(self, part: Part) -> list[Part]:
        """What a text is about: it is only made where that is violated, or has changed something."""
        about = {Role.MESSAGE: Role.VALIDATION, Role.WARNING: Role.MUTATION}.get(part.role)
        return [one for one in self.expressions.parts if one.role is about and one.name == part.name]

    def _is_evaluated(self, part: Part) -> bool:
        """Variables only where they are read, messages only of what is violated, mutations only of what is there."""
        if part.role in _CHANGES:
            return self.meaning.shape.operation is not Operation.DELETE
        if part.role is not Role.MESSAGE:
            return part.role is not Role.VARIABLE
        judged = next(one for one in self.expressions.of(Role.VALIDATION) if one.name == part.name)
        return not impossible(negate(self.meaning.formula(judged.node)))

    def node(self, node: Node, part: Part, bound: frozenset[str]) -> None:
        if node.kind in {Kind.OR, Kind.AND, Kind.CONDITIONAL}:
            before, self._guarded = self._guarded, self._guarded or self._is_vacuous(node)
            descend = self._conditional if node.kind is Kind.CONDITIONAL else self._operands
            descend(node, part, bound)
            self._guarded = before
        else:
            if node.kind in {Kind.NAME, Kind.SELECT}:
                self._named(node, part, bound)
            self._below(node, part, bound)

    def _operands(self, node: Node, part: Part, bound: frozenset[str]) -> None:
        """An operand that decides makes errors of the others void, and one that cannot be told may decide.

        Source: CEL language definition, "Logical Operators".
        """
        decisive = node.kind is Kind.OR
        names = dict.fromkeys(bound, "")
        if any(self.meaning.formula(child, names).constant is decisive for child in node.children):
            return
        guards = [child for child in node.children if self._may_guard(child, bound)]
        for child in node.children:
            self._under(any(one is not child for one in guards), child, part, bound)

    def _conditional(self, node: Node, part: Part, bound: frozenset[str]) -> None:
        test, yes, no = node.children
        outcome = self.meaning.formula(test, dict.fromkeys(bound, "")).constant
        branches = (yes, no) if outcome is None else (yes,) if outcome else (no,)
        self.node(test, part, bound)
        for child in branches:
            self._under(self._may_guard(test, bound), child, part, bound)

    def _under(self, guarded: bool, node: Node, part: Part, bound: frozenset[str]) -> None:
        before, self._guarded = self._guarded, self._guarded or guarded
        self.node(node, part, bound)
        self._guarded = before

    def _may_guard(self, node: Node, bound: frozenset[str]) -> bool:
        """Say whether a test may find out, in a way that is not understood here, that there is no such object."""
        outcome = self.meaning.formula(node, dict.fromkeys(bound, "")).constant
        return outcome is None and self._asks(node, bound)

    def _asks(self, node: Node, bound: frozenset[str]) -> bool:
        """Say whether a tree looks at the operation, or at an object as a whole rather than at a field of it."""
        if node.dotted in _TELLING:
            return node.dotted.partition(".")[0] not in bound
        variable = self.expressions.variables.get(node.name) if node.kind is Kind.SELECT else None
        if variable is not None and node.children[0].dotted == "variables":
            return self._asks(variable.node, frozenset())
        inner = bound | set(node.binds)
        return any(
            self._asks(child, inner if index else bound)
            for index, child in enumerate(node.children)
            if not (index == 0 and child.kind is Kind.NAME and child.name in _FIELDS_ONLY.get(node.kind, ()))
        )

    def _below(self, node: Node, part: Part, bound: frozenset[str]) -> None:
        inner = bound | set(node.binds)
        looked_into = _looked_into(node)
        for index, child in enumerate(node.children):
            if index == looked_into:
                self._dereferenced(_undone(child), part, bound)
            self.node(child, part, inner if index else bound)

    def _dereferenced(self, child: Node, part: Part, bound: frozenset[str]) -> None:
        if child.kind is Kind.NAME and child.name in _WHY and child.name not in bound:
            there = presence(self.meaning.shape).get(child.name)
            place = _Place(part, child.start, child.name)
            self.reads.note(place, self.meaning.shape, there=there is not False or self._guarded)

    def _is_vacuous(self, node: Node) -> bool:
        """Say whether a fact in a tree says nothing about this shape, but something about others that are matched."""
        scopes = [self.scopes[name] for name in self.expressions.names_behind(node) if name in self.scopes]
        return any(
            not in_scope(one, self.meaning.shape) and any(in_scope(one, other) for other in self.expressions.shapes)
            for one in scopes
        )

    def _named(self, node: Node, part: Part, bound: frozenset[str]) -> None:
        name = node.dotted
        if not name or name.partition(".")[0] in bound:
            return
        if name in self.scopes:
            place = _Place(part, node.start, name)
            there = in_scope(self.scopes[name], self.meaning.shape)
            self.reads.note(place, self.meaning.shape, there=there)
        variable = self.expressions.variables.get(name.removeprefix("variables.")) if "." in name else None
        if name.startswith("variables.") and variable is not None and name not in self._seen:
            self._seen.add(name)
            self.node(variable.node, variable, frozenset())


def _looked_into(node: Node) -> int | None:
    """The operand that must not be null: whose field or item is read, what a macro walks, what ``in`` looks through."""
    if node.kind in _DEREFERENCING or (node.kind is Kind.METHOD and node.binds):
        return 0
    return 1 if node.kind is Kind.RELATION and node.name == "in" else None


def _undone(node: Node) -> Node:
    """What stands in ``dyn()``."""
    return _undone(node.children[0]) if node.kind is Kind.CALL and node.name == "dyn" else node
