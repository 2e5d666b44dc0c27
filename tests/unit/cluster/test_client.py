from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.unit.cluster.fakes import SERVER, FakeTransport, Reply, Sent, failure, listed, ok, routed, scripted
from webhook.cluster import client as module
from webhook.cluster.client import Client, connect, resource_path
from webhook.cluster.failures import StatusError
from webhook.errors import ClusterError, InputError, UsageError
from webhook.model.objects import GroupVersionResource

PVCS = "/api/v1/persistentvolumeclaims"


@pytest.mark.parametrize(
    ("resource", "namespace", "name", "expected"),
    [
        (GroupVersionResource("", "v1", "nodes"), "", "", "/api/v1/nodes"),
        (GroupVersionResource("", "v1", "nodes"), "", "n1", "/api/v1/nodes/n1"),
        (
            GroupVersionResource("kubevirt.io", "v1", "kubevirts"),
            "cnv",
            "",
            "/apis/kubevirt.io/v1/namespaces/cnv/kubevirts",
        ),
        (
            GroupVersionResource("rbac.authorization.k8s.io", "v1", "clusterroles"),
            "",
            "kubevirt.io:migrate",
            "/apis/rbac.authorization.k8s.io/v1/clusterroles/kubevirt.io:migrate",
        ),
        (GroupVersionResource("", "v1", "pods"), "a/../b", "x?y#z", "/api/v1/namespaces/a%2F..%2Fb/pods/x%3Fy%23z"),
    ],
)
def test_a_path_names_group_version_namespace_and_object(
    resource: GroupVersionResource, namespace: str, name: str, expected: str
) -> None:
    assert resource_path(resource, namespace, name) == expected


def test_a_get_returns_the_json_and_gives_the_connection_back() -> None:
    client, transport = scripted(ok({"a": 1}))
    assert client.get("/version", {"b": "c d"}, timeout=7) == {"a": 1}
    assert transport.sent == [Sent("GET", "/version", {"b": "c d"}, None, 7)]
    assert transport.replies[0].closed


def test_a_post_sends_json() -> None:
    client, transport = scripted(Reply(201, b'{"made"', b":1}"))
    assert client.post("/x", {"a": [1]}, timeout=2) == {"made": 1}
    assert (transport.sent[0].method, transport.sent[0].body) == ("POST", {"a": [1]})


def test_a_list_is_read_page_by_page_at_its_newest() -> None:
    client, transport = scripted(listed("a", "b", token="t1"), listed("c", version="10"))
    pages = list(client.pages(PVCS))
    assert [page.items for page in pages] == [["a", "b"], ["c"]]
    assert [(page.version, page.api_version) for page in pages] == [("10", "v1")] * 2
    assert [sent.query for sent in transport.sent] == [{"limit": "500"}, {"limit": "500", "continue": "t1"}]


