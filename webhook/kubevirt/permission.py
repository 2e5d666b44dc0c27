"""Whether the requester holds the migrate rights, how, and what would give them.

Admission runs after authorization: whoever writes a VMIM already holds the verb. Judged here is *how* it is held.

- ``explicit``: a binding to a trusted ClusterRole, in the namespace or cluster-wide, must grant it;
- ``effective``: any authorizer that grants it will do.

Both ask for the verb on VMIMs that the operation needs and for ``update virtualmachines/migrate``, which is what
``virtctl migrate`` needs.

Source: KubeVirt ``pkg/virt-operator/resource/generate/rbac/cluster.go`` (ClusterRole ``kubevirt.io:migrate``).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from webhook.errors import FactUnavailable
from webhook.kubevirt.rbac import MASTERS, Grant, How, grants
from webhook.kubevirt.requester import Origin, origin_of
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.workload import is_about, vmi_name
from webhook.model.facts import Attributes, Fact, FactContext
from webhook.model.objects import JSON, name_of, strings, text
from webhook.model.request import AdmissionRequest, Operation

CLUSTER_ADMIN = "cluster-admin"

_VERBS = {
    Operation.CREATE: ("create",),
    Operation.UPDATE: ("update", "patch"),
    Operation.DELETE: ("delete", "deletecollection"),
    Operation.CONNECT: ("create",),
}

_MASTERS_WORDS = f"group {MASTERS}, which may do everything without a binding"
_OTHER_WORDS = "an authorizer other than RBAC"

NAMELESS = frozenset({"create", "deletecollection"})
"""Verbs whose requests name no object, so that a rule with ``resourceNames`` never grants them."""

MAX_WAYS = 20
"""Grants that are told; trusted ones come first."""

MIGRATE = Attributes(verb="update", group="subresources.kubevirt.io", resource="virtualmachines", subresource="migrate")
"""What ``virtctl migrate`` and the console's button need."""

MIGRATE_RIGHTS = (
    *(
        Attributes(verb=verb, group=VMIM.resource.group, resource=VMIM.resource.resource)
        for verb in ("create", "update", "patch", "delete", "deletecollection")
    ),
    MIGRATE,
)
"""What only ``kubevirt.io:migrate`` gives since KubeVirt 1.5."""


@dataclass(frozen=True, slots=True)
class Right:
    """One right that is needed; any one of the alternatives gives it."""

    alternatives: tuple[Attributes, ...]

    def __str__(self) -> str:
        return str(self.alternatives[0])


@dataclass(frozen=True, slots=True)
class Way:
    """One way in which the requester holds a right; ``grant`` only where an RBAC object gives it."""

    right: Right
    how: How
    grant: Grant | None = None

    def __str__(self) -> str:
        if self.grant is not None:
            return str(self.grant)
        return _MASTERS_WORDS if self.how is How.MASTERS else _OTHER_WORDS


def rights_needed(request: AdmissionRequest) -> tuple[Right, ...]:
    """Return the rights that this request needs: on VMIMs, and on the subresource that ``virtctl migrate`` uses.

    The API server does not say whether an UPDATE was a patch, nor whether a DELETE was of a collection, so either verb
    will do. To write a VMIM's status takes only the verb on that subresource, which ``kubevirt.io:migrate`` has not.
    For requests about other kinds they are those to create a VMIM in that namespace.
    """
    on_vmim = is_about(request, VMIM)
    verbs = _VERBS[request.operation] if on_vmim else ("create",)
    name = request.name or name_of(request.old_object) or name_of(request.object)
    written = request.subresource if on_vmim else ""
    vmims = tuple(
        Attributes(
            verb=verb,
            group=VMIM.resource.group,
            resource=VMIM.resource.resource,
            subresource=written,
            namespace=request.namespace,
            name="" if verb in NAMELESS else name,
        )
        for verb in verbs
    )
    migrate = replace(MIGRATE, namespace=request.namespace, name=vmi_name(request))
    return (Right(vmims),) if written else (Right(vmims), Right((migrate,)))


def missing_rights(context: FactContext) -> Sequence[Right]:
    """Return the rights that the requester lacks, in the mode that Parameters choose."""

    def find(context: FactContext) -> Sequence[Right]:
        held = _effective if text(context.parameters, "permission", "mode") == "effective" else _explicit
        return [right for right in rights_needed(context.request) if not held(context, right)]

    return context.once("missingRights", find)


def trusted_roles(context: FactContext) -> Sequence[str]:
    """Return the names of the ClusterRoles by which the right to migrate is given on purpose."""
    return strings(context.parameters, "permission", "trustedClusterRoles")


