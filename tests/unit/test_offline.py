"""Policy tests as their authors meet them: what passes, what fails and how it is told, and what is refused."""

# ruff: noqa: E501 - a case is one line

import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.errors import InputError, PolicyError
from webhook.model.request import Operation
from webhook.offline.request import user_of
from webhook.offline.run import CaseResult, run
from webhook.offline.suite import finds, suites

POLICIES = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: may-migrate}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachineinstancemigrations], operations: ["*"]}
  validations:
    - expression: requester.canMigrate
      messageExpression: "requester.username + ' may not'"
      translations: {ja: {messageExpression: "requester.username + ' は許可されていません'"}}
      reason: Invalid
  auditAnnotations:
    - {key: asked-by, valueExpression: requester.username}
---
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: priority}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachineinstancemigrations], operations: [CREATE]}
  paramSchema:
    properties: {priority: {type: string, default: normal}}
  mutations:
    - name: priority
      patchType: ApplyConfiguration
      expression: "{'metadata': {'labels': {'priority': object.metadata.?labels.?priority.orValue(params.priority)}}}"
      warning: the priority was set
  validations:
    - expression: object.metadata.?labels.?priority.orValue('none') != 'none'
      message: a migration needs a priority
    - expression: quantity(object.metadata.?labels.?size.orValue('1')).isLessThan(quantity('1Gi'))
      message: too large
---
apiVersion: migguard.io/v1alpha1
kind: Exemption
metadata: {name: until-new-year}
spec:
  policies: [may-migrate]
  subjects: [{kind: User, name: night-shift}]
  owner: operations
  reason: the rollout of the role takes until then
  ticket: OPS-1
  starts: 2026-11-01
  expires: 2027-01-01
