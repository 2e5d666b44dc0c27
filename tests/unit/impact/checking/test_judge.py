"""Manifests judged as if they were applied."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from tests.support.anyjson import any_json
from tests.support.engine import NOW, binding, exemption, judging, mutating, policy, policy_set, refusing
from webhook.admission.natives import CATALOG
from webhook.errors import UsageError
from webhook.impact.checking.applying import LAST_APPLIED
from webhook.impact.checking.gitfiles import Found, Manifest, gather
from webhook.impact.checking.ground import bare, ground_of
from webhook.impact.checking.judge import check
from webhook.impact.checking.run import Asked
from webhook.model.request import Operation
from webhook.offline.request import user_of
from webhook.offline.state import ClusterSource
from webhook.output.finding import Examined, Level, Report
from webhook.policy.policyset import PolicySet, load
from webhook.source.files import Document, parse

NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod", "labels": {"tier": "gold"}}}
ALICE = user_of({"username": "alice"})


def vm(name: str = "db", **fields: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": {"name": name, "namespace": "prod", **fields},
        "spec": {"running": True, "template": {"metadata": {"labels": {"app": name}}}},
    }


def vmi(name: str = "db", **metadata: Any) -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": "prod", **metadata},
        "status": {"phase": "Running", "nodeName": "n1"},
    }


def vmim(name: str = "move", vmi_name: str = "db") -> dict[str, Any]:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": name, "namespace": "prod"},
        "spec": {"vmiName": vmi_name},
    }


def manifests(*objects: Any) -> Found:
    """These objects as they would be read from one file."""
    documents, problems = parse(yaml.safe_dump_all(objects, sort_keys=False), "apps/all.yaml")
    assert not problems
    return Found(tuple(Manifest(one.value, one, (), list(one.positions)) for one in documents), (), ())


def policies(*documents: Any) -> PolicySet:
    return policy_set(*documents, catalog=CATALOG)


class World:
    """A folder of manifests that is the cluster."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def holding(self, *objects: Any) -> ClusterSource:
        file = self._folder / "cluster.yaml"
        file.write_text(yaml.safe_dump_all(objects))
        return ClusterSource((file,))


@pytest.fixture(name="cluster")
def cluster_of_manifests(tmp_path: Path) -> World:
    return World(tmp_path)


def checked(
    found: Found, rules: PolicySet, source: ClusterSource | None = None, *, anybody: bool = False, **asked: Any
) -> Report:
    ground = ground_of(source, lambda _: None) if source else bare()
    return check(found, rules, ground, Asked(user=None if anybody else ALICE, **asked), NOW)


def only(report: Report) -> Examined:
    [one] = report.examined
    return one


SAYS_OPERATION = policy(
    validations=[{"expression": "false", "messageExpression": "request.operation + ' by ' + request.userInfo.username"}]
)


# Requests


@pytest.mark.parametrize(
    ("there", "asked", "said"),
    [
        pytest.param([], {}, "CREATE by alice", id="a-new-object"),
        pytest.param([vm()], {}, "UPDATE by alice", id="one-that-is-there"),
        pytest.param([vm()], {"operation": Operation.CREATE}, "CREATE by alice", id="created-if-one-says-so"),
        pytest.param([vm()], {"operation": Operation.DELETE}, "DELETE by alice", id="deleted"),
    ],
)
def test_a_manifest_becomes_the_request_that_an_apply_makes(
    cluster: World, there: list[Any], asked: dict[str, Any], said: str
) -> None:
    report = checked(manifests(vm()), policies(SAYS_OPERATION), cluster.holding(NAMESPACE, *there), **asked)
    assert [finding.message for finding in report.findings] == [said]
    assert report.findings[0].properties["operation"] == said.split(maxsplit=1)[0]


@pytest.mark.parametrize("operation", [Operation.UPDATE, Operation.DELETE])
def test_what_is_not_there_cannot_be_changed(cluster: World, operation: Operation) -> None:
    report = checked(manifests(vm()), policies(refusing()), cluster.holding(NAMESPACE), operation=operation)
    assert only(report).skipped == (
        f"there is no such object in the cluster, so there is nothing to {operation.lower()}"
    )
    assert report.exit_code == 0