class TestStream:
    def test_lines_come_whole_however_they_are_cut(self) -> None:
        client, transport = scripted(Reply(200, b'{"a":', b'1}\n{"b":2}\n\n{"c"', b":3}\n"))
        with client.stream(PVCS, {"watch": "true"}, silence=40) as lines:
            assert list(lines) == [b'{"a":1}', b'{"b":2}', b'{"c":3}']
        assert transport.sent[0].read == 40
        assert transport.replies[0].closed

    def test_an_end_in_the_middle_of_an_event_is_an_error(self) -> None:
        client, _ = scripted(Reply(200, b'{"a":1}\n{"b"'))
        with client.stream(PVCS, {}, silence=1) as lines:
            assert next(lines) == b'{"a":1}'
            with pytest.raises(ClusterError, match="middle of an event"):
                next(lines)

    def test_an_event_without_an_end_is_an_error(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_LINE", 10)
        client, _ = scripted(Reply(200, b"x" * 8, b"x" * 8, b"x" * 8))
        with client.stream(PVCS, {}, silence=1) as lines, pytest.raises(ClusterError, match="longer than 10 bytes"):
            next(lines)

    def test_a_refusal_is_raised_before_any_line(self) -> None:
        client, _ = scripted(failure(410, "too old resource version"))
        with pytest.raises(StatusError, match="too old resource version") as raised, client.stream(PVCS, {}, silence=1):
            pytest.fail("the watch was not accepted")
        assert raised.value.status == 410


class TestBounds:
    def test_an_answer_that_is_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(module, "MAX_BODY", 10)
        client, transport = scripted(Reply(200, b"x" * 8, b"x" * 8))
        with pytest.raises(ClusterError, match="longer than 10 bytes"):
            client.get("/x")
        assert transport.replies[0].closed

    def test_an_answer_that_drips(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = iter([0.0, 1.0, 6.0])
        monkeypatch.setattr("webhook.cluster.client.time.monotonic", lambda: next(now))
        client, _ = scripted(Reply(200, b"[", b"1", b"]"))
        with pytest.raises(ClusterError, match=r"GET /x: nothing came within 5 s"):
            client.get("/x", timeout=5)

    def test_an_answer_that_is_not_json(self) -> None:
        client, _ = scripted(Reply(200, b"<html>token=abc</html>"))
        with pytest.raises(ClusterError, match="is not JSON") as raised:
            client.get("/x")
        assert "abc" not in str(raised.value)

    def test_a_long_page_of_a_proxy_is_not_repeated(self) -> None:
        client, _ = scripted(Reply(502, b"<html>secret" * 10_000))
        with pytest.raises(StatusError) as raised:
            client.get("/x")
        assert str(raised.value) == f"{SERVER}: GET /x was answered with 502 (see the API server's log)"


class TestClosing:
    def test_nothing_is_sent_after_it(self) -> None:
        client, transport = scripted(ok({}))
        client.close()
        assert transport.closed
        with pytest.raises(ClusterError, match="closed by us"):
            client.get("/x")
        assert transport.sent == []

    def test_whatever_a_cut_connection_raises_means_that_it_was_cut(self) -> None:
        def cut(request: Sent) -> Exception:
            client.close()
            return AttributeError("'NoneType' object has no attribute 'read'")

        client, _ = routed(cut)
        with pytest.raises(ClusterError, match="closed by us"):
            client.get("/x")

    def test_our_own_mistakes_are_not_hidden(self) -> None:
        client, _ = routed(lambda _: AttributeError("a bug"))
        with pytest.raises(AttributeError, match="a bug"):
            client.get("/x")


class TestConnecting:
    def test_a_context_needs_a_kubeconfig(self) -> None:
        with pytest.raises(UsageError, match="a context was given without a kubeconfig"):
            connect(None, "prod")

    def test_outside_a_pod_a_kubeconfig_is_asked_for(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
        with pytest.raises(ClusterError, match="outside a pod, name a kubeconfig with --kubeconfig"):
            connect()

    @pytest.mark.parametrize(
        ("content", "expected"),
        [
            pytest.param(None, "cannot be read: No such file or directory", id="missing"),
            pytest.param("", "cannot be used: Invalid kube-config.* file is empty", id="empty"),
            pytest.param("a: [", "is not a kubeconfig", id="broken"),
            pytest.param("just text", "is not a kubeconfig", id="text"),
            pytest.param("kind: Config", "cannot be used", id="no-context"),
            pytest.param("current-context: 5\ncontexts: 7\n", "is not a kubeconfig", id="odd-types"),
        ],
    )
    def test_a_kubeconfig_that_is_none(self, tmp_path: Path, content: str | None, expected: str) -> None:
        path = tmp_path / "kubeconfig"
        if content is not None:
            path.write_text(content)
        with pytest.raises(InputError, match=expected) as raised:
            connect(path)
        assert str(path) in str(raised.value)

    def test_server_and_context_are_those_of_the_file(self, tmp_path: Path) -> None:
        path = tmp_path / "kubeconfig"
        clusters = [{"name": name, "cluster": {"server": f"https://{name}.test:6443/"}} for name in ("a", "b")]
        contexts = [{"name": name, "context": {"cluster": name, "user": "me"}} for name in ("a", "b")]
        users = [{"name": "me", "user": {"token": "t"}}]
        config = {"clusters": clusters, "contexts": contexts, "users": users, "current-context": "a"}
        path.write_text(str(config))
        assert connect(path).server == "https://a.test:6443"
        assert connect(path, "b").server == "https://b.test:6443"
        with pytest.raises(InputError, match="check the file and the context"):
            connect(path, "c")


class TestWriting:
    def test_an_apply_is_ours_by_force_and_strict(self) -> None:
        client, transport = routed(lambda _: ok({}))
        client.apply("/apis/a/v1/things/x", {"kind": "Thing"}, manager="migguard")
        (sent,) = transport.sent
        assert (sent.method, sent.path, sent.body) == ("PATCH", "/apis/a/v1/things/x", {"kind": "Thing"})
        assert sent.query == {"fieldManager": "migguard", "force": "true", "fieldValidation": "Strict"}

    def test_a_deletion_names_the_object(self) -> None:
        client, transport = routed(lambda _: ok({}))
        client.delete("/apis/a/v1/things/x")
        assert [(sent.method, sent.path) for sent in transport.sent] == [("DELETE", "/apis/a/v1/things/x")]

    @pytest.mark.parametrize(
        ("write", "right"),
        [
            pytest.param(lambda client: client.apply("/apis/a/v1/things/x", {}, manager="m"), "'patch'", id="apply"),
            pytest.param(lambda client: client.delete("/apis/a/v1/things/x"), "'delete'", id="delete"),
        ],
    )
    def test_a_right_that_is_missing_is_named(self, write: Callable[[Client], None], right: str) -> None:
        client, _ = routed(lambda _: failure(403, "no"))
        with pytest.raises(StatusError, match=f"lacks the RBAC verb {right} on things.a cluster-wide"):
            write(client)


class TestPatience:
    @staticmethod
    def client(*replies: Reply) -> tuple[Client, list[float]]:
        pauses: list[float] = []
        left = iter(replies)
        return Client(FakeTransport(lambda _: next(left)), patience=(0.5, 1.0), pause=pauses.append), pauses

    def test_a_busy_server_is_asked_again(self) -> None:
        client, pauses = self.client(failure(429), failure(429), ok({"a": 1}))
        assert client.get("/x") == {"a": 1}
        assert pauses == [0.5, 1.0]

    def test_a_server_that_stays_busy_is_an_error(self) -> None:
        client, _ = self.client(failure(429), failure(429), failure(429))
        with pytest.raises(StatusError, match="the API server is busy"):
            client.get("/x")

    def test_another_failure_is_not_tried_again(self) -> None:
        client, pauses = self.client(failure(500), ok({}))
        with pytest.raises(StatusError, match="500"):
            client.get("/x")
        assert pauses == []


def test_the_store_and_manifests_load_no_kubernetes_library() -> None:
    code = "import sys, webhook.cluster.store, webhook.cluster.manifests; print('kubernetes' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"
