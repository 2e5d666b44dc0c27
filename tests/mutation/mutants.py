"""The mutants of a policy document: one change of one of its expressions, or one of its parts left out."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tests.mutation.operators import Change, changes
from webhook.model.objects import mapping, mappings, strings
from webhook.policy import reading
from webhook.policy.document import GuardPolicy, Text, Wordings
from webhook.source.files import Document
from webhook.source.parsed import FilePath

_ABSENT = object()


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutant:
    """One change of a policy."""

    policy: str
    place: str
    """Which part of the document, such as ``validations[0].expression``."""
    what: str
    wanted: str
    """The kind of case that would notice."""
    where: str = field(compare=False)
    """``file:line:column``."""
    path: FilePath
    value: Any = _ABSENT
    """What stands at ``path`` instead; absent: nothing."""

    @property
    def name(self) -> str:
        """The name by which it can be declared equivalent; lines may move."""
        return f"{self.policy} {self.place}: {self.what}"

    @property
    def shown(self) -> str:
        """What the changed part is now."""
        return " ".join(self.value.split()) if isinstance(self.value, str) and self.value else ""

    def applied(self, document: Document) -> GuardPolicy:
        """Return the policy with this change."""
        changed = copy.deepcopy(document.value)
        node: Any = changed
        for key in self.path[:-1]:
            node = node[key]
        if self.value is _ABSENT:
            del node[self.path[-1]]
        else:
            node[self.path[-1]] = self.value
        return reading.policy(Document(document.file, changed, document.text, document.positions))


def mutants_of(policy: GuardPolicy) -> tuple[Mutant, ...]:
    """Return the mutants of a policy, in a stable order, with distinct names."""
    found = [*_match(policy), *_conditions(policy), *_variables(policy), *_validations(policy)]
    found += [*_mutations(policy), *_annotations(policy)]
    seen: Counter[str] = Counter()
    return tuple(_numbered(one, seen) for one in found)


def _numbered(mutant: Mutant, seen: Counter[str]) -> Mutant:
    seen[mutant.name] += 1
    number = seen[mutant.name]
    return mutant if number == 1 else replace(mutant, what=f"{mutant.what} #{number}")


def _match(policy: GuardPolicy) -> Iterator[Mutant]:
    constraints = ("spec", "matchConstraints")
    value_at = policy.document.value_at
    for key in ("resourceRules", "excludeResourceRules"):
        rules = mappings(value_at(constraints), key)
        for index, rule in enumerate(rules):
            path: FilePath = (*constraints, key, index)
            place = f"matchConstraints.{key}[{index}]"
            for name in ("resources", "operations"):
                wanted = "a case of {} that the policy must not leave alone"
                yield from _shorter(policy, (*path, name), f"{place}.{name}", strings(rule, name), wanted)
            if key == "excludeResourceRules" or (len(rules) > 1 and len(strings(rule, "operations")) == 1):
                yield _mutant(policy, path, place, "drop the rule", "a case that only this rule covers")
    for name in ("namespaceSelector", "objectSelector"):
        if name in mapping(value_at(constraints)):
            yield _mutant(policy, (*constraints, name), f"matchConstraints.{name}", "drop it", "a case it leaves out")
    origins = strings(value_at(("spec",)), "origins")
    yield from _shorter(policy, ("spec", "origins"), "origins", origins, "a case of origin {} that must be found")
    if origins:
        wanted = f"a case of another origin than {', '.join(origins)} that is left alone"
        yield _mutant(policy, ("spec", "origins"), "origins", "drop all, so that every origin is judged", wanted)


def _shorter(policy: GuardPolicy, path: FilePath, place: str, names: Sequence[str], wanted: str) -> Iterator[Mutant]:
    """Leave out one name of a list that holds others."""
    for name in names if len(names) > 1 else ():
        rest = [one for one in names if one != name]
        mutant = _mutant(policy, path, place, f"drop {name}", wanted.format(name), rest)
        yield replace(mutant, where=policy.document.where((*path, list(names).index(name))))


def _conditions(policy: GuardPolicy) -> Iterator[Mutant]:
    for index, condition in enumerate(policy.conditions):
        place = f"matchConditions.{condition.name}"
        wanted = "a case that does not meet the condition and is left alone"
        yield _mutant(policy, ("spec", "matchConditions", index), place, "drop the condition", wanted)
        yield from _expression(policy, condition.expression, place, boolean=True)


def _variables(policy: GuardPolicy) -> Iterator[Mutant]:
    for variable in policy.variables:
        yield from _expression(policy, variable.expression, f"variables.{variable.name}")


def _validations(policy: GuardPolicy) -> Iterator[Mutant]:
    for index, validation in enumerate(policy.validations):
        path: FilePath = ("spec", "validations", index)
        place = f"validations[{index}]"
        yield _mutant(policy, path, place, "drop the validation", "a case that fails it")
        yield from _expression(policy, validation.expression, f"{place}.expression", boolean=True)
        yield from _wordings(policy, path, place, "message", validation.message)
        yield from _wordings(policy, path, place, "remediation", validation.remediation)


def _mutations(policy: GuardPolicy) -> Iterator[Mutant]:
    for index, mutation in enumerate(policy.mutations):
        path: FilePath = ("spec", "mutations", index)
        place = f"mutations.{mutation.name}"
        yield _mutant(policy, path, place, "drop the mutation", "a case that checks the patch")
        yield from _expression(policy, mutation.expression, f"{place}.expression")
        yield from _wordings(policy, path, place, "warning", mutation.warning)


def _annotations(policy: GuardPolicy) -> Iterator[Mutant]:
    for index, annotation in enumerate(policy.audit_annotations):
        place = f"auditAnnotations.{annotation.name}"
        wanted = f"a case that expects the audit annotation {policy.name}.{annotation.name}"
        yield _mutant(policy, ("spec", "auditAnnotations", index), place, "drop the annotation", wanted)
        yield from _expression(policy, annotation.expression, place)


def _wordings(policy: GuardPolicy, path: FilePath, place: str, name: str, wordings: Wordings) -> Iterator[Mutant]:
    """Say nothing instead of each text, in each language, and change the expressions that make them."""
    for language in wordings:
        at: FilePath = (*path, *(() if language == "en" else ("translations", language)))
        prefix = place if language == "en" else f"{place}.{language}"
        for field_name, empty in ((name, ""), (f"{name}Expression", "''")):
            if policy.document.value_at((*at, field_name)):
                wanted = f"a case that expects a part of this {name}"
                yield _mutant(policy, (*at, field_name), f"{prefix}.{field_name}", "say nothing", wanted, empty)
        expression = wordings[language].expression
        if expression:
            yield from _expression(policy, expression, f"{prefix}.{name}Expression")


def _expression(policy: GuardPolicy, text: Text, place: str, *, boolean: bool = False) -> Iterator[Mutant]:
    for change in changes(text.text, boolean=boolean):
        yield _changed(policy, text, place, change)


def _changed(policy: GuardPolicy, text: Text, place: str, change: Change) -> Mutant:
    return Mutant(
        policy=policy.name,
        place=place,
        what=change.what,
        wanted=change.wanted,
        where=text.document.where_in_text(text.path, change.offset),
        path=text.path,
        value=change.text,
    )


def _mutant(policy: GuardPolicy, path: FilePath, place: str, what: str, wanted: str, value: Any = _ABSENT) -> Mutant:
    where: Callable[[FilePath], str] = policy.document.where
    return Mutant(policy=policy.name, place=place, what=what, wanted=wanted, where=where(path), path=path, value=value)
