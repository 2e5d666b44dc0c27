"""Whether the VM that a request is about can be live migrated, and what keeps it from that.

What KubeVirt has said of a running VM counts: it has seen the node, and its devices are those the VM runs with. Only
where it has said nothing yet, or where a write asks for another machine, everything is computed. Disks are always
judged anew: claims change while a VM runs.

KubeVirt stops at the first obstacle. So what comes after it in its order is computed, and what comes before is not: it
was found in order.

Source: KubeVirt ``pkg/virt-handler/vm.go`` (calculateLiveMigrationCondition),
``pkg/virt-api/webhooks/validating-webhook/admitters/migration-create-admitter.go`` (isMigratable).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace

from webhook.kubevirt.handoff import is_decentralized
from webhook.kubevirt.installation import configuration, is_older_than
from webhook.kubevirt.machine import Machine, asked_for, before_write
from webhook.kubevirt.obstacles import DISKS, ORDER, SAID, Obstacle, spec_obstacles
from webhook.kubevirt.podnetwork import ALLOW_BRIDGE, pod_interface
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.volumes import Blocker, judged_volumes, migrated_volumes
from webhook.kubevirt.workload import LIVE_MIGRATABLE, condition, is_about, vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, mapping, text
from webhook.model.request import AdmissionRequest

LIVE_MIGRATE = "LiveMigrate"

SHOWN = 10
"""How many obstacles of one reason a policy gets to see."""
MORE = "More"
"""The code of the one that stands for the others of its reason; how many those are is its subject."""

_DISK_CHANGES = {
    Blocker.ACCESS_MODE: "copy it to a storage class that offers ReadWriteMany (oc get storageprofile)",
    Blocker.CLAIM_NOT_FOUND: "correct the name of the claim, or wait until it is made",
    Blocker.HOST_DISK_NOT_SHARED: "move it to a PersistentVolumeClaim that is ReadWriteMany",
}


def _leaves(request: AdmissionRequest) -> bool:
    """Say whether the VM is to be moved to another namespace or cluster, which copies its disks."""
    return is_about(request, VMIM) and is_decentralized(request.object or request.old_object)


def obstacles_of(context: FactContext) -> list[Obstacle]:
    """Return what keeps the VM that the request is about from being migrated as asked, in KubeVirt's order."""

    def find(context: FactContext) -> list[Obstacle]:
        machine = asked_for(context)
        found = [] if machine is None else _obstacles(context, machine)
        if _leaves(context.request):
            return [obstacle for obstacle in found if obstacle.reason != DISKS]
        return found

    return context.once("obstacles", find)


def _obstacles(context: FactContext, machine: Machine) -> list[Obstacle]:
    disks = _disk_obstacles(context, machine)
    said = None if machine.is_changed else condition(machine.vmi, LIVE_MIGRATABLE)
    match text(said, "status"):
        case "True":
            return disks
        case "False":
            return _after(context, said or {}, [*spec_obstacles(context, machine), *disks])
        case _:
            return [*spec_obstacles(context, machine), *disks]


def _after(context: FactContext, said: Object, computed: Sequence[Obstacle]) -> list[Obstacle]:
    """What KubeVirt said, in our words where the cause is seen here too, and what it had not come to; always disks."""
    reason = text(said, "reason")
    first = [replace(obstacle, known=SAID) for obstacle in computed if obstacle.reason == reason]
    if not first:
        message = text(said, "message") or "KubeVirt names no cause"
        first = [Obstacle(reason=reason or "NotLiveMigratable", code="", message=message, known=SAID)]
    order = (DISKS, *ORDER[:-1]) if is_older_than(context, 6) else ORDER
    unseen = {*order[order.index(reason) + 1 :], DISKS} - {reason} if reason in order else {DISKS}
    return [*first, *(obstacle for obstacle in computed if obstacle.reason in unseen)]


def _disk_obstacles(context: FactContext, machine: Machine) -> list[Obstacle]:
    return [
        Obstacle(
            reason=DISKS,
            code=str(volume.code),
            subject=volume.name,
            detail=volume.claim.name if volume.claim else "",
            message=f"disk {volume.name}: {volume.reason}",
            change=_DISK_CHANGES[volume.code],
        )
        for volume in judged_volumes(context, machine)
        if volume.code
    ]


def copies_disks(context: FactContext) -> bool:
    """Say whether disks would be sent to the target besides memory (KubeVirt's block migration).

    Source: KubeVirt ``pkg/virt-handler/vm.go`` (checkVolumesForMigration), ``api/core/v1/types.go`` (IsBlockMigration).
    """
    machine = asked_for(context)
    if machine is None:
        return False
    volumes = judged_volumes(context, machine)
    if migrated_volumes(machine.vmi) or (_leaves(context.request) and any(v.claim for v in volumes)):
        return True
    method = "" if machine.is_changed else text(machine.vmi, "status", "migrationMethod")
    return method == "BlockMigration" if method else any(volume.copied or volume.code for volume in volumes)


