"""The migration configuration in force: for the cluster and for one VMI, each value with what set it.

Later wins: KubeVirt's default, the KubeVirt CR (under HyperConverged rendered from that and its annotation), the one
MigrationPolicy that matches best, what was frozen when the migration was handed over.

Source: KubeVirt ``pkg/virt-config/virt-config.go`` (``GetMigrationConfiguration``),
``pkg/virt-controller/watch/migration/migration.go`` (``resolveMigrationConfig``).
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from webhook.kubevirt.handoff import decentralized, frozen_settings, mode, running_state
from webhook.kubevirt.hyperconverged import Rendering, render
from webhook.kubevirt.installation import kubevirt_cr
from webhook.kubevirt.migrationfields import (
    DANGERS,
    DEFAULTS,
    DISRUPTION,
    FIELDS,
    Setting,
    Settings,
    fields_set,
    following,
)
from webhook.kubevirt.migrationpolicy import MigrationPolicy, best_match, overlay
from webhook.kubevirt.policychoice import PolicyChoice
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE
from webhook.kubevirt.workload import first_installed, vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import (
    JSON,
    Object,
    ObjectRef,
    labels_of,
    mapping,
    name_of,
    namespace_of,
    strings,
    text,
)

KUBEVIRT_PATH = ("spec", "configuration", "migrations")
NODE_NAME_LABEL = "kubevirt.io/nodeName"
TARGET_NODE_LABEL = "kubevirt.io/migrationTargetNodeName"
"""Put on the VMI when its target is known: a MigrationPolicy may select on it, and then matches at hand-off only."""


NO_NODE = "*"
"""Stands for a node that no MigrationPolicy names: it is no label value."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """The objects that set the cluster's migration configuration; either may be absent."""

    kubevirt: Object | None
    hyperconverged: Object | None


def cluster_of(context: FactContext) -> Cluster:
    """Return the KubeVirt CR and the HyperConverged that are in force."""

    def look_up(context: FactContext) -> Cluster:
        namespaces = strings(context.parameters, "installNamespaces")
        return Cluster(
            kubevirt=kubevirt_cr(context),
            hyperconverged=first_installed(context.view.list(HYPERCONVERGED), namespaces),
        )

    return context.once("cluster", look_up)


def cluster_settings(context: FactContext) -> Settings:
    """Return the cluster's migration configuration in force.

    Where there is a KubeVirt CR, what it says is in force, whatever HyperConverged says. Without one (manifests may
    hold the HyperConverged alone) it is what HCO would render.
    """

    def resolve(context: FactContext) -> Settings:
        found = cluster_of(context)
        if found.kubevirt is not None:
            return kubevirt_settings(found.kubevirt, found.hyperconverged)
        if found.hyperconverged is not None:
            return render(found.hyperconverged, None).settings
        return DEFAULTS

    return context.once("clusterSettings", resolve)


def settings_to_come(context: FactContext) -> Settings:
    """Return the cluster's migration configuration in force, and what endangers VMs as soon as HCO reconciles.

    Between the write of a HyperConverged and its operator's, or while the operator is away, the KubeVirt CR still says
    what was before; what is judged in that time must not be safe only until then.
    """

    def resolve(context: FactContext) -> Settings:
        settings, found = cluster_settings(context), cluster_of(context)
        rendering = rendering_of(found.kubevirt, found.hyperconverged) if found.kubevirt is not None else None
        if rendering is None or rendering.error:
            return settings
        to_come = {name: rendering.settings[name] for name in DANGERS if rendering.settings[name].value is True}
        return {**settings, **{name: item for name, item in to_come.items() if settings[name].value is not True}}

    return context.once("settingsToCome", resolve)


def kubevirt_settings(kubevirt: Object, hyperconverged: Object | None) -> Settings:
    """Return what a KubeVirt CR sets over KubeVirt's defaults.

    Where the HyperConverged of its namespace renders the same value, that is named as the source: there it is changed.
    """
    rendering = rendering_of(kubevirt, hyperconverged)
    reference = ObjectRef(KUBEVIRT.kind, namespace_of(kubevirt), name_of(kubevirt))
    settings = dict(DEFAULTS)
    explicit = False
    for field, found in fields_set(mapping(kubevirt, *KUBEVIRT_PATH)):
        source = f"{reference} {'.'.join(KUBEVIRT_PATH)}.{field.name}"
        if rendering is not None and field.name in rendering.writes and rendering.settings[field.name].value == found:
            source = rendering.settings[field.name].source
        settings[field.name] = Setting(found, source)
        explicit = explicit or field.name == DISRUPTION
    return following(settings, explicit)


def rendering_of(kubevirt: Object, hyperconverged: Object | None) -> Rendering | None:
    """Return what the HyperConverged renders into this KubeVirt CR; None unless both are in one namespace."""
    if hyperconverged is None or namespace_of(hyperconverged) != namespace_of(kubevirt):
        return None
    return render(hyperconverged, kubevirt)


