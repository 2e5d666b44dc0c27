"""What policies can read of a write of the migration configuration: the facts ``config.*``."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from webhook.kubevirt.configchange import change_of, objects_of
from webhook.kubevirt.migrationconfig import sources
from webhook.kubevirt.migrationfields import BY_NAME, FIELDS
from webhook.kubevirt.patchannotation import ANNOTATION
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, annotations_of, mapping, value

FIRST = 10
"""Names that are listed; the counts are of all."""


def _pointer(path: tuple[str, ...]) -> str:
    return "".join(f"/{step}" for step in path)


def _missing(context: FactContext) -> list[str]:
    path = change_of(context).path
    _, new = objects_of(context.request)
    above = [path[:depth] for depth in range(1, len(path) + 1)]
    return [_pointer(step) for step in above if not isinstance(value(new, *step), Mapping)]


def _changed(context: FactContext) -> list[str]:
    change = change_of(context)
    return [name for name in BY_NAME if change.before[name].value != change.after[name].value]


def _error_before(context: FactContext) -> str:
    """Return it where all that the configuration is made of is left alone: an old error is no licence to add to it."""
    change = change_of(context)
    was, becomes = (
        (mapping(found, *change.path), annotations_of(found).get(ANNOTATION)) for found in objects_of(context.request)
    )
    return change.error_before if was == becomes else ""


def _before(name: str) -> Callable[[FactContext], JSON]:
    return lambda context: change_of(context).before[name].value


def _after(name: str) -> Callable[[FactContext], JSON]:
    return lambda context: change_of(context).after[name].value


FACTS = (
    Fact(
        "config.applies",
        "bool",
        "The request writes a HyperConverged, a KubeVirt CR or a MigrationPolicy (not just its status).",
        lambda context: change_of(context).applies,
    ),
    *(
        Fact(
            f"config.before.{field.name}",
            field.cel_type,
            f"{field.summary}. Before this write; on CREATE of a HyperConverged or KubeVirt CR the default.",
            _before(field.name),
        )
        for field in FIELDS
    ),
    *(
        Fact(
            f"config.after.{field.name}",
            field.cel_type,
            f"{field.summary}. After this write; of a MigrationPolicy for the VMs that it applies to.",
            _after(field.name),
        )
        for field in FIELDS
    ),
    Fact(
        "config.sources",
        "map(string)",
        "What sets each field after this write.",
        lambda context: sources(change_of(context).after),
    ),
    Fact(
        "config.sets",
        "list(string)",
        "The fields that this object itself sets after this write, by annotation too.",
        lambda context: list(change_of(context).sets),
    ),
    Fact("config.changed", "list(string)", "The fields whose value in force this write changes.", _changed),
    Fact(
        "config.path",
        "string",
        "JSON pointer of the map in this object that holds the migration configuration.",
        lambda context: _pointer(change_of(context).path),
    ),
    Fact(
        "config.missing",
        "list(string)",
        "JSON pointers of the maps on that path that are not there, outermost first: add them before a field.",
        _missing,
    ),
    Fact(
        "config.rendered",
        "bool",
        "What this write of the KubeVirt CR changes is what the stored HyperConverged says: its operator's reconcile, "
        "of a write that was judged when it was made.",
        lambda context: change_of(context).rendered,
    ),
    Fact(
        "config.error",
        "string",
        "Why the result cannot be told, such as a malformed jsonpatch annotation; empty if it can.",
        lambda context: change_of(context).error,
    ),
    Fact(
        "config.errorBefore",
        "string",
        "The same of the object before this write, where the write leaves alone what the configuration is made of.",
        _error_before,
    ),
    Fact(
        "config.components",
        "list(string)",
        f"Components of KubeVirt that customizeComponents changes after this write in another way than before, such as "
        f"'Deployment virt-controller' or 'flags of virt-api'; the first {FIRST}.",
        lambda context: list(change_of(context).components[:FIRST]),
    ),
    Fact(
        "config.componentCount",
        "int",
        "How many such components there are.",
        lambda context: len(change_of(context).components),
    ),
)
