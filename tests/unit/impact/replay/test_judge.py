"""Deciding again from a record: the same decision by the same policies, and never a guess by others."""

# ruff: noqa: E501 - a case is one line

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.support import builders
from tests.support.engine import Json, binding, exemption, judging, mutating, parameters, policy, refusing
from tests.unit.impact.replaying import given, migration, policies, recorded, world
from webhook.admission.pipeline import World
from webhook.impact.replay.judge import Judge, message_of
from webhook.impact.replay.record import ALLOWED, DENIED, OPEN, Outcome, Recorded
from webhook.impact.replay.world import AFFECTS, ALONE
from webhook.kubevirt.resources import HYPERCONVERGED, VMI
from webhook.model.request import Operation, Phase, UserInfo
from webhook.policy.policyset import PolicySet

ROOT = Path(__file__).parents[4]
ALWAYS = policies(policy())


def again(record: dict[str, Any], candidate: PolicySet, cluster: World | None = None) -> Outcome:
    return Judge(candidate, cluster).outcome(given(record))


def test_facts_about_an_object_that_a_mutation_changed_are_told_apart():
    limit = "{'spec': {'liveMigrationConfig': {'bandwidthPerMigration': '1Mi'}}}"
    first = mutating(f"config.after.bandwidthPerMigration == 0 ? {limit} : {{}}", "a-limit")
    second = mutating("{'metadata': {'labels': {'limit': string(config.after.bandwidthPerMigration)}}}", "b-label")
    candidate = policies(first, second)
    made = recorded(
        candidate,
        builders.request(HYPERCONVERGED, Operation.CREATE, new=builders.hyperconverged({})),
        phase=Phase.MUTATE,
    )
    assert [stage["facts"]["config.after.bandwidthPerMigration"] for stage in made["stages"][:2]] == [0, 1048576]
    assert not Judge(candidate).difference(given(made))


def test_a_decision_that_was_made_while_facts_were_not_available_comes_out_the_same():
    candidate = policies(judging("requester.canMigrate && vmi.found"))
    made = recorded(candidate, migration())
    made["unavailable"] = {"vmi.found": "virtualmachineinstances have not been listed yet"}
    del made["facts"]["vmi.found"]
    outcome = again(made, policies(judging("vmi.found")))
    assert (outcome.verdict, outcome.unknown) == (DENIED, ())


# Other policies


@pytest.mark.parametrize(
    ("documents", "verdict"),
    [
        pytest.param([refusing()], DENIED, id="refuses"),
        pytest.param([judging("object.spec.vmiName != 'db'")], DENIED, id="by-a-field-of-a-known-kind"),
        pytest.param([judging("request.userInfo.username == 'alice'")], ALLOWED, id="by-the-request"),
        pytest.param([judging("namespaceObject.metadata.labels.tier == 'gold'")], ALLOWED, id="by-the-namespace"),
        pytest.param([judging("requester.username == 'alice'")], ALLOWED, id="by-a-fact-that-the-request-tells"),
        pytest.param([refusing(matchConditions=[{"name": "no", "expression": "false"}])], ALLOWED, id="condition"),
        pytest.param([refusing(), binding(matchResources={"namespaceSelector": {"matchLabels": {"tier": "tin"}}})], ALLOWED, id="binding-elsewhere"),
        pytest.param([refusing(), binding(matchResources={"namespaceSelector": {"matchLabels": {"tier": "gold"}}})], DENIED, id="binding-here"),
        pytest.param([refusing(), exemption()], ALLOWED, id="exempted"),
        pytest.param([refusing(), exemption(namespaceSelector={"matchLabels": {"tier": "tin"}})], DENIED, id="exempted-elsewhere"),
        pytest.param([refusing(validationActions=["Warn"])], ALLOWED, id="only-warns"),
    ],
)  # fmt: skip
def test_another_policy_is_judged_by_what_is_on_record(documents, verdict):
    outcome = again(recorded(ALWAYS, migration()), policies(*documents))
    assert (outcome.verdict, outcome.unknown) == (verdict, ())


UNRECORDED = "fact vmi.phase was not recorded"


