"""What a binding changes: compared is what is in force before and after, not whether a document is there."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.builders import create, namespace, vmim
from tests.support.view import View
from tests.unit.impact.policydiffsets import NOW, RULES, Json, binding, parameters, policy, sided
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.impact.policydiff.change import Change, Effect, combined
from webhook.impact.policydiff.compare import PolicyDiff, Side, diff
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import VMIM
from webhook.model.decision import Action, Result
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.policyset import PolicySet

PROD = {"namespaceSelector": {"matchLabels": {"env": "prod"}}}
TEST = {"namespaceSelector": {"matchLabels": {"env": "test"}}}
KNOWN = {"namespaceSelector": {"matchExpressions": [{"key": "env", "operator": "Exists"}]}}
HERE = "GuardPolicyBinding here"
THERE = "GuardPolicyBinding there"
GUARD = "GuardPolicy guard"


def limited(most: int = 5, *, operator: str = "<=", **spec: Any) -> Json:
    schema = {"type": "object", "properties": {"most": {"type": "integer", "default": most}}}
    check = {"expression": f"size(object.spec.vmiName) {operator} params.most", "message": "too long"}
    return policy(paramSchema=schema, validations=[check], **spec)


def compared(old: list[Json], new: list[Json]) -> PolicyDiff:
    return diff(sided(*old, name="old"), sided(*new, name="new"))


def told(found: PolicyDiff) -> list[tuple[str, str, str]]:
    return [(one.effect.value, f"{one.kind} {one.name}", one.field) for one in found.changes]


WARNING = limited(validationActions=["Warn"])


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        pytest.param(
            [WARNING],
            [WARNING, binding(validationActions=["Deny"], matchResources=PROD)],
            [("changed", HERE, "")],
            id="the first binding refuses in one place where all were warned",
        ),
        pytest.param(
            [WARNING],
            [WARNING, binding(validationActions=["Deny"], params={"most": 1000})],
            [("changed", HERE, "")],
            id="the first binding refuses, but hardly ever",
        ),
        pytest.param(
            [limited()], [limited(), binding(params={"most": 9999})], [("weaker", HERE, "")], id="a limit of no use"
        ),
        pytest.param([limited()], [limited(), binding(params={"most": 5})], [("wording", HERE, "")], id="its default"),
        pytest.param(
            [limited()],
            [limited(), binding(matchResources=PROD, params={"most": 1})],
            [("changed", HERE, "")],
            id="a lower limit in one place",
        ),
        pytest.param(
            [limited()],
            [limited(9), binding()],
            [("weaker", GUARD, "params.most (binding here)"), ("wording", HERE, "")],
            id="a limit that the binding does not set",
        ),
        pytest.param(
            [limited()],
            [limited(), binding(validationActions=["Warn"]), binding("there", matchResources=PROD)],
            [("weaker", HERE, ""), ("wording", THERE, "")],
            id="Warn everywhere, and one place as it was",
        ),
        pytest.param(
            [limited()],
            [limited(), binding(matchResources={"resourceRules": RULES})],
            [("wording", HERE, "")],
            id="a binding to all that the policy covers",
        ),
        pytest.param(
            [limited()],
            [limited(), binding(matchResources={"excludeResourceRules": RULES})],
            [("weaker", HERE, "")],
            id="a binding that excludes something",
        ),
        pytest.param(
            [limited(), binding(matchResources=PROD, params={"most": 5})],
            [limited(), binding("there", matchResources=PROD, params={"most": 900})],
            [("weaker", GUARD, "params.most (binding there)"), ("wording", THERE, "metadata.name")],
            id="another name and a higher limit",
        ),
        pytest.param(
            [limited(), binding("a", params={"most": 1}), binding("b", params={"most": 7})],
            [limited(), binding("c", params={"most": 7}), binding("d", params={"most": 1})],
            [
                ("wording", "GuardPolicyBinding c", "metadata.name"),
                ("wording", "GuardPolicyBinding d", "metadata.name"),
            ],
            id="other names only",
        ),
        pytest.param(
            [limited(), binding(matchResources=PROD)],
            [limited(), binding("there", matchResources=TEST)],
            [("weaker", HERE, ""), ("stricter", THERE, "")],
            id="another place",
        ),
        pytest.param(
            [limited(), binding(validationActions=["Warn"])],
            [limited(validationActions=["Warn"]), binding()],
            [("changed", GUARD, "validationActions"), ("wording", HERE, "validationActions")],
            id="the same actions from elsewhere",
        ),
        pytest.param(
            [policy(validations=None, auditAnnotations=[{"key": "note", "valueExpression": "'a'"}]), binding()],
            [
                policy(validations=None, auditAnnotations=[{"key": "note", "valueExpression": "'a'"}]),
                binding(),
                binding("there"),
            ],
            [("changed", THERE, "")],
            id="of a policy that refuses nothing",
        ),
    ],
)
def test_a_binding_counts_by_what_is_in_force(
    old: list[Json], new: list[Json], expected: list[tuple[str, str, str]]
) -> None:
    forth, back = compared(old, new), compared(new, old)
    assert told(forth) == expected
    assert sorted(one.effect.inverse for one in back.changes) == sorted(one.effect for one in forth.changes)


def only(found: PolicyDiff) -> Change:
    (one,) = found.changes
    return one


def test_a_first_binding_shows_its_values_and_what_they_do() -> None:
    one = only(compared([WARNING], [WARNING, binding(validationActions=["Deny"], params={"most": 1000})]))
    assert one.after == "guard: Deny everywhere, with most 1000"
    assert one.note == "refuses where it did not; most 5 -> 1000"


def test_the_last_binding_that_goes_says_where_nothing_is_refused_any_more() -> None:
    one = only(compared([WARNING, binding(validationActions=["Deny"], matchResources=PROD)], [WARNING]))
    assert one.before == "guard: Deny in namespaces with env=prod"
    assert one.note == "no longer refuses in namespaces with env=prod; without bindings it applies everywhere"


def test_a_first_binding_says_where_it_refuses_and_that_the_rest_is_left_out() -> None:
    one = only(compared([WARNING], [WARNING, binding(validationActions=["Deny"], matchResources=PROD)]))
    assert one.note == (
        "refuses in namespaces with env=prod, where it did not; applies only where one of its bindings matches"
    )


def test_a_binding_that_goes_to_another_policy_takes_its_values_along() -> None:
    more = {**limited(), "metadata": {"name": "more"}}
    old = [limited(), more, binding(params={"most": 1})]
    new = [limited(), more, binding(of="more", params={"most": 2})]
    assert told(compared(old, new)) == [("changed", HERE, "params.most"), ("changed", HERE, "policyName")]


def test_a_shared_value_that_a_first_binding_takes_over_is_told_with_the_binding() -> None:
    old = [limited(), parameters(params={"most": 5})]
    new = [limited(), parameters(params={"most": 3}), binding(params={"most": 9})]
    assert told(compared(old, new)) == [("weaker", HERE, ""), ("wording", "Parameters parameters", "params.most")]


STRENGTH = {Action.AUDIT: 1, Action.WARN: 2, Action.DENY: 3}
VIEW = View(namespace("live", labels={"env": "prod"}), namespace("lab", labels={"env": "test"}), namespace("bare"))
WORLD = World(VIEW, RBACAuthorizer(VIEW))
REQUESTS = [
    create(VMIM, vmim(vmi_name="x" * size, namespace=where)) for where in ("live", "lab", "bare") for size in (1, 2, 3)
]
ACTIONS = st.sampled_from([["Deny"], ["Warn"], ["Audit"], ["Deny", "Audit"], ["Warn", "Audit"]])
BINDINGS = st.builds(
    lambda actions, match, params: {
        **({"validationActions": actions} if actions else {}),
        **({"matchResources": match} if match else {}),
        **({"params": params} if params else {}),
    },
    st.none() | ACTIONS,
    st.sampled_from([{}, PROD, TEST, KNOWN, {"resourceRules": RULES}, {"excludeResourceRules": RULES}]),
    st.none() | st.builds(lambda most: {"most": most}, st.integers(0, 3)),
)
SETS = st.builds(
    lambda most, operator, actions, bound: [
        limited(most, operator=operator, validationActions=actions),
        *(binding(name, **one) for name, one in bound.items()),
    ],
    st.integers(0, 3),
    st.sampled_from(["<=", "<"]),
    ACTIONS,
    st.dictionaries(st.sampled_from(["x", "y", "z"]), BINDINGS, max_size=2),
)


def severity(request: AdmissionRequest, side: Side) -> int:
    """The worst that a policy set does about a request: refuse, warn, record, nothing."""
    policies = PolicySet(
        revision=side.revision,
        policies=tuple(one for found in side.policies.values() for one in found.compiled),
        exemptions=(),
        parameters=side.documents.parameters,
        catalog=CATALOG,
    )
    decision = decide(
        request, Phase.VALIDATE, policies=policies, world=WORLD, now=NOW, deadline=Deadline.after(30), decision_id="d"
    )
    failed = [one.actions for one in decision.evaluations if one.result is Result.FAIL]
    assert all(one.result in {Result.FAIL, Result.PASS} for one in decision.evaluations)
    return max((STRENGTH[action] for actions in failed for action in actions), default=0)


@given(SETS, SETS)
@settings(max_examples=150, deadline=None)
def test_nothing_comes_off_easier_by_what_is_only_stricter_nor_harder_by_what_is_only_weaker(
    old: list[Json], new: list[Json]
) -> None:
    first, second = sided(*old, name="old"), sided(*new, name="new")
    effect = combined(one.effect for one in diff(first, second).changes)
    for request in REQUESTS:
        before, after = severity(request, first), severity(request, second)
        if effect in {Effect.STRICTER, Effect.WORDING}:
            assert after >= before
        if effect in {Effect.WEAKER, Effect.WORDING}:
            assert after <= before
