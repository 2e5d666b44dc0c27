"""What a write of HyperConverged, the KubeVirt CR or a MigrationPolicy makes of the migration configuration.

Before and after are both computed from the request's old and new object, so that an update which changes something else
is not blamed for what was already there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from webhook.kubevirt.componentpatches import CUSTOMIZE, components, newly_changed
from webhook.kubevirt.hyperconverged import VERSIONS, Rendering, path_of, release_of, render
from webhook.kubevirt.migrationconfig import (
    KUBEVIRT_PATH,
    cluster_of,
    cluster_settings,
    kubevirt_settings,
    migration_policies,
    rendering_of,
)
from webhook.kubevirt.migrationfields import BY_NAME, DEFAULTS, MigrationField, Settings, fields_set
from webhook.kubevirt.migrationpolicy import MigrationPolicy, overlay
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY
from webhook.kubevirt.workload import is_about
from webhook.model.facts import FactContext
from webhook.model.objects import JSON, Object, mapping
from webhook.model.request import AdmissionRequest, Operation


@dataclass(frozen=True, slots=True, kw_only=True)
class ConfigChange:
    """The migration configuration before and after a write."""

    before: Settings
    after: Settings
    sets: tuple[str, ...] = ()
    path: tuple[str, ...] = ()
    error: str = ""
    error_before: str = ""
    components: tuple[str, ...] = ()
    """The components of KubeVirt that customizeComponents changes then, in another way than before."""
    rendered: bool = False
    """It writes into the KubeVirt CR what the HyperConverged that is stored renders."""
    applies: bool = True


def objects_of(request: AdmissionRequest) -> tuple[Object | None, Object | None]:
    """Return the object before and after the write; None where there is none, whatever the request carries."""
    old = request.old_object if request.operation is not Operation.CREATE else None
    new = request.object if request.operation is not Operation.DELETE else None
    return old, new


def change_of(context: FactContext) -> ConfigChange:
    """Return what the write changes; for all other requests the configuration in force, unchanged."""
    return context.once("configChange", _change)


def _change(context: FactContext) -> ConfigChange:
    request = context.request
    if not request.subresource:
        for watched, judge in (
            (HYPERCONVERGED, _hyperconverged),
            (KUBEVIRT, _kubevirt),
            (MIGRATION_POLICY, _migration_policy),
        ):
            if is_about(request, watched):
                return judge(context, *objects_of(request))
    in_force = cluster_settings(context)
    return ConfigChange(before=in_force, after=in_force, applies=False)


def _hyperconverged(context: FactContext, old: Object | None, new: Object | None) -> ConfigChange:
    version, cluster = context.request.kind.version, cluster_of(context)
    path = path_of(version)
    # The new object's own status may be anything that its author wrote.
    release = release_of(old or cluster.hyperconverged, cluster.kubevirt)
    rendered_before, rendered_after = (
        render(found, cluster.kubevirt, version, release=release) if found is not None else None for found in (old, new)
    )
    before = _in_force(rendered_before, cluster_settings(context))
    return ConfigChange(
        before=before,
        after=_in_force(rendered_after, before),
        sets=rendered_after.sets if rendered_after else (),
        path=path,
        error=_error(new, rendered_after, path, version),
        error_before=_error(old, rendered_before, path, version),
        components=newly_changed(_components(rendered_before), _components(rendered_after)),
    )


def _components(rendering: Rendering | None) -> Mapping[str, JSON]:
    return {} if rendering is None else rendering.components


def _in_force(rendering: Rendering | None, otherwise: Settings) -> Settings:
    """HCO leaves the KubeVirt CR as it is while it cannot render."""
    if rendering is None:
        return DEFAULTS
    return otherwise if rendering.error else rendering.settings


def _error(hyperconverged: Object | None, rendering: Rendering | None, path: tuple[str, ...], version: str) -> str:
    if rendering is None:
        return ""
    if version not in VERSIONS:
        return f"HyperConverged of version '{version}' is not known; known are {', '.join(VERSIONS)}"
    return rendering.error or _unreadable(hyperconverged, path, lambda field: field.in_hyperconverged)


def _kubevirt(context: FactContext, old: Object | None, new: Object | None) -> ConfigChange:
    hyperconverged = cluster_of(context).hyperconverged
    before = kubevirt_settings(old, hyperconverged) if old is not None else DEFAULTS
    after = kubevirt_settings(new, hyperconverged) if new is not None else DEFAULTS
    return ConfigChange(
        before=before,
        after=after,
        rendered=new is not None and _is_rendered(hyperconverged, new, before, after),
        sets=tuple(field.name for field, _ in fields_set(mapping(new, *KUBEVIRT_PATH))),
        path=KUBEVIRT_PATH,
        error=_unreadable(new, KUBEVIRT_PATH, lambda field: field.in_cluster),
        error_before=_unreadable(old, KUBEVIRT_PATH, lambda field: field.in_cluster),
        components=newly_changed(*(components([mapping(found, *CUSTOMIZE)]) for found in (old, new))),
    )


def _is_rendered(hyperconverged: Object | None, kubevirt: Object, before: Settings, after: Settings) -> bool:
    rendering = rendering_of(kubevirt, hyperconverged)
    return (
        rendering is not None
        and not rendering.error
        and all(
            after[name].value == rendering.settings[name].value
            for name in BY_NAME
            if after[name].value != before[name].value
        )
    )


def _migration_policy(context: FactContext, old: Object | None, new: Object | None) -> ConfigChange:
    cluster = cluster_settings(context)
    return ConfigChange(
        before=overlay(cluster, _policy_of(context.request, old)),
        after=overlay(cluster, _policy_of(context.request, new)),
        sets=tuple(field.name for field, _ in fields_set(mapping(new, "spec"), in_policy=True)),
        path=("spec",),
        error=_unreadable(new, ("spec",), lambda field: field.in_policy),
        error_before=_unreadable(old, ("spec",), lambda field: field.in_policy),
    )


def _unreadable(written: Object | None, path: tuple[str, ...], allowed: Callable[[MigrationField], bool]) -> str:
    """Say which field has a value that is not of its type; Kubernetes or HCO will refuse it, and we cannot judge it."""
    found = mapping(written, *path)
    for name, item in found.items():
        field = BY_NAME.get(name)
        if field is not None and allowed(field) and item is not None and field.read(item) is None:
            return f"{'.'.join(path)}.{name} is not {field.expected}"
    return ""


def policies_before_and_after(context: FactContext) -> tuple[list[MigrationPolicy], list[MigrationPolicy]]:
    """Return all MigrationPolicies before and after this write; the written one as the request shows it."""
    policies = list(migration_policies(context))
    request = context.request
    if request.subresource or not is_about(request, MIGRATION_POLICY):
        return policies, policies
    old, new = (_policy_of(request, policy) for policy in objects_of(request))
    names = {request.name, *(policy.name for policy in (old, new) if policy is not None)}
    others = [policy for policy in policies if policy.name not in names]
    return [*others, *([old] if old else [])], [*others, *([new] if new else [])]


def _policy_of(request: AdmissionRequest, policy: Object | None) -> MigrationPolicy | None:
    """Read a policy of the request; one whose name the API server will generate is called ``prefix*``."""
    if policy is None:
        return None
    return replace(MigrationPolicy.read(policy), name=request.subject.name)
