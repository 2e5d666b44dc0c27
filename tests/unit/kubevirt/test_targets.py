"""Target nodes of a migration, with free memory. Sources: domain.md sections d and f; Kubernetes noderesources."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import Json, context, create, launcher, node, pod, quota, vmi, vmim
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.memory import GIB
from webhook.kubevirt.resources import POD, VMIM
from webhook.model.facts import Deadline, FactContext, RecordingView

ASKED = create(VMIM, vmim())
VM = [vmi(node="n0"), launcher(node="n0", memory="8Gi"), node("n0")]
"""A VM that asks for 8Gi, and its node."""


def read(found: FactContext, name: str) -> Any:
    return FACTS[f"capacity.{name}"].resolve(found)


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([], [], id="domain.md-d-the-source-alone"),
        pytest.param([node("a"), node("b")], ["a", "b"], id="ordered-by-name"),
        pytest.param([node("a", cordoned=True), node("b")], ["b"], id="only-fit-ones"),
        pytest.param([node("a", memory="8Gi")], ["a"], id="noderesources-just-enough"),
        pytest.param([node("a", memory="8Gi"), pod(node="a", memory="1")], [], id="noderesources-one-byte-short"),
        pytest.param(
            [node("a", memory="8Gi"), pod(node="a", memory="1Gi", phase="Succeeded")],
            ["a"],
            id="finished-pods-hold-nothing",
        ),
        pytest.param([{**node("a"), "status": {}}], ["a"], id="allocatable-that-is-not-known-counts-as-room"),
        pytest.param([node(f"t{number:02}") for number in range(12)], [f"t{n:02}" for n in range(10)], id="first-ten"),
    ],
)
def test_targets_are_fit_and_have_room_for_the_vms_request(nodes: list[Json], expected: list[str]) -> None:
    found = context(ASKED, *VM, *nodes)
    assert read(found, "targets") == expected
    assert read(found, "targetCount") >= len(expected)


def test_all_targets_are_counted_and_those_without_room_too_if_memory_does_not_matter() -> None:
    found = context(ASKED, *VM, *(node(f"t{number}") for number in range(12)), node("small", memory="1Gi"))
    assert (read(found, "targetCount"), read(found, "targetCountIgnoringMemory")) == (12, 13)


def test_it_stops_looking_at_pods_once_ten_targets_are_found() -> None:
    found = context(ASKED, *VM, *(node(f"t{number:03}") for number in range(100)))
    view = RecordingView(found.view)
    found = replace(found, view=view)
    read(found, "targets"), read(found, "obstacles")
    assert sum(1 for each in view.reads if each.watched is POD and each.key.startswith("t")) == 10


@pytest.mark.parametrize(
    ("nodes", "expected"),
    [
        pytest.param([node("a")], ["1 node is where the VM runs now"], id="one"),
        pytest.param(
            [node("a", cordoned=True), node("b", cordoned=True), node("c", ready="False")],
            ["2 nodes are cordoned", "1 node is not ready", "1 node is where the VM runs now"],
            id="most-first",
        ),
        pytest.param(
            [node("a", labels={"kubevirt.io/schedulable": ""})],
            ["1 node takes no VMs (label kubevirt.io/schedulable is not true)", "1 node is where the VM runs now"],
            id="no-virt-handler",
        ),
        pytest.param(
            [node("a", taints=[{"key": "{x}", "value": "y", "effect": "NoExecute"}])],
            ["1 node is where the VM runs now", "1 node has taint {x}=y:NoExecute, which the VM does not tolerate"],
            id="taint",
        ),
        pytest.param(
            [node("a", memory="3Gi")],
            ["1 node is where the VM runs now", "1 node has too little free memory (needs 8Gi, has 3Gi)"],
            id="memory",
        ),
        pytest.param(
            [node("a", memory="3Gi"), node("b", memory="9Gi"), pod(node="b", memory="5Gi"), node("c", cordoned=True)],
            [
                "1 node is cordoned",
                "1 node is where the VM runs now",
                "2 nodes have too little free memory (needs 8Gi, the most that one has is 4Gi)",
            ],
            id="memory-of-several",
        ),
        pytest.param(
            [node("a", memory="3Gi"), node("b")], ["1 node is where the VM runs now"], id="memory-does-not-matter"
        ),
    ],
)
def test_obstacles_count_nodes_by_cause(nodes: list[Json], expected: list[str]) -> None:
    found = context(ASKED, *VM, *nodes)
    assert read(found, "obstacles") == expected
    assert sum(cause["count"] for cause in read(found, "causes")) <= len(nodes) + 1


def test_rare_causes_are_summed_up() -> None:
    tainted = [node(f"t{number:02}", taints=[{"key": f"k{number:02}", "effect": "NoSchedule"}]) for number in range(12)]
    found = context(ASKED, *VM, *tainted)
    assert len(read(found, "obstacles")) == 11
    assert read(found, "obstacles")[-1] == "3 nodes fall out for other reasons"
    assert read(found, "causes")[-1] == {"code": "other", "count": 3, "about": "", "needs": "", "most": ""}


@pytest.mark.parametrize(
    ("objects", "known"),
    [
        pytest.param(VM, True, id="its-node-is-known"),
        pytest.param(VM[:2], False, id="no-nodes"),
        pytest.param([*VM[:2], node("other")], False, id="its-node-is-not-among-them"),
        pytest.param([node("n0")], False, id="no-such-VM"),
        pytest.param([vmi(node="", phase="Scheduling"), node("n0")], False, id="domain.md-d-a-VM-without-a-node"),
        pytest.param(
            [vmi(node="n0"), {**node("n0"), "metadata": {"name": "n0"}}], False, id="not-labelled-by-virt-handler"
        ),
    ],
)
def test_targets_are_known_where_the_vms_node_is(objects: list[Json], known: bool) -> None:
    assert read(context(ASKED, *objects), "targetsKnown") is known


def test_without_a_vm_there_is_nothing_to_say() -> None:
    found = context(ASKED, node("a"))
    assert [read(found, name) for name in ("targets", "targetCount", "obstacles", "causes")] == [[], 0, [], []]
    assert FACTS["vmi.memoryRequestBytes"].resolve(found) == 0


def test_the_vms_own_request_is_given() -> None:
    assert FACTS["vmi.memoryRequestBytes"].resolve(context(ASKED, *VM)) == 8 * GIB


@pytest.mark.parametrize("name", ["targets", "targetCount", "obstacles"])
def test_it_is_given_up_when_the_time_is_over(name: str) -> None:
    late = replace(context(ASKED, *VM, node("a")), deadline=Deadline.after(-1))
    with pytest.raises(FactUnavailable, match="used up"):
        read(late, name)


NODES = st.lists(
    st.builds(
        lambda memory, cordoned, ready, zone: {
            "memory": str(memory), "cordoned": cordoned, "ready": ready, "labels": {"zone": zone}
        },
        st.integers(0, 2**35), st.booleans(), st.sampled_from(["True", "False"]), st.sampled_from(["a", "b"]),
    ),
    max_size=5,
)  # fmt: skip


@given(NODES, NODES, st.dictionaries(st.just("zone"), st.sampled_from(["a", "b"])))
def test_a_further_node_never_lowers_the_number_of_targets(some: Any, more: Any, selector: Any) -> None:
    machine = [vmi(node="n0", spec={"nodeSelector": selector}), launcher(node="n0", memory="8Gi"), node("n0")]
    fewer = [node(f"a{number}", **fields) for number, fields in enumerate(some)]
    further = [node(f"b{number}", **fields) for number, fields in enumerate(more)]
    before, after = context(ASKED, *machine, *fewer), context(ASKED, *machine, *fewer, *further)
    for name in ("targetCount", "targetCountIgnoringMemory"):
        assert read(before, name) <= read(after, name) <= len(some) + len(more)
    assert (read(after, "targets") == []) is (read(after, "targetCount") == 0)


@given(NODES, st.lists(st.tuples(st.integers(0, 4), st.integers(0, 2**35)), max_size=6))
def test_every_node_is_a_target_or_has_a_cause(nodes: Any, pods: Any) -> None:
    made = [node(f"a{number}", **fields) for number, fields in enumerate(nodes)]
    running = [pod(f"p{number}", node=f"a{on}", memory=str(size)) for number, (on, size) in enumerate(pods)]
    found = context(ASKED, *VM, *made, *running)
    causes = {cause["code"]: cause["count"] for cause in read(found, "causes")}
    hard = sum(count for code, count in causes.items() if code != "memory")
    assert hard + read(found, "targetCountIgnoringMemory") == len(nodes) + 1
    assert ("memory" in causes) is (read(found, "targetCountIgnoringMemory") > 0 and not read(found, "targets"))


ODD: st.SearchStrategy[Any] = (
    st.none() | st.booleans() | st.integers() | st.text(max_size=3) | st.just([1]) | st.just([{}]) | st.just({"a": 1})
)


@st.composite
def odd_objects(draw: st.DrawFn) -> list[Json]:
    """The objects around a VM, in each of which something is not as it should be."""

    def mangle(part: Any) -> Any:
        if isinstance(part, dict) and part:
            key = draw(st.sampled_from(sorted(part)))
            return {**part, key: mangle(part[key])}
        if isinstance(part, list) and part:
            return [mangle(part[0]), *part[1:]]
        return draw(ODD)

    tainted = node("a", taints=[{"key": "gpu", "effect": "NoSchedule"}])
    tolerant = vmi(node="n0", spec={"tolerations": [{"key": "gpu"}], "nodeSelector": {"zone": "a"}})
    around = [tolerant, launcher(node="n0", nodeSelector={"kubevirt.io/sev": "true"}), node("n0"), tainted, node("b")]
    around.append(quota({"requests.memory": "1Gi"}, {"requests.memory": "1Gi"}, scopes=["NotTerminating"]))
    fixed = {"apiVersion", "kind", "metadata"}
    return [{**found, **mangle({key: part for key, part in found.items() if key not in fixed})} for found in around]


@given(odd_objects())
def test_odd_objects_break_no_fact(objects: list[Json]) -> None:
    found = context(ASKED, *objects)
    known = {"bool": bool, "int": int, "string": str, "list(string)": list, "list(map)": list}
    for name, fact in FACTS.items():
        if name.startswith(("capacity.", "vmi.memory", "migration.data", "migration.allowed")):
            assert isinstance(fact.resolve(found), known[fact.cel_type]), name
