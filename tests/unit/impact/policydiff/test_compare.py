"""What differs between two policy sets: one edit, one difference, and the other way round from the other side."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.unit.impact.policydiffsets import NOW, RULES, Json, binding, exemption, parameters, policy, sided
from webhook.errors import PolicyError
from webhook.impact.policydiff.change import Change, Effect
from webhook.impact.policydiff.compare import PolicyDiff, diff

SCHEMA: Json = {
    "type": "object",
    "properties": {"most": {"type": "integer", "default": 5}, "word": {"type": "string", "default": "a"}},
}
LIMIT = {"expression": "migrations.inFlight <= params.most", "message": "too many"}


def compared(old: list[Json], new: list[Json]) -> PolicyDiff:
    return diff(sided(*old, name="old"), sided(*new, name="new"))


def told(found: PolicyDiff) -> list[tuple[str, str, str]]:
    return [(one.effect.value, f"{one.kind} {one.name}", one.field) for one in found.changes]


def mirrored(one: Change) -> tuple[Any, ...]:
    return comparable(replace(one, effect=one.effect.inverse, before=one.after, after=one.before))


def comparable(one: Change) -> tuple[Any, ...]:
    """A change without its place, which is on the new side, and its reason, which goes with the direction."""
    return one.kind, one.name, re.sub(r"\[\d+\]", "[]", one.field), one.effect, repr(one.before), repr(one.after)


def limited(**spec: Any) -> Json:
    return policy(**{"paramSchema": SCHEMA, "validations": [LIMIT], **spec})


def checked(*expressions: str, **more: Any) -> Json:
    return policy(validations=[{"expression": one, "message": one, **more} for one in expressions])


MUTATION = {"name": "label", "patchType": "ApplyConfiguration", "expression": "{'spec': {'a': 1}}", "warning": "w"}
CONDITION = {"name": "people", "expression": "request.userInfo.username != 'x'"}
VARIABLE = {"name": "ok", "expression": "vmi.critical"}
READS_VARIABLE = [{"expression": "variables.ok", "message": "no"}]
NOTE = {"key": "note", "valueExpression": "'a'"}
GUARD = "GuardPolicy guard"
HERE = "GuardPolicyBinding here"
BATCH = "Exemption batch"
WINDOW = {"name": "night", "schedule": "0 22 * * *", "duration": "6h", "reason": "rest"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param([policy()], [policy(), policy("more")], [("stricter", "GuardPolicy more", "")], id="a policy"),
        pytest.param(
            [policy()],
            [policy(), policy("sets", validations=None, mutations=[MUTATION])],
            [("changed", "GuardPolicy sets", "")],
            id="a policy that only sets things",
        ),
        pytest.param(
            [policy()],
            [policy(validationActions=["Warn"])],
            [("weaker", GUARD, "validationActions")],
            id="Deny becomes Warn",
        ),
        pytest.param(
            [policy(validationActions=["Deny"])],
            [policy(validationActions=["Deny", "Audit"])],
            [("changed", GUARD, "validationActions")],
            id="Audit besides",
        ),
        pytest.param(
            [policy(), binding(validationActions=["Warn"])],
            [policy(validationActions=["Audit"]), binding(validationActions=["Warn"])],
            [("changed", GUARD, "validationActions")],
            id="actions that no binding takes over",
        ),
        pytest.param([policy()], [policy(failurePolicy="Ignore")], [("weaker", GUARD, "failurePolicy")], id="Ignore"),
        pytest.param([policy()], [policy(admissionPhase="Mutate")], [("changed", GUARD, "admissionPhase")], id="phase"),
        pytest.param([policy()], [policy(origins=["User"])], [("weaker", GUARD, "origins")], id="some origins only"),
        pytest.param(
            [policy(origins=["User"])],
            [policy(origins=["User", "Drain"])],
            [("stricter", GUARD, "origins")],
            id="one origin more",
        ),
        pytest.param(
            [policy()],
            [policy(matchConstraints={"resourceRules": [{**RULES[0], "operations": ["CREATE", "DELETE"]}]})],
            [("stricter", GUARD, "resourceRules")],
            id="one operation more",
        ),
        pytest.param(
            [policy()],
            [policy(matchConditions=[CONDITION])],
            [("weaker", GUARD, "matchConditions.people")],
            id="a match condition",
        ),
        pytest.param(
            [policy(matchConditions=[CONDITION])],
            [policy(matchConditions=[{**CONDITION, "expression": f"{CONDITION['expression']} || vmi.critical"}])],
            [("stricter", GUARD, "matchConditions.people")],
            id="a match condition that holds more often",
        ),
        pytest.param(
            [checked("vmi.critical")],
            [checked("vmi.critical", "vmi.found")],
            [("stricter", GUARD, "validations[1]")],
            id="a validation",
        ),
        pytest.param(
            [checked("vmi.critical")],
            [checked("vmi.critical || vmi.found")],
            [("weaker", GUARD, "validations[0]"), ("wording", GUARD, "validations[0].message (en)")],
            id="a validation with a way out",
        ),
        pytest.param(
            [checked("vmi.critical", reason="Forbidden")],
            [checked("vmi.critical", reason="Invalid")],
            [("changed", GUARD, "validations[0].reason")],
            id="another reason",
        ),
        pytest.param(
            [checked("vmi.critical", field="spec.a")],
            [checked("vmi.critical", field="spec.b")],
            [("wording", GUARD, "validations[0].field")],
            id="another field",
        ),
        pytest.param(
            [checked("vmi.critical", translations={"ja": {"message": "x"}})],
            [checked("vmi.critical", translations={"ja": {"message": "y"}})],
            [("wording", GUARD, "validations[0].message (ja)")],
            id="a translation",
        ),
        pytest.param(
            [limited()],
            [
                limited(
                    paramSchema={
                        "type": "object",
                        "properties": {**SCHEMA["properties"], "most": {"type": "integer", "default": 9}},
                    }
                )
            ],
            [("weaker", GUARD, "params.most")],
            id="a higher default of a limit",
        ),
        pytest.param(
            [limited(), parameters(params={"most": 5})],
            [limited(), parameters(params={"most": 3})],
            [("stricter", GUARD, "params.most"), ("stricter", "Parameters parameters", "params.most")],
            id="a lower shared limit",
        ),
        pytest.param(
            [limited(), binding(params={"most": 1}), parameters(params={"most": 5})],
            [limited(), binding(params={"most": 1}), parameters(params={"most": 3})],
            [("wording", "Parameters parameters", "params.most")],
            id="a shared limit that nothing takes over",
        ),
        pytest.param(
            [limited(), binding(params={"most": 1})],
            [limited(), binding(params={"most": 2})],
            [("weaker", GUARD, "params.most (binding here)")],
            id="the limit of a binding",
        ),
        pytest.param(
            [limited(), parameters(params={"word": "a"})],
            [limited(), parameters(params={"word": "b"})],
            [("wording", GUARD, "params.word"), ("wording", "Parameters parameters", "params.word")],
            id="a parameter that decides nothing",
        ),
        pytest.param(
            [limited()],
            [
                limited(
                    paramSchema={
                        **SCHEMA,
                        "properties": {**SCHEMA["properties"], "most": {**SCHEMA["properties"]["most"], "maximum": 9}},
                    }
                )
            ],
            [("changed", GUARD, "paramSchema.properties.most.maximum")],
            id="a bound of a parameter",
        ),
        pytest.param(
            [policy(variables=[VARIABLE], validations=READS_VARIABLE)],
            [policy(variables=[{**VARIABLE, "expression": "vmi.critical && vmi.found"}], validations=READS_VARIABLE)],
            [("stricter", GUARD, "variables.ok")],
            id="a variable that a validation reads",
        ),
        pytest.param(
            [policy(variables=[VARIABLE])],
            [policy(variables=[{**VARIABLE, "expression": "vmi.found"}])],
            [("wording", GUARD, "variables.ok")],
            id="a variable that nothing reads",
        ),
        pytest.param(
            [policy(variables=[VARIABLE], validations=READS_VARIABLE)],
            [policy(validations=[{"expression": "vmi.critical", "message": "no"}])],
            [("wording", GUARD, "validations[0]"), ("wording", GUARD, "variables.ok")],
            id="a variable that is written out",
        ),
        pytest.param(
            [policy(mutations=[MUTATION])],
            [policy(mutations=[{**MUTATION, "expression": "{'spec': {'a': 2}}"}])],
            [("changed", GUARD, "mutations.label")],
            id="what a mutation sets",
        ),
        pytest.param(
            [policy(mutations=[MUTATION])],
            [policy(mutations=[{**MUTATION, "warning": "other"}])],
            [("wording", GUARD, "mutations.label.warning (en)")],
            id="what a mutation says",
        ),
        pytest.param(
            [policy(mutations=[MUTATION, {**MUTATION, "name": "b"}])],
            [policy(mutations=[{**MUTATION, "name": "b"}, MUTATION])],
            [("changed", GUARD, "mutations")],
            id="the order of mutations",
        ),
        pytest.param(
            [policy()],
            [policy(auditAnnotations=[NOTE])],
            [("changed", GUARD, "auditAnnotations.note")],
            id="an audit annotation",
        ),
        pytest.param(
            [policy(annotations={"migguard.io/severity": "high", "migguard.io/title": "a"})],
            [policy(annotations={"migguard.io/severity": "low", "migguard.io/title": "b"})],
            [
                ("changed", GUARD, "metadata.annotations.migguard.io/severity"),
                ("wording", GUARD, "metadata.annotations.migguard.io/title"),
            ],
            id="severity and title",
        ),
        pytest.param(
            [policy()],
            [policy(), binding(matchResources={"namespaceSelector": {"matchLabels": {"a": "b"}}})],
            [("weaker", HERE, "")],
            id="the first binding, to one place",
        ),
        pytest.param([policy()], [policy(), binding()], [("wording", HERE, "")], id="the first binding, to everything"),
        pytest.param(
            [policy()],
            [policy(), binding(validationActions=["Warn"])],
            [("weaker", HERE, "")],
            id="the first binding, as Warn",
        ),
        pytest.param(
            [policy(), binding()],
            [policy(), binding(), binding("there", validationActions=["Warn"])],
            [("stricter", "GuardPolicyBinding there", "")],
            id="a further binding",
        ),
        pytest.param(
            [policy()],
            [policy(), policy("more"), binding(of="more")],
            [("stricter", "GuardPolicy more", ""), ("stricter", HERE, "")],
            id="a policy with its binding",
        ),
        pytest.param(
            [policy(), binding()],
            [policy(), binding(validationActions=["Audit"])],
            [("weaker", HERE, "validationActions")],
            id="the actions of a binding",
        ),
        pytest.param(
            [policy(), binding()],
            [policy(), binding(validationActions=["Deny"])],
            [("wording", HERE, "validationActions")],
            id="the policy's own actions by name",
        ),
        pytest.param(
            [policy(), binding()],
            [policy(), binding(matchResources={"resourceRules": RULES})],
            [("weaker", HERE, "resourceRules")],
            id="a binding to one place",
        ),
        pytest.param(
            [policy(), policy("more"), binding()],
            [policy(), policy("more"), binding(of="more")],
            [("changed", HERE, "policyName")],
            id="a binding of another policy",
        ),
        pytest.param([policy()], [policy(), exemption()], [("weaker", BATCH, "")], id="an exemption"),
        pytest.param(
            [policy()],
            [policy(), exemption(expires="2026-03-01")],
            [("wording", BATCH, "")],
            id="an exemption that has expired",
        ),
        pytest.param(
            [policy(), exemption()],
            [policy(), exemption(expires="2026-04-01")],
            [("weaker", BATCH, "expires")],
            id="an exemption that lasts longer",
        ),
        pytest.param(
            [policy(), exemption(expires="2026-02-01")],
            [policy(), exemption(expires="2026-03-01")],
            [("wording", BATCH, "expires")],
            id="an exemption that lasted longer",
        ),
        pytest.param(
            [policy(), exemption(namespaces=["prod"], operations=["CREATE"])],
            [policy(), exemption(operations=["*"])],
            [("weaker", BATCH, "namespaces"), ("weaker", BATCH, "operations")],
            id="a wider exemption",
        ),
        pytest.param(
            [policy(), exemption()],
            [policy(), exemption(subjects=[{"kind": "User", "name": "bob"}])],
            [("changed", BATCH, "subjects")],
            id="an exemption of somebody else",
        ),
        pytest.param(
            [policy(), exemption()],
            [policy(), exemption(owner="b", ticket="T-2", reason="c")],
            [("wording", BATCH, "owner"), ("wording", BATCH, "reason"), ("wording", BATCH, "ticket")],
            id="the owner of an exemption",
        ),
        pytest.param(
            [policy(), exemption()],
            [policy(), exemption(starts="2026-03-05")],
            [("stricter", BATCH, "starts")],
            id="an exemption that begins later",
        ),
        pytest.param(
            [policy(), exemption()],
            [policy(), exemption(objectSelector={"matchLabels": {"a": "b"}})],
            [("stricter", BATCH, "objectSelector")],
            id="an exemption of some objects",
        ),
        *(
            pytest.param(
                [policy()],
                [policy(), parameters(**spec)],
                [(effect, "Parameters parameters", field)],
                id=f"Parameters {field} {effect}",
            )
            for spec, field, effect in (
                ({"permission": {"mode": "effective"}}, "permission.mode", "weaker"),
                (
                    {"permission": {"trustedClusterRoles": ["cluster-admin"]}},
                    "permission.trustedClusterRoles",
                    "stricter",
                ),
                ({"systemAccounts": ["bot"]}, "systemAccounts", "weaker"),
                ({"exemptions": {"maxDays": 10}}, "exemptions.maxDays", "stricter"),
                ({"language": "ja"}, "language", "wording"),
                ({"freezeWindows": [WINDOW]}, "freezeWindows.night", "stricter"),
                ({"critical": {"label": "a/b"}}, "critical.label", "changed"),
            )
        ),
    ],
)
def test_an_edit_is_one_difference_and_the_reverse_from_the_other_side(
    old: list[Json], new: list[Json], expected: list[tuple[str, str, str]]
) -> None:
    found, back = compared(old, new), compared(new, old)
    assert told(found) == expected
    assert sorted(map(mirrored, found.changes)) == sorted(map(comparable, back.changes))


def chained(length: int, *, first: str = "vmi.critical", check: str = "") -> Json:
    """A policy whose variables each read the one before twice: written out, the last one is 2 ** length long."""
    bodies = [first, *(f"variables.v{one} || vmi.found && !variables.v{one}" for one in range(length))]
    variables = [{"name": f"v{index}", "expression": one} for index, one in enumerate(bodies)]
    checks = [{"expression": f"variables.v{length}{check}", "message": "no"}]
    return policy(variables=variables, validations=checks)


@pytest.mark.parametrize(
    ("length", "new", "expected"),
    [
        pytest.param(25, {"check": " || vmi.critical"}, [("weaker", GUARD, "validations[0]")], id="a way out"),
        pytest.param(25, {"check": " && vmi.critical"}, [("stricter", GUARD, "validations[0]")], id="a condition"),
        pytest.param(25, {"first": "vmi.critical && true"}, [("wording", GUARD, "variables.v0")], id="other words"),
        pytest.param(99, {"check": " || vmi.critical"}, [("weaker", GUARD, "validations[0]")], id="deep, a way out"),
        pytest.param(99, {"first": "vmi.found"}, [("changed", GUARD, "variables.v0")], id="deep, cannot be told"),
    ],
)
def test_variables_that_build_on_one_another_are_compared_too(
    length: int, new: dict[str, str], expected: list[tuple[str, str, str]]
) -> None:
    assert told(compared([chained(length)], [chained(length, **new)])) == expected


COMMENTED = {"expression": "vmi.critical // why\n", "message": "no", "remediation": "ask"}


@pytest.mark.parametrize(
    "written",
    [
        pytest.param(policy(validations=[COMMENTED]), id="a comment in an expression"),
        pytest.param({**policy(), "spec": dict(reversed(policy()["spec"].items()))}, id="the order of fields"),
        pytest.param(policy(failurePolicy="Fail", validationActions=["Deny"]), id="defaults"),
    ],
)
def test_how_it_is_written_does_not_count(written: Json) -> None:
    assert compared([policy()], [written]).changes == ()


def test_validations_that_change_places_are_the_same() -> None:
    assert compared([checked("vmi.critical", "vmi.found")], [checked("vmi.found", "vmi.critical")]).changes == ()


def test_the_files_do_not_matter() -> None:
    assert compared([policy(), policy("b"), exemption()], [exemption(), policy("b"), policy()]).changes == ()


def test_a_weaker_set_says_why_and_where() -> None:
    (one,) = compared([policy()], [policy(validationActions=["Warn"])]).changes
    assert (one.before, one.after, one.note) == (["Deny"], ["Warn"], "no longer refuses")
    assert re.fullmatch(r"new/0\.yaml:1:\d+", one.where)


def test_what_is_gone_is_where_it_was() -> None:
    (one,) = compared([policy(), policy("gone")], [policy()]).changes
    assert (one.effect, one.after) == (Effect.WEAKER, None)
    assert one.where.startswith("old/1.yaml:")


def test_weakened_ones_come_first() -> None:
    old = [policy("a"), policy("b", validationActions=["Warn"]), policy("c"), policy("d")]
    new = [
        policy("a", admissionPhase="Mutate"),
        policy("b"),
        policy("c", validationActions=["Audit"]),
        policy("d", annotations={"migguard.io/title": "t"}),
    ]
    assert [one.effect.value for one in compared(old, new).changes] == ["weaker", "changed", "stricter", "wording"]


def test_an_exemption_that_has_expired_is_told_though_nothing_differs() -> None:
    found = compared([policy(), exemption(expires="2026-03-01")], [policy(), exemption(expires="2026-03-01")])
    assert found.changes == ()
    assert found.notices == (
        "exemption 'batch' (owner team-a, ticket T-1) expired on 2026-03-01 and no longer applies",
    )


@pytest.mark.parametrize(
    ("old", "new", "policies"),
    [
        pytest.param([policy()], [policy(annotations={"migguard.io/title": "t"})], set(), id="none by its title"),
        pytest.param([policy()], [policy(), policy("b")], {"b"}, id="one that is added"),
        pytest.param([policy(), binding(validationActions=["Warn"])], [policy()], {"guard"}, id="the one of a binding"),
        pytest.param([policy(), policy("b")], [policy(), policy("b"), exemption()], {"guard"}, id="an exempted one"),
        pytest.param(
            [policy(), policy("b")],
            [policy(), policy("b"), parameters(critical={"label": "a/b"})],
            {"guard", "b"},
            id="all by what facts are made from",
        ),
        pytest.param(
            [limited(), policy("b"), parameters(params={"most": 5})],
            [limited(), policy("b"), parameters(params={"most": 6})],
            {"guard"},
            id="the one with the parameter",
        ),
    ],
)
def test_it_is_known_which_policies_may_decide_otherwise(old: list[Json], new: list[Json], policies: set[str]) -> None:
    assert compared(old, new).policies == policies


def test_a_set_that_does_not_load_names_its_problems() -> None:
    with pytest.raises(PolicyError, match=r"set/0\.yaml:1:\d+: .*nothing"):
        sided(checked("nothing.at.all"))


EXPRESSIONS = (
    "vmi.critical",
    "vmi.found || vmi.critical",
    "vmi.found && vmi.critical",
    "migrations.inFlight <= params.most",
)
POLICIES = st.builds(
    lambda name, actions, checks, conditions, most, failure: policy(
        name,
        validationActions=[actions],
        validations=[{"expression": one, "message": one} for one in checks],
        matchConditions=[{"name": one[:6].replace(".", "-"), "expression": one} for one in conditions],
        paramSchema={"type": "object", "properties": {"most": {"type": "integer", "default": most}}},
        failurePolicy=failure,
    ),
    st.sampled_from(["a", "b"]),
    st.sampled_from(["Deny", "Warn", "Audit"]),
    st.lists(st.sampled_from(EXPRESSIONS), min_size=1, max_size=3),
    st.lists(st.sampled_from(EXPRESSIONS[:1] + EXPRESSIONS[3:]), max_size=2, unique=True),
    st.integers(1, 3),
    st.sampled_from(["Fail", "Ignore"]),
)
BINDINGS = st.builds(
    lambda actions, selector: {"validationActions": actions, "matchResources": selector},
    st.sampled_from([["Deny"], ["Warn"]]),
    st.sampled_from([{}, {"namespaceSelector": {"matchLabels": {"a": "b"}}}]),
)
SETS = st.builds(
    lambda policies, bound, exempted: [
        *policies,
        *(binding(f"b{index}", of=policies[0]["metadata"]["name"], **one) for index, one in enumerate(bound)),
        *(exemption(policies=[policies[0]["metadata"]["name"]], namespaces=[one]) for one in exempted),
    ],
    st.lists(POLICIES, min_size=1, max_size=2, unique_by=lambda one: one["metadata"]["name"]),
    st.lists(BINDINGS, max_size=2),
    st.lists(st.sampled_from(["prod", "test"]), max_size=1),
)


@given(SETS, SETS)
@settings(max_examples=25)
def test_no_set_differs_from_itself_and_two_differ_the_same_from_either_side(old: list[Json], new: list[Json]) -> None:
    first, second = sided(*old, name="old"), sided(*new, name="new")
    assert diff(first, sided(*reversed(old), name="again")).changes == ()
    forth, back = diff(first, second), diff(second, first)
    assert sorted(map(mirrored, forth.changes)) == sorted(map(comparable, back.changes))
    assert forth.policies == back.policies


def test_the_clock_of_both_sides_is_that_of_the_comparison() -> None:
    assert sided(policy()).now == NOW
