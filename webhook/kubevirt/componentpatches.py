"""Which components of KubeVirt ``spec.customizeComponents`` of the KubeVirt CR changes.

A patch there can turn any workload of KubeVirt into anything: another image, other flags of virt-controller, no
migration at all. Whoever may write it holds every right that those components have.

Source: KubeVirt ``staging/src/kubevirt.io/api/core/v1/types.go`` (CustomizeComponents),
``pkg/virt-operator/resource/apply/customize.go``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from webhook.kubevirt.godecode import members
from webhook.model.objects import JSON, same

CUSTOMIZE = ("spec", "customizeComponents")
"""Where it stands in the KubeVirt CR."""

_FLAGGED = {f"flags of virt-{name}": name for name in ("api", "controller", "handler")}


def components(customizations: Iterable[Mapping[str, JSON]]) -> Mapping[str, JSON]:
    """Return what is changed of each component, by names such as ``Deployment virt-api`` or ``flags of virt-api``.

    Of several customizations, which HyperConverged's annotation can lead to, the later wins.
    """
    found: dict[str, JSON] = {}
    for customization in customizations:
        for _, patches in members(customization, "patches"):
            found = {name: flags for name, flags in found.items() if name in _FLAGGED}
            found.update(_patches(patches))
        for _, flags in members(customization, "flags"):
            found = found if flags is not None else {name: how for name, how in found.items() if name not in _FLAGGED}
            found.update(_flags(flags))
    return found


def _patches(patches: JSON) -> Mapping[str, list[JSON]]:
    """A component may be patched several times, and the order of its patches matters."""
    found: dict[str, list[JSON]] = {}
    for patch in patches if isinstance(patches, list) else ():
        kind, name, content, form = (_text(patch, field) for field in ("resourceType", "resourceName", "patch", "type"))
        found.setdefault(f"{kind or '?'} {name or '?'}", []).append([form, content])
    return found


def _flags(flags: JSON) -> Mapping[str, JSON]:
    if not isinstance(flags, Mapping):
        return {}
    return {name: item for name, field in _FLAGGED.items() for _, item in members(flags, field) if item}


def _text(patch: JSON, field: str) -> str:
    values = [item for _, item in members(patch, field)] if isinstance(patch, Mapping) else []
    return values[-1] if values and isinstance(values[-1], str) else ""


def newly_changed(before: Mapping[str, JSON], after: Mapping[str, JSON]) -> tuple[str, ...]:
    """Return the components that are changed in another way than before; those that no longer are do not count."""
    return tuple(sorted(name for name, how in after.items() if not same(how, before.get(name))))
