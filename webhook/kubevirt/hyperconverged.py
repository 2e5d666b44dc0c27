"""What HyperConverged makes of its fields and annotation: the migration configuration of the KubeVirt CR it renders.

Its CRD has defaults of its own, which are not KubeVirt's and changed twice. The API server has filled them in by the
time an object is admitted or read back; a manifest may leave them out.

Source: HyperConverged ``controllers/handlers/kubevirt.go`` (``hcLiveMigrationToKv``, ``getKVConfig``),
``api/v1beta1/hyperconverged_types.go``, ``api/v1/hyperconverged_types.go`` (``LiveMigrationConfigurations``).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from webhook.kubevirt.jsonpatch import PatchError
from webhook.kubevirt.migrationfields import (
    BY_NAME,
    DEFAULTS,
    DISRUPTION,
    FIELDS,
    POST_COPY,
    Setting,
    Settings,
    following,
)
from webhook.kubevirt.patchannotation import ANNOTATION, Patched, patched
from webhook.kubevirt.resources import HYPERCONVERGED
from webhook.model.objects import (
    JSON,
    Object,
    ObjectRef,
    annotations_of,
    mapping,
    mappings,
    name_of,
    namespace_of,
    same,
    text,
)

_PATHS = {"v1": ("spec", "virtualization", "liveMigrationConfig"), "v1beta1": ("spec", "liveMigrationConfig")}
VERSIONS = tuple(_PATHS)
"""API versions of HyperConverged whose layout is known."""

HYPERCONVERGED_DEFAULT = "HyperConverged default"

Release: TypeAlias = tuple[int, int]
"""Major and minor of HyperConverged."""

UNKNOWN_RELEASE: Release = (1, 18)
"""What an installation counts as whose release nothing tells: the last one in which post-copy needs one switch only."""

_DEFAULTS: tuple[tuple[Release, Mapping[str, JSON]], ...] = (
    (
        (1, 19),
        {
            "parallelMigrationsPerCluster": 5,
            "parallelOutboundMigrationsPerNode": 1,
            "completionTimeoutPerGiB": 20,
            "progressTimeout": 150,
            "allowAutoConverge": False,
            POST_COPY: False,
            # Said explicitly, so it does not follow allowPostCopy: post-copy needs both to be switched on.
            DISRUPTION: False,
        },
    ),
    (
        (1, 14),
        {
            "parallelMigrationsPerCluster": 5,
            "parallelOutboundMigrationsPerNode": 2,
            "completionTimeoutPerGiB": 150,
            "progressTimeout": 150,
            "allowAutoConverge": False,
            POST_COPY: False,
        },
    ),
    (
        (0, 0),
        {
            "parallelMigrationsPerCluster": 5,
            "parallelOutboundMigrationsPerNode": 2,
            "completionTimeoutPerGiB": 800,
            "progressTimeout": 150,
            "allowAutoConverge": False,
            POST_COPY: False,
        },
    ),
)
"""What the CRD of a release and of those after it fills in.

Source: HyperConverged ``api/v1beta1/hyperconverged_types.go`` of v1.13.0, v1.14.0 and v1.18.0, ``api/v1`` of
release-1.19.
"""

_OPENSHIFT, _OPENSHIFT_AHEAD, _KUBEVIRT_BEHIND = 4, 4, 10
_NUMBERS = re.compile(r"v?([0-9]{1,3})\.([0-9]{1,3})(?![0-9])", re.ASCII)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rendering:
    """What HCO writes into the KubeVirt CR."""

    settings: Settings
    sets: tuple[str, ...]
    """The fields that this HyperConverged sets, by its own fields or by annotation."""
    writes: frozenset[str] = frozenset()
    """The fields that the KubeVirt CR has then: besides those, the ones with a default."""
    components: Mapping[str, JSON] = field(default_factory=dict)
    """What customizeComponents changes, by component: HCO itself has no such field, only its annotation reaches it."""
    error: str = ""
    """Why HCO cannot render it; the settings are then those without the annotation."""


def version_of(hyperconverged: Object | None) -> str:
    """Return the API version that an object is written in."""
    return text(hyperconverged, "apiVersion").rpartition("/")[2]


def path_of(version: str) -> tuple[str, ...]:
    """Return where the migration configuration stands; a field at the other version's place has no effect."""
    return _PATHS.get(version, _PATHS["v1beta1"])


