"""Resource rules that name a group or a resource that there is not."""

from __future__ import annotations

import difflib
from collections.abc import Iterator, Mapping, Sequence

from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.rule import warning
from webhook.model.objects import mapping, mappings, strings
from webhook.policy.spelling import nearest
from webhook.source.files import Document
from webhook.source.parsed import FilePath

UNKNOWN_RESOURCE = warning(
    "unknown-resource",
    "A rule names a resource that there is not",
    "The API group has no such resource, or the group is none: nothing is ever matched by it. Resources are named in "
    "the plural, groups without a version. Only groups of Kubernetes and KubeVirt that migguard "
    "knows, and what is nearly their name, are looked at.",
    bad="resources: [virtualmachineinstancemigration]",
    good="resources: [virtualmachineinstancemigrations]",
)

RULES = (UNKNOWN_RESOURCE,)

_SERVED: Mapping[str, frozenset[str]] = {
    "": frozenset(
        {
            "bindings",
            "componentstatuses",
            "configmaps",
            "endpoints",
            "events",
            "limitranges",
            "namespaces",
            "nodes",
            "persistentvolumeclaims",
            "persistentvolumes",
            "pods",
            "podtemplates",
            "replicationcontrollers",
            "resourcequotas",
            "secrets",
            "serviceaccounts",
            "services",
        }
    ),
    "rbac.authorization.k8s.io": frozenset({"clusterrolebindings", "clusterroles", "rolebindings", "roles"}),
    "kubevirt.io": frozenset(
        {
            "kubevirts",
            "virtualmachineinstancemigrations",
            "virtualmachineinstancepresets",
            "virtualmachineinstancereplicasets",
            "virtualmachineinstances",
            "virtualmachines",
        }
    ),
    "clone.kubevirt.io": frozenset({"virtualmachineclones"}),
    "export.kubevirt.io": frozenset({"virtualmachineexports"}),
    "hco.kubevirt.io": frozenset({"hyperconvergeds"}),
    "instancetype.kubevirt.io": frozenset(
        {
            "virtualmachineclusterinstancetypes",
            "virtualmachineclusterpreferences",
            "virtualmachineinstancetypes",
            "virtualmachinepreferences",
        }
    ),
    "migrations.kubevirt.io": frozenset({"migrationpolicies"}),
    "pool.kubevirt.io": frozenset({"virtualmachinepools"}),
    "snapshot.kubevirt.io": frozenset(
        {"virtualmachinerestores", "virtualmachinesnapshotcontents", "virtualmachinesnapshots"}
    ),
}
"""All resources of groups. Source: Kubernetes ``pkg/registry/core/rest/storage_core.go`` and
``pkg/registry/rbac/rest/storage_rbac.go``; KubeVirt ``pkg/virt-operator/resource/generate/components/crds.go``; HCO
``deploy/crds``."""

_ALIKE = 0.9
"""How much of a group's name must be that of a known one to count as misspelt: other groups end in kubevirt.io too."""


def check(document: Document, path: tuple[str, ...]) -> Iterator[Found]:
    """Judge the resource rules and the exceptions from them that stand at a path of a document."""
    for field in ("resourceRules", "excludeResourceRules"):
        for index, rule in enumerate(mappings(mapping(document.value, *path), field)):
            place = (*path, field, index)
            groups = list(strings(rule, "apiGroups"))
            yield from _groups(document, place, groups)
            for at_, pattern in enumerate(strings(rule, "resources")):
                resource = pattern.partition("/")[0]
                if resource != "*" and all(resource not in _SERVED.get(group, {resource}) for group in groups):
                    known = {name for group in groups for name in _SERVED[group]}
                    names = " and ".join(group or "the core group" for group in groups)
                    message = f"'{resource}' is no resource of {names} that migguard knows"
                    hint = nearest(resource, sorted(known)) or _elsewhere(resource)
                    yield at(UNKNOWN_RESOURCE, document, (*place, "resources", at_), message, hint)


def _groups(document: Document, place: FilePath, groups: Sequence[str]) -> Iterator[Found]:
    for index, group in enumerate(groups):
        if "/" in group:
            hint = f"write {group.partition('/')[0]}; versions have a field of their own"
        elif group in _SERVED or group == "*":
            continue
        elif close := difflib.get_close_matches(group, [one for one in _SERVED if one], n=1, cutoff=_ALIKE):
            hint = f"did you mean '{close[0]}'?"
        else:
            continue
        yield at(UNKNOWN_RESOURCE, document, (*place, "apiGroups", index), f"'{group}' is no API group", hint)


def _elsewhere(resource: str) -> str:
    """In which known group there is such a resource."""
    found = [group or '""' for group, names in _SERVED.items() if resource in names]
    return f"it is one of API group {found[0]}" if found else "a resource is named in the plural"
