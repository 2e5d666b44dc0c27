"""The JSON Patch in HyperConverged's annotation, applied in memory as HCO applies it to the KubeVirt CR it renders.

HCO does not replace the KubeVirt CR by the patched document. It decodes that *into the Go struct that it rendered*, and
that changes what a patch means: ``remove`` takes nothing away, ``replace`` of a parent merges, keys match
whatever their case, and only an explicit null clears a field.

What surrounds the migration configuration is known from the cached KubeVirt CR only, which is older than HCO's own
rendering: the same write may change it. So an operation that fails there and cannot reach the migration configuration
is left out instead of failing the patch (if it truly fails, HCO itself refuses the object), and one that brings a value
from there into the migration configuration is not judged: nobody needs it, and it could bring anything.

Source: HyperConverged ``controllers/operands/operand.go`` (``applyAnnotationPatch``); Go ``encoding/json`` (field names
match by simple case folding; of several the last one wins).
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

from webhook.kubevirt.jsonpatch import PatchError, PatchStep, Pointer, apply_step, read_patch
from webhook.kubevirt.migrationfields import FIELDS, Form, MigrationField
from webhook.model.objects import JSON

ANNOTATION = "kubevirt.kubevirt.io/jsonpatch"
MAP: Pointer = ("spec", "configuration", "migrations")
"""Where the migration configuration stands in the KubeVirt CR."""

MAX_STEPS = 200
"""Operations in one annotation; bounds the work that it can cause."""

_MAX_UINT32 = 2**32 - 1
_UINT32 = frozenset({"parallelMigrationsPerCluster", "parallelOutboundMigrationsPerNode"})


def patched_migrations(
    written: str, rendered: Mapping[str, JSON], surroundings: Mapping[str, JSON]
) -> Mapping[str, JSON]:
    """Return the migration configuration that HCO ends up with.

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
    if len(steps) > MAX_STEPS:
        raise PatchError(f"it has {len(steps)} operations; more than {MAX_STEPS} are not judged")
    for step in steps:
        if step.path[0] != "spec" or len(step.path) == 1:
            raise PatchError(f"{step} is outside /spec/")


def _check_sources(steps: tuple[PatchStep, ...]) -> None:
    """Refuse a copy or move into the migration configuration whose value may come from outside of it."""
    unknown = False
    for step in steps:
        if step.kind not in {"copy", "move"}:
            continue
        outside = step.source[: len(MAP)] != MAP
        if _reaches(step.path) and (outside or unknown):
            raise PatchError(f"{step} takes its value from outside of the migration configuration, which is not judged")
        unknown = unknown or outside


def _document(rendered: Mapping[str, JSON], surroundings: Mapping[str, JSON]) -> dict[str, JSON]:
    document = {"apiVersion": "kubevirt.io/v1", "kind": "KubeVirt", "metadata": {}, **copy.deepcopy(dict(surroundings))}
    spec = document.get("spec")
    document["spec"] = spec = spec if isinstance(spec, dict) else {}
    configuration = spec.get("configuration")
    spec["configuration"] = configuration = configuration if isinstance(configuration, dict) else {}
    configuration["migrations"] = dict(rendered)
    return document


def _apply(document: dict[str, JSON], step: PatchStep) -> None:
    try:
        apply_step(document, step)
    except PatchError as error:
        if _reaches(step.path) or _reaches(step.source):
            raise PatchError(f"{step} fails: {error}") from None


def _reaches(path: Pointer) -> bool:
    """Say whether the path is that of the migration configuration, of what is around it, or of something in it."""
    return bool(path) and all(_fold(step) == wanted for step, wanted in zip(path, MAP, strict=False))


def _fold(key: str) -> str:
    """Fold case as Go does: one character for one."""
    return "".join(folded if len(folded := character.casefold()) == 1 else character for character in key)


_BY_FOLDED_NAME = {_fold(field.name): field for field in FIELDS if field.in_cluster}


def _decoded(document: Mapping[str, JSON], rendered: Mapping[str, JSON]) -> Mapping[str, JSON]:
    result = dict(rendered)
    for spec in _structs(document, "spec"):
        for configuration in _structs(spec, "configuration"):
            for key, node in configuration.items():
                if _fold(key) == "migrations":
                    _decode_map(node, result)
    return result


def _structs(node: Mapping[str, JSON], name: str) -> Iterator[Mapping[str, JSON]]:
    """Yield what is decoded into the struct of this name, in order; null leaves a struct as it is."""
    for key, item in node.items():
        if _fold(key) != name or item is None:
            continue
        if not isinstance(item, Mapping):
            raise PatchError(f"{key} is not a map afterwards")
        yield item


def _decode_map(node: JSON, result: dict[str, JSON]) -> None:
    if node is None:
        result.clear()
    elif isinstance(node, Mapping):
        for key, item in node.items():
            field = _BY_FOLDED_NAME.get(_fold(key))
            if field is not None:
                _decode_field(field, item, result)
    else:
        raise PatchError("migrations is not a map afterwards")


def _decode_field(field: MigrationField, item: JSON, result: dict[str, JSON]) -> None:
    if item is None:
        result.pop(field.name, None)
        return
    if field.read(item) is None or not _in_range(field, item):
        raise PatchError(f"{field.name} is not {field.form} afterwards")
    result[field.name] = item


def _in_range(field: MigrationField, item: JSON) -> bool:
    if field.form is not Form.INTEGER:
        return True
    unsigned = field.name in _UINT32 or field.name == "maxDowntimeMs"
    return not (unsigned and item < 0) and not (field.name in _UINT32 and item > _MAX_UINT32)
