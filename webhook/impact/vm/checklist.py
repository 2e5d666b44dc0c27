"""What a live migration of a VM needs, point by point: fine, not fine, or not known, from facts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from webhook.errors import FactUnavailable
from webhook.kubevirt.migrationconfig import cluster_of
from webhook.kubevirt.migrationnetwork import attachment_of
from webhook.kubevirt.obstacles import DISKS
from webhook.kubevirt.resources import NETWORK_ATTACHMENT
from webhook.kubevirt.workload import vmi_of
from webhook.model.facts import FactCatalog, FactContext
from webhook.model.objects import JSON, namespace_of, strings

SHOWN = 3
"""Names in one line."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One point."""

    topic: str
    good: bool | None
    """None where nobody can tell."""
    text: str
    facts: frozenset[str] = frozenset()
    """What it was told from; a refusal that reads the same says the same."""


@dataclass(slots=True)
class _Facts:
    """Facts of one request, and which of them were read for the point in hand."""

    context: FactContext
    catalog: FactCatalog
    read: set[str]

    def __call__(self, name: str) -> JSON:
        self.read.add(name)
        return self.context.once(("fact", name), self.catalog[name].resolve)


def checks_of(context: FactContext, catalog: FactCatalog) -> tuple[Check, ...]:
    """Return every point for the VM that a CREATE of a migration is about; of a stopped one just those that matter.

    Raises FactUnavailable where not even that is known.
    """
    runs = vmi_of(context) is not None
    return tuple(_check(context, catalog, topic, look) for topic, look in _POINTS if runs or topic in _OF_ANY)


def _check(context: FactContext, catalog: FactCatalog, topic: str, look: _Look) -> Check:
    facts = _Facts(context, catalog, set())
    try:
        good, text = look(facts)
    except FactUnavailable as error:
        good, text = None, str(error)
    return Check(topic=topic, good=good, text=text, facts=frozenset(facts.read))


_Look = Callable[[_Facts], tuple[bool | None, str]]


def _named(names: Sequence[str], of: str = "") -> str:
    """The first few of them, and how many more there are."""
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return f"{of}{', '.join(names[:SHOWN])}{more}"


def _counted(count: int, word: str) -> str:
    return f"{count} {word}" if count == 1 else f"{count} {word}s"


def _right(facts: _Facts) -> tuple[bool | None, str]:
    origin = facts("requester.origin")
    if origin != "User":
        return True, f"not asked of a system component ({origin})"
    if facts("requester.canMigrate"):
        return True, "; ".join(facts("requester.boundTo")[:SHOWN]) or "granted by an authorizer other than RBAC"
    return False, f"missing: {', '.join(facts('requester.missing'))}"


def _running(facts: _Facts) -> tuple[bool | None, str]:
    phase, node = facts("vmi.phase"), facts("vmi.node")
    if not phase:
        return None, "KubeVirt has not said in which phase it is"
    return phase == "Running", f"{phase} on node {node}" if node else phase


def _disks(facts: _Facts) -> tuple[bool | None, str]:
    volumes, blocking = facts("volumes.all"), facts("volumes.blocking")
    if blocking:
        return False, _named([f"disk {one['name']}: {one['reason']}" for one in blocking])
    if facts("vmi.liveMigratable") == "False" and facts("vmi.liveMigratableReason") == DISKS:
        return False, f"KubeVirt says: {facts('vmi.liveMigratableMessage')}"
    copied = [str(one["name"]) for one in volumes if one["copied"]]
    shared = [_disk(one) for one in volumes if not one["copied"]]
    told = [_named(shared, of=f"{_counted(len(shared), 'disk')} within reach of both nodes: ")] if shared else []
    told += [_named(copied, of="copied along: ")] if copied else []
    return True, "; ".join(told) or "it has no disks"


def _disk(volume: JSON) -> str:
    modes = " and ".join(volume["accessModes"])
    return f"{volume['name']} ({volume['claim']}, {modes})" if volume["claim"] else str(volume["name"])


