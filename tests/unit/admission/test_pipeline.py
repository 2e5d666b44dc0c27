"""The one decision, from request, policies, cluster and clock to allowed or not, with nothing left out."""

from __future__ import annotations

import itertools
import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support import builders
from tests.support.engine import (
    CATALOG,
    EVERYTHING,
    NOW,
    Json,
    binding,
    exemption,
    judging,
    labelled,
    migration,
    mutating,
    policy,
    policy_set,
    refusing,
    request,
)
from tests.support.view import View
from webhook.admission import natives
from webhook.admission.pipeline import World, decide
from webhook.admission.review import render
from webhook.errors import FactUnavailable
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import PVC, RESOURCES
from webhook.model.decision import Action, Decision, Result
from webhook.model.facts import Attributes, Deadline, Fact, FactCatalog, FactContext, Read
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, Phase, UserInfo
from webhook.policy.mutate import apply, same
from webhook.policy.policyset import PolicySet, load

SYSTEM = ("Drain", "WorkloadUpdate", "Operator", "OtherSystem")
PEOPLE = ("User", "VirtAPI")


class Allowing:
    """An authorizer with one answer; None is no answer. Notes what it was asked, and whether anew."""

    def __init__(self, answer: bool | None = True) -> None:
        self.answer = answer
        self.asked: list[tuple[str, bool]] = []

    def allows(self, user: UserInfo, attributes: Attributes, *, deadline: Deadline, fresh: bool = False) -> bool:
        self.asked.append((f"{user.username}: {attributes}", fresh))
        if self.answer is None:
            raise FactUnavailable("nobody can tell")
        return self.answer


class Refreshing:
    """A refresher that does something to the world and says whether that changed anything."""

    def __init__(self, act: Callable[[], bool]) -> None:
        self._act = act
        self.reads: list[tuple[str, ...]] = []

    def refresh(self, reads: Sequence[Read], deadline: Deadline) -> bool:
        self.reads += [(read.watched.kind, read.namespace, read.name) for read in reads]
        return self._act()


def _claim(context: FactContext) -> bool:
    return context.view.get(PVC, "prod", "db-data") is not None


def _allowed(context: FactContext) -> bool:
    return context.allows(context.request.user, Attributes(verb="create", group="kubevirt.io", resource="x"))


def _never(_: FactContext) -> Any:
    raise AssertionError("nothing asked for this fact")


def _broken(_: FactContext) -> Any:
    raise FactUnavailable("the cache is stale")


FACTS: FactCatalog = {
    **CATALOG,
    **{fact.name: fact for fact in natives.LAZY},
    "claim.exists": Fact("claim.exists", "bool", "Whether the claim is in the cluster.", _claim),
    "requester.canMigrate": Fact("requester.canMigrate", "bool", "What the authorizer says.", _allowed),
    "never": Fact("never", "bool", "Must not be computed.", _never),
    "broken": Fact("broken", "bool", "Cannot be had.", _broken),
}


def _set(*documents: Json) -> PolicySet:
    return policy_set(*documents, catalog=FACTS)


def _world(*objects: Json, authorizer: Allowing | None = None, refresher: Refreshing | None = None) -> World:
    return World(View(builders.namespace(), *objects), authorizer or Allowing(), refresher)


def _decide(
    policies: PolicySet | Json | Sequence[Json],
    asked: AdmissionRequest | None = None,
    phase: Phase = Phase.VALIDATE,
    *,
    world: World | None = None,
    deadline: Deadline | None = None,
) -> Decision:
    if not isinstance(policies, PolicySet):
        policies = _set(*([policies] if isinstance(policies, Mapping) else policies))
    return decide(
        asked or request(),
        phase,
        policies=policies,
        world=world or _world(),
        now=NOW,
        deadline=deadline or Deadline.after(60),
        decision_id="d-1",
    )


def _by(origin: str, **fields: Any) -> AdmissionRequest:
    return request(user=UserInfo(username=f"{origin}:someone"), **fields)


