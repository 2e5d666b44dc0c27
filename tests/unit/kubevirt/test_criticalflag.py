"""From which VMs a write takes the critical flag, and to which it gives it. Source: domain.md e15."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from tests.support.builders import CRITICAL, context, create, delete, namespace, request, update, vm, vmi
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.criticalflag import leaves_vmi
from webhook.kubevirt.resources import NAMESPACE, VM, VMI
from webhook.model.facts import Deadline, FactContext, WatchedResource
from webhook.model.objects import GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation

FLAGGED, PLAIN = vmi(labels=CRITICAL), vmi()
TEMPLATE, BARE = vm(template_labels=CRITICAL), vm()
AROUND, OPEN = namespace(labels=CRITICAL), namespace()
ORPHAN = {"propagationPolicy": "Orphan"}


POOL = WatchedResource(
    GroupVersionResource("pool.kubevirt.io", "v1beta1", "virtualmachinepools"),
    "VirtualMachinePool",
    namespaced=True,
    keep=(),
)
REPLICA_SET = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstancereplicasets"),
    "VirtualMachineInstanceReplicaSet",
    namespaced=True,
    keep=(),
)


def replica_set(labels: dict[str, str]) -> dict[str, Any]:
    return {"metadata": {"name": "db", "namespace": "prod"}, "spec": {"template": {"metadata": {"labels": labels}}}}


def pool(labels: dict[str, str]) -> dict[str, Any]:
    made = replica_set(labels)
    return {**made, "spec": {"virtualMachineTemplate": {"spec": made["spec"]}}}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"critical.{name}"].resolve(found)


def orphaned(old: dict[str, Any]) -> AdmissionRequest:
    return replace(delete(VM, old), options=ORPHAN)


TAKEN = [
    pytest.param(update(VMI, FLAGGED, PLAIN), [FLAGGED], id="VMI label"),
    pytest.param(update(VMI, FLAGGED, PLAIN), [], id="VMI that is not in the cache yet"),
    pytest.param(update(VMI, FLAGGED, PLAIN, version="v1alpha3"), [FLAGGED], id="VMI label in v1alpha3"),
    pytest.param(
        update(VMI, FLAGGED, vmi(labels={"migguard.io/critical": "no"})), [FLAGGED], id="another value of the label"
    ),
    pytest.param(update(VMI, FLAGGED, PLAIN), [FLAGGED, BARE, OPEN], id="VMI label, nothing else flags"),
    pytest.param(update(VM, TEMPLATE, BARE), [PLAIN, TEMPLATE], id="template, which flags the running VMI too"),
    pytest.param(update(VM, TEMPLATE, BARE), [TEMPLATE], id="template of a stopped VM"),
    pytest.param(
        update(VM, TEMPLATE, BARE), [vmi(phase="Succeeded"), TEMPLATE], id="template of a VM whose VMI has ended"
    ),
    pytest.param(
        update(VM, TEMPLATE, BARE), [FLAGGED, TEMPLATE], id="template, for the label of the VMI goes with its stop"
    ),
    pytest.param(update(VM, TEMPLATE, {**BARE, "spec": {}}), [TEMPLATE], id="template that is gone altogether"),
    pytest.param(update(VM, TEMPLATE, {**BARE, "spec": None}), [TEMPLATE], id="template of a malformed VM"),
    pytest.param(update(NAMESPACE, AROUND, OPEN), [PLAIN, AROUND], id="namespace with a running VMI"),
    pytest.param(update(NAMESPACE, AROUND, OPEN), [BARE, AROUND], id="namespace with a stopped VM"),
    pytest.param(
        update(NAMESPACE, AROUND, OPEN),
        [FLAGGED, BARE, AROUND],
        id="namespace, the label of the VMI goes with its stop",
    ),
]

STATUS_OF_NAMESPACE = [
    pytest.param(
        request(NAMESPACE, Operation.UPDATE, old=AROUND, new=OPEN, subresource=way),
        [PLAIN, AROUND],
        id=f"namespace/strategy.go: labels of a namespace through {way}",
    )
    for way in ("status", "finalize")
]

OF_GROUPS = [
    pytest.param(update(POOL, pool(CRITICAL), pool({})), [], id="pool.go indexVMSpec: template of a pool"),
    pytest.param(
        update(POOL, pool(CRITICAL), pool({}), version="v1alpha1"), [], id="pool/v1alpha1: template of a pool"
    ),
    pytest.param(
        update(POOL, pool(CRITICAL), pool({})), [FLAGGED], id="template of a pool, a VMI of its name is another matter"
    ),
    pytest.param(
        update(REPLICA_SET, replica_set(CRITICAL), replica_set({})), [], id="replicaset.go scale: template of VMIs"
    ),
]

LEFT_BEHIND = pytest.param(orphaned(TEMPLATE), [PLAIN, TEMPLATE], id="VM deleted, VMI left behind")

KEPT = [
    pytest.param(update(VMI, FLAGGED, PLAIN), [FLAGGED, TEMPLATE], id="VMI label, the template flags it"),
    pytest.param(update(VMI, FLAGGED, PLAIN), [FLAGGED, AROUND], id="VMI label, the namespace flags it"),
    pytest.param(update(VMI, FLAGGED, PLAIN), [vmi(labels=CRITICAL, phase="Failed")], id="VMI that has ended"),
    pytest.param(
        request(VMI, Operation.UPDATE, old=FLAGGED, new=PLAIN, subresource="evacuate"), [FLAGGED], id="subresource"
    ),
    pytest.param(update(VMI, FLAGGED, vmi(labels={**CRITICAL, "a": "b"})), [FLAGGED], id="another label"),
    pytest.param(delete(VMI, FLAGGED), [FLAGGED], id="VMI deleted, which only stops it"),
    pytest.param(update(VM, TEMPLATE, BARE), [PLAIN, TEMPLATE, AROUND], id="template, the namespace flags it"),
    pytest.param(update(VM, TEMPLATE, TEMPLATE), [TEMPLATE], id="template that stays"),
    pytest.param(
        update(VM, {**BARE, "metadata": {**BARE["metadata"], "labels": CRITICAL}}, BARE),
        [PLAIN, BARE],
        id="c: labels of the VM itself flag nothing",
    ),
    pytest.param(request(VM, Operation.UPDATE, old=TEMPLATE, new=BARE, subresource="status"), [], id="status of a VM"),
    pytest.param(delete(VM, TEMPLATE), [PLAIN, TEMPLATE], id="VM deleted with its VMI"),
    pytest.param(orphaned(TEMPLATE), [FLAGGED, TEMPLATE], id="VM deleted, the VMI left behind is flagged itself"),
    pytest.param(orphaned(TEMPLATE), [PLAIN, TEMPLATE, AROUND], id="VM deleted, the namespace flags what is left"),
    pytest.param(orphaned(TEMPLATE), [TEMPLATE], id="stopped VM deleted, nothing is left"),
    pytest.param(orphaned(BARE), [FLAGGED, BARE], id="VM deleted that flagged nothing"),
    pytest.param(update(NAMESPACE, AROUND, OPEN), [AROUND], id="namespace without VMs"),
    pytest.param(
        update(NAMESPACE, AROUND, OPEN), [FLAGGED, AROUND], id="namespace, the VMI without VM is flagged itself"
    ),
    pytest.param(update(NAMESPACE, AROUND, OPEN), [PLAIN, TEMPLATE, AROUND], id="namespace, the template flags the VM"),
    pytest.param(update(NAMESPACE, AROUND, OPEN), [vmi("db", "test"), AROUND], id="VM in another namespace"),
    pytest.param(update(NAMESPACE, AROUND, OPEN), [vmi(phase="Failed"), AROUND], id="namespace with a VMI that ended"),
    pytest.param(delete(NAMESPACE, AROUND), [PLAIN, AROUND], id="namespace deleted with all in it"),
    pytest.param(create(VM, BARE), [FLAGGED], id="a VM made"),
    pytest.param(update(POOL, pool(CRITICAL), pool({})), [AROUND], id="template of a pool, the namespace flags it"),
    pytest.param(update(POOL, pool(CRITICAL), pool({**CRITICAL, "a": "b"})), [], id="another label of a pool"),
    pytest.param(
        request(POOL, Operation.UPDATE, old=pool(CRITICAL), new=pool({}), subresource="scale"), [], id="scale of a pool"
    ),
    pytest.param(replace(delete(POOL, pool(CRITICAL)), options=ORPHAN), [], id="pool deleted, its VMs left behind"),
    pytest.param(
        replace(delete(REPLICA_SET, replica_set(CRITICAL)), options=ORPHAN),
        [FLAGGED],
        id="replica set deleted, its VMIs left behind with their labels",
    ),
]

MADE = [
    pytest.param(create(VM, TEMPLATE), [], id="a VM"),
    pytest.param(create(VM, BARE), [AROUND], id="a VM in a flagged namespace"),
    pytest.param(create(VMI, FLAGGED), [], id="a VMI"),
    pytest.param(create(VMI, FLAGGED), [vmi(labels=CRITICAL, phase="Failed")], id="a VMI in place of one that ended"),
    pytest.param(create(POOL, pool(CRITICAL)), [], id="a pool"),
    pytest.param(create(REPLICA_SET, replica_set({})), [AROUND], id="a replica set in a flagged namespace"),
]


@pytest.mark.parametrize(("asked", "objects"), [*TAKEN, *STATUS_OF_NAMESPACE, *OF_GROUPS, LEFT_BEHIND])
def test_e15_the_flag_is_lost_with(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, *objects)
    assert (ask("losing", found), ask("losingCount", found)) == (["prod/db"], 1)
    assert (ask("gaining", found), ask("gainingCount", found)) == ([], 0)


@pytest.mark.parametrize(("asked", "objects"), KEPT)
def test_e15_the_flag_is_not_lost_with(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, *objects)
    assert (ask("losing", found), ask("losingCount", found)) == ([], 0)
    assert ask("gainingCount", found) == 0


@pytest.mark.parametrize(("asked", "objects"), [*TAKEN, *STATUS_OF_NAMESPACE, *OF_GROUPS])
def test_what_takes_the_flag_gives_it_the_other_way_round(
    asked: AdmissionRequest, objects: list[dict[str, Any]]
) -> None:
    back = replace(asked, object=asked.old_object, old_object=asked.object)
    if back.resource.resource == "namespaces":
        objects = [found for found in objects if found["kind"] != "Namespace"]
    found = context(back, *objects)
    assert (ask("gaining", found), ask("losing", found)) == (["prod/db"], [])


@pytest.mark.parametrize(("asked", "objects"), MADE)
def test_what_is_made_critical_gains_the_flag(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, *objects)
    assert (ask("gaining", found), ask("losing", found)) == (["prod/db"], [])


@pytest.mark.parametrize(
    ("options", "finalizers", "left"),
    [
        pytest.param(None, [], False, id="default is background"),
        pytest.param({"propagationPolicy": "Orphan"}, [], True, id="propagationPolicy Orphan"),
        pytest.param(
            {"propagationPolicy": "Foreground"}, ["orphan"], False, id="propagationPolicy before the finalizer"
        ),
        pytest.param({"propagationPolicy": "Background"}, [], False, id="propagationPolicy Background"),
        pytest.param({"orphanDependents": True}, [], True, id="orphanDependents"),
        pytest.param({"orphanDependents": False}, ["orphan"], False, id="orphanDependents before the finalizer"),
        pytest.param({}, ["orphan"], True, id="finalizer of an earlier deletion"),
        pytest.param({}, ["foregroundDeletion"], False, id="another finalizer"),
        pytest.param("Orphan", [], False, id="options that are no map"),
    ],
)
def test_kubernetes_should_orphan_dependents(options: Any, finalizers: list[str], left: bool) -> None:
    """Source: Kubernetes apiserver/pkg/registry/generic/registry/store.go shouldOrphanDependents."""
    old = {**TEMPLATE, "metadata": {**TEMPLATE["metadata"], "finalizers": finalizers}}
    assert leaves_vmi(replace(delete(VM, old), options=options)) is left
    assert not leaves_vmi(replace(update(VM, old, old), options=options))


def test_of_a_namespace_the_first_ten_are_named_and_all_are_counted() -> None:
    machines = [vmi(f"run{number:02}") for number in range(8)] + [vm(f"stop{number:02}") for number in range(8)]
    found = context(update(NAMESPACE, AROUND, OPEN), *machines, vm("kept", template_labels=CRITICAL), AROUND)
    assert ask("losingCount", found) == 16
    assert ask("losing", found) == sorted(f"prod/{name['metadata']['name']}" for name in machines)[:10]
    assert found.view.listed == []  # type: ignore[attr-defined]  # the fake notes what was listed


def test_a_namespace_by_its_metadata_where_the_request_has_no_name() -> None:
    found = context(replace(update(NAMESPACE, AROUND, OPEN), name=""), PLAIN, AROUND)
    assert ask("losing", found) == ["prod/db"]


def test_when_the_time_is_up_there_is_no_answer() -> None:
    found = context(update(NAMESPACE, AROUND, OPEN), PLAIN, AROUND)
    found.deadline = Deadline.after(-1)
    with pytest.raises(FactUnavailable, match="which VMs the write flags or unflags"):
        ask("losingCount", found)


def test_the_flag_is_that_of_the_parameters() -> None:
    own = {"critical": {"label": "tier", "value": "gold"}}
    found = context(update(VMI, vmi(labels={"tier": "gold"}), vmi()), parameters=own)
    assert (ask("flag", found), ask("losing", found)) == ("tier=gold", ["prod/db"])


def test_without_a_flag_nothing_is_lost() -> None:
    found = context(update(VMI, FLAGGED, PLAIN), FLAGGED, parameters={"critical": {}})
    assert (ask("flag", found), ask("losing", found)) == ("", [])
