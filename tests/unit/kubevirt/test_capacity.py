"""Spare memory for drains. Source: OpenShift Virtualization, "Live migration requirements"; domain.md section f."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import Json, context, create, kubevirt, launcher, node, pod, vmi
from webhook.errors import FactUnavailable
from webhook.kubevirt.capacity import capacity_of
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.memory import GIB, MIB
from webhook.kubevirt.resources import KUBEVIRT
from webhook.model.facts import Deadline, FactContext

ASKED = create(KUBEVIRT, kubevirt())
TAINT = {"key": "gpu", "effect": "NoSchedule"}


def vm_on(where: str, size: str, name: str = "db", **of_vmi: Any) -> list[Json]:
    """A VMI and its launcher pod."""
    return [vmi(name, node=where, **of_vmi), launcher(name, node=where, memory=size)]


def read(found: FactContext, *names: str) -> list[Any]:
    return [FACTS[f"capacity.{name}"].resolve(found) for name in names]


@pytest.mark.parametrize(
    ("objects", "largest_node", "largest"),
    [
        pytest.param([node("a"), node("b")], "", 0, id="domain.md-f-no-VMs"),
        pytest.param([node("a"), *vm_on("a", "9Gi")], "a", 9, id="domain.md-f-request-of-the-virt-launcher-pod"),
        pytest.param(
            [node("a"), node("b"), *vm_on("a", "9Gi"), *vm_on("b", "5Gi", "x"), *vm_on("b", "5Gi", "y")],
            "b",
            10,
            id="domain.md-f-highest-total-of-one-node",
        ),
        pytest.param(
            [node("a"), node("b"), *vm_on("a", "9Gi"), launcher(suffix="b", node="b", memory="12Gi")],
            "a",
            9,
            id="domain.md-f-during-a-migration-the-pod-on-the-VMIs-node",
        ),
        pytest.param(
            [node("a"), *vm_on("a", "9Gi"), pod("web", node="a", memory="20Gi")],
            "a",
            9,
            id="domain.md-f-other-pods-are-no-VMs",
        ),
        pytest.param(
            [node("a"), *vm_on("a", "9Gi", phase="Succeeded")], "", 0, id="types.go-IsFinal-a-VMI-that-has-ended"
        ),
        pytest.param(
            [node("a"), *vm_on("a", "9Gi"), *vm_on("gone", "90Gi", "x")], "a", 9, id="VMs-on-nodes-that-are-not-known"
        ),
        pytest.param([node("b"), node("a"), *vm_on("b", "1Gi"), *vm_on("a", "1Gi", "x")], "a", 1, id="first-of-equals"),
    ],
)
def test_the_largest_node_is_the_one_whose_vms_ask_for_most(
    objects: list[Json], largest_node: str, largest: int
) -> None:
    assert read(context(ASKED, *objects), "largestNode", "largestNodeBytes") == [largest_node, largest * GIB]


def test_a_vm_without_a_pod_is_estimated() -> None:
    domain = {"memory": {"guest": "8Gi"}, "cpu": {"cores": 1}, "devices": {"autoattachGraphicsDevice": False}}
    found = context(ASKED, node("a"), vmi(node="a", spec={"domain": domain}))
    assert read(found, "largestNodeBytes") == [8 * GIB + 256 * MIB]


@pytest.mark.parametrize(
    ("objects", "spare"),
    [
        pytest.param([node(memory="64Gi")], 64, id="domain.md-f-allocatable"),
        pytest.param([node("a", memory="64Gi"), node("b", memory="32Gi")], 96, id="domain.md-f-sum-over-nodes"),
        pytest.param(
            [node("a"), pod("x", node="a", memory="4Gi"), *vm_on("a", "9Gi")],
            51,
            id="domain.md-f-less-all-pod-requests",
        ),
        pytest.param(
            [node("a"), pod("x", node="a", memory="4Gi", phase="Failed")],
            64,
            id="predicates.go-finished-pods-hold-nothing",
        ),
        pytest.param([node("a"), pod("x", node="", memory="4Gi")], 64, id="a-pod-that-is-not-placed-yet"),
        pytest.param(
            [node("a", memory="8Gi"), node("b"), pod("x", node="a", memory="9Gi")],
            64,
            id="an-overfull-node-has-nothing",
        ),
        pytest.param([node("a"), node("b", cordoned=True)], 64, id="domain.md-f-cordoned-node"),
        pytest.param([node("a"), node("b", ready="Unknown")], 64, id="node-that-is-not-ready"),
        pytest.param(
            [node("a"), node("b", labels={"kubevirt.io/schedulable": "false"})], 64, id="heartbeat.go-schedulable-false"
        ),
        pytest.param([node("a"), node("b", taints=[TAINT])], 64, id="tainted-node-without-VMs"),
        pytest.param(
            [node("a"), node("b", taints=[TAINT]), *vm_on("b", "4Gi")], 124, id="tainted-node-that-VMs-tolerate"
        ),
        pytest.param(
            [node("a"), node("b", taints=[{"key": "gpu", "effect": "PreferNoSchedule"}])],
            128,
            id="taint-that-repels-nothing",
        ),
        pytest.param([node("a", memory="lots"), node("b")], 64, id="allocatable-that-is-no-quantity"),
    ],
)
def test_spare_is_what_the_nodes_that_take_vms_have_left(objects: list[Json], spare: int) -> None:
    assert read(context(ASKED, *objects), "spareBytes") == [spare * GIB]


@pytest.mark.parametrize(
    ("drains", "needed", "sufficient"),
    [
        pytest.param(1, 20, True, id="one-node-at-a-time"),
        pytest.param(3, 60, True, id="exactly-enough"),
        pytest.param(4, 80, False, id="one-too-many"),
    ],
)
def test_needed_is_parallel_drains_times_the_largest_node(drains: int, needed: int, sufficient: bool) -> None:
    objects = [node("a", memory="20Gi"), node("b", memory="60Gi"), *vm_on("a", "20Gi")]
    found = context(ASKED, *objects, parameters={"capacity": {"parallelDrains": drains}})
    assert read(found, "parallelDrains", "neededBytes", "sufficient") == [drains, needed * GIB, sufficient]


def test_sizes_are_given_as_people_read_them() -> None:
    found = context(
        ASKED, node("a", memory="64Gi"), *vm_on("a", "20Gi"), parameters={"capacity": {"parallelDrains": 2}}
    )
    assert read(found, "largestNodeSize", "neededSize", "spareSize") == ["20Gi", "40Gi", "44Gi"]


@pytest.mark.parametrize(
    ("objects", "known", "sufficient"),
    [
        pytest.param([], False, True, id="no-nodes"),
        pytest.param(
            [node("a", labels={"kubevirt.io/schedulable": "false"})], True, False, id="labelled-by-virt-handler"
        ),
        pytest.param([{**node("a"), "metadata": {"name": "a"}}], False, True, id="not-labelled-by-virt-handler"),
    ],
)
def test_without_a_node_that_virt_handler_labelled_nothing_is_said(
    objects: list[Json], known: bool, sufficient: bool
) -> None:
    assert read(context(ASKED, *objects, *vm_on("a", "9Gi")), "known", "sufficient") == [known, sufficient]


def test_a_large_cluster_is_given_up_when_the_time_is_over() -> None:
    late = replace(context(ASKED, node("a"), *vm_on("a", "9Gi")), deadline=Deadline.after(-1))
    with pytest.raises(FactUnavailable, match="the pods on node a were added up"):
        capacity_of(late)


def test_pods_and_vms_are_never_listed_whole() -> None:
    found = context(ASKED, node("a"), *vm_on("a", "9Gi"))
    capacity_of(found)
    assert set(found.view.listed) <= {"Node", "KubeVirt"}  # type: ignore[attr-defined]  # the fake notes it


NODES = st.lists(
    st.tuples(st.integers(0, 2**37), st.booleans(), st.booleans()).map(
        lambda drawn: {"memory": str(drawn[0]), "cordoned": drawn[1], "taints": [TAINT] if drawn[2] else []}
    ),
    min_size=1,
    max_size=4,
)
PODS = st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**37)), max_size=8)


@given(NODES, PODS, st.tuples(st.integers(0, 3), st.integers(0, 2**37)))
def test_spare_is_never_negative_and_never_grows_by_a_pod(nodes: Any, pods: Any, further: tuple[int, int]) -> None:
    made = [node(f"n{number}", **fields) for number, fields in enumerate(nodes)]
    running = [pod(f"p{number}", node=f"n{on}", memory=str(size)) for number, (on, size) in enumerate(pods)]
    before = capacity_of(context(ASKED, *made, *running))
    after = capacity_of(context(ASKED, *made, *running, pod("more", node=f"n{further[0]}", memory=str(further[1]))))
    assert 0 <= after.spare <= before.spare
    assert before.largest == after.largest == before.needed == 0


@given(NODES, st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2**37)), max_size=6), st.integers(1, 9))
def test_needed_is_at_least_what_any_node_runs(nodes: Any, vms: Any, drains: int) -> None:
    made = [node(f"n{number}", **fields) for number, fields in enumerate(nodes)]
    running = [each for number, (on, size) in enumerate(vms) for each in vm_on(f"n{on}", str(size), f"v{number}")]
    found = capacity_of(context(ASKED, *made, *running, parameters={"capacity": {"parallelDrains": drains}}))
    totals = {on: sum(size for where, size in vms if where == on) for on, _ in vms if on < len(nodes)}
    assert found.needed == drains * max(totals.values(), default=0)