# The decision table

_TABLE = {
    # result, action, failurePolicy: (people, system components)
    ("pass", "Deny", "Fail"): ("allowed", "allowed"),
    ("pass", "Deny", "Ignore"): ("allowed", "allowed"),
    ("pass", "Warn", "Fail"): ("allowed", "allowed"),
    ("pass", "Warn", "Ignore"): ("allowed", "allowed"),
    ("pass", "Audit", "Fail"): ("allowed", "allowed"),
    ("pass", "Audit", "Ignore"): ("allowed", "allowed"),
    ("fail", "Deny", "Fail"): ("403", "403"),
    ("fail", "Deny", "Ignore"): ("403", "403"),
    ("fail", "Warn", "Fail"): ("warned", "warned"),
    ("fail", "Warn", "Ignore"): ("warned", "warned"),
    ("fail", "Audit", "Fail"): ("allowed", "allowed"),
    ("fail", "Audit", "Ignore"): ("allowed", "allowed"),
    ("error", "Deny", "Fail"): ("503", "allowed"),
    ("error", "Deny", "Ignore"): ("allowed", "allowed"),
    ("error", "Warn", "Fail"): ("warned", "warned"),
    ("error", "Warn", "Ignore"): ("allowed", "allowed"),
    ("error", "Audit", "Fail"): ("allowed", "allowed"),
    ("error", "Audit", "Ignore"): ("allowed", "allowed"),
}
_VALIDATIONS = {"pass": "true", "fail": "false", "error": "broken"}


def _outcome(decision: Decision) -> str:
    if not decision.allowed:
        return str(decision.code)
    return "warned" if decision.warnings else "allowed"


@pytest.mark.parametrize(("result", "action", "failure"), list(_TABLE), ids="-".join)
def test_a_validation_decides_by_origin_result_action_and_failure_policy(
    result: str, action: str, failure: str
) -> None:
    policies = _set(judging(_VALIDATIONS[result], validationActions=[action], failurePolicy=failure))

    for_people = {origin: _outcome(_decide(policies, _by(origin))) for origin in PEOPLE}
    for_system = {origin: _outcome(_decide(policies, _by(origin))) for origin in SYSTEM}

    people, system = _TABLE[result, action, failure]
    assert for_people == dict.fromkeys(PEOPLE, people)
    assert for_system == dict.fromkeys(SYSTEM, system)
    assert [one.result for one in _decide(policies).evaluations] == [Result(result)]


@pytest.mark.parametrize(("action", "failure"), list(itertools.product(["Deny", "Warn", "Audit"], ["Fail", "Ignore"])))
def test_a_mutation_that_fails_decides_like_a_validation_that_fails(action: str, failure: str) -> None:
    policies = _set(mutating("{'spec': {'a': broken}}", validationActions=[action], failurePolicy=failure))

    people, system = _TABLE["error", action, failure]
    for origins, outcome in ((PEOPLE, people), (SYSTEM, system)):
        for origin in origins:
            decision = _decide(policies, _by(origin), Phase.MUTATE)
            assert _outcome(decision) == outcome
            assert decision.patch == ()


@pytest.mark.parametrize("origin", [*PEOPLE, *SYSTEM])
def test_a_mutation_changes_the_request_of_anyone_and_tells_them(origin: str) -> None:
    decision = _decide(mutating("{'spec': {'priority': 'high'}}"), _by(origin), Phase.MUTATE)

    assert decision.allowed
    assert decision.patch == ({"op": "add", "path": "/spec/priority", "value": "high"},)
    assert decision.warnings == ("policy guard: was defaulted",)


def test_an_error_is_on_record_whoever_asked() -> None:
    for origin in (*PEOPLE, *SYSTEM):
        decision = _decide(judging("broken"), _by(origin))

        assert decision.unavailable == {"broken": "the cache is stale"}
        assert decision.audit_annotations["error.guard"].endswith("broken is not available: the cache is stale")
        assert decision.origin == origin


