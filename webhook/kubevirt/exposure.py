"""Which running critical VMs a write makes worse off: that gain post-copy or workload disruption, or lose encryption.

A VM that was exposed before the write does not count, so an unrelated update of an already unsafe cluster passes. The
worlds before and after are two values of one type; a new road to exposure is a new way to make them differ.

Cost: one step for each critical VM, and one policy match for each set of labels that differs in what policies look at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from webhook.kubevirt.configchange import change_of, objects_of, policies_before_and_after
from webhook.kubevirt.criticality import Flag, critical_reason, critical_vmis, is_running
from webhook.kubevirt.migrationconfig import (
    NODE_NAME_LABEL,
    TARGET_NODE_LABEL,
    at_handoff,
    cluster_settings,
    handoff_labels,
    migration_policies,
    namespace_labels,
)
from webhook.kubevirt.migrationfields import DISABLE_TLS, DISRUPTION, POST_COPY, Settings
from webhook.kubevirt.migrationpolicy import MigrationPolicy
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VMI
from webhook.kubevirt.workload import is_about, vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, labels_of, name_of, namespace_of

FIRST = 10
"""Names that are listed; the counts are of all."""

_KINDS = {"postCopy": POST_COPY, "disruption": DISRUPTION, "tls": DISABLE_TLS}
"""What a VM can be exposed to, and the field that is true then."""

NODE_LABELS = (NODE_NAME_LABEL, TARGET_NODE_LABEL)
"""The VMs of today will be on other nodes when they migrate some day."""

_CHECK_EVERY = 256
"""VMs between two looks at the clock."""


@dataclass(frozen=True, slots=True, kw_only=True)
class World:
    """All that decides the migration configuration of VMIs, at one moment."""

    settings: Settings
    policies: Sequence[MigrationPolicy]
    vmi_labels: Mapping[str, str] | None = None
    """Labels of the one VMI that is judged, where they are not those of the cached one."""
    namespace_labels: Mapping[str, str] | None = None
    """Labels of the one namespace that is judged, where they are not those of the cached one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """What a write changes: two worlds, and the critical running VMIs it may matter to."""

    before: World
    after: World
    vmis: Sequence[Object]


@dataclass(frozen=True, slots=True)
class Exposure:
    """By kind of exposure: the VMIs that gain it, ``NAMESPACE/NAME``, each with what switches it on; in order."""

    gained: Mapping[str, Mapping[str, str]]

    def first(self, kind: str) -> list[str]:
        """The first names."""
        return list(self.gained[kind])[:FIRST]

    def count(self, kind: str) -> int:
        """How many there are."""
        return len(self.gained[kind])


@dataclass(slots=True)
class _Judge:
    """Resolves the migration configuration of many VMIs in one world, once for each relevant set of labels."""

    context: FactContext
    world: World
    _relevant: frozenset[str] = frozenset()
    _known: dict[tuple[str, frozenset[tuple[str, str]]], Settings] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self._relevant = frozenset(key for policy in self.world.policies for key in policy.vmi_labels)

    def settings_of(self, vmi: Object) -> Settings:
        labels = handoff_labels(vmi, self.world.vmi_labels)
        namespace = namespace_of(vmi)
        key = (namespace, frozenset((name, labels[name]) for name in labels.keys() & self._relevant))
        if key not in self._known:
            self._known[key] = self._resolve(labels, namespace)
        return self._known[key]

    def _resolve(self, labels: Mapping[str, str], namespace: str) -> Settings:
        around = self.world.namespace_labels
        if around is None:
            around = namespace_labels(self.context, namespace)
        found = at_handoff(self.world.settings, self.world.policies, labels, around, unknown=NODE_LABELS)
        return found.settings


def exposure_of(context: FactContext) -> Exposure:
    """Return which critical VMs this write makes worse off. Raises FactUnavailable when the time is up."""
    return context.once("exposure", _exposure)


def _exposure(context: FactContext) -> Exposure:
    gained: dict[str, dict[str, str]] = {kind: {} for kind in _KINDS}
    write = _write(context)
    if write is None:
        return Exposure(gained)
    before, after = _Judge(context, write.before), _Judge(context, write.after)
    for number, vmi in enumerate(write.vmis):
        if number % _CHECK_EVERY == 0:
            context.deadline.check("it was known which critical VMs the write exposes")
        was, becomes = before.settings_of(vmi), after.settings_of(vmi)
        for kind, name in _KINDS.items():
            if becomes[name].value is True and was[name].value is not True:
                gained[kind][f"{namespace_of(vmi)}/{name_of(vmi)}"] = becomes[name].source
    return Exposure({kind: dict(sorted(found.items())) for kind, found in gained.items()})


