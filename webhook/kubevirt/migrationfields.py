"""The fields of KubeVirt's migration configuration: type, default, and in which objects they may be set.

Source: KubeVirt ``staging/src/kubevirt.io/api/core/v1/types.go`` (MigrationConfiguration),
``staging/src/kubevirt.io/api/migrations/v1alpha1/types.go``, ``pkg/virt-config/configuration.go`` (defaults),
``pkg/virt-handler/migration-source.go`` (``migrateVMI``: what is read from the copy made at hand-off);
HyperConverged ``api/v1/hyperconverged_types.go`` (LiveMigrationConfigurations).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import TypeAlias

from webhook.model.facts import CelType
from webhook.model.objects import JSON
from webhook.model.quantity import MAX_INT64, parse_bytes


class Form(StrEnum):
    """How a value is written in an object."""

    BOOLEAN = "a boolean"
    INTEGER = "a whole number"
    QUANTITY = "a quantity such as 64Mi"
    TEXT = "a string"
    OPTIONS = "a map"


@dataclass(frozen=True, slots=True, kw_only=True)
class MigrationField:
    """One field, by KubeVirt's name."""

    name: str
    form: Form
    default: JSON
    """What KubeVirt does where nothing sets it."""
    summary: str
    least: int = -MAX_INT64
    most: int = MAX_INT64
    """The range of the Go type that a number is decoded into; within it KubeVirt checks next to nothing."""
    at_handoff: bool = False
    """What counts for a migration that runs is the copy that its VMI was given at hand-off; all else is read live."""
    in_cluster: bool = True
    """In the KubeVirt CR."""
    in_hyperconverged: bool = False
    in_policy: bool = False
    """In a MigrationPolicy."""

    @property
    def cel_type(self) -> CelType:
        """Its type as a fact."""
        match self.form:
            case Form.BOOLEAN:
                return "bool"
            case Form.INTEGER | Form.QUANTITY:
                return "int"
            case Form.TEXT:
                return "string"
            case Form.OPTIONS:
                return "map(dyn)"

    @property
    def expected(self) -> str:
        """What a value must be, for messages."""
        limited = (self.least, self.most) != (-MAX_INT64, MAX_INT64)
        return f"{self.form} from {self.least} to {self.most}" if limited else self.form

    def read(self, written: JSON) -> JSON:
        """Return what a written value means, quantities in bytes; None for null and for what is not of its form."""
        match self.form:
            case Form.BOOLEAN:
                return written if isinstance(written, bool) else None
            case Form.INTEGER:
                whole = isinstance(written, int) and not isinstance(written, bool)
                return written if whole and self.least <= written <= self.most else None
            case Form.QUANTITY:
                return parse_bytes(written)
            case Form.TEXT:
                return written if isinstance(written, str) else None
            case Form.OPTIONS:
                return dict(written) if isinstance(written, Mapping) else None


_MAX_UINT32 = 2**32 - 1

POST_COPY = "allowPostCopy"
DISRUPTION = "allowWorkloadDisruption"
DISABLE_TLS = "disableTLS"
DANGERS = (POST_COPY, DISRUPTION, DISABLE_TLS)
"""Fields that put a VM at risk when they are true."""

