"""A trace tells all of how a request was judged, and leaves the verdict alone."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tests.support import builders
from tests.support.engine import (
    NOW,
    Json,
    binding,
    exemption,
    judging,
    migration,
    mutating,
    policy,
    policy_set,
    refusing,
    request,
)
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.decision import Decision, Result
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Operation, Phase
from webhook.offline.tracing.steps import PhaseTrace, PolicyTrace, Trace
from webhook.offline.tracing.trace import trace

PODS_ONLY = {"resourceRules": [{"apiGroups": [""], "apiVersions": ["*"], "resources": ["pods"], "operations": ["*"]}]}
OTHERS_LABELLED = {"objectSelector": {"matchLabels": {"a": "b"}}}


def world(*objects: Json) -> World:
    view = View(builders.namespace(), *objects)
    return World(view, RBACAuthorizer(view))


def traced(*documents: Json, asked: AdmissionRequest | None = None, within: World | None = None) -> Trace:
    return trace(asked or request(), policies=policy_set(*documents, catalog=CATALOG), world=within or world(), now=NOW)


def phase_of(found: Trace, phase: Phase) -> PhaseTrace:
    return next(one for one in found.phases if one.phase is phase)


def only_policy(found: Trace, phase: Phase = Phase.VALIDATE) -> PolicyTrace:
    (one,) = phase_of(found, phase).policies
    return one


@pytest.mark.parametrize(
    ("documents", "why"),
    [
        pytest.param([refusing(matchConstraints=PODS_ONLY)], "no resource rule covers CREATE", id="rule"),
        pytest.param([refusing(origins=["Drain"])], "it is for requests of Drain, not of User", id="origin"),
        pytest.param(
            [
                refusing(),
                binding(
                    matchResources={"resourceRules": PODS_ONLY["resourceRules"]},
                ),
            ],
            "binding everywhere: no resource rule covers CREATE",
            id="binding",
        ),
        pytest.param(
            [refusing(matchConstraints={**policy()["spec"]["matchConstraints"], **OTHERS_LABELLED})],
            "objectSelector does not select it",
            id="selector",
        ),
        pytest.param(
            [refusing(matchConditions=[{"name": "never", "expression": "false"}])],
            "match condition 'never' is not met",
            id="condition",
        ),
        pytest.param([refusing(), exemption()], "exemption 'move-week' lets this request through", id="exemption"),
    ],
)
def test_a_policy_that_is_not_judged_says_why(documents, why):
    found = traced(*documents)
    assert only_policy(found).left_out.startswith(why)
    assert found.allowed


def test_an_exempted_policy_counts_as_one_that_concerns_the_request():
    told = only_policy(traced(refusing(), exemption()))
    assert (told.matched, told.result, told.decides) == (True, Result.SKIP, False)


def test_conditions_and_variables_have_their_values_and_places():
    told = only_policy(
        traced(
            judging(
                "variables.twice == 4",
                matchConditions=[{"name": "about-db", "expression": "object.spec.vmiName == 'db'"}],
                variables=[
                    {"name": "two", "expression": "size(object.metadata.name) - 2"},
                    {"name": "twice", "expression": "variables.two * 2"},
                ],
            )
        )
    )
    assert [(one.name, one.value, one.error) for one in told.conditions] == [("about-db", True, "")]
    assert [(one.name, one.value) for one in told.variables] == [("two", 2), ("twice", 4)]
    file, line, column = told.variables[0].where.rsplit(":", 2)
    assert file.endswith("policies.yaml")
    assert int(line) > 1
    assert int(column) > 1


def test_a_variable_that_fails_says_why_and_so_does_what_needs_it():
    told = only_policy(
        traced(judging("variables.gone == 1", variables=[{"name": "gone", "expression": "object.spec.nothing"}]))
    )
    assert "nothing" in told.variables[0].error
    assert told.validations[0].step.error.startswith("variables.gone is not available")
    assert told.result is Result.ERROR


def test_validations_are_true_or_false_with_what_a_person_is_told():
    told = only_policy(
        traced(
            policy(
                validations=[
                    {"expression": "true", "message": "never said"},
                    {"expression": "vmi.name != 'db'", "message": "not db", "remediation": "take web"},
                ]
            )
        )
    )
    assert [one.step.value for one in told.validations] == [True, False]
    assert told.validations[0].violation is None
    assert told.validations[1].violation is not None
    assert told.validations[1].violation.remediation == "take web"
    assert told.validations[1].step.facts == {"vmi.name"}
    assert told.decides


def test_a_step_reads_the_facts_of_the_variables_that_it_builds_on():
    told = only_policy(
        traced(
            judging(
                "variables.outer",
                variables=[
                    {"name": "inner", "expression": "vmi.name"},
                    {"name": "outer", "expression": "variables.inner == 'db' && requester.username != ''"},
                ],
            )
        )
    )
    assert told.validations[0].step.facts == {"vmi.name", "requester.username"}


def test_a_mutation_shows_its_patch_and_validation_sees_the_result():
    found = traced(
        mutating("{'metadata': {'labels': {'a': 'b'}}}", name="adds"),
        judging("object.metadata.labels.a == 'b'", name="looks"),
    )
    told = only_policy(found, Phase.MUTATE)
    assert [operation["path"] for operation in told.mutations[0].patch] == ["/metadata/labels"]
    assert told.mutations[0].warnings == ("was defaulted",)
    assert found.allowed
    assert phase_of(found, Phase.VALIDATE).request.object == migration(
        metadata={"name": "move", "namespace": "prod", "labels": {"a": "b"}}
    )


def test_the_second_mutation_of_a_policy_has_its_own_patch():
    mutations = [
        {
            "name": name,
            "patchType": "ApplyConfiguration",
            "expression": f"{{'metadata': {{'labels': {{'{name}': 'x'}}}}}}",
            "warning": "labelled",
        }
        for name in ("first", "second")
    ]
    told = only_policy(traced(policy(mutations=mutations)), Phase.MUTATE)
    assert [(one.step.name, one.patch[0]["path"]) for one in told.mutations] == [
        ("first", "/metadata/labels"),
        ("second", "/metadata/labels/second"),
    ]


def test_a_delete_has_nothing_that_could_be_changed():
    asked = request(operation=Operation.DELETE, object=None, old_object=migration())
    told = only_policy(traced(mutating("{}"), asked=asked), Phase.MUTATE)
    assert told.left_out == "it changes objects, and DELETE has none to change"


def test_facts_have_value_and_source_and_each_policy_names_those_it_reads():
    found = traced(judging("vmi.critical"), within=world(builders.vmi(labels={"migguard.io/critical": "true"})))
    fact = phase_of(found, Phase.VALIDATE).facts["vmi.critical"]
    assert fact.value is True
    assert fact.set_by == "label migguard.io/critical=true on VirtualMachineInstance prod/db"
    assert [one.text for one in fact.sources] == ["VirtualMachineInstance prod/db"]
    assert only_policy(found).facts == ("vmi.critical",)


def test_a_fact_that_cannot_be_had_says_why():
    view = View()
    found = traced(judging("namespaceObject != null"), within=World(view, RBACAuthorizer(view)))
    fact = phase_of(found, Phase.VALIDATE).facts["namespaceObject"]
    assert fact.unavailable == "Namespace prod was not found, so its labels are not known"
    assert [one.text for one in fact.sources] == ["Namespace prod (not found)"]


def test_questions_to_the_authorizer_are_answered_in_what_is_evaluated_again():
    found = traced(
        judging("authorizer.group('').resource('pods').namespace('prod').check('get').allowed()"),
        within=world(
            builders.role("reader", "prod", [{"apiGroups": [""], "resources": ["pods"], "verbs": ["get"]}]),
            builders.role_binding("reads", "prod", builders.user("alice"), role="reader", kind="Role"),
        ),
    )
    assert only_policy(found).validations[0].step.value is True
    assert found.allowed


def test_a_refusal_ends_it_unless_all_reasons_are_wanted():
    early = refusing("early", admissionPhase="Mutate")
    late = refusing("late")
    policies = policy_set(early, late, catalog=CATALOG)
    assert [one.phase for one in trace(request(), policies=policies, world=world(), now=NOW).phases] == [Phase.MUTATE]
    beyond = trace(request(), policies=policies, world=world(), now=NOW, beyond_refusal=True)
    assert [one.name for one in beyond.policies if one.decides] == ["early", "late"]
    assert not beyond.allowed
    assert beyond.decision is beyond.phases[0].decision


def test_watching_changes_nothing():
    documents = [refusing("no"), judging("vmi.found", "finds"), mutating("{}", "sets"), exemption(policies=["no"])]
    policies = policy_set(*documents, catalog=CATALOG)

    def alone(phase: Phase) -> Decision:
        return decide(
            request(),
            phase,
            policies=policies,
            world=world(),
            now=NOW,
            deadline=Deadline.after(30),
            decision_id=f"{request().uid}-{phase}",
        )

    def timeless(decision: Decision) -> Decision:
        evaluations = tuple(replace(one, seconds=0.0) for one in decision.evaluations)
        return replace(decision, seconds={}, evaluations=evaluations)

    found = trace(request(), policies=policies, world=world(), now=NOW)
    assert [timeless(one.decision) for one in found.phases] == [timeless(alone(phase)) for phase in Phase]
