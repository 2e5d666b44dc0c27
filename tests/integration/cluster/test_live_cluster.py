"""The cluster package against a real kube-apiserver."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.controlplane import ControlPlane
from tests.support.process import until
from webhook.cluster.access import SubjectAccessReviewAuthorizer
from webhook.cluster.client import PAGE, Client, connect
from webhook.cluster.failures import StatusError
from webhook.cluster.live import LiveCluster
from webhook.cluster.store import Store
from webhook.cluster.watch import State, Watch
from webhook.errors import ClusterError, FactUnavailable
from webhook.model.facts import Attributes, Deadline, Index, Read, WatchedResource
from webhook.model.objects import GroupVersionResource, labels_of, name_of, namespace_of
from webhook.model.request import UserInfo

CONFIGMAPS = WatchedResource(
    GroupVersionResource("", "v1", "configmaps"),
    "ConfigMap",
    namespaced=True,
    keep=("data.kept",),
    indexes=(
        Index("namespace", lambda obj: [namespace_of(obj)], namespaced=True),
        Index("label", lambda obj: [f"{key}={item}" for key, item in labels_of(obj).items()]),
    ),
)
BINDINGS = WatchedResource(
    GroupVersionResource("rbac.authorization.k8s.io", "v1", "rolebindings"),
    "RoleBinding",
    True,
    ("roleRef", "subjects"),
)
WIDGETS = WatchedResource(GroupVersionResource("cluster-tests.example", "v1", "widgets"), "Widget", False, ("spec",))
SOON = 15.0


@pytest.fixture
def namespace(control_plane: ControlPlane, request: pytest.FixtureRequest) -> str:
    """A namespace of the test's own."""
    name = "cluster-" + str(request.node.name).replace("_", "-")[5:45].strip("-")
    if not control_plane.kubectl("get", "namespace", name).ok:
        control_plane.kubectl.must("create", "namespace", name)
    return name


@contextmanager
def watching(
    kubeconfig: Path, *resources: WatchedResource, max_staleness: float = 60
) -> Iterator[tuple[LiveCluster, Store, Client]]:
    client = connect(kubeconfig)
    store = Store(resources, max_staleness=max_staleness)
    live = LiveCluster(client, resources, store)
    live.start()
    try:
        yield live, store, client
    finally:
        began = time.monotonic()
        live.stop()
        took = time.monotonic() - began
        alive = [thread.name for thread in threading.enumerate() if thread.name.startswith("watch-")]
        assert not alive, alive
        assert took < 1.5


def within(namespace: str, store: Store) -> list[str]:
    return [name_of(obj) for obj in store.select(CONFIGMAPS, "namespace", namespace)]


def eventually(ready: Callable[[], bool], what: str) -> None:
    until(ready, seconds=SOON, what=what)


def configmap(name: str, namespace: str, **labels: str) -> dict[str, Any]:
    metadata = {"name": name, "namespace": namespace, "labels": labels}
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": metadata,
        "data": {"kept": "yes", "dropped": "x" * 100},
    }


def test_objects_are_listed_watched_pruned_and_indexed(control_plane: ControlPlane, namespace: str) -> None:
    kubectl = control_plane.kubectl
    kubectl.must("create", "-f", "-", manifest=configmap("before", namespace, app="x"))
    with watching(control_plane.kubeconfig, CONFIGMAPS) as (live, store, _):
        assert live.wait_synced(SOON)
        assert live.problems() == []
        assert "before" in within(namespace, store)
        kubectl.must("create", "-f", "-", manifest=configmap("after", namespace, app="x"))
        eventually(lambda: "after" in within(namespace, store), "the new object")
        found = store.get(CONFIGMAPS, namespace, "after")
        assert found is not None
        assert (found["apiVersion"], found["kind"], found["data"]) == ("v1", "ConfigMap", {"kept": "yes"})
        assert set(found["metadata"]) == {"name", "namespace", "uid", "resourceVersion", "labels"}
        kubectl.must("label", "--overwrite", "-n", namespace, "configmap", "after", "app=y")
        eventually(lambda: len(store.select(CONFIGMAPS, "label", "app=y")) == 1, "the new label")
        kubectl.must("delete", "-n", namespace, "configmap", "before")
        eventually(lambda: store.select(CONFIGMAPS, "label", "app=x") == (), "the removal")
        assert live.status()["configmaps"].state is State.WATCHING