# What is judged


def test_each_phase_judges_its_own_part_of_a_policy() -> None:
    both = policy(
        validations=[{"expression": "false", "message": "no"}],
        mutations=[
            {"name": "m", "patchType": "ApplyConfiguration", "expression": "{'spec': {'a': 1}}", "warning": "w"}
        ],
    )

    assert _decide(both, phase=Phase.MUTATE).patch
    assert _decide(both, phase=Phase.MUTATE).allowed
    assert not _decide(both, phase=Phase.VALIDATE).allowed
    assert _decide(refusing(), phase=Phase.MUTATE).evaluations == ()
    assert _decide(mutating("{'spec': {'a': 1}}"), phase=Phase.VALIDATE).evaluations == ()


def test_a_policy_may_be_judged_before_any_validating_webhook_is_called() -> None:
    early = refusing(admissionPhase="Mutate")

    assert not _decide(early, phase=Phase.MUTATE).allowed
    assert _decide(early, phase=Phase.VALIDATE).evaluations == ()
    changed = _decide([early, mutating("{'spec': {'a': 1}}", name="m")], phase=Phase.MUTATE)
    assert not changed.allowed
    assert changed.patch == ()


def test_a_policy_that_does_not_apply_costs_no_fact_and_leaves_no_trace() -> None:
    deleting = {"resourceRules": [{**EVERYTHING, "operations": ["DELETE"]}]}
    decision = _decide([judging("never", matchConstraints=deleting), judging("never", "drains", origins=["Drain"])])

    assert decision.allowed
    assert decision.evaluations == ()
    assert decision.facts == {}


def test_facts_that_only_a_condition_reads_decide_before_others_are_computed() -> None:
    made = judging("never", matchConditions=[{"name": "c", "expression": "vmi.critical"}])

    decision = _decide(made)

    assert decision.allowed
    assert decision.facts == {"vmi.critical": False}


def test_evaluations_are_in_order_of_policy_and_binding() -> None:
    decision = _decide([refusing("b"), refusing("a"), binding("z", "a"), binding("y", "a"), judging("broken", "aa")])

    assert [(one.policy, one.binding) for one in decision.evaluations] == [
        ("a", "y"),
        ("a", "z"),
        ("aa", ""),
        ("b", ""),
    ]


def test_facts_are_on_record_but_whole_objects_are_not() -> None:
    made = judging(
        "vmi.critical || namespaceObject.metadata.name == 'prod' && authorizer.group('').resource('pods')"
        ".namespace('prod').check('list').allowed()"
    )

    decision = _decide(made)

    assert decision.allowed
    assert decision.facts == {"vmi.critical": False}


def test_the_same_request_gets_the_same_answer_to_the_byte() -> None:
    policies = _set(refusing("b"), refusing("a", validationActions=["Warn"]), judging("vmi.critical", "c"))

    first, second = (_decide(policies) for _ in range(2))

    assert render(first) == render(second)
    assert first.seconds["total"] > 0


def test_a_dry_run_is_decided_the_same() -> None:
    policies = _set(refusing(), mutating("{'spec': {'a': 1}}", "other"))

    for phase in Phase:
        wet, dry = (_decide(policies, request(dry_run=dry_run), phase) for dry_run in (False, True))
        assert render(wet) == render(dry)


def test_a_decision_names_the_policy_set() -> None:
    policies = _set(policy())

    decision = _decide(policies)

    assert decision.revision == policies.revision == decision.audit_annotations["policy-set"]
    assert (decision.id, decision.uid) == ("d-1", "7f2c7b46")


def test_a_namespace_that_is_not_known_refuses_people_only() -> None:
    selecting = {"resourceRules": [EVERYTHING], "namespaceSelector": {"matchLabels": {"a": "b"}}}
    policies = _set(refusing(matchConstraints=selecting))
    elsewhere = {"namespace": "unknown"}

    refused, passed = _decide(policies, _by("User", **elsewhere)), _decide(policies, _by("Drain", **elsewhere))

    assert refused.code == 503
    assert "Namespace unknown was not found, so its labels are not known" in refused.message
    assert passed.allowed


