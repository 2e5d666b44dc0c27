"""What policies and bindings match: requests that there are, and conditions that can be met."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.authoring.lint.linting import Json, binding, findings, policy, rule, rules_of
from webhook.authoring.lint.matching import contradiction

VMIMS = "virtualmachineinstancemigrations"


def condition(expression: str) -> list[Json]:
    return [{"name": "c", "expression": expression}]


def without(*rules: Json) -> Json:
    return policy(match={"excludeResourceRules": list(rules)})


TORN = {"matchLabels": {"a": "b"}, "matchExpressions": [{"key": "a", "operator": "DoesNotExist"}]}


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        pytest.param(policy(), [], id="good"),
        pytest.param(without(rule("*")), ["matches-nothing"], id="all-excluded"),
        pytest.param(without(rule("CREATE")), [], id="some-excluded"),
        pytest.param(without(rule("*", resourceNames=["db"])), [], id="some-names-excluded"),
        pytest.param(without(rule("*", resource="*/*")), ["matches-nothing"], id="all-excluded-by-a-star"),
        pytest.param(without(rule("*", resource="virtualmachines/*")), [], id="subresources-excluded"),
        pytest.param(policy(rules=[rule("CREATE", scope="Cluster")]), ["matches-nothing"], id="wrong-scope"),
        pytest.param(policy(rules=[rule("CREATE", group="*", scope="Cluster")]), [], id="a-scope-that-may-be"),
        pytest.param(policy(match={"objectSelector": TORN}), ["matches-nothing"], id="selector"),
        pytest.param(policy(match={"namespaceSelector": TORN}), ["matches-nothing"], id="namespace-selector"),
        pytest.param(policy(origins=["User", "Drain"]), ["origin-never-asks"], id="drains-write-no-vms"),
        pytest.param(policy(origins=["Drain"], rules=[rule("CREATE", resource=VMIMS)]), [], id="drains-migrate"),
        pytest.param(
            policy(origins=["User", "WorkloadUpdate"], rules=[rule("DELETE", resource=VMIMS)]),
            ["origin-never-asks"],
            id="updates-delete-no-migrations",
        ),
        pytest.param(policy(origins=["User", "Drain"], rules=[rule("*", resource="*", group="*")]), [], id="wildcard"),
    ],
)
def test_a_policy_matches_something(document: Json, expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, document) == expected


@pytest.mark.parametrize(
    ("expression", "met"),
    [
        pytest.param("request.operation == 'DELETE'", False, id="operation-that-is-not-matched"),
        pytest.param("request.operation != 'DELETE'", True, id="operation"),
        pytest.param("request.operation in ['DELETE', 'CONNECT']", False, id="operations-in-a-list"),
        pytest.param("request.operation in ['DELETE', 'UPDATE']", True, id="one-of-a-list"),
        pytest.param("request.resource.resource == 'virtualmachine'", False, id="misspelt-resource"),
        pytest.param("request.resource.resource.startsWith('virtual')", True, id="prefix"),
        pytest.param("request.kind.kind == 'VirtualMachin'", False, id="misspelt-kind"),
        pytest.param("request.subResource == 'status'", False, id="subresource"),
        pytest.param("vmi.critical && !vmi.critical", False, id="contradiction"),
        pytest.param("object != null", True, id="object"),
        pytest.param("object == null", False, id="no-object"),
        pytest.param("request.kind.version == 'v1'", True, id="version-is-open"),
        pytest.param("vmi.phase == 'a' && vmi.phase == 'b'", False, id="two-values-at-once"),
        pytest.param("request.name.matches('^DELETE$')", True, id="unknown-function"),
    ],
)
def test_a_condition_can_be_met(expression: str, met: bool, tmp_path: Path) -> None:
    found = rules_of(tmp_path, policy(matchConditions=condition(expression)))
    assert ("condition-never-true" not in found) is met


def test_origins_decide_conditions_too(tmp_path: Path) -> None:
    conditions = condition("requester.origin == 'Operator'")
    assert rules_of(tmp_path, policy(matchConditions=conditions)) == []
    assert rules_of(tmp_path, policy(matchConditions=conditions, origins=["User"])) == ["condition-never-true"]


def test_conditions_are_met_together(tmp_path: Path) -> None:
    conditions = [*condition("vmi.migratable || vmi.found"), {"name": "d", "expression": "!vmi.migratable"}]
    assert rules_of(tmp_path, policy(matchConditions=conditions)) == []
    conditions += [{"name": "e", "expression": "!vmi.found"}]
    found = findings(tmp_path, policy(matchConditions=conditions))
    assert [one.message for one in found] == ["the conditions are never met together"]


@pytest.mark.parametrize(
    ("match", "reached"),
    [
        pytest.param({}, True, id="everywhere"),
        pytest.param({"namespaceSelector": {"matchLabels": {"env": "prod"}}}, True, id="by-namespace"),
        pytest.param({"resourceRules": [rule("UPDATE")]}, True, id="narrower"),
        pytest.param({"resourceRules": [rule("*", resource="*", group="*")]}, True, id="wider"),
        pytest.param({"resourceRules": [rule("DELETE")]}, False, id="another-operation"),
        pytest.param({"resourceRules": [rule("*", resource="virtualmachines/status")]}, False, id="another-part"),
        pytest.param({"resourceRules": [rule("*", resource="pods", group="")]}, False, id="another-resource"),
        pytest.param({"excludeResourceRules": [rule("*")]}, False, id="excluded"),
    ],
)
def test_a_binding_reaches_its_policy(match: Json, reached: bool, tmp_path: Path) -> None:
    found = rules_of(tmp_path, policy(), binding(matchResources=match))
    assert found == ([] if reached else ["binding-never-matches"])


@pytest.mark.parametrize(
    ("selector", "key"),
    [
        ({}, ""),
        ({"matchLabels": {"a": "1"}}, ""),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "2"]}]}, ""),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "a", "operator": "In", "values": ["2"]}]}, "a"),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, "a"),
        ({"matchLabels": {"a": "1"}, "matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["2"]}]}, ""),
        ({"matchExpressions": [{"key": "b", "operator": "Exists"}, {"key": "b", "operator": "DoesNotExist"}]}, "b"),
        ({"matchExpressions": [{"key": "b", "operator": "NotIn", "values": ["1"]}]}, ""),
    ],
)
def test_a_selector_contradicts_itself(selector: dict[str, Any], key: str) -> None:
    assert contradiction(selector) == key
