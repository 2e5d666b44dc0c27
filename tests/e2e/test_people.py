"""Who may migrate: people, groups and service accounts, with and without the role ``kubevirt.io:migrate``."""

from __future__ import annotations

import shlex

import pytest

from tests.e2e.objects import evacuation, vmim
from tests.e2e.scene import Scene, allowed, refused
from tests.support.kubectl import Kubectl
from tests.support.process import until

VERSIONS = ["v1", "v1alpha3"]


def names_the_missing_binding(message: str, scene: Scene) -> bool:
    return "kubevirt.io:migrate" in message and "create rolebinding" in message and scene.namespace in message


def test_a_cluster_admin_migrates(scene: Scene) -> None:
    vm = scene.vm("web")
    admin = scene.person("carol")
    scene.admin.must("create", "clusterrolebinding", scene.namespace, "--clusterrole=cluster-admin", "--user=carol")
    until(lambda: admin("auth", "can-i", "create", "secrets").ok, seconds=15, what="carol is a cluster admin")
    allowed(admin.create(vmim("move", vm)))
    scene.admin.must("delete", "clusterrolebinding", scene.namespace)


def test_the_break_glass_group_of_the_installer_migrates(scene: Scene) -> None:
    allowed(scene.admin.create(vmim("move", scene.vm("web"))))


@pytest.mark.parametrize("version", VERSIONS)
def test_a_namespace_admin_with_left_over_verbs_is_refused_with_the_binding_that_is_missing(
    scene: Scene, version: str
) -> None:
    vm = scene.vm("web")
    scene.bind("admin", user="bob")
    bob = scene.person("bob")
    message = refused(bob.create(vmim("move", vm, version=version)))
    assert "VirtualMachineInstanceMigration" in message
    assert f"{scene.namespace}/move" in message
    assert "requester-can-migrate" in message
    assert "bob" in message
    assert names_the_missing_binding(message, scene)
    assert not scene.exists("vmim", "move")


def test_raw_verbs_of_a_custom_role_do_not_replace_the_role_either(scene: Scene) -> None:
    vm = scene.vm("web")
    resource = "--resource=virtualmachineinstancemigrations.kubevirt.io"
    scene.admin.must("create", "role", "mover", "--verb=create,get,delete", resource)
    scene.admin.must("create", "rolebinding", "mover", "--role=mover", "--user=mallory")
    scene.wait_for_right("mover", "user", "mallory")
    assert names_the_missing_binding(refused(scene.person("mallory").create(vmim("move", vm))), scene)


@pytest.mark.parametrize("role", ["edit", "view"])
def test_a_user_with_no_right_is_refused_by_rbac_before_migguard_is_asked(scene: Scene, role: str) -> None:
    vm = scene.vm("web")
    scene.bind(role, user="eve")
    answer = scene.person("eve").create(vmim("move", vm))
    assert not answer.ok
    assert 'User "eve" cannot create resource "virtualmachineinstancemigrations"' in answer.stderr
    assert "migguard" not in answer.stderr
    assert scene.records_of_vmims() == []


def test_the_role_works_at_once_after_it_was_bound(scene: Scene) -> None:
    vm = scene.vm("web")
    alice = scene.person("alice")
    assert not alice.create(vmim("move", vm)).ok
    scene.bind("kubevirt.io:migrate", user="alice")
    allowed(alice.create(vmim("move", vm)))
    assert scene.exists("vmim", "move")


@pytest.mark.parametrize("attempt", range(3))
def test_the_role_works_at_once_also_right_after_migguards_refusal(scene: Scene, attempt: int) -> None:
    vm = scene.vm("web")
    scene.bind("admin", user="bob")
    bob = scene.person("bob")
    refused(bob.create(vmim("move", vm)))
    # No waiting here: the API server asks migguard as soon as bob asks again.
    scene.admin.must("create", "rolebinding", "bob-migrates", "--clusterrole=kubevirt.io:migrate", "--user=bob")
    allowed(bob.create(vmim("move", vm)))


