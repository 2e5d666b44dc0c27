"""Running migguard: outages of either side, and the records that are left."""

from __future__ import annotations

import json
import time

from tests.e2e.objects import evacuation, vmim
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.support.kubectl import Kubectl


def test_while_migguard_is_stopped_people_are_refused_and_drains_pass(scene: Scene, alice: Kubectl) -> None:
    vm, other = scene.vm("web"), scene.vm("db")
    allowed(alice.create(vmim("before", vm)))
    scene.webhook.stop()
    try:
        attempts = {
            "people.migrations.mutate.migguard.io": alice.create(vmim("move", vm)),
            "people.migrations.validate.migguard.io": alice("delete", "vmim", "before"),
            # Behind virt-api is whoever uses virtctl migrate.
            "people.migrations.mutate.migguard.io ": scene.controller("kubevirt-apiserver").create(vmim("move", vm)),
            "people.configuration.mutate.migguard.io": Configuration(scene).patch_hco({"progressTimeout": 160}),
        }
        for name, answer in attempts.items():
            assert not answer.ok
            assert f'failed calling webhook "{name.strip()}"' in answer.stderr
            assert "connection refused" in answer.stderr
        allowed(scene.controller("kubevirt-controller").create(evacuation(other, "node-a")))
        allowed(scene.controller("namespace-controller", namespace="kube-system")("delete", "vmim", "before"))
    finally:
        scene.webhook.start()
    allowed(alice.create(vmim("move", vm)))


def test_while_migguard_hangs_people_are_refused_and_drains_pass_when_their_time_is_up(
    scene: Scene, alice: Kubectl
) -> None:
    vm, other = scene.vm("web"), scene.vm("db")
    with scene.webhook.paused():
        answer = alice.create(vmim("move", vm))
        assert not answer.ok
        assert 'failed calling webhook "people.migrations.mutate.migguard.io"' in answer.stderr
        assert "deadline exceeded" in answer.stderr
        started = time.monotonic()
        allowed(scene.controller("kubevirt-controller").create(evacuation(other, "node-a")))
        assert time.monotonic() - started < 15  # the time-outs of both webhooks, 5 s each, and kubectl's own start
    allowed(alice.create(vmim("move", vm)))


def test_after_a_crash_migguard_starts_again_and_the_api_server_still_trusts_it(scene: Scene, alice: Kubectl) -> None:
    vm = scene.vm("web")
    scene.webhook.kill()
    scene.webhook.start()
    allowed(alice.create(vmim("move", vm)))
    scene.bind("admin", user="bob")
    refused(scene.person("bob").create(vmim("other", vm)))


def test_migguard_recovers_when_the_api_server_was_restarted(scene: Scene, alice: Kubectl) -> None:
    good, bad = scene.vm("before"), scene.vm("stuck", access_mode="ReadWriteOnce")
    scene.plane.restart_apiserver()
    scene.wait_until_allowed(alice, "create", "-f", "-", manifest=vmim("probe", good))
    refused(alice.create(vmim("move-stuck", bad)))
    allowed(alice.create(vmim("move", good)))
    later = scene.vm("after")
    allowed(alice.create(vmim("move-later", later)))
    # Watches are back too: a change that only they can bring is seen.
    scene.admin.must("label", "namespace", scene.namespace, "migguard.io/critical=true")
    allowed(Configuration(scene).patch_kubevirt({"progressTimeout": 150}))
    edit = ("patch", "kubevirts.v1.kubevirt.io", "kubevirt-kubevirt-hyperconverged", "--type=merge", "-p")
    post_copy = '{"spec":{"configuration":{"migrations":{"allowPostCopy":true}}}}'
    scene.wait_until_refused(Configuration(scene).admin, *edit, post_copy)


def test_metrics_count_decisions(scene: Scene, alice: Kubectl) -> None:
    allowed(alice.create(vmim("move", scene.vm("web"))))
    code, text = scene.webhook.get("/metrics")
    assert code == 200
    assert "migguard_" in text


def test_every_decision_has_one_record_and_the_api_audit_log_bears_its_id(scene: Scene, alice: Kubectl) -> None:
    vm = scene.vm("web")
    scene.bind("admin", user="bob")
    refused(scene.person("bob").create(vmim("refused", vm)))
    allowed(alice.create(vmim("made", vm)))
    allowed(alice("label", "vmim", "made", "team=a"))
    allowed(alice("delete", "vmim", "made"))

    migration = {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachineInstanceMigration"}
    records = [
        record
        for record in scene.webhook.records(namespace=scene.namespace)
        if record["input"]["request"]["kind"] == migration
    ]
    assert [
        (
            record["path"],
            record["input"]["request"]["operation"],
            record["requested_by"],
            record["result"]["response"]["allowed"],
        )
        for record in records
    ] == [
        ("mutate", "CREATE", "bob", True),
        ("validate", "CREATE", "bob", False),
        ("mutate", "CREATE", "alice", True),
        ("validate", "CREATE", "alice", True),
        ("mutate", "UPDATE", "alice", True),
        ("validate", "UPDATE", "alice", True),
        ("validate", "DELETE", "alice", True),
    ]
    assert len({record["decision_id"] for record in records}) == len(records)

    for record in records:
        annotations = _api_audit_annotations(scene, record["input"]["request"]["name"])
        assert record["decision_id"] in annotations.values(), record


def test_the_refusal_names_the_record(scene: Scene) -> None:
    vm = scene.vm("web")
    scene.bind("admin", user="bob")
    message = refused(scene.person("bob").create(vmim("move", vm)))
    (record,) = (
        record
        for record in scene.webhook.records(namespace=scene.namespace, name="move")
        if not record["result"]["response"]["allowed"]
    )
    assert record["decision_id"] in message
    assert record["requested_by"] == "bob"
    assert record["origin"] == "User"
    assert [each["policy"] for each in record["evaluations"] if each["result"] == "fail"] == ["requester-can-migrate"]


def _api_audit_annotations(scene: Scene, name: str) -> dict[str, str]:
    found: dict[str, str] = {}
    for event in scene.plane.api_audit_events():
        reference = event["objectRef"]
        named = reference.get("name") in {name, None}  # a create has no name in its URL
        if reference.get("namespace") == scene.namespace and named:
            found |= {f"{event['auditID']}/{key}": value for key, value in event.get("annotations", {}).items()}
    assert found, f"no annotation in the API audit log for {name}: {json.dumps(scene.plane.api_audit_events()[-1])}"
    return found