def test_many_threads_decide_under_one_policy_set() -> None:
    policies = _set(
        judging("object.spec.number % 3 != 0", variables=[{"name": "n", "expression": "object.spec.number"}]),
        mutating("{'spec': {'twice': object.spec.number * 2}}", "double"),
    )

    def correct(number: int) -> bool:
        asked = request(object=migration(spec={"number": number}))
        judged, changed = _decide(policies, asked), _decide(policies, asked, Phase.MUTATE)
        return judged.allowed is (number % 3 != 0) and changed.patch[0]["value"] == number * 2

    with ThreadPoolExecutor(8) as pool:
        assert all(pool.map(correct, range(200)))


# The authorizer


@pytest.mark.parametrize(
    ("answer", "allowed"), [(True, True), (False, False), (None, False)], ids=["yes", "no", "unknown"]
)
def test_a_policy_may_ask_the_authorizer_as_in_a_validating_admission_policy(
    answer: bool | None, allowed: bool
) -> None:
    made = judging("authorizer.group('').resource('pods').namespace('prod').check('list').allowed()")
    authorizer = Allowing(answer)

    decision = _decide(made, world=_world(authorizer=authorizer))

    assert decision.allowed is allowed
    assert authorizer.asked == [("alice: list pods -n prod", False)]
    noted = [] if answer is None else [{"user": "alice", "canI": "list pods -n prod", "allowed": answer}]
    assert list(decision.questions) == noted


def test_questions_that_facts_ask_are_on_record() -> None:
    decision = _decide(judging("requester.canMigrate"))

    assert list(decision.questions) == [{"user": "alice", "canI": "create x.kubevirt.io -A", "allowed": True}]


# Confirmation of a refusal


def _putting(view: View, *objects: Json, changed: bool = True) -> Callable[[], bool]:
    def act() -> bool:
        for one in objects:
            view.put(one)
        return changed

    return act


def test_a_refusal_that_rests_on_outdated_objects_is_judged_again() -> None:
    view = View(builders.namespace())
    refresher = Refreshing(_putting(view, builders.pvc()))

    decision = _decide(judging("claim.exists"), world=World(view, Allowing(), refresher))

    assert decision.allowed
    assert decision.facts == {"claim.exists": True}
    assert refresher.reads == [("PersistentVolumeClaim", "prod", "db-data")]


def test_a_refusal_that_fresh_objects_confirm_stands() -> None:
    refresher = Refreshing(lambda: False)

    decision = _decide(judging("claim.exists"), world=_world(refresher=refresher))

    assert decision.code == 403
    assert len(refresher.reads) == 1


def test_a_refusal_is_confirmed_once_not_again_and_again() -> None:
    refresher = Refreshing(lambda: True)

    decision = _decide(judging("claim.exists"), world=_world(refresher=refresher))

    assert decision.code == 403
    assert len(refresher.reads) == 1


def _failing() -> bool:
    raise FactUnavailable("the kube-apiserver does not answer")


def test_a_refusal_stands_where_it_cannot_be_confirmed() -> None:
    decision = _decide(judging("claim.exists"), world=_world(refresher=Refreshing(_failing)))

    assert decision.code == 403


def test_what_is_allowed_needs_no_confirmation() -> None:
    refresher = Refreshing(_failing)
    world = _world(builders.pvc(), refresher=refresher)

    assert _decide(judging("claim.exists"), world=world).allowed
    assert _decide(judging("claim.exists", validationActions=["Warn"]), world=_world(refresher=refresher)).warnings
    assert refresher.reads == []


