"""Which running VMs a write makes worse off: that gain post-copy or disruption, or lose encryption or protection.

A VM that was exposed before the write does not count, so an unrelated update of an already unsafe cluster passes. What
a migration that was already handed off does is settled; its VM still counts, for its next migration.

Cost: one step for each critical VM, and one policy match for each set of labels that differs in what policies look at.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass

from webhook.kubevirt.criticalflag import flag_change
from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.migrationfields import DISABLE_TLS, DISRUPTION, POST_COPY, Settings
from webhook.kubevirt.migrations import WAITING_PHASES, phase_of
from webhook.kubevirt.resources import VMI, VMIM
from webhook.kubevirt.worlds import Judge, World, Write, world_now, write_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, name_of, namespace_of, text

FIRST = 10
"""Names that are listed; the counts are of all."""

_KINDS = {"postCopy": POST_COPY, "disruption": DISRUPTION, "tls": DISABLE_TLS}
"""What a critical VM can be exposed to, and the field that is true then."""
_COPYING = "volumeMigrations"
_GAINED = {**_KINDS, _COPYING: POST_COPY}

_CHECK_EVERY = 256
"""VMs between two looks at the clock."""


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a write does to the running VMs that it makes worse off, ``NAMESPACE/NAME``, each in order."""

    gained: Mapping[str, Mapping[str, str]]
    """By kind of exposure, for each VM that gains it: what switches it on."""
    unprotected: Mapping[str, str]
    """For each critical VM that a MigrationPolicy protected and none does now: the one that did."""

    def first(self, kind: str) -> list[str]:
        """The first names."""
        return list(self.gained[kind])[:FIRST]

    def count(self, kind: str) -> int:
        """How many there are."""
        return len(self.gained[kind])


def exposure_of(context: FactContext) -> Exposure:
    """Return which VMs this write makes worse off. Raises FactUnavailable when the time is up."""
    return context.once("exposure", _exposure)


def _exposure(context: FactContext) -> Exposure:
    write = write_of(context)
    gained: dict[str, dict[str, str]] = {kind: {} for kind in _GAINED}
    if write is None:
        return Exposure(gained, {})
    before, after = Judge(context, write.before), Judge(context, write.after)
    for vmi in _in_time(context, write.critical):
        was, becomes = before.settings_of(vmi), after.settings_of(vmi)
        for kind, name in _KINDS.items():
            if _gains(name, was, becomes):
                gained[kind][_name(vmi)] = becomes[name].source
    for vmi in _in_time(context, write.copying):
        was, becomes = before.settings_of(vmi), after.settings_of(vmi)
        if _gains(POST_COPY, was, becomes):
            gained[_COPYING][_name(vmi)] = becomes[POST_COPY].source
    ordered = {kind: dict(sorted(found.items())) for kind, found in gained.items()}
    return Exposure(ordered, _unprotected(context, write, ordered["postCopy"]) if write.moves_policies else {})


def _unprotected(context: FactContext, write: Write, exposed: Container[str]) -> dict[str, str]:
    """Return whom a MigrationPolicy spared before and none spares after, apart from those exposed to post-copy now."""
    before, after = (Judge(context, world.with_all_allowed()) for world in (write.before, write.after))
    found = {}
    for vmi in _in_time(context, write.critical):
        was, becomes = before.settings_of(vmi), after.settings_of(vmi)
        lost = [name for name in (POST_COPY, DISRUPTION) if _gains(name, was, becomes)]
        if lost and _name(vmi) not in exposed:
            found[_name(vmi)] = was[lost[0]].source
    return dict(sorted(found.items()))


def _gains(name: str, was: Settings, becomes: Settings) -> bool:
    return becomes[name].value is True and was[name].value is not True


def _in_time(context: FactContext, vmis: Iterable[Object]) -> Iterator[Object]:
    for number, vmi in enumerate(vmis):
        if number % _CHECK_EVERY == 0:
            context.deadline.check("it was known which critical VMs the write exposes")
        yield vmi


def _name(vmi: Object) -> str:
    return f"{namespace_of(vmi)}/{name_of(vmi)}"


