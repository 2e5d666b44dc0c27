"""Whether the ResourceQuotas of the VM's namespace leave room for a second pod, which every migration needs.

Where they do not, the target pod is refused and the migration waits, with the condition
migrationRejectedByResourceQuota. Judged are memory and the number of pods. A memory limit is at least the request; how
far above it KubeVirt puts it is not known here, so for ``limits.memory`` the request is what must fit at the least.

Source: KubeVirt ``pkg/virt-controller/watch/migration/migration.go`` (condition migrationRejectedByResourceQuota);
Kubernetes ``pkg/quota/v1/evaluator/core/pods.go``.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from webhook.kubevirt.memory import bytes_of, shown, vm_request
from webhook.kubevirt.resources import RESOURCE_QUOTA
from webhook.kubevirt.workload import vmi_of
from webhook.model.facts import Fact, FactContext
from webhook.model.objects import JSON, Object, mapping, mappings, namespace_of, reference, strings, text

_MEMORY = ("requests.memory", "memory", "limits.memory")
_PODS = ("pods", "count/pods")
_FIRST = 10
_SCOPES_OF_VMS = frozenset({"NotTerminating", "NotBestEffort"})
"""Scopes that every launcher pod is in: it has no deadline, and it asks for memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Shortage:
    """A quota that does not hold a second pod of the VM."""

    quota: str
    resource: str
    needs: str
    left: str
    hard: str

    def __str__(self) -> str:
        return f"{self.quota} leaves {self.left} of {self.hard} {self.resource}, a second pod needs {self.needs}"

    def as_json(self) -> dict[str, JSON]:
        """As policies see it."""
        return {
            "quota": self.quota,
            "resource": self.resource,
            "needs": self.needs,
            "left": self.left,
            "hard": self.hard,
        }


def shortages(context: FactContext) -> list[Shortage]:
    """Return what the namespace's quotas lack for the target pod of this request's VM."""

    def look_up(context: FactContext) -> list[Shortage]:
        vmi = vmi_of(context)
        if vmi is None:
            return []
        quotas = context.view.select(RESOURCE_QUOTA, "namespace", namespace_of(vmi))
        request = vm_request(context, vmi) if quotas else 0
        return [found for quota in quotas if _applies(quota) for found in _short(quota, request)]

    return context.once("quotaShortages", look_up)


def _applies(quota: Object) -> bool:
    """Say whether the quota counts launcher pods for certain; whether one for a priority class does is not known."""
    expressions = mappings(quota, "spec", "scopeSelector", "matchExpressions")
    selected = [text(entry, "scopeName") if text(entry, "operator") == "Exists" else "" for entry in expressions]
    return _SCOPES_OF_VMS.issuperset([*strings(quota, "spec", "scopes"), *selected])


def _short(quota: Object, request: int) -> Iterator[Shortage]:
    hard, used = mapping(quota, "spec", "hard"), mapping(quota, "status", "used")
    for resource, needs in (*((key, request) for key in _MEMORY), *((key, 1) for key in _PODS)):
        if resource not in hard or resource not in used:
            continue
        limit = bytes_of(hard[resource])
        left = max(limit - bytes_of(used[resource]), 0)
        if left < needs:
            told = str if resource in _PODS else shown
            yield Shortage(
                quota=str(reference(quota)),
                resource=resource,
                needs=str(needs) if resource in _PODS else shown(needs, up=True),
                left=told(left),
                hard=told(limit),
            )


FACTS = (
    Fact(
        "capacity.quotaFits",
        "bool",
        "The ResourceQuotas of the VM's namespace hold a second pod of the VM, as far as memory and the number of pods "
        "go. Quotas for some pods only (by priority class, say) are not judged.",
        lambda context: not shortages(context),
    ),
    Fact(
        "capacity.quotaObstacle",
        "string",
        "Which quota does not, and by how much; empty if all do.",
        lambda context: str(next(iter(shortages(context)), "")),
    ),
    Fact(
        "capacity.quotaShortages",
        "list(map)",
        "The same for programs, each with quota, resource, needs, left and hard.",
        lambda context: [found.as_json() for found in shortages(context)[:_FIRST]],
    ),
)
