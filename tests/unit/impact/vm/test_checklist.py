"""What a migration needs, point by point."""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.builders import Json
from webhook.admission.natives import CATALOG
from webhook.impact.vm.checklist import Check, checks_of
from webhook.kubevirt.resources import VMIM
from webhook.model.request import UserInfo

MAY = (builders.cluster_role(), builders.role_binding("move", "prod", builders.user("alice")))


def checks(*objects: Json, by: UserInfo | None = None, **parameters: object) -> dict[str, Check]:
    asked = builders.create(VMIM, builders.vmim(), by=by)
    context = builders.context(asked, builders.namespace(), *objects, parameters=parameters)
    return {one.topic: one for one in checks_of(context, CATALOG)}


def disk(**claim: object) -> tuple[Json, Json]:
    return builders.vmi(volumes=[builders.pvc_volume()]), builders.pvc(**claim)  # type: ignore[arg-type]  # keywords


FROZEN = [
    {"name": "weekend", "schedule": "0 0 * * *", "duration": "24h", "timeZone": "UTC", "reason": "closing"},
]
CONDITION = {"type": "LiveMigratable", "status": "False", "reason": "DisksNotLiveMigratable", "message": "not shared"}
POST_COPY = builders.kubevirt({"allowPostCopy": True})
SWITCHED_ON = "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy"
CRITICAL = {"migguard.io/critical": "true"}
RIGHT = "RoleBinding prod/move to ClusterRole kubevirt.io:migrate (user alice)"
MISSING = (
    "missing: create virtualmachineinstancemigrations.kubevirt.io -n prod, update "
    "virtualmachines.subresources.kubevirt.io/db --subresource=migrate -n prod"
)

