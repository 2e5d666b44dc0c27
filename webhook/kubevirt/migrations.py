"""Migrations that exist: who made them, how far they are, and how many are in flight.

They are read from the cached VMIMs, which KubeVirt itself thins out: of one VMI it keeps the five newest finished ones.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (``garbageCollectFinalizedMigrations``),
``api/core/v1/types.go`` (``IsFinal``, ``TargetIsHandedOff``).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from webhook.kubevirt.indexkeys import ANY, FINAL_PHASES
from webhook.kubevirt.requester import PEOPLE, WORKLOAD_UPDATE_ANNOTATION, Origin
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.workload import subject_name
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, annotations_of, mapping, name_of, namespace_of, text

EVACUATION_ANNOTATION = "kubevirt.io/evacuationMigration"
"""On a VMIM of the evacuation controller; its value is the node that is drained."""
ORIGIN_ANNOTATION = "migguard.io/origin"
REQUESTER_ANNOTATION = "migguard.io/requested-by"

WAITING_PHASES = frozenset({"", "Pending", "Scheduling", "Scheduled", "WaitingForSync", "Synchronizing"})
"""Phases in which virt-controller still holds the migration; from the next one on the nodes have it.

Source: KubeVirt ``api/core/v1/types.go`` (``TargetIsHandedOff``)."""

SHOWN = 10
"""How many migrations of one VM, and how many of those who fill the queue, a policy gets to see."""
_ORIGINS = {str(origin): origin for origin in Origin}


def made_by(vmim: Object) -> Origin:
    """Return the origin of an existing VMIM.

    migguard stamps every VMIM when it is created and protects the stamp. One without a stamp was made before migguard
    came, or while it was away: there KubeVirt's own marks say it. Those are annotations that anyone might have forged;
    but a policy protects them too, and a forger gains nothing: the mark only makes the migration harder to cancel, also
    for the forger, and what a *request* may do is never decided by it.

    Source: KubeVirt ``pkg/virt-controller/watch/drain/evacuation/evacuation.go`` (``GenerateNewMigration``),
    ``pkg/virt-controller/watch/workload-updater/workload-updater.go``.
    """
    annotations = annotations_of(vmim)
    stamped = _ORIGINS.get(annotations.get(ORIGIN_ANNOTATION, ""))
    if stamped is not None:
        return stamped
    if EVACUATION_ANNOTATION in annotations:
        return Origin.DRAIN
    if WORKLOAD_UPDATE_ANNOTATION in annotations:
        return Origin.WORKLOAD_UPDATE
    return Origin.USER


def requested_by(vmim: Object) -> str:
    """Return the user name that was stamped on a VMIM; empty where there is no stamp."""
    return annotations_of(vmim).get(REQUESTER_ANNOTATION, "")


def phase_of(vmim: Object | None) -> str:
    """Return how far a VMIM is; empty before virt-controller has seen it."""
    return text(vmim, "status", "phase")


def is_final(vmim: Object | None) -> bool:
    """Say whether a VMIM is over. Source: KubeVirt ``api/core/v1/types.go`` (``IsFinal``)."""
    return phase_of(vmim) in FINAL_PHASES


def rfc3339(moment: datetime) -> str:
    """Return an aware time as RFC 3339 text in UTC, to the second."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


def moment(written: str) -> str:
    """Return an RFC 3339 time in the one form that CEL's ``timestamp()`` reads; empty if it is none."""
    try:
        read = datetime.fromisoformat(written)
        return rfc3339(read) if read.tzinfo else ""
    except (OverflowError, ValueError):
        return ""


def of_vm(context: FactContext) -> Sequence[Object]:
    """Return the cached VMIMs of the VM that the request is about, newest first."""

    def find(context: FactContext) -> Sequence[Object]:
        namespace, name = context.request.namespace, subject_name(context)
        if not namespace or not name:
            return []
        found = context.view.select(VMIM, "vmi", f"{namespace}/{name}")
        walked = context.deadline.walk(found, "the migrations of the VM were looked at")
        return sorted(walked, key=lambda vmim: (_created(vmim), name_of(vmim)), reverse=True)

    return context.once("migrationsOfVM", find)


def _created(vmim: Object) -> str:
    return moment(text(vmim, "metadata", "creationTimestamp"))


