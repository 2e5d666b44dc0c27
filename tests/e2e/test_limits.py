"""What people may not do although they hold the right: flood the queue, move a VM to and fro, migrate in a freeze."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
import yaml

from tests.e2e.objects import INSTALL_NAMESPACE, evacuation, node, vmim
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.support.kubectl import Kubectl


def finish(scene: Scene, name: str) -> None:
    """Report the end of a migration as virt-controller does."""
    status = json.dumps({"status": {"phase": "Succeeded"}})
    controller = scene.controller("kubevirt-controller")
    controller.must("patch", "vmim", name, "--subresource=status", "--type=merge", "-p", status)


def parameters(scene: Scene, **spec: object) -> str:
    """The text of the built-in Parameters with other values."""
    document = yaml.safe_load((scene.webhook.policies / "parameters.yaml").read_text())
    document["spec"] |= spec
    return yaml.safe_dump(document)


class TestFreeze:
    """Freeze windows."""

    @pytest.fixture(autouse=True)
    def frozen(self, scene: Scene) -> Iterator[None]:
        begun = datetime.now(UTC) - timedelta(minutes=10)
        window = {
            "name": "closing",
            "schedule": f"{begun.minute} {begun.hour} {begun.day} {begun.month} *",
            "duration": "3h",
            "reason": "month-end closing",
        }
        with scene.webhook.edited("parameters.yaml", parameters(scene, freezeWindows=[window])):
            yield

    def test_people_wait_until_it_ends(self, scene: Scene, alice: Kubectl) -> None:
        message = refused(alice.create(vmim("move", scene.vm("web"))))
        assert "freeze-window" in message
        assert "month-end closing" in message

    def test_a_drain_does_not(self, scene: Scene) -> None:
        allowed(scene.controller("kubevirt-controller").create(evacuation(scene.vm("web"), "node-a")))


class TestQueue:
    """The share of the queue that one namespace may take."""

    def test_a_namespace_does_not_fill_the_queue_that_a_drain_needs(self, scene: Scene, alice: Kubectl) -> None:
        names = [scene.vm(f"web-{number}") for number in range(5)]
        for name in names[:3]:
            allowed(alice.create(vmim(f"move-{name}", name)))
        scene.wait_until_refused(alice, "create", "-f", "-", manifest=vmim("one-more", names[3]))
        message = refused(alice.create(vmim("one-more", names[3])))
        assert "migration-limits" in message
        assert scene.namespace in message
        allowed(scene.controller("kubevirt-controller").create(evacuation(names[4], "node-a")))
        scene.admin.must("delete", "vmim", "--all", "--wait=false")
        allowed(alice.create(vmim("at-last", names[3])))

    def test_a_vm_is_not_moved_back_and_forth(self, scene: Scene, alice: Kubectl) -> None:
        name = scene.vm("web")
        for number in range(4):
            allowed(alice.create(vmim(f"move-{number}", name)))
            finish(scene, f"move-{number}")
            scene.wait_until_finished(f"move-{number}")
        scene.wait_until_refused(alice, "create", "-f", "-", manifest=vmim("once-more", name))
        assert "migration-limits" in refused(alice.create(vmim("once-more", name)))


class TestTargets:
    """Where a VM could go."""

    def test_a_vm_that_no_node_can_take_is_refused_with_the_reasons_counted(self, scene: Scene, alice: Kubectl) -> None:
        name = scene.vm("web")
        with scene.nodes(node("node-a"), node("node-b")):
            scene.admin.must("cordon", "node-b")
            scene.wait_until_refused(alice, "create", "-f", "-", manifest=vmim("move", name))
            message = refused(alice.create(vmim("move", name)))
            assert "target-node-exists" in message
            assert "cordoned" in message
            scene.admin.must("uncordon", "node-b")
            allowed(alice.create(vmim("move", name)))


class TestNetwork:
    """The dedicated migration network."""

    def test_a_network_that_does_not_exist_is_warned_about(self, configuration: Configuration) -> None:
        answer = configuration.patch_hco({"network": "nowhere"})
        allowed(answer)
        assert any("migration-network-exists" in warning and "nowhere" in warning for warning in answer.warnings)

    def test_one_that_exists_is_not(self, configuration: Configuration) -> None:
        network = {
            "apiVersion": "k8s.cni.cncf.io/v1",
            "kind": "NetworkAttachmentDefinition",
            "metadata": {"name": "somewhere", "namespace": INSTALL_NAMESPACE},
            "spec": {"config": "{}"},
        }
        configuration.admin.must("create", "-f", "-", manifest=network)
        scene = configuration.scene
        ask = {"network": "somewhere"}
        scene.wait_until(lambda: "somewhere" not in configuration.patch_hco(ask, "--dry-run=server").stderr)
        configuration.admin.must("delete", "network-attachment-definitions", "somewhere")


def test_messages_are_in_the_language_of_the_parameters(scene: Scene) -> None:
    scene.bind("admin", user="bob")
    name = scene.vm("web")
    with scene.webhook.edited("parameters.yaml", parameters(scene, language="ja")):
        message = refused(scene.person("bob").create(vmim("move", name)))
    assert "ライブマイグレーション" in message
    assert "requester-can-migrate" in message
    assert f"{scene.namespace}/move" in message