def migration_policies(context: FactContext) -> Sequence[MigrationPolicy]:
    """Return all MigrationPolicies; clusters have few."""
    return context.once(
        "migrationPolicies",
        lambda context: [MigrationPolicy.read(policy) for policy in context.view.list(MIGRATION_POLICY)],
    )


def handoff_labels(vmi: Object, labels: Mapping[str, str] | None = None) -> Mapping[str, str]:
    """Return the labels that MigrationPolicies are matched against when virt-controller hands the migration over.

    Every VMI carries its node's name then, but for one that receives a VM from elsewhere, and its target's, so
    KubeVirt's oddity about VMIs without any label never shows. The target node is another one by then than what a label
    of an earlier migration says.
    """
    carried = labels_of(vmi) if labels is None else labels
    node = text(vmi, "status", "nodeName")
    return {**({NODE_NAME_LABEL: node} if node else {}), **carried, TARGET_NODE_LABEL: NO_NODE}


@dataclass(frozen=True, slots=True)
class InForce:
    """The migration configuration of one VMI."""

    settings: Settings
    policy: str
    """The MigrationPolicy that applies; empty if none does."""
    frozen: bool = False
    """It was laid down when the migration was handed over."""


def at_handoff(
    cluster: Settings,
    policies: Sequence[MigrationPolicy],
    labels: Mapping[str, str],
    around: Mapping[str, str],
    *,
    unknown: Collection[str] = (TARGET_NODE_LABEL,),
) -> InForce:
    """Return what applies to a VMI with these labels, whatever the unknown labels turn out to be.

    The target node is not known before hand-off. Where policies select on such a label, what endangers the VM counts as
    in force if it is for any value that they name, or for one that none of them names. Of a VMI that bears no label at
    all nothing is unknown.
    """
    if not labels:
        oddity = best_match(policies, labels, around)
        return InForce(overlay(cluster, oddity), oddity.name if oddity else "")
    policy, settings = PolicyChoice.of(cluster, policies, unknown).choose(labels, around)
    return InForce(settings, policy.name if policy else "")


def namespace_labels(context: FactContext, namespace: str) -> Mapping[str, str]:
    """Return the labels of a namespace; empty if it is not known."""
    return labels_of(context.view.get(NAMESPACE, "", namespace))


def in_force(context: FactContext) -> InForce:
    """Return the migration configuration of the VMI that the request is about; without a VMI the cluster's.

    Of a migration that was handed over without one, as a release in the middle of an upgrade may do, it is the
    cluster's, whatever MigrationPolicies say.
    """

    def resolve(context: FactContext) -> InForce:
        vmi, cluster, state = vmi_of(context), cluster_settings(context), running_state(context)
        if vmi is None:
            return InForce(cluster, "")
        if state:
            frozen = frozen_settings(state, cluster)
            return InForce(frozen or cluster, text(state, "migrationPolicyName"), frozen=frozen is not None)
        around = namespace_labels(context, namespace_of(vmi))
        return at_handoff(cluster, migration_policies(context), handoff_labels(vmi), around)

    return context.once("inForce", resolve)


def sources(settings: Settings) -> dict[str, str]:
    """Return what set each field."""
    return {name: setting.source for name, setting in settings.items()}


def _value_of(name: str) -> Callable[[FactContext], JSON]:
    return lambda context: in_force(context).settings[name].value


FACTS = (
    *(
        Fact(
            f"migration.{field.name}",
            field.cel_type,
            f"{field.summary}. As in force for this VM.",
            _value_of(field.name),
        )
        for field in FIELDS
    ),
    Fact(
        "migration.policy",
        "string",
        "Name of the MigrationPolicy that applies to this VM; empty if none does.",
        lambda context: in_force(context).policy,
    ),
    Fact(
        "migration.sources",
        "map(string)",
        "What set each field: KubeVirt default, HyperConverged default, a field of HyperConverged or the KubeVirt CR, "
        "an annotation, a MigrationPolicy; of a running migration, frozen at hand-off.",
        lambda context: sources(in_force(context).settings),
    ),
    Fact(
        "migration.frozen",
        "bool",
        "The migration runs, and these settings were laid down for it at hand-off: a change of configuration no longer "
        "reaches it, but for disableTLS and the network.",
        lambda context: in_force(context).frozen,
    ),
    Fact(
        "migration.mode",
        "string",
        "How far the running migration is: PreCopy, PostCopy or Paused; empty if none runs or nothing was copied yet.",
        mode,
    ),
    Fact(
        "migration.decentralized",
        "bool",
        "The migration leads to or from elsewhere (spec.sendTo or spec.receive), or the VMI was made to receive a VM. "
        "Its settings are laid down where the VM is received.",
        decentralized,
    ),
)