def test_a_refusal_that_rests_on_a_permission_asks_anew_even_if_no_object_changed() -> None:
    authorizer = Allowing(answer=False)

    def granted() -> bool:
        authorizer.answer = True
        return False

    decision = _decide(
        judging("requester.canMigrate"), world=_world(authorizer=authorizer, refresher=Refreshing(granted))
    )

    assert decision.allowed
    assert [fresh for _, fresh in authorizer.asked] == [False, True]


@pytest.mark.parametrize("origin", ["User", "Drain"])
@pytest.mark.parametrize("failure", ["Fail", "Ignore"])
def test_a_refusal_stands_where_the_second_judgement_cannot_learn_what_the_first_knew(
    origin: str, failure: str
) -> None:
    authorizer = Allowing(answer=False)

    def lost() -> bool:
        authorizer.answer = None
        return True

    decision = _decide(
        judging("requester.canMigrate", failurePolicy=failure),
        _by(origin),
        world=_world(authorizer=authorizer, refresher=Refreshing(lost)),
    )

    assert decision.code == 403
    assert "it does not hold" in decision.message


def test_an_error_that_a_fresh_read_mends_is_gone() -> None:
    authorizer = Allowing(answer=None)

    def back() -> bool:
        authorizer.answer = True
        return True

    world = _world(authorizer=authorizer, refresher=Refreshing(back))

    assert _decide(judging("requester.canMigrate"), world=world).allowed


def test_a_mutation_that_refuses_is_confirmed_too() -> None:
    view = View(builders.namespace())
    made = mutating(
        "{'spec': {'claim': claim.exists ? 'there' : object.absent}}",
    )

    decision = _decide(
        made, phase=Phase.MUTATE, world=World(view, Allowing(), Refreshing(_putting(view, builders.pvc())))
    )

    assert decision.allowed
    assert decision.patch[0]["value"] == "there"


# Time


def test_people_are_refused_and_told_where_the_time_is_used_up() -> None:
    decision = _decide(judging("vmi.critical"), _by("User"), deadline=Deadline.after(-1))

    assert decision.code == 503
    assert (
        "vmi.critical is not available: the time for this request was used up before 'vmi.critical' was known"
        in decision.message
    )


def test_system_components_pass_and_are_recorded_where_the_time_is_used_up() -> None:
    decision = _decide(judging("vmi.critical"), _by("Drain"), deadline=Deadline.after(-1))

    assert decision.allowed
    assert decision.unavailable.keys() == {"vmi.critical"}
    assert "the time for this request was used up" in decision.audit_annotations["error.guard"]


def test_what_needs_no_fact_needs_no_time() -> None:
    assert _decide(refusing(), deadline=Deadline.after(-1)).code == 403
    assert _decide(policy(), deadline=Deadline.after(-1)).allowed


# Exemptions


def test_an_exemption_spares_a_request_the_policy_and_is_on_record() -> None:
    decision = _decide([refusing(), refusing("other"), exemption()])

    assert [(one.policy, one.result, one.exemption) for one in decision.evaluations] == [
        ("guard", Result.SKIP, "move-week"),
        ("other", Result.FAIL, ""),
    ]
    assert decision.audit_annotations["exemption.guard"] == "move-week"
    assert "guard" not in decision.message


def test_an_exempted_policy_costs_no_fact_and_changes_nothing() -> None:
    assert _decide([judging("never"), exemption()]).allowed
    changed = _decide([mutating("{'spec': {'a': 1}}"), exemption()], phase=Phase.MUTATE)

    assert changed.patch == ()
    assert [one.result for one in changed.evaluations] == [Result.SKIP]


@pytest.mark.parametrize("phase", list(Phase))
def test_an_exemption_spares_a_policy_that_cannot_even_be_matched(phase: Phase) -> None:
    conditions = [{"name": "c", "expression": "broken"}]
    policies = [mutating("{}", matchConditions=conditions), exemption()]
    policies[0]["spec"]["validations"] = [{"expression": "false", "message": "no"}]

    decision = _decide(policies, phase=phase)

    assert decision.allowed
    assert [one.result for one in decision.evaluations] == [Result.SKIP]