def test_a_list_of_many_pages_is_whole(control_plane: ControlPlane, namespace: str) -> None:
    path = f"/api/v1/namespaces/{namespace}/configmaps"
    with watching(control_plane.kubeconfig, CONFIGMAPS) as (live, store, client):
        for number in range(PAGE + 50):
            client.post(path, configmap(f"many-{number:04}", namespace))
        assert live.wait_synced(SOON)
        eventually(lambda: "many-0549" in within(namespace, store), "the last of them")
        watched = list(store.select(CONFIGMAPS, "namespace", namespace))
        pages = list(client.pages(path))
        assert [len(page.items) for page in pages] == [PAGE, 50]
        assert len({page.version for page in pages}) == 1
    with watching(control_plane.kubeconfig, CONFIGMAPS) as (live, store, _):
        assert live.wait_synced(SOON)
        assert store.select(CONFIGMAPS, "namespace", namespace) == tuple(watched)
    control_plane.kubectl.must("delete", "--raw", path)


def test_a_crd_may_come_go_and_come_back_in_another_version(
    control_plane: ControlPlane, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("webhook.cluster.watch.ABSENT_SECONDS", 0.3)
    kubectl = control_plane.kubectl
    with watching(control_plane.kubeconfig, WIDGETS) as (live, store, _):
        assert live.wait_synced(SOON)
        assert store.list(WIDGETS) == ()
        assert live.status()["widgets.cluster-tests.example"].state is State.ABSENT
        for version in ("v1", "v1alpha1"):
            _install_widgets(control_plane, version)
            widget = {
                "apiVersion": f"cluster-tests.example/{version}",
                "kind": "Widget",
                "metadata": {"name": version},
                "spec": {"size": 1},
            }
            eventually(lambda widget=widget: kubectl.create(widget).ok, "a widget")  # type: ignore[misc]  # bound early
            eventually(lambda: len(store.list(WIDGETS)) == 1, "the widget in the store")
            (found,) = store.list(WIDGETS)
            assert found["apiVersion"] == f"cluster-tests.example/{version}"
            assert found["spec"] == {"size": 1}
            assert live.status()["widgets.cluster-tests.example"].served == version
            assert not live.refresh([Read(WIDGETS, name=version)], Deadline.after(SOON))
            kubectl.must("delete", "crd", "widgets.cluster-tests.example")
            eventually(lambda: store.list(WIDGETS) == (), "the end of the CRD")
            eventually(
                lambda: live.status()["widgets.cluster-tests.example"].state is State.ABSENT, "the watch to notice"
            )


def _install_widgets(control_plane: ControlPlane, version: str) -> None:
    schema = {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": True}}
    crd = {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "widgets.cluster-tests.example"},
        "spec": {
            "group": "cluster-tests.example",
            "scope": "Cluster",
            "names": {"plural": "widgets", "kind": "Widget"},
            "versions": [{"name": version, "served": True, "storage": True, "schema": schema}],
        },
    }
    control_plane.kubectl.must("create", "-f", "-", manifest=crd)
    control_plane.kubectl.must("wait", "--for=condition=Established", "crd/widgets.cluster-tests.example")


def test_a_version_from_long_ago_leads_to_a_new_list(control_plane: ControlPlane, namespace: str) -> None:
    control_plane.kubectl.must("create", "-f", "-", manifest=configmap("old", namespace))
    control_plane.restart_apiserver()  # it remembers no history from before its start
    client = connect(control_plane.kubeconfig)
    store = Store([CONFIGMAPS])
    stopping = threading.Event()
    watch = Watch(client, CONFIGMAPS, store, stopping=stopping)
    watch._version = "1"  # as if it had been cut off for hours
    thread = threading.Thread(target=watch.run)
    thread.start()
    try:
        assert watch.settled.wait(SOON)
        assert "old" in within(namespace, store)
        eventually(lambda: watch.status.state is State.WATCHING, "the watch after the list")
    finally:
        stopping.set()
        client.close()
        thread.join(SOON)


def test_a_restart_of_the_api_server_is_survived_without_missing_anything(
    control_plane: ControlPlane, namespace: str
) -> None:
    with watching(control_plane.kubeconfig, CONFIGMAPS) as (live, store, _):
        assert live.wait_synced(SOON)
        control_plane.stop_apiserver()
        try:
            eventually(lambda: live.status()["configmaps"].state is State.FAILING, "the watch to fail")
            assert store.list(CONFIGMAPS)
            assert live.problems() == []  # what is cached is still trusted
            with pytest.raises(FactUnavailable, match="Connection refused"):
                live.refresh([Read(CONFIGMAPS, namespace=namespace, name="x")], Deadline.after(SOON))
        finally:
            control_plane.start_apiserver()
        control_plane.kubectl.must("create", "-f", "-", manifest=configmap("restarted", namespace))
        until(lambda: "restarted" in within(namespace, store), seconds=60, what="the watch after the restart")
        assert live.status()["configmaps"].problem == ""


def test_a_silent_api_server_makes_facts_unavailable_and_can_still_be_left(
    control_plane: ControlPlane, namespace: str
) -> None:
    with watching(control_plane.kubeconfig, CONFIGMAPS, max_staleness=1) as (live, store, client):
        assert live.wait_synced(SOON)
        with control_plane.paused():
            eventually(lambda: bool(live.problems()), "the cache to become stale")
            with pytest.raises(FactUnavailable, match="no contact with the API server about configmaps"):
                store.list(CONFIGMAPS)
            with pytest.raises(ClusterError, match=r"nothing came within 0.3 s"):
                client.get("/version", timeout=0.3)
            live.stop()


def test_a_fresh_read_sees_what_was_just_made_and_what_is_gone(control_plane: ControlPlane, namespace: str) -> None:
    """Without any watch: what the store learns, it learns from the fresh reads."""
    kubectl = control_plane.kubectl
    client = connect(control_plane.kubeconfig)
    store = Store([CONFIGMAPS, BINDINGS])
    live = LiveCluster(client, [CONFIGMAPS, BINDINGS], store)
    store.replace(CONFIGMAPS, [])
    store.replace(BINDINGS, [])
    one, all_ = Read(CONFIGMAPS, namespace=namespace, name="a"), Read(CONFIGMAPS, index="namespace", key=namespace)
    assert not live.refresh([one], Deadline.after(SOON))
    kubectl.must("create", "-f", "-", manifest=configmap("a", namespace))
    assert live.refresh([one], Deadline.after(SOON))
    assert not live.refresh([one], Deadline.after(SOON))
    kubectl.must("create", "-f", "-", manifest=configmap("b", namespace))
    assert live.refresh([all_, one], Deadline.after(SOON))
    assert {"a", "b"} <= set(within(namespace, store))
    kubectl.must("delete", "-n", namespace, "configmap", "a", "b")
    assert live.refresh([one], Deadline.after(SOON))
    assert live.refresh([all_], Deadline.after(SOON))
    assert not {"a", "b"} & set(within(namespace, store))
    live.stop()
    with pytest.raises(FactUnavailable, match="closed by us"):
        live.refresh([one], Deadline.after(SOON))


def test_what_our_account_may_not_list_is_said_and_works_once_it_may(
    control_plane: ControlPlane, namespace: str
) -> None:
    kubectl = control_plane.kubectl
    with watching(control_plane.kubeconfig_for("cluster-tests-nobody"), CONFIGMAPS) as (live, store, _):
        assert not live.wait_synced(1)
        (problem,) = live.problems()
        assert "configmaps have not been listed yet" in problem
        assert 'User "cluster-tests-nobody" cannot list resource "configmaps"' in problem
        assert "our account lacks the RBAC verb 'list' on configmaps cluster-wide" in problem
        kubectl.must("create", "clusterrole", "cluster-tests-read", "--verb=list,watch", "--resource=configmaps")
        kubectl.must(
            "create",
            "clusterrolebinding",
            "cluster-tests",
            "--clusterrole=cluster-tests-read",
            "--user=cluster-tests-nobody",
        )
        try:
            assert live.wait_synced(60)
            assert store.list(CONFIGMAPS)
        finally:
            kubectl.must("delete", "clusterrolebinding", "cluster-tests")
            kubectl.must("delete", "clusterrole", "cluster-tests-read")


class TestAccessReviews:
    MIGRATE = Attributes(verb="create", group="kubevirt.io", resource="virtualmachineinstancemigrations")

    def test_a_binding_is_seen_at_once_by_a_fresh_question(self, control_plane: ControlPlane, namespace: str) -> None:
        client = connect(control_plane.kubeconfig)
        authorizer = SubjectAccessReviewAuthorizer(client, ttl=3600)
        user = UserInfo(username="cluster-tests-zoe", groups=("system:authenticated", "cluster-tests-sre"))
        asked = Attributes(
            verb="create", group="kubevirt.io", resource="virtualmachineinstancemigrations", namespace=namespace
        )
        assert not authorizer.allows(user, asked, deadline=Deadline.after(SOON))
        control_plane.kubectl.must(
            "create",
            "rolebinding",
            "sre",
            "-n",
            namespace,
            "--clusterrole=kubevirt.io:migrate",
            "--group=cluster-tests-sre",
        )
        assert not authorizer.allows(user, asked, deadline=Deadline.after(SOON))
        eventually(
            lambda: authorizer.allows(user, asked, deadline=Deadline.after(SOON), fresh=True),
            "the API server's own cache",
        )
        assert authorizer.allows(user, asked, deadline=Deadline.after(SOON))
        assert not authorizer.allows(user, self.MIGRATE, deadline=Deadline.after(SOON))
        client.close()

    def test_extra_and_uid_are_taken_by_the_api_server(self, control_plane: ControlPlane) -> None:
        client = connect(control_plane.kubeconfig)
        authorizer = SubjectAccessReviewAuthorizer(client)
        user = UserInfo(username="x", uid="u", groups=("system:masters",), extra={"example.com/scopes": ("a", "b")})
        assert authorizer.allows(user, self.MIGRATE, deadline=Deadline.after(SOON))
        client.close()

    def test_our_account_may_not_ask(self, control_plane: ControlPlane) -> None:
        client = connect(control_plane.kubeconfig_for("cluster-tests-nobody"))
        with pytest.raises(FactUnavailable, match=r"'create' on subjectaccessreviews.authorization.k8s.io"):
            SubjectAccessReviewAuthorizer(client).allows(
                UserInfo(username="x"), self.MIGRATE, deadline=Deadline.after(SOON)
            )
        client.close()


class TestConnecting:
    def test_a_bearer_token_of_a_service_account(self, control_plane: ControlPlane, namespace: str) -> None:
        kubectl = control_plane.kubectl.within(namespace)
        kubectl("create", "serviceaccount", "robot")
        path = control_plane.kubeconfig_with_token("robot", kubectl.must("create", "token", "robot").strip())
        client = connect(path)
        review = {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"}
        answer = client.post("/apis/authentication.k8s.io/v1/selfsubjectreviews", review)
        assert answer["status"]["userInfo"]["username"] == f"system:serviceaccount:{namespace}:robot"
        client.close()

    def test_a_token_that_is_not_known(self, control_plane: ControlPlane) -> None:
        client = connect(control_plane.kubeconfig_with_token("stranger", "not-a-token"))
        with pytest.raises(StatusError, match=r"answered with 401.*expired") as raised:
            client.get("/api/v1/nodes")
        assert "not-a-token" not in str(raised.value)
        client.close()

    def test_a_certificate_of_another_authority(self, control_plane: ControlPlane, tmp_path: Path) -> None:
        path = tmp_path / "kubeconfig"
        text = control_plane.kubeconfig.read_text()
        lines = [line for line in text.splitlines() if "certificate-authority-data" not in line]
        path.write_text("\n".join(lines))
        client = connect(path)
        with pytest.raises(ClusterError, match=r"TLS failed: .*certificate verify failed"):
            client.get("/version")
        client.close()

    def test_an_address_where_nobody_listens(self, control_plane: ControlPlane, tmp_path: Path) -> None:
        path = tmp_path / "kubeconfig"
        path.write_text(control_plane.kubeconfig.read_text().replace(control_plane.url, "https://127.0.0.1:1"))
        client = connect(path)
        with pytest.raises(ClusterError, match=r"https://127.0.0.1:1: GET /version: cannot connect: .*refused"):
            client.get("/version")
        client.close()

    def test_from_within_a_pod(
        self, control_plane: ControlPlane, namespace: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """The kubelet gives a pod its service account in files, and the address in the environment."""
        kubectl = control_plane.kubectl.within(namespace)
        kubectl("create", "serviceaccount", "pod")
        (tmp_path / "token").write_text(kubectl.must("create", "token", "pod").strip())
        (tmp_path / "ca.crt").write_bytes(control_plane.authority.pem)
        monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_TOKEN_FILENAME", str(tmp_path / "token"))
        monkeypatch.setattr("kubernetes.config.incluster_config.SERVICE_CERT_FILENAME", str(tmp_path / "ca.crt"))
        monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "127.0.0.1")
        monkeypatch.setenv("KUBERNETES_SERVICE_PORT", control_plane.url.rpartition(":")[2])
        client = connect()
        with pytest.raises(StatusError, match=f'403.*User "system:serviceaccount:{namespace}:pod" cannot list'):
            client.get("/api/v1/nodes")
        client.close()
