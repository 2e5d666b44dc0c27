"""Which MigrationPolicies may apply to a VM of whose labels some are not known yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import product
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import migration_policy
from webhook.kubevirt.migrationfields import DANGERS, DEFAULTS, DISABLE_TLS, POST_COPY, Setting, Settings
from webhook.kubevirt.migrationpolicy import MigrationPolicy, best_match, overlay
from webhook.kubevirt.policychoice import PolicyChoice

NODE, TARGET = "kubevirt.io/nodeName", "kubevirt.io/migrationTargetNodeName"
UNKNOWN = (NODE, TARGET)
Json = dict[str, Any]


def policy(name: str, of_vmi: Any = None, of_namespace: Any = None, **spec: Any) -> MigrationPolicy:
    selectors = {"virtualMachineInstanceSelector": of_vmi, "namespaceSelector": of_namespace}
    return MigrationPolicy.read(migration_policy(name, selectors=selectors, **spec))


def post_copy(policies: Sequence[MigrationPolicy], labels: Mapping[str, str], **around: str) -> tuple[str, str]:
    """The policy that applies, and what switches post-copy on."""
    found, settings = PolicyChoice.of(DEFAULTS, policies, UNKNOWN).choose(labels, around)
    return found.name if found else "", settings[POST_COPY].source if settings[POST_COPY].value is True else ""


ON: Json = {"allowPostCopy": True}
OFF: Json = {"allowPostCopy": False}
GUARD = policy("guard", {"app": "db"}, **OFF)


@pytest.mark.parametrize(
    ("policies", "expected"),
    [
        pytest.param([], ("", ""), id="no policies"),
        pytest.param([policy("all", **ON)], ("all", "MigrationPolicy all"), id="matchPolicy: empty selectors match"),
        pytest.param([policy("w1", {NODE: "w1"}, **ON)], ("", "MigrationPolicy w1"), id="on some node"),
        pytest.param(
            [GUARD, policy("0", {NODE: "w1"}, **ON)], ("guard", "MigrationPolicy 0"), id="a tie on that node, by name"
        ),
        pytest.param([GUARD, policy("w1", {NODE: "w1"}, **ON)], ("guard", ""), id="a tie on that node that is lost"),
        pytest.param(
            [GUARD, policy("w1", {NODE: "w1", "app": "db"}, **ON)],
            ("guard", "MigrationPolicy w1"),
            id="more pairs on that node",
        ),
        pytest.param(
            [policy("w1", {NODE: "w1"}, **ON), policy("0", {NODE: "w1"}, **OFF)], ("", ""), id="outranked on every node"
        ),
        pytest.param(
            [policy("both", {NODE: "w1", TARGET: "w2"}, **ON), policy("from", {NODE: "w1"}, {"env": "a"}, **OFF)],
            ("", "MigrationPolicy both"),
            id="two pairs of the VMI before one of each",
        ),
        pytest.param([policy("odd", {"app": "db", NODE: 1}, **ON)], ("", ""), id="a pair that no label can equal"),
        pytest.param([policy("odd", {"app": True}, **ON)], ("", ""), id="a known pair that no label can equal"),
        pytest.param([policy("odd", None, {"env": ["a"]}, **ON)], ("", ""), id="a pair that no namespace can have"),
        pytest.param([policy("odd", {"app": []}, **ON)], ("", ""), id="a pair that cannot be hashed"),
        pytest.param(
            [MigrationPolicy.read(migration_policy("none", **ON))], ("", ""), id="matchPolicy: no selectors, no match"
        ),
    ],
)
def test_a_policy_counts_where_its_own_pairs_would_make_it_win(
    policies: list[MigrationPolicy], expected: tuple[str, str]
) -> None:
    assert post_copy(policies, {"app": "db"}, env="a") == expected


def test_unknown_labels_that_the_vmi_bears_count_for_nothing() -> None:
    bound = policy("bound", {NODE: "w1"}, **OFF)
    cluster: Settings = {**DEFAULTS, POST_COPY: Setting(True, "the cluster")}
    found, settings = PolicyChoice.of(cluster, [bound], UNKNOWN).choose({NODE: "w1", TARGET: "w1"}, {})
    assert (found, settings[POST_COPY]) == (None, Setting(True, "the cluster"))


VALUES = st.sampled_from(["a", "b"])
KEYS = st.sampled_from(["app", "tier", NODE, TARGET])
PAIRS = st.dictionaries(KEYS, VALUES, max_size=3)
LABELS = st.dictionaries(KEYS, VALUES, max_size=4)
AROUND = st.dictionaries(st.sampled_from(["env", "team"]), VALUES, max_size=2)
SAID = st.fixed_dictionaries({}, optional={"allowPostCopy": st.booleans(), "allowWorkloadDisruption": st.booleans()})
MAYBE = st.booleans()


@st.composite
def arrangements(draw: st.DrawFn) -> list[MigrationPolicy]:
    names = draw(st.lists(st.sampled_from([f"p{number}" for number in range(12)] + ["a-z", "a.z"]), unique=True))
    return [policy(name, draw(PAIRS), draw(AROUND), **draw(SAID)) for name in names]


def brute_force(
    cluster: Settings, policies: Sequence[MigrationPolicy], labels: Mapping[str, str], around: Mapping[str, str]
) -> tuple[str, dict[str, set[str]]]:
    """Every pair of values against every policy: who applies elsewhere, and what may switch each danger on."""
    values = [*{policy.vmi_labels[key] for policy in policies for key in UNKNOWN if key in policy.vmi_labels}, "*"]
    sources: dict[str, set[str]] = {name: set() for name in DANGERS}
    for chosen in product(values, repeat=len(UNKNOWN)):
        there = overlay(cluster, best_match(policies, {**labels, **dict(zip(UNKNOWN, chosen, strict=True))}, around))
        for name in DANGERS:
            if there[name].value is True:
                sources[name].add(there[name].source)
    applies = best_match(policies, {**labels, **dict.fromkeys(UNKNOWN, "*")}, around)
    return applies.name if applies else "", sources


@given(arrangements(), LABELS, AROUND, MAYBE, MAYBE)
def test_what_is_found_in_one_pass_is_what_trying_everything_finds(
    policies: list[MigrationPolicy], labels: dict[str, str], around: dict[str, str], allowed: bool, plain: bool
) -> None:
    cluster: Settings = {**DEFAULTS, POST_COPY: Setting(allowed, "it"), DISABLE_TLS: Setting(plain, "it")}
    applies, sources = brute_force(cluster, policies, labels, around)
    found, settings = PolicyChoice.of(cluster, policies, UNKNOWN).choose(labels, around)
    assert (found.name if found else "") == applies
    for name in DANGERS:
        assert (settings[name].value is True) == bool(sources[name]), name
        assert settings[name].value is not True or settings[name].source in sources[name], name