@pytest.mark.parametrize(
    "fields",
    [
        pytest.param({"expires": "2026-03-01"}, id="ran out"),
        pytest.param({"starts": "2026-03-20"}, id="not begun"),
        pytest.param({"subjects": [{"kind": "User", "name": "bob"}]}, id="for someone else"),
        pytest.param({"namespaceSelector": {"matchLabels": {"a": "b"}}}, id="for another namespace"),
    ],
)
def test_an_exemption_that_does_not_fit_spares_nothing(fields: Json) -> None:
    assert _decide([refusing(), exemption(**fields)]).code == 403


def test_an_exemption_that_cannot_be_checked_spares_nothing() -> None:
    made = [refusing(), exemption(namespaceSelector={"matchLabels": {"a": "b"}})]

    assert _decide(made, request(namespace="unknown")).code == 403


# Mutations


def test_a_mutation_sees_what_those_before_it_changed() -> None:
    policies = _set(
        mutating("{'spec': {'first': 1}}", "a"),
        mutating("{'spec': {'second': object.spec.first + 1}}", "b"),
        mutating(
            "[{'op': 'replace', 'path': '/spec/first', 'value': object.spec.second}]", "c", patch_type="JSONPatch"
        ),
    )

    decision = _decide(policies, phase=Phase.MUTATE)

    assert apply(decision.patch, migration())["spec"] == {"vmiName": "db", "first": 2, "second": 2}
    assert decision.warnings == tuple(f"policy {name}: was defaulted" for name in "abc")


def test_the_mutations_of_one_policy_build_on_each_other() -> None:
    mutations = [
        {"name": name, "patchType": "ApplyConfiguration", "expression": expression, "warning": name}
        for name, expression in (
            ("one", "{'spec': {'a': {'b': 1}}}"),
            ("two", "{'spec': {'a': {'c': object.spec.a.b}}}"),
        )
    ]

    decision = _decide(policy(mutations=mutations), phase=Phase.MUTATE)

    assert apply(decision.patch, migration())["spec"]["a"] == {"b": 1, "c": 1}


def test_whether_a_policy_applies_is_judged_on_what_those_before_it_changed() -> None:
    policies = _set(
        mutating("{'metadata': {'labels': {'seen': 'yes'}}}", "a"),
        mutating(
            "{'spec': {'b': 1}}", "b", matchConditions=[{"name": "c", "expression": "has(object.metadata.labels)"}]
        ),
        mutating(
            "{'spec': {'c': 1}}",
            "c",
            matchConstraints={"resourceRules": [EVERYTHING], "objectSelector": {"matchLabels": {"seen": "yes"}}},
        ),
    )

    changed = apply(_decide(policies, phase=Phase.MUTATE).patch, migration())

    assert changed["spec"] == {"vmiName": "db", "b": 1, "c": 1}


def test_facts_are_computed_for_the_object_as_it_is_then() -> None:
    catalog = {
        **FACTS,
        "config.raw": Fact("config.raw", "dyn", "A field.", lambda context: (context.request.object or {}).get("spec")),
    }
    policies = policy_set(
        mutating("{'spec': {'first': size(config.raw)}}", "a"),
        mutating("{'spec': {'second': size(config.raw)}}", "b"),
        catalog=catalog,
    )

    changed = apply(_decide(policies, phase=Phase.MUTATE).patch, migration())

    assert changed["spec"] == {"vmiName": "db", "first": 1, "second": 2}


def test_a_mutation_that_fails_does_not_undo_the_others() -> None:
    policies = _set(
        mutating("{'spec': {'a': 1}}", "a"),
        mutating("{'spec': {'b': broken}}", "b", failurePolicy="Ignore"),
        mutating("{'spec': {'c': 1}}", "c"),
    )

    decision = _decide(policies, phase=Phase.MUTATE)

    assert apply(decision.patch, migration())["spec"] == {"vmiName": "db", "a": 1, "c": 1}
    assert [one.result for one in decision.evaluations] == [Result.PASS, Result.ERROR, Result.PASS]


