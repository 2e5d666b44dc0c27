"""Policies as native admission policies: what is written, and what is refused with which reasons."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.admission.natives import CATALOG
from webhook.authoring import vap
from webhook.authoring.vap import Export
from webhook.model.objects import Object
from webhook.policy.policyset import load, only

POLICY = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: demo, annotations: {migguard.io/title: A demo}}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachines], operations: [CREATE, UPDATE]}
  origins: [User]
"""
VALIDATION = "  validations: [{expression: object.spec.running, message: it must run, reason: Invalid}]\n"
EXEMPTION = """
apiVersion: migguard.io/v1alpha1
kind: Exemption
metadata: {name: for-alice}
spec:
  policies: [demo]
  subjects: [{kind: User, name: alice}]
  namespaces: [prod]
  owner: team
  reason: migration of the storage
  ticket: T-1
  expires: 2026-12-31T00:00:00Z
"""
BINDINGS = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicyBinding
metadata: {name: prod}
spec:
  policyName: demo
  matchResources: {namespaceSelector: {matchLabels: {env: prod}}}
  params: {most: 2}
---
apiVersion: migguard.io/v1alpha1
kind: GuardPolicyBinding
metadata: {name: rest}
spec: {policyName: demo, validationActions: [Warn, Audit]}
"""
PARAMS = """  paramSchema: {type: object, properties: {most: {type: integer, default: 5}}}
  matchConditions: [{name: many, expression: object.spec.count > params.most}]
  validations: [{expression: object.spec.count <= params.most == true, message: too many}]
