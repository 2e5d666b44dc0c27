"""Which VMs a MigrationPolicy reaches: by index, and the same as by looking at every VM."""

# ruff: noqa: E501 - a case is one line

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import Json, context, create, delete, migration_policy, namespace, update, vm, vmi
from webhook.kubevirt.migrationpolicy import MigrationPolicy
from webhook.kubevirt.policyreach import FACTS, Reach, reach_of
from webhook.kubevirt.resources import KUBEVIRT, MIGRATION_POLICY
from webhook.model.objects import labels_of, namespace_of


def by(vmi_labels: Json | None = None, around: Json | None = None) -> Json:
    found = {"virtualMachineInstanceSelector": vmi_labels, "namespaceSelector": around}
    return {key: item for key, item in found.items() if item is not None}


PROD = namespace("prod", labels={"stage": "prod"})
DB = vmi("db", labels={"app": "db", "tier": "gold"})


def reach(selectors: Any, *objects: Json, name: str = "own") -> Reach:
    return reach_of(context(create(MIGRATION_POLICY, migration_policy(name, selectors=selectors)), *objects))


@pytest.mark.parametrize(
    ("selectors", "objects", "expected"),
    [
        pytest.param(by({"app": "db"}), [DB], Reach(), id="by-a-label"),
        pytest.param(by({"app": "db"}, {"stage": "prod"}), [DB], Reach(), id="by-both"),
        pytest.param(by(None, {"stage": "prod"}), [DB], Reach(), id="by-the-namespace"),
        pytest.param(by({}, {}), [DB], Reach(), id="by-nothing-is-everything"),
        pytest.param(by({"kubevirt.io/nodeName": "n"}), [vmi(labels={"kubevirt.io/nodeName": "n"})], Reach(), id="by-a-label-without-index"),
        pytest.param(by({"app": "web"}), [vm("web", template_labels={"app": "web"})], Reach(), id="by-a-template"),
        pytest.param(by(None, {"stage": "prod"}), [vm("web")], Reach(), id="a-template-by-the-namespace"),
        pytest.param(by({"app": "dbb"}), [DB], Reach(selects=False, applies=False), id="typo"),
        pytest.param(by({"app": "db"}, {"stage": "dev"}), [DB], Reach(selects=False, applies=False), id="typo-in-one"),
        pytest.param(by({"app": 7}), [DB], Reach(selects=False, applies=False), id="no-label-is-a-number"),
        pytest.param(None, [DB], Reach(selects=False, applies=False), id="no-selectors"),
        pytest.param(by({"app": "db"}), [], Reach(selects=False, applies=False), id="no-vm"),
        pytest.param(
            by({"app": "db"}),
            [vmi("db", labels={"app": "db"}, phase="Succeeded")],
            Reach(selects=False, applies=False),
            id="one-that-has-ended",
        ),
        pytest.param(
            by({"app": "db"}),
            [DB, migration_policy("closer", selectors=by({"app": "db", "tier": "gold"}))],
            Reach(applies=False, outranked=("closer",)),
            id="outranked",
        ),
        pytest.param(
            by(None, {"stage": "prod"}),
            [DB, migration_policy("of-vms", selectors=by({"app": "db"}))],
            Reach(applies=False, outranked=("of-vms",)),
            id="outranked-by-a-label-of-the-vm",
        ),
        pytest.param(
            by({"app": "db"}),
            [DB, vmi("other", labels={"app": "db"}), migration_policy("closer", selectors=by({"app": "db", "tier": "gold"}))],
            Reach(),
            id="outranked-for-one-of-two",
        ),
        pytest.param(
            by({"app": "db"}),
            [DB, migration_policy("a", selectors=by({"tier": "gold"})), migration_policy("z", selectors=by({"app": "db"}))],
            Reach(tied=("a", "z")),
            id="tied",
        ),
        pytest.param(
            by({"app": "db"}),
            [
                DB,
                migration_policy("a", selectors=by({"tier": "gold"})),
                migration_policy("closer", selectors=by({"app": "db", "tier": "gold"})),
            ],
            Reach(applies=False, outranked=("closer",)),
            id="a-tie-that-a-third-one-settles",
        ),
    ],
)  # fmt: skip
def test_what_a_policy_reaches(selectors: Any, objects: list[Json], expected: Reach) -> None:
    assert reach(selectors, PROD, *objects) == expected


def test_it_is_judged_as_it_is_after_the_write() -> None:
    old, new = (
        migration_policy("own", selectors=by({"app": "dbb"})),
        migration_policy("own", selectors=by({"app": "db"})),
    )
    assert reach_of(context(update(MIGRATION_POLICY, old, new), PROD, DB, old)) == Reach()
    assert not reach_of(context(update(MIGRATION_POLICY, new, old), PROD, DB, new)).selects


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(delete(MIGRATION_POLICY, migration_policy("own", selectors={})), id="deletion"),
        pytest.param(create(KUBEVIRT, {"metadata": {"name": "kubevirt"}}), id="another-kind"),
    ],
)
def test_of_other_requests_nothing_is_amiss(asked: Any) -> None:
    assert reach_of(context(asked, PROD, DB)) == Reach()


def test_the_facts_say_the_same() -> None:
    asked = create(MIGRATION_POLICY, migration_policy("own", selectors=by({"app": "db"})))
    found = context(asked, PROD, DB, migration_policy("z", selectors=by({"tier": "gold"})))
    assert {fact.name: fact.resolve(found) for fact in FACTS} == {
        "migrationPolicy.selectsVMs": True,
        "migrationPolicy.tiedWith": ["z"],
        "migrationPolicy.outrankedBy": [],
    }


LABELS = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xy"), max_size=3)
SELECTORS = st.none() | st.builds(by, st.none() | LABELS, st.none() | LABELS)


@given(
    own=SELECTORS,
    others=st.lists(SELECTORS, max_size=3),
    machines=st.lists(st.tuples(st.sampled_from(["one", "two"]), LABELS), max_size=4),
    around=st.tuples(LABELS, LABELS),
)
def test_it_is_what_looking_at_every_vm_gives(
    own: Any,
    others: list[Any],
    machines: list[tuple[str, dict[str, str]]],
    around: tuple[dict[str, str], dict[str, str]],
) -> None:
    spaces = {name: namespace(name, labels=labels) for name, labels in zip(("one", "two"), around, strict=True)}
    vmis = [
        vmi(f"vm-{number}", where, labels={**labels, "kubevirt.io/nodeName": "n"})  # none is without any label
        for number, (where, labels) in enumerate(machines)
    ]
    rivals = [migration_policy(f"p{number}", selectors=selectors) for number, selectors in enumerate(others)]
    written = migration_policy("own", selectors=own)
    policies = [MigrationPolicy.read(policy) for policy in (*rivals, written)]

    scores = [
        {policy.name: policy.score(labels_of(one), labels_of(spaces[namespace_of(one)])) for policy in policies}
        for one in vmis
    ]
    selected = [{name: score for name, score in one.items() if score} for one in scores if one["own"]]
    best = [{name for name, score in one.items() if score == max(one.values())} for one in selected]
    first = [names for names in best if "own" in names]
    found = reach(own, *spaces.values(), *vmis, *rivals)
    assert (found.selects, found.applies) == (bool(selected), bool(first))
    assert set(found.tied) == {name for names in first for name in names} - {"own"}
    assert set(found.outranked) == (set() if first else {name for names in best for name in names})
