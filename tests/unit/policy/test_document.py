"""Documents as frozen values: what a document that says little means, and where its expressions stand."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import EVERYTHING, NOW, Json, binding, exemption, judging, mutating, policy, write
from webhook.model.decision import Action, FailurePolicy
from webhook.policy.document import Documents, Exemption, MatchResources, ResourceRule, Subject, Wording, Wordings
from webhook.policy.loader import load


def _load(folder: Path, *documents: Json) -> Documents:
    write(folder, *documents)
    return load([folder], now=NOW)


def _said(wordings: Wordings) -> dict[str, tuple[str, str]]:
    return {language: (one.text, one.expression.text if one.expression else "") for language, one in wordings.items()}


def test_a_policy_that_says_little_is_for_everyone_denies_and_fails_closed(tmp_path: Path) -> None:
    (made,) = _load(tmp_path, policy()).policies

    assert made.name == "guard"
    assert made.origins == frozenset()
    assert made.actions == {Action.DENY}
    assert made.failure_policy is FailurePolicy.FAIL
    assert made.param_schema == {}
    assert not any([made.conditions, made.variables, made.mutations, made.audit_annotations])
    assert made.match == MatchResources(
        rules=(ResourceRule(groups=("*",), versions=("*",), resources=("*/*",), operations=("*",)),)
    )
    (validation,) = made.validations
    assert validation.message == {"en": Wording("never said")}
    assert validation.remediation == {"en": Wording()}
    assert (validation.reason, validation.field) == ("Forbidden", "")


def test_everything_a_policy_says_is_kept(tmp_path: Path) -> None:
    (made,) = _load(
        tmp_path,
        policy(
            matchConstraints={
                "resourceRules": [{**EVERYTHING, "resourceNames": ["db"], "scope": "Namespaced"}],
                "excludeResourceRules": [EVERYTHING],
                "namespaceSelector": {"matchLabels": {"a": "b"}},
                "objectSelector": {},
                "matchPolicy": "Exact",
            },
            matchConditions=[{"name": "condition", "expression": "1 == 1"}],
            origins=["Drain", "User"],
            paramSchema={"type": "object"},
            variables=[{"name": "a", "expression": "1"}],
            validations=[
                {
                    "expression": "true",
                    "messageExpression": "'m'",
                    "remediation": "mend it",
                    "remediationExpression": "'r'",
                    "reason": "Invalid",
                    "field": "spec.vmiName",
                    "translations": {"ja": {"message": "だめ", "remediationExpression": "'直す'"}},
                }
            ],
            mutations=[
                {
                    "name": "list",
                    "patchType": "JSONPatch",
                    "expression": "[]",
                    "warning": "w",
                    "translations": {"ja": {"warningExpression": "'変更'"}},
                },
                {"name": "object", "patchType": "ApplyConfiguration", "expression": "{}", "warningExpression": "'w'"},
            ],
            auditAnnotations=[{"key": "note", "valueExpression": "'v'"}],
            validationActions=["Warn", "Audit"],
            failurePolicy="Ignore",
        ),
    ).policies

    assert made.match.rules[0].names == ("db",)
    assert made.match.rules[0].scope == "Namespaced"
    assert made.match.excluded[0].resources == ("*/*",)
    assert made.match.namespace_selector == {"matchLabels": {"a": "b"}}
    assert made.match.object_selector == {}
    assert made.match.exact
    assert [(one.name, one.expression.text) for one in made.conditions] == [("condition", "1 == 1")]
    assert made.origins == {"Drain", "User"}
    assert [(one.name, one.expression.text) for one in made.variables] == [("a", "1")]
    (validation,) = made.validations
    assert _said(validation.message) == {"en": ("", "'m'"), "ja": ("だめ", "")}
    assert _said(validation.remediation) == {"en": ("mend it", "'r'"), "ja": ("", "'直す'")}
    assert (validation.reason, validation.field) == ("Invalid", "spec.vmiName")
    assert [(one.name, one.json_patch, _said(one.warning)) for one in made.mutations] == [
        ("list", True, {"en": ("w", ""), "ja": ("", "'変更'")}),
        ("object", False, {"en": ("", "'w'")}),
    ]
    assert [(one.name, one.expression.text) for one in made.audit_annotations] == [("note", "'v'")]
    assert made.actions == {Action.WARN, Action.AUDIT}
    assert made.failure_policy is FailurePolicy.IGNORE


def test_a_binding_without_actions_leaves_them_to_the_policy(tmp_path: Path) -> None:
    loaded = _load(tmp_path, policy(), binding("a"), binding("b", validationActions=["Warn"], params={"x": 1}))

    assert [(one.name, one.actions, one.params) for one in loaded.bindings] == [
        ("a", None, {}),
        ("b", {Action.WARN}, {"x": 1}),
    ]
    assert loaded.bindings[0].match == MatchResources()


def test_an_exemption_names_its_subjects(tmp_path: Path) -> None:
    subjects = [{"kind": "Group", "name": "admins"}, {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"}]
    (made,) = _load(tmp_path, policy(), exemption(subjects=subjects, operations=["DELETE"])).exemptions

    assert made.subjects == (Subject("Group", "admins"), Subject("ServiceAccount", "robot", "ci"))
    assert made.operations == ("DELETE",)
    assert (made.owner, made.reason, made.ticket) == ("storage team", "moving to the new array", "OPS-7")
    assert made.starts is None


def test_an_expression_knows_where_it_stands(tmp_path: Path) -> None:
    write(tmp_path, judging("true"))

    (made,) = load([tmp_path], now=NOW).policies

    assert made.where == f"{tmp_path}/policies.yaml:1:1"
    lines = (tmp_path / "policies.yaml").read_text().splitlines()
    line = next(number for number, text in enumerate(lines, 1) if "expression:" in text)
    column = lines[line - 1].index("'true'") + 1
    assert made.validations[0].expression.where == f"{tmp_path}/policies.yaml:{line}:{column}"


@pytest.mark.parametrize("field", ["name", "expires", "document"])
def test_documents_are_never_changed(tmp_path: Path, field: str) -> None:
    made: Any = _load(tmp_path, policy(), exemption()).exemptions[0]

    assert isinstance(made, Exemption)
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(made, field, None)


def test_documents_that_say_the_same_are_equal_wherever_they_lie(tmp_path: Path) -> None:
    first = _load(tmp_path / "a", mutating("{}"), exemption())
    second = _load(tmp_path / "b", mutating("{}"), exemption())

    assert first == second
