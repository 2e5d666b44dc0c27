"""All facts by name, and for which requests each means anything. Each topic lists its own in ``FACTS``."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from webhook.kubevirt import (
    cancellation,
    capacity,
    configfacts,
    cpumodel,
    criticalcopy,
    criticalflag,
    exposure,
    freeze,
    impersonation,
    labelchange,
    migratability,
    migrateroles,
    migrationconfig,
    migrationnetwork,
    migrations,
    migrationtime,
    permission,
    policyreach,
    quota,
    rbacchange,
    remedy,
    requester,
    targets,
    testannotations,
    unflag,
    vmim,
    volumechange,
    volumes,
    workload,
    workloadupdate,
)
from webhook.kubevirt.migrationfields import FIELDS
from webhook.kubevirt.resources import (
    CLUSTER_ROLE,
    CLUSTER_ROLE_BINDING,
    HYPERCONVERGED,
    KUBEVIRT,
    MIGRATION_POLICY,
    ROLE,
    ROLE_BINDING,
    VM,
    VMI,
    VMIM,
)
from webhook.kubevirt.templates import TEMPLATES, VM_TEMPLATE
from webhook.model.facts import Fact, FactCatalog, Scope, WatchedResource
from webhook.model.request import Operation


def _of(*resources: WatchedResource, subresources: bool = False) -> frozenset[tuple[str, str]]:
    """The addresses of these; with subresources where the code does not ask for which part of the object it is."""
    suffix = "/*" if subresources else ""
    return frozenset((one.resource.group, f"{one.resource.resource}{suffix}") for one in resources)


_CREATE, _UPDATE, _DELETE = (frozenset({one}) for one in (Operation.CREATE, Operation.UPDATE, Operation.DELETE))
_WRITE = _CREATE | _UPDATE
_VMIM = _of(VMIM, subresources=True)
_VM, _VMI = _of(VM, subresources=True), _of(VMI, subresources=True)
_NAMESPACE = frozenset({("", "namespaces/*")})
_TEMPLATES = frozenset((one.group, one.resource) for one in TEMPLATES)
_CLUSTER = _of(HYPERCONVERGED, KUBEVIRT)
_POLICY = _of(MIGRATION_POLICY)
_ROLES, _BINDINGS = _of(ROLE, CLUSTER_ROLE), _of(ROLE_BINDING, CLUSTER_ROLE_BINDING)

_Scopes = tuple[Scope, ...]
EVERYWHERE: _Scopes = (Scope(),)
_MACHINE: _Scopes = (Scope(_VMIM | _VMI | _VM | {("", "pods/*")}),)
"""Whatever names a VMI: a migration, the VMI itself, its VM, its virt-launcher pod."""
_ASKED_FOR: _Scopes = (Scope(_VM | _VMI, _WRITE),)
_CONFIG: _Scopes = (Scope(_CLUSTER | _POLICY),)
_RELABELS = Scope(_of(VMI) | _TEMPLATES | _NAMESPACE, _UPDATE)
_FLAGS = (Scope(_of(VMI) | _TEMPLATES, _WRITE), Scope(_NAMESPACE, _UPDATE))
_UNFLAGS = (_RELABELS, Scope(frozenset({(VM_TEMPLATE.group, VM_TEMPLATE.resource)}), _DELETE))
_UNPROTECTS = (Scope(_POLICY), _RELABELS)
_STORED: _Scopes = (Scope(_VMIM, _UPDATE | _DELETE),)
_WRITTEN: _Scopes = (Scope(_VMIM, _WRITE),)

_TOPICS: tuple[tuple[Iterable[Fact], _Scopes], ...] = (
    (requester.FACTS, EVERYWHERE),
    (permission.FACTS, EVERYWHERE),
    (remedy.FACTS, EVERYWHERE),
    (rbacchange.FACTS, (Scope(_ROLES | _BINDINGS, _WRITE),)),
    (impersonation.FACTS, (Scope(_ROLES, _WRITE),)),
    (migrateroles.FACTS, EVERYWHERE),
    (workload.FACTS, _MACHINE),
    (volumes.FACTS, _MACHINE),
    (cpumodel.FACTS, _MACHINE),
    (migratability.FACTS, _MACHINE),
    (migrationconfig.FACTS, _MACHINE),
    (policyreach.FACTS, (Scope(_POLICY, _WRITE),)),
    (configfacts.FACTS, _CONFIG),
    (labelchange.FACTS, EVERYWHERE),
    (exposure.FACTS, (Scope(_CLUSTER | _POLICY), _RELABELS)),
    (criticalflag.FACTS, _FLAGS),
    (unflag.FACTS, (*_UNFLAGS, Scope(_POLICY))),
    (volumechange.FACTS, (Scope(_of(VMIM, VMI)), Scope(_of(VM), _UPDATE))),
    (
        criticalcopy.FACTS,
        (
            Scope(
                frozenset(
                    {("clone.kubevirt.io", "virtualmachineclones"), ("snapshot.kubevirt.io", "virtualmachinerestores")}
                ),
                _CREATE,
            ),
        ),
    ),
    (migrations.FACTS, EVERYWHERE),
    (vmim.FACTS, _STORED),
    (testannotations.FACTS, _ASKED_FOR),
    (cancellation.FACTS, (Scope(_VMIM, _DELETE),)),
    (freeze.FACTS, EVERYWHERE),
    (capacity.FACTS, EVERYWHERE),
    (targets.FACTS, _MACHINE),
    (quota.FACTS, _MACHINE),
    (migrationnetwork.FACTS, (Scope(_CLUSTER | _POLICY),)),
    (migrationtime.FACTS, _MACHINE),
    (workloadupdate.FACTS, (Scope(_CLUSTER),)),
)
_EXCEPTIONS: Mapping[str, _Scopes] = {
    **{f"migration.{field.name}": EVERYWHERE for field in FIELDS},  # without a VMI they are the cluster's
    "migration.sources": EVERYWHERE,
    "config.applies": EVERYWHERE,
    "config.rendered": (Scope(_of(KUBEVIRT), _WRITE),),
    "config.components": (Scope(_CLUSTER),),
    "config.componentCount": (Scope(_CLUSTER),),
    **dict.fromkeys(("exposure.unprotected", "exposure.unprotectedCount", "exposure.protectors"), _UNPROTECTS),
    **dict.fromkeys(("exposure.pendingGain", "exposure.pendingGainCount"), _FLAGS),
    **dict.fromkeys(("exposure.gainingExposed", "exposure.gainingExposedCount", "exposure.gainingSources"), _FLAGS),
    **dict.fromkeys(
        ("exposure.volumeMigrations", "exposure.volumeMigrationsCount"),
        (Scope(_CLUSTER | _POLICY), Scope(_of(VMI) | _NAMESPACE, _UPDATE)),
    ),
    "critical.flag": EVERYWHERE,
    **dict.fromkeys(("critical.losing", "critical.losingCount"), _UNFLAGS),
    "vm.leavesVMI": (Scope(operations=_DELETE),),
    "vm.mayMoveVolumes": (Scope(_of(VM), _UPDATE),),
    **dict.fromkeys(("migrations.ofVM", "migrations.unfinishedOfVM"), _MACHINE),
    **dict.fromkeys(
        ("vmim.annotationsChanged", "vmim.labelsChanged", "vmim.testAnnotationsSet", "vmim.systemMarksChanged"),
        _WRITTEN,
    ),
    "vmim.timeoutsSet": _WRITTEN,
    **dict.fromkeys(("vmim.annotationsRemoved", "vmim.finalizersRemoved"), (Scope(_VMIM, _UPDATE),)),
    "eviction.obstacles": (Scope(_VM | _VMI | {("", "pods/*")}),),
    "vmi.forcedBridge": _ASKED_FOR,
    "vmi.evacuationCancelled": (Scope(_VMI, _UPDATE),),
    "rbac.accountNamespaces": EVERYWHERE,
    "rbac.aggregatesInto": (Scope(_of(CLUSTER_ROLE), _WRITE),),
    "rbac.aggregationLabels": (Scope(_of(CLUSTER_ROLE), _WRITE),),
    **dict.fromkeys(("rbac.gives", "rbac.how"), (Scope(_ROLES, _WRITE),)),
    "rbac.wideSubjects": (Scope(_BINDINGS, _WRITE),),
}


def _scopes() -> Iterator[tuple[str, _Scopes]]:
    for facts, scopes in _TOPICS:
        for fact in facts:
            yield fact.name, _EXCEPTIONS.get(fact.name, scopes)


FACTS: FactCatalog = {fact.name: fact for facts, _ in _TOPICS for fact in facts}

SCOPES: Mapping[str, _Scopes] = dict(_scopes())
"""For each fact the requests of which it can say something."""
