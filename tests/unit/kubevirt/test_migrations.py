"""Which migrations exist and how many are in flight. Source: domain.md §a; KubeVirt pkg/virt-controller/watch."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import Json, context, create, delete, someone, update, vmi, vmim
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.indexkeys import FINAL_PHASES
from webhook.kubevirt.migrations import WAITING_PHASES, made_by, moment
from webhook.kubevirt.resources import VM, VMI, VMIM
from webhook.model.facts import Deadline, FactContext

DRAINING = {"kubevirt.io/evacuationMigration": "node01"}
UPDATING = {"kubevirt.io/workloadUpdateMigration": ""}


def stamped(origin: str, by: str = "alice") -> dict[str, str]:
    return {"migguard.io/origin": origin, "migguard.io/requested-by": by}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"migrations.{name}"].resolve(found)


def migration(
    name: str,
    namespace: str = "prod",
    *,
    vmi_name: str = "db",
    phase: str = "Running",
    annotations: Mapping[str, str] | None = None,
    created: str = "",
    state: Json | None = None,
) -> Json:
    made = vmim(name, namespace, vmi_name=vmi_name, annotations=annotations)
    made["metadata"]["creationTimestamp"] = created or None
    return {**made, "status": {"phase": phase, "migrationState": state}}


@pytest.mark.parametrize(
    ("annotations", "origin"),
    [
        pytest.param({}, "User", id="domain.md §a: no mark is a person or virtctl"),
        pytest.param(DRAINING, "Drain", id="evacuation.go GenerateNewMigration"),
        pytest.param(UPDATING, "WorkloadUpdate", id="workload-updater.go"),
        pytest.param(stamped("Drain"), "Drain", id="a stamp"),
        pytest.param(stamped("VirtAPI"), "VirtAPI", id="a stamp of virt-api"),
        pytest.param(stamped("OtherSystem"), "OtherSystem", id="a stamp of another system component"),
        pytest.param(stamped("User") | DRAINING, "User", id="a stamp counts before a mark"),
        pytest.param(stamped("King") | DRAINING, "Drain", id="a stamp that migguard never writes counts for nothing"),
        pytest.param({"migguard.io/origin": 7}, "User", id="a stamp that is no text"),
        pytest.param({"kubevirt.io/evacuationMigration": None}, "User", id="a mark that is no text"),
    ],
)
def test_who_made_a_migration(annotations: Any, origin: str) -> None:
    assert made_by(vmim(annotations=annotations)) == origin


@pytest.mark.parametrize("broken", [{}, {"metadata": None}, {"metadata": {"annotations": []}}], ids=str)
def test_a_migration_without_metadata_is_somebodys(broken: Json) -> None:
    assert made_by(broken) == "User"


@pytest.mark.parametrize(
    ("written", "read"),
    [
        pytest.param("2026-03-02T12:00:00Z", "2026-03-02T12:00:00Z", id="as Kubernetes writes it"),
        pytest.param("2026-03-02T21:00:00.25+09:00", "2026-03-02T12:00:00Z", id="another offset"),
        pytest.param("2026-03-02T12:00:00", "", id="without an offset"),
        pytest.param("0001-01-01T00:00:00+09:00", "", id="before all time"),
        pytest.param("soon", "", id="no time"),
        pytest.param("", "", id="nothing"),
    ],
)
def test_times_are_read_for_cel(written: str, read: str) -> None:
    assert moment(written) == read


@given(st.text(max_size=30) | st.datetimes(timezones=st.timezones()).map(lambda found: found.isoformat()))
def test_any_text_is_a_time_or_none(written: str) -> None:
    assert moment(written) == "" or moment(moment(written)) == moment(written)


HISTORY = (
    migration("old", phase="Succeeded", created="2026-03-02T08:00:00Z", annotations=stamped("User", "bob")),
    migration(
        "failed",
        phase="Failed",
        created="2026-03-02T10:00:00Z",
        annotations=DRAINING,
        state={"endTimestamp": "2026-03-02T10:05:00Z", "failureReason": "no space"},
    ),
    migration("now", phase="Scheduling", created="2026-03-02T11:00:00Z", annotations=stamped("User")),
    migration("unknown", phase=""),
    migration("elsewhere", vmi_name="web"),
    migration("namesake", "test"),
)


@pytest.mark.parametrize(
    "asked",
    [
        pytest.param(create(VMIM, vmim("next")), id="a VMIM is created"),
        pytest.param(create(VMIM, vmim("next"), version="v1alpha3"), id="a VMIM of v1alpha3"),
        pytest.param(delete(VMIM, HISTORY[2]), id="a VMIM is deleted"),
        pytest.param(update(VMI, vmi(), vmi()), id="the VMI itself is changed"),
    ],
)
def test_the_migrations_of_a_vm_are_listed_newest_first(asked: Any) -> None:
    found = context(asked, *HISTORY)
    assert [one["name"] for one in ask("ofVM", found)] == ["now", "failed", "old", "unknown"]
    assert ask("unfinishedOfVM", found) == ["now", "unknown"]


def test_each_is_described_in_full() -> None:
    _, failed, *_ = ask("ofVM", context(create(VMIM, vmim()), *HISTORY))
    assert failed == {
        "name": "failed",
        "origin": "Drain",
        "requestedBy": "",
        "phase": "Failed",
        "created": "2026-03-02T10:00:00Z",
        "ended": "2026-03-02T10:05:00Z",
        "failed": True,
        "failureReason": "no space",
    }


def test_a_vm_that_never_moved_has_none() -> None:
    found = context(create(VMIM, vmim(vmi_name="fresh")), *HISTORY)
    assert ask("ofVM", found) == ask("unfinishedOfVM", found) == []


@pytest.mark.parametrize("vmi_name", ["", None, 7], ids=str)
def test_a_request_that_names_no_vm_has_none(vmi_name: Any) -> None:
    assert ask("ofVM", context(create(VMIM, vmim(vmi_name=vmi_name)), *HISTORY)) == []


def test_however_many_there_are_ten_are_shown() -> None:
    many = [migration(f"m{number:03}", created=f"2026-03-02T10:{number % 60:02}:00Z") for number in range(60)]
    found = context(create(VMIM, vmim()), *many)
    assert [one["name"] for one in ask("ofVM", found)] == [f"m{number:03}" for number in range(59, 49, -1)]
    assert len(ask("unfinishedOfVM", found)) == 10


QUEUE = (
    migration("a1", phase="Running", annotations=stamped("User", "alice")),
    migration("a2", phase="Pending", annotations=stamped("User", "alice")),
    migration("b1", phase="Scheduled", annotations=stamped("User", "bob")),
    migration("d1", phase="TargetReady", annotations=DRAINING),
    migration("u1", phase="", annotations=UPDATING),
    migration("done", phase="Succeeded", annotations=stamped("User", "alice")),
    migration("a3", "test", phase="Synchronizing", annotations=stamped("User", "alice")),
    migration("c1", "test", phase="PreparingTarget", annotations=stamped("VirtAPI", "virt-api")),
    migration("n1", "test", phase="WaitingForSync"),
)


@pytest.mark.parametrize(
    ("name", "count"),
    [
        pytest.param("inFlight", 8, id="all that are not finished"),
        pytest.param("inFlightByPeople", 6, id="people's; without stamp or mark it is somebody's"),
        pytest.param("inNamespace", 5, id="of the namespace"),
        pytest.param("inNamespaceByPeople", 3, id="people's of the namespace"),
        pytest.param("byRequester", 3, id="of this requester, in all namespaces"),
        pytest.param("waiting", 5, id="types.go TargetIsHandedOff: those that are not"),
    ],
)
def test_what_is_in_flight_is_counted(name: str, count: int) -> None:
    assert ask(name, context(create(VMIM, vmim(), by=someone("alice")), *QUEUE)) == count


def test_who_fills_the_queue_is_named_those_with_most_first() -> None:
    found = context(create(VMIM, vmim()), *QUEUE)
    assert ask("holders", found) == [
        {"namespace": "prod", "requestedBy": "alice", "count": 2},
        {"namespace": "prod", "requestedBy": "bob", "count": 1},
        {"namespace": "test", "requestedBy": "", "count": 1},
        {"namespace": "test", "requestedBy": "alice", "count": 1},
        {"namespace": "test", "requestedBy": "virt-api", "count": 1},
    ]
    assert [one["requestedBy"] for one in ask("holdersInNamespace", found)] == ["alice", "bob"]


def test_ten_of_many_are_named() -> None:
    crowd = [migration("m", f"team-{number}", annotations=stamped("User", f"u{number}")) for number in range(30)]
    assert len(ask("holders", context(create(VMIM, vmim()), *crowd))) == 10


def test_a_requester_without_a_name_has_nobodys_migrations() -> None:
    assert ask("byRequester", context(create(VMIM, vmim(), by=someone("")), *QUEUE)) == 0


@pytest.mark.parametrize("name", ["inFlight", "inNamespaceByPeople", "waiting", "byRequester"])
def test_an_empty_cluster_has_none_in_flight(name: str) -> None:
    assert ask(name, context(create(VMIM, vmim()))) == 0


def test_counting_is_done_once_per_request() -> None:
    found = context(create(VMIM, vmim()), *QUEUE)
    assert ask("inFlight", found) == 8
    found.deadline = Deadline.after(-1)
    assert ask("waiting", found) == 5


def test_counting_ends_with_the_time() -> None:
    found = context(create(VMIM, vmim()), *QUEUE)
    found.deadline = Deadline.after(-1)
    with pytest.raises(FactUnavailable, match="all migrations were counted"):
        ask("inFlight", found)


def test_no_migration_is_both_waiting_and_over() -> None:
    assert not WAITING_PHASES & FINAL_PHASES


def test_of_a_vm_that_is_asked_about_its_migrations_are_known() -> None:
    asked = update(VM, {**vmi(), "kind": "VirtualMachine"}, {**vmi(), "kind": "VirtualMachine"})
    assert ask("unfinishedOfVM", context(asked, *HISTORY)) == ["now", "unknown"]