FIELDS = (
    MigrationField(
        name="parallelMigrationsPerCluster",
        form=Form.INTEGER,
        default=5,
        summary="Migrations that run at once in the cluster",
        least=0,
        most=_MAX_UINT32,
        in_hyperconverged=True,
    ),
    MigrationField(
        name="parallelOutboundMigrationsPerNode",
        form=Form.INTEGER,
        default=2,
        summary="Migrations that leave one node at once",
        least=0,
        most=_MAX_UINT32,
        in_hyperconverged=True,
    ),
    MigrationField(
        name="bandwidthPerMigration",
        form=Form.QUANTITY,
        default=0,
        summary="Bytes per second that one migration may use; 0 is unlimited",
        at_handoff=True,
        in_hyperconverged=True,
        in_policy=True,
    ),
    MigrationField(
        name="completionTimeoutPerGiB",
        form=Form.INTEGER,
        default=150,
        summary="Seconds per GiB of guest before a migration is given up, or post-copy or a pause may follow",
        at_handoff=True,
        in_hyperconverged=True,
        in_policy=True,
    ),
    MigrationField(
        name="progressTimeout",
        form=Form.INTEGER,
        default=150,
        summary="Seconds without progress after which a migration is given up",
        at_handoff=True,
        in_hyperconverged=True,
    ),
    MigrationField(
        name="allowAutoConverge",
        form=Form.BOOLEAN,
        default=False,
        summary="The guest may be slowed down so that the migration ends",
        at_handoff=True,
        in_hyperconverged=True,
        in_policy=True,
    ),
    MigrationField(
        name=POST_COPY,
        form=Form.BOOLEAN,
        default=False,
        summary="The migration may switch to post-copy; a network failure then kills the VM",
        at_handoff=True,
        in_hyperconverged=True,
        in_policy=True,
    ),
    MigrationField(
        name=DISRUPTION,
        form=Form.BOOLEAN,
        default=False,
        summary="The guest may be paused or switched to post-copy when time is up; follows allowPostCopy where unset",
        at_handoff=True,
        in_hyperconverged=True,
        in_policy=True,
    ),
    MigrationField(
        name="network",
        form=Form.TEXT,
        default="",
        summary="Dedicated migration network; empty is the pod network",
        in_hyperconverged=True,
    ),
    MigrationField(
        name=DISABLE_TLS,
        form=Form.BOOLEAN,
        default=False,
        summary="Guest memory crosses the network unencrypted",
    ),
    MigrationField(
        name="unsafeMigrationOverride",
        form=Form.BOOLEAN,
        default=False,
        summary="The safety checks of libvirt are overridden",
        at_handoff=True,
    ),
    MigrationField(
        name="nodeDrainTaintKey",
        form=Form.TEXT,
        default="kubevirt.io/drain",
        summary="A node with this taint is evacuated",
    ),
    MigrationField(
        name="matchSELinuxLevelOnMigration",
        form=Form.BOOLEAN,
        default=True,
        summary="The target has the source's SELinux level",
    ),
    MigrationField(
        name="utilityVolumesTimeout",
        form=Form.INTEGER,
        default=150,
        summary="Seconds to wait for utility volumes to be detached",
    ),
    MigrationField(
        name="maxDowntimeMs",
        form=Form.INTEGER,
        default=900,
        summary="Milliseconds that the guest may stand still at the switch",
        least=0,
        at_handoff=True,
        in_policy=True,
    ),
    MigrationField(
        name="experimental",
        form=Form.OPTIONS,
        default={},
        summary="Experimental options of KubeVirt 1.9: stallDetector, downtimeTuning, compression",
        at_handoff=True,
        in_cluster=False,
        in_policy=True,
    ),
)
BY_NAME = {field.name: field for field in FIELDS}

KUBEVIRT_DEFAULT = "KubeVirt default"


@dataclass(frozen=True, slots=True)
class Setting:
    """The value of one field and what set it."""

    value: JSON
    source: str


Settings: TypeAlias = Mapping[str, Setting]
"""A complete migration configuration: a setting for every field."""

DEFAULTS: Settings = {field.name: Setting(field.default, KUBEVIRT_DEFAULT) for field in FIELDS}


def fields_set(written: Mapping[str, JSON], *, in_policy: bool = False) -> Iterator[tuple[MigrationField, JSON]]:
    """Yield each field that a map written in an object sets, with its value; null and wrong types set nothing."""
    for field in FIELDS:
        if field.in_policy if in_policy else field.in_cluster:
            found = field.read(written.get(field.name))
            if found is not None:
                yield field, found


def following(settings: dict[str, Setting], explicit: bool) -> dict[str, Setting]:
    """Let allowWorkloadDisruption follow allowPostCopy unless it was set itself; changes and returns ``settings``.

    Source: KubeVirt ``pkg/virt-config/virt-config.go`` (``GetMigrationConfiguration``).
    """
    if not explicit:
        settings[DISRUPTION] = settings[POST_COPY]
    return settings
