"""The test control plane itself: what the other tests take for granted about the real components."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import process
from tests.support.aggregation import aggregate
from tests.support.controlplane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.process import Process, ProcessError, until

HCO = {"apiVersion": "hco.kubevirt.io/v1beta1", "kind": "HyperConverged", "metadata": {"name": "conversion"}}


def test_a_kubeconfig_authenticates_as_its_user_and_groups(control_plane: ControlPlane) -> None:
    kubectl = Kubectl(control_plane.kubeconfig_for("alice", ["sre", "oncall"]))
    assert kubectl.must("auth", "whoami", "-o", "jsonpath={.status.userInfo.username} {.status.userInfo.groups}") == (
        'alice ["sre","oncall","system:authenticated"]'
    )


def test_objects_survive_a_restart_of_the_api_server_on_the_same_port(control_plane: ControlPlane) -> None:
    control_plane.kubectl.must("create", "namespace", "survives")
    url = control_plane.url
    control_plane.restart_apiserver()
    assert control_plane.url == url
    assert control_plane.kubectl.must("get", "namespace", "survives", "-o", "name") == "namespace/survives\n"


def test_a_paused_api_server_answers_nothing_until_it_goes_on(control_plane: ControlPlane) -> None:
    with control_plane.paused():
        assert not control_plane.kubectl("get", "namespaces", "--request-timeout=1s").ok
    assert control_plane.kubectl("get", "namespaces").ok


def test_hyperconverged_converts_between_its_versions_with_hcos_defaults(control_plane: ControlPlane) -> None:
    kubectl = control_plane.kubectl.within("default")
    kubectl.must("create", "-f", "-", manifest=HCO)
    path = "-o=jsonpath={.spec.liveMigrationConfig}{.spec.virtualization.liveMigrationConfig}"
    stored = (
        '{"allowAutoConverge":false,"allowPostCopy":false,"completionTimeoutPerGiB":150,'
        '"parallelMigrationsPerCluster":5,"parallelOutboundMigrationsPerNode":2,"progressTimeout":150}'
    )
    assert kubectl.must("get", "hyperconvergeds.v1beta1.hco.kubevirt.io", "conversion", path) == stored
    assert kubectl.must("get", "hyperconvergeds.v1.hco.kubevirt.io", "conversion", path) == stored
    kubectl.must("delete", "hco", "conversion")


def test_aggregation_gives_namespace_admins_what_the_labels_say(control_plane: ControlPlane) -> None:
    kubectl = control_plane.kubectl
    aggregate(kubectl)
    kubectl.must("create", "namespace", "aggregated")
    kubectl.must("create", "rolebinding", "bob", "--clusterrole=admin", "--user=bob", "-n", "aggregated")
    bob = kubectl.as_user("bob").within("aggregated")
    assert bob("auth", "can-i", "delete", "virtualmachineinstances.kubevirt.io").ok
    assert bob("auth", "can-i", "list", "virtualmachineinstancemigrations.kubevirt.io").ok
    assert not bob("auth", "can-i", "create", "secrets", "-n", "default").ok


def test_a_process_that_ends_early_is_reported_with_its_last_words(tmp_path: Path) -> None:
    failing = Process("failing", ["/bin/sh", "-c", "echo no such luck; exit 3"], log=tmp_path / "log")
    with pytest.raises(ProcessError, match="failing ended with code 3\nno such luck"):
        failing.start(lambda: False, seconds=10)


def test_a_process_ends_with_the_one_that_started_it(tmp_path: Path) -> None:
    script = (
        f"import sys, time; sys.path.insert(0, {str(Path(process.__file__).parents[2])!r})\n"
        "from pathlib import Path; from tests.support.process import Process\n"
        f"child = Process('sleep', ['/bin/sleep', '600'], log=Path({str(tmp_path / 'log')!r}))\n"
        "child.start(lambda: True, seconds=5); print(child.pid, flush=True); time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True) as starter:
        assert starter.stdout is not None
        child = int(starter.stdout.readline())
        starter.send_signal(signal.SIGKILL)
    until(lambda: not _alive(child), seconds=10, what="the end of the child")


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not state.exists() or state.read_text().rsplit(")", 1)[1].split()[0] != "Z"
