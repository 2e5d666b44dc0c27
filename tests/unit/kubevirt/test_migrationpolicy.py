"""Source: KubeVirt pkg/virt-controller/watch/migration/migrationpolicy.go."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

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
        pytest.param([], None, id="no policies"),
        pytest.param([policy("a", {"app": "db"})], "a", id="VMI label"),
        pytest.param([policy("a", {"app": "web"})], None, id="other value"),
        pytest.param([policy("a", {"app": "db", "x": "y"})], None, id="all pairs must match"),
        pytest.param([policy("a", None, {"env": "prod"})], "a", id="namespace label"),
        pytest.param([policy("a", {"app": "db"}, {"env": "test"})], None, id="both selectors must match"),
        pytest.param([policy("a", {})], "a", id="empty selectors match all"),
        pytest.param([MigrationPolicy.read(migration_policy("a"))], None, id="no selectors block matches nothing"),
        pytest.param([policy("a", {}), policy("b", {"app": "db"})], "b", id="more pairs win"),
        pytest.param([policy("a", {"app": "db"}), policy("b", {"app": "db"}, {"env": "prod"})], "b", id="total counts"),
        pytest.param(
            [policy("a", None, {"env": "prod"}), policy("b", {"app": "db"})], "b", id="on a tie more VMI pairs win"
        ),
        pytest.param(
            [policy("a", None, {"env": "prod", "team": "a"}), policy("b", {"app": "db"})],
            "a",
            id="total before VMI pairs",
        ),
        pytest.param([policy("b", {"app": "db"}), policy("a", {"tier": "gold"})], "a", id="then the smallest name"),
        pytest.param([policy("p2", {"app": "db"}), policy("p10", {"app": "db"})], "p10", id="p10 before p2"),
        pytest.param([policy("a.z", {}), policy("a-z", {}), policy("b", {})], "a-z", id="dash before dot"),
        pytest.param([policy("a", {"kubevirt.io/nodeName": "node01"})], "a", id="system labels can be selected on"),
    ],
)
def test_one_policy_wins_by_score_then_name(policies: list[MigrationPolicy], winner: str | None) -> None:
    found = best_match(policies, VMI, NAMESPACE)
    assert (found.name if found else None) == winner


def test_a_vmi_without_any_label_matches_every_policy_with_selectors() -> None:
    narrow = policy("narrow", {"app": "web"}, {"env": "test"})
    assert best_match([narrow], {}, NAMESPACE) is narrow


def naive(policies: list[dict[str, Any]], vmi: dict[str, str], namespace: dict[str, str]) -> str | None:
    """KubeVirt's matchPolicy, step by step: counting, filtering, then picking by name."""
    matching = []
    for found in policies:
        selectors = found["spec"].get("selectors")
        if selectors is None:
            continue
        vmi_pairs, namespace_pairs = selectors["virtualMachineInstanceSelector"], selectors["namespaceSelector"]
        counted = [0, 0]
        matches = True
        if vmi:
            for place, (pairs, labels) in enumerate([(vmi_pairs, vmi), (namespace_pairs, namespace)]):
                for key in pairs:
                    if key in labels and labels[key] == pairs[key]:
                        counted[place] += 1
                    else:
                        matches = False
        if matches:
            matching.append((counted[0] + counted[1], counted[0], found["metadata"]["name"]))
    best = max((total for total, _, _ in matching), default=0)
    matching = [entry for entry in matching if entry[0] == best]
    most_vmi = max((pairs for _, pairs, _ in matching), default=0)
    names = [name for _, pairs, name in matching if pairs == most_vmi]
    return min(names) if names else None


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
POLICIES = st.lists(
    st.one_of(
        st.none(), st.fixed_dictionaries({"virtualMachineInstanceSelector": LABELS, "namespaceSelector": LABELS})
    ),
    max_size=8,
)


@given(POLICIES, LABELS, LABELS, st.randoms())
def test_matching_agrees_with_a_naive_reading_of_kubevirt(
    selectors: list[Any], vmi: dict[str, str], namespace: dict[str, str], random: Any
) -> None:
    policies = [migration_policy(f"p{number}", selectors=found) for number, found in enumerate(selectors)]
    random.shuffle(policies)
    found = best_match([MigrationPolicy.read(each) for each in policies], vmi, namespace)
    assert (found.name if found else None) == naive(policies, vmi, namespace)


UNSAFE = {
    **DEFAULTS,
    "allowPostCopy": Setting(value=True, source="KubeVirt CR"),
    "allowWorkloadDisruption": Setting(value=True, source="KubeVirt CR"),
}


@pytest.mark.parametrize(
    ("spec", "post_copy", "disruption"),
    [
        pytest.param({}, True, True, id="silent policy keeps the cluster's value"),
        pytest.param({"allowPostCopy": False}, False, False, id="disruption follows post-copy"),
        pytest.param({"allowPostCopy": False, "allowWorkloadDisruption": True}, False, True, id="both set"),
        pytest.param({"allowWorkloadDisruption": False}, True, False, id="disruption alone"),
        pytest.param({"allowPostCopy": None}, True, True, id="null sets nothing"),
        pytest.param({"allowPostCopy": "false"}, True, True, id="a string sets nothing"),
        pytest.param({"allowPostCopy": False, "allowWorkloadDisruption": None}, False, False, id="null follows"),
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
