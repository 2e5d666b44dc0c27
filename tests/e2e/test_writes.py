"""Every way in which kubectl can write a migration is judged, in both served versions."""

from __future__ import annotations

import pytest

from tests.e2e.objects import vmim
from tests.e2e.scene import Scene, allowed, refused
from tests.support.kubectl import Kubectl

VERSIONS = ["v1", "v1alpha3"]
LABEL = '{"metadata":{"labels":{"team":"a"}}}'


@pytest.fixture
def move(scene: Scene) -> str:
    """A migration that exists."""
    scene.admin.must("create", "-f", "-", manifest=vmim("move", scene.vm("web")))
    return "move"


def resource(version: str) -> str:
    return f"virtualmachineinstancemigrations.{version}.kubevirt.io"


@pytest.mark.parametrize("version", VERSIONS)
def test_create(scene: Scene, alice: Kubectl, bob: Kubectl, version: str) -> None:
    vm = scene.vm("web")
    refused(bob.create(vmim("move", vm, version=version)))
    allowed(alice.create(vmim("move", vm, version=version)))


@pytest.mark.parametrize("flag", ["--server-side", "--server-side=false"])
def test_apply_that_creates(scene: Scene, alice: Kubectl, bob: Kubectl, flag: str) -> None:
    vm = scene.vm("web")
    refused(bob.apply(vmim("move", vm), flag))
    allowed(alice.apply(vmim("move", vm), flag))


def test_server_side_apply_that_updates(scene: Scene, alice: Kubectl, bob: Kubectl) -> None:
    wanted = vmim("move", scene.vm("web"))
    allowed(alice.apply(wanted, "--server-side"))
    wanted["metadata"]["labels"] = {"team": "a"}
    refused(bob.apply(wanted, "--server-side", "--force-conflicts"))
    allowed(alice.apply(wanted, "--server-side"))


@pytest.mark.parametrize("version", VERSIONS)
def test_patch(move: str, alice: Kubectl, bob: Kubectl, version: str) -> None:
    patch = ("patch", resource(version), move, "--type=merge", "-p", LABEL)
    refused(bob(*patch))
    allowed(alice(*patch))


def test_replace(scene: Scene, move: str, alice: Kubectl, bob: Kubectl) -> None:
    wanted = scene.admin.read("vmim", move)
    wanted["metadata"]["labels"] = {"team": "a"}
    refused(bob("replace", "-f", "-", manifest=wanted))
    allowed(alice("replace", "-f", "-", manifest=wanted))


def test_label_and_annotate(move: str, alice: Kubectl, bob: Kubectl) -> None:
    refused(bob("label", "vmim", move, "team=a"))
    refused(bob("annotate", "vmim", move, "note=a"))
    allowed(alice("label", "vmim", move, "team=a"))


@pytest.mark.parametrize("version", VERSIONS)
def test_delete_which_cancels(scene: Scene, move: str, alice: Kubectl, bob: Kubectl, version: str) -> None:
    refused(bob("delete", resource(version), move))
    assert scene.exists("vmim", move)
    allowed(alice("delete", resource(version), move))
    assert not scene.exists("vmim", move)


def test_delete_all(scene: Scene, move: str, alice: Kubectl, bob: Kubectl) -> None:
    scene.admin.must("create", "-f", "-", manifest=vmim("second", scene.vm("db")))
    assert refused(bob("delete", "vmim", "--all"))
    assert scene.exists("vmim", move)
    assert scene.exists("vmim", "second")
    allowed(alice("delete", "vmim", "--all"))
    assert scene.admin.must("get", "vmim", "-o", "name") == ""


@pytest.mark.parametrize("version", VERSIONS)
def test_deletecollection(scene: Scene, move: str, alice: Kubectl, bob: Kubectl, version: str) -> None:
    path = f"/apis/kubevirt.io/{version}/namespaces/{scene.namespace}/virtualmachineinstancemigrations"
    answer = bob("delete", "--raw", path)
    assert not answer.ok
    assert "requester-can-migrate" in answer.stdout + answer.stderr
    assert scene.exists("vmim", move)
    allowed(alice("delete", "--raw", path))
    assert not scene.exists("vmim", move)


def test_dry_run_is_decided_the_same_and_leaves_nothing(scene: Scene, alice: Kubectl, bob: Kubectl) -> None:
    vm = scene.vm("web")
    refused(bob.create(vmim("move", vm), "--dry-run=server"))
    allowed(alice.create(vmim("move", vm), "--dry-run=server"))
    assert not scene.exists("vmim", "move")
    records = scene.webhook.records(namespace=scene.namespace, name="move")
    assert records
    assert all(record["input"]["request"]["dryRun"] for record in records)


def test_a_generated_name(scene: Scene, alice: Kubectl, bob: Kubectl) -> None:
    wanted = vmim("", scene.vm("web"))
    wanted["metadata"] = {"generateName": "move-"}
    assert "move-" in refused(bob.create(wanted))
    allowed(alice.create(wanted))
