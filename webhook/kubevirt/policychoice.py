"""Which MigrationPolicies may apply to a VM of whose labels some are not known yet, and what they may do to it.

Of two policies that match the same one always wins: all pairs of both selectors count, and all must match, so a policy
ranks by itself. And a policy wins for some value of the unknown labels only if it does where just its own pairs of them
hold, for there it has the fewest rivals. So one pass finds the policies that match apart from those pairs, the best of
each set of pairs; what is left is to compare those that endanger a VM with those whose pairs are among their own.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migrationpolicy.go`` (``matchPolicy``). Its oddity about a VMI
without any label is left out: whoever is handed over bears the label of its target.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations
from typing import TypeAlias

from webhook.kubevirt.migrationfields import DANGERS, Settings
from webhook.kubevirt.migrationpolicy import MigrationPolicy, Rank, overlay
from webhook.model.objects import JSON

_Pairs: TypeAlias = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class _Candidate:
    """A policy, its selector of VMIs cut into what is known of them and what is not."""

    policy: MigrationPolicy
    rank: Rank
    known: Mapping[str, JSON]
    assumed: _Pairs
    """In the order of their keys."""


@dataclass(frozen=True, slots=True)
class _InForce:
    settings: Settings
    dangers: frozenset[str]
    """Those that are on."""


@dataclass(slots=True)
class PolicyChoice:
    """The MigrationPolicies over one configuration of the cluster, found by the labels that they select by."""

    cluster: Settings
    unknown: frozenset[str]
    _by_pair: dict[tuple[str, JSON] | None, list[_Candidate]] = field(default_factory=dict)
    """Each under the one of its known pairs that the fewest policies have."""
    _always: dict[_Pairs, _Candidate] = field(default_factory=dict)
    """The best of those that match whatever is known, such as policies for nodes."""
    _overlaid: dict[Rank, _InForce] = field(default_factory=dict)

    @classmethod
    def of(cls, cluster: Settings, policies: Sequence[MigrationPolicy], unknown: Collection[str]) -> PolicyChoice:
        """Arrange these policies; what has a pair that no label can equal matches nothing and is left out."""
        made = cls(cluster, frozenset(unknown))
        candidates = [
            _Candidate(
                policy=policy,
                rank=policy.rank,
                known={key: wanted for key, wanted in policy.vmi_labels.items() if key not in made.unknown},
                assumed=policy.pairs_of(made.unknown),
            )
            for policy in policies
            if policy.selects and all(isinstance(wanted, str) for wanted in policy.vmi_labels.values())
        ]
        common = Counter(pair for candidate in candidates for pair in candidate.known.items())
        for candidate in candidates:
            if not candidate.known and not candidate.policy.namespace_labels:
                _enter(made._always, candidate)
                continue
            pair = min(candidate.known.items(), key=common.__getitem__, default=None)
            made._by_pair.setdefault(pair, []).append(candidate)
        return made

    def choose(self, labels: Mapping[str, str], around: Mapping[str, str]) -> tuple[MigrationPolicy | None, Settings]:
        """Return the policy that applies where no unknown label has a value that a policy names, and what is in force.

        What endangers a VM counts as in force if it is for any value of the unknown labels; those in ``labels`` are
        not looked at. ``around`` are the labels of the namespace.
        """
        best = dict(self._always)
        for candidate in self._matching(labels, around):
            _enter(best, candidate)
        base = best.get(())
        found = self._in_force(base)
        settings, dangers = found.settings, found.dangers
        for pairs in sorted(pairs for pairs, rival in best.items() if self._in_force(rival).dangers - dangers):
            there = self._in_force(best[pairs])
            if _wins(pairs, best) and there.dangers - dangers:
                settings = {**settings, **{name: there.settings[name] for name in there.dangers - dangers}}
                dangers |= there.dangers
        return base.policy if base else None, settings

    def _matching(self, labels: Mapping[str, str], around: Mapping[str, str]) -> Iterator[_Candidate]:
        for pair in (None, *labels.items()):
            for candidate in self._by_pair.get(pair, ()):
                namespace = candidate.policy.namespace_labels
                if candidate.known.items() <= labels.items() and namespace.items() <= around.items():
                    yield candidate

    def _in_force(self, candidate: _Candidate | None) -> _InForce:
        if candidate is None:
            return _in_force(self.cluster)
        if candidate.rank not in self._overlaid:
            self._overlaid[candidate.rank] = _in_force(overlay(self.cluster, candidate.policy))
        return self._overlaid[candidate.rank]


def _in_force(settings: Settings) -> _InForce:
    return _InForce(settings, frozenset(name for name in DANGERS if settings[name].value is True))


def _enter(best: dict[_Pairs, _Candidate], candidate: _Candidate) -> None:
    rival = best.get(candidate.assumed)
    if rival is None or candidate.rank < rival.rank:
        best[candidate.assumed] = candidate


def _wins(pairs: _Pairs, best: Mapping[_Pairs, _Candidate]) -> bool:
    """Say whether the best for these pairs is so where just they hold; KubeVirt writes few labels, so parts are few."""
    rank = best[pairs].rank
    parts = (part for size in range(len(pairs)) for part in combinations(pairs, size))
    return not any(part in best and best[part].rank < rank for part in parts)
