"""``migguard snapshot``: from a cluster or a dump to a folder, and what is said on the way."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.cluster.fakes import Reply, Sent, failure, listed, named, ok, routed
from webhook.cli.main import run
from webhook.cluster import client as cluster_client

NODE = "apiVersion: v1\nkind: Node\nmetadata: {name: worker-1}\n"


def answers(request: Sent) -> Reply:
    """An API server with one node, that does not let us list roles."""
    if request.path == "/version":
        return ok({"gitVersion": "v1.36.3"})
    resource = request.path.rpartition("/")[2]
    if resource == "roles":
        return failure(403, "no")
    return listed(named("worker-1", "3", "")) if resource == "nodes" else listed()


def test_a_live_cluster_is_taken_with_progress_and_what_could_not_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(cluster_client, "connect", lambda *_, **__: routed(answers)[0])
    assert run(["snapshot", str(tmp_path / "snap"), "--kubeconfig", "some"]) == 0
    said = capsys.readouterr()
    assert said.out == f"{tmp_path}/snap: 1 object; 1 resource could not be read\n"
    assert "migguard: nodes: 1\n" in said.err
    assert "'list' on roles.rbac.authorization.k8s.io cluster-wide" in said.err
    header = (tmp_path / "snap" / "snapshot.yaml").read_text()
    assert "server: https://api.test:6443" in header
    assert "serverVersion: v1.36.3" in header
    assert "roles.rbac.authorization.k8s.io: 'roles.rbac.authorization.k8s.io cannot be read:" in header


def test_a_dump_is_taken_without_a_cluster(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "dump.yaml").write_text(NODE)
    assert run(["snapshot", str(tmp_path / "snap"), "--cluster", str(tmp_path / "dump.yaml")]) == 0
    assert capsys.readouterr().out == f"{tmp_path}/snap: 1 object\n"


@pytest.mark.parametrize(
    ("options", "code", "said"),
    [
        pytest.param(["full", "--cluster", "dump.yaml"], 2, "full: holds files, and is not a snapshot", id="full"),
        pytest.param(["new", "--cluster", "missing"], 2, "missing: no such file or directory", id="no-manifests"),
        pytest.param(["new"], 2, "no cluster is given, and there is no kubeconfig", id="no-cluster"),
        pytest.param(["new", "--kubeconfig", "broken"], 3, "cannot connect", id="cluster-is-down"),
        pytest.param(["new", "--cluster", "dump.yaml", "--kubeconfig", "x"], 2, "both given", id="both"),
    ],
)
def test_what_goes_wrong_is_one_line_and_leaves_nothing_behind(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    options: list[str],
    code: int,
    said: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("KUBECONFIG", "KUBERNETES_SERVICE_HOST"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    refused = ConnectionRefusedError(111, "Connection refused")
    monkeypatch.setattr(cluster_client, "connect", lambda *_, **__: routed(lambda _: refused)[0])
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "thesis.txt").write_text("")
    (tmp_path / "dump.yaml").write_text(NODE)
    assert run(["snapshot", *options]) == code
    (line,) = capsys.readouterr().err.splitlines()
    assert said in line
    assert not (tmp_path / "new").exists()


def test_by_force_it_is_written_beside_other_files(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    (tmp_path / "dump.yaml").write_text(NODE)
    assert run(["snapshot", str(tmp_path), "--cluster", str(tmp_path / "dump.yaml"), "--force"]) == 0
    assert (tmp_path / "thesis.txt").read_text() == "years of work"
    assert (tmp_path / "snapshot.yaml").exists()
