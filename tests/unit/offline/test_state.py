"""Where the state of a cluster comes from: manifests, a snapshot, or the cluster that kubectl speaks to."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cluster.fakes import Reply, Sent, failure, listed, named, ok, routed
from webhook.cluster import client as cluster_client
from webhook.cluster.access import SubjectAccessReviewAuthorizer
from webhook.errors import ClusterError, FactUnavailable, InputError, UsageError
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import NODE, ROLE, VMI
from webhook.model.objects import name_of
from webhook.offline.state import ClusterSource, connected, to_stderr, world_from

Answer = Callable[[Sent], Reply | Exception]


def kubeconfig(folder: Path, name: str, **fields: Any) -> Path:
    """A kubeconfig of one cluster, context and user, all of this name."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.yaml"
    document = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": {"server": f"https://{name}.test:6443"}}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": name}}],
        "users": [{"name": name, "user": {"token": "t"}}],
        "current-context": name,
        **fields,
    }
    path.write_text(yaml.safe_dump(document))
    return path


@pytest.fixture(autouse=True)
def nothing_around(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No kubeconfig of the person who runs the tests, and no pod."""
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))


class TestWhichCluster:
    def test_the_named_kubeconfig_comes_first(self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
        monkeypatch.setenv("KUBECONFIG", str(kubeconfig(tmp_path, "env")))
        assert connected(ClusterSource(kubeconfig=kubeconfig(tmp_path, "named"))).server == "https://named.test:6443"

    def test_then_that_of_the_environment_and_a_context_chooses_in_it(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        kubeconfig(tmp_path / "home" / ".kube", "config")
        files = [str(kubeconfig(tmp_path, name)) for name in ("one", "two")]
        monkeypatch.setenv("KUBECONFIG", ":".join([str(tmp_path / "missing"), *files, ""]))
        assert connected(ClusterSource()).server == "https://one.test:6443"
        assert connected(ClusterSource(context="two")).server == "https://two.test:6443"

    def test_then_that_of_the_home_directory(self, tmp_path: Path) -> None:
        kubeconfig(tmp_path / "home" / ".kube", "home").rename(tmp_path / "home" / ".kube" / "config")
        assert connected(ClusterSource()).server == "https://home.test:6443"

    def test_an_environment_that_names_no_file_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBECONFIG", "/nowhere/a:/nowhere/b")
        with pytest.raises(InputError, match="names no file that exists"):
            connected(ClusterSource())

    @pytest.mark.parametrize("context", ["", "prod"])
    def test_without_any_it_says_what_to_give(self, context: str) -> None:
        with pytest.raises(UsageError, match="--cluster DIR, or a live cluster with --kubeconfig FILE"):
            connected(ClusterSource(context=context))

    def test_in_a_pod_it_is_the_cluster_of_the_pod(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
        with pytest.raises(ClusterError, match="the service account of this pod cannot be used"):
            connected(ClusterSource())


def serving(monkeypatch: pytest.MonkeyPatch, answer: Answer) -> None:
    """Let every client speak to this API server."""
    monkeypatch.setattr(cluster_client, "connect", lambda *_, **__: routed(answer)[0])


def answers(request: Sent, *, reviews: bool, forbidden: str = "") -> Reply:
    """An API server with one object of every resource."""
    if request.method == "POST":
        return ok({"status": {"allowed": reviews}})
    resource = request.path.rpartition("/")[2]
    return failure(403, "no") if resource == forbidden else listed(named(f"a-{resource}", "3"))


class TestLive:
    SOURCE = ClusterSource(kubeconfig=Path("some.kubeconfig"))

    @pytest.mark.parametrize(
        ("reviews", "kind", "told"),
        [
            pytest.param(True, SubjectAccessReviewAuthorizer, 0, id="may-ask"),
            pytest.param(False, RBACAuthorizer, 1, id="may-not-ask"),
        ],
    )
    def test_permissions_are_asked_where_we_may_and_else_worked_out_with_a_notice(
        self, monkeypatch: pytest.MonkeyPatch, reviews: bool, kind: type, told: int
    ) -> None:
        serving(monkeypatch, lambda request: answers(request, reviews=reviews))
        lines: list[str] = []
        world = world_from(self.SOURCE, lines.append)
        assert isinstance(world.authorizer, kind)
        assert world.refresher is None
        assert len(lines) == told
        assert all("lacks the RBAC verb 'create' on subjectaccessreviews" in line for line in lines)
        assert [name_of(obj) for obj in world.view.list(NODE)] == ["a-nodes"]

    def test_what_may_not_be_read_is_unavailable_and_told_once(self, monkeypatch: pytest.MonkeyPatch) -> None:
        serving(monkeypatch, lambda request: answers(request, reviews=True, forbidden="roles"))
        lines: list[str] = []
        world = world_from(self.SOURCE, lines.append)
        (line,) = lines
        assert line.endswith("lacks the RBAC verb 'list' on roles.rbac.authorization.k8s.io cluster-wide")
        with pytest.raises(FactUnavailable) as raised:
            world.view.list(ROLE)
        assert str(raised.value) == line
        assert world.view.list(VMI)

    def test_a_cluster_that_cannot_be_reached_is_one_line(self, monkeypatch: pytest.MonkeyPatch) -> None:
        serving(monkeypatch, lambda _: ConnectionRefusedError(111, "Connection refused"))
        with pytest.raises(ClusterError, match="is it running, and can it be reached from here") as raised:
            world_from(self.SOURCE)
        assert "\n" not in str(raised.value)


class TestManifests:
    def test_they_are_the_whole_state(self, tmp_path: Path) -> None:
        (tmp_path / "node.yaml").write_text("apiVersion: v1\nkind: Node\nmetadata: {name: worker-1}\n")
        world = world_from(ClusterSource(manifests=(tmp_path,)))
        assert [name_of(obj) for obj in world.view.list(NODE)] == ["worker-1"]
        assert world.view.list(ROLE) == ()
        assert isinstance(world.authorizer, RBACAuthorizer)

    HEADER = (
        "apiVersion: migguard.io/v1alpha1\nkind: ClusterSnapshot\n"
        "spec: {unreadable: {roles.rbac.authorization.k8s.io: we may not list roles}}\n"
    )

    def test_what_a_snapshot_could_not_read_is_unavailable_and_told(self, tmp_path: Path) -> None:
        (tmp_path / "snapshot.yaml").write_text(self.HEADER)
        lines: list[str] = []
        world = world_from(ClusterSource(manifests=(tmp_path,)), lines.append)
        assert lines == [f"{tmp_path}: we may not list roles (when the snapshot was taken)"]
        with pytest.raises(FactUnavailable, match="we may not list roles"):
            world.view.list(ROLE)

    def test_unless_other_manifests_bring_it(self, tmp_path: Path) -> None:
        (tmp_path / "snapshot").mkdir()
        (tmp_path / "snapshot" / "snapshot.yaml").write_text(self.HEADER)
        role = "apiVersion: rbac.authorization.k8s.io/v1\nkind: Role\nmetadata: {name: r, namespace: prod}\nrules: []\n"
        (tmp_path / "roles.yaml").write_text(role)
        world = world_from(ClusterSource(manifests=(tmp_path / "snapshot", tmp_path / "roles.yaml")))
        assert [name_of(obj) for obj in world.view.list(ROLE)] == ["r"]

    def test_they_need_no_kubernetes_library(self) -> None:
        code = "import sys, webhook.offline.state, webhook.offline.snapshot; print('kubernetes' in sys.modules)"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout == "False\n"


def test_what_is_told_cannot_move_the_cursor(capsys: pytest.CaptureFixture[str]) -> None:
    to_stderr("roles \x1b[2J cannot be read\nat all")
    assert capsys.readouterr().err == "migguard: roles  [2J cannot be read at all\n"