def test_an_update_without_a_cluster_cannot_be() -> None:
    with pytest.raises(UsageError, match="needs the object as it is in the cluster"):
        checked(manifests(vm()), policies(refusing()), operation=Operation.UPDATE)


def test_a_deletion_without_a_cluster_is_of_the_manifest() -> None:
    rules = policies(judging("oldObject.metadata.name != 'db'"))
    assert checked(manifests(vm()), rules, operation=Operation.DELETE).failed


def test_an_object_without_a_namespace_is_applied_where_it_is_said() -> None:
    rules = policies(judging("object.metadata.namespace == 'shop' && request.namespace == 'shop'"))
    bare_vm = {**vm(), "metadata": {"name": "db"}}
    assert not checked(manifests(bare_vm), rules, namespace="shop").failed
    assert checked(manifests(bare_vm), rules).failed


def test_the_old_object_is_whole_and_not_what_facts_need_of_it(cluster: World) -> None:
    rules = policies(judging("oldObject.spec.running && oldObject.metadata.annotations.a == 'b'"))
    source = cluster.holding(NAMESPACE, vm(annotations={"a": "b"}, managedFields=[{"manager": "x"}]))
    assert not checked(manifests(vm()), rules, source).failed
    assert not checked(manifests(vm()), policies(judging("!has(oldObject.metadata.managedFields)")), source).failed


