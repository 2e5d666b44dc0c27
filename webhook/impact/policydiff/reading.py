"""Which parts of a policy read a parameter or a variable, and so what a change of it does.

Both versions are laid out: variables put in where they are read, parameters as the values that they have. Then the
shapes are compared, under each binding that both versions have.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

from webhook.impact.policydiff import shape
from webhook.impact.policydiff.change import Effect, combined
from webhook.impact.policydiff.expression import direction
from webhook.impact.policydiff.shape import Form, normal
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.document import GuardPolicy, Text, Validation

Pair: TypeAlias = tuple[int | None, int | None]
"""Index of a validation before, and of the same one after; None where it is not there."""


@dataclass(frozen=True, slots=True)
class _Sided:
    """One version of a policy under one binding."""

    policy: GuardPolicy
    values: Mapping[str, Form]
    """Variables and parameters, by dotted name."""

    @classmethod
    def of(cls, compiled: CompiledPolicy) -> _Sided:
        values = {f"params.{name}": shape.literal(item) for name, item in compiled.params.items()}
        values["params"] = shape.literal(dict(compiled.params))
        for variable in compiled.document.variables:  # each sees those before it
            found = shape.form(variable.expression.text)
            if found is not None:
                values[f"variables.{variable.name}"] = shape.filled(found, values)
        return cls(compiled.document, values)

    def laid_out(self, text: str) -> Form | None:
        found = shape.form(text)
        return None if found is None else shape.filled(found, self.values)


def _direction(old: _Sided, new: _Sided, before: str, after: str) -> Effect:
    """What follows without laying out holds whatever the names stand for, if they stand for the same on both sides."""
    found = direction(shape.form(before), shape.form(after)) if old.values == new.values else Effect.CHANGED
    return direction(old.laid_out(before), new.laid_out(after)) if found is Effect.CHANGED else found


@dataclass(frozen=True, slots=True)
class _Part:
    """One part of a policy that decides: what it reads in either version, and what became of it."""

    reads: frozenset[str]
    effect: Effect


@dataclass(frozen=True, slots=True)
class Reading:
    """Two versions of a policy, laid out."""

    sides: tuple[tuple[_Sided, _Sided], ...]
    parts: tuple[_Part, ...] = ()

    @classmethod
    def of(cls, versions: Sequence[tuple[CompiledPolicy, CompiledPolicy]]) -> Reading:
        """Lay out the versions under each binding that both have."""
        plain = cls(tuple((_Sided.of(old), _Sided.of(new)) for old, new in versions))
        if not versions:
            return plain
        return cls(plain.sides, tuple(plain._parts(versions[0][0].document, versions[0][1].document)))

    def direction(self, before: str, after: str) -> Effect:
        """Say what became of a condition of the policy, under all bindings together."""
        if not self.sides:
            return direction(shape.form(before), shape.form(after))
        return combined(_direction(old, new, before, after) for old, new in self.sides)

    def effect_of_param(self, name: str) -> Effect:
        """What a change of a parameter comes to, with all else that changed; WORDING if only messages read it."""
        return self._effect_of(f"params.{name}")

    def effect_of_variable(self, name: str) -> Effect:
        """The same of a variable."""
        return self._effect_of(f"variables.{name}")

    def _effect_of(self, name: str) -> Effect:
        return combined(part.effect for part in self.parts if {name, name.partition(".")[0]} & part.reads)

    def pairs(self, before: Sequence[Validation], after: Sequence[Validation]) -> list[Pair]:
        """Return which validation became which: those that are the same first, then by what they say, then in order."""
        found: list[tuple[int, int]] = []
        left, right = list(range(len(before))), list(range(len(after)))
        for alike in (_same_expression, _same_words, _same_field):
            for old in list(left):
                new = next((one for one in right if alike(before[old], after[one])), None)
                if new is not None:
                    found.append((old, new))
                    left.remove(old)
                    right.remove(new)
        together = min(len(left), len(right))
        found += zip(left, right, strict=False)
        alone: list[Pair] = [(old, None) for old in left[together:]]
        alone += [(None, new) for new in right[together:]]
        return sorted([*found, *alone], key=lambda pair: (max(-1 if one is None else one for one in pair), str(pair)))

    def _parts(self, old: GuardPolicy, new: GuardPolicy) -> Iterator[_Part]:
        for one, other in self.pairs(old.validations, new.validations):
            if one is not None and other is not None:
                yield self._part(old.validations[one].expression, new.validations[other].expression)
        after = {condition.name: condition.expression for condition in new.conditions}
        for condition in old.conditions:
            if condition.name in after:
                part = self._part(condition.expression, after[condition.name])
                yield _Part(part.reads, part.effect.inverse)
        for policy in (old, new):
            for text in _doing(policy):
                yield _Part(self._reads(text), Effect.CHANGED)

    def _part(self, before: Text, after: Text) -> _Part:
        reads = self._reads(before) | self._reads(after)
        return _Part(reads, self.direction(before.text, after.text))

    def _reads(self, text: Text) -> frozenset[str]:
        """The variables and parameters that an expression reads, through variables too."""
        return frozenset(_read_by(text.text, [side.policy for pair in self.sides for side in pair]))


def _read_by(text: str, policies: Iterable[GuardPolicy]) -> set[str]:
    bodies: dict[str, set[str]] = {}
    for policy in policies:
        for variable in policy.variables:
            bodies.setdefault(f"variables.{variable.name}", set()).update(_names(variable.expression.text))
    found, waiting = set[str](), _names(text)
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting |= bodies.get(name, set())
    return found


def _names(text: str) -> set[str]:
    """``params.NAME`` and ``variables.NAME`` in an expression; ``params`` where it is read in another way."""
    found = shape.form(text)
    names = (name.split(".")[:2] for name in shape.names_in(found)) if found is not None else ()
    return {".".join(name) for name in names if name[0] in {"params", "variables"}}


def _doing(policy: GuardPolicy) -> Iterator[Text]:
    """What does something rather than hold or not."""
    yield from (mutation.expression for mutation in policy.mutations)
    yield from (annotation.expression for annotation in policy.audit_annotations)


def _same_expression(one: Validation, other: Validation) -> bool:
    return normal(one.expression.text) == normal(other.expression.text)


def _same_words(one: Validation, other: Validation) -> bool:
    words = [(said.text, said.expression.text if said.expression else "") for said in one.message.values()]
    others = [(said.text, said.expression.text if said.expression else "") for said in other.message.values()]
    return words == others and words != [("", "")]


def _same_field(one: Validation, other: Validation) -> bool:
    return bool(one.field) and one.field == other.field
