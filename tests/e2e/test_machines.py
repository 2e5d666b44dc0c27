"""What a VM must be like to be migrated by a person, and that controllers are never in the way of a drain."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from tests.e2e.objects import CRITICAL, INSTALL_NAMESPACE, SAFE, evacuation, migration_policy, vmim
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.support.kubectl import Kubectl

Road = Callable[[Configuration], str]

POST_COPY = {"allowPostCopy": True}


@pytest.mark.parametrize("access_mode", ["ReadWriteOnce", "ReadOnlyMany", "ReadWriteOncePod"])
def test_a_disk_that_is_not_read_write_many_is_named(scene: Scene, alice: Kubectl, access_mode: str) -> None:
    vm = scene.vm("db", access_mode=access_mode)
    message = refused(alice.create(vmim("move", vm)))
    assert "vm-volumes-migratable" in message
    assert "data" in message
    assert "db-data" in message
    assert access_mode in message
    assert "ReadWriteMany" in message


def test_a_read_write_many_disk_may_move(scene: Scene, alice: Kubectl) -> None:
    allowed(alice.create(vmim("move", scene.vm("db"))))


def test_a_vm_that_does_not_exist_is_refused_and_works_as_soon_as_it_does(scene: Scene, alice: Kubectl) -> None:
    assert "late" in refused(alice.create(vmim("move", "late")))
    scene.vm("late")
    allowed(alice.create(vmim("move", "late")))


def hyperconverged_v1beta1(configuration: Configuration) -> str:
    allowed(configuration.patch_hco(POST_COPY))
    configuration.render(SAFE | POST_COPY)
    return "HyperConverged"


def hyperconverged_v1(configuration: Configuration) -> str:
    allowed(configuration.patch_hco(POST_COPY, version="v1"))
    configuration.render(SAFE | POST_COPY)
    return "HyperConverged"


def jsonpatch_annotation(configuration: Configuration) -> str:
    path = "/spec/configuration/migrations/allowPostCopy"
    allowed(configuration.annotate_hco([{"op": "add", "path": path, "value": True}]))
    configuration.render(SAFE | POST_COPY)
    return "jsonpatch"


def kubevirt_cr(configuration: Configuration) -> str:
    allowed(configuration.patch_kubevirt(POST_COPY))
    return "KubeVirt "


def migration_policy_for_the_namespace(configuration: Configuration) -> str:
    name = f"fast-{configuration.scene.namespace}"
    policy = migration_policy(name, {"team": configuration.scene.namespace}, **POST_COPY)
    allowed(configuration.admin.create(policy))
    return f"MigrationPolicy {name}"


ROADS = [
    hyperconverged_v1beta1,
    hyperconverged_v1,
    jsonpatch_annotation,
    kubevirt_cr,
    migration_policy_for_the_namespace,
]


@pytest.mark.parametrize("road", ROADS, ids=lambda road: road.__name__)
def test_a_critical_vm_is_not_migrated_under_post_copy_and_the_switch_is_named(
    configuration: Configuration, alice: Kubectl, road: Road
) -> None:
    switch = road(configuration)
    scene = configuration.scene
    critical, ordinary = scene.vm("ledger", labels=CRITICAL), scene.vm("web")
    scene.wait_until_refused(alice, "create", "-f", "-", manifest=vmim("move", critical))
    message = refused(alice.create(vmim("move", critical)))
    assert "critical-vm-no-post-copy" in message
    assert "ledger" in message
    assert "allowPostCopy" in message
    assert switch in message
    allowed(alice.create(vmim("move", ordinary)))


def test_a_namespace_may_be_flagged_critical_instead_of_the_vm(configuration: Configuration, alice: Kubectl) -> None:
    scene = configuration.scene
    scene.admin.must("label", "namespace", scene.namespace, "migguard.io/critical=true")
    kubevirt_cr(configuration)
    vm = scene.vm("web")
    scene.wait_until_refused(alice, "create", "-f", "-", manifest=vmim("move", vm))
    assert "critical-vm-no-post-copy" in refused(alice.create(vmim("move", vm)))


def test_a_drain_passes_where_a_person_is_refused(scene: Scene, alice: Kubectl) -> None:
    vm = scene.vm("db", access_mode="ReadWriteOnce")
    refused(alice.create(vmim("move", vm)))
    virt_controller = scene.controller("kubevirt-controller")
    created = allowed(virt_controller.create(evacuation(vm, "node-a"), "-o", "json"))
    migration = json.loads(created)["metadata"]["name"]
    assert {record["origin"] for record in scene.records_of_vmims()} >= {
        "User",
        "Drain",
    }
    status = (
        "patch",
        "vmim",
        migration,
        "--subresource=status",
        "--type=merge",
        "-p",
        '{"status":{"phase":"Running"}}',
    )
    allowed(virt_controller(*status))
    allowed(virt_controller("annotate", "vmim", migration, "kubevirt.io/latest-observed-api-version=v1"))
    allowed(virt_controller("patch", "vmim", migration, "--type=merge", "-p", '{"metadata":{"finalizers":null}}'))
    allowed(virt_controller("delete", "vmim", migration))
    assert not scene.exists("vmim", migration)


def test_a_workload_update_passes_and_is_recorded_as_such(scene: Scene) -> None:
    wanted = evacuation(scene.vm("db", access_mode="ReadWriteOnce"), "node-a")
    wanted["metadata"] |= {
        "generateName": "kubevirt-workload-update-",
        "annotations": {"kubevirt.io/workloadUpdateMigration": ""},
    }
    allowed(scene.controller("kubevirt-controller").create(wanted))
    records = scene.records_of_vmims()
    assert {record["origin"] for record in records} == {"WorkloadUpdate"}


def test_the_marks_of_a_drain_help_no_person(scene: Scene) -> None:
    wanted = evacuation(scene.vm("web"), "node-a")
    scene.bind("admin", user="bob")
    refused(scene.person("bob").create(wanted))


def test_the_namespace_controller_cleans_up(scene: Scene) -> None:
    scene.admin.must("create", "-f", "-", manifest=vmim("move", scene.vm("web")))
    allowed(scene.controller("namespace-controller", namespace="kube-system")("delete", "vmim", "move"))


def test_virtctl_migrate_arrives_through_virt_api(scene: Scene) -> None:
    wanted = vmim("", scene.vm("web"))
    wanted["metadata"] = {"generateName": "kubevirt-migrate-vm-"}
    allowed(scene.controller("kubevirt-apiserver").create(wanted))
    records = scene.records_of_vmims()
    assert {record["origin"] for record in records} == {"VirtAPI"}
    assert records[0]["requested_by"] == f"system:serviceaccount:{INSTALL_NAMESPACE}:kubevirt-apiserver"


def test_a_namespace_that_merely_bears_a_usual_name_makes_no_system_component(scene: Scene) -> None:
    """KubeVirt is installed elsewhere: whoever may make a namespace could take this name."""
    usual = "openshift-cnv" if INSTALL_NAMESPACE != "openshift-cnv" else "kubevirt"
    scene.admin("create", "namespace", usual)
    scene.bind("admin", serviceaccount=f"{usual}:kubevirt-controller")
    vm = scene.vm("local", access_mode="ReadWriteOnce")
    answer = scene.controller("kubevirt-controller", namespace=usual).create(evacuation(vm, "node-a"))
    assert "requester-can-migrate" in refused(answer)
    (record,) = scene.records_of_vmims()[-1:]
    assert record["origin"] == "User"