@pytest.mark.parametrize(
    ("obj", "plural"),
    [
        pytest.param({"apiVersion": "v1", "kind": "ServiceAccount"}, "serviceaccounts", id="regular"),
        pytest.param({"apiVersion": "networking.k8s.io/v1", "kind": "NetworkPolicy"}, "networkpolicies", id="with-y"),
        pytest.param({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress"}, "ingresses", id="with-s"),
        pytest.param(
            {"apiVersion": "pool.kubevirt.io/v1beta1", "kind": "VirtualMachinePool"}, "virtualmachinepools", id="known"
        ),
    ],
)
def test_the_resource_of_a_kind_is_found(obj: dict[str, Any], plural: str) -> None:
    rules = policies(judging(f"request.resource.resource == '{plural}'"))
    report = checked(manifests({**obj, "metadata": {"name": "x"}}), rules)
    assert (report.failed, len(report.examined)) == (False, 1)


# What is there when


def test_a_manifest_sees_those_that_are_applied_before_it(cluster: World) -> None:
    rules = policies(
        policy(
            matchConstraints={
                "resourceRules": [
                    {
                        "apiGroups": ["kubevirt.io"],
                        "apiVersions": ["*"],
                        "resources": ["virtualmachineinstancemigrations"],
                        "operations": ["CREATE"],
                    }
                ]
            },
            validations=[{"expression": "vmi.found", "message": "no VMI"}],
        )
    )
    source = cluster.holding(NAMESPACE)
    assert checked(manifests(vmim()), rules, source).failed
    assert not checked(manifests(vmim(), vmi()), rules, source).failed, "whatever the order in the file"
    assert not checked(manifests(vmim(), vmi()), rules).failed, "also without a cluster"


def test_a_migration_sees_the_one_before_it_but_not_itself(cluster: World) -> None:
    rules = policies(
        policy(
            validations=[
                {
                    "expression": "size(migrations.unfinishedOfVM) == 0",
                    "messageExpression": "'under way: ' + migrations.unfinishedOfVM.join(',')",
                }
            ]
        )
    )
    report = checked(manifests(vmim("first"), vmim("second")), rules, cluster.holding(NAMESPACE, vmi()))
    assert [[finding.message for finding in one.findings] for one in report.examined] == [[], ["under way: first"]]


def test_what_is_refused_is_not_there_for_the_rest(cluster: World) -> None:
    rules = policies(
        policy(
            validations=[
                {"expression": "object.metadata.name != 'first'", "message": "bad name"},
                {"expression": "size(migrations.unfinishedOfVM) == 0", "message": "another is under way"},
            ]
        )
    )
    report = checked(manifests(vmim("first"), vmim("second")), rules, cluster.holding(NAMESPACE, vmi()))
    assert [[finding.message for finding in one.findings] for one in report.examined] == [["bad name"], []]


def test_a_namespace_bears_its_name_as_the_api_server_has_it() -> None:
    selector = {"matchLabels": {"kubernetes.io/metadata.name": "prod"}}
    rule = {"apiGroups": ["kubevirt.io"], "apiVersions": ["*"], "resources": ["*"], "operations": ["*"]}
    rules = policies(refusing(matchConstraints={"resourceRules": [rule], "namespaceSelector": selector}))
    report = checked(manifests(NAMESPACE, vm()), rules)
    assert [finding.subject for finding in report.findings] == ["VirtualMachine prod/db"]


def test_the_second_manifest_of_an_object_updates_the_first() -> None:
    report = checked(manifests(vm(), vm()), policies(SAYS_OPERATION))
    assert [finding.message for finding in report.findings] == ["CREATE by alice", "CREATE by alice"], "it was refused"
    warned = {**SAYS_OPERATION, "spec": {**SAYS_OPERATION["spec"], "validationActions": ["Warn"]}}
    report = checked(manifests(vm(), vm()), policies(warned))
    assert [finding.message for finding in report.findings] == ["CREATE by alice", "UPDATE by alice"]


def test_a_claim_that_no_policy_is_about_is_there_all_the_same(cluster: World) -> None:
    claim = {
        "apiVersion": "v1",
        "kind": "PersistentVolumeClaim",
        "metadata": {"name": "root", "namespace": "prod"},
        "spec": {"accessModes": ["ReadWriteOnce"]},
    }
    machine = vmi()
    machine["spec"] = {"volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}]}
    rule = {
        "apiGroups": ["kubevirt.io"],
        "apiVersions": ["*"],
        "resources": ["virtualmachineinstancemigrations"],
        "operations": ["*"],
    }
    rules = policies(
        policy(
            matchConstraints={"resourceRules": [rule]},
            validations=[{"expression": "volumes.blockingCount == 0", "message": "blocked"}],
        )
    )
    report = checked(manifests(vmim(), claim, machine), rules, cluster.holding(NAMESPACE))
    assert [finding.message for finding in report.findings] == ["blocked"]
    assert report.left_out == {"no policy is about objects of this kind": 2}


# Levels


@pytest.mark.parametrize(
    ("actions", "level", "code"),
    [
        pytest.param(["Deny"], Level.ERROR, 1, id="deny"),
        pytest.param(["Warn"], Level.WARNING, 0, id="warn"),
        pytest.param(["Audit"], Level.NOTE, 0, id="audit"),
        pytest.param(["Deny", "Audit"], Level.ERROR, 1, id="the-worst-of-several"),
    ],
)
def test_the_level_is_what_the_violation_leads_to(actions: list[str], level: Level, code: int) -> None:
    report = checked(manifests(vm()), policies(refusing(validationActions=actions)))
    assert [finding.level for finding in report.findings] == [level]
    assert report.exit_code == code


def test_warnings_have_an_exit_code_if_one_asks_for_it() -> None:
    rules = policies(refusing(validationActions=["Warn"]))
    assert checked(manifests(vm()), rules, warning_exit_code=9).exit_code == 9


def test_a_violation_is_placed_at_its_field_with_what_machines_want_to_know() -> None:
    spec = [{"expression": "false", "message": "no", "remediation": "do", "field": "spec.running", "reason": "Invalid"}]
    document = policy(validations=spec)
    document["metadata"]["annotations"] = {"migguard.io/severity": "high", "migguard.io/title": "A title"}
    report = checked(manifests(NAMESPACE, vm()), policies(document))
    finding = report.examined[1].findings[0]
    assert (str(finding.place), finding.field, finding.hint) == ("apps/all.yaml:14:12", "spec.running", "do")
    assert finding.subject == "VirtualMachine prod/db"
    assert finding.properties == {
        "policy": "guard",
        "severity": "high",
        "operation": "CREATE",
        "user": "alice",
        "code": 422,
    }
    assert [(rule.name, rule.title, rule.severity) for rule in report.rules] == [("guard", "A title", "high")]


def test_what_a_mutation_changes_is_a_note_with_the_change() -> None:
    report = checked(manifests(vm()), policies(mutating("{'spec': {'running': false}}")))
    [finding] = report.findings
    assert (finding.level, finding.field, finding.place.line) == (Level.NOTE, "spec.running", 7)
    assert finding.message == "was defaulted"
    assert finding.hint == (
        "migguard would change it: spec.running becomes false; "
        "write it into the manifest, so that Git and the cluster agree"
    )


@pytest.mark.parametrize(
    ("operations", "change"),
    [
        pytest.param("[{'op': 'remove', 'path': '/spec/running'}]", "spec.running is removed", id="remove"),
        pytest.param(
            "[{'op': 'move', 'from': '/spec/running', 'path': '/spec/x'}]",
            "spec.x becomes what spec.running is",
            id="move",
        ),
        pytest.param(
            "[{'op': 'add', 'path': '/metadata/labels', 'value': dyn({'a~1/b': 'c'})}]",
            'metadata.labels becomes {"a~1/b": "c"}',
            id="add",
        ),
    ],
)
def test_a_change_is_told_in_words(operations: str, change: str) -> None:
    report = checked(manifests(vm()), policies(mutating(operations, patch_type="JSONPatch")))
    assert f"migguard would change it: {change}" in report.findings[0].hint


def test_validations_see_what_mutations_changed() -> None:
    rules = policies(mutating("{'spec': {'running': false}}", name="a"), judging("!object.spec.running", name="b"))
    assert not checked(manifests(vm()), rules).failed


def test_the_same_violation_under_two_bindings_counts_once() -> None:
    rules = policies(refusing(), binding("one"), binding("two", validationActions=["Warn"]))
    assert [finding.level for finding in checked(manifests(vm()), rules).findings] == [Level.ERROR]


# Fields that a manifest leaves out


def disks(**spec: Any) -> dict[str, Any]:
    return {**vm(), "spec": spec}


def test_a_field_that_is_left_out_stays_and_is_judged(cluster: World) -> None:
    rules = policies(judging("!has(object.spec.running)"))
    report = checked(manifests(disks(a=1)), rules, cluster.holding(NAMESPACE, disks(running=True)))
    [finding] = report.findings
    assert (report.exit_code, finding.level, finding.message) == (1, Level.ERROR, "it does not hold")
    assert finding.hint == (
        "the manifest leaves out spec.running, which stays in the cluster with kubectl apply; without it this passes"
    )


@pytest.mark.parametrize(
    ("actions", "level"), [("Deny", Level.WARNING), ("Warn", Level.NOTE)], ids=["refused", "warned-of"]
)
def test_what_holds_only_if_the_field_goes_is_something_lesser(cluster: World, actions: str, level: Level) -> None:
    rules = policies(judging("has(object.spec.running)", validationActions=[actions]))
    report = checked(manifests(disks(a=1)), rules, cluster.holding(NAMESPACE, disks(running=True)))
    [finding] = report.findings
    assert (report.exit_code, finding.level) == (0, level)
    assert finding.message == (
        "only if spec.running, which the manifest leaves out, goes (as with kubectl replace): it does not hold"
    )
    assert "code" not in finding.properties


def test_what_is_audited_only_if_the_field_goes_is_nothing(cluster: World) -> None:
    rules = policies(judging("has(object.spec.running)", validationActions=["Audit"]))
    assert not checked(manifests(disks(a=1)), rules, cluster.holding(NAMESPACE, disks(running=True))).findings


def test_what_is_refused_either_way_is_refused_once(cluster: World) -> None:
    report = checked(manifests(disks(a=1)), policies(refusing()), cluster.holding(NAMESPACE, disks(running=True)))
    assert [(one.level, one.message, one.hint) for one in report.findings] == [(Level.ERROR, "no", "")]


def test_of_many_fields_those_that_the_finding_is_about_are_named(cluster: World) -> None:
    held = disks(running=True, b=1, c=1, d=1)
    held["metadata"] = {**held["metadata"], "annotations": {"note": "x"}}
    source, about = cluster.holding(NAMESPACE, held), {"field": "spec.running"}
    spec = {"expression": "has(object.spec.running)", "message": "no"}
    report = checked(manifests(disks(a=1)), policies(policy(validations=[{**spec, **about}])), source)
    assert report.findings[0].message.startswith("only if spec.running, which the manifest leaves out, goes (")
    report = checked(manifests(disks(a=1)), policies(policy(validations=[spec])), source)
    assert report.findings[0].message.startswith(
        "only if spec.b, spec.c, spec.d and 2 more, which the manifest leaves out, go ("
    )


def test_what_is_known_to_have_been_applied_goes(cluster: World) -> None:
    held = disks(running=True)
    held["metadata"] = {**held["metadata"], "annotations": {LAST_APPLIED: json.dumps(held)}}
    report = checked(
        manifests(disks(a=1)), policies(judging("has(object.spec.running)")), cluster.holding(NAMESPACE, held)
    )
    assert [(one.level, one.message) for one in report.findings] == [(Level.ERROR, "it does not hold")]


def test_what_a_server_side_apply_had_given_goes(cluster: World) -> None:
    flux = {"manager": "flux", "operation": "Apply", "fieldsV1": {"f:spec": {"f:running": {}}}}
    held = {**vm(managedFields=[flux]), "spec": {"running": True, "a": 0}}
    report = checked(
        manifests(disks(a=1)), policies(judging("has(object.spec.running)")), cluster.holding(NAMESPACE, held)
    )
    assert [(one.level, one.message) for one in report.findings] == [(Level.ERROR, "it does not hold")]
    assert "fields that a manifest leaves out" not in report.settings


def test_what_stands_twice_is_applied_twice(cluster: World) -> None:
    rules = policies(judging("has(object.spec.running)"))
    report = checked(manifests(disks(running=True), disks(a=1)), rules, cluster.holding(NAMESPACE))
    assert [[one.level for one in each.findings] for each in report.examined] == [[], [Level.ERROR]]


def test_that_fields_were_taken_to_stay_is_said_where_it_was(cluster: World) -> None:
    source, name = cluster.holding(NAMESPACE, disks(running=True)), "fields that a manifest leaves out"
    assert checked(manifests(disks(a=1)), policies(refusing()), source).settings[name] == (
        "stay, as with kubectl apply, where it is not known whether they were applied before"
    )
    assert name not in checked(manifests(disks(running=False)), policies(refusing()), source).settings


# What may be there already, and nobody could look


def unreadable(folder: Path) -> ClusterSource:
    """A snapshot that was taken by an account that may not list VMs."""
    header = {"unreadable": {"virtualmachines.kubevirt.io": "our account may not list them"}}
    document = {"apiVersion": "migguard.io/v1alpha1", "kind": "ClusterSnapshot", "spec": header}
    (folder / "snapshot.yaml").write_text(yaml.safe_dump(document))
    (folder / "namespace.yaml").write_text(yaml.safe_dump(NAMESPACE))
    return ClusterSource((folder,))


def about_vms(*operations: str) -> dict[str, Any]:
    rule = {"apiGroups": ["kubevirt.io"], "apiVersions": ["*"], "resources": ["*"], "operations": [*operations]}
    return {"matchConstraints": {"resourceRules": [rule]}}


WHY = "our account may not list them (when the snapshot was taken)"


def test_what_an_update_would_meet_is_not_told_of_what_could_not_be_looked_for(tmp_path: Path) -> None:
    rules = policies(
        judging("true", "both", **about_vms("CREATE", "UPDATE")),
        refusing("kept", **about_vms("UPDATE")),
        refusing("new", **about_vms("CREATE")),
    )
    source = unreadable(tmp_path)
    one = only(checked(manifests(vm()), rules, source))
    assert [finding.rule for finding in one.findings] == ["new"]
    assert one.notes == (f"judged as a CREATE; what an UPDATE would meet cannot be told, as {WHY}: both, kept",)
    updated = only(checked(manifests(vm()), rules, source, operation=Operation.UPDATE))
    assert updated.skipped == f"what an UPDATE would meet cannot be told, as {WHY}: both, kept"
    assert not only(checked(manifests(vm()), rules, source, operation=Operation.CREATE)).notes


def test_a_deletion_of_what_could_not_be_looked_for_is_of_the_manifest(tmp_path: Path) -> None:
    one = only(checked(manifests(vm()), policies(refusing()), unreadable(tmp_path), operation=Operation.DELETE))
    assert one.failed
    assert one.notes == (f"taken to be in the cluster as the manifest has it, as {WHY}",)


def test_without_a_cluster_the_policies_about_updates_alone_are_named() -> None:
    rules = policies(
        judging("vmi.found", "cluster", **about_vms("CREATE")),
        refusing("kept", **about_vms("UPDATE")),
        judging("true", "both", **about_vms("CREATE", "UPDATE")),
    )
    without = "cannot be told without the cluster's state (--cluster DIR or --kubeconfig FILE)"
    assert only(checked(manifests(vm()), rules)).notes == (f"{without}: cluster, kept",)
    assert only(checked(manifests(vm()), rules, operation=Operation.CREATE)).notes == (f"{without}: cluster",)
    first, second = checked(manifests(vm(), vm()), policies(judging("true", **about_vms("UPDATE")))).examined
    assert (first.notes, second.notes) == ((f"{without}: guard",), ()), "the first is there by then"


# Exemptions, and what cannot be told


def test_an_exemption_that_spares_all_is_why_it_was_not_judged() -> None:
    assert only(checked(manifests(vm()), policies(refusing(), exemption()))).skipped == (
        "exemption 'move-week' spares it guard"
    )


def test_an_exemption_that_spares_some_is_a_note() -> None:
    one = only(checked(manifests(vm()), policies(refusing(), refusing("other"), exemption())))
    assert (one.skipped, [finding.rule for finding in one.findings]) == ("", ["other"])
    assert one.notes == ("exemption 'move-week' spares it guard",)


def test_an_exemption_for_somebody_is_none_where_nobody_is_named() -> None:
    assert checked(manifests(vm()), policies(refusing(), exemption()), anybody=True).failed


def test_what_rests_on_the_cluster_is_a_note_without_one(cluster: World) -> None:
    rules = policies(judging("vmi.found"))
    one = only(checked(manifests(vmim()), rules))
    assert (one.findings, one.notes) == (
        (),
        ("cannot be told without the cluster's state (--cluster DIR or --kubeconfig FILE): guard",),
    )
    assert checked(manifests(vmim()), rules, cluster.holding(NAMESPACE)).failed


MAY_GET = "authorizer.group('kubevirt.io').resource('virtualmachines').check('get').allowed()"


def test_a_right_is_not_known_without_a_cluster() -> None:
    one = only(checked(manifests(vmim()), policies(judging(MAY_GET))))
    assert not one.findings
    assert "without the cluster's state" in one.notes[0]


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param("requester.canMigrate", id="a-fact"),
        pytest.param(MAY_GET, id="the-authorizer"),
    ],
)
def test_what_rests_on_who_asks_is_a_note_where_nobody_is_named(cluster: World, expression: str) -> None:
    rules, source = policies(judging(expression)), cluster.holding(NAMESPACE, vmi())
    one = only(checked(manifests(vmim()), rules, source, anybody=True))
    assert (one.findings, one.notes) == ((), ("cannot be told without who applies it (--as USER): guard",))
    assert checked(manifests(vmim()), rules, source).failed, "alice may not"


DOUBT = (
    "alice was judged as a member of system:authenticated alone; name other groups with --as-group "
    "(no binding gives a group the right to migrate in namespace prod)"
)


@pytest.mark.parametrize(
    ("groups", "rule", "notes"),
    [
        pytest.param([], "requester.canMigrate", (DOUBT,), id="by-none-of-her-groups"),
        pytest.param(["team-a"], "requester.canMigrate", (), id="by-those-that-are-named"),
        pytest.param([], "!requester.canMigrate || true", (), id="allowed"),
        pytest.param([], "object.metadata.name == 'other'", (), id="whoever-asks"),
    ],
)
def test_a_refusal_of_somebody_whose_groups_are_not_told_is_in_doubt(
    cluster: World, groups: list[str], rule: str, notes: tuple[str, ...]
) -> None:
    ground = ground_of(cluster.holding(NAMESPACE, vmi()), lambda _: None)
    asked = Asked(user=user_of({"username": "alice", "groups": groups}))
    assert only(check(manifests(vmim()), policies(judging(rule)), ground, asked, NOW)).notes == notes


def test_what_the_webhook_could_not_judge_either_is_an_error(cluster: World) -> None:
    rules = policies(judging("namespaceObject.metadata.name == 'prod'"))
    report = checked(manifests(vmim()), rules, cluster.holding(vmi("another")))
    assert report.failed
    assert "could not be judged: " in report.findings[0].message
    assert "Namespace prod was not found" in report.findings[0].message


def test_the_result_says_what_it_rests_on(cluster: World) -> None:
    source = cluster.holding(NAMESPACE)
    assert checked(manifests(vm()), policies(refusing()), source).settings == {
        "applied by": "alice",
        "operation": "CREATE or UPDATE, as the cluster has it",
        "cluster": str(source.manifests[0]),
    }
    assert checked(manifests(vm()), policies(refusing()), anybody=True).settings == {
        "applied by": "nobody in particular (--as USER)",
        "operation": "CREATE, as the cluster is not known",
        "cluster": "none: the migration configuration is what the manifests say, else KubeVirt's defaults",
    }


# Reading


def test_what_is_left_out_is_counted_and_listed_if_one_asks(tmp_path: Path) -> None:
    (tmp_path / "values.yaml").write_text("replicas: 2\n")
    (tmp_path / "vm.yaml").write_text(yaml.safe_dump(vm()))
    found, rules = gather([str(tmp_path)]), policies(judging("true"))
    assert checked(found, rules).left_out == {"not a Kubernetes object": 1}
    assert [one.skipped for one in checked(found, rules).examined] == [""]
    assert [one.skipped for one in checked(found, rules, verbose=True).examined] == ["", "not a Kubernetes object"]


def test_an_object_without_a_name_is_a_problem_and_a_generated_name_is_none() -> None:
    nameless = {**vm(), "metadata": {"namespace": "prod"}}
    generated = {**vmim(), "metadata": {"generateName": "move-", "namespace": "prod"}}
    report = checked(manifests(nameless, generated), policies(refusing()))
    assert [str(problem) for problem in report.problems] == [
        "apps/all.yaml:1:1: VirtualMachine has no metadata.name (every object needs a name to be applied)"
    ]
    assert [one.subject for one in report.examined] == ["VirtualMachineInstanceMigration prod/move-*"]
    assert report.exit_code == 2


ANY = any_json("metadata", "spec", "name", "namespace", "labels", "template", "kind", "items", "volumes", "status")
KINDS = st.sampled_from(["VirtualMachine", "VirtualMachineInstanceMigration", "HyperConverged", "Namespace", "Role"])


@pytest.fixture(name="builtin", scope="module")
def builtin_policies() -> PolicySet:
    return load([Path("policies")], CATALOG)


@given(st.lists(st.tuples(KINDS, ANY, ANY), min_size=1, max_size=3))
def test_any_content_is_judged_or_told_to_be_wrong(builtin: PolicySet, objects: list[tuple[str, Any, Any]]) -> None:
    found = Found(
        tuple(
            Manifest(
                {"apiVersion": "kubevirt.io/v1", "kind": kind, "metadata": {**metadata, "name": "x"}, "spec": spec},
                document,
            )
            for kind, metadata, spec in objects
            if isinstance(metadata, dict)
            for document in [Document("a.yaml", {}, "", {(): parse("{}", "a")[0][0].positions[()]})]
        ),
        (),
        (),
    )
    report = checked(found, builtin, anybody=True)
    assert len(report.examined) + len(report.problems) + sum(report.left_out.values()) == len(found.manifests)