@pytest.mark.parametrize(
    ("documents", "verdict", "reason"),
    [
        pytest.param([judging("vmi.phase == 'Running'")], OPEN, UNRECORDED, id="a-fact"),
        pytest.param([judging("true || vmi.phase == 'Running'")], ALLOWED, "", id="a-fact-whose-value-does-not-matter"),
        pytest.param([judging("vmi.phase == 'Running'"), refusing("other")], DENIED, UNRECORDED, id="refused-in-any-case"),
        pytest.param([judging("vmi.phase == 'Running'", validationActions=["Warn"])], ALLOWED, UNRECORDED, id="a-warning"),
        pytest.param([refusing(matchConditions=[{"name": "c", "expression": "vmi.phase == 'Running'"}])], OPEN, UNRECORDED, id="a-condition"),
        pytest.param([judging("!has(object.metadata.annotations.note)")], OPEN, "field object.metadata.annotations.note was not recorded", id="a-field"),
        pytest.param([judging("!has(object.metadata.annotations.other)")], ALLOWED, "", id="a-field-that-was-not-there"),
        pytest.param([refusing(matchConditions=[{"name": "c", "expression": "has(object.metadata.annotations.note)"}])], OPEN, "field object.metadata.annotations.note was not recorded", id="a-field-in-a-condition"),
        pytest.param([judging("variables.all == null", variables=[{"name": "all", "expression": "dyn(object.metadata)"}])], DENIED, "", id="only-that-it-is-there"),
        pytest.param([judging("size(object.metadata) == 0")], OPEN, "field object.metadata was not recorded", id="the-whole"),
        pytest.param([judging("size(request.userInfo.extra) == 0")], OPEN, "field request.userInfo.extra was not recorded", id="extra-of-the-user"),
        pytest.param([judging("'k' in requester.extra")], OPEN, "fact requester.extra was not recorded", id="the-fact-extra"),
        pytest.param([judging("authorizer.group('').resource('pods').check('get').allowed()")], OPEN, "the answer to 'can alice get pods -A' was not recorded", id="a-question"),
        pytest.param([policy(), parameters(critical={"label": "other"})], ALLOWED, "", id="other-parameters-that-do-not-matter"),
    ],
)  # fmt: skip
def test_what_is_not_on_record_is_never_guessed(documents, verdict, reason):
    asked = migration(user="alice")
    noted = builders.vmim(annotations={"note": "n"})
    asked = replace(asked, object=noted, user=replace(asked.user, extra={"k": ("secret",)}))
    outcome = again(recorded(ALWAYS, asked), policies(*documents))
    assert (outcome.verdict, next((why for _, why in outcome.unknown), "")) == (verdict, reason)


@pytest.mark.parametrize(
    ("changed", "reason"),
    [
        pytest.param({"critical": {"label": "other"}}, "facts were computed under other Parameters (critical)", id="a-fact"),
        pytest.param({"capacity": {"parallelDrains": 3}}, "", id="of-other-facts"),
        pytest.param({"language": "ja"}, "", id="of-no-fact"),
        pytest.param({"systemAccounts": ["bot"]}, "facts were computed under other Parameters (systemAccounts)", id="who-asks"),
    ],
)  # fmt: skip
def test_facts_of_other_parameters_do_not_count(changed, reason):
    guarded = judging("!vmi.critical")
    made = recorded(policies(guarded), migration(), cluster=world(builders.vmi()))
    outcome = again(made, policies(guarded, parameters(**changed)))
    assert next((why for _, why in outcome.unknown), "") == reason
    assert (outcome.verdict == OPEN) == bool(reason)


MADE_OF_IT = {"freezeWindows": r"windows_of|freeze_at|\bfreeze\(", "capacity": "capacity_of|_drains"}
"""What the modules of these parameters make of them."""


@pytest.mark.parametrize("parameter", sorted(AFFECTS))
def test_a_parameter_that_affects_but_some_facts_is_read_by_their_module_alone(parameter):
    texts = {path.stem: path.read_text() for path in (ROOT / "webhook" / "kubevirt").glob("*.py")}
    owner = AFFECTS[parameter].removesuffix(".")
    assert [name for name, text in texts.items() if f'"{parameter}"' in text] == [owner]
    assert [name for name, text in texts.items() if re.search(MADE_OF_IT[parameter], text)] == [owner]


@pytest.mark.parametrize("name", sorted(ALONE))
def test_facts_that_need_not_be_on_record_ask_for_no_cluster(name):
    kind = {"time.now": "!= ''", "requester.groups": "!= []", "freeze.active": "!= true"}.get(name, "!= '-'")
    outcome = again(recorded(ALWAYS, migration()), policies(judging(f"{name} {kind}")))
    assert (outcome.verdict, outcome.unknown) == (ALLOWED, ())


