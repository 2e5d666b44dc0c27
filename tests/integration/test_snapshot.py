"""Snapshots of a real kube-apiserver: what they hold, what they must not, and that decisions from them are the same."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.controlplane import ControlPlane
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.cli.main import run
from webhook.cluster.snapshot import header_of
from webhook.errors import FactUnavailable
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES, ROLE, VMI
from webhook.model.decision import Decision
from webhook.model.facts import Deadline
from webhook.model.request import Phase
from webhook.offline.request import request_of
from webhook.offline.state import ClusterSource, world_from
from webhook.policy.policyset import PolicySet, load

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
NAMESPACE = "snapped"
SECRETS = ("hunter2", "hunter3", "hunter4", "hunter5", "hunter6", "hunter7")
VM: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {
        "name": "db",
        "namespace": NAMESPACE,
        "annotations": {"example.com/token": "hunter2"},
    },
    "spec": {
        "runStrategy": "Always",
        "template": {
            "metadata": {"labels": {"migguard.io/critical": "true"}, "annotations": {"example.com/token": "hunter3"}},
            "spec": {
                "domain": {
                    "devices": {"disks": [{"name": "root", "serial": "hunter4"}]},
                    "firmware": {"serial": "hunter5"},
                },
                "accessCredentials": [{"sshPublicKey": {"source": {"secret": {"secretName": "hunter6"}}}}],
                "volumes": [
                    {"name": "root", "persistentVolumeClaim": {"claimName": "root"}},
                    {"name": "init", "cloudInitNoCloud": {"userData": "#cloud-config\npassword: hunter7\n"}},
                ],
            },
        },
    },
}
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "root", "namespace": NAMESPACE},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
POD: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "Pod",
    "metadata": {"name": "agent", "namespace": NAMESPACE, "annotations": {"example.com/token": "hunter2"}},
    "spec": {
        "containers": [
            {"name": "agent", "image": "agent", "args": ["hunter3"], "env": [{"name": "PASSWORD", "value": "hunter4"}]}
        ]
    },
}


@pytest.fixture(scope="module", name="kubeconfig")
def cluster_with_a_vm(control_plane: ControlPlane) -> Iterator[Path]:
    """A cluster with a VM that runs, and secrets wherever people put them."""
    admin = control_plane.kubectl
    admin.must("create", "namespace", NAMESPACE)
    vmi = {
        **VM["spec"]["template"],
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {**VM["spec"]["template"]["metadata"], "name": "db", "namespace": NAMESPACE},
        "status": {"phase": "Running", "nodeName": "worker-1"},
    }
    secret = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": "hunter6", "namespace": NAMESPACE},
        "stringData": {"password": "hunter7"},
    }
    binding = {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "RoleBinding",
        "metadata": {"name": "alice", "namespace": NAMESPACE},
        "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubevirt.io:migrate"},
        "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
    }
    objects = [VM, vmi, CLAIM, POD, secret, binding]
    text = yaml.safe_dump_all(objects)
    admin.must(
        "apply", "-f", "-", manifest=text
    )  # client-side apply: the whole object is in last-applied-configuration
    yield control_plane.kubeconfig
    admin.must("delete", "--wait=false", "-f", "-", manifest=text)


@pytest.fixture(scope="module")
def policies() -> PolicySet:
    """The built-in policies."""
    return load([ROOT / "policies"], CATALOG, now=NOW)


def migration(world: World, policies: PolicySet, user: str) -> Decision:
    """The decision on a migration of the VM."""
    vmim = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "move", "namespace": NAMESPACE},
        "spec": {"vmiName": "db"},
    }
    request = request_of({"operation": "CREATE", "object": vmim, "user": {"username": user}}, "1")
    return decide(
        request,
        Phase.VALIDATE,
        policies=policies,
        world=world,
        now=NOW,
        deadline=Deadline.after(30),
        decision_id="1",
    )


def test_a_snapshot_holds_no_secret_of_any_kind(kubeconfig: Path, tmp_path: Path) -> None:
    assert run(["snapshot", str(tmp_path / "snap"), "--kubeconfig", str(kubeconfig)]) == 0
    texts = {file: file.read_text() for file in (tmp_path / "snap").rglob("*") if file.is_file()}
    found = [(str(file), word) for file, word in itertools.product(texts, SECRETS) if word in texts[file]]
    assert not found
    assert not [file for file, text in texts.items() if "last-applied-configuration" in text or "kind: Secret" in text]


@pytest.mark.parametrize("user", ["alice", "bob"])
def test_decisions_and_facts_from_a_snapshot_are_those_of_the_cluster(
    kubeconfig: Path, policies: PolicySet, tmp_path: Path, user: str
) -> None:
    folder = tmp_path / "snap"
    assert run(["snapshot", str(folder), "--kubeconfig", str(kubeconfig)]) == 0
    live = migration(world_from(ClusterSource(kubeconfig=kubeconfig)), policies, user)
    offline = migration(world_from(ClusterSource(manifests=(folder,))), policies, user)
    assert not live.allowed  # the claim is ReadWriteOnce
    assert live.facts["vmi.critical"] is True
    assert (offline.message, offline.facts, offline.unavailable) == (live.message, live.facts, live.unavailable)
    assert [(one.policy, one.result) for one in offline.evaluations] == [
        (one.policy, one.result) for one in live.evaluations
    ]


def test_a_second_snapshot_of_the_same_cluster_is_the_same_but_for_its_time(kubeconfig: Path, tmp_path: Path) -> None:
    def content() -> dict[str, str]:
        assert run(["snapshot", str(tmp_path), "--kubeconfig", str(kubeconfig)]) == 0
        return {str(file): file.read_text() for file in tmp_path.rglob("*") if file.is_file()}

    first, second = content(), content()
    header = str(tmp_path / "snapshot.yaml")
    assert first.pop(header).splitlines()[:5] == second.pop(header).splitlines()[:5]
    assert first == second


@pytest.fixture(name="reader")
def account_that_may_list_vms_alone(control_plane: ControlPlane) -> Iterator[Path]:
    """A kubeconfig of somebody who may list VMIs and namespaces, and nothing else."""
    admin = control_plane.kubectl
    resources = "--resource=namespaces,virtualmachineinstances.kubevirt.io"
    admin.must("create", "clusterrole", "vm-reader", "--verb=list", resources)
    admin.must("create", "clusterrolebinding", "vm-reader", "--clusterrole=vm-reader", "--user=rita")
    yield control_plane.kubeconfig_for("rita")
    admin.must("delete", "clusterrole,clusterrolebinding", "vm-reader")


@pytest.mark.usefixtures("kubeconfig")
def test_what_the_account_may_not_list_is_unavailable_and_named_with_the_right(
    reader: Path, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    world = world_from(ClusterSource(kubeconfig=reader))
    told = capfd.readouterr().err
    assert "'list' on roles.rbac.authorization.k8s.io cluster-wide" in told
    assert "permissions are worked out from the RBAC objects of the cluster" in told
    assert world.view.get(VMI, NAMESPACE, "db") is not None
    with pytest.raises(FactUnavailable, match="'list' on roles"):
        world.view.list(ROLE)

    assert run(["snapshot", str(tmp_path), "--kubeconfig", str(reader)]) == 0
    header = header_of(tmp_path)
    assert header is not None
    assert set(header.unreadable) == {str(row.resource) for row in RESOURCES} - {
        "namespaces",
        "virtualmachineinstances.kubevirt.io",
    }
    again = world_from(ClusterSource(manifests=(tmp_path,)))
    with pytest.raises(FactUnavailable, match=r"'list' on roles.* \(when the snapshot was taken\)"):
        again.view.list(ROLE)


def test_an_account_that_may_list_nothing_is_told_so(
    control_plane: ControlPlane, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    code = run(["snapshot", str(tmp_path / "snap"), "--kubeconfig", str(control_plane.kubeconfig_for("nobody"))])
    assert code == 3
    assert "our account may list none of the resources" in capfd.readouterr().err
    assert not (tmp_path / "snap").exists()


def test_permissions_are_asked_of_the_api_server_where_the_account_may_ask(kubeconfig: Path) -> None:
    world = world_from(ClusterSource(kubeconfig=kubeconfig))
    assert not isinstance(world.authorizer, RBACAuthorizer)