def _machine(facts: _Facts) -> tuple[bool | None, str]:
    if obstacles := [one for one in facts("vmi.obstacles") if one["reason"] != DISKS]:
        return False, _named([str(one["message"]) for one in obstacles])
    said = facts("vmi.liveMigratable")
    return True, "KubeVirt calls it live migratable" if said == "True" else "nothing is known that ties it to its node"


def _cpu(facts: _Facts) -> tuple[bool | None, str]:
    model, needed = facts("vmi.cpuModel") or "model not set", facts("vmi.requiredNodeLabels")
    if needed:
        labels = [f"{key}={wanted}" for key, wanted in sorted(needed.items())]
        return True, f"{model}; " + _named(labels, of="the target must have ")
    if not facts("capacity.targetsKnown"):
        return None, f"{model}; what it asks of a node is not known here"
    return True, f"{model}; it asks nothing of a node"


def _targets(facts: _Facts) -> tuple[bool | None, str]:
    if not facts("capacity.targetsKnown"):
        return None, "the nodes, or the node that it runs on, are not known here"
    if targets := facts("capacity.targets"):
        return True, _named(targets, of=f"{_counted(facts('capacity.targetCount'), 'node')} could take it: ")
    return False, "no node can take it now: " + "; ".join(facts("capacity.obstacles"))


def _quota(facts: _Facts) -> tuple[bool | None, str]:
    return (True, "holds a second pod") if facts("capacity.quotaFits") else (False, facts("capacity.quotaObstacle"))


def _network(facts: _Facts) -> tuple[bool | None, str]:
    written, context = facts("migration.network"), facts.context
    encrypted = "" if not facts("migration.disableTLS") else ", unencrypted"
    if not written:
        return not encrypted, f"the pod network{encrypted}"
    installed = cluster_of(context).kubevirt or cluster_of(context).hyperconverged
    home = namespace_of(installed) or next(iter(strings(context.parameters, "installNamespaces")), "")
    wanted = attachment_of(written, home)
    if not wanted.name or context.view.get(NETWORK_ATTACHMENT, wanted.namespace, wanted.name) is None:
        return False, f"NetworkAttachmentDefinition {written} does not exist in namespace {wanted.namespace}"
    return not encrypted, f"{wanted.namespace}/{wanted.name}{encrypted}"


def _queue(facts: _Facts) -> tuple[bool | None, str]:
    running, limit = facts("migrations.inFlight"), facts("migration.parallelMigrationsPerCluster")
    told = f"{running} of {limit} that may run at once in the cluster"
    return (True, told) if running < limit else (False, f"{told}: this one will wait its turn")


def _freeze(facts: _Facts) -> tuple[bool | None, str]:
    if facts("freeze.active"):
        until = facts("freeze.until")
        return False, f"{facts('freeze.name')} is open" + (f" until {until}" if until else "")
    upcoming = facts("freeze.next")
    return True, f"none is open; the next one opens {upcoming}" if upcoming else "none is open"


def _conflict(facts: _Facts) -> tuple[bool | None, str]:
    unfinished = facts("migrations.unfinishedOfVM")
    return (False, f"under way: {_named(unfinished)}") if unfinished else (True, "no other is under way")


def _post_copy(facts: _Facts) -> tuple[bool | None, str]:
    why, on = facts("vmi.criticalReason"), facts("migration.allowPostCopy")
    state = f"on ({facts('migration.sources')['allowPostCopy']})" if on else "off"
    if not why:
        return True, f"{state}; the VM is not critical"
    return not on, f"{state}; the VM is critical ({why})"


_POINTS: Sequence[tuple[str, _Look]] = (
    ("right to migrate", _right),
    ("VM", _running),
    ("other migrations of it", _conflict),
    ("disks", _disks),
    ("devices and machine", _machine),
    ("CPU model", _cpu),
    ("target nodes", _targets),
    ("quota", _quota),
    ("network", _network),
    ("post-copy", _post_copy),
    ("migrations now", _queue),
    ("freeze windows", _freeze),
)

_OF_ANY = frozenset({"right to migrate", "migrations now", "freeze windows"})
"""Points that do not take a VM that runs."""
