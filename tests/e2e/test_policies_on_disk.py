"""Policies, parameters and exemptions edited on disk: in force without a restart, and never half."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import yaml

from tests.e2e.objects import CRITICAL, evacuation, vmim
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.support.kubectl import Kubectl
from tests.support.process import until
from tests.support.webhook import Webhook

FILE = "ticket-required/policy.yaml"
TICKET_POLICY = """\
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata:
  name: ticket-required
  annotations:
    migguard.io/title: A migration names its ticket
    migguard.io/severity: low
spec:
  matchConstraints:
    namespaceSelector: {matchLabels: {team: NAMESPACE}}
    resourceRules:
      - apiGroups: [kubevirt.io]
        apiVersions: ["*"]
        operations: [CREATE]
        resources: [virtualmachineinstancemigrations]
  origins: [User]
  validations:
    - expression: has(object.metadata.annotations) && 'example.com/ticket' in object.metadata.annotations
      message: the migration names no ticket
      remediation: set the annotation example.com/ticket
"""
BINDING = """\
---
apiVersion: migguard.io/v1alpha1
kind: GuardPolicyBinding
metadata:
  name: ticket-required
spec:
  policyName: ticket-required
  validationActions: [Warn]
"""


def parameters(webhook: Webhook, **changes: Any) -> str:
    """The Parameters document with some of its spec changed; mappings are merged."""
    document = yaml.safe_load((webhook.policies / "parameters.yaml").read_text())
    for key, change in changes.items():
        document["spec"][key] = document["spec"][key] | change
    return yaml.safe_dump(document)


def test_a_new_policy_is_in_force_without_restart(scene: Scene, alice: Kubectl) -> None:
    move = vmim("move", scene.vm("web"))
    allowed(alice.create(move, "--dry-run=server"))
    with scene.webhook.edited(FILE, TICKET_POLICY.replace("NAMESPACE", scene.namespace)):
        message = refused(alice.create(move))
        assert "ticket-required" in message
        assert "the migration names no ticket" in message
        assert "set the annotation example.com/ticket" in message
        allowed(scene.controller("kubevirt-controller").create(evacuation(scene.vm("db"), "node-a")))
        move["metadata"]["annotations"] = {"example.com/ticket": "OPS-1"}
        allowed(alice.create(move))
    allowed(alice.create(vmim("second", scene.vm("third"))))


def test_a_broken_edit_keeps_the_last_good_policies(scene: Scene, alice: Kubectl) -> None:
    move = vmim("move", scene.vm("web"))
    good = TICKET_POLICY.replace("NAMESPACE", scene.namespace)
    file = scene.webhook.policies / FILE
    with scene.webhook.edited(FILE, good):
        file.write_text(good.replace("has(object.metadata.annotations)", "has(object.metadata.annotations"))
        until(lambda: f"{file}:" in scene.webhook.log, seconds=20, what="the log names the broken file")
        assert "the migration names no ticket" in refused(alice.create(move))
        assert scene.webhook.ready()
        scene.webhook.edit(FILE, good.replace("names no ticket", "lacks a ticket"))
        assert "lacks a ticket" in refused(alice.create(move))


def test_a_binding_turns_a_refusal_into_a_warning(scene: Scene, alice: Kubectl) -> None:
    policy = TICKET_POLICY.replace("NAMESPACE", scene.namespace) + BINDING
    with scene.webhook.edited(FILE, policy):
        answer = alice.create(vmim("move", scene.vm("web")))
        allowed(answer)
        assert [warning for warning in answer.warnings if "the migration names no ticket" in warning], answer.stderr


def test_in_effective_mode_any_road_to_the_rights_will_do(scene: Scene, bob: Kubectl) -> None:
    move = vmim("move", scene.vm("web"))
    refused(bob.create(move))
    with scene.webhook.edited("parameters.yaml", parameters(scene.webhook, permission={"mode": "effective"})):
        allowed(bob.create(move))
        resource = "--resource=virtualmachineinstancemigrations.kubevirt.io"
        scene.admin.must("create", "role", "half", "--verb=create,get,delete", resource)
        scene.admin.must("create", "rolebinding", "half", "--role=half", "--user=mallory")
        scene.wait_for_right("half", "user", "mallory")
        message = refused(scene.person("mallory").create(vmim("other", "web")))
        assert "virtualmachines" in message
        assert "migrate" in message
    assert "bob" in refused(bob.create(vmim("second", "web")))


@pytest.mark.parametrize("version", ["v1beta1", "v1"])
def test_a_parameter_turns_refused_post_copy_into_allow_post_copy_false(
    configuration: Configuration, version: str
) -> None:
    scene = configuration.scene
    scene.vm("ledger", labels=CRITICAL)
    with scene.webhook.edited("parameters.yaml", parameters(scene.webhook, params={"unsafePostCopy": "Default"})):
        until(
            lambda: configuration.patch_hco({"allowPostCopy": True}, "--dry-run=server").warnings != [],
            seconds=15,
            what="migguard has seen the critical VM",
        )
        answer = configuration.patch_hco({"allowPostCopy": True}, version=version)
        allowed(answer)
        assert [warning for warning in answer.warnings if f"{scene.namespace}/ledger" in warning], answer.stderr
        assert configuration.stored_hco(version)["allowPostCopy"] is False


def test_an_exemption_lets_one_person_through_and_is_on_the_record(scene: Scene, bob: Kubectl) -> None:
    exemption: dict[str, Any] = {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "Exemption",
        "metadata": {"name": "bob-until-the-role-is-bound"},
        "spec": {
            "policies": ["requester-can-migrate"],
            "subjects": [{"kind": "User", "name": "bob"}],
            "namespaces": [scene.namespace],
            "owner": "platform-team",
            "reason": "the role is being bound",
            "ticket": "OPS-2",
            "expires": (datetime.now(UTC) + timedelta(days=1)).strftime("%Y-%m-%dT%H:%M:%SZ"),
        },
    }
    scene.vm("web")
    with scene.webhook.edited("exemptions/bob.yaml", yaml.safe_dump(exemption)):
        allowed(bob.create(vmim("move", "web")))
        used = [
            evaluation["exemption"]
            for record in scene.webhook.records(namespace=scene.namespace, name="move")
            for evaluation in record["evaluations"]
            if evaluation["policy"] == "requester-can-migrate" and record["path"] == "validate"
        ]
        assert used == ["bob-until-the-role-is-bound"]
        expired = exemption["spec"] | {"expires": "2020-01-01T00:00:00Z"}
        with scene.webhook.edited("exemptions/bob.yaml", yaml.safe_dump(exemption | {"spec": expired})):
            refused(bob.create(vmim("late", "web")))
