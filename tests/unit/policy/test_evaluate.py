"""Judging policies: what applies, what it finds, what an error means. Semantics of ValidatingAdmissionPolicy."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.engine import (
    CATALOG,
    EVERYTHING,
    Json,
    binding,
    case,
    compiled,
    judging,
    labelled,
    mutating,
    parameters,
    policy,
    refusing,
    request,
)
from webhook.errors import FactUnavailable
from webhook.model.decision import Action, Evaluation, FailurePolicy, Result, Violation
from webhook.model.request import Operation
from webhook.policy.evaluate import Case, applicable, change, validate, why_not
from webhook.policy.match import Subject


def _validate(*documents: Json, **options: Any) -> list[Evaluation]:
    return validate(compiled(*documents), case(**options))


def _judge(made: Json, **options: Any) -> Evaluation:
    (evaluation,) = _validate(made, **options)
    return evaluation


def _apply(*documents: Json, **options: Any) -> tuple[list[str], list[Evaluation]]:
    applied, failed = applicable(compiled(*documents), case(**options))
    return [one.name for one in applied], failed


def _conditions(*expressions: str) -> list[Json]:
    return [{"name": f"c{index}", "expression": expression} for index, expression in enumerate(expressions)]


def _variables(**expressions: str) -> list[Json]:
    return [{"name": name, "expression": expression} for name, expression in expressions.items()]


# Which policies apply

FAILS = "object.absent"


@pytest.mark.parametrize(
    ("conditions", "applies", "error"),
    [
        pytest.param([], True, "", id="none"),
        pytest.param(["true"], True, "", id="true"),
        pytest.param(["true", "object.spec.vmiName == 'db'"], True, "", id="all true"),
        pytest.param(["true", "false"], False, "", id="one false"),
        pytest.param([FAILS], False, "match condition 'c0': Key not found in map : \"absent\"", id="error"),
        pytest.param([FAILS, "true"], False, "match condition 'c0': ", id="error and true"),
        pytest.param(["true", FAILS, "object.other"], False, "match condition 'c1': ", id="the first error is told"),
        pytest.param([FAILS, "false"], False, "", id="error, but another is false"),
        pytest.param(["false", FAILS], False, "", id="false before an error"),
        pytest.param(
            ["dyn(1)"], False, "match condition 'c0': gave int '1' where true or false is needed", id="no truth"
        ),
    ],
)
def test_all_match_conditions_must_hold_and_a_false_one_outweighs_an_error(
    conditions: list[str], applies: bool, error: str
) -> None:
    applied, failed = _apply(policy(matchConditions=_conditions(*conditions)))

    assert applied == (["guard"] if applies else [])
    assert [one.error.startswith(error) for one in failed] == ([True] if error else [])
    assert all(one.result is Result.ERROR for one in failed)


def test_a_policy_that_cannot_be_matched_keeps_its_failure_policy_actions_and_binding() -> None:
    _, (failed,) = _apply(
        policy(matchConditions=_conditions("vmi.critical"), failurePolicy="Ignore", validationActions=["Audit"]),
        binding("b"),
        unavailable={"vmi.critical": "the cache is stale"},
    )

    assert failed.error == "match condition 'c0': vmi.critical is not available: the cache is stale"
    assert (failed.failure_policy, failed.binding) == (FailurePolicy.IGNORE, "b")
    assert failed.actions == {Action.AUDIT}
    assert failed.facts_read == {"vmi.critical"}


def test_other_policies_are_judged_where_one_cannot_be_matched() -> None:
    applied, failed = _apply(policy("a", matchConditions=_conditions(FAILS)), policy("b"), policy("c"))

    assert applied == ["b", "c"]
    assert [one.policy for one in failed] == ["a"]


def _unknown_namespace() -> dict[str, Any]:
    raise FactUnavailable("Namespace prod was not found")


def test_a_namespace_that_is_not_known_is_an_error_of_the_policies_that_ask_for_it() -> None:
    selecting = {"resourceRules": [EVERYTHING], "namespaceSelector": {"matchLabels": {"a": "b"}}}

    applied, failed = _apply(policy("a", matchConstraints=selecting), policy("b"), namespace=_unknown_namespace)

    assert applied == ["b"]
    assert [(one.policy, one.error) for one in failed] == [("a", "Namespace prod was not found")]


@pytest.mark.parametrize(
    ("documents", "origin", "reason"),
    [
        pytest.param([policy()], "Drain", "", id="all origins"),
        pytest.param([policy(origins=["User", "Drain"])], "Drain", "", id="its origin"),
        pytest.param(
            [policy(origins=["VirtAPI", "User"])],
            "Drain",
            "it is for requests of User, VirtAPI, not of Drain",
            id="another origin",
        ),
        pytest.param([policy(), binding("b")], "User", "", id="binding for everything"),
        pytest.param(
            [policy(), binding("b", matchResources={"objectSelector": {"matchLabels": {"a": "b"}}})],
            "User",
            "binding b: objectSelector does not select it",
            id="binding for others",
        ),
        pytest.param(
            [
                policy(matchConstraints={"resourceRules": [{**EVERYTHING, "operations": ["DELETE"]}]}),
                binding("b", matchResources={"objectSelector": {"matchLabels": {"a": "b"}}}),
            ],
            "User",
            "no resource rule covers CREATE of virtualmachineinstancemigrations.kubevirt.io",
            id="the policy's own constraints come first",
        ),
    ],
)
def test_why_a_policy_does_not_apply_is_said(documents: list[Json], origin: str, reason: str) -> None:
    (made,) = compiled(*documents)

    assert why_not(made, Subject(request(), origin, dict)) == reason


def test_bindings_roll_a_policy_out_as_warning_here_and_as_refusal_there() -> None:
    made = compiled(
        refusing(),
        binding("a-warn", validationActions=["Warn"], matchResources={"objectSelector": {"matchLabels": {"try": "x"}}}),
        binding("b-deny", matchResources={"namespaceSelector": {"matchLabels": {"strict": "x"}}}),
    )
    both = case(request(object=labelled(**{"try": "x"})), namespace=lambda: {"metadata": {"labels": {"strict": "x"}}})
    none = case(request())

    assert [one.binding_name for one in applicable(made, both)[0]] == ["a-warn", "b-deny"]
    assert applicable(made, none) == ([], [])


# Validations


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("true", Result.PASS),
        ("object.spec.vmiName == 'db'", Result.PASS),
        ("false", Result.FAIL),
        (FAILS, Result.ERROR),
    ],
)
def test_a_policy_passes_fails_or_cannot_be_judged(expression: str, result: Result) -> None:
    assert _judge(judging(expression)).result is result


@pytest.mark.parametrize("failure_policy", ["Fail", "Ignore"])
def test_an_error_is_told_with_the_failure_policy_that_says_what_it_means(failure_policy: str) -> None:
    evaluation = _judge(judging(FAILS, failurePolicy=failure_policy))

    assert evaluation.result is Result.ERROR
    assert evaluation.error == 'validations[0]: Key not found in map : "absent"'
    assert evaluation.failure_policy == failure_policy
    assert evaluation.violations == ()


def test_every_violation_is_found_not_only_the_first() -> None:
    made = policy(
        validationActions=["Warn", "Audit"],
        validations=[
            {"expression": "false", "message": "first"},
            {"expression": "true", "message": "second"},
            {"expression": FAILS, "message": "third"},
            {
                "expression": "1 == 2",
                "message": "fourth",
                "reason": "Invalid",
                "field": "spec.vmiName",
                "remediation": "mend it",
            },
        ],
    )

    evaluation = _judge(made)
    actions = frozenset({Action.WARN, Action.AUDIT})

    assert evaluation.result is Result.FAIL
    assert evaluation.violations == (
        Violation(policy="guard", validation=0, message="first", reason="Forbidden", actions=actions),
        Violation(
            policy="guard",
            validation=3,
            message="fourth",
            reason="Invalid",
            field="spec.vmiName",
            remediation="mend it",
            actions=actions,
        ),
    )
    assert evaluation.error.startswith("validations[2]: ")


@pytest.mark.parametrize(
    ("texts", "message"),
    [
        pytest.param({"message": "static"}, "static", id="message"),
        pytest.param({"messageExpression": "'VM ' + object.spec.vmiName"}, "VM db", id="expression"),
        pytest.param({"message": "static", "messageExpression": "'computed'"}, "computed", id="expression first"),
        pytest.param({"message": "static", "messageExpression": FAILS}, "static", id="expression fails"),
        pytest.param({"message": "static", "messageExpression": "'  '"}, "static", id="expression gives nothing"),
        pytest.param({"message": "static", "messageExpression": "dyn(7)"}, "static", id="expression gives no text"),
        pytest.param({"messageExpression": r"' padded\n'"}, "padded", id="white space around it"),
        pytest.param(
            {"messageExpression": "requester.missing[0]"},
            "failed expression: object.spec.vmiName == 'other'",
            id="nothing but the expression",
        ),
    ],
)
def test_a_message_that_cannot_be_computed_does_not_hide_the_refusal(texts: Json, message: str) -> None:
    made = policy(validations=[{"expression": "object.spec.vmiName\n  == 'other'", **texts}])

    (violation,) = _judge(made).violations

    assert violation.message == message


@pytest.mark.parametrize(
    ("texts", "remediation"),
    [
        ({}, ""),
        ({"remediation": "mend it"}, "mend it"),
        ({"remediation": "mend it", "remediationExpression": "'bind ' + requester.missing[0]"}, "bind x"),
        ({"remediation": "mend it", "remediationExpression": FAILS}, "mend it"),
    ],
    ids=["none", "static", "computed", "cannot be computed"],
)
def test_a_remediation_is_computed_like_a_message(texts: Json, remediation: str) -> None:
    made = policy(validations=[{"expression": "false", "message": "m", **texts}])

    (violation,) = _judge(made, facts={"requester.missing": ["x"]}).violations

    assert violation.remediation == remediation


@pytest.mark.parametrize(
    ("translation", "told"),
    [
        pytest.param({"message": "だめ", "remediation": "直す"}, ("だめ", "直す"), id="fixed texts"),
        pytest.param(
            {"messageExpression": "object.spec.vmiName + ' はだめ'", "remediationExpression": "'直す ' + object.kind"},
            ("db はだめ", "直す VirtualMachineInstanceMigration"),
            id="computed",
        ),
        pytest.param(
            {"messageExpression": FAILS, "message": "だめ"},
            ("だめ", "mend db"),
            id="computed, else fixed, else English",
        ),
        pytest.param({"messageExpression": FAILS}, ("not db", "mend db"), id="cannot be computed, so in English"),
        pytest.param({"messageExpression": "''"}, ("not db", "mend db"), id="nothing to say, so in English"),
        pytest.param({"remediation": "直す"}, ("not db", "直す"), id="only the remediation"),
    ],
)
def test_what_is_said_in_another_language_falls_back_on_english(translation: Json, told: tuple[str, str]) -> None:
    validation = {
        "expression": "false",
        "messageExpression": "'not ' + object.spec.vmiName",
        "remediationExpression": "'mend ' + object.spec.vmiName",
        "translations": {"ja": translation},
    }

    (evaluation,) = _validate(policy(validations=[validation]), parameters(language="ja"))
    (english,) = _validate(policy(validations=[validation]))

    assert [(one.message, one.remediation) for one in evaluation.violations] == [told]
    assert [(one.message, one.remediation) for one in english.violations] == [("not db", "mend db")]


def test_the_warning_of_a_mutation_is_told_in_the_language_of_parameters() -> None:
    mutation = {
        "name": "default",
        "patchType": "ApplyConfiguration",
        "expression": "{'spec': {'priority': 'low'}}",
        "warning": "was set",
        "translations": {"ja": {"warningExpression": "object.spec.vmiName + ' を設定しました'"}},
    }
    (made,) = compiled(policy(mutations=[mutation]), parameters(language="ja"))

    assert change(made, made.mutations[0], case()).warnings == ("db を設定しました",)


def test_params_and_facts_and_the_request_are_at_hand() -> None:
    schema = {"type": "object", "properties": {"limit": {"type": "integer", "default": 3}}}
    made = judging(
        "params.limit == 3 && migration.bandwidth == 64 && request.operation == 'CREATE' && object.kind != '' "
        "&& oldObject == null && volumes.all(volume, volume.migratable)",
        paramSchema=schema,
    )

    evaluation = _judge(made)

    assert evaluation.result is Result.PASS
    assert evaluation.facts_read == {"migration.bandwidth", "volumes"}


def test_on_delete_there_is_only_the_old_object() -> None:
    asked = request(operation=Operation.DELETE, object=None, old_object={"spec": {"vmiName": "db"}})

    assert _judge(judging("object == null && oldObject.spec.vmiName == 'db'"), asked=asked).result is Result.PASS
    assert _judge(judging("object.spec.vmiName == 'db'"), asked=asked).result is Result.ERROR


# Audit annotations


def test_audit_annotations_are_named_after_their_policy_and_left_out_where_empty() -> None:
    made = policy(
        auditAnnotations=[
            {"key": "source", "valueExpression": "'KubeVirt ' + object.spec.vmiName"},
            {"key": "empty", "valueExpression": "''"},
            {"key": "no-text", "valueExpression": "dyn(null)"},
        ]
    )

    evaluation = _judge(made)

    assert evaluation.audit_annotations == {"guard.source": "KubeVirt db"}
    assert evaluation.result is Result.PASS


def test_an_audit_annotation_that_fails_is_an_error_as_in_a_validating_admission_policy() -> None:
    evaluation = _judge(policy(auditAnnotations=[{"key": "source", "valueExpression": FAILS}]))

    assert evaluation.result is Result.ERROR
    assert evaluation.error == "auditAnnotations 'source': Key not found in map : \"absent\""


# Facts that are not available


def test_a_fact_that_is_not_available_is_named_with_the_reason() -> None:
    evaluation = _judge(judging("requester.canMigrate"), unavailable={"requester.canMigrate": "the cache is stale"})

    assert evaluation.result is Result.ERROR
    assert evaluation.error == "validations[0]: requester.canMigrate is not available: the cache is stale"


def test_a_fact_that_is_not_available_does_not_matter_to_what_does_not_need_it() -> None:
    made = policy(
        validations=[
            {"expression": "object.spec.vmiName == 'db' || vmi.critical", "message": "m"},
            {"expression": "true", "messageExpression": "vmi.labels.app"},
        ]
    )

    evaluation = _judge(made, unavailable={"vmi.critical": "stale", "vmi.labels": "stale"})

    assert evaluation.result is Result.PASS


def test_only_facts_that_policies_read_are_asked_for_and_all_of_them_at_once() -> None:
    asked: list[set[str]] = []
    plain = case()

    def resolve(names: Any) -> Any:
        asked.append(set(names))
        return plain.facts(names)

    made = compiled(judging("vmi.critical == false", "a"), judging("requester.canMigrate || vmi.critical", "b"))
    validate(made, Case(plain.subject, plain.natives, resolve))

    assert asked == [{"vmi.critical", "requester.canMigrate"}]
    assert len(CATALOG) > 2


# Variables


def test_variables_build_on_each_other() -> None:
    made = judging(
        "variables.c == 'db-64-3'",
        variables=_variables(
            a="object.spec.vmiName + '-'", b="variables.a + string(migration.bandwidth)", c="variables.b + '-3'"
        ),
    )

    assert _judge(made).result is Result.PASS


@pytest.mark.parametrize(
    "value",
    ["true", "7", "1.5", "'text'", "['a', 'b']", "[{'a': 1}]", "{'a': {'b': [1, null]}}", "[]", "{}", "object.spec"],
)
def test_a_variable_keeps_the_value_of_its_expression(value: str) -> None:
    made = judging(f"variables.v == {value}", variables=_variables(v=value))

    assert _judge(made).result is Result.PASS


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("object.spec.vmiName == 'db' || variables.bad == 1", Result.PASS),
        ("variables.good == 1", Result.PASS),
        ("variables.bad == 1", Result.ERROR),
        ("variables.depends == 1", Result.ERROR),
    ],
)
def test_a_variable_that_fails_matters_only_to_what_needs_it(expression: str, result: Result) -> None:
    made = judging(expression, variables=_variables(bad=FAILS, good="1", depends="variables.bad"))

    assert _judge(made).result is result


def test_why_a_variable_failed_is_told_to_the_end_in_words_of_the_policy() -> None:
    made = judging("variables.b", variables=_variables(a="vmi.critical", b="!variables.a"))

    evaluation = _judge(made, unavailable={"vmi.critical": "the cache is stale"})

    assert evaluation.error == (
        "validations[0]: variables.b is not available: variables.a is not available: "
        "vmi.critical is not available: the cache is stale"
    )


def test_a_variable_that_nothing_needs_is_not_computed() -> None:
    (made,) = compiled(
        mutating(
            "{'spec': {'cost': variables.costly}}",
            variables=_variables(costly="size(object.items)"),
            matchConditions=_conditions("true"),
            auditAnnotations=[{"key": "k", "valueExpression": "'v'"}],
        )
    )

    assert made.for_conditions.variables == made.for_validations.variables == ()
    assert [one.name for one in made.for_mutations.variables] == ["costly"]


def test_policies_with_the_same_names_of_variables_and_params_do_not_mix() -> None:
    def limited(name: str, limit: int) -> Json:
        return judging(
            f"variables.v == {limit * 2} && params.limit == {limit}",
            name,
            paramSchema={"type": "object", "properties": {"limit": {"type": "integer", "default": limit}}},
            variables=_variables(v="params.limit * 2"),
        )

    evaluations = _validate(*(limited(f"policy-{number}", number) for number in range(1, 13)))

    assert [one.result for one in evaluations] == [Result.PASS] * 12


def test_bindings_of_one_policy_have_their_own_params() -> None:
    schema = {"type": "object", "properties": {"limit": {"type": "integer", "default": 1}}}
    made = policy(
        paramSchema=schema,
        variables=_variables(v="params.limit"),
        validations=[{"expression": "false", "messageExpression": "'limit ' + string(variables.v)"}],
    )

    evaluations = _validate(made, binding("a", params={"limit": 10}), binding("b", params={"limit": 20}), binding("c"))

    assert [(one.binding, one.violations[0].message) for one in evaluations] == [
        ("a", "limit 10"),
        ("b", "limit 20"),
        ("c", "limit 1"),
    ]


def test_a_variable_of_a_loop_may_have_the_name_of_a_fact() -> None:
    made = judging("object.spec.list.all(vmi, vmi.critical)", variables=_variables(a="1"))
    asked = request(object={"spec": {"list": [{"critical": True}, {"critical": False}]}})

    assert _judge(made, asked=asked, facts={"vmi.critical": True}).result is Result.FAIL


# Bounds


def test_an_evaluation_of_more_than_10000_steps_is_an_error_that_is_told() -> None:
    asked = request(object={"items": list(range(150))})

    evaluation = _judge(judging("object.items.all(a, object.items.all(b, b >= 0))"), asked=asked)

    assert evaluation.result is Result.ERROR
    assert "budget exceeded" in evaluation.error


def test_no_policies_cost_nothing() -> None:
    def refuse(_: Any) -> Any:
        raise AssertionError("no fact is needed")

    plain = case()

    assert validate([], Case(plain.subject, plain.natives, refuse)) == []


# Mutations


def _change(made: Json, **options: Any) -> Evaluation:
    (only,) = compiled(made)
    return change(only, only.mutations[0], case(**options))


def test_a_mutation_gives_a_patch_and_tells_the_user() -> None:
    evaluation = _change(mutating("{'spec': {'priority': 'high'}}"))

    assert evaluation.result is Result.PASS
    assert evaluation.patch == ({"op": "add", "path": "/spec/priority", "value": "high"},)
    assert evaluation.warnings == ("was defaulted",)


def test_a_mutation_that_changes_nothing_is_silent() -> None:
    evaluation = _change(mutating("{'spec': {'vmiName': 'db'}}"))

    assert (evaluation.result, evaluation.patch, evaluation.warnings) == (Result.PASS, (), ())


@pytest.mark.parametrize(
    ("warning", "told"),
    [
        ({"warning": "static"}, "static"),
        ({"warningExpression": "'set for ' + object.spec.vmiName"}, "set for db"),
        ({"warning": "static", "warningExpression": FAILS}, "static"),
    ],
    ids=["static", "computed", "cannot be computed"],
)
def test_a_warning_is_computed_like_a_message(warning: Json, told: str) -> None:
    mutation = {"name": "m", "patchType": "ApplyConfiguration", "expression": "{'spec': {'a': 1}}", **warning}

    assert _change(policy(mutations=[mutation])).warnings == (told,)


@pytest.mark.parametrize(
    ("warning", "told"),
    [
        pytest.param({"warningExpression": "''"}, (), id="an empty text"),
        pytest.param({"warningExpression": "''", "warning": "static"}, (), id="an empty text before a fixed one"),
        pytest.param({"warningExpression": FAILS}, ("mutation 'm' changed the object",), id="a text that fails"),
    ],
)
def test_a_mutation_is_silent_only_on_purpose(warning: Json, told: tuple[str, ...]) -> None:
    mutation = {"name": "m", "patchType": "ApplyConfiguration", "expression": "{'spec': {'a': 1}}", **warning}

    evaluation = _change(policy(mutations=[mutation]))

    assert evaluation.patch
    assert evaluation.warnings == told


@pytest.mark.parametrize(
    ("expression", "error"),
    [
        pytest.param("{'spec': object.absent}", 'Key not found in map : "absent"', id="expression fails"),
        pytest.param("{'metadata': {'name': 'x'}}", "a mutation may not change /metadata/name", id="identity"),
        pytest.param("object.spec.vmiName", "must give a partial object", id="no object"),
        pytest.param("{'spec': {'a': vmi.critical}}", "vmi.critical is not available: stale", id="fact"),
        pytest.param("{'spec': {'a': 1.0 / 0.0}}", "the mutation gives inf at /spec/a", id="no JSON"),
    ],
)
def test_a_mutation_that_fails_changes_nothing_and_is_an_error(expression: str, error: str) -> None:
    evaluation = _change(mutating(expression, failurePolicy="Ignore"), unavailable={"vmi.critical": "stale"})

    assert evaluation.result is Result.ERROR
    assert evaluation.error.startswith("mutation 'default': ")
    assert error in evaluation.error
    assert (evaluation.patch, evaluation.warnings) == ((), ())
    assert evaluation.failure_policy is FailurePolicy.IGNORE


def test_a_mutation_knows_facts_params_and_variables() -> None:
    evaluation = _change(
        mutating(
            "{'spec': {'bandwidth': variables.twice, 'unit': params.unit}}",
            variables=_variables(twice="migration.bandwidth * 2"),
            paramSchema={"type": "object", "properties": {"unit": {"type": "string", "default": "Mi"}}},
        )
    )

    assert [operation["value"] for operation in evaluation.patch] == [128, "Mi"]
    assert evaluation.facts_read == {"migration.bandwidth"}
