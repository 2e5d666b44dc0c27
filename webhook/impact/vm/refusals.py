"""Everything that would refuse the migration of a VM: Kubernetes' own authorization, KubeVirt, and each policy.

Kubernetes is asked first, and then its admission webhooks, of which migguard is one and KubeVirt another; a person sees
only what refuses first. Here all of them are told, and what several of them say is told once.

Source: KubeVirt ``pkg/virt-api/webhooks/validating-webhook/admitters/migration-create-admitter.go``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace

from webhook.errors import FactUnavailable
from webhook.impact.vm.name import VMName
from webhook.kubevirt.bindcommand import bind_command
from webhook.kubevirt.indexkeys import FINAL_PHASES
from webhook.kubevirt.migrations import is_final, of_vm
from webhook.kubevirt.obstacles import DISKS
from webhook.kubevirt.resources import VMIM
from webhook.kubevirt.workload import LIVE_MIGRATABLE, condition, vmi_of
from webhook.model.decision import Action, FailurePolicy, Result, Violation
from webhook.model.facts import Attributes, FactContext
from webhook.model.objects import name_of, text
from webhook.offline.tracing.steps import PolicyTrace, Trace

KUBEVIRT = "KubeVirt"
KUBERNETES = "Kubernetes (RBAC)"
MIGGUARD = "migguard"
ROLE = "kubevirt.io:migrate"
"""Source: KubeVirt ``pkg/virt-operator/resource/generate/rbac/cluster.go``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """One thing that is in the way, or that should be known beforehand."""

    message: str
    remedy: str = ""
    """What to do."""
    by: tuple[str, ...]
    """Who says so: policies by name, KubeVirt, Kubernetes."""
    facts: frozenset[str] = frozenset()
    """What it was told from."""


def refusals(trace: Trace, context: FactContext, named: VMName) -> tuple[Reason, ...]:
    """Return all that refuses it, each once, what Kubernetes or KubeVirt says of themselves first."""
    policies = by_policies(trace)
    found: list[Reason] = []
    for own in _own(context, named):
        same = [one for one in policies if one.facts & own.facts]
        policies = [one for one in policies if one not in same]
        told = same or [own]
        if "vmi.found" in own.facts:  # "it does not exist" says less than "it is stopped"
            told = [own]
        by = tuple(dict.fromkeys(name for one in (*same, own) for name in one.by))
        found += [replace(told[0], by=by), *told[1:]]
    return (*found, *policies)


def by_policies(trace: Trace) -> list[Reason]:
    """Return what policies refuse it for."""
    return [reason for policy in trace.policies if policy.decides for reason in _of_policy(policy, Action.DENY)]


def warnings(trace: Trace) -> tuple[Reason, ...]:
    """Return what policies would say without refusing it, and what they would change in it, each once."""
    told = [
        reason
        for policy in trace.policies
        if not policy.decides
        for reason in [*_of_policy(policy, Action.WARN), *_changes(policy)]
    ]
    return tuple(dict.fromkeys(told))


def _of_policy(policy: PolicyTrace, action: Action) -> Iterator[Reason]:
    for validation in policy.validations:
        violation = validation.violation
        if violation is not None and action in violation.actions:
            yield _violated(violation, validation.step.facts)
    judged = policy.result is not Result.ERROR or policy.failure_policy is not FailurePolicy.FAIL
    if not judged and action in policy.actions:
        yield Reason(
            message=f"it could not be judged: {policy.error}",
            remedy="try again; if it stays, show this to whoever runs migguard",
            by=(policy.name,),
        )


def _violated(violation: Violation, facts: frozenset[str]) -> Reason:
    return Reason(message=violation.message, remedy=violation.remediation, by=(violation.policy,), facts=facts)


def _changes(policy: PolicyTrace) -> Iterator[Reason]:
    for mutation in policy.mutations:
        yield from (Reason(message=warning, by=(policy.name,)) for warning in mutation.warnings)


def _own(context: FactContext, named: VMName) -> Iterator[Reason]:
    for rule in _OWN:
        try:
            reason = rule(context, named)
        except FactUnavailable as error:
            reason = Reason(message=f"nobody can tell: {error}", remedy="try again", by=(MIGGUARD,))
        if reason is not None:
            yield reason


def _unauthorized(context: FactContext, named: VMName) -> Reason | None:
    """Before any webhook is asked, the API server asks for the verb itself."""
    create = Attributes(
        verb="create", group=VMIM.resource.group, resource=VMIM.resource.resource, namespace=named.namespace
    )
    user = context.request.user
    if context.allows(user, create):
        return None
    return Reason(
        message=f"{user.username} may not {create}",
        remedy="ask a cluster administrator to run: " + bind_command(user, ROLE, named.namespace, "migrate"),
        by=(KUBERNETES,),
        facts=frozenset({"requester.canMigrate"}),
    )


def _not_running(context: FactContext, named: VMName) -> Reason | None:
    if vmi_of(context) is not None:
        return None
    return Reason(
        message=f"VM {named} is not running, and only a running VM is migrated",
        remedy=f"start it (virtctl start {named.name} -n {named.namespace}); to move it that is all it takes, as it "
        "starts on any node that fits",
        by=(KUBEVIRT,),
        facts=frozenset({"vmi.found"}),
    )


def _final(context: FactContext, named: VMName) -> Reason | None:
    phase = text(vmi_of(context), "status", "phase")
    if phase not in FINAL_PHASES:
        return None
    return Reason(
        message=f"VM {named} has ended ({phase}), and only a running VM is migrated",
        remedy=f"start it (virtctl start {named.name} -n {named.namespace})",
        by=(KUBEVIRT,),
        facts=frozenset({"vmi.phase"}),
    )


def _not_migratable(context: FactContext, named: VMName) -> Reason | None:
    said = condition(vmi_of(context), LIVE_MIGRATABLE)
    if text(said, "status") != "False":
        return None
    told = "volumes.blocking" if text(said, "reason") == DISKS else "vmi.obstacles"
    return Reason(
        message=f"KubeVirt calls VM {named} not live migratable: {text(said, 'reason')}: {text(said, 'message')}",
        remedy=f"change what it names and restart the VM (oc get vmi {named.name} -n {named.namespace} -o yaml)",
        by=(KUBEVIRT,),
        facts=frozenset({told, "vmi.liveMigratable"}),
    )


def _under_way(context: FactContext, named: VMName) -> Reason | None:
    names: Sequence[str] = [name_of(vmim) for vmim in of_vm(context) if not is_final(vmim)]
    if not names:
        return None
    return Reason(
        message=f"VM {named} is already being migrated (VirtualMachineInstanceMigration {', '.join(names)})",
        remedy=f"wait until it has finished (oc get vmim {names[0]} -n {named.namespace} -w)",
        by=(KUBEVIRT,),
        facts=frozenset({"migrations.unfinishedOfVM"}),
    )


_OWN: Sequence[Callable[[FactContext, VMName], Reason | None]] = (
    _unauthorized,
    _not_running,
    _final,
    _not_migratable,
    _under_way,
)