"""


@pytest.fixture
def export(tmp_path: Path) -> Any:
    def exported(*documents: str, names: Sequence[str] = (), **options: Any) -> Export:
        for number, document in enumerate(documents):
            (tmp_path / f"{number}.yaml").write_text(document)
        return vap.export(only(load([tmp_path], CATALOG), names), **options)

    return exported


def _spec(export: Export, kind: str, number: int = 0) -> Object:
    found = [obj for obj in export.objects if obj["kind"] == kind]
    spec: Object = found[number]["spec"]
    return spec


def test_a_policy_becomes_a_policy_and_a_binding(export: Any) -> None:
    written = export(POLICY + "  validations: [{expression: object.spec.running == true, message: it must run}]\n")
    assert [obj["kind"] for obj in written.objects] == ["ValidatingAdmissionPolicy", "ValidatingAdmissionPolicyBinding"]
    assert {obj["metadata"]["name"] for obj in written.objects} == {"migguard.demo"}
    assert written.objects[0]["metadata"]["annotations"]["migguard.io/title"] == "A demo"
    spec = _spec(written, "ValidatingAdmissionPolicy")
    assert spec["validations"] == [
        {"expression": "object.spec.running == true", "message": "it must run", "reason": "Forbidden"}
    ]
    assert spec["failurePolicy"] == "Fail"
    assert _spec(written, "ValidatingAdmissionPolicyBinding") == {
        "policyName": "migguard.demo",
        "validationActions": ["Deny"],
    }
    assert written.trusting


def test_each_binding_becomes_a_policy_with_its_own_parameters(export: Any) -> None:
    written = export(POLICY + PARAMS, BINDINGS)
    prod, rest = (_spec(written, "ValidatingAdmissionPolicy", number) for number in (0, 1))
    assert prod["variables"] == [{"name": "params", "expression": "{'most': dyn(2)}"}]
    assert rest["variables"] == [{"name": "params", "expression": "{'most': dyn(5)}"}]
    assert prod["validations"][0]["expression"] == "object.spec.count <= variables.params.most == true"
    assert rest["matchConditions"][1:] == [{"name": "many", "expression": "object.spec.count > {'most': dyn(5)}.most"}]
    bindings = [_spec(written, "ValidatingAdmissionPolicyBinding", number) for number in (0, 1)]
    assert bindings[0]["matchResources"] == {"namespaceSelector": {"matchLabels": {"env": "prod"}}}
    assert bindings[1] == {"policyName": "migguard.demo.rest", "validationActions": ["Audit", "Warn"]}


def test_what_to_do_follows_what_is_wrong(export: Any) -> None:
    said = "{expression: 'true', message: never, messageExpression: \"'no ' + request.name\", remediation: stop it}"
    spec = _spec(export(POLICY + f"  validations: [{said}]\n"), "ValidatingAdmissionPolicy")
    assert spec["validations"][0]["message"] == "never. Next step: stop it"
    assert spec["validations"][0]["messageExpression"] == (
        "string('no ' + request.?name.orValue('')) + '. Next step: ' + 'stop it'"
    )


def test_origins_become_a_condition_and_trust_in_namespaces(export: Any) -> None:
    written = export(POLICY + "  validations: [{expression: 'true', message: never}]\n")
    condition = _spec(written, "ValidatingAdmissionPolicy")["matchConditions"][0]
    assert condition["name"] == "migguard-origins"
    assert "'system:serviceaccount:openshift-cnv:kubevirt-controller'" in condition["expression"]
    assert written.trusting


def test_a_mutation_becomes_a_mutating_policy(export: Any) -> None:
    expression = "[{'op': 'remove', 'path': '/x'}]"
    mutation = f'{{name: m, patchType: JSONPatch, warning: set, expression: "{expression}"}}'
    written = export(f"{POLICY}  mutations: [{mutation}]\n")
    spec = _spec(written, "MutatingAdmissionPolicy")
    assert spec["mutations"] == [
        {"patchType": "JSONPatch", "jsonPatch": {"expression": "[JSONPatch{op: 'remove', path: '/x'}]"}}
    ]
    assert _spec(written, "MutatingAdmissionPolicyBinding") == {"policyName": "migguard.demo"}
    assert "without a warning" in written.notes[0]


@pytest.mark.parametrize(
    ("rest", "reason"),
    [
        pytest.param(
            "  validations: [{expression: vmi.critical, message: never}]\n", "it reads vmi.critical", id="fact"
        ),
        pytest.param(VALIDATION, "something else than true or false", id="not-surely-boolean"),
        pytest.param(
            "  admissionPhase: Mutate\n  validations: [{expression: 'true', message: never}]\n",
            "admissionPhase: Mutate",
            id="judged-too-early",
        ),
        pytest.param(
            "  variables: [{name: params, expression: '1'}]\n"
            "  validations: [{expression: variables.params == 1, message: never}]\n",
            "variable 'params'",
            id="a-name-that-is-needed",
        ),
        pytest.param(
            "  validations: [{expression: 'cel.bind(x, true, x)', message: never}]\n",
            "cel.bind",
            id="a-foreign-function",
        ),
        pytest.param(
            "  variables: [{name: x, expression: '{}'}]\n"
            "  mutations: [{name: m, patchType: ApplyConfiguration, warning: set, expression: variables.x}]\n",
            "not written out as a map",
            id="a-mutation-without-a-shape",
        ),
        pytest.param(
            "  validations: [{expression: 'true', message: never}]\n"
            "  auditAnnotations: [{key: a, valueExpression: object.metadata.name}]\n",
            "write string(…)",
            id="not-surely-a-text",
        ),
        pytest.param(
            "  matchConditions: [{name: two words, expression: 'true'}]\n"
            "  validations: [{expression: 'true', message: never}]\n",
            "match condition 'two words'",
            id="a-name-that-is-none",
        ),
        pytest.param(
            "  mutations: [{name: m, patchType: ApplyConfiguration, warning: set, expression: \"{'in': 1}\"}]\n",
            "'in' cannot be written",
            id="a-reserved-word",
        ),
    ],
)
def test_what_cannot_be_said_natively_is_refused_with_the_reason(export: Any, rest: str, reason: str) -> None:
    written = export(POLICY + rest)
    assert written.objects == ()
    (refused,) = written.refused
    assert refused.policy == "demo"
    assert reason in "; ".join(refused.reasons)
    assert refused.where.endswith("0.yaml:2:1")


def test_a_policy_with_exemptions_is_refused_unless_one_says_so(export: Any) -> None:
    policy = POLICY + "  validations: [{expression: 'true', message: never}]\n"
    assert "for-alice" in export(policy, EXEMPTION).refused[0].reasons[0]
    assert len(export(policy, EXEMPTION, without_exemptions=True).objects) == 2


def test_only_the_named_policies_are_exported(export: Any) -> None:
    policy = POLICY + "  validations: [{expression: 'true', message: never}]\n"
    other = policy.replace("name: demo", "name: other")
    assert {obj["metadata"]["name"] for obj in export(policy, other, names=["other"]).objects} == {"migguard.other"}


def test_what_is_written_is_yaml_without_references(export: Any) -> None:
    written = export(POLICY + "  validations: [{expression: 'true', message: never}]\n")
    assert yaml.safe_load(yaml.safe_dump(written.objects[0])) == written.objects[0]


ANYBODY = (
    POLICY.replace("  origins: [User]\n", "")
    + "  validations: [{expression: object.spec.running == true, message: it must run}]\n"
)


def test_an_error_refuses_people_and_lets_controllers_pass_so_it_takes_two_policies(export: Any) -> None:
    people, system = (_spec(export(ANYBODY), "ValidatingAdmissionPolicy", number) for number in (0, 1))
    assert (people["failurePolicy"], system["failurePolicy"]) == ("Fail", "Ignore")
    assert people["matchConditions"][0]["expression"].endswith("in [dyn('User'), dyn('VirtAPI')]")
    assert system["matchConditions"][0]["expression"] == f"!({people['matchConditions'][0]['expression']})"
    assert people["validations"] == system["validations"]


def test_where_errors_are_ignored_anyway_one_policy_is_enough(export: Any) -> None:
    written = export(ANYBODY + "  failurePolicy: Ignore\n")
    assert [obj["metadata"]["name"] for obj in written.objects] == ["migguard.demo"] * 2
    assert "matchConditions" not in written.objects[0]["spec"]


def test_origins_of_both_kinds_are_parted(export: Any) -> None:
    policy = (
        POLICY.replace("origins: [User]", "origins: [User, Drain]")
        + "  validations: [{expression: 'true', message: never}]\n"
    )
    conditions = [
        _spec(export(policy), "ValidatingAdmissionPolicy", number)["matchConditions"][0]["expression"]
        for number in (0, 1)
    ]
    assert [condition.rpartition(" in ")[2] for condition in conditions] == ["[dyn('User')]", "[dyn('Drain')]"]


def test_no_two_policies_get_one_name(export: Any) -> None:
    plain = POLICY + "  validations: [{expression: 'true', message: never}]\n"
    bound = (
        "apiVersion: migguard.io/v1alpha1\nkind: GuardPolicyBinding\nmetadata: {name: lab}\nspec: {policyName: demo}\n"
    )
    other = plain.replace("name: demo", "name: demo-lab")
    names = [(obj["kind"], obj["metadata"]["name"]) for obj in export(plain, bound, other).objects]
    assert len(names) == len(set(names)) == 4


def test_a_mutation_is_written_for_the_operations_that_it_can_change(export: Any) -> None:
    mutation = "  mutations: [{name: m, patchType: JSONPatch, warning: set, expression: '[]'}]\n"
    spec = _spec(export(POLICY.replace("[CREATE, UPDATE]", '["*"]') + mutation), "MutatingAdmissionPolicy")
    assert spec["matchConstraints"]["resourceRules"][0]["operations"] == ["CREATE", "UPDATE"]
