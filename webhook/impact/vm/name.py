"""The VM that a person names at the command line, and the migration that they would write for it."""

from __future__ import annotations

import json
import shlex
from dataclasses import dataclass
from itertools import chain, count

from webhook.errors import FactUnavailable, InputError, UsageError
from webhook.kubevirt.resources import NAMESPACE, VM, VMI, VMIM
from webhook.model.facts import ClusterView
from webhook.model.objects import Object, name_of, namespace_of
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.offline.request import request_of
from webhook.policy.spelling import nearest

_LONGEST = 240
"""Characters of the name of a migration, so that a number still fits. Source: Kubernetes, "Object Names and IDs"."""
_SHOWN = 5


@dataclass(frozen=True, slots=True)
class VMName:
    """A VirtualMachine, and the VirtualMachineInstance of the same name while it runs."""

    namespace: str
    name: str

    def __str__(self) -> str:
        return f"{self.namespace}/{self.name}"

    @classmethod
    def parse(cls, text: str, namespace: str = "") -> VMName:
        """Read ``NAMESPACE/NAME``, or ``NAME`` beside a namespace given elsewhere. Raises UsageError."""
        before, slash, name = text.partition("/")
        if not slash:
            before, name = namespace, text
        elif namespace and namespace != before:
            raise UsageError(f"{text} is not in namespace {namespace}", hint=f"leave out -n, or name only {name}")
        if not before or not name or "/" in name:
            raise UsageError(f"'{text}' does not name a VM", hint="write NAMESPACE/NAME")
        return cls(before, name)


@dataclass(frozen=True, slots=True)
class Presence:
    """What there is of a VM; at least one of the two."""

    vm: Object | None
    vmi: Object | None

    @classmethod
    def of(cls, named: VMName, view: ClusterView) -> Presence:
        """Look a VM up; of one that runs the VirtualMachine need not be readable.

        Raises InputError with the nearest name if there is none, and FactUnavailable if nobody can tell.
        """
        vmi = view.get(VMI, named.namespace, named.name)
        try:
            vm = view.get(VM, named.namespace, named.name)
        except FactUnavailable:
            if vmi is None:
                raise
            vm = None
        if vm is None and vmi is None:
            raise InputError(f"there is no VM {named}", hint=_meant(named, view))
        return cls(vm, vmi)


def _meant(named: VMName, view: ClusterView) -> str:
    """The nearest name in that namespace, else the namespaces where a VM is called so, else the nearest namespace."""
    everywhere = [*view.list(VM), *view.list(VMI)]
    here = sorted({name_of(one) for one in everywhere if namespace_of(one) == named.namespace})
    if hint := nearest(named.name, here):
        return hint
    elsewhere = sorted({namespace_of(one) for one in everywhere if name_of(one) == named.name})
    if elsewhere:
        return f"did you mean '{elsewhere[0]}/{named.name}'?"
    if here:
        return f"namespace {named.namespace} has {', '.join(here[:_SHOWN])}{', …' if len(here) > _SHOWN else ''}"
    known = sorted({name_of(one) for one in view.list(NAMESPACE)} | {namespace_of(one) for one in everywhere})
    return nearest(named.namespace, known) or f"namespace {named.namespace} has no VM"


def migration_manifest(named: VMName, view: ClusterView) -> Object:
    """Return what a person would write to migrate a VM, under a name that is still free."""
    stem = f"migrate-{named.name}"[:_LONGEST]
    names = chain([stem], (f"{stem}-{number}" for number in count(2)))
    return {
        "apiVersion": f"{VMIM.resource.group}/{VMIM.resource.version}",
        "kind": VMIM.kind,
        "metadata": {
            "name": next(name for name in names if _is_free(name, named.namespace, view)),
            "namespace": named.namespace,
        },
        "spec": {"vmiName": named.name},
    }


def _is_free(name: str, namespace: str, view: ClusterView) -> bool:
    try:
        return view.get(VMIM, namespace, name) is None
    except FactUnavailable:
        return True


def migration_request(named: VMName, user: UserInfo, view: ClusterView) -> AdmissionRequest:
    """Return the request that the API server would make of it."""
    asking = {
        "username": user.username,
        "uid": user.uid,
        "groups": list(user.groups),
        "extra": {key: list(values) for key, values in user.extra.items()},
    }
    case = {"operation": str(Operation.CREATE), "user": asking, "object": migration_manifest(named, view)}
    return request_of(case, uid=f"migrate-{named.namespace}-{named.name}")


def migration_command(named: VMName, view: ClusterView) -> str:
    """Return the command that creates it, ready for a shell."""
    manifest = json.dumps(migration_manifest(named, view), separators=(",", ":"))
    return f"echo {shlex.quote(manifest)} | oc create -f -"
