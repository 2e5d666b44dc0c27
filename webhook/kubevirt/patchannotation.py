"""The JSON Patch in HyperConverged's annotation, applied in memory as HCO applies it to the KubeVirt CR it renders.

HCO does not replace the KubeVirt CR by the patched document. It decodes that *into the Go struct that it rendered*, and
that changes what a patch means: ``remove`` takes nothing away, ``replace`` of a parent merges, keys match
whatever their case, and only an explicit null clears a field.

Two parts of the KubeVirt CR are judged: the migration configuration and customizeComponents. What surrounds them is
known from the cached KubeVirt CR only, which is older than HCO's own rendering: the same write may change it. So an
operation that fails there and cannot reach either part is left out instead of failing the patch (if it truly fails,
HCO itself refuses the object), and one that brings a value from there into them is not judged: nobody needs it, and it
could bring anything.

Source: HyperConverged ``controllers/operands/operand.go`` (``applyAnnotationPatch``),
``controllers/handlers/kubevirt.go`` (``NewKubeVirt``, which renders no customizeComponents).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from webhook.kubevirt.componentpatches import CUSTOMIZE, components
from webhook.kubevirt.godecode import fold, members
from webhook.kubevirt.jsonpatch import PatchError, PatchStep, Pointer, apply_step, read_patch
from webhook.kubevirt.migrationfields import FIELDS, Form, MigrationField
from webhook.model.objects import JSON

ANNOTATION = "kubevirt.kubevirt.io/jsonpatch"
MAP: Pointer = ("spec", "configuration", "migrations")
"""Where the migration configuration stands in the KubeVirt CR."""

_JUDGED = (MAP, CUSTOMIZE)
"""The parts of the KubeVirt CR whose content is followed through the patch."""

_NAMES = {MAP[-1]: "the migration configuration", CUSTOMIZE[-1]: CUSTOMIZE[-1]}


@dataclass(frozen=True, slots=True)
class Patched:
    """What HCO ends up with in the parts of the KubeVirt CR that are judged."""

    migrations: Mapping[str, JSON]
    components: Mapping[str, JSON]
    """What customizeComponents changes, by component."""


def patched(written: str, rendered: Mapping[str, JSON], surroundings: Mapping[str, JSON]) -> Patched:
    """Return what HCO ends up with.

    Args:
        written: The annotation's text.
        rendered: The migration configuration that HCO rendered from its own fields.
        surroundings: A KubeVirt CR as HCO renders it, as far as it is known.

    Raises:
        PatchError: HCO would fail on it, or what it does cannot be told.
    """
    try:
        steps = read_patch(written)
        _check(steps)
        document = _document(rendered, surroundings)
        _check_sources(steps)
        for step in steps:
            _apply(document, step)
        return _decoded(document, rendered)
    except RecursionError:
        raise PatchError("it is nested too deeply") from None


def _check(steps: tuple[PatchStep, ...]) -> None:
    for step in steps:
        if step.path[0] != "spec" or len(step.path) == 1:
            raise PatchError(f"{step} is outside /spec/")


def _check_sources(steps: tuple[PatchStep, ...]) -> None:
    """Refuse a copy or move into what is judged whose value may come from outside of it."""
    unknown = False
    for step in steps:
        if step.kind not in {"copy", "move"}:
            continue
        outside = all(step.source[: len(part)] != part for part in _JUDGED)
        if _reaches(step.path) and (outside or unknown):
            part = next(part for part in _JUDGED if _touches(step.path, part))[-1]
            raise PatchError(f"{step} takes its value from outside of {_NAMES[part]}, which is not judged")
        unknown = unknown or outside


def _document(rendered: Mapping[str, JSON], surroundings: Mapping[str, JSON]) -> dict[str, JSON]:
    document = {"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {}, **copy.deepcopy(dict(surroundings))}
    spec = document.get("spec")
    document["spec"] = spec = spec if isinstance(spec, dict) else {}
    configuration = spec.get("configuration")
    spec["configuration"] = configuration = configuration if isinstance(configuration, dict) else {}
    configuration["migrations"] = dict(rendered)
    spec[CUSTOMIZE[-1]] = {}
    return document


def _apply(document: dict[str, JSON], step: PatchStep) -> None:
    try:
        apply_step(document, step)
    except PatchError as error:
        if _reaches(step.path) or _reaches(step.source):
            raise PatchError(f"{step} fails: {error}") from None


def _reaches(path: Pointer) -> bool:
    return any(_touches(path, part) for part in _JUDGED)


def _touches(path: Pointer, part: Pointer) -> bool:
    """Say whether the path is that of this part, of what is around it, or of something in it, whatever the case."""
    return bool(path) and all(fold(step) == fold(wanted) for step, wanted in zip(path, part, strict=False))


_BY_FOLDED_NAME = {fold(field.name): field for field in FIELDS if field.in_cluster}


def _decoded(document: Mapping[str, JSON], rendered: Mapping[str, JSON]) -> Patched:
    migrations = dict(rendered)
    specs = list(_structs(document, "spec"))
    for spec in specs:
        for configuration in _structs(spec, "configuration"):
            for _, node in members(configuration, "migrations"):
                _decode_map(node, migrations)
    return Patched(migrations, components(found for spec in specs for found in _structs(spec, CUSTOMIZE[-1])))


def _structs(node: Mapping[str, JSON], name: str) -> Iterator[Mapping[str, JSON]]:
    """Yield what is decoded into the struct of this name, in order; null leaves a struct as it is."""
    for key, item in members(node, name):
        if item is None:
            continue
        if not isinstance(item, Mapping):
            raise PatchError(f"{key} is not a map afterwards")
        yield item


def _decode_map(node: JSON, result: dict[str, JSON]) -> None:
    if node is None:
        result.clear()
    elif isinstance(node, Mapping):
        for key, item in node.items():
            field = _BY_FOLDED_NAME.get(fold(key))
            if field is not None:
                _decode_field(field, item, result)
    else:
        raise PatchError("migrations is not a map afterwards")


def _decode_field(field: MigrationField, item: JSON, result: dict[str, JSON]) -> None:
    if item is None:
        result.pop(field.name, None)
        return
    if field.form is Form.QUANTITY and isinstance(item, str):
        item = item.strip()  # as resource.Quantity does
    if field.read(item) is None:
        raise PatchError(f"{field.name} is not {field.expected} afterwards")
    result[field.name] = item