POINTS = {
    "right": ("right to migrate", MAY, True, RIGHT),
    "no-right": ("right to migrate", (), False, MISSING),
    "running": ("VM", (builders.vmi(),), True, "Running on node node01"),
    "scheduling": ("VM", (builders.vmi(phase="Scheduling", node=""),), False, "Scheduling"),
    "phase-unset": ("VM", (builders.vmi(phase=""),), None, "KubeVirt has not said in which phase it is"),
    "no-other": ("other migrations of it", (builders.vmi(),), True, "no other is under way"),
    "under-way": ("other migrations of it", (builders.vmi(), builders.vmim("m1")), False, "under way: m1"),
    "shared": ("disks", disk(), True, "1 disk within reach of both nodes: data (db-data, ReadWriteMany)"),
    "not-shared": (
        "disks",
        disk(modes=("ReadWriteOnce",)),
        False,
        "disk data: PersistentVolumeClaim prod/db-data is ReadWriteOnce; live migration needs ReadWriteMany",
    ),
    "copied": (
        "disks",
        (builders.vmi(volumes=[{"name": "cloudinit", "cloudInitNoCloud": {}}]),),
        True,
        "copied along: cloudinit",
    ),
    "no-disks": ("disks", (builders.vmi(),), True, "it has no disks"),
    "kubevirt-says-disks": (
        "disks",
        (builders.vmi(status={"conditions": [CONDITION]}),),
        False,
        "KubeVirt says: not shared",
    ),
    "post-copy-off": ("post-copy", (builders.vmi(),), True, "off; the VM is not critical"),
    "post-copy-on": (
        "post-copy",
        (builders.vmi(), POST_COPY),
        True,
        f"on ({SWITCHED_ON}); the VM is not critical",
    ),
    "post-copy-on-critical": (
        "post-copy",
        (builders.vmi(labels=CRITICAL), POST_COPY),
        False,
        f"on ({SWITCHED_ON}); the VM is critical (label migguard.io/critical=true on VirtualMachineInstance prod/db)",
    ),
    "pod-network": ("network", (builders.vmi(),), True, "the pod network"),
    "unencrypted": (
        "network",
        (builders.vmi(), builders.kubevirt({"disableTLS": True})),
        False,
        "the pod network, unencrypted",
    ),
    "own-network": (
        "network",
        (builders.vmi(), builders.kubevirt({"network": "migration"}), builders.network_attachment()),
        True,
        "kubevirt/migration",
    ),
    "network-gone": (
        "network",
        (builders.vmi(), builders.kubevirt({"network": "migration"})),
        False,
        "NetworkAttachmentDefinition migration does not exist in namespace kubevirt",
    ),
    "queue": ("migrations now", (builders.vmi(),), True, "0 of 5 that may run at once in the cluster"),
    "queue-full": (
        "migrations now",
        (
            builders.vmi(),
            builders.kubevirt({"parallelMigrationsPerCluster": 1}),
            builders.vmim("m1", vmi_name="other"),
        ),
        False,
        "1 of 1 that may run at once in the cluster: this one will wait its turn",
    ),
    "nodes-unknown": (
        "target nodes",
        (builders.vmi(),),
        None,
        "the nodes, or the node that it runs on, are not known here",
    ),
    "target": (
        "target nodes",
        (builders.vmi(), builders.node("node01"), builders.node("node02")),
        True,
        "1 node could take it: node02",
    ),
    "targets": (
        "target nodes",
        (builders.vmi(), *(builders.node(f"node{number:02}") for number in range(1, 7))),
        True,
        "5 nodes could take it: node02, node03, node04 and 2 more",
    ),
    "no-target": (
        "target nodes",
        (builders.vmi(), builders.node("node01"), builders.node("node02", cordoned=True)),
        False,
        "no node can take it now: 1 node is cordoned; 1 node is where the VM runs now",
    ),
    "cpu-unknown": ("CPU model", (builders.vmi(),), None, "model not set; what it asks of a node is not known here"),
    "cpu": (
        "CPU model",
        (builders.vmi(spec={"domain": {"cpu": {"model": "Skylake"}}}),),
        True,
        "Skylake; the target must have cpu-model.node.kubevirt.io/Skylake=true",
    ),
    "cpu-any": (
        "CPU model",
        (builders.vmi(), builders.node("node01")),
        True,
        "model not set; it asks nothing of a node",
    ),
    "quota": ("quota", (builders.vmi(),), True, "holds a second pod"),
    "tied": (
        "devices and machine",
        (builders.vmi(spec={"domain": {"devices": {"hostDevices": [{"name": "a", "deviceName": "x/y"}]}}}),),
        False,
        "host devices are passed through to it (x/y)",
    ),
    "free": ("freeze windows", (builders.vmi(),), True, "none is open"),
}


@pytest.mark.parametrize(("topic", "objects", "good", "text"), POINTS.values(), ids=POINTS)
def test_each_point_is_fine_or_not_and_says_why(topic, objects, good, text):
    found = checks(
        *objects, *(() if any(one["kind"] == "VirtualMachineInstance" for one in objects) else (builders.vmi(),))
    )
    assert (found[topic].good, found[topic].text) == (good, text)


def test_an_open_freeze_window_is_named():
    found = checks(builders.vmi(), freezeWindows=FROZEN)["freeze windows"]
    assert found.good is False
    assert found.text.startswith("weekend is open")


def test_a_full_quota_is_named():
    full = builders.quota({"pods": "1"}, {"pods": "1"})
    found = checks(builders.vmi(), full)["quota"]
    assert found.good is False
    assert "compute" in found.text


def test_of_a_vm_that_does_not_run_only_what_matters_is_told():
    assert list(checks(builders.vm())) == ["right to migrate", "migrations now", "freeze windows"]


def test_a_system_component_is_not_asked_for_its_right():
    by = builders.someone("system:serviceaccount:kubevirt:kubevirt-controller")
    found = checks(builders.vmi(), builders.kubevirt(), by=by)["right to migrate"]
    assert (found.good, found.text) == (True, "not asked of a system component (Drain)")


def test_each_point_says_what_it_was_told_from():
    assert checks(builders.vmi())["other migrations of it"].facts == {"migrations.unfinishedOfVM"}