def _waiting(context: FactContext) -> frozenset[str]:
    """The VMIs, ``NAMESPACE/NAME``, with a migration that is not handed off yet: it will use what is in force then."""
    return context.once(
        "waiting",
        lambda context: frozenset(
            f"{namespace_of(vmim)}/{text(vmim, 'spec', 'vmiName')}"
            for vmim in context.view.select(VMIM, "inFlight", ANY)
            if phase_of(vmim) in WAITING_PHASES
        ),
    )


def _pending(context: FactContext) -> list[str]:
    exposed = exposure_of(context).gained["postCopy"]
    return [name for name in exposed if name in _waiting(context)] if exposed else []


def _pending_gain(context: FactContext) -> list[str]:
    """VMs that become critical while a migration waits that may use post-copy: nothing of theirs gets worse by it."""
    found, judge = [], None
    for name in flag_change(context).gaining:
        if name not in _waiting(context):
            continue
        judge = judge or Judge(context, _world_after(context))
        vmi = context.view.get(VMI, *name.split("/", 1))
        if vmi is not None and judge.settings_of(vmi)[POST_COPY].value is True:
            found.append(name)
    return found


def _world_after(context: FactContext) -> World:
    write = write_of(context)
    return write.after if write else world_now(context)


def _sources(context: FactContext) -> dict[str, str]:
    exposure = exposure_of(context)
    found: dict[str, str] = {}
    for kind in _GAINED:
        for name in exposure.first(kind):
            found.setdefault(name, exposure.gained[kind][name])
    return found


def _first(kind: str) -> Callable[[FactContext], JSON]:
    return lambda context: exposure_of(context).first(kind)


def _count(kind: str) -> Callable[[FactContext], JSON]:
    return lambda context: exposure_of(context).count(kind)


_WORDS = {
    "postCopy": "Running critical VMs that may switch to post-copy",
    "disruption": "Running critical VMs that may be paused or switched to post-copy",
    "tls": "Running critical VMs that are migrated unencrypted",
    _COPYING: "Running VMs, critical or not, whose volumes are being migrated and that may switch to post-copy",
}

FACTS = (
    *(
        Fact(
            f"exposure.{kind}",
            "list(string)",
            f"{words} after this write and not before: the first {FIRST}, as NAMESPACE/NAME.",
            _first(kind),
        )
        for kind, words in _WORDS.items()
    ),
    *(
        Fact(f"exposure.{kind}Count", "int", f"{words} after this write and not before: how many.", _count(kind))
        for kind, words in _WORDS.items()
    ),
    Fact(
        "exposure.sources",
        "map(string)",
        "For each VM listed, by NAMESPACE/NAME: what switches it on.",
        _sources,
    ),
    Fact(
        "exposure.pending",
        "list(string)",
        "Those VMs that gain post-copy while a migration of theirs waits, which would use it: every phase before "
        f"PreparingTarget, where the configuration is settled. The first {FIRST}.",
        lambda context: _pending(context)[:FIRST],
    ),
    Fact("exposure.pendingCount", "int", "How many there are.", lambda context: len(_pending(context))),
    Fact(
        "exposure.pendingGain",
        "list(string)",
        "VMs that this write flags critical while a migration of theirs waits that may switch to post-copy: the first "
        f"{FIRST}, as NAMESPACE/NAME.",
        lambda context: _pending_gain(context)[:FIRST],
    ),
    Fact("exposure.pendingGainCount", "int", "How many there are.", lambda context: len(_pending_gain(context))),
    Fact(
        "exposure.unprotected",
        "list(string)",
        "Running critical VMs for which a MigrationPolicy ruled out post-copy or workload disruption before this write "
        "and none does after it (deleted, narrowed, outranked, out of reach), where the cluster's settings still rule "
        f"out post-copy: the first {FIRST}, as NAMESPACE/NAME. On the day those settings change, they are exposed.",
        lambda context: list(exposure_of(context).unprotected)[:FIRST],
    ),
    Fact(
        "exposure.unprotectedCount",
        "int",
        "How many there are.",
        lambda context: len(exposure_of(context).unprotected),
    ),
    Fact(
        "exposure.protectors",
        "map(string)",
        "For each VM of exposure.unprotected, by NAMESPACE/NAME: the MigrationPolicy that protected it.",
        lambda context: dict(list(exposure_of(context).unprotected.items())[:FIRST]),
    ),
)
