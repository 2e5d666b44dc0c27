"""From documents to policies that are ready to be judged: expressions typed, parameters filled in, needs known."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine import Json, binding, compiled, judging, mutating, parameters, policy, policy_set
from webhook.errors import PolicyError, Problem
from webhook.model.decision import Action
from webhook.policy.compiled import CompiledPolicy, Said


def _problems(*documents: Json) -> list[Problem]:
    with pytest.raises(PolicyError) as caught:
        policy_set(*documents)
    return list(caught.value.problems)


def _messages(*documents: Json) -> list[str]:
    return [problem.message for problem in _problems(*documents)]


def _variables(*expressions: str) -> list[Json]:
    return [{"name": f"v{index}", "expression": expression} for index, expression in enumerate(expressions)]


# Types


@pytest.mark.parametrize(
    ("made", "message"),
    [
        pytest.param(judging("'yes'"), "the expression gives string, but bool is needed here", id="validation"),
        pytest.param(
            policy(matchConditions=[{"name": "c", "expression": "1"}]),
            "the expression gives int, but bool is needed here",
            id="match condition",
        ),
        pytest.param(
            policy(validations=[{"expression": "true", "messageExpression": "1"}]),
            "the expression gives int, but string is needed here",
            id="message",
        ),
        pytest.param(
            policy(validations=[{"expression": "true", "message": "m", "remediationExpression": "[1]"}]),
            "the expression gives list<int>, but string is needed here",
            id="remediation",
        ),
        pytest.param(
            policy(auditAnnotations=[{"key": "k", "valueExpression": "true"}]),
            "the expression gives bool, but string is needed here",
            id="audit annotation",
        ),
        pytest.param(
            mutating("{'spec': {}}", patch_type="JSONPatch"),
            "the expression gives map<string, map<dyn, dyn>>, but list(map) is needed here",
            id="JSON patch",
        ),
        pytest.param(
            mutating("[]"), "the expression gives list<dyn>, but map(dyn) is needed here", id="partial object"
        ),
        pytest.param(
            policy(mutations=[{"name": "m", "patchType": "JSONPatch", "expression": "[]", "warningExpression": "1"}]),
            "the expression gives int, but string is needed here",
            id="warning",
        ),
        pytest.param(
            judging("true", variables=_variables("timestamp('2026-01-01T00:00:00Z')")),
            "the expression gives timestamp, but bool or int or double or string or list(map) or map(dyn) or dyn is "
            "needed here",
            id="variable that holds a time",
        ),
        pytest.param(
            judging("variables.v0 == 'x'", variables=_variables("1 + 1")),
            "CEL: found no matching overload for '_==_' applied to '(int, string)'",
            id="variables have the type of their expression",
        ),
    ],
)
def test_every_expression_has_the_type_that_its_place_needs(made: Json, message: str) -> None:
    assert _messages(made) == [message]


@pytest.mark.parametrize(
    "expression",
    ["[]", "[{'op': 'remove', 'path': '/spec/x'}]", "object.x ? [{'op': 'remove', 'path': '/x'}] : []", "object.patch"],
)
def test_a_json_patch_is_a_list_or_only_known_later(expression: str) -> None:
    assert len(compiled(mutating(expression, patch_type="JSONPatch"))) == 1


def test_a_problem_is_placed_in_the_file_and_hints_at_what_was_meant() -> None:
    (problem,) = _problems(judging("requester.canMigrat"))

    assert problem.where.rsplit("/", 1)[1].startswith("policies.yaml:17:")
    assert problem.message == "CEL: undeclared reference to 'requester.canMigrat'"
    assert problem.hint == "did you mean 'requester.canMigrate'?"


def test_the_problems_of_all_policies_and_bindings_are_told_at_once_and_once_each() -> None:
    messages = _messages(
        judging("fooo", "a"),
        binding("a1", "a"),
        binding("a2", "a", params={"unknown": 1}),
        judging("baar", "b", variables=_variables("1 +")),
        judging("true", "good"),
    )

    assert [message.partition(" '<EOF>'")[0] for message in messages] == [
        "CEL: undeclared reference to 'fooo'",
        "policy 'a' has no parameter 'unknown'",
        "CEL: Syntax error: mismatched input",
        "CEL: undeclared reference to 'baar'",
    ]


# Variables


def test_a_variable_sees_those_before_it_only() -> None:
    assert _messages(judging("true", variables=_variables("variables.v1 + 1", "1"))) == [
        "CEL: undeclared reference to 'variables.v1'"
    ]


def test_a_variable_that_stands_twice_is_told() -> None:
    twice = [{"name": "a", "expression": "1"}, {"name": "a", "expression": "2"}]

    assert _messages(judging("true", variables=twice)) == ["variable 'a' stands twice"]


def test_match_conditions_come_before_variables() -> None:
    made = policy(matchConditions=[{"name": "c", "expression": "variables.v0"}], variables=_variables("true"))

    assert _messages(made) == ["CEL: undeclared reference to 'variables.v0'"]


def test_a_policy_needs_the_facts_that_its_expressions_read_through_variables_too() -> None:
    (made,) = compiled(
        policy(
            matchConditions=[{"name": "c", "expression": "requester.origin == 'User'"}],
            variables=_variables("vmi.critical", "variables.v0 && requester.canMigrate", "volumes", "migration.ratio"),
            validations=[
                {
                    "expression": "variables.v1",
                    "messageExpression": "string(migration.bandwidth)",
                    "remediationExpression": "requester.missing.join(', ')",
                }
            ],
            auditAnnotations=[{"key": "k", "valueExpression": "vmi.labels.app"}],
            mutations=[
                {
                    "name": "m",
                    "patchType": "ApplyConfiguration",
                    "expression": "size(variables.v2) > 0 ? {'a': config.after} : {}",
                    "warningExpression": "string(config.raw)",
                }
            ],
        )
    )

    assert made.for_conditions.facts == {"requester.origin"}
    assert made.for_conditions.variables == ()
    assert made.for_validations.facts == {
        "vmi.critical", "requester.canMigrate", "migration.bandwidth", "requester.missing", "vmi.labels",
    }  # fmt: skip
    assert [variable.name for variable in made.for_validations.variables] == ["v0", "v1"]
    assert made.for_mutations.facts == {"volumes", "config.after", "config.raw"}
    assert [variable.name for variable in made.for_mutations.variables] == ["v2"]


def test_variables_are_computed_in_the_order_in_which_they_build_on_each_other() -> None:
    expressions = {"z": "1", "y": "2", "c": "variables.z + variables.y", "b": "variables.c", "a": "variables.b + 1"}
    variables = [{"name": name, "expression": expression} for name, expression in expressions.items()]

    (made,) = compiled(judging("variables.a > 0", variables=variables))

    assert [(one.name, one.level) for one in made.for_validations.variables] == [
        ("y", 0), ("z", 0), ("c", 1), ("b", 2), ("a", 3),
    ]  # fmt: skip


# Languages

TRANSLATED = policy(
    validations=[
        {
            "expression": "true",
            "messageExpression": "string(migration.bandwidth)",
            "remediation": "mend it",
            "translations": {"ja": {"messageExpression": "vmi.labels.app", "remediation": "直してください"}},
        }
    ],
    mutations=[
        {
            "name": "m",
            "patchType": "JSONPatch",
            "expression": "[]",
            "warning": "it was set",
            "translations": {"ja": {"warningExpression": "string(migration.ratio)"}},
        }
    ],
)


def _shown(said: Said) -> list[str]:
    return [one if isinstance(one, str) else one.source.text for one in said]


def test_a_policy_speaks_english_unless_parameters_say_otherwise() -> None:
    (made,) = compiled(TRANSLATED)

    assert _shown(made.validations[0].message) == ["string(migration.bandwidth)"]
    assert _shown(made.validations[0].remediation) == ["mend it"]
    assert _shown(made.mutations[0].warning) == ["it was set"]
    assert made.for_validations.facts == {"migration.bandwidth"}
    assert made.for_mutations.facts == set()


def test_a_policy_speaks_the_language_of_parameters_and_falls_back_on_english() -> None:
    (made,) = compiled(TRANSLATED, parameters(language="ja"))

    assert _shown(made.validations[0].message) == ["vmi.labels.app", "string(migration.bandwidth)"]
    assert _shown(made.validations[0].remediation) == ["直してください", "mend it"]
    assert _shown(made.mutations[0].warning) == ["string(migration.ratio)", "it was set"]
    assert made.for_validations.facts == {"migration.bandwidth", "vmi.labels"}
    assert made.for_mutations.facts == {"migration.ratio"}


@pytest.mark.parametrize("language", ["en", "ja"])
@pytest.mark.parametrize(
    ("expression", "message"),
    [
        ("1", "the expression gives int, but string is needed here"),
        ("vmi.label", "CEL: undeclared reference to 'vmi.label'"),
    ],
    ids=["type", "name"],
)
def test_a_mistake_in_a_translation_is_told_whatever_the_language(language: str, expression: str, message: str) -> None:
    validation = {
        "expression": "true",
        "message": "m",
        "translations": {"ja": {"message": "m", "messageExpression": expression}},
    }
    made = policy(validations=[validation])

    assert _messages(made, parameters(language=language)) == [message]


# Parameters

SCHEMA = {
    "type": "object",
    "properties": {"ceiling": {"type": "integer", "minimum": 1, "default": 5}, "names": {"type": "array"}},
}


def _params(*documents: Json) -> list[dict[str, Any]]:
    return [dict(one.params) for one in compiled(*documents)]


def test_parameters_come_from_defaults_then_shared_values_then_the_binding() -> None:
    guard = policy(paramSchema=SCHEMA)

    assert _params(guard) == [{"ceiling": 5}]
    assert _params(guard, parameters(params={"ceiling": 7})) == [{"ceiling": 7}]
    assert _params(guard, parameters(params={"ceiling": 7}), binding(params={"ceiling": 9, "names": []})) == [
        {"ceiling": 9, "names": []}
    ]


def test_a_shared_value_is_only_for_policies_that_declare_it() -> None:
    other = policy("other", paramSchema={"type": "object", "properties": {"limit": {"type": "string"}}})

    assert _params(policy(paramSchema=SCHEMA), other, parameters(params={"limit": "x"})) == [
        {"ceiling": 5},
        {"limit": "x"},
    ]


def test_a_policy_that_allows_further_parameters_takes_them_from_a_binding() -> None:
    guard = policy(paramSchema={"type": "object", "additionalProperties": True})

    assert _params(guard, binding(params={"anything": 1})) == [{"anything": 1}]


@pytest.mark.parametrize(
    ("documents", "message", "hint"),
    [
        pytest.param(
            [policy(paramSchema=SCHEMA), binding(params={"cieling": 1})],
            "policy 'guard' has no parameter 'cieling'",
            "did you mean 'ceiling'?",
            id="unknown in a binding",
        ),
        pytest.param(
            [policy(), binding(params={"ceiling": 1})],
            "policy 'guard' has no parameter 'ceiling'",
            "it has: none",
            id="policy without parameters",
        ),
        pytest.param(
            [policy(paramSchema=SCHEMA), binding(params={"ceiling": 0})],
            "parameters of policy 'guard': ceiling: 0 is less than the minimum of 1",
            "",
            id="invalid in a binding",
        ),
        pytest.param(
            [policy(paramSchema=SCHEMA), parameters(params={"ceiling": "many"})],
            "parameters of policy 'guard': ceiling: 'many' is not of type 'integer'",
            "",
            id="invalid shared value",
        ),
        pytest.param(
            [policy(paramSchema=SCHEMA), parameters(params={"ceilling": 3})],
            "no policy has a parameter 'ceilling'",
            "did you mean 'ceiling'?",
            id="unknown shared value",
        ),
        pytest.param(
            [policy(paramSchema={"type": "object", "required": ["x"], "properties": {"x": {}}})],
            "parameters of policy 'guard': 'x' is a required property",
            "",
            id="required and given nowhere",
        ),
        pytest.param(
            [policy(paramSchema={"properties": {"x": {"type": "integer", "default": "y"}}})],
            "parameters of policy 'guard': x: 'y' is not of type 'integer'",
            "",
            id="default that is wrong itself",
        ),
        pytest.param(
            [policy(paramSchema={"properties": None}), parameters(params={"x": 1})],
            "no policy has a parameter 'x'",
            "known: ",
            id="schema that is none",
        ),
    ],
)
def test_parameters_that_are_unknown_or_invalid_are_told(documents: list[Json], message: str, hint: str) -> None:
    problem = _problems(*documents)[0]

    assert (problem.message, problem.hint) == (message, hint)


def test_a_broken_parameter_schema_is_told_at_its_place() -> None:
    (problem,) = _problems(policy(paramSchema={"type": "object", "properties": {"x": {"pattern": "("}}}))

    assert problem.message == "paramSchema: '(' is not a 'regex'"
    assert problem.where.rsplit("/", 1)[1].startswith("policies.yaml:")


# Bindings


def _actions(*documents: Json) -> list[tuple[str, str, set[Action]]]:
    return [(one.name, one.binding_name, set(one.actions)) for one in compiled(*documents)]


def test_a_policy_without_bindings_applies_with_its_own_actions() -> None:
    assert _actions(policy(validationActions=["Warn"])) == [("guard", "", {Action.WARN})]


def test_a_policy_with_bindings_applies_once_for_each_with_their_actions_or_its_own() -> None:
    assert _actions(
        binding("b-deny", validationActions=["Deny"]),
        binding("a-own"),
        policy(validationActions=["Warn", "Audit"]),
        policy("another"),
    ) == [
        ("another", "", {Action.DENY}),
        ("guard", "a-own", {Action.WARN, Action.AUDIT}),
        ("guard", "b-deny", {Action.DENY}),
    ]


def test_every_policy_and_binding_has_a_scope_of_its_own() -> None:
    made = compiled(policy("a"), policy("b"), binding("b1", "b"), binding("b2", "b"))

    assert len({one.scope for one in made}) == len(made) == 3


# Audit annotations


@pytest.mark.parametrize(("length", "good"), [(63 - len("guard."), True), (64 - len("guard."), False)])
def test_an_audit_annotation_is_as_long_as_the_api_server_takes_it(length: int, good: bool) -> None:
    made = policy(auditAnnotations=[{"key": "k" * length, "valueExpression": "'v'"}])

    if good:
        assert len(compiled(made)) == 1
    else:
        assert _messages(made) == [f"the audit annotation 'guard.{'k' * length}' has more than 63 characters"]


def test_compiled_policies_are_frozen() -> None:
    (made,) = compiled(policy())
    untyped: Any = made

    assert isinstance(made, CompiledPolicy)
    with pytest.raises(AttributeError):
        untyped.scope = "other"