def release_of(hyperconverged: Object | None, kubevirt: Object | None) -> Release:
    """Return which release is installed: what HyperConverged's status says, else what KubeVirt's version tells.

    OpenShift Virtualization 4.N is HyperConverged 1.(N-4), which brings KubeVirt 1.(N-14): each release of one pins
    one of the other.

    Source: HyperConverged ``controllers/hyperconverged/versions.go`` (the version named ``operator``),
    ``hack/config`` of each release (``KUBEVIRT_VERSION``).
    """
    versions = mappings(hyperconverged, "status", "versions")
    own = next((text(entry, "version") for entry in versions if text(entry, "name") == "operator"), "")
    if found := _NUMBERS.match(own):
        major, minor = int(found[1]), int(found[2])
        return (1, minor - _OPENSHIFT_AHEAD) if major == _OPENSHIFT else (major, minor)
    if found := _NUMBERS.match(text(kubevirt, "status", "observedKubeVirtVersion")):
        return int(found[1]), int(found[2]) + _KUBEVIRT_BEHIND
    return UNKNOWN_RELEASE


def defaults_of(release: Release) -> Mapping[str, JSON]:
    """Return what the CRD of a release fills in."""
    return next(defaults for since, defaults in _DEFAULTS if release >= since)


def render(
    hyperconverged: Object, kubevirt: Object | None, version: str = "", *, release: Release | None = None
) -> Rendering:
    """Return what HCO renders from an object.

    Args:
        hyperconverged: The object.
        kubevirt: The cached KubeVirt CR, which shows what is around the migration configuration.
        version: The API version, for objects whose own apiVersion is not to be relied upon.
        release: What is installed, for objects whose own status is not to be relied upon.
    """
    reference = ObjectRef(HYPERCONVERGED.kind, namespace_of(hyperconverged), name_of(hyperconverged))
    path = path_of(version or version_of(hyperconverged))
    written = _written(hyperconverged, path)
    own = {**defaults_of(release or release_of(hyperconverged, kubevirt)), **written}
    result, error = _patched(hyperconverged, own, kubevirt)
    settings = dict(DEFAULTS)
    for name, item in {**dict.fromkeys(own), **result.migrations}.items():
        if name in result.migrations and same(item, own.get(name)):
            source = f"{reference} {'.'.join(path)}.{name}" if name in written else HYPERCONVERGED_DEFAULT
        else:
            source = f"annotation {ANNOTATION} of {reference}"
        value = BY_NAME[name].read(item)
        settings[name] = Setting(DEFAULTS[name].value if value is None else value, source)
    following(settings, explicit=DISRUPTION in result.migrations)
    return Rendering(
        settings=settings,
        sets=tuple(
            name for name in BY_NAME if name in result.migrations and settings[name].source != HYPERCONVERGED_DEFAULT
        ),
        writes=frozenset(result.migrations),
        components=result.components,
        error=error,
    )


def _written(hyperconverged: Object, path: tuple[str, ...]) -> Mapping[str, JSON]:
    """Null is as good as absent: the API server takes it away and fills in the default."""
    written = mapping(hyperconverged, *path)
    return {
        known.name: written[known.name]
        for known in FIELDS
        if known.in_hyperconverged and known.read(written.get(known.name)) is not None
    }


def _patched(hyperconverged: Object, own: Mapping[str, JSON], kubevirt: Object | None) -> tuple[Patched, str]:
    written = annotations_of(hyperconverged).get(ANNOTATION)
    if written is None:
        return Patched(own, {}), ""
    try:
        return patched(written, own, kubevirt or {}), ""
    except PatchError as error:
        return Patched(own, {}), f"annotation {ANNOTATION}: {error}"