"""

MIGRATION = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstanceMigration",
    "metadata": {"name": "move", "namespace": "prod"},
    "spec": {"vmiName": "db"},
}
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "movers", "namespace": "prod"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubevirt.io:migrate"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "kubevirt.io:migrate"},
    "rules": [
        {
            "apiGroups": ["kubevirt.io"],
            "resources": ["virtualmachineinstancemigrations"],
            "verbs": ["get", "create", "update", "delete"],
        },
        {"apiGroups": ["subresources.kubevirt.io"], "resources": ["virtualmachines/migrate"], "verbs": ["update"]},
    ],
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}

Write = Callable[..., Path]


@pytest.fixture(name="write")
def write_test(tmp_path: Path) -> Write:
    """Write a PolicyTest of these cases beside the policies, and return the directory."""

    def write(*cases: dict[str, Any], **spec: Any) -> Path:
        folder = tmp_path / "policies" / "demo" / "tests"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "policy.yaml").write_text(POLICIES)
        document = {
            "apiVersion": "migguard.io/v1alpha1",
            "kind": "PolicyTest",
            "metadata": {"name": "demo"},
            "spec": {"objects": [NAMESPACE, ROLE, BINDING], **spec, "cases": list(cases)},
        }
        (folder / "suite.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return tmp_path

    return write


def case(expect: dict[str, Any], name: str = "it", user: str = "alice", **fields: Any) -> dict[str, Any]:
    base = {"name": name, "user": {"username": user}, "operation": "CREATE", "object": MIGRATION}
    return {**base, **fields, "expect": expect}


def results(folder: Path) -> list[CaseResult]:
    return [result for suite in suites([folder]) for result in run(suite)]


def mismatches(folder: Path) -> list[str]:
    return [str(mismatch) for result in results(folder) for mismatch in result.mismatches]


LABELLED = {**MIGRATION, "metadata": {**MIGRATION["metadata"], "labels": {"priority": "high"}}}  # type: ignore[dict-item]  # YAML


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(case({"allowed": True, "code": 200}), id="an-allowed-request"),
        pytest.param(case({"allowed": False, "code": 422, "reason": "Invalid"}, user="bob"), id="a-refused-request"),
        pytest.param(case({"policy": "may-migrate"}, user="bob"), id="the-policy-that-refuses"),
        pytest.param(case({"policy": "priority"}), id="the-policy-that-changes"),
        pytest.param(case({"message": ["bob may", "/refused by .* bob/"]}, user="bob"), id="parts-of-the-message"),
        pytest.param(case({"message": []}), id="no-message"),
        pytest.param(case({"warnings": "the priority was set"}), id="a-warning"),
        pytest.param(case({"warnings": []}, object=LABELLED, phase="validate"), id="no-warning"),
        pytest.param(case({"patched": {"metadata": {"labels": {"priority": "normal"}}}}), id="a-part-of-the-changed-object"),
        pytest.param(
            case({"patch": [{"op": "add", "path": "/metadata/labels", "value": {"priority": "normal"}}]}), id="the-patch"
        ),
        pytest.param(case({"auditAnnotations": {"may-migrate.asked-by": "alice", "other": None}}), id="audit-annotations"),
        pytest.param(case({"allowed": False, "message": "needs a priority"}, phase="validate"), id="validation-alone"),
        pytest.param(case({"allowed": True, "warnings": ["priority"]}, phase="mutate", user="bob"), id="mutation-alone"),
        pytest.param(
            case({"errors": ["/size.*is not a quantity|'big' is not a quantity/"], "allowed": False},
                 object={**MIGRATION, "metadata": {"namespace": "prod", "name": "x", "labels": {"size": "big"}}}),
            id="an-expected-error-of-evaluation",
        ),
    ],
)  # fmt: skip
def test_a_true_expectation_passes(write: Write, one: dict[str, Any]) -> None:
    assert mismatches(write(one)) == []


@pytest.mark.parametrize(
    ("one", "told"),
    [
        pytest.param(case({"allowed": False}), "allowed: expected false, got true", id="allowed"),
        pytest.param(case({"code": 403}, user="bob"), "code: expected 403, got 422", id="code"),
        pytest.param(case({"policy": "priority"}, user="bob"), "policy: expected priority, got may-migrate", id="policy"),
        pytest.param(case({"message": "carol"}, user="bob"), 'message: expected "carol", got "VirtualMachineInstance', id="message"),
        pytest.param(case({"message": []}, user="bob"), 'message: expected none, got "Virtual', id="any-message"),
        pytest.param(case({"warnings": "disk"}), 'warnings: expected "disk", got ["policy priority: the', id="warning"),
        pytest.param(case({"warnings": []}), 'warnings: expected none, got ["policy priority: the', id="any-warning"),
        pytest.param(case({"patch": []}), 'patch: expected [], got [{"op": "add"', id="patch"),
        pytest.param(case({"patched": {"spec": {"vmiName": "web"}}}), 'patched.spec.vmiName: expected "web", got "db"', id="patched"),
        pytest.param(case({"patched": {"spec": {"x": True}}}), "patched.spec.x: expected true, got nothing there", id="patched-absent"),
        pytest.param(case({"auditAnnotations": {"may-migrate.asked-by": None}}), 'auditAnnotations.may-migrate.asked-by: expected none, got "alice"', id="annotation"),
        pytest.param(case({"auditAnnotations": {"x": "y"}}), 'auditAnnotations.x: expected "y", got none', id="no-annotation"),
        pytest.param(case({"errors": ["boom"], "allowed": True}), 'errors: expected "boom", got []', id="no-error"),
        pytest.param(
            case({"allowed": False}, object={**MIGRATION, "metadata": {"namespace": "prod", "name": "x", "labels": {"size": "big"}}}),
            "errors: expected none, got \"policy priority:",
            id="an-error-nobody-expected",
        ),
    ],
)  # fmt: skip
def test_a_false_expectation_fails_with_what_came_instead(write: Write, one: dict[str, Any], told: str) -> None:
    found = mismatches(write(one))
    assert len(found) == 1
    assert found[0].startswith(told)


def test_validation_sees_what_mutation_changed_and_mutation_that_changes_nothing_is_no_patch(write: Write) -> None:
    both, labelled = results(write(case({"allowed": True}), case({"patch": []}, name="labelled", object=LABELLED)))
    assert both.passed
    assert [len(decision.patch) for decision in both.outcome.decisions] == [1, 0]
    assert both.outcome.object is not None
    assert both.outcome.object["metadata"]["labels"] == {"priority": "normal"}
    assert labelled.passed


def test_a_test_may_choose_the_language(write: Write) -> None:
    expect = {"allowed": False, "message": ["はポリシー may-migrate により拒否されました", "bob は許可されていません"]}
    assert mismatches(write(case(expect, user="bob"), parameters={"language": "ja"})) == []
    assert mismatches(write(case({"message": "bob may not"}, user="bob"))) == []


def test_parameters_are_laid_over_those_of_the_policies(write: Write) -> None:
    expect = {"patched": {"metadata": {"labels": {"priority": "low"}}}}
    assert mismatches(write(case(expect), parameters={"params": {"priority": "low"}})) == []


def test_the_clock_decides_whether_an_exemption_is_in_force(write: Write) -> None:
    one = case({"allowed": True}, user="night-shift", phase="validate", object=LABELLED)
    assert mismatches(write(one, now="2026-12-31T23:59:59Z")) == []
    assert mismatches(write(one, now="2027-01-01")) == ["allowed: expected true, got false"]


def test_objects_of_the_test_take_the_place_of_those_in_the_cluster_s_manifests(write: Write, tmp_path: Path) -> None:
    (tmp_path / "cluster.yaml").write_text(yaml.safe_dump_all([NAMESPACE, ROLE, BINDING]))
    other = {**BINDING, "subjects": [{"kind": "User", "name": "bob"}]}
    cluster = ["../../../cluster.yaml"]
    folder = write(case({"allowed": True}, user="bob"), cluster=cluster, objects=[other])
    assert mismatches(folder) == []
    assert mismatches(write(case({"allowed": True}), cluster=cluster, objects=[])) == []


def test_objects_can_stand_in_files_of_their_own(write: Write, tmp_path: Path) -> None:
    folder = write(
        {**case({"allowed": True}), "operation": "DELETE", "object": None, "oldObjectFrom": "vmim.yaml"} | {},
        now="2026-11-24",
    )
    text = (folder / "policies/demo/tests/suite.yaml").read_text().replace("    object: null\n", "")
    (folder / "policies/demo/tests/suite.yaml").write_text(text)
    (folder / "policies/demo/tests/vmim.yaml").write_text(yaml.safe_dump(MIGRATION))
    (result,) = results(folder)
    assert result.passed
    assert result.case.request.operation is Operation.DELETE
    assert result.case.request.old_object == MIGRATION


EFFECTIVE = {"permission": {"mode": "effective"}}
REVIEWS = [
    {"user": "carol", "canI": "create virtualmachineinstancemigrations.kubevirt.io -n prod", "allowed": True},
    {
        "user": "*",
        "verb": "update",
        "group": "subresources.kubevirt.io",
        "resource": "virtualmachines",
        "subresource": "migrate",
        "namespace": "prod",
        "name": "db",
        "allowed": True,
    },
]


def test_stated_access_reviews_answer_the_permission_questions(write: Write) -> None:
    (result,) = results(write(case({"allowed": True}, user="carol"), parameters=EFFECTIVE, accessReviews=REVIEWS))
    asked = [question["canI"] for decision in result.outcome.decisions for question in decision.questions]
    assert asked, "the case must ask at least one question, or it shows nothing"
    assert result.mismatches == ()


def test_a_question_that_the_stated_reviews_do_not_answer_fails_the_case(write: Write) -> None:
    one = case({"allowed": False, "errors": ["accessReviews"]}, user="mallory")
    (mismatch,) = mismatches(write(one, parameters=EFFECTIVE, accessReviews=REVIEWS))
    assert mismatch.startswith(
        "accessReviews: expected an answer to every question, got mallory: create virtualmachine"
    )


def spec_of(text: str) -> str:
    head = "apiVersion: migguard.io/v1alpha1\nkind: PolicyTest\nmetadata: {name: demo}\nspec:\n"
    return head + textwrap.indent(textwrap.dedent(text).strip(), "  ") + "\n"


VALID = "- {name: a, user: {username: u}, operation: CREATE, object: {apiVersion: v1, kind: Namespace, metadata: {name: x}}, expect: {allowed: true}}"


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        pytest.param(f"case:\n{VALID}", "6:3: unknown field 'spec.case' (did you mean 'cases'?)", id="unknown-field"),
        pytest.param("cases: []", "spec.cases", id="no-case"),
        pytest.param(f"cases:\n{VALID.replace('allowed: true', '')}", "spec.cases[0].expect", id="no-expectation"),
        pytest.param(f"cases:\n{VALID.replace('allowed', 'alowed')}", "'spec.cases[0].expect.alowed' (did you mean 'allowed'?)", id="misspelt-expectation"),
        pytest.param(f"cases:\n{VALID}\n{VALID}", "7:12: the case 'a' stands twice", id="two-cases-of-one-name"),
        pytest.param(f"cases:\n{VALID.replace('CREATE', 'DELETE')}", "DELETE needs 'oldObject'", id="delete-without-old-object"),
        pytest.param(f"cases:\n{VALID.replace('object:', 'oldObject:')}", "CREATE needs 'object'", id="create-without-object"),
        pytest.param(f"cases:\n{VALID.replace('object:', 'oldObject: {apiVersion: v1, kind: Namespace, metadata: {name: x}}, object:')}", "CREATE has no 'oldObject'", id="create-with-old-object"),
        pytest.param(f"cases:\n{VALID.replace('CREATE', 'UPDATE').replace('object:', 'oldObject: {apiVersion: v1, kind: Namespace, metadata: {name: y}}, object:')}", "are not the same object", id="two-objects"),
        pytest.param(f"cases:\n{VALID.replace('Namespace', 'Widget')}", "the resource of v1 Widget is not known (state its plural name as 'resource'", id="unknown-kind"),
        pytest.param(f"cases:\n{VALID.replace('object:', 'objectFrom: gone.yaml, object:')}", "object and objectFrom are both given", id="object-twice"),
        pytest.param(f"cases:\n{VALID.replace('object: {apiVersion: v1, kind: Namespace, metadata: {name: x}}', 'objectFrom: gone.yaml')}", "gone.yaml: the file cannot be read", id="missing-file"),
        pytest.param(f"cases:\n{VALID.replace('allowed: true', 'message: /(/')}", "/(/ is not a regular expression", id="broken-expression"),
        pytest.param(f"now: yesterday\ncases:\n{VALID}", "5:8: now 'yesterday' is not a time (write 2026-12-31T18:00:00Z)", id="no-time"),
        pytest.param(f"parameters: {{critcal: {{label: x}}}}\ncases:\n{VALID}", "5:25: unknown field 'spec.parameters.critcal' (did you mean 'critical'?)", id="misspelt-parameter"),
        pytest.param(f"parameters: {{freezeWindows: [{{name: w, schedule: 0 0 * * *, duration: 2d, reason: r}}]}}\ncases:\n{VALID}", "5:73: spec.parameters.freezeWindows[0].duration: '2d' is not a duration", id="parameter-that-is-no-duration"),
        pytest.param(f"parameters: {{freezeWindows: [{{name: w, schedule: 0 0 * * *, duration: 48h, reason: r}}]}}\ncases:\n{VALID}", "5:73: freeze window 'w' never ends", id="freeze-without-end"),
        pytest.param(f"parameters: {{params: {{priorty: x}}}}\ncases:\n{VALID}", "5:34: no policy has a parameter 'priorty' (did you mean 'priority'?)", id="unknown-shared-parameter"),
        pytest.param(f"objects: [{{apiVersion: v1, kind: Secret, metadata: {{name: x}}}}]\ncases:\n{VALID}", "5:13: no fact reads objects of v1 Secret", id="object-that-nothing-reads"),
        pytest.param(f"objects: [{{apiVersion: v1, kind: Namespace, metadata: {{}}}}]\ncases:\n{VALID}", "has no metadata.name", id="object-without-name"),
        pytest.param(f"objects:\n- &n {{apiVersion: v1, kind: Namespace, metadata: {{name: x}}}}\n- *n\ncases:\n{VALID}", "is there twice", id="object-there-twice"),
        pytest.param(f"accessReviews: [{{user: u, allowed: true}}]\ncases:\n{VALID}", "needs 'canI' or 'verb'", id="review-without-question"),
    ],
)  # fmt: skip
def test_a_broken_test_is_an_error_with_its_place(write: Write, spec: str, problem: str) -> None:
    folder = write()
    file = folder / "policies/demo/tests/suite.yaml"
    file.write_text(spec_of(spec))
    with pytest.raises(PolicyError) as raised:
        results(folder)
    assert f"{file}:" in str(raised.value)
    assert problem in str(raised.value)


def test_a_misspelt_kind_is_not_passed_over(write: Write) -> None:
    folder = write(case({"allowed": True}))
    (folder / "policies/demo/tests/more.yaml").write_text("apiVersion: migguard.io/v1alpha1\nkind: PolicyTets\n")
    with pytest.raises(PolicyError, match=r"more.yaml:2:7: unknown kind 'PolicyTets' \(did you mean 'PolicyTest'"):
        suites([folder])


def test_all_broken_tests_are_told_at_once(write: Write) -> None:
    folder = write(case({"allowed": True}, operation="MOVE"))
    (folder / "policies/demo/tests/more.yaml").write_text("kind: PolicyTest\n")
    (folder / "policies/demo/tests/torn.yaml").write_text("kind: PolicyTest\n  spec: [\n")
    with pytest.raises(PolicyError) as raised:
        suites([folder])
    assert {Path(problem.where.split(":")[0]).name for problem in raised.value.problems} == {
        "suite.yaml",
        "more.yaml",
        "torn.yaml",
    }


def test_no_test_at_all_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text(POLICIES)
    with pytest.raises(InputError, match="no PolicyTest was found"):
        suites([tmp_path])


def test_a_kind_that_is_not_known_needs_its_resource(write: Write) -> None:
    widget = {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "x"}}
    (result,) = results(
        write(case({"allowed": True}, object=widget, resource="widgets", subresource="status", dryRun=True))
    )
    assert result.passed
    request = result.case.request
    assert (str(request.resource), request.subresource, request.namespace) == ("widgets.example.io", "status", "")
    assert request.dry_run


def test_what_is_written_to_a_subresource_may_be_of_a_kind_of_its_own(write: Write) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x", "namespace": "prod"}}
    (result,) = results(write(case({"allowed": True}, object=eviction, resource="pods", subresource="eviction")))
    request = result.case.request
    assert (request.kind.kind, request.resource.group, str(request.resource)) == ("Eviction", "", "pods")
    assert (request.subresource, request.namespace) == ("eviction", "prod")


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ({"username": "alice", "groups": ["devs"]}, ("devs", "system:authenticated")),
        (
            {"username": "system:serviceaccount:ci:robot"},
            ("system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"),
        ),
        ({"username": "system:anonymous"}, ("system:unauthenticated",)),
    ],
)
def test_a_user_gets_the_groups_that_authentication_adds(user: dict[str, Any], groups: tuple[str, ...]) -> None:
    assert user_of(user).groups == groups


@pytest.mark.parametrize(
    ("pattern", "text", "found"),
    [
        ("b.c", "ab.cd", True),
        ("b.c", "abxcd", False),
        ("/b.c/", "abxcd", True),
        ("/^b/", "ab", False),
        ("/", "a/b", True),
    ],
)
def test_a_pattern_is_a_part_or_an_expression_between_slashes(pattern: str, text: str, found: bool) -> None:
    assert finds(pattern, text) is found
