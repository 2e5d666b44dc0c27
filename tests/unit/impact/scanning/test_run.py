"""A scan of a live cluster from end to end, with the reports in it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cluster.fakes import FakeTransport, Reply, Sent, failure, listed, named, ok, routed
from tests.unit.impact.scans import NOW, policies_in, policy, vm, vmi
from webhook.admission.natives import CATALOG
from webhook.cluster import client as cluster_client
from webhook.impact.scanning.policyreport import Form
from webhook.impact.scanning.run import Looked, Reporting, by_policy, look_over, write_reports
from webhook.offline.snapshot import take
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


def without_vms(request: Sent) -> Reply:
    """The same, of an account that may not list VMs; an earlier scan found something in prod and dev."""
    match request.method, request.path.rpartition("/")[2]:
        case "GET", "virtualmachines":
            return failure(403, "no")
        case "GET", "reports":
            return listed(named("migguard", "3"), named("migguard", "3", "dev"))
        case _:
            return answer(request)


def looked_over(
    answers: Callable[[Sent], Reply], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> tuple[Looked, FakeTransport]:
    """A scan of a live cluster, and what was sent."""
    client, transport = routed(answers)
    monkeypatch.setattr(cluster_client, "connect", lambda *_, **__: client)
    policies = load([policies_in(folder, MOVING, RUNNING)], CATALOG, now=NOW)
    return look_over(policies, ClusterSource(kubeconfig=Path("x")), now=NOW, tell=print), transport


@pytest.fixture(name="live")
def live_cluster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Looked, FakeTransport]:
    return looked_over(answer, tmp_path, monkeypatch)


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


class TestUnread:
    """What may not be read is not mended by that: it counts as a failure, and nothing is taken back."""

    def test_the_rest_is_judged_and_it_is_a_problem_of_the_result(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked, _ = looked_over(without_vms, tmp_path, monkeypatch)
        report = looked.scanned.report
        assert [one.rule for one in report.findings] == ["moving"]
        (problem,) = report.problems
        assert problem.message == (
            "virtualmachines.kubevirt.io are not scanned: our account lacks the RBAC verb 'list' on "
            "virtualmachines.kubevirt.io cluster-wide"
        )
        assert report.exit_code == 3

    def test_reports_of_an_earlier_scan_stay_and_new_ones_say_what_they_lack(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        looked, transport = looked_over(without_vms, tmp_path, monkeypatch)
        assert write_reports(looked, Reporting(limit=10), now=NOW) == 2
        assert [sent.path for sent in transport.sent if sent.method == "DELETE"] == []
        for sent in transport.sent:
            if sent.method == "PATCH":
                assert sent.body["metadata"]["annotations"]["migguard.io/not-scanned"] == "virtualmachines.kubevirt.io"

    def test_what_a_snapshot_lacks_is_a_problem_too(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        client, _ = routed(without_vms)
        monkeypatch.setattr(cluster_client, "connect", lambda *_, **__: client)
        place = tmp_path / "snap"
        take(ClusterSource(kubeconfig=Path("x")), place, force=False, now=NOW, tell=print)
        policies = load([policies_in(tmp_path, RUNNING)], CATALOG, now=NOW)
        report = look_over(policies, ClusterSource(manifests=(place,)), now=NOW, tell=print).scanned.report
        (problem,) = report.problems
        assert str(problem) == (
            f"{place}: virtualmachines.kubevirt.io are not scanned: our account lacks the RBAC verb 'list' on "
            "virtualmachines.kubevirt.io cluster-wide (when the snapshot was taken)"
        )