def _explicit(context: FactContext, right: Right) -> bool:
    if MASTERS in context.request.user.groups and CLUSTER_ADMIN in trusted_roles(context):
        return True
    return any(grant.how is How.TRUSTED for grant in _granted(context, right))


def _effective(context: FactContext, right: Right) -> bool:
    def ask(context: FactContext) -> bool:
        return any(context.allows(context.request.user, attributes) for attributes in right.alternatives)

    return context.once(("asked", right), ask)


def _granted(context: FactContext, right: Right) -> Sequence[Grant]:
    """What RBAC objects give this right, once each, trusted roles first."""

    def find(context: FactContext) -> Sequence[Grant]:
        user, trusted = context.request.user, trusted_roles(context)
        found = {
            str(grant): grant
            for attributes in right.alternatives
            for grant in grants(context.view, user, attributes, context.deadline, trusted)
        }
        return sorted(found.values(), key=lambda grant: grant.how is not How.TRUSTED)

    return context.once(("granted", right), find)


def ways(context: FactContext) -> Sequence[Way]:
    """Return how the requester holds each right that the request needs, trusted roles first.

    Another authorizer is named only where it says yes to a person or tool and nothing in RBAC does; it is not asked
    about controllers, whose rights are not judged.
    """

    def find(context: FactContext) -> Sequence[Way]:
        return [way for right in rights_needed(context.request) for way in _ways_to(context, right)]

    return context.once("ways", find)


def _ways_to(context: FactContext, right: Right) -> list[Way]:
    found = [Way(right, grant.how, grant) for grant in _granted(context, right)]
    if MASTERS in context.request.user.groups:
        return [Way(right, How.MASTERS), *found]
    return found or ([Way(right, How.OTHER)] if _otherwise_allowed(context, right) else [])


def _otherwise_allowed(context: FactContext, right: Right) -> bool:
    try:
        return origin_of(context) is Origin.USER and _effective(context, right)
    except FactUnavailable:  # this only adds to what is told
        return False


def _of_first_right(context: FactContext) -> Sequence[Way]:
    needed = rights_needed(context.request)[0]
    return [way for way in ways(context) if way.right == needed]


def _untrusted(context: FactContext) -> list[str]:
    missing = missing_rights(context)
    return _once(str(way) for way in ways(context) if way.right in missing)


def _once(texts: Iterable[str]) -> list[str]:
    return list(dict.fromkeys(texts))[:MAX_WAYS]


def _grants(context: FactContext) -> JSON:
    """Each way once, with all rights that are held in it; trusted roles first."""
    found: dict[tuple[str, How], dict[str, JSON]] = {}
    for way in sorted(ways(context), key=lambda way: way.how is not How.TRUSTED):
        entry = found.setdefault((str(way), way.how), _described(way))
        entry["rights"].append(str(way.right))
    return list(found.values())[:MAX_WAYS]


def _described(way: Way) -> dict[str, JSON]:
    grant = way.grant
    member = f"Group {MASTERS}" if way.how is How.MASTERS else ""
    return {
        "rights": [],
        "how": str(way.how),
        "binding": str(grant.binding) if grant else "",
        "role": str(grant.role) if grant else "",
        "subject": str(grant.subject) if grant else member,
        "through": list(grant.through) if grant else [],
    }


FACTS = (
    Fact(
        "requester.canMigrate",
        "bool",
        "The requester holds the migrate rights in this namespace, in the way that permission.mode asks for.",
        lambda context: not missing_rights(context),
    ),
    Fact(
        "requester.missing",
        "list(string)",
        "The rights that are missing, in the words of `kubectl auth can-i`; in explicit mode those that no binding to "
        "a trusted ClusterRole gives.",
        lambda context: [str(right) for right in missing_rights(context)],
    ),
    Fact(
        "requester.boundTo",
        "list(string)",
        "Every binding that gives the requester the verb on VirtualMachineInstanceMigrations, and how; trusted roles "
        "first.",
        lambda context: _once(str(way) for way in _of_first_right(context)),
    ),
    Fact(
        "requester.how",
        "list(string)",
        f"How that verb is held, in one word each: {', '.join(How)}.",
        lambda context: _once(str(way.how) for way in _of_first_right(context)),
    ),
    Fact(
        "requester.grants",
        "list(map)",
        "All ways in which the requester holds the rights that are needed: `rights`, `how`, `binding`, `role`, "
        "`subject`, and `through`, the ClusterRoles that an aggregated role has them from. The first "
        f"{MAX_WAYS}, trusted roles first.",
        _grants,
    ),
    Fact(
        "requester.untrusted",
        "list(string)",
        "How the requester holds the rights that are missing, none of which counts.",
        _untrusted,
    ),
)
