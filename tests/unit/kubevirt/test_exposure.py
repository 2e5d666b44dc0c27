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
)
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.migrationpolicy import MigrationPolicy
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, VM, VMI
from webhook.model.facts import Deadline, FactContext
from webhook.model.request import AdmissionRequest, Operation

ON: dict[str, Any] = {"allowPostCopy": True}
OFF: dict[str, Any] = {"allowPostCopy": False}
PATCH_ON = json.dumps([{"op": "add", "path": "/spec/configuration/migrations/allowPostCopy", "value": True}])
DB = vmi("db", labels={**CRITICAL, "app": "db"})
ALL: dict[str, Any] = {"virtualMachineInstanceSelector": {}}
GUARD = migration_policy("guard", selectors={"virtualMachineInstanceSelector": CRITICAL}, **OFF)
BY_APP = {"virtualMachineInstanceSelector": {"app": "db"}}
NARROW = {"virtualMachineInstanceSelector": {"app": "db", **CRITICAL}}


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"exposure.{name}"].resolve(found)


def labelled(labels: dict[str, str]) -> dict[str, Any]:
    return vmi("db", labels=labels)


@pytest.mark.parametrize(
    ("asked", "objects"),
    [
        pytest.param(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), [DB], id="HCO v1beta1"),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF, version="v1"), hyperconverged(ON, version="v1"), version="v1"),
            [DB],
            id="HCO v1",
        ),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(OFF, patch=PATCH_ON)), [DB], id="annotation"
        ),
        pytest.param(create(HYPERCONVERGED, hyperconverged(ON)), [DB], id="HCO created"),
        pytest.param(update(KUBEVIRT, kubevirt(OFF), kubevirt(ON)), [DB], id="KubeVirt CR"),
        pytest.param(create(KUBEVIRT, kubevirt(ON)), [DB], id="KubeVirt CR created"),
        pytest.param(create(MIGRATION_POLICY, migration_policy(selectors=ALL, **ON)), [DB], id="policy created"),
        pytest.param(
            update(MIGRATION_POLICY, migration_policy(selectors=ALL, **OFF), migration_policy(selectors=ALL, **ON)),
            [DB, migration_policy(selectors=ALL, **OFF)],
            id="policy switched on",
        ),
        pytest.param(
            update(
                MIGRATION_POLICY,
                migration_policy(selectors={"virtualMachineInstanceSelector": {"app": "web"}}, **ON),
                migration_policy(selectors=BY_APP, **ON),
            ),
            [DB],
            id="policy widened",
        ),
        pytest.param(delete(MIGRATION_POLICY, GUARD), [DB, GUARD, kubevirt(ON)], id="protecting policy deleted"),
        pytest.param(
            update(
                MIGRATION_POLICY, GUARD, migration_policy("guard", selectors={"namespaceSelector": {"x": "y"}}, **OFF)
            ),
            [DB, GUARD, kubevirt(ON)],
            id="protecting policy narrowed",
        ),
        pytest.param(
            create(MIGRATION_POLICY, migration_policy("silent", selectors=NARROW)),
            [DB, GUARD, kubevirt(ON)],
            id="a more specific policy that is silent",
        ),
        pytest.param(
            create(
                MIGRATION_POLICY, migration_policy("a", selectors={"virtualMachineInstanceSelector": CRITICAL}, **ON)
            ),
            [DB, GUARD],
            id="a tie won by name",
        ),
        pytest.param(
            update(VMI, DB, labelled({"app": "db"})),
            [DB, namespace(labels=CRITICAL), GUARD, kubevirt(ON)],
            id="VMI label that a protecting policy selects by is taken away",
        ),
        pytest.param(
            update(VMI, DB, labelled({**CRITICAL, "app": "db", "fast": "yes"})),
            [
                DB,
                migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON),
            ],
            id="VMI label added that a policy selects by",
        ),
        pytest.param(
            update(NAMESPACE, namespace(), namespace(labels={"fast": "yes"})),
            [DB, namespace(), migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON)],
            id="namespace label added",
        ),
        pytest.param(
            update(NAMESPACE, namespace(labels=CRITICAL), namespace(labels={"fast": "yes"})),
            [
                vmi("db"),
                namespace(labels=CRITICAL),
                migration_policy(selectors={"namespaceSelector": {"fast": "yes"}}, **ON),
            ],
            id="flag and label of a namespace swapped",
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
            update(VM, vm(), vm(template_labels={"fast": "yes"})),
            [DB, migration_policy(selectors={"virtualMachineInstanceSelector": {"fast": "yes"}}, **ON)],
            id="template labels do not reach a running VM",
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
    score = MigrationPolicy.score

    def counting(policy: MigrationPolicy, vmi_labels: Mapping[str, str], around: Mapping[str, str]) -> Any:
        matched.append(policy.name)
        return score(policy, vmi_labels, around)

    monkeypatch.setattr(MigrationPolicy, "score", counting)
    found = context(update(HYPERCONVERGED, hyperconverged(OFF), hyperconverged(ON)), *machines, *policies)
    assert ask("postCopyCount", found) == 0
    looks, worlds = 20, 2
    assert len(matched) == looks * worlds * len(policies)


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