@pytest.mark.parametrize("user", ["bob", "o'neil", "b; touch /tmp/x", "$(id)", "idp:zoë@example.com"])
def test_the_command_that_a_refusal_gives_is_the_one_that_helps(scene: Scene, user: str) -> None:
    vm = scene.vm("web")
    scene.admin.must("create", "rolebinding", "admin", "--clusterrole=admin", f"--user={user}")
    scene.wait_for_right("admin", "user", user)
    message = refused(scene.person(user).create(vmim("move", vm)))
    command = next(line for line in message.splitlines() if "create rolebinding" in line)
    tool, *words = shlex.split(command.split("run: ")[1])  # as a shell would read it
    assert tool == "oc"
    scene.admin.must(*words)
    allowed(scene.person(user).create(vmim("move", vm)))


def test_a_right_that_was_taken_away_is_gone_soon(scene: Scene) -> None:
    vm = scene.vm("web")
    scene.bind("admin", user="bob")
    scene.bind("kubevirt.io:migrate", user="bob")
    bob = scene.person("bob")
    allowed(bob.create(vmim("first", vm)))
    scene.admin.must("delete", "rolebinding", "kubevirt-io-migrate-bob")
    scene.wait_until_refused(bob, "create", "-f", "-", manifest=vmim("second", vm))
    assert names_the_missing_binding(refused(bob.create(vmim("second", vm))), scene)


def test_a_binding_in_another_namespace_gives_nothing_here(scene: Scene) -> None:
    vm = scene.vm("web")
    scene.bind("admin", user="bob")
    binding = ("create", "rolebinding", scene.namespace, "--clusterrole=kubevirt.io:migrate", "--user=bob")
    scene.admin.within("default").must(*binding)
    assert names_the_missing_binding(refused(scene.person("bob").create(vmim("move", vm))), scene)


def test_a_cluster_wide_binding_of_the_role_holds_in_every_namespace(scene: Scene) -> None:
    vm = scene.vm("web")
    role = "--clusterrole=kubevirt.io:migrate"
    scene.admin.must("create", "clusterrolebinding", scene.namespace, role, f"--user=frank-{scene.namespace}")
    scene.wait_for_right("kubevirt.io:migrate", "user", f"frank-{scene.namespace}")
    allowed(scene.person(f"frank-{scene.namespace}").create(vmim("move", vm)))
    scene.admin.must("delete", "clusterrolebinding", scene.namespace)


def test_a_group_binding_holds_for_members_only(scene: Scene) -> None:
    vm = scene.vm("web")
    scene.bind("admin", group="admins")
    scene.bind("kubevirt.io:migrate", group="migrators")
    allowed(scene.person("dora", "migrators").create(vmim("move", vm)))
    refused(scene.person("dave", "admins").create(vmim("other", vm)))


def test_a_service_account_migrates_with_its_own_token(scene: Scene) -> None:
    vm = scene.vm("web")
    scene.admin.must("create", "serviceaccount", "robot")
    token = scene.admin.must("create", "token", "robot").strip()
    robot = Kubectl(scene.plane.kubeconfig_with_token(f"robot-{scene.namespace}", token)).within(scene.namespace)
    scene.bind("admin", serviceaccount=f"{scene.namespace}:robot")
    message = refused(robot.create(vmim("move", vm)))
    assert f"--serviceaccount={scene.namespace}:robot" in message
    scene.bind("kubevirt.io:migrate", serviceaccount=f"{scene.namespace}:robot")
    allowed(robot.create(vmim("move", vm)))


def test_an_account_that_only_looks_like_virt_controller_is_judged_as_a_person(scene: Scene) -> None:
    vm = scene.vm("web")
    scene.bind("admin", serviceaccount=f"{scene.namespace}:kubevirt-controller")
    impostor = scene.controller("kubevirt-controller", namespace=scene.namespace)
    assert names_the_missing_binding(refused(impostor.create(evacuation(vm, "node-a"))), scene)
