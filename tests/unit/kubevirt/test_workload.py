"""Which VMI a request is about. Source: KubeVirt api/core/v1/types.go, pkg/util/migrations/migrations.go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import (
    CRITICAL,
    context,
    create,
    delete,
    kubevirt,
    migration_policy,
    namespace,
    pvc,
    request,
    update,
    vm,
    vmi,
    vmim,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import MIGRATION_POLICY, POD, PVC, VM, VMI, VMIM
from webhook.kubevirt.workload import first_installed
from webhook.model.facts import FactContext
from webhook.model.request import AdmissionRequest, Operation


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"vmi.{name}"].resolve(found)


@pytest.mark.parametrize(
    ("asked", "name"),
    [
        pytest.param(create(VMIM, vmim(vmi_name="db")), "db", id="VMIM"),
        pytest.param(create(VMIM, vmim(vmi_name="db"), version="v1alpha3"), "db", id="VMIM in the old version"),
        pytest.param(delete(VMIM, vmim(vmi_name="db")), "db", id="VMIM on delete, from the old object"),
        pytest.param(
            update(VMIM, vmim(vmi_name="web"), vmim(vmi_name="db")), "db", id="VMIM on update, from the new one"
        ),
        pytest.param(create(VMI, vmi("db")), "db", id="VMI"),
        pytest.param(update(VM, vm("db"), vm("db")), "db", id="VM: its VMI of the same name"),
        pytest.param(create(PVC, pvc("db")), "", id="another kind"),
        pytest.param(create(MIGRATION_POLICY, migration_policy()), "", id="a cluster-scoped kind"),
    ],
)
def test_the_vmi_of_a_request(asked: AdmissionRequest, name: str) -> None:
    found = context(asked, vmi("db"))
    assert ask("name", found) == name
    assert ask("namespace", found) == ("prod" if name else "")
    assert ask("found", found) is bool(name)


LAUNCHER = {"kubevirt.io": "virt-launcher"}


@pytest.mark.parametrize(
    ("labels", "annotations", "name"),
    [
        pytest.param(LAUNCHER, {"kubevirt.io/domain": "db"}, "db", id="a virt-launcher"),
        pytest.param({}, {"kubevirt.io/domain": "db"}, "", id="a pod that only bears the annotation"),
        pytest.param(LAUNCHER, {}, "", id="a virt-launcher of nobody"),
    ],
)
def test_an_eviction_is_about_the_vmi_of_the_pod(
    labels: dict[str, str], annotations: dict[str, str], name: str
) -> None:
    pod = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "p", "namespace": "prod", "labels": labels, "annotations": annotations},
    }
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "p", "namespace": "prod"}}
    found = context(request(POD, Operation.CREATE, new=eviction, subresource="eviction"), vmi("db"), pod)
    assert ask("name", found) == name
    assert ask("namespace", found) == ("prod" if name else "")
    assert ask("found", found) is bool(name)


def test_a_vmi_of_another_namespace_is_another_vmi() -> None:
    assert ask("found", context(create(VMIM, vmim()), vmi("db", "test"))) is False


def test_a_vmi_that_is_not_there_has_empty_facts() -> None:
    found = context(create(VMIM, vmim(vmi_name="gone")), vmi("db"), namespace(labels=CRITICAL))
    values = {name: fact.resolve(found) for name, fact in FACTS.items() if name.startswith("vmi.")}
    assert values.pop("vmi.name") == "gone"
    assert values.pop("vmi.namespace") == "prod"
    assert not any(values.values())


CONDITION = {"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable", "message": "PVC db-data"}
RUNNING = vmi(
    labels={"app": "db"},
    spec={"domain": {"cpu": {"model": "host-model"}, "memory": {"guest": "4Gi"}}, "evictionStrategy": "LiveMigrate"},
    status={"conditions": [CONDITION, "nonsense", {"type": "Ready", "status": "True"}]},
)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("phase", "Running"),
        ("node", "node01"),
        ("labels", {"app": "db"}),
        ("cpuModel", "host-model"),
        ("memoryBytes", 4 * 2**30),
        ("evictionStrategy", "LiveMigrate"),
        ("liveMigratable", "False"),
        ("liveMigratableReason", "DisksNotLiveMigratable"),
        ("liveMigratableMessage", "PVC db-data"),
        ("conditions", [CONDITION, {"type": "Ready", "status": "True", "reason": "", "message": ""}]),
    ],
)
def test_what_is_known_of_a_vmi(name: str, value: Any) -> None:
    assert ask(name, context(create(VMIM, vmim()), RUNNING)) == value


def test_the_status_in_a_persons_request_is_not_believed() -> None:
    forged = vmi(status={"conditions": [{**CONDITION, "status": "True"}]}, phase="Succeeded")
    found = context(update(VMI, RUNNING, forged), RUNNING)
    assert (ask("liveMigratable", found), ask("phase", found)) == ("False", "Running")


@pytest.mark.parametrize(
    ("domain", "size"),
    [
        pytest.param(
            {"memory": {"guest": "1Gi"}, "resources": {"requests": {"memory": "2Gi"}}}, 2**30, id="guest first"
        ),
        pytest.param(
            {"resources": {"requests": {"memory": "2Gi"}, "limits": {"memory": "3Gi"}}}, 2**31, id="then request"
        ),
        pytest.param({"resources": {"limits": {"memory": "1M"}}}, 1_000_000, id="then limit"),
        pytest.param({"memory": {"guest": "lots"}}, 0, id="not a quantity"),
        pytest.param({}, 0, id="nothing"),
    ],
)
def test_guest_memory_in_bytes(domain: dict[str, Any], size: int) -> None:
    assert ask("memoryBytes", context(create(VMIM, vmim()), vmi(spec={"domain": domain}))) == size


def test_without_an_own_eviction_strategy_the_clusters_counts() -> None:
    asked = create(VMIM, vmim())
    cluster = kubevirt()
    cluster["spec"]["configuration"]["evictionStrategy"] = "LiveMigrateIfPossible"
    assert ask("evictionStrategy", context(asked, vmi(), cluster)) == "LiveMigrateIfPossible"
    assert ask("evictionStrategy", context(asked, vmi(), kubevirt())) == "None"
    assert ask("evictionStrategy", context(asked, vmi())) == "None"


def test_of_several_installations_the_first_install_namespace_counts() -> None:
    found = [kubevirt(namespace="elsewhere"), kubevirt(namespace="openshift-cnv"), kubevirt(namespace="kubevirt")]
    chosen = first_installed(found, ["kubevirt", "openshift-cnv"])
    assert chosen is found[2]
    assert first_installed(found[:2], ["kubevirt"]) is found[0]
    assert first_installed([], ["kubevirt"]) is None
