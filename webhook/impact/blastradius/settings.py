"""The migration settings in force for the many VMs of one cluster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from webhook.kubevirt.migrationconfig import (
    NODE_NAME_LABEL,
    TARGET_NODE_LABEL,
    cluster_settings,
    migration_policies,
    namespace_labels,
)
from webhook.kubevirt.migrationfields import Settings
from webhook.kubevirt.policychoice import PolicyChoice
from webhook.kubevirt.worlds import World
from webhook.model.facts import FactContext


@dataclass(slots=True)
class Resolver:
    """The settings in force for many VMs in one world, each relevant set of labels once."""

    context: FactContext
    _choices: dict[tuple[bool, bool], PolicyChoice] = field(default_factory=dict)
    _known: dict[tuple[object, ...], tuple[str, Settings]] = field(default_factory=dict)
    _relevant: frozenset[str] = field(init=False)
    world: World = field(init=False)

    def __post_init__(self) -> None:
        policies = migration_policies(self.context)
        self.world = World(settings=cluster_settings(self.context), policies=policies)
        self._relevant = frozenset(key for policy in policies for key in policy.vmi_labels)

    def settings_of(
        self, namespace: str, labels: Mapping[str, str], *, starting: bool = False, spared: bool = False
    ) -> tuple[str, Settings]:
        """Return the MigrationPolicy that applies and the settings in force, as the facts ``migration.*`` have them.

        Args:
            namespace: Of the VM.
            labels: Those that its VMI bears at hand-off, or is given when it starts.
            starting: It will start: its node is not known.
            spared: As if the cluster allowed post-copy and disruption: what is off then, a MigrationPolicy rules out.
        """
        relevant = frozenset((key, labels[key]) for key in labels.keys() & self._relevant)
        key = (namespace, relevant, starting, spared)
        if key not in self._known:
            policy, settings = self._choice(starting, spared).choose(
                dict(relevant), namespace_labels(self.context, namespace)
            )
            self._known[key] = (policy.name if policy else "", settings)
        return self._known[key]

    def _choice(self, starting: bool, spared: bool) -> PolicyChoice:
        if (starting, spared) not in self._choices:
            world = self.world.with_all_allowed() if spared else self.world
            unknown = (TARGET_NODE_LABEL, NODE_NAME_LABEL) if starting else (TARGET_NODE_LABEL,)
            self._choices[starting, spared] = PolicyChoice.of(world.settings, world.policies, unknown)
        return self._choices[starting, spared]