def test_other_freeze_windows_are_tried_on_the_time_of_then():
    window = {"name": "noon", "schedule": "0 11 * * *", "duration": "2h", "timeZone": "UTC", "reason": "lunch"}
    made = recorded(policies(judging("!freeze.active && requester.origin == 'User'")), migration())
    candidate = policies(judging("!freeze.active && requester.origin == 'User'"), parameters(freezeWindows=[window]))
    assert again(made, candidate).verdict == DENIED


def test_a_state_of_the_cluster_stands_in_for_what_is_not_on_record_and_that_is_told():
    candidate = policies(judging("vmi.phase == 'Running'"))
    outcome = again(recorded(ALWAYS, migration()), candidate, world(builders.vmi()))
    assert (outcome.verdict, outcome.today) == (ALLOWED, True)


def test_a_fact_is_not_computed_from_an_object_of_which_a_field_is_missing():
    made = recorded(ALWAYS, builders.request(VMI, Operation.CREATE, new=builders.vmi()))
    spec = made["input"]["request"]["object"]["spec"]
    spec["…"] = ["evictionStrategy"]
    outcome = again(made, policies(judging("eviction.strategy == 'None'")), world())
    assert outcome.verdict == OPEN
    assert "which was not recorded" in outcome.unknown[0][1]


# Changes


def test_a_patch_at_a_place_that_is_not_on_record_cannot_be_told():
    asked = replace(migration(), object=builders.vmim(annotations={"note": "n"}))
    made = recorded(ALWAYS, asked, phase=Phase.MUTATE)
    outcome = again(made, policies(mutating("{'metadata': {'annotations': {'note': 'n'}}}")))
    assert (outcome.patches, outcome.unknown) == (
        (),
        (("guard", "field object.metadata.annotations.note was not recorded"),),
    )


@pytest.mark.parametrize(
    ("operations", "place"),
    [
        pytest.param("{'op': 'test', 'path': '/metadata/annotations/note', 'value': 'n'}, {'op': 'add', 'path': '/metadata/labels', 'value': {}}", "annotations.note", id="a-test-that-holds"),
        pytest.param("{'op': 'add', 'path': '/metadata/annotations', 'value': {'note': 'n'}}", "annotations", id="the-same-around-it"),
        pytest.param("{'op': 'copy', 'from': '/metadata/annotations', 'path': '/metadata/labels'}", "annotations", id="a-copy-of-it"),
    ],
)  # fmt: skip
def test_whether_a_patch_changes_anything_is_not_told_by_what_is_not_on_record(operations, place):
    asked = replace(migration(), object=builders.vmim(annotations={"note": "n"}))
    made = recorded(ALWAYS, asked, phase=Phase.MUTATE)
    outcome = again(made, policies(mutating(f"[{operations}]", patch_type="JSONPatch")))
    assert outcome.unknown == (("guard", f"field object.metadata.{place} was not recorded"),)
    assert outcome.patches == ()


def test_what_sees_a_change_that_cannot_be_told_cannot_be_told_either():
    asked = replace(migration(), object=builders.vmim(annotations={"note": "n"}))
    made = recorded(ALWAYS, asked, phase=Phase.MUTATE)
    before, after = (mutating(f"{{'metadata': {{'labels': {{'{name}': 'x'}}}}}}", name) for name in ("a", "z"))
    unknown = mutating("{'metadata': {'annotations': {'note': 'n'}}}", "m")
    outcome = again(made, policies(before, unknown, after))
    assert [name for name, _ in outcome.patches] == ["a"]
    assert [name for name, _ in outcome.unknown] == ["m", "z"]


CONTROLLER = "system:serviceaccount:kubevirt:kubevirt-controller"
UPDATE = "kubevirt.io/workloadUpdateMigration"


def drain(*documents: Json, annotations: Json | None = None) -> Outcome:
    """What virt-controller's migration comes to under these policies, of which the first changes it."""
    asked = replace(migration(user=CONTROLLER), object=builders.vmim(annotations=annotations))
    return again(recorded(ALWAYS, asked, phase=Phase.MUTATE), policies(*documents))


SETTING = mutating(f"{{'metadata': {{'annotations': {{'{UPDATE}': ''}}}}}}", "a")
TAKING = mutating("[{'op': 'remove', 'path': '/metadata/annotations'}]", "a", patch_type="JSONPatch")
LABELLING = mutating("{'metadata': {'labels': {'a': 'b'}}}", "a")


