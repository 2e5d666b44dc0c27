"""Source: KubeVirt pkg/virt-controller/watch/migration/migrationpolicy.go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import migration_policy
from webhook.kubevirt.migrationfields import DEFAULTS, Setting
from webhook.kubevirt.migrationpolicy import MigrationPolicy, best_match, overlay

VMI = {"app": "db", "tier": "gold", "kubevirt.io/nodeName": "node01"}
NAMESPACE = {"env": "prod", "team": "a"}


def policy(name: str, vmi: Any = None, namespace: Any = None) -> MigrationPolicy:
    selectors = {"virtualMachineInstanceSelector": vmi, "namespaceSelector": namespace}
    given_ones = {key: labels for key, labels in selectors.items() if labels is not None}
    return MigrationPolicy.read(migration_policy(name, selectors=given_ones))


@pytest.mark.parametrize(
    ("policies", "winner"),
    [
        pytest.param([], None, id="matchPolicy-no-policies"),
        pytest.param([policy("a", {"app": "db"})], "a", id="countMatchingLabels-vmi-label"),
        pytest.param([policy("a", {"app": "web"})], None, id="countMatchingLabels-other-value"),
        pytest.param([policy("a", {"app": "db", "x": "y"})], None, id="countMatchingLabels-all-pairs-must-match"),
        pytest.param([policy("a", None, {"env": "prod"})], "a", id="countMatchingLabels-namespace-label"),
        pytest.param(
            [policy("a", {"app": "db"}, {"env": "test"})], None, id="countMatchingLabels-both-selectors-must-match"
        ),
        pytest.param([policy("a", {})], "a", id="countMatchingLabels-empty-selectors-match-all"),
        pytest.param(
            [MigrationPolicy.read(migration_policy("a"))], None, id="countMatchingLabels-nil-selectors-match-nothing"
        ),
        pytest.param([policy("a", {}), policy("b", {"app": "db"})], "b", id="greaterThan-more-pairs-win"),
        pytest.param(
            [policy("a", {"app": "db"}), policy("b", {"app": "db"}, {"env": "prod"})],
            "b",
            id="greaterThan-the-total-counts",
        ),
        pytest.param(
            [policy("a", None, {"env": "prod"}), policy("b", {"app": "db"})],
            "b",
            id="greaterThan-on-a-tie-more-vmi-pairs-win",
        ),
        pytest.param(
            [policy("a", None, {"env": "prod", "team": "a"}), policy("b", {"app": "db"})],
            "a",
            id="greaterThan-total-before-vmi-pairs",
        ),
        pytest.param(
            [policy("b", {"app": "db"}), policy("a", {"tier": "gold"})], "a", id="matchPolicy-then-the-smallest-name"
        ),
        pytest.param(
            [policy("p2", {"app": "db"}), policy("p10", {"app": "db"})],
            "p10",
            id="matchPolicy-byte-order-p10-before-p2",
        ),
        pytest.param(
            [policy("a.z", {}), policy("a-z", {}), policy("b", {})], "a-z", id="matchPolicy-byte-order-dash-before-dot"
        ),
        pytest.param(
            [MigrationPolicy.read(migration_policy("a", selectors={"virtualMachineInstanceSelector": None}))],
            "a",
            id="countMatchingLabels-a-nil-selector-selects-all",
        ),
        pytest.param(
            [policy("B", {"app": "db"}), policy("a", {"app": "db"})], "B", id="matchPolicy-byte-order-capitals-first"
        ),
        pytest.param(
            [policy("a", {"app": "db", "tier": "tin"}), policy("b", {})],
            "b",
            id="countMatchingLabels-a-policy-that-misses-one-pair-scores-nothing",
        ),
        pytest.param(
            [policy("a", {"kubevirt.io/nodeName": "node01"})], "a", id="matchPolicy-system-labels-can-be-selected-on"
        ),
    ],
)
def test_one_policy_wins_by_score_then_name(policies: list[MigrationPolicy], winner: str | None) -> None:
    found = best_match(policies, VMI, NAMESPACE)
    assert (found.name if found else None) == winner


def test_a_vmi_without_any_label_matches_every_policy_with_selectors() -> None:
    narrow = policy("narrow", {"app": "web"}, {"env": "test"})
    assert best_match([narrow], {}, NAMESPACE) is narrow


UNSAFE = {
    **DEFAULTS,
    "allowPostCopy": Setting(value=True, source="KubeVirt CR"),
    "allowWorkloadDisruption": Setting(value=True, source="KubeVirt CR"),
}


@pytest.mark.parametrize(
    ("spec", "post_copy", "disruption"),
    [
        pytest.param({}, True, True, id="applyMigrationPolicySpec-silent-policy-keeps-the-clusters-value"),
        pytest.param(
            {"allowPostCopy": False}, False, False, id="applyMigrationPolicySpec-disruption-follows-post-copy"
        ),
        pytest.param(
            {"allowPostCopy": False, "allowWorkloadDisruption": True},
            False,
            True,
            id="applyMigrationPolicySpec-both-set",
        ),
        pytest.param({"allowWorkloadDisruption": False}, True, False, id="applyMigrationPolicySpec-disruption-alone"),
        pytest.param({"allowPostCopy": None}, True, True, id="setIfNotNil-null-sets-nothing"),
        pytest.param({"allowPostCopy": "false"}, True, True, id="setIfNotNil-a-string-sets-nothing"),
        pytest.param(
            {"allowPostCopy": False, "allowWorkloadDisruption": None},
            False,
            False,
            id="applyMigrationPolicySpec-null-disruption-follows",
        ),
    ],
)
def test_a_policy_overrides_only_what_it_sets(spec: dict[str, Any], post_copy: bool, disruption: bool) -> None:
    result = overlay(UNSAFE, MigrationPolicy.read(migration_policy(selectors={}, **spec)))
    assert (result["allowPostCopy"].value, result["allowWorkloadDisruption"].value) == (post_copy, disruption)


def test_values_of_a_policy_name_it_as_their_source() -> None:
    found = MigrationPolicy.read(
        migration_policy("fast", selectors={}, bandwidthPerMigration="64Mi", allowPostCopy=True)
    )
    result = overlay(DEFAULTS, found)
    assert result["bandwidthPerMigration"] == Setting(64 * 2**20, "MigrationPolicy fast")
    assert result["allowWorkloadDisruption"] == Setting(value=True, source="MigrationPolicy fast")
    assert result["progressTimeout"] == DEFAULTS["progressTimeout"]


def test_fields_that_a_policy_does_not_have_are_ignored() -> None:
    found = MigrationPolicy.read(migration_policy(selectors={}, disableTLS=True, network="fast"))
    assert overlay(DEFAULTS, found) == DEFAULTS


def test_experimental_options_merge_field_by_field() -> None:
    base = {**DEFAULTS, "experimental": Setting({"compression": "on", "stallDetector": {"a": 1, "b": 2}}, "x")}
    over = {"stallDetector": {"b": 3}, "compression": None}
    result = overlay(base, MigrationPolicy.read(migration_policy(selectors={}, experimental=over)))
    assert result["experimental"].value == {"compression": "on", "stallDetector": {"a": 1, "b": 3}}