def eviction_strategy_of(context: FactContext, spec: Object) -> str:
    """Return the eviction strategy of a VMI with this spec: its own, else the cluster's, else ``None``.

    Source: KubeVirt ``pkg/util/migrations/migrations.go`` (VMIEvictionStrategy).
    """
    own = text(spec, "evictionStrategy")
    return own or text(configuration(context), "evictionStrategy") or "None"


def _eviction_obstacles(context: FactContext) -> list[Obstacle]:
    """Because of which drains will hang after this write of a VM or VMI, and would not have before it.

    A claim that is still to be made says nothing.
    """
    machine, before = asked_for(context), before_write(context)
    if machine is None or is_about(context.request, VMIM):
        return []
    known = set() if before is None else {obstacle.identity for obstacle in _drain_obstacles(context, before)}
    return [obstacle for obstacle in _drain_obstacles(context, machine) if obstacle.identity not in known]


def _drain_obstacles(context: FactContext, machine: Machine) -> list[Obstacle]:
    if eviction_strategy_of(context, machine.spec) != LIVE_MIGRATE:
        return []
    return [found for found in _obstacles(context, machine) if found.code != Blocker.CLAIM_NOT_FOUND]


def _asked_strategy(context: FactContext) -> str:
    machine = asked_for(context)
    return "" if machine is None else eviction_strategy_of(context, machine.spec)


def _is_own_strategy(context: FactContext) -> bool:
    machine = asked_for(context)
    return machine is not None and bool(text(machine.spec, "evictionStrategy"))


def forced_bridge(context: FactContext, machine: Machine | None) -> str:
    """Return the bridge interface on the pod network that an annotation declares migratable; empty if there is none."""
    if machine is None or ALLOW_BRIDGE not in machine.annotations:
        return ""
    found = pod_interface(context, machine)
    return found.name if found is not None and found.binding == "bridge" else ""


def _newly_forced_bridge(context: FactContext) -> str:
    if is_about(context.request, VMIM):
        return ""
    found = forced_bridge(context, asked_for(context))
    return "" if found == forced_bridge(context, before_write(context)) else found


def _as_json(found: Sequence[Obstacle]) -> list[JSON]:
    """The first of each reason, in order; one that says how many stands for the others."""
    counted: Counter[str] = Counter()
    told = []
    for obstacle in found:
        counted[obstacle.reason] += 1
        if counted[obstacle.reason] <= SHOWN:
            told.append(obstacle)
    told += [_more(reason, count - SHOWN) for reason, count in counted.items() if count > SHOWN]
    return [obstacle.as_json() for obstacle in told]


def _more(reason: str, count: int) -> Obstacle:
    return Obstacle(reason=reason, code=MORE, subject=str(count), message=f"and {count} more of this kind")


FACTS = (
    Fact(
        "vmi.migratable",
        "bool",
        "Nothing is known that keeps the VM from being live migrated. For a write of a VM or VMI: what it asks for.",
        lambda context: asked_for(context) is not None and not obstacles_of(context),
    ),
    Fact(
        "vmi.obstacles",
        "list(map)",
        "What keeps it from being live migrated, each with KubeVirt's reason, message (with the value that causes it), "
        "change (what to do about it), known (KubeVirt, or computed where it has not said), and code, subject and "
        f"detail, from which messages in other languages are made. The first {SHOWN} of each reason; one with code "
        f"{MORE} says how many others there are.",
        lambda context: _as_json(obstacles_of(context)),
    ),
    Fact(
        "vmi.blockMigration",
        "bool",
        "Its migration copies disks to the target besides memory.",
        copies_disks,
    ),
    Fact(
        "vmi.evictionStrategy",
        "string",
        "Its eviction strategy as it runs, else the cluster's, else None.",
        lambda context: "" if (vmi := vmi_of(context)) is None else eviction_strategy_of(context, mapping(vmi, "spec")),
    ),
    Fact(
        "eviction.strategy",
        "string",
        "The eviction strategy that a write of a VM or VMI results in: its own, else the cluster's, else None.",
        _asked_strategy,
    ),
    Fact("eviction.isOwn", "bool", "The VM names that strategy itself.", _is_own_strategy),
    Fact(
        "eviction.obstacles",
        "list(map)",
        "What, as in vmi.obstacles, will make drains hang after this write of a VM or VMI, and would not have before "
        "it: the strategy is LiveMigrate and it cannot be migrated.",
        lambda context: _as_json(_eviction_obstacles(context)),
    ),
    Fact(
        "vmi.forcedBridge",
        "string",
        "The bridge interface on the pod network that this write of a VM or VMI newly calls migratable, by annotation.",
        _newly_forced_bridge,
    ),
)