def _write(context: FactContext) -> Write | None:
    request = context.request
    if request.subresource:
        return None
    for watched, describe in (
        (HYPERCONVERGED, _cluster_write),
        (KUBEVIRT, _cluster_write),
        (MIGRATION_POLICY, _policy_write),
        (VMI, _vmi_write),
        (NAMESPACE, _namespace_write),
    ):
        if is_about(request, watched):
            return describe(context)
    return None


def _cluster_write(context: FactContext) -> Write | None:
    change, policies = change_of(context), migration_policies(context)
    if all(change.before[name].value == change.after[name].value for name in _KINDS.values()):
        return None
    return Write(
        before=World(settings=change.before, policies=policies),
        after=World(settings=change.after, policies=policies),
        vmis=critical_vmis(context),
    )


def _policy_write(context: FactContext) -> Write | None:
    before, after = policies_before_and_after(context)
    if before == after:
        return None
    settings = cluster_settings(context)
    return Write(
        before=World(settings=settings, policies=before),
        after=World(settings=settings, policies=after),
        vmis=critical_vmis(context),
    )


def _labels_before_and_after(context: FactContext) -> tuple[Mapping[str, str], Mapping[str, str]] | None:
    """The labels of the object; None unless an UPDATE changes them."""
    old, new = objects_of(context.request)
    if old is None or new is None or labels_of(old) == labels_of(new):
        return None
    return labels_of(old), labels_of(new)


def _vmi_write(context: FactContext) -> Write | None:
    labels, vmi = _labels_before_and_after(context), vmi_of(context)
    if labels is None or vmi is None or not is_running(vmi):
        return None
    flag = Flag.of(context)
    if not critical_reason(context, vmi) and not any(flag.is_on(found) for found in labels):
        return None
    settings, policies = cluster_settings(context), migration_policies(context)
    before, after = (World(settings=settings, policies=policies, vmi_labels=found) for found in labels)
    return Write(before=before, after=after, vmis=[vmi])


def _namespace_write(context: FactContext) -> Write | None:
    labels = _labels_before_and_after(context)
    if labels is None:
        return None
    name, flag = context.request.name, Flag.of(context)
    if any(flag.is_on(found) for found in labels):
        vmis = [vmi for vmi in context.view.select(VMI, "namespace", name) if is_running(vmi)]
    else:
        vmis = [vmi for vmi in critical_vmis(context) if namespace_of(vmi) == name]
    settings, policies = cluster_settings(context), migration_policies(context)
    before, after = (World(settings=settings, policies=policies, namespace_labels=found) for found in labels)
    return Write(before=before, after=after, vmis=vmis)


def _sources(context: FactContext) -> dict[str, str]:
    exposure = exposure_of(context)
    found: dict[str, str] = {}
    for kind in _KINDS:
        for name in exposure.first(kind):
            found.setdefault(name, exposure.gained[kind][name])
    return found


def _first(kind: str) -> Callable[[FactContext], JSON]:
    return lambda context: exposure_of(context).first(kind)


def _count(kind: str) -> Callable[[FactContext], JSON]:
    return lambda context: exposure_of(context).count(kind)


_GAINS = {
    "postCopy": "may switch to post-copy",
    "disruption": "may be paused or switched to post-copy",
    "tls": "are migrated unencrypted",
}

FACTS = (
    *(
        Fact(
            f"exposure.{kind}",
            "list(string)",
            f"Running critical VMs that {gain} after this write and not before: the first {FIRST}, as NAMESPACE/NAME.",
            _first(kind),
        )
        for kind, gain in _GAINS.items()
    ),
    *(
        Fact(
            f"exposure.{kind}Count",
            "int",
            f"How many running critical VMs {gain} after this write and not before.",
            _count(kind),
        )
        for kind, gain in _GAINS.items()
    ),
    Fact(
        "exposure.sources",
        "map(string)",
        "For each VM listed, by NAMESPACE/NAME: what switches it on.",
        _sources,
    ),
)
