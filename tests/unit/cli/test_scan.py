"""``migguard scan``: what is printed, where reports go, and how it exits."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.unit.impact.scans import cluster, exemption, policies_in, policy, vm
from webhook.cli.main import run

HALTED = vm("db", running=False)


@pytest.fixture(name="arguments")
def policies_and_cluster(tmp_path: Path) -> list[str]:
    """One policy that refuses and one that warns, and a VM that both find fault with."""
    documents = [
        policy("no-halt", "object.spec.running"),
        policy("soft", "object.spec.running", validationActions=["Warn"], annotations={"migguard.io/severity": "low"}),
        policy("who", "requester.username == 'x'"),
    ]
    place = cluster(tmp_path / "state", HALTED, vm("web"))
    return ["scan", "--policies", str(policies_in(tmp_path, *documents)), "--cluster", str(place)]


def test_the_table_has_each_finding_a_summary_by_policy_and_what_was_not_judged(
    arguments: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(arguments) == 1
    shown = capsys.readouterr().out
    assert "VirtualMachine prod/db" in shown
    assert "not so: object.spec.running" in shown
    assert "not judged, as they judge who asks (see migguard replay): who" in shown
    summary = shown[shown.index("SEVERITY") :].splitlines()
    assert [line.split() for line in summary] == [
        ["SEVERITY", "POLICY", "FAIL", "ERROR", "WARN"],
        ["high", "no-halt", "1", "0", "0"],
        ["low", "soft", "0", "0", "1"],
    ]


@pytest.mark.parametrize("form", ["json", "yaml", "junit", "sarif", "markdown"])
def test_every_form_has_the_findings(arguments: list[str], capsys: pytest.CaptureFixture[str], form: str) -> None:
    assert run([*arguments, "-o", form]) == 1
    shown = capsys.readouterr().out
    assert "no-halt" in shown.replace("\\", "")
    if form == "json":
        assert json.loads(shown)["summary"]["errors"] == 1
    if form == "markdown":
        assert "| severity | policy | fail | error | warn |" in shown


def test_quiet_is_one_line(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert run([*arguments, "--quiet"]) == 1
    said = capsys.readouterr()
    assert (said.out, said.err) == ("scan: 1 error, 1 warning (2 examined, 1 failed)\n", "")


@pytest.mark.parametrize(
    ("documents", "options", "code"),
    [
        pytest.param([policy("p", "true")], [], 0, id="clean"),
        pytest.param([policy("p", "false")], [], 1, id="refused"),
        pytest.param([policy("p", "false")], ["--exit-zero"], 0, id="refused-but-exit-zero"),
        pytest.param([policy("p", "false", validationActions=["Warn"])], [], 0, id="warned"),
        pytest.param([policy("p", "false", validationActions=["Warn"])], ["--warn-exit-code", "5"], 5, id="warn-code"),
        pytest.param([policy("p", "false")], ["--warn-exit-code", "5"], 1, id="worse-than-warned"),
        pytest.param(
            [policy("p", "false", validationActions=["Warn"])], ["--warn-exit-code", "5", "--exit-zero"], 0, id="both"
        ),
        pytest.param([policy("p", "true", annotations={"migguard.io/scan": "x"})], ["--exit-zero"], 2, id="bad-policy"),
        pytest.param([policy("p", "nothing")], ["--exit-zero"], 2, id="no-policy"),
    ],
)
def test_the_exit_code(tmp_path: Path, documents: list[dict[str, object]], options: list[str], code: int) -> None:
    place = cluster(tmp_path / "state", HALTED)
    policies = policies_in(tmp_path, *documents)
    assert run(["scan", "--policies", str(policies), "--cluster", str(place), "-q", *options]) == code


@pytest.mark.parametrize("options", [[], ["--exit-zero"], ["--report-dir", "reports", "--exit-zero"]])
def test_a_kind_that_could_not_be_read_is_told_and_no_success(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, options: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    cluster(tmp_path / "state", HALTED)
    why = "virtualmachineinstances.kubevirt.io cannot be read: our account lacks the RBAC verb 'list'"
    header = {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "ClusterSnapshot",
        "spec": {"taken": "2026-03-01T00:00:00Z", "unreadable": {"virtualmachineinstances.kubevirt.io": why}},
    }
    (tmp_path / "state" / "snapshot.yaml").write_text(yaml.safe_dump(header))
    policies = policies_in(tmp_path, policy("p", "true", resources=["virtualmachines", "virtualmachineinstances"]))
    assert run(["scan", "--policies", str(policies), "--cluster", "state", "-o", "json", *options]) == 3
    said = capsys.readouterr()
    report = json.loads(said.out)
    lack = "virtualmachineinstances.kubevirt.io are not scanned: our account lacks the RBAC verb 'list'"
    assert [one["message"] for one in report["problems"]] == [f"{lack} (when the snapshot was taken)"]
    assert (report["summary"]["examined"], report["summary"]["exitCode"]) == (1, 3)
    assert f"migguard: state: {lack}" in said.err
    assert ("1 report written; none was removed, as not all was scanned" in said.err) is ("--report-dir" in options)


def test_an_exemption_that_ran_out_is_listed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    over = exemption("over", "p", starts="2020-01-01", expires="2020-02-01")
    policies = policies_in(tmp_path, policy("p", "true"), over)
    assert run(["scan", "--policies", str(policies), "--cluster", str(cluster(tmp_path / "state", HALTED))]) == 0
    assert "exemption 'over' from p ran out on 2020-02-01" in capsys.readouterr().out


class TestReports:
    def test_they_are_written_as_files(
        self, arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
    ) -> None:
        assert run([*arguments, "--report-dir", str(tmp_path / "reports"), "--quiet", "--max-results", "1"]) == 1
        assert capsys.readouterr().err == "migguard: 2 reports written\n"
        report = yaml.safe_load((tmp_path / "reports" / "namespaces" / "prod.yaml").read_text())
        assert report["kind"] == "Report"
        assert report["summary"] == {"fail": 1, "error": 0, "warn": 1, "pass": 2, "skip": 0}
        assert [one["policy"] for one in report["results"]] == ["no-halt"]

    def test_of_the_api_that_is_asked_for(self, arguments: list[str], tmp_path: Path) -> None:
        run([*arguments, "--report-dir", str(tmp_path / "reports"), "--report-format", "wgpolicy"])
        assert yaml.safe_load((tmp_path / "reports" / "cluster.yaml").read_text())["kind"] == "ClusterPolicyReport"

    @pytest.mark.parametrize(
        ("options", "said"),
        [
            pytest.param(["--report"], "--report needs a live cluster", id="manifests-are-no-cluster"),
            pytest.param(["--report", "--report-dir", "x"], "--report needs a live cluster", id="both"),
        ],
    )
    def test_what_cannot_be(
        self, arguments: list[str], capsys: pytest.CaptureFixture[str], options: list[str], said: str
    ) -> None:
        assert run([*arguments, *options]) == 2
        assert said in capsys.readouterr().err

    def test_one_place_is_enough(self, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
        policies = policies_in(tmp_path, policy("p", "true"))
        assert run(["scan", "--policies", str(policies), "--report", "--report-dir", "x", "--kubeconfig", "x"]) == 2
        assert "--report and --report-dir are both given" in capsys.readouterr().err


def test_manifests_are_scanned_without_the_kubernetes_library(arguments: list[str]) -> None:
    code = f"import sys; from webhook.cli.main import run; run({arguments!r}); print('kubernetes' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("False\n")
