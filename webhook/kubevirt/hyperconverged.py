"""What HyperConverged makes of its fields and annotation: the migration configuration of the KubeVirt CR it renders.

Source: HyperConverged ``controllers/handlers/kubevirt.go`` (``hcLiveMigrationToKv``, ``getKVConfig``),
``api/v1beta1/hyperconverged_types.go``, ``api/v1/hyperconverged_types.go``.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from webhook.kubevirt.jsonpatch import PatchError
from webhook.kubevirt.migrationfields import BY_NAME, DEFAULTS, DISRUPTION, FIELDS, Setting, Settings, following
from webhook.kubevirt.patchannotation import ANNOTATION, patched_migrations
from webhook.kubevirt.resources import HYPERCONVERGED
from webhook.model.objects import JSON, Object, ObjectRef, annotations_of, mapping, name_of, namespace_of, same, text

_PATHS = {"v1": ("spec", "virtualization", "liveMigrationConfig"), "v1beta1": ("spec", "liveMigrationConfig")}
VERSIONS = tuple(_PATHS)
"""API versions of HyperConverged whose layout is known."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What HCO writes into the KubeVirt CR."""

    settings: Settings
    sets: tuple[str, ...]
    """The fields that this HyperConverged sets, by its own fields or by annotation."""
    error: str = ""
    """Why HCO cannot render it; the settings are then those without the annotation."""


def version_of(hyperconverged: Object | None) -> str:
    """Return the API version that an object is written in."""
    return text(hyperconverged, "apiVersion").rpartition("/")[2]


def path_of(version: str) -> tuple[str, ...]:
    """Return where the migration configuration stands; a field at the other version's place has no effect."""
    return _PATHS.get(version, _PATHS["v1beta1"])


def render(hyperconverged: Object, kubevirt: Object | None, version: str = "") -> Rendering:
    """Return what HCO renders from an object.

    ``kubevirt`` is the cached KubeVirt CR, which shows what is around the migration configuration; ``version`` is for
    objects whose own apiVersion is not to be relied upon.
    """
    reference = ObjectRef(HYPERCONVERGED.kind, namespace_of(hyperconverged), name_of(hyperconverged))
    path = path_of(version or version_of(hyperconverged))
    own = _own(hyperconverged, path)
    patched, error = _patched(hyperconverged, own, kubevirt)
    settings = dict(DEFAULTS)
    for name in BY_NAME:
        if name in patched and same(patched.get(name), own.get(name)):
            settings[name] = Setting(BY_NAME[name].read(patched[name]), f"{reference} {'.'.join(path)}.{name}")
        elif name in patched or name in own:
            value = BY_NAME[name].read(patched.get(name))
            default = DEFAULTS[name].value
            settings[name] = Setting(default if value is None else value, f"annotation {ANNOTATION} of {reference}")
    following(settings, explicit=DISRUPTION in patched)
    return Rendering(settings=settings, sets=tuple(name for name in BY_NAME if name in patched), error=error)


def _own(hyperconverged: Object, path: tuple[str, ...]) -> Mapping[str, JSON]:
    written = mapping(hyperconverged, *path)
    return {
        field.name: written[field.name]
        for field in FIELDS
        if field.in_hyperconverged and field.read(written.get(field.name)) is not None
    }


def _patched(
    hyperconverged: Object, own: Mapping[str, JSON], kubevirt: Object | None
) -> tuple[Mapping[str, JSON], str]:
    written = annotations_of(hyperconverged).get(ANNOTATION)
    if written is None:
        return own, ""
    try:
        return patched_migrations(written, own, kubevirt or {}), ""
    except PatchError as error:
        return own, f"annotation {ANNOTATION}: {error}"
