"""A scan of a live cluster from end to end, with the reports in it."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cluster.fakes import FakeTransport, Reply, Sent, listed, ok, routed
from tests.unit.impact.scans import NOW, policies_in, policy, vm, vmi
from webhook.admission.natives import CATALOG
from webhook.cluster import client as cluster_client
from webhook.impact.scanning.policyreport import Form
from webhook.impact.scanning.run import Looked, Reporting, by_policy, look_over, write_reports
from webhook.offline.state import ClusterSource
from webhook.policy.policyset import load

MOVING = policy(
    "moving",
    "vmi.name != 'db'",
    resources=["virtualmachineinstancemigrations"],
    annotations={"migguard.io/scan": "migration", "migguard.io/severity": "critical"},
)
RUNNING = policy("no-halt", "object.spec.running")
GROUPS = ("kubevirt.io", "openreports.io")


def answer(request: Sent) -> Reply:
    """An API server with a VM that runs and is halted, and the CRDs of OpenReports."""
    match request.path.split("/"):
        case ["", "apis"]:
            groups = [{"name": name, "versions": [{"version": "v1"}]} for name in GROUPS]
            return ok({"kind": "APIGroupList", "groups": groups})
        case ["", "apis", "kubevirt.io", "v1"]:
            kinds = {"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance"}
            return ok({"resources": [{"name": name, "kind": kind} for name, kind in kinds.items()]})
        case ["", "apis", "openreports.io", "v1"]:
            return ok({"resources": [{"name": "clusterreports", "kind": "ClusterReport"}]})
        case [*_, "virtualmachines"]:
            return listed(vm("db", running=False), api_version="kubevirt.io/v1")
        case [*_, "virtualmachineinstances"]:
            return listed(vmi("db"), api_version="kubevirt.io/v1")
        case [*_, "namespaces"]:
            return listed({"metadata": {"name": "prod"}})
        case _:
            return listed()


@pytest.fixture(name="live")
def live_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Looked, FakeTransport]:
    """A scan of it, and what was sent."""
    client, transport = routed(answer)
    monkeypatch.setattr(cluster_client, "connect", lambda *_, **__: client)
    policies = load([policies_in(tmp_path, MOVING, RUNNING)], CATALOG, now=NOW)
    return look_over(policies, ClusterSource(kubeconfig=Path("x")), now=NOW, tell=print), transport


def test_objects_and_migrations_of_running_vms_are_judged(live: tuple[Looked, FakeTransport]) -> None:
    looked, _ = live
    assert [(one.subject, one.rule) for one in looked.scanned.report.findings] == [
        ("VirtualMachine prod/db", "no-halt"),
        ("VirtualMachineInstance prod/db", "moving"),
    ]
    assert looked.scanned.report.settings["cluster"] == "https://api.test:6443"


def test_the_summary_is_by_severity(live: tuple[Looked, FakeTransport]) -> None:
    headers, rows = by_policy(live[0].scanned.report)
    assert headers == ("severity", "policy", "fail", "error", "warn")
    assert rows == [("critical", "moving", 1, 0, 0), ("high", "no-halt", 1, 0, 0)]


@pytest.mark.parametrize(
    ("form", "first"),
    [
        pytest.param(None, "/apis/openreports.io/v1alpha1/clusterreports/migguard", id="what-the-cluster-has"),
        pytest.param(Form.WGPOLICY, "/apis/wgpolicyk8s.io/v1alpha2/clusterpolicyreports/migguard", id="asked-for"),
    ],
)
def test_reports_go_into_the_cluster(live: tuple[Looked, FakeTransport], form: Form | None, first: str) -> None:
    looked, transport = live
    assert write_reports(looked, Reporting(form=form, limit=10), now=NOW) == 2
    assert next(sent.path for sent in transport.sent if sent.method == "PATCH") == first


def test_or_into_a_folder_if_one_is_named(live: tuple[Looked, FakeTransport], tmp_path: Path) -> None:
    looked, transport = live
    assert write_reports(looked, Reporting(folder=tmp_path / "out", limit=10), now=NOW) == 2
    assert (tmp_path / "out" / "namespaces" / "prod.yaml").exists()
    assert not [sent for sent in transport.sent if sent.method == "PATCH"]
