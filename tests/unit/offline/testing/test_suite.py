"""PolicyTest files: what they may hold, and what is told of those that cannot be read."""

# ruff: noqa: E501 - a case is one line

import textwrap
from pathlib import Path

import pytest
import yaml

from tests.support.policytests import MIGRATION, POLICIES, Write, case, results
from webhook.errors import InputError, PolicyError
from webhook.model.request import Operation
from webhook.offline.testing.suite import read_suites, suites


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


@pytest.mark.parametrize(
    ("spec", "problem"),
    [
        pytest.param(f"absent: [{{kind: PersistentVolumeClam}}]\ncases:\n{VALID}", "5:19: no fact reads objects of kind PersistentVolumeClam (did you mean 'PersistentVolumeClaim'?)", id="misspelt-kind"),
        pytest.param(f"absent: [{{kind: Node, namespace: x}}]\ncases:\n{VALID}", "5:36: Node is cluster-scoped (remove the namespace)", id="cluster-scoped"),
        pytest.param(f"absent: [{{kind: Node, name: x}}]\nobjects: [{{apiVersion: v1, kind: Node, metadata: {{name: x}}}}]\ncases:\n{VALID}", "6:13: Node x is declared, and stated to be absent", id="both"),
        pytest.param(f"cases:\n{VALID.replace('expect', 'objects: [{apiVersion: v1, kind: Secret, metadata: {name: x}}], expect')}", "no fact reads objects of v1 Secret", id="object-of-a-case-that-nothing-reads"),
        pytest.param(f"cases:\n{VALID.replace('expect', 'now: soon, expect')}", "now 'soon' is not a time", id="no-time-of-a-case"),
        pytest.param(f"cases:\n{VALID.replace('user: {username: u}, ', '')}", "spec.cases[0] lacks the required field 'user'", id="nobody-asks"),
        pytest.param(f"cases:\n{VALID.replace('object:', 'reviewFrom: x.yaml, object:')}", "x.yaml: the file cannot be read", id="missing-review"),
        pytest.param(f"cases:\n{VALID.replace('allowed: true', 'policy: may-migrat')}", "the test has no policy 'may-migrat' (did you mean 'may-migrate'?)", id="misspelt-policy"),
        pytest.param(f"cases:\n{VALID.replace('allowed: true', 'results: {may-migrat: none}')}", "the test has no policy 'may-migrat'", id="misspelt-policy-of-a-result"),
        pytest.param(f"cases:\n{VALID.replace('allowed: true', 'results: {may-migrate: refuse}')}", "spec.cases[0].expect.results.may-migrate is \"refuse\"", id="no-such-result"),
        pytest.param(f"cases:\n{VALID.replace('allowed: true', 'origin: Person')}", "spec.cases[0].expect.origin is \"Person\"", id="no-such-origin"),
    ],
)  # fmt: skip
def test_what_a_test_states_must_make_sense(write: Write, spec: str, problem: str) -> None:
    folder = write()
    file = folder / "policies/demo/tests/suite.yaml"
    file.write_text(spec_of(spec))
    with pytest.raises(PolicyError) as raised:
        results(folder)
    assert f"{file}:" in str(raised.value)
    assert problem in str(raised.value)


def test_a_broken_test_does_not_hide_the_others(write: Write) -> None:
    folder = write(case({"allowed": True}))
    (folder / "policies/demo/tests/more.yaml").write_text("apiVersion: migguard.io/v1alpha1\nkind: PolicyTets\n")
    (folder / "policies/demo/tests/binary.yaml").write_bytes(b"\xff\xfe")
    found = read_suites([folder])
    assert [suite.name for suite in found.suites] == ["demo"]
    assert sorted(Path(problem.where.split(":")[0]).name for problem in found.problems) == ["binary.yaml", "more.yaml"]
