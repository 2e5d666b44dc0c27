"""Which VMs a write makes worse off: that gain post-copy or disruption, or lose encryption or protection.

A critical VM counts as it runs now and as it will start next, by the labels in its template; a stopped one just so. One
that was exposed before the write does not count, so an unrelated update of an already unsafe cluster passes. What a
migration that was already handed off does is settled; its VM still counts, for its next migration.

Cost: two steps for each critical VM, and one policy match for each set of labels that differs in what policies look at.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass

from webhook.kubevirt.criticalflag import flag_change
from webhook.kubevirt.criticality import Flag
from webhook.kubevirt.indexkeys import ANY
from webhook.kubevirt.migrationfields import DISABLE_TLS, DISRUPTION, POST_COPY, Settings
from webhook.kubevirt.migrations import WAITING_PHASES, phase_of
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.worlds import Judge, Run, World, Write, world_now, write_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, namespace_of, text

FIRST = 10
"""Names that are listed; the counts are of all."""

_KINDS = {"postCopy": POST_COPY, "disruption": DISRUPTION, "tls": DISABLE_TLS}
"""What a critical VM can be exposed to, and the field that is true then."""
_COPYING = "volumeMigrations"
_GAINED = {**_KINDS, _COPYING: POST_COPY}


@dataclass(frozen=True, slots=True)
class Exposure:
    """What a write does to the VMs that it makes worse off, ``NAMESPACE/NAME``, each in order."""

    gained: Mapping[str, Mapping[str, str]]
    """By kind of exposure, for each VM that gains it: what switches it on."""
    unprotected: Mapping[str, str]
    """For each critical VM that a MigrationPolicy protected and none does now: the one that did."""
    running: frozenset[str] = frozenset()
    """Those that gain post-copy as they run now, not only from their next start on."""

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
    running = set()
    for run in _in_time(context, write.critical):
        was, becomes = _settings(run, before, after)
        for kind, name in _KINDS.items():
            if _gains(name, was, becomes):
                gained[kind].setdefault(str(run), becomes[name].source)
        if run.now and _gains(POST_COPY, was, becomes):
            running.add(str(run))
    for run in _in_time(context, write.copying):
        was, becomes = _settings(run, before, after)
        if _gains(POST_COPY, was, becomes):
            gained[_COPYING][str(run)] = becomes[POST_COPY].source
    ordered = {kind: dict(sorted(found.items())) for kind, found in gained.items()}
    unprotected = _unprotected(context, write, before, after) if write.moves_policies else {}
    unprotected = {name: policy for name, policy in unprotected.items() if name not in ordered["postCopy"]}
    return Exposure(ordered, unprotected, frozenset(running))


def _unprotected(context: FactContext, write: Write, before: Judge, after: Judge) -> dict[str, str]:
    """Return whom a MigrationPolicy spared before and none spares after.

    Apart from those exposed to post-copy before or after: what spares them a pause alone is no protection.
    """
    spared, sparing = (Judge(context, world.with_all_allowed()) for world in (write.before, write.after))
    found: dict[str, str] = {}
    for run in _in_time(context, write.critical):
        was, becomes = _settings(run, spared, sparing)
        lost = [name for name in (POST_COPY, DISRUPTION) if _gains(name, was, becomes)]
        if lost and not any(settings[POST_COPY].value is True for settings in _settings(run, before, after)):
            found.setdefault(str(run), was[lost[0]].source)
    return dict(sorted(found.items()))


def _settings(run: Run, before: Judge, after: Judge) -> tuple[Settings, Settings]:
    return before.settings_of(run.namespace, run.before), after.settings_of(run.namespace, run.after)


def _gains(name: str, was: Settings, becomes: Settings) -> bool:
    return becomes[name].value is True and was[name].value is not True


def _in_time(context: FactContext, runs: Iterable[Run]) -> Iterator[Run]:
    return context.deadline.walk(runs, "it was known which critical VMs the write exposes")


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
    exposure = exposure_of(context)
    exposed = exposure.gained["postCopy"].keys() & exposure.running
    return sorted(exposed & _waiting(context)) if exposed else []


@dataclass(frozen=True, slots=True)
class Gaining:
    """A VM that becomes critical where post-copy is in force for it: nothing gets worse by that."""

    source: str
    """What switches post-copy on."""
    running: bool
    """For the VMI that runs, and not only from the next start on."""


def _gaining(context: FactContext) -> dict[str, Gaining]:
    """Return them, ``NAMESPACE/NAME``, in order. Raises FactUnavailable when the time is up."""
    return context.once("gainingExposed", _find_gaining)


def _find_gaining(context: FactContext) -> dict[str, Gaining]:
    flag, change = Flag.of(context), flag_change(context)
    if not change.gaining:
        return {}
    judge, found = Judge(context, _world_after(context)), {}
    for name in change.gaining:
        for running, labels in change.labels[name].flagged(flag):
            post_copy = judge.settings_of(name.split("/", 1)[0], labels)[POST_COPY]
            if post_copy.value is True:
                found[name] = Gaining(post_copy.source, running)
                break
    return found


def _pending_gain(context: FactContext) -> list[str]:
    """Those of them with a migration that waits, which may use post-copy."""
    running = [name for name, found in _gaining(context).items() if found.running]
    return [name for name in running if name in _waiting(context)] if running else []


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
    "postCopy": "Critical VMs, as they run or will start next, that may switch to post-copy",
    "disruption": "Critical VMs, as they run or will start next, that may be paused or switched to post-copy",
    "tls": "Critical VMs, as they run or will start next, that are migrated unencrypted",
    _COPYING: "Running VMs, critical or not, whose volumes are being migrated and that may switch to post-copy",
}

FACTS = (
    *(
        Fact(
            f"exposure.{kind}",
            "list(string)",
            f"{words} after this write and not before: the first {FIRST}, as NAMESPACE/NAME; a pool or replica set by "
            "its own name.",
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
        "exposure.gainingExposed",
        "list(string)",
        "VMs that this write flags critical, or makes so, and for which post-copy is in force after it, as they run or "
        f"from their next start on: the first {FIRST}, as NAMESPACE/NAME; a pool or replica set by its own name.",
        lambda context: list(_gaining(context))[:FIRST],
    ),
    Fact("exposure.gainingExposedCount", "int", "How many there are.", lambda context: len(_gaining(context))),
    Fact(
        "exposure.gainingSources",
        "map(string)",
        "For each VM of exposure.gainingExposed, by NAMESPACE/NAME: what switches post-copy on.",
        lambda context: {name: found.source for name, found in list(_gaining(context).items())[:FIRST]},
    ),
    Fact(
        "exposure.unprotected",
        "list(string)",
        "Critical VMs, as they run or will start next, for which a MigrationPolicy ruled out post-copy or workload "
        "disruption before this write and none does after it (deleted, narrowed, outranked, out of reach), where the "
        f"cluster's settings still rule out post-copy: the first {FIRST}, as NAMESPACE/NAME. On the day those settings "
        "change, they are exposed.",
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