def test_a_mutation_that_refuses_takes_the_whole_patch_with_it() -> None:
    decision = _decide(
        [mutating("{'spec': {'a': 1}}", "a"), mutating("{'spec': {'b': broken}}", "b")], phase=Phase.MUTATE
    )

    assert decision.code == 503
    assert decision.patch == ()


@pytest.mark.parametrize(
    "fields",
    [
        {"operation": Operation.DELETE, "object": None, "old_object": migration()},
        {"operation": Operation.CONNECT, "object": None},
    ],
    ids=["DELETE", "CONNECT"],
)
def test_there_is_nothing_to_change_without_an_object(fields: Json) -> None:
    decision = _decide(mutating("{'spec': {'a': broken}}"), request(**fields), Phase.MUTATE)

    assert decision.allowed
    assert decision.evaluations == ()


def test_a_patch_is_the_same_to_the_byte_although_maps_of_cel_have_no_order() -> None:
    fields = ", ".join(f"'{letter}': {{'x': 1, 'y': 2, 'z': 3}}" for letter in "hgfedcba")
    policies = _set(mutating(f"{{'spec': {{{fields}}}}}"))

    answers = {render(_decide(policies, phase=Phase.MUTATE)) for _ in range(20)}

    assert len(answers) == 1
    patch = _decide(policies, phase=Phase.MUTATE).patch
    assert [operation["path"] for operation in patch] == [f"/spec/{letter}" for letter in "abcdefgh"]


def test_two_bindings_of_a_mutation_change_an_object_once() -> None:
    decision = _decide([mutating("{'spec': {'a': 1}}"), binding("x"), binding("y")], phase=Phase.MUTATE)

    assert len(decision.patch) == 1
    assert [one.binding for one in decision.evaluations] == ["x", "y"]


# Any object

_keys = st.sampled_from(
    ["metadata", "spec", "labels", "annotations", "name", "list", "a", "liveMigrationConfig", "configuration",
     "migrations", "virtualization", "vmiName", "allowPostCopy", "selectors", "template", "migguard.io/critical",
     "kubevirt.kubevirt.io/jsonpatch", "bandwidthPerMigration", "parallelMigrationsPerCluster", "volumes"]
)  # fmt: skip
_json = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["", "db", "true", "64Mi", '[{"op": "add"}]', "\U0001f600", "\x7f"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(_keys, inner, max_size=4),
    max_leaves=12,
)
_objects = st.dictionaries(_keys, _json, max_size=5)
_phases = st.sampled_from(list(Phase))
_origins = st.sampled_from(["User", "Drain"])

HARD = (
    judging("object.spec.list.all(item, item.name != '')", "reads"),
    judging(
        "variables.size < 3",
        "counts",
        variables=[{"name": "size", "expression": "size(object.metadata.labels)"}],
        matchConditions=[{"name": "has-labels", "expression": "has(object.metadata.labels)"}],
        validationActions=["Warn"],
    ),
    policy(
        "notes", auditAnnotations=[{"key": "name", "valueExpression": "object.metadata.name"}], failurePolicy="Ignore"
    ),
    mutating("{'spec': {'a': {'b': 1}, 'list': [1, true]}, 'metadata': {'labels': {'x/y~z': 'v'}}}", "merges"),
    mutating(
        "has(object.spec.a) && object.spec.a != 2 ? [{'op': 'replace', 'path': '/spec/a', 'value': 2}] : []",
        "replaces",
        patch_type="JSONPatch",
        failurePolicy="Ignore",
        matchConditions=[{"name": "only-numbers", "expression": "type(object.spec.a) == int"}],
    ),
)


@pytest.fixture(name="hard", scope="module")
def hard_policies() -> PolicySet:
    return _set(*HARD)


