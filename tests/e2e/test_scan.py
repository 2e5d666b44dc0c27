"""``migguard scan`` of a real cluster: PolicyReports that the API server takes, by an account with those rights."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.controlplane import ControlPlane, control_plane
from tests.support.kubectl import Kubectl
from webhook.cli.main import run

ROOT = Path(__file__).parents[2]
POLICIES = str(ROOT / "policies")
ACCOUNT = "system:serviceaccount:migguard-scan:migguard-scan"
NAMESPACE = "scanned"
CLAIM: dict[str, Any] = {
    "apiVersion": "v1",
    "kind": "PersistentVolumeClaim",
    "metadata": {"name": "root", "namespace": NAMESPACE},
    "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
}
VM: dict[str, Any] = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachine",
    "metadata": {"name": "db", "namespace": NAMESPACE},
    "spec": {
        "runStrategy": "Halted",
        "template": {
            "spec": {
                "evictionStrategy": "LiveMigrate",
                "domain": {"devices": {"interfaces": [{"name": "default", "masquerade": {}}]}},
                "networks": [{"name": "default", "pod": {}}],
                "volumes": [{"name": "root", "persistentVolumeClaim": {"claimName": "root"}}],
            }
        },
    },
}
ROLE: dict[str, Any] = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "scan-movers"},
    "rules": [{"apiGroups": ["kubevirt.io"], "resources": ["virtualmachineinstancemigrations"], "verbs": ["create"]}],
}


@pytest.fixture(scope="module", name="control_plane")
def cluster_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ControlPlane]:
    """A scan sees everything: what other tests leave, and a webhook that judges, would have a say in these."""
    with control_plane(tmp_path_factory.mktemp("scanned")) as plane:
        plane.install("crds", "rbac/kubevirt.yaml")
        yield plane


@pytest.fixture(name="admin")
def cluster_with_findings(control_plane: ControlPlane) -> Iterator[Kubectl]:
    """A VM that will block drains, and a role that lets people migrate beside the one that is meant for it."""
    admin = control_plane.kubectl
    for namespace in (NAMESPACE, "migguard-scan"):
        if not admin("get", "namespace", namespace).ok:
            admin.must("create", "namespace", namespace)
    for manifest in (CLAIM, VM, ROLE):
        assert admin.apply(manifest).ok
    yield admin
    kinds = "reports.openreports.io,clusterreports,policyreports,clusterpolicyreports"
    admin.must("delete", kinds, "--all", "-A", "--ignore-not-found")
    leftovers = yaml.safe_dump_all([CLAIM, VM, ROLE])
    admin.must("delete", "-f", "-", "--wait=false", "--ignore-not-found", manifest=leftovers)


@pytest.fixture(name="scanner")
def account_of_the_cronjob(control_plane: ControlPlane, admin: Kubectl) -> Iterator[Path]:
    """The kubeconfig of an account with the rights that examples/scan-cronjob.yaml gives."""
    documents = yaml.safe_load_all((ROOT / "examples" / "scan-cronjob.yaml").read_text())
    role, binding = (one for one in documents if one["kind"] in {"ClusterRole", "ClusterRoleBinding"})
    binding["subjects"][0]["namespace"] = "migguard-scan"
    for manifest in (role, binding):
        assert admin.apply(manifest).ok
    yield control_plane.kubeconfig_for(ACCOUNT, ["system:serviceaccounts", "system:serviceaccounts:migguard-scan"])
    admin.must("delete", "-f", "-", manifest=yaml.safe_dump_all([role, binding]))


def scan(kubeconfig: Path, *options: str) -> int:
    return run(["scan", "--policies", POLICIES, "--kubeconfig", str(kubeconfig), *options])


def results(report: dict[str, Any], policy: str) -> list[dict[str, Any]]:
    return [one for one in report["results"] if one["policy"] == policy]


@pytest.mark.parametrize(
    ("form", "kind", "cluster_kind"),
    [
        pytest.param("openreports", "reports.openreports.io", "clusterreports.openreports.io", id="openreports"),
        pytest.param("wgpolicy", "policyreports.wgpolicyk8s.io", "clusterpolicyreports.wgpolicyk8s.io", id="wgpolicy"),
    ],
)
def test_the_api_server_takes_the_reports_and_gives_them_back_whole(
    admin: Kubectl, scanner: Path, form: str, kind: str, cluster_kind: str
) -> None:
    assert scan(scanner, "--report", "--report-format", form, "--exit-zero", "--quiet") == 0

    report = admin.read(kind, "migguard", "-n", NAMESPACE)
    assert report["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "migguard"}
    (found,) = results(report, "eviction-strategy-migratable")
    uid = admin.read("vm", "db", "-n", NAMESPACE)["metadata"]["uid"]
    assert found["resources"] == [
        {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "namespace": NAMESPACE, "name": "db", "uid": uid}
    ]
    assert (found["result"], found["severity"], found["category"]) == ("warn", "medium", "operations")
    assert "PersistentVolumeClaim scanned/root is ReadWriteOnce" in found["message"].replace(
        f"{NAMESPACE}/", "scanned/"
    )
    assert report["summary"]["warn"] >= 1

    cluster = admin.read(cluster_kind, "migguard")
    assert [one["resources"][0]["name"] for one in results(cluster, "rbac-migrate-grants")] == ["scan-movers"]


def test_openreports_is_chosen_where_the_cluster_has_it_and_the_other_kind_is_cleaned_up(
    admin: Kubectl, scanner: Path
) -> None:
    assert scan(scanner, "--report", "--report-format", "wgpolicy", "--exit-zero", "--quiet") == 0
    assert scan(scanner, "--report", "--exit-zero", "--quiet") == 0
    assert admin("get", "reports.openreports.io", "migguard", "-n", NAMESPACE).ok
    assert not admin.must("get", "policyreports,clusterpolicyreports", "-A", "-o", "name")


def test_the_report_of_a_namespace_goes_when_nothing_is_found_there_any_more(admin: Kubectl, scanner: Path) -> None:
    foreign = {
        "apiVersion": "openreports.io/v1alpha1",
        "kind": "Report",
        "metadata": {"name": "of-somebody-else", "namespace": NAMESPACE},
    }
    assert admin.apply(foreign).ok
    assert scan(scanner, "--report", "--exit-zero", "--quiet") == 0
    admin.must("delete", "vm", "db", "-n", NAMESPACE)
    assert scan(scanner, "--report", "--exit-zero", "--quiet") == 0
    left = admin.must("get", "reports.openreports.io", "-n", NAMESPACE, "-o", "name").split()
    assert left == ["report.openreports.io/of-somebody-else"]
    assert admin("get", "clusterreports", "migguard").ok


def test_a_second_scan_replaces_the_report_rather_than_adding_to_it(admin: Kubectl, scanner: Path) -> None:
    for _ in range(2):
        assert scan(scanner, "--report", "--exit-zero", "--quiet") == 0
    assert len(results(admin.read("reports", "migguard", "-n", NAMESPACE), "eviction-strategy-migratable")) == 1


def test_a_capped_report_counts_what_it_does_not_list(admin: Kubectl, scanner: Path) -> None:
    second = {**VM, "metadata": {"name": "db-2", "namespace": NAMESPACE}}
    assert admin.apply(second).ok
    assert scan(scanner, "--report", "--max-results", "1", "--exit-zero", "--quiet") == 0
    report = admin.read("reports", "migguard", "-n", NAMESPACE)
    admin.must("delete", "vm", "db-2", "-n", NAMESPACE)
    assert len(report["results"]) == 1
    total = sum(report["summary"][one] for one in ("fail", "error", "warn"))
    assert report["metadata"]["annotations"]["migguard.io/results-cut"] == str(total - 1)
    assert total > 1


def test_the_live_cluster_and_a_dump_of_it_give_the_same_findings(
    admin: Kubectl, scanner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def found(*options: str) -> set[tuple[str, str, str]]:
        capsys.readouterr()
        run(["scan", "--policies", POLICIES, "-o", "json", *options])
        examined = json.loads(capsys.readouterr().out)["examined"]
        return {
            (finding["rule"], finding["subject"], finding["message"])
            for one in examined
            for finding in one.get("findings", [])
        }

    kinds = "hyperconvergeds,kubevirts,migrationpolicies,vm,vmi,vmim,namespaces,nodes,pods,pvc,resourcequotas"
    rbac = "roles,rolebindings,clusterroles,clusterrolebindings"
    (tmp_path / "dump.yaml").write_text(admin.must("get", f"{kinds},{rbac}", "-A", "-o", "yaml"))
    live = found("--kubeconfig", str(scanner))
    assert ("rbac-migrate-grants", "ClusterRole scan-movers") in {(rule, subject) for rule, subject, _ in live}
    assert found("--cluster", str(tmp_path / "dump.yaml")) == live


def test_a_scan_of_a_snapshot_finds_what_a_scan_of_the_cluster_does(
    admin: Kubectl, scanner: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert admin("get", "vm", "db", "-n", NAMESPACE).ok
    assert run(["snapshot", str(tmp_path), "--kubeconfig", str(scanner)]) == 0
    capsys.readouterr()
    run(["scan", "--policies", POLICIES, "--cluster", str(tmp_path), "-o", "json"])
    examined = json.loads(capsys.readouterr().out)["examined"]
    subjects = {(one["rule"], one["subject"]) for item in examined for one in item.get("findings", [])}
    assert ("eviction-strategy-migratable", f"VirtualMachine {NAMESPACE}/db") in subjects
    assert ("rbac-migrate-grants", "ClusterRole scan-movers") in subjects


def test_reports_that_the_account_may_not_write_are_an_error_that_names_the_right(
    control_plane: ControlPlane, admin: Kubectl, capsys: pytest.CaptureFixture[str]
) -> None:
    admin.must("create", "clusterrole", "scan-reader", "--verb=list", "--resource=*.*")
    admin.must("create", "clusterrolebinding", "scan-reader", "--clusterrole=scan-reader", "--user=rita")
    code = scan(control_plane.kubeconfig_for("rita"), "--report", "--quiet", "--exit-zero")
    admin.must("delete", "clusterrole,clusterrolebinding", "scan-reader")
    assert code == 3
    assert "'patch' on clusterreports.openreports.io cluster-wide" in capsys.readouterr().err


def test_what_may_not_be_listed_any_more_is_no_success_and_takes_nothing_back(
    admin: Kubectl, scanner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert scan(scanner, "--report", "--quiet", "--exit-zero") == 0
    before = admin.read("reports", "migguard", "-n", NAMESPACE)
    role = admin.read("clusterrole", "migguard-scan")
    for rule in role["rules"]:
        rule["resources"] = [one for one in rule["resources"] if one != "virtualmachines"]
    admin.must("replace", "-f", "-", manifest=yaml.safe_dump(role))
    capsys.readouterr()

    assert scan(scanner, "--report", "--quiet", "--exit-zero") == 3
    said = capsys.readouterr()
    assert "; 1 problem in what could not be read" in said.out
    assert "virtualmachines.kubevirt.io are not scanned: our account lacks the RBAC verb 'list'" in said.err
    assert admin.read("reports", "migguard", "-n", NAMESPACE)["results"] == before["results"]
    cluster = admin.read("clusterreports", "migguard")
    assert cluster["metadata"]["annotations"]["migguard.io/not-scanned"] == "virtualmachines.kubevirt.io"


def test_findings_that_would_be_refused_give_exit_code_1(
    admin: Kubectl, scanner: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    exposing = {
        "apiVersion": "migrations.kubevirt.io/v1alpha1",
        "kind": "MigrationPolicy",
        "metadata": {"name": "scan-fast"},
        "spec": {"allowPostCopy": True, "selectors": {"namespaceSelector": {"scan": "critical"}}},
    }
    labels = ("scan=critical", "migguard.io/critical=true")
    admin.must("label", "namespace", NAMESPACE, *labels)
    assert admin.apply(exposing).ok
    code = scan(scanner)
    admin.must("delete", "migrationpolicy", "scan-fast")
    admin.must("label", "namespace", NAMESPACE, "scan-", "migguard.io/critical-")
    assert code == 1
    shown = capsys.readouterr().out
    assert "MigrationPolicy scan-fast" in shown
    assert "would put 1 critical VM(s) under post-copy" in shown
