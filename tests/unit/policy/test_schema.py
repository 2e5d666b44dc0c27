"""Documents held against their schemas: every problem, with its place, what is wrong and what was meant."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Mapping
from typing import Any

import pytest
import yaml
from jsonschema import Draft202012Validator

from tests.support.engine import EVERYTHING, Json, binding, exemption, parameters, policy
from webhook.errors import Problem
from webhook.policy import schema
from webhook.source.files import Document, parse


def _document(text: str) -> Document:
    (document,), problems = parse(text, "guard.yaml")
    assert not problems
    return document


def _check(made: Json) -> list[Problem]:
    return schema.check(_document(yaml.safe_dump(made, sort_keys=False)), made["kind"])


def _messages(made: Json) -> list[str]:
    return [f"{problem.message} ({problem.hint})" if problem.hint else problem.message for problem in _check(made)]


@pytest.mark.parametrize("kind", [*schema.KINDS, schema.TEST_KIND])
def test_every_schema_is_one(kind: str) -> None:
    Draft202012Validator.check_schema(schema.schema(kind))


@pytest.mark.parametrize(
    "made",
    [
        pytest.param(policy(), id="GuardPolicy"),
        pytest.param(binding(), id="GuardPolicyBinding"),
        pytest.param(exemption(), id="Exemption"),
        pytest.param(parameters(), id="Parameters"),
        pytest.param(
            policy(
                matchConditions=[{"name": "a", "expression": "true"}],
                origins=["User", "VirtAPI", "Drain", "WorkloadUpdate", "Operator", "OtherSystem"],
                paramSchema={"type": "object"},
                variables=[{"name": "a", "expression": "1"}],
                validations=[
                    {
                        "expression": "true",
                        "messageExpression": "'m'",
                        "remediationExpression": "'r'",
                        "reason": "Invalid",
                        "field": "spec",
                    }
                ],
                mutations=[
                    {"name": "a", "patchType": "JSONPatch", "expression": "[]", "warningExpression": "'w'"},
                    {"name": "b", "patchType": "ApplyConfiguration", "expression": "{}", "warning": "w"},
                ],
                auditAnnotations=[{"key": "a", "valueExpression": "'v'"}],
                validationActions=["Warn", "Audit"],
                failurePolicy="Ignore",
            ),
            id="GuardPolicy with everything",
        ),
        pytest.param(
            policy(
                validations=[
                    {
                        "expression": "true",
                        "messageExpression": "'m'",
                        "translations": {"ja": {"messageExpression": "'m'", "remediation": "r"}},
                    },
                    {
                        "expression": "true",
                        "message": "m",
                        "translations": {"ja": {"message": "m", "remediationExpression": "'r'"}},
                    },
                ],
                mutations=[
                    {
                        "name": "a",
                        "patchType": "JSONPatch",
                        "expression": "[]",
                        "warning": "w",
                        "translations": {"ja": {"warning": "w", "warningExpression": "'w'"}},
                    }
                ],
            ),
            id="GuardPolicy in two languages",
        ),
        pytest.param(
            parameters(
                language="ja",
                freezeWindows=[{"name": "w", "schedule": "0 18 * * FRI", "duration": "60h", "reason": "closing"}],
            ),
            id="Parameters with a freeze window",
        ),
        pytest.param(
            exemption(
                subjects=[
                    {"kind": "User", "name": "alice"},
                    {"kind": "Group", "name": "admins"},
                    {"kind": "ServiceAccount", "name": "robot", "namespace": "ci"},
                ],
                namespaces=["prod"],
                names=["db"],
                namespaceSelector={"matchExpressions": [{"key": "a", "operator": "Exists"}]},
                objectSelector={"matchLabels": {"a": "b"}},
                operations=["CREATE"],
                starts="2026-03-01",
            ),
            id="Exemption with everything",
        ),
    ],
)
def test_a_right_document_has_no_problems(made: Json) -> None:
    assert _check(made) == []


def _with(made: Json, **changes: Any) -> Json:
    return {**made, **changes}


def _selecting(**expression: Any) -> Json:
    constraints = {"resourceRules": [EVERYTHING], "objectSelector": {"matchExpressions": [expression]}}
    return policy(matchConstraints=constraints)


def _translated(**translations: Any) -> Json:
    return policy(validations=[{"expression": "true", "message": "m", "translations": translations}])


def _frozen(**window: Any) -> Json:
    whole = {"name": "weekend", "schedule": "0 18 * * FRI", "duration": "60h", "reason": "closing", **window}
    return parameters(freezeWindows=[whole])


_ALLOWED = "allowed: Unauthorized, Forbidden, Invalid, RequestEntityTooLarge, Conflict"


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(
            policy(validation=[]), "unknown field 'spec.validation' (did you mean 'validations'?)", id="typo in a field"
        ),
        pytest.param(
            binding(zzz=1),
            "unknown field 'spec.zzz' (known here: matchResources, params, policyName, validationActions)",
            id="field that resembles none",
        ),
        pytest.param(
            policy(matchConstraints={"resourceRules": [{**EVERYTHING, "apiGroup": "x"}]}),
            "unknown field 'spec.matchConstraints.resourceRules[0].apiGroup' (did you mean 'apiGroups'?)",
            id="typo deep inside",
        ),
        pytest.param(
            _with(policy(), apiVersion="migguard.io/v1"),
            "apiVersion: 'migguard.io/v1alpha1' was expected",
            id="wrong apiVersion",
        ),
        pytest.param(
            policy(validationActions=["Deny", "Warn"]),
            "spec.validationActions holds both Deny and Warn (a refusal carries its own text: choose one of them)",
            id="Deny and Warn together",
        ),
        pytest.param(
            binding(validationActions=["Deny", "Warn"]),
            "spec.validationActions holds both Deny and Warn (a refusal carries its own text: choose one of them)",
            id="Deny and Warn together in a binding",
        ),
        pytest.param(
            policy(validationActions=["deny"]),
            "spec.validationActions[0] is \"deny\" (did you mean 'Deny'?)",
            id="unknown action",
        ),
        pytest.param(
            policy(validations=[{"expression": "true", "message": "m", "reason": "Because"}]),
            f'spec.validations[0].reason is "Because" ({_ALLOWED})',
            id="unknown reason",
        ),
        pytest.param(
            policy(validations=[{"expression": "true"}]),
            "spec.validations[0] needs 'message' or 'messageExpression'",
            id="validation without a text",
        ),
        pytest.param(
            policy(mutations=[{"name": "a", "patchType": "JSONPatch", "expression": "[]"}]),
            "spec.mutations[0] needs 'warning' or 'warningExpression'",
            id="mutation without a text",
        ),
        pytest.param(
            _with(policy(), spec={"matchConstraints": {"resourceRules": [EVERYTHING]}}),
            "spec needs 'validations' or 'mutations' or 'auditAnnotations'",
            id="policy that does nothing",
        ),
        pytest.param(policy(origins=[]), "spec.origins: [] should be non-empty", id="no origins"),
        pytest.param(policy(name="No_Good"), "metadata.name: 'No_Good' does not match", id="name"),
        pytest.param(policy(name="a" * 54), f"metadata.name: '{'a' * 54}' is too long", id="long name"),
        pytest.param(policy(validations={"a": 1}), "spec.validations: {'a': 1} is not of type 'array'", id="type"),
        pytest.param(policy(validations=None), "spec.validations: None is not of type 'array'", id="null"),
        pytest.param(exemption(owner=None), "spec lacks the required field 'owner'", id="exemption without owner"),
        pytest.param(exemption(expires=None), "spec lacks the required field 'expires'", id="exemption without end"),
        pytest.param(
            exemption(subjects=[{"kind": "ServiceAccount", "name": "robot"}]),
            "spec.subjects[0] lacks the required field 'namespace'",
            id="service account without namespace",
        ),
        pytest.param(
            exemption(subjects=[{"kind": "User", "name": "alice", "namespace": "prod"}]),
            "spec.subjects[0] cannot have 'namespace' here",
            id="user with namespace",
        ),
        pytest.param(
            _selecting(key="a", operator="In"),
            "spec.matchConstraints.objectSelector.matchExpressions[0] lacks the required field 'values'",
            id="selector that selects nothing",
        ),
        pytest.param(
            _selecting(key="a", operator="Exists", values=["b"]),
            "spec.matchConstraints.objectSelector.matchExpressions[0] cannot have 'values' here",
            id="selector with values it does not use",
        ),
        pytest.param(
            parameters(permission={"mode": "explicitt"}),
            "spec.permission.mode is \"explicitt\" (did you mean 'explicit'?)",
            id="parameter",
        ),
        pytest.param(parameters(language="jp"), 'spec.language is "jp" (allowed: en, ja)', id="language of Parameters"),
        pytest.param(
            _translated(jp={"message": "m"}),
            "unknown field 'spec.validations[0].translations.jp' (known here: ja)",
            id="language of a translation",
        ),
        pytest.param(
            _translated(ja={"warning": "m"}),
            "unknown field 'spec.validations[0].translations.ja.warning' "
            "(known here: message, messageExpression, remediation, remediationExpression)",
            id="warning where there is a message",
        ),
        pytest.param(
            _translated(ja={}), "spec.validations[0].translations.ja: {} should be non-empty", id="empty translation"
        ),
        pytest.param(
            _frozen(schedule="0 0 30 2 *"),
            "spec.freezeWindows[0].schedule: '0 0 30 2 *' never comes: no such day is in these months",
            id="schedule that never comes",
        ),
        pytest.param(
            _frozen(duration="3 days"),
            "spec.freezeWindows[0].duration: '3 days' is not a duration such as 90m, 1h30m or 48h (units are h, m",
            id="duration",
        ),
        pytest.param(
            _frozen(timeZone="Asia/Tokio"),
            "spec.freezeWindows[0].timeZone: 'Asia/Tokio' is not a time zone (did you mean 'Asia/Tokyo'?)",
            id="time zone",
        ),
        pytest.param(
            parameters(exemptions={"maxDays": 10**12}),
            "spec.exemptions.maxDays: 1000000000000 is greater than the maximum of 3650",
            id="exemptions without end",
        ),
        pytest.param(
            policy(auditAnnotations=[{"key": "a/b", "valueExpression": "'x'"}]),
            "spec.auditAnnotations[0].key: 'a/b' does not match",
            id="audit annotation key",
        ),
        pytest.param(
            policy(validations=[{"expression": "1" * 16385, "message": "m"}]),
            f"spec.validations[0].expression: '{'1' * 150}",
            id="endless expression",
        ),
    ],
)
def test_a_wrong_document_is_told_what_is_wrong_and_what_was_meant(made: Json, message: str) -> None:
    (found,) = _messages(made)

    assert found.startswith(message)
    assert len(found) < 400


def test_all_problems_of_a_document_are_told_once_each_in_the_order_of_the_file() -> None:
    document = _document(
        textwrap.dedent("""\
            apiVersion: migguard.io/v1alpha1
            kind: Exemption
            metadata:
              nam: move-week
            spec:
              policies: []
              subjects:
                - kind: user
                  name: alice
              operations:
                - CREATE
                - MOVE
            """)
    )

    assert [str(problem) for problem in schema.check(document, "Exemption")] == [
        "guard.yaml:4:3: metadata lacks the required field 'name'",
        "guard.yaml:4:8: unknown field 'metadata.nam' (did you mean 'name'?)",
        "guard.yaml:6:3: spec lacks the required field 'expires'",
        "guard.yaml:6:3: spec lacks the required field 'owner'",
        "guard.yaml:6:3: spec lacks the required field 'reason'",
        "guard.yaml:6:3: spec lacks the required field 'ticket'",
        "guard.yaml:6:13: spec.policies: [] should be non-empty",
        "guard.yaml:8:13: spec.subjects[0].kind is \"user\" (did you mean 'User'?)",
        'guard.yaml:12:7: spec.operations[1] is "MOVE" (allowed: CREATE, UPDATE, DELETE, CONNECT, *)',
    ]


@pytest.mark.parametrize("given", [None, "text", 7, [], {}], ids=repr)
@pytest.mark.parametrize("kind", schema.KINDS)
def test_a_document_of_any_shape_is_answered_with_problems(kind: str, given: object) -> None:
    document = _document(json.dumps({"kind": kind, "metadata": given, "spec": given}))

    assert schema.check(document, kind)


@pytest.mark.parametrize(
    ("value", "texts"),
    [
        ({"ceiling": 3}, []),
        ({}, ["'ceiling' is a required property"]),
        ({"ceiling": "3"}, ["ceiling: '3' is not of type 'integer'"]),
        (
            {"ceiling": 0, "more": {"a": 1}},
            ["ceiling: 0 is less than the minimum of 1", "more.a: 1 is not of type 'string'"],
        ),
        (
            {"ceiling": 1, "pause": "30s"},
            ["pause: '30s' is shorter than allowed (from 1m to 744h)"],
        ),
    ],
    ids=["right", "missing", "type", "two errors", "format"],
)
def test_parameters_are_held_against_their_schema(value: Json, texts: list[str]) -> None:
    wanted = {
        "type": "object",
        "required": ["ceiling"],
        "properties": {
            "ceiling": {"type": "integer", "minimum": 1},
            "more": {"type": "object", "additionalProperties": {"type": "string"}},
            "pause": {"format": "duration"},
        },
    }

    assert schema.check_value(value, wanted) == texts


@pytest.mark.parametrize(
    ("given", "why"),
    [
        pytest.param({}, "", id="empty"),
        pytest.param({"type": "object", "properties": {"a": True, "b": {"pattern": "^a$"}}}, "", id="right"),
        pytest.param({"properties": {"$ref": {"type": "string"}}}, "", id="a property may have that name"),
        pytest.param({"type": "objekt"}, "'objekt' is not valid under any of the given schemas", id="unknown type"),
        pytest.param({"properties": []}, "[] is not of type 'object'", id="properties is no mapping"),
        pytest.param({"properties": None}, "None is not of type 'object'", id="properties is null"),
        pytest.param({"properties": {"a": {"pattern": "("}}}, "'(' is not a 'regex'", id="broken regular expression"),
        pytest.param(
            {"properties": {"a": {"$ref": "http://127.0.0.1:1/x"}}},
            "$ref is not supported, write the schema out",
            id="reference",
        ),
        pytest.param({"allOf": [{"$ref": "#"}]}, "$ref is not supported, write the schema out", id="endless reference"),
    ],
)
def test_a_parameter_schema_is_checked_before_it_is_used(given: Json, why: str) -> None:
    assert schema.check_schema(given) == why


@pytest.mark.parametrize(
    ("value", "filled"),
    [
        pytest.param({}, {"a": 1, "b": {"c": [2]}}, id="all defaults"),
        pytest.param({"a": 0}, {"a": 0, "b": {"c": [2]}}, id="what is given stays"),
        pytest.param({"a": None}, {"a": None, "b": {"c": [2]}}, id="null is given"),
        pytest.param({"b": {"d": 5}}, {"a": 1, "b": {"c": [2], "d": 5}}, id="nested"),
        pytest.param({"b": "text"}, {"a": 1, "b": "text"}, id="another type stays"),
        pytest.param({"other": 1}, {"a": 1, "b": {"c": [2]}, "other": 1}, id="unknown stays"),
        pytest.param(
            {"list": [{}, {"e": 4}, "text", None]},
            {"a": 1, "b": {"c": [2]}, "list": [{"e": 3}, {"e": 4}, "text", None]},
            id="objects of a list",
        ),
        pytest.param(
            {"lists": [[{}], []]}, {"a": 1, "b": {"c": [2]}, "lists": [[{"e": 3}], []]}, id="objects of lists of lists"
        ),
        pytest.param({"list": {"e": 1}}, {"a": 1, "b": {"c": [2]}, "list": {"e": 1}}, id="no list where one belongs"),
    ],
)
def test_defaults_are_filled_in_where_a_property_is_absent(value: Json, filled: Json) -> None:
    item = {"properties": {"e": {"default": 3}}}
    given: Mapping[str, Any] = {
        "properties": {
            "a": {"default": 1},
            "b": {"default": {}, "properties": {"c": {"default": [2]}}},
            "none": {"type": "string"},
            "any": True,
            "list": {"items": item},
            "lists": {"items": {"items": item}},
        }
    }
    before = json.dumps(value)

    assert schema.defaults(given, value) == filled
    assert json.dumps(value) == before
