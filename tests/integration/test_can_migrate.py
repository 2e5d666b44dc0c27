"""``migguard can-migrate`` and ``explain`` on a real kube-apiserver, which is asked who we are and what one may."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.controlplane import ControlPlane
from webhook.cli.main import run

ROOT = Path(__file__).parents[2]
POLICIES = ["--policies", str(ROOT / "policies" / "requester-can-migrate" / "policy.yaml")]
NAMESPACE = "asked"
VMI: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstance",
    "metadata": {"name": "db", "namespace": NAMESPACE},
    "spec": {"domain": {"devices": {"interfaces": [{"name": "default", "masquerade": {}}]}}},
    "status": {"phase": "Running", "nodeName": "worker-1"},
}

ONLOOKER: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "onlooker"},
    "rules": [{"apiGroups": ["*"], "resources": ["*"], "verbs": ["get", "list"]}],
}


@pytest.fixture(scope="module", autouse=True)
def a_vm_and_two_who_may_look(control_plane: ControlPlane) -> Iterator[None]:
    """A VM, and frank and grace, who may read the cluster; grace may migrate too."""
    admin = control_plane.kubectl
    admin.must("create", "namespace", NAMESPACE)
    admin.must("apply", "-f", "-", manifest=yaml.safe_dump(ONLOOKER))
    admin.must("create", "clusterrolebinding", "onlooker", "--clusterrole=onlooker", "--user=frank", "--user=grace")
    migrate = ["--clusterrole=kubevirt.io:migrate", "--user=grace", "-n", NAMESPACE]
    admin.must("create", "rolebinding", "grace", *migrate)
    admin.must("apply", "-f", "-", manifest=yaml.safe_dump(VMI))
    yield
    admin.must("delete", "clusterrole,clusterrolebinding", "onlooker")
    admin.must("delete", "--wait=false", "-f", "-", manifest=yaml.safe_dump(VMI))


@pytest.mark.parametrize(
    ("user", "code", "answer"),
    [
        pytest.param("grace", 0, f"yes: grace may migrate VM {NAMESPACE}/db now", id="holds-the-right"),
        pytest.param(
            "frank", 1, f"no: frank cannot migrate VM {NAMESPACE}/db now: one thing is in the way", id="lacks-it"
        ),
    ],
)
def test_without_a_name_it_is_about_whom_the_api_server_takes_us_for(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str], user: str, code: int, answer: str
) -> None:
    kubeconfig = str(control_plane.kubeconfig_for(user))
    assert run(["can-migrate", f"{NAMESPACE}/db", "--kubeconfig", kubeconfig, *POLICIES]) == code
    assert capsys.readouterr().out.splitlines()[0] == answer


def test_an_administrator_asks_for_somebody_else(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = [f"{NAMESPACE}/db", "--as", "frank", "--kubeconfig", str(control_plane.kubeconfig), *POLICIES]
    assert run(["can-migrate", *arguments]) == 1
    printed = capsys.readouterr().out
    assert "(policy requester-can-migrate and Kubernetes (RBAC))" in printed
    assert (
        f"oc create rolebinding migrate-frank -n {NAMESPACE} --clusterrole=kubevirt.io:migrate --user=frank" in printed
    )


def test_the_questions_that_were_asked_are_shown(
    control_plane: ControlPlane, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--vm", f"{NAMESPACE}/db", "--as", "frank", "--kubeconfig", str(control_plane.kubeconfig), *POLICIES]
    assert run(["explain", *arguments]) == 1
    printed = capsys.readouterr().out
    assert "DENIED by requester-can-migrate" in printed
    assert f"asked: can frank create virtualmachineinstancemigrations.kubevirt.io -n {NAMESPACE}: no" in printed
