"""Which critical VMs a write makes worse off."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from tests.support.builders import (
    CRITICAL,
    context,
    create,
    delete,
    hyperconverged,
    kubevirt,
    migration_policy,
    namespace,
    request,
    update,
    vm,
    vmi,
    vmim,
)
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.policychoice import PolicyChoice
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.model.facts import Deadline, FactContext
from webhook.model.request import AdmissionRequest, Operation

ON: dict[str, Any] = {"allowPostCopy": True}
OFF: dict[str, Any] = {"allowPostCopy": False}
PATCH_ON = json.dumps([{"op": "add", "path": "/spec/configuration/migrations/allowPostCopy", "value": True}])
DB = vmi("db", labels={**CRITICAL, "app": "db"})
CLUSTER = "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy"
ALL: dict[str, Any] = {"virtualMachineInstanceSelector": {}}
GUARD = migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, **OFF)
BY_APP = {"virtualMachineInstanceSelector": {"app": "db"}}
IN_UPGRADES = {"virtualMachineInstanceSelector": {"kubevirt.io/outdatedLauncherImage": ""}}
LOOSE = migration_policy("loose", selectors={"virtualMachineInstanceSelector": {**CRITICAL, "loose": "yes"}})
NARROW = {"virtualMachineInstanceSelector": {"app": "db", **CRITICAL}}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"exposure.{name}"].resolve(found)


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    return vmi("db", labels=labels)


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), [DB], id="e10 HyperConverged v1beta1"
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF, version="v1"), hyperconverged(ON, version="v1"), version="v1"),
            [DB],
            id="e10 HyperConverged v1",
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(OFF, patch=PATCH_ON)),
            [DB],
            id="e9 jsonpatch annotation",
        ),
        pytest.param(create(HYPERCONVERGED, hyperconverged(ON)), [DB], id="e10 HyperConverged created"),
        pytest.param(update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), [DB], id="e11 KubeVirt CR"),
        pytest.param(create(KUBEVIRT, kubevirt(ON)), [DB], id="e11 KubeVirt CR created"),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors=ALL, **ON)),
            [DB],
            id="e12 MigrationPolicy with allowPostCopy",
        ),
        pytest.param(
            update(MIGRATION_POLICY, migration_policy(selectors=ALL, **OFF), migration_policy(selectors=ALL, **ON)),
            [DB, migration_policy(selectors=ALL, **OFF)],
            id="e12 MigrationPolicy switched on",
        ),
        pytest.param(
            update(
                MIGRATION_POLICY,
                migration_policy(selectors={"virtualMachineInstanceSelector": {"app": "web"}}, **ON),
                migration_policy(selectors=BY_APP, **ON),
            ),
            [DB],
            id="e12 MigrationPolicy widened",
        ),
        pytest.param(
            delete(MIGRATION_POLICY, GUARD), [DB, GUARD, kubevirt(ON)], id="e13 protecting MigrationPolicy deleted"
        ),
        pytest.param(
            update(
                MIGRATION_POLICY, GUARD, migration_policy("guard", selectors={"namespaceSelector": {"x": "y"}}, **OFF)
            ),
            [DB, GUARD, kubevirt(ON)],
            id="e13 protecting MigrationPolicy narrowed",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy("silent", selectors=NARROW)),
            [DB, GUARD, kubevirt(ON)],
            id="e12 more specific silent policy",
        ),
        pytest.param(
            create(
                MIGRATION_POLICY, migration_policy("a", selectors={"virtualMachineInstanceSelector": CRITICAL}, **ON)
            ),
            [DB, GUARD],
            id="e12 tie won by name",
        ),
        pytest.param(
            update(VMI, DB, labelled({"app": "db"})),
            [DB, namespace(labels=CRITICAL), GUARD, kubevirt(ON)],
            id="e14 VMI label that a protecting policy selects by is taken away",
        ),
        pytest.param(
            update(VMI, DB, labelled({**CRITICAL, "app": "db", "fast": "yes"})),
            [
                DB,
                migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON),
            ],
            id="e14 VMI label added that a policy selects by",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels={"fast": "yes"})),
            [DB, namespace(), migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON)],
            id="e14 namespace label added",
        ),
        pytest.param(
            update(NAMESPACE, namespace(labels=CRITICAL), namespace(labels={"fast": "yes"})),
            [
                vmi("db"),
                namespace(labels=CRITICAL),
                migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON),
            ],
            id="e15 flag and label of a namespace swapped",
        ),
        pytest.param(
            update(VMI, labelled({}), labelled({**CRITICAL, "fast": "yes"})),
            [vmi("db"), migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="e14 e15 VMI flagged and moved to another policy in one write",
        ),
        pytest.param(
            update(VMI, labelled({**CRITICAL, "app": "db"}), labelled({"app": "db"})),
            [DB, GUARD, kubevirt(ON)],
            id="e15 flag taken by which a policy protects",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors={}, **ON)), [DB], id="e12 selectors that are empty"
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy(selectors=IN_UPGRADES, **ON)),
            [DB],
            id="lifecycle.go setLauncherContainerInfo: a label that virt-controller sets in an upgrade",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [
                vmi("db", labels={**CRITICAL, "kubevirt.io/outdatedLauncherImage": ""}),
                migration_policy("guard", selectors=IN_UPGRADES, **OFF),
            ],
            id="lifecycle.go setLauncherContainerInfo: a label that virt-controller takes away",
        ),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm(template_labels={**CRITICAL, "fast": "yes"})),
            [migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="vm.go SetupVMIFromVM: template of a stopped VM",
        ),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm(template_labels={"fast": "yes"})),
            [migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="vm.go SetupVMIFromVM: template that loses the flag by the same edit",
        ),
        pytest.param(
            update(VM, vm(), vm(template_labels={"fast": "yes"})),
            [DB, migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="vm.go SetupVMIFromVM: template of a VM whose running VMI is flagged",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), [vm(template_labels=CRITICAL)], id="e11 a stopped VM"
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [vm(), namespace(labels=CRITICAL)],
            id="e11 a stopped VM, critical by its namespace",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [DB, vm(template_labels={**CRITICAL, "loose": "yes"}), GUARD, LOOSE],
            id="e11 a VM that is protected as it runs and will not be as it starts",
        ),
        pytest.param(
            update(NAMESPACE, namespace(labels=CRITICAL), namespace(labels={**CRITICAL, "fast": "yes"})),
            [
                vm(),
                namespace(labels=CRITICAL),
                migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON),
            ],
            id="e14 label of a namespace with a stopped VM",
        ),
    ],
)
def test_a_critical_vm_that_gains_post_copy_is_counted(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, *objects)
    assert ask("postCopy", found) == ["prod/db"]
    assert ask("postCopyCount", found) == 1
    assert ask("disruption", found) == ["prod/db"]
    assert ask("tlsCount", found) == 0
    assert set(ask("sources", found)) == {"prod/db"}


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), [vmi("db")], id="not critical"),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)),
            [vmi("db", labels=CRITICAL, phase="Succeeded")],
            id="has ended",
        ),
        pytest.param(update(HYPERCONVERGED, hyperconverged(ON), hyperconverged(ON)), [DB], id="was exposed before"),
        pytest.param(update(HYPERCONVERGED, hyperconverged(ON), hyperconverged(OFF)), [DB], id="becomes safe"),
        pytest.param(delete(HYPERCONVERGED, hyperconverged(ON)), [DB], id="deleted"),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), [DB, GUARD], id="protected by a policy"
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [DB, migration_policy(selectors=BY_APP, **ON)],
            id="a policy exposed it before",
        ),
        pytest.param(
            request(
                HYPERCONVERGED, Operation.UPDATE, old=hyperconverged(OFF), new=hyperconverged(ON), subresource="status"
            ),
            [DB],
            id="status",
        ),
        pytest.param(
            create(
                MIGRATION_POLICY, migration_policy(selectors={"virtualMachineInstanceSelector": {"app": "web"}}, **ON)
            ),
            [DB],
            id="policy for other VMs",
        ),
        pytest.param(create(MIGRATION_POLICY, migration_policy(**ON)), [DB], id="policy without selectors"),
        pytest.param(update(VMI, DB, DB), [DB, kubevirt(ON)], id="labels stay"),
        pytest.param(
            update(VMI, DB, labelled({"app": "db", "fast": "yes"})),
            [
                vmi("db", labels=CRITICAL, phase="Failed"),
                migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON),
            ],
            id="label of a VM that has ended",
        ),
        pytest.param(
            request(VMI, Operation.UPDATE, old=DB, new=labelled({**CRITICAL, "fast": "yes"}), subresource="evacuate"),
            [DB, migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="subresource of a VMI",
        ),
        pytest.param(
            update(VMI, labelled({}), labelled({"fast": "yes"})),
            [vmi("db"), migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="label of a VM that is not critical",
        ),
        pytest.param(
            update(VMI, labelled({"migguard.io/critical": "no"}), labelled({"fast": "yes"})),
            [vmi("db"), migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="another value of the critical label",
        ),
        pytest.param(
            update(VMI, labelled({}), labelled(CRITICAL)),
            [vmi("db"), kubevirt(ON)],
            id="flagged where post-copy is on already",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels=CRITICAL)),
            [vmi("db"), namespace(), kubevirt(ON)],
            id="namespace flagged where post-copy is on already",
        ),
        pytest.param(
            update(VM, vm(), vm(template_labels={"fast": "yes"})),
            [vmi("db"), migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="template of a VM that is not critical",
        ),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm(template_labels={**CRITICAL, "fast": "yes"})),
            [kubevirt(ON)],
            id="template of a VM that is exposed already",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [vm(template_labels={"app": "db"})],
            id="stopped, not critical",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [vm(template_labels=CRITICAL), GUARD],
            id="stopped, protected by its template at the next start",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
            [DB, vm(template_labels={"app": "db"}), GUARD],
            id="protected as it runs, and critical only as long as it runs",
        ),
    ],
)
def test_a_vm_that_is_not_worse_off_does_not_count(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, *objects)
    assert [ask(f"{kind}Count", found) for kind in ("postCopy", "disruption", "tls")] == [0, 0, 0]
    assert ask("sources", found) == {}


def test_encryption_lost_is_exposure() -> None:
    found = context(update(KUBEVIRT, kubevirt(), kubevirt({"disableTLS": True})), DB)
    assert ask("tls", found) == ["prod/db"]
    assert ask("postCopyCount", found) == 0
    assert ask("sources", found) == {"prod/db": "KubeVirt kubevirt/kubevirt spec.configuration.migrations.disableTLS"}


def test_disruption_alone_is_exposure() -> None:
    """Source: KubeVirt live-migration-source.go: without post-copy the guest is paused."""
    found = context(update(KUBEVIRT, kubevirt(), kubevirt({"allowWorkloadDisruption": True})), DB)
    assert (ask("disruptionCount", found), ask("postCopyCount", found)) == (1, 0)


def test_vms_of_one_look_in_differing_namespaces_are_judged_each_by_its_own() -> None:
    policy = migration_policy("prod", selectors={"namespaceSelector": {"env": "prod"}}, **ON)
    machines = [vmi("db", where, labels=CRITICAL) for where in ("a", "b", "c")]
    around = [namespace("a"), namespace("b", labels={"env": "prod"}), namespace("c")]
    assert ask("postCopy", context(create(MIGRATION_POLICY, policy), *machines, *around)) == ["b/db"]


def test_the_first_ten_are_named_and_all_are_counted() -> None:
    machines = [vmi(f"vm{number:02}", "prod", labels=CRITICAL) for number in range(25, 0, -1)]
    found = context(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), *machines)
    assert ask("postCopy", found) == [f"prod/vm{number:02}" for number in range(1, 11)]
    assert ask("postCopyCount", found) == 25
    assert list(ask("sources", found)) == ask("postCopy", found)


def test_what_switches_it_on_is_named_for_each_vm() -> None:
    policy = migration_policy("fast", selectors=BY_APP, **ON)
    found = context(create(MIGRATION_POLICY, policy), DB, vmi("web", labels=CRITICAL))
    assert ask("sources", found) == {"prod/db": "MigrationPolicy fast"}


def test_the_written_policy_counts_as_the_request_shows_it_not_as_cached() -> None:
    """The cache may already hold the new object, or a newer one."""
    asked = update(MIGRATION_POLICY, migration_policy(selectors=ALL, **OFF), migration_policy(selectors=ALL, **ON))
    assert ask("postCopyCount", context(asked, DB, migration_policy(selectors=ALL, **ON))) == 1


def test_policies_are_matched_once_for_vms_that_look_alike_to_them(monkeypatch: pytest.MonkeyPatch) -> None:
    machines = [vmi(f"vm{number}", labels={**CRITICAL, "app": f"app{number % 20}"}) for number in range(3000)]
    policies = [
        migration_policy(f"p{number}", selectors={"virtualMachineInstanceSelector": {"app": f"app{number}"}}, **OFF)
        for number in range(300)
    ]
    matched: list[str] = []
    choose = PolicyChoice.choose

    def counting(choice: PolicyChoice, labels: Mapping[str, str], around: Mapping[str, str]) -> Any:
        matched.append(labels["app"])
        return choose(choice, labels, around)

    monkeypatch.setattr(PolicyChoice, "choose", counting)
    found = context(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), *machines, *policies)
    assert ask("postCopyCount", found) == 0
    looks, worlds = 20, 2
    assert len(matched) == looks * worlds


def test_when_the_time_is_up_there_is_no_answer() -> None:
    found = context(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), DB)
    found.deadline = Deadline.after(-1)
    with pytest.raises(FactUnavailable, match="which critical VMs the write exposes"):
        ask("postCopyCount", found)


@pytest.mark.parametrize(
    ("selector", "count"),
    [
        pytest.param({"kubevirt.io/migrationTargetNodeName": "worker-2"}, 1, id="any VM that goes there"),
        pytest.param(
            {"kubevirt.io/migrationTargetNodeName": "worker-2", "app": "db"}, 1, id="this VM if it goes there"
        ),
        pytest.param({"kubevirt.io/migrationTargetNodeName": "worker-2", "app": "web"}, 0, id="another VM"),
        pytest.param({"kubevirt.io/nodeName": "worker-2"}, 1, id="any VM that will leave that node some day"),
        pytest.param(
            {"kubevirt.io/nodeName": "worker-2", "kubevirt.io/migrationTargetNodeName": "worker-3", "app": "db"},
            1,
            id="from one node to another",
        ),
    ],
)
def test_a_policy_that_matches_when_the_target_is_known_counts(selector: dict[str, str], count: int) -> None:
    """Source: KubeVirt pkg/virt-controller/watch/migration/migration.go, which labels the VMI at hand-off."""
    policy = migration_policy("by-target", selectors={"virtualMachineInstanceSelector": selector}, **ON)
    found = context(create(MIGRATION_POLICY, policy), DB)
    assert ask("postCopyCount", found) == count
    assert list(ask("sources", found).values()) == ["MigrationPolicy by-target"] * count


def test_a_label_of_an_earlier_migrations_target_says_nothing_about_the_next() -> None:
    moved = vmi("db", labels={**CRITICAL, "kubevirt.io/migrationTargetNodeName": "worker-1"})
    guard = migration_policy(
        "guard",
        selectors={"virtualMachineInstanceSelector": {"kubevirt.io/migrationTargetNodeName": "worker-1"}},
        **OFF,
    )
    asked = update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON))
    assert ask("postCopyCount", context(asked, moved, guard)) == 1


# What waits, e16


def waiting(phase: str, name: str = "db") -> dict[str, Any]:
    return vmim(f"move-{name}", vmi_name=name, phase=phase)


@pytest.mark.parametrize(
    ("phase", "counts"),
    [
        pytest.param("", True, id="a: no phase yet"),
        pytest.param("Pending", True, id="a: Pending"),
        pytest.param("Scheduling", True, id="a: Scheduling"),
        pytest.param("Scheduled", True, id="a: Scheduled"),
        pytest.param("WaitingForSync", True, id="a: decentralized target, WaitingForSync"),
        pytest.param("Synchronizing", True, id="a: decentralized source, Synchronizing"),
        pytest.param("PreparingTarget", False, id="c freeze: PreparingTarget"),
        pytest.param("TargetReady", False, id="c freeze: TargetReady"),
        pytest.param("Running", False, id="c freeze: Running"),
        pytest.param("Succeeded", False, id="a: Succeeded"),
        pytest.param("Failed", False, id="a: Failed"),
    ],
)
def test_e16_a_migration_that_is_not_handed_off_will_use_what_is_in_force_then(phase: str, counts: bool) -> None:
    """Source: domain.md a (phases), c (freeze); KubeVirt migration.go handleTargetPodHandoff."""
    found = context(update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), DB, waiting(phase))
    assert ask("postCopyCount", found) == 1
    assert (ask("pending", found), ask("pendingCount", found)) == ((["prod/db"], 1) if counts else ([], 0))


def test_only_what_is_exposed_is_pending() -> None:
    others = [vmi("web"), waiting("Pending", "web"), vmi("safe", labels={**CRITICAL, "app": "safe"})]
    guard = migration_policy("guard", selectors={"virtualMachineInstanceSelector": {"app": "safe"}}, **OFF)
    found = context(
        update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)),
        DB,
        *others,
        guard,
        waiting("Pending"),
        waiting("Pending", "safe"),
    )
    assert ask("pending", found) == ["prod/db"]


@pytest.mark.parametrize(
    ("asked", "objects", "named"),
    [
        pytest.param(update(VMI, labelled({}), labelled(CRITICAL)), [], True, id="VMI"),
        pytest.param(update(VM, vm(), vm(template_labels=CRITICAL)), [vm()], True, id="template"),
        pytest.param(update(NAMESPACE, namespace(), namespace(labels=CRITICAL)), [namespace()], True, id="namespace"),
        pytest.param(
            update(VMI, labelled({}), labelled(CRITICAL)),
            [migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, **OFF)],
            False,
            id="the flag brings protection",
        ),
        pytest.param(
            update(VM, vm(), vm(template_labels=CRITICAL)),
            [vm(), migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, **OFF)],
            True,
            id="a flag on the template brings none until the next start",
        ),
        pytest.param(update(VMI, labelled(CRITICAL), labelled({})), [], False, id="unflagged"),
        pytest.param(update(VMI, labelled({}), labelled({"app": "x"})), [], False, id="another label"),
    ],
)
def test_e16_a_vm_that_is_flagged_while_a_migration_with_post_copy_waits_is_named(
    asked: AdmissionRequest, objects: list[dict[str, Any]], named: bool
) -> None:
    found = context(asked, vmi("db"), kubevirt(ON), waiting("Pending"), *objects)
    assert (ask("pendingGain", found), ask("pendingGainCount", found)) == ((["prod/db"], 1) if named else ([], 0))


def test_e16_a_waiting_migration_uses_the_labels_of_the_vmi_not_of_the_template() -> None:
    guarded = [DB, vm(template_labels={**CRITICAL, "loose": "yes"}), GUARD, LOOSE]
    found = context(update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), *guarded, waiting("Pending"))
    assert (ask("postCopy", found), ask("pending", found)) == (["prod/db"], [])


@pytest.mark.parametrize(
    ("asked", "objects", "source"),
    [
        pytest.param(update(VMI, labelled({}), labelled(CRITICAL)), [vmi("db")], CLUSTER, id="VMI"),
        pytest.param(update(VM, vm(), vm(template_labels=CRITICAL)), [vm()], CLUSTER, id="template of a stopped VM"),
        pytest.param(
            update(VM, vm(), vm(template_labels=CRITICAL)),
            [vm(), vmi("db"), GUARD],
            CLUSTER,
            id="template, whose protection does not reach the VMI that runs",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels=CRITICAL)),
            [vm(), namespace()],
            CLUSTER,
            id="namespace with a stopped VM",
        ),
        pytest.param(create(VM, vm(template_labels=CRITICAL)), [], CLUSTER, id="a VM that is made"),
        pytest.param(create(VM, vm()), [namespace(labels=CRITICAL)], CLUSTER, id="a VM made in a critical namespace"),
        pytest.param(create(VMI, labelled(CRITICAL)), [], CLUSTER, id="a VMI that is made"),
        pytest.param(
            create(VM, vm(template_labels={**CRITICAL, "loose": "yes"})),
            [GUARD, migration_policy("closer", selectors=NARROW | {"namespaceSelector": {}}, **OFF), LOOSE],
            CLUSTER,
            id="a VM that a closer policy takes from the guard",
        ),
    ],
)
def test_a_vm_that_becomes_critical_where_post_copy_is_on_is_named_with_what_switches_it_on(
    asked: AdmissionRequest, objects: list[dict[str, Any]], source: str
) -> None:
    found = context(asked, kubevirt(ON), *objects)
    assert (ask("gainingExposed", found), ask("gainingExposedCount", found)) == (["prod/db"], 1)
    assert ask("gainingSources", found) == {"prod/db": source}
    assert (ask("postCopyCount", found), ask("pendingGainCount", found)) == (0, 0)


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(create(VM, vm(template_labels=CRITICAL)), [kubevirt(OFF)], id="post-copy is off"),
        pytest.param(create(VM, vm(template_labels=CRITICAL)), [kubevirt(ON), GUARD], id="the guard will reach it"),
        pytest.param(create(VM, vm()), [kubevirt(ON)], id="not critical"),
        pytest.param(create(VM, vm()), [DB, kubevirt(ON)], id="critical by a VMI that was there already"),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm(template_labels={**CRITICAL, "a": "b"})),
            [kubevirt(ON)],
            id="critical before",
        ),
        pytest.param(
            update(VM, vm(), vm(template_labels=CRITICAL)),
            [kubevirt(ON), namespace(labels=CRITICAL)],
            id="critical before by its namespace",
        ),
        pytest.param(update(VM, vm(template_labels=CRITICAL), vm()), [kubevirt(ON)], id="unflagged"),
        pytest.param(delete(VM, vm(template_labels=CRITICAL)), [kubevirt(ON)], id="deleted"),
    ],
)
def test_nobody_is_warned_of_a_vm_that_becomes_critical_in_safety_or_not_at_all(
    asked: AdmissionRequest, objects: list[dict[str, Any]]
) -> None:
    found = context(asked, *objects)
    assert (ask("gainingExposed", found), ask("gainingSources", found)) == ([], {})


# Volume migrations


COPYING = vmi("disks", status={"migratedVolumes": [{"volumeName": "data"}]})


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), [], id="e10 HyperConverged"),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(OFF, patch=PATCH_ON)), [], id="e9 annotation"
        ),
        pytest.param(update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), [], id="e11 KubeVirt CR"),
        pytest.param(create(MIGRATION_POLICY, migration_policy(selectors=ALL, **ON)), [], id="e12 MigrationPolicy"),
        pytest.param(
            delete(MIGRATION_POLICY, migration_policy("guard", selectors=ALL, **OFF)),
            [kubevirt(ON), migration_policy("guard", selectors=ALL, **OFF)],
            id="e13 protecting MigrationPolicy deleted",
        ),
        pytest.param(
            update(VMI, vmi("disks"), vmi("disks", labels={"fast": "yes"})),
            [migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="e14 label of the VMI",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels={"fast": "yes"})),
            [namespace(), migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON)],
            id="e14 label of the namespace",
        ),
    ],
)
def test_a_vm_that_migrates_volumes_counts_whether_critical_or_not(
    asked: AdmissionRequest, objects: list[dict[str, Any]]
) -> None:
    found = context(asked, COPYING, vmi("web"), *objects)
    assert (ask("volumeMigrations", found), ask("volumeMigrationsCount", found)) == (["prod/disks"], 1)
    assert set(ask("sources", found)) == {"prod/disks"}
    assert ask("postCopyCount", found) == 0


def test_what_a_person_writes_into_the_status_of_a_vmi_is_not_believed() -> None:
    forged = vmi("db", labels={"fast": "yes"}, status={"migratedVolumes": [{"volumeName": "data"}]})
    policy = migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)
    assert ask("volumeMigrationsCount", context(update(VMI, vmi("db"), forged), vmi("db"), policy)) == 0


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(update(KUBEVIRT, kubevirt(ON), kubevirt({**ON, "network": "x"})), [], id="on before"),
        pytest.param(
            update(NAMESPACE, namespace("test"), namespace("test", labels={"fast": "yes"})),
            [migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON)],
            id="label of another namespace",
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(), kubevirt({"allowWorkloadDisruption": True})), [], id="only disruption"
        ),
    ],
)
def test_a_volume_migration_that_is_not_worse_off_does_not_count(
    asked: AdmissionRequest, objects: list[dict[str, Any]]
) -> None:
    assert ask("volumeMigrationsCount", context(asked, COPYING, *objects)) == 0


# Protection by a MigrationPolicy, where the cluster is safe by itself


PIN: dict[str, Any] = {"allowPostCopy": False, "allowWorkloadDisruption": False}
PINNED = migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, **PIN)


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(delete(MIGRATION_POLICY, PINNED), [], id="e13 deleted"),
        pytest.param(
            update(
                MIGRATION_POLICY,
                PINNED,
                migration_policy("guard", selectors=NARROW | {"namespaceSelector": {"a": "b"}}),
            ),
            [],
            id="e13 narrowed",
        ),
        pytest.param(
            update(MIGRATION_POLICY, PINNED, migration_policy("guard", **PIN)), [], id="c: selectors null match nothing"
        ),
        pytest.param(
            update(
                MIGRATION_POLICY,
                PINNED,
                migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}),
            ),
            [],
            id="c merge: falls silent",
        ),
        pytest.param(
            update(
                MIGRATION_POLICY,
                PINNED,
                migration_policy(
                    "guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, allowWorkloadDisruption=False
                ),
            ),
            [],
            id="c merge: post-copy alone is no longer ruled out",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy("silent", selectors=NARROW, bandwidthPerMigration="1Mi")),
            [],
            id="e12 more specific silent policy",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy("a", selectors=BY_APP)), [], id="e12 tie won by a smaller name"
        ),
        pytest.param(
            create(
                MIGRATION_POLICY,
                migration_policy(
                    "by-target",
                    selectors={
                        "virtualMachineInstanceSelector": {
                            **CRITICAL,
                            "kubevirt.io/migrationTargetNodeName": "worker-2",
                        }
                    },
                ),
            ),
            [],
            id="c corollary: a label that is there at hand-off only",
        ),
        pytest.param(
            update(VMI, DB, labelled({"migguard.io/critical": "false", "app": "db"})),
            [vm(template_labels=CRITICAL)],
            id="e14 VMI label",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels={"team": "a"})),
            [
                namespace(),
                migration_policy(
                    "silent",
                    selectors={"namespaceSelector": {"team": "a"}, "virtualMachineInstanceSelector": {"app": "db"}},
                ),
            ],
            id="e14 namespace label",
        ),
    ],
)
def test_a_critical_vm_that_loses_a_policys_protection_is_named_though_nothing_happens_at_once(
    asked: AdmissionRequest, objects: list[dict[str, Any]]
) -> None:
    found = context(asked, DB, PINNED, *objects)
    assert (ask("unprotected", found), ask("unprotectedCount", found)) == (["prod/db"], 1)
    assert ask("protectors", found) == {"prod/db": "MigrationPolicy guard"}
    assert ask("postCopyCount", found) == ask("disruptionCount", found) == 0


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(create(MIGRATION_POLICY, migration_policy("z", selectors=BY_APP)), [], id="tie lost by name"),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy("closer", selectors=NARROW, **OFF)),
            [],
            id="c merge: allowWorkloadDisruption follows allowPostCopy",
        ),
        pytest.param(create(MIGRATION_POLICY, migration_policy("a", selectors={})), [], id="c: score 0 wins nothing"),
        pytest.param(
            delete(MIGRATION_POLICY, migration_policy("other", selectors={})), [], id="another policy deleted"
        ),
        pytest.param(
            update(KUBEVIRT, kubevirt(), kubevirt({"disableTLS": True})), [], id="the cluster's settings pin nothing"
        ),
        pytest.param(update(VMI, DB, labelled({**CRITICAL, "app": "web"})), [], id="a label that no policy selects by"),
    ],
)
def test_protection_that_stays_is_not_lost(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, DB, PINNED, *objects)
    assert (ask("unprotectedCount", found), ask("protectors", found)) == (0, {})


@pytest.mark.parametrize(
    ("machine", "count"),
    [
        pytest.param(vmi("db", labels={"app": "db"}), 0, id="not critical"),
        pytest.param(vmi("db", labels={**CRITICAL, "app": "db"}, phase="Succeeded"), 0, id="has ended"),
        pytest.param(DB, 1, id="critical"),
    ],
)
def test_a_vmi_loses_protection_only_while_it_runs_and_is_critical(machine: dict[str, Any], count: int) -> None:
    guard = migration_policy("guard", selectors=BY_APP, **PIN)
    assert ask("unprotectedCount", context(delete(MIGRATION_POLICY, guard), machine, guard)) == count


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(delete(MIGRATION_POLICY, PINNED), [], id="e13 deleted, the VM is stopped"),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm()), [DB], id="SetupVMIFromVM: out of reach at the next start"
        ),
        pytest.param(
            update(VM, vm(template_labels=CRITICAL), vm(template_labels={**CRITICAL, "loose": "yes"})),
            [LOOSE],
            id="SetupVMIFromVM: within reach of a closer one at the next start",
        ),
    ],
)
def test_protection_of_the_next_start_can_be_lost_too(asked: AdmissionRequest, objects: list[dict[str, Any]]) -> None:
    found = context(asked, vm(template_labels=CRITICAL), PINNED, *objects)
    assert (ask("unprotected", found), ask("protectors", found)) == (["prod/db"], {"prod/db": "MigrationPolicy guard"})


def test_protection_against_post_copy_counts_where_only_disruption_is_gained() -> None:
    found = context(delete(MIGRATION_POLICY, PINNED), DB, PINNED, kubevirt({"allowWorkloadDisruption": True}))
    assert (ask("disruption", found), ask("unprotected", found)) == (["prod/db"], ["prod/db"])


def test_a_vm_that_is_exposed_at_once_is_not_said_to_lose_protection_as_well() -> None:
    found = context(delete(MIGRATION_POLICY, PINNED), DB, PINNED, kubevirt(ON))
    assert (ask("postCopyCount", found), ask("unprotectedCount", found)) == (1, 0)


def test_the_first_ten_that_lose_protection_are_named_and_all_are_counted() -> None:
    machines = [vmi(f"vm{number:02}", labels=CRITICAL) for number in range(12)]
    found = context(delete(MIGRATION_POLICY, PINNED), *machines, PINNED)
    assert (len(ask("unprotected", found)), ask("unprotectedCount", found)) == (10, 12)
    assert list(ask("protectors", found)) == ask("unprotected", found)