def _shown(vmim: Object) -> dict[str, JSON]:
    state = mapping(vmim, "status", "migrationState")
    return {
        "name": name_of(vmim),
        "origin": str(made_by(vmim)),
        "requestedBy": requested_by(vmim),
        "phase": phase_of(vmim),
        "created": _created(vmim),
        "ended": moment(text(state, "endTimestamp")),
        "failed": phase_of(vmim) == "Failed",
        "failureReason": text(state, "failureReason"),
    }


@dataclass(slots=True)
class InFlight:
    """How many VMIMs are not finished."""

    total: int = 0
    by_people: int = 0
    in_namespace: int = 0
    in_namespace_by_people: int = 0
    by_requester: int = 0
    waiting: int = 0
    holders: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Those that people made, by namespace and stamped user name."""


def in_flight(context: FactContext) -> InFlight:
    """Count the VMIMs that are not finished; the request's own namespace and requester apart."""

    def count(context: FactContext) -> InFlight:
        counted = InFlight()
        found = context.view.select(VMIM, "inFlight", ANY)
        for vmim in context.deadline.walk(found, "all migrations were counted"):
            here, requester = namespace_of(vmim) == context.request.namespace, requested_by(vmim)
            people = made_by(vmim) in PEOPLE
            counted.total += 1
            counted.waiting += phase_of(vmim) in WAITING_PHASES
            counted.by_people += people
            counted.in_namespace += here
            counted.in_namespace_by_people += here and people
            counted.by_requester += bool(requester) and requester == context.request.user.username
            if people:
                counted.holders[namespace_of(vmim), requester] += 1
        return counted

    return context.once("inFlight", count)


def _holders(context: FactContext, *, here: bool) -> list[JSON]:
    """Those with most first; a migration without a stamp has nobody's name."""
    wanted = [
        (count, namespace, requester)
        for (namespace, requester), count in in_flight(context).holders.items()
        if not here or namespace == context.request.namespace
    ]
    wanted.sort(key=lambda one: (-one[0], *one[1:]))
    return [
        {"namespace": namespace, "requestedBy": requester, "count": count}
        for count, namespace, requester in wanted[:SHOWN]
    ]


def _count(read: Callable[[InFlight], int]) -> Callable[[FactContext], JSON]:
    return lambda context: read(in_flight(context))


FACTS = (
    Fact(
        "migrations.ofVM",
        "list(map)",
        "The migrations of this VM that still exist, newest first: name, origin (as requester.origin), requestedBy, "
        "phase, created and ended (RFC 3339), failed, failureReason. KubeVirt keeps five finished ones.",
        lambda context: [_shown(vmim) for vmim in of_vm(context)[:SHOWN]],
    ),
    Fact(
        "migrations.unfinishedOfVM",
        "list(string)",
        "Names of the migrations of this VM that are not finished.",
        lambda context: [name_of(vmim) for vmim in of_vm(context) if not is_final(vmim)][:SHOWN],
    ),
    Fact(
        "migrations.inFlight",
        "int",
        "Migrations in the whole cluster that are not finished.",
        _count(lambda counted: counted.total),
    ),
    Fact(
        "migrations.inFlightByPeople",
        "int",
        "Those of them that people started: by themselves, or through virtctl and the console.",
        _count(lambda counted: counted.by_people),
    ),
    Fact(
        "migrations.inNamespace",
        "int",
        "Unfinished migrations in the namespace of the request.",
        _count(lambda counted: counted.in_namespace),
    ),
    Fact(
        "migrations.inNamespaceByPeople",
        "int",
        "Those of them that people started.",
        _count(lambda counted: counted.in_namespace_by_people),
    ),
    Fact(
        "migrations.byRequester",
        "int",
        "Unfinished migrations, in all namespaces, that bear the name of this requester.",
        _count(lambda counted: counted.by_requester),
    ),
    Fact(
        "migrations.waiting",
        "int",
        "Migrations in the whole cluster that virt-controller has not yet handed over to the nodes.",
        _count(lambda counted: counted.waiting),
    ),
    Fact(
        "migrations.holders",
        "list(map)",
        "Whose unfinished migrations fill people's share of the queue: namespace, requestedBy, count; the ten fullest.",
        lambda context: _holders(context, here=False),
    ),
    Fact(
        "migrations.holdersInNamespace",
        "list(map)",
        "The same, of the namespace of the request alone.",
        lambda context: _holders(context, here=True),
    ),
)
