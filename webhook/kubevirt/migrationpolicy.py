"""Which MigrationPolicy applies to a VMI, and what it changes: exactly as KubeVirt does, oddities included.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migrationpolicy.go`` (``matchPolicy``, ``countMatchingLabels``,
``applyMigrationPolicySpec``).
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from webhook.kubevirt.migrationfields import DISRUPTION, POST_COPY, Setting, Settings, fields_set
from webhook.kubevirt.resources import MIGRATION_POLICY
from webhook.model.objects import JSON, Object, ObjectRef, mapping, name_of, value

_POLICY_EXPERIMENTAL = "experimental"

Rank: TypeAlias = tuple[int, int, bytes]
"""Of two policies that match, the one with the lower rank applies."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationPolicy:
    """A MigrationPolicy, read once so that it can be matched against many VMIs."""

    name: str
    selects: bool
    """It has a ``selectors`` block; without one it matches nothing."""
    vmi_labels: Mapping[str, JSON]
    namespace_labels: Mapping[str, JSON]
    spec: Mapping[str, JSON]

    @classmethod
    def read(cls, policy: Object) -> MigrationPolicy:
        """Read an object; what is not of its type counts as absent."""
        selectors = value(policy, "spec", "selectors")
        return cls(
            name=name_of(policy),
            selects=isinstance(selectors, Mapping),
            vmi_labels=mapping(selectors, "virtualMachineInstanceSelector"),
            namespace_labels=mapping(selectors, "namespaceSelector"),
            spec=mapping(policy, "spec"),
        )

    def score(self, vmi_labels: Mapping[str, str], namespace_labels: Mapping[str, str]) -> tuple[int, int] | None:
        """Return (matched pairs, matched VMI pairs), which order policies; None if the policy does not match.

        Selectors are plain pairs that must all be there. KubeVirt skips both selectors for a VMI whose labels are nil
        (for namespaces too it looks at those), so a VMI without any label matches every policy that has selectors.
        """
        if not self.selects:
            return None
        if not vmi_labels:
            return 0, 0
        if not (_all_in(self.vmi_labels, vmi_labels) and _all_in(self.namespace_labels, namespace_labels)):
            return None
        return len(self.vmi_labels) + len(self.namespace_labels), len(self.vmi_labels)

    @property
    def rank(self) -> Rank:
        """Its rank wherever it matches: most pairs, then most VMI pairs, then the smallest name in byte order."""
        return self.ranked(len(self.vmi_labels) + len(self.namespace_labels), len(self.vmi_labels))

    def ranked(self, pairs: int, vmi_pairs: int) -> Rank:
        """Return its rank with this many pairs matched."""
        return -pairs, -vmi_pairs, self.name.encode(errors="surrogatepass")

    def pairs_of(self, keys: Collection[str]) -> tuple[tuple[str, str], ...]:
        """Return the pairs that it selects VMIs by, of these keys, in order."""
        pairs = ((key, self.vmi_labels.get(key)) for key in sorted(keys))
        return tuple((key, wanted) for key, wanted in pairs if isinstance(wanted, str))

    def __str__(self) -> str:
        return str(ObjectRef(MIGRATION_POLICY.kind, "", self.name))


def _all_in(selector: Mapping[str, JSON], labels: Mapping[str, str]) -> bool:
    return all(key in labels and labels[key] == wanted for key, wanted in selector.items())


def best_match(
    policies: Iterable[MigrationPolicy], vmi_labels: Mapping[str, str], namespace_labels: Mapping[str, str]
) -> MigrationPolicy | None:
    """Return the one policy that applies: most pairs, then most VMI pairs, then the smallest name in byte order."""
    best: MigrationPolicy | None = None
    best_rank: Rank | None = None
    for policy in policies:
        score = policy.score(vmi_labels, namespace_labels)
        if score is None:
            continue
        rank = policy.ranked(*score)
        if best_rank is None or rank < best_rank:
            best, best_rank = policy, rank
    return best


def overlay(settings: Settings, policy: MigrationPolicy | None) -> Settings:
    """Return the settings with those that the policy sets; the rest stay as they were.

    A policy that sets allowPostCopy but not allowWorkloadDisruption sets both.
    """
    if policy is None:
        return settings
    result = dict(settings)
    for field, found in fields_set(policy.spec, in_policy=True):
        merged = _merged(settings[field.name].value, found) if field.name == _POLICY_EXPERIMENTAL else found
        result[field.name] = Setting(merged, str(policy))
        if field.name == POST_COPY:
            result[DISRUPTION] = result[POST_COPY]
    return result


def _merged(base: JSON, over: JSON) -> JSON:
    """Merge experimental options field by field, as KubeVirt does; null sets nothing."""
    if not isinstance(base, Mapping) or not isinstance(over, Mapping):
        return over
    merged = dict(base)
    for key, item in over.items():
        if item is not None:
            merged[key] = _merged(base.get(key), item)
    return merged
