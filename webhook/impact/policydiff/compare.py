"""What differs between two policy sets in what they decide, not in how they are written."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import TypeVar

from webhook.errors import PolicyError
from webhook.impact.policydiff import binding as policydiffbinding
from webhook.impact.policydiff import exemption as policydiffexemption
from webhook.impact.policydiff import policy as policydiffpolicy
from webhook.impact.policydiff.binding import Bound, alone_effect, binding_differences
from webhook.impact.policydiff.change import ORDER, Change, Difference, Effect, combined
from webhook.impact.policydiff.exemption import exemption_differences
from webhook.impact.policydiff.parameters import parameter_differences
from webhook.impact.policydiff.policy import policy_differences
from webhook.impact.policydiff.version import Applied, version_pairs
from webhook.model.facts import FactCatalog
from webhook.policy import loader
from webhook.policy.compiled import compile_policies
from webhook.policy.document import Documents, Exemption
from webhook.source.files import Document

_KINDS = ("GuardPolicy", "GuardPolicyBinding", "Exemption", "Parameters")
_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """One of the two policy sets."""

    name: str
    """As people called it: a directory, or ``REV:PATH``."""
    documents: Documents
    policies: Mapping[str, Applied]
    bindings: Mapping[str, Bound]
    now: datetime

    @property
    def exemptions(self) -> Mapping[str, Exemption]:
        """By name."""
        return {one.name: one for one in self.documents.exemptions}

    @property
    def revision(self) -> str:
        """As the revision of a policy set that is in force."""
        return f"sha256:{self.documents.digest[:16]}"


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyDiff:
    """All that differs, weakened first."""

    old: Side
    new: Side
    changes: tuple[Change, ...]
    notices: tuple[str, ...] = field(default=())
    """What is the same on both sides but should be known, such as an exemption that has expired."""

    def count(self, effect: Effect) -> int:
        """How many differences have an effect."""
        return sum(change.effect is effect for change in self.changes)

    @property
    def policies(self) -> frozenset[str]:
        """The policies that may decide otherwise."""
        touched: set[str] = set()
        for change in self.changes:
            if change.effect is not Effect.WORDING:
                touched |= set(self._touched(change))
        return frozenset(touched)

    def _touched(self, change: Change) -> Iterator[str]:
        sides = (self.old, self.new)
        if change.kind == "GuardPolicy":
            yield change.name
        elif change.kind == "GuardPolicyBinding":
            yield from (
                side.bindings[change.name].binding.policy_name for side in sides if change.name in side.bindings
            )
        elif change.kind == "Exemption":
            found = (side.exemptions.get(change.name) for side in sides)
            yield from (policy for one in found if one for policy in one.policies)
        elif not change.field.startswith("params."):  # a shared parameter is told with the policies that have it
            yield from (policy for side in sides for policy in side.policies)


def side(name: str, paths: Sequence[Path], catalog: FactCatalog, *, now: datetime) -> Side:
    """Load one policy set. Raises PolicyError with every problem found."""
    return side_of(name, loader.load(paths, now=now), catalog, now=now)


def side_of(name: str, documents: Documents, catalog: FactCatalog, *, now: datetime) -> Side:
    """Compile documents that are loaded. Raises PolicyError with every problem found."""
    compiled, problems = compile_policies(documents, catalog)
    if problems:
        raise PolicyError(problems)
    policies = {name: Applied(tuple(found)) for name, found in groupby(compiled, key=lambda one: one.name)}
    bindings = {one.name: Bound(one, policies[one.policy_name]) for one in documents.bindings}
    return Side(name=name, documents=documents, policies=policies, bindings=bindings, now=now)


def diff(old: Side, new: Side) -> PolicyDiff:
    """Compare two policy sets."""
    policies = list(_policies(old, new))
    changes = [*policies, *_bindings(old, new), *_exemptions(old, new), *_parameters(old, new, policies)]
    changes.sort(key=lambda one: (ORDER.index(one.effect), _KINDS.index(one.kind), one.name, one.field))
    return PolicyDiff(old=old, new=new, changes=tuple(changes), notices=tuple(_notices(new)))


def _policies(old: Side, new: Side) -> Iterator[Change]:
    for name, was, becomes in _both(old.policies, new.policies):
        if was and becomes:
            places = (was.document.document, becomes.document.document)
            yield from _changes("GuardPolicy", name, policy_differences(was, becomes), *places)
        else:
            document = next(one.document for one in (was, becomes) if one)
            effect = policydiffpolicy.whole_effect(document)
            shown = [policydiffpolicy.summary(one.document) if one else None for one in (was, becomes)]
            yield _whole(document.document, name, effect if becomes else effect.inverse, shown)


def _bindings(old: Side, new: Side) -> Iterator[Change]:
    renamed = _renamed(old, new)
    before = {renamed.get(name, name): found for name, found in old.bindings.items()}
    for name, was, becomes in _both(before, new.bindings):
        if was and becomes:
            places = (was.binding.document, becomes.binding.document)
            yield from _changes("GuardPolicyBinding", name, binding_differences(was, becomes), *places)
        elif found := becomes or was:
            other = (old if becomes else new).policies.get(found.binding.policy_name)
            effect, note = alone_effect(found, other, added=becomes is not None)
            shown = [policydiffbinding.summary(one) if one else None for one in (was, becomes)]
            yield _whole(found.binding.document, name, effect, shown, note)


def _renamed(old: Side, new: Side) -> dict[str, str]:
    """The new names of bindings that go by another one now."""
    pairs = (
        (one.binding_name, other.binding_name)
        for name in old.policies.keys() & new.policies.keys()
        for one, other in version_pairs(old.policies[name], new.policies[name])
        if one.binding and other.binding
    )
    return {before: after for before, after in pairs if before not in new.bindings and after not in old.bindings}


def _exemptions(old: Side, new: Side) -> Iterator[Change]:
    for name, was, becomes in _both(old.exemptions, new.exemptions):
        if was and becomes:
            found = exemption_differences(was, becomes, new.now)
            yield from _changes("Exemption", name, found, was.document, becomes.document)
        elif one := becomes or was:
            over = one.expires <= new.now
            effect = Effect.WORDING if over else Effect.WEAKER if becomes else Effect.STRICTER
            shown = [policydiffexemption.summary(each) if each else None for each in (was, becomes)]
            yield _whole(one.document, name, effect, shown, "it has expired" if over else "")


def _parameters(old: Side, new: Side, policies: Iterable[Change]) -> Iterator[Change]:
    def uses(name: str) -> tuple[Effect, list[str]]:
        fields = (f"params.{name}", f"params.{name} (")
        found = [one for one in policies if one.field == fields[0] or one.field.startswith(fields[1])]
        return combined(one.effect for one in found), sorted({one.name for one in found})

    places = (old.documents.parameters_document, new.documents.parameters_document)
    differences = parameter_differences(old.documents.parameters, new.documents.parameters, uses)
    for change in differences:
        where = next((_where(place, change) for place in reversed(places) if place is not None), "")
        yield _change("Parameters", "parameters", change, where)


def _both(old: Mapping[str, _T], new: Mapping[str, _T]) -> Iterator[tuple[str, _T | None, _T | None]]:
    for name in sorted({*old, *new}):
        yield name, old.get(name), new.get(name)


def _changes(kind: str, name: str, differences: Iterable[Difference], old: Document, new: Document) -> Iterator[Change]:
    for one in differences:
        yield _change(kind, name, one, _where(old if one.after is None else new, one))


def _where(document: Document, difference: Difference) -> str:
    return document.where(difference.path)


def _change(kind: str, name: str, one: Difference, where: str) -> Change:
    return Change(
        kind=kind,
        name=name,
        field=one.field,
        effect=one.effect,
        before=one.before,
        after=one.after,
        note=one.note,
        where=where,
    )


def _whole(document: Document, name: str, effect: Effect, shown: list[str | None], note: str = "") -> Change:
    kind: str = document.value_at(("kind",))
    before, after = shown
    return Change(kind=kind, name=name, effect=effect, before=before, after=after, note=note, where=document.where())


def _notices(new: Side) -> Iterator[str]:
    for one in new.documents.exemptions:
        if one.expires <= new.now:
            yield (
                f"exemption '{one.name}' (owner {one.owner}, ticket {one.ticket}) expired on "
                f"{policydiffexemption.day(one.expires)} and no longer applies"
            )