@given(new=_objects, old=st.none() | _objects, phase=_phases, origin=_origins)
def test_no_object_can_make_a_decision_fail(
    hard: PolicySet, new: Json, old: Json | None, phase: Phase, origin: str
) -> None:
    decision = _decide(hard, _by(origin, object=new, old_object=old), phase)

    answer = json.loads(render(decision))
    assert answer["response"]["uid"] == "7f2c7b46"
    assert answer["response"]["allowed"] is decision.allowed
    assert decision.allowed or decision.message


@given(new=_objects)
def test_a_patch_always_applies_and_a_second_call_has_nothing_left_to_change(hard: PolicySet, new: Json) -> None:
    asked = _by("Drain", object=new)
    before = json.dumps(new)
    decision = _decide(hard, asked, Phase.MUTATE)
    changed = apply(decision.patch, new)
    again = _decide(hard, replace(asked, object=changed), Phase.MUTATE)

    assert json.dumps(new) == before
    assert again.patch == ()
    assert bool(decision.patch) is not same(changed, new)


@pytest.fixture(name="builtin", scope="module")
def builtin_policies() -> PolicySet:
    return load([Path(__file__).parents[3] / "policies"], natives.CATALOG, now=NOW)


_GUARDED = [
    (watched, version)
    for watched in RESOURCES
    for version in ("v1", "v1beta1", "v1alpha3")
    if watched.kind
    in {
        "VirtualMachineInstanceMigration",
        "HyperConverged",
        "KubeVirt",
        "MigrationPolicy",
        "VirtualMachine",
        "Namespace",
    }
]


def _guarded(kind: int, new: Json | None, old: Json | None, username: str) -> AdmissionRequest:
    watched, version = _GUARDED[kind]
    operation = (
        Operation.UPDATE
        if new is not None and old is not None
        else Operation.CREATE
        if new is not None
        else Operation.DELETE
    )
    resource = watched.resource
    return AdmissionRequest(
        uid="u",
        kind=GroupVersionKind(resource.group, version, watched.kind),
        resource=GroupVersionResource(resource.group, version, resource.resource),
        name="kubevirt-hyperconverged",
        namespace="prod" if watched.namespaced else "",
        operation=operation,
        user=UserInfo(username=username),
        object=new,
        old_object=old if old is not None or new is not None else {},
    )


@given(
    kind=st.integers(0, len(_GUARDED) - 1),
    new=st.none() | _objects,
    old=st.none() | _objects,
    phase=_phases,
    username=st.sampled_from(["alice", "system:serviceaccount:kubevirt:kubevirt-controller"]),
)
def test_no_object_can_make_the_built_in_policies_fail(
    builtin: PolicySet, kind: int, new: Json | None, old: Json | None, phase: Phase, username: str
) -> None:
    view = View(
        builders.namespace(),
        builders.vmi(labels=builders.CRITICAL, volumes=[builders.pvc_volume()]),
        builders.pvc(modes=["ReadWriteOnce"]),
        builders.kubevirt({"allowPostCopy": True}),
        builders.hyperconverged({"allowPostCopy": True}),
    )
    asked = _guarded(kind, new, old, username)

    decision = _decide(builtin, asked, phase, world=World(view, RBACAuthorizer(view)))

    assert json.loads(render(decision))["response"]["uid"] == "u"
    if decision.patch and new is not None:
        changed = apply(decision.patch, new)
        again = _decide(builtin, replace(asked, object=changed), phase, world=World(view, RBACAuthorizer(view)))
        assert again.patch == ()


def test_actions_are_those_of_the_policies() -> None:
    decision = _decide([refusing("a", validationActions=["Audit"]), refusing("b")], request(object=labelled(x="y")))

    assert [one.actions for one in decision.evaluations] == [{Action.AUDIT}, {Action.DENY}]
    assert decision.audit_annotations["violation.a"] == "no"