@pytest.mark.parametrize(
    ("first", "annotations", "origin"),
    [
        pytest.param(LABELLING, {}, "Drain", id="drain-that-it-does-not-touch"),
        pytest.param(LABELLING, {UPDATE: ""}, "WorkloadUpdate", id="update-that-it-does-not-touch"),
        pytest.param(SETTING, {}, "WorkloadUpdate", id="drain-that-it-makes-an-update"),
        pytest.param(TAKING, {UPDATE: ""}, "Drain", id="update-that-it-makes-a-drain"),
    ],
)
def test_who_asks_is_told_anew_of_an_object_that_a_mutation_changed(first, annotations, origin):
    second = mutating(f"requester.origin == '{origin}' ? {{'metadata': {{'labels': {{'told': 'yes'}}}}}} : {{}}", "b")
    outcome = drain(first, second, annotations=annotations)
    assert ([name for name, _ in outcome.patches], outcome.unknown) == (["a", "b"], ())


def test_who_asks_cannot_be_told_where_a_mutation_may_have_taken_what_tells_it():
    asked = replace(migration(user=CONTROLLER), object=builders.vmim(annotations={UPDATE: ""}))
    made = recorded(ALWAYS, asked, phase=Phase.MUTATE)
    made["input"]["request"]["object"]["metadata"]["annotations"] = {"…": ["*"]}
    outcome = again(made, policies(LABELLING, mutating("{}", "b")))
    assert outcome.verdict == OPEN
    assert ("", f"annotation {UPDATE} was not recorded") in outcome.unknown


@pytest.mark.parametrize("key", ["a/b", "c/d"])
def test_names_of_annotations_are_gone_through_though_values_are_not_on_record(key):
    asked = replace(migration(), object=builders.vmim(annotations={"a/b": "private"}))
    candidate = policies(judging(f"object.metadata.annotations.exists(k, k == '{key}')"))
    made = recorded(candidate, asked)
    assert "private" not in repr(made)
    then, outcome = given(made).outcome(), again(made, candidate)
    assert (outcome.verdict, outcome.unknown) == (then.verdict, ())
    assert again(recorded(ALWAYS, asked), candidate) == outcome


def test_a_message_is_what_the_user_would_have_read():
    said = policy(validations=[{"expression": "false", "messageExpression": "'VM ' + object.spec.vmiName + ' stays'"}])
    decision = Judge(policies(said)).decision(given(recorded(ALWAYS, migration("db"))))
    assert "VM db stays" in message_of(decision)


def test_records_of_equal_weight_are_judged_once_and_names_do_not_weigh():
    judge = Judge(policies(judging("requester.origin == 'User'")))
    outcomes = {judge.outcome(given(recorded(ALWAYS, migration(vm)))) for vm in ("a", "b", "c")}
    assert len(outcomes) == len(judge._known) == 1


@pytest.mark.parametrize(
    ("documents", "changed"),
    [
        pytest.param([judging("object.spec.vmiName == 'db'")], {"vm": "web"}, id="field"),
        pytest.param([refusing(), exemption()], {"user": "bob"}, id="exempted-user"),
        pytest.param([refusing(matchConditions=[{"name": "c", "expression": "request.name == 'move'"}])], {"name": "stay"}, id="name"),
        pytest.param([refusing(), binding(matchResources={"objectSelector": {"matchExpressions": [{"key": "a", "operator": "Exists"}]}})], {"labels": True}, id="labels"),
    ],
)  # fmt: skip
def test_what_weighs_is_told_apart(documents, changed):
    judge = Judge(policies(*documents))
    labels = {"a": "b"} if changed.pop("labels", False) else {}
    other = migration(**changed)
    obj = other.object or {}
    other = replace(other, object={**obj, "metadata": {**obj["metadata"], "labels": labels}})
    first, second = (judge.outcome(given(recorded(ALWAYS, one))) for one in (migration(), other))
    assert first.verdict != second.verdict


def test_a_deletion_has_but_the_old_object():
    asked = migration(operation=Operation.DELETE)
    asked = replace(asked, object=None, old_object=builders.vmim())
    outcome = again(recorded(ALWAYS, asked), policies(judging("oldObject.spec.vmiName == 'other'")))
    assert outcome.verdict == DENIED


def test_an_account_of_the_system_is_not_refused_for_an_error():
    asked = replace(migration(), user=UserInfo(username="system:kube-controller-manager"))
    assert again(recorded(ALWAYS, asked), policies(judging("object.spec.none == 1"))).verdict == ALLOWED


def test_a_record_is_not_changed():
    made = recorded(ALWAYS, migration())
    before = repr(made)
    Judge(policies(judging("vmi.phase == ''"))).outcome(Recorded(made))
    assert repr(made) == before
