"""One look at a live cluster: what is there, what is not served, and what our account may not list."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.unit.cluster.fakes import Reply, Sent, failure, listed, named, ok, routed
from webhook.cluster.look import look, may_ask_for_others
from webhook.errors import ClusterError, FactUnavailable
from webhook.model.facts import WatchedResource
from webhook.model.objects import GroupVersionResource, name_of

VMIS = WatchedResource(
    GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstances"), "VirtualMachineInstance", True, ()
)
HCOS = WatchedResource(
    GroupVersionResource("hco.kubevirt.io", "v1beta1", "hyperconvergeds"), "HyperConverged", True, ()
)
NODES = WatchedResource(GroupVersionResource("", "v1", "nodes"), "Node", False, ())
RESOURCES = (VMIS, HCOS, NODES)
LISTS = {
    "/apis/kubevirt.io/v1/virtualmachineinstances": lambda: listed(named("db", "3")),
    "/apis/hco.kubevirt.io/v1beta1/hyperconvergeds": lambda: listed(named("hco", "4")),
    "/api/v1/nodes": lambda: listed(named("worker-1", "5", "")),
}


def answering(**changes: object) -> Callable[[Sent], Reply | Exception]:
    """The API server, with other answers on paths that end in a name."""

    def answer(request: Sent) -> Reply | Exception:
        for end, reply in changes.items():
            if request.path.endswith(end):
                assert callable(reply)
                answered = reply()
                assert isinstance(answered, Reply | Exception)
                return answered
        return LISTS[request.path]()

    return answer


def test_every_resource_is_listed_once() -> None:
    client, transport = routed(answering())
    store = look(client, RESOURCES)
    assert [name_of(obj) for watched in RESOURCES for obj in store.list(watched)] == ["db", "hco", "worker-1"]
    assert [request.path for request in transport.sent] == list(LISTS)


def test_what_is_not_served_is_empty() -> None:
    groups = {"kind": "APIGroupList", "apiVersion": "v1", "groups": []}
    client, _ = routed(answering(hyperconvergeds=lambda: failure(404), apis=lambda: ok(groups)))
    assert look(client, RESOURCES).list(HCOS) == ()


def test_another_version_is_read_where_the_known_one_is_not_served() -> None:
    def answer(request: Sent) -> Reply | Exception:
        match request.path:
            case "/apis/hco.kubevirt.io/v1beta1/hyperconvergeds":
                return failure(404)
            case "/apis":
                return ok(
                    {"kind": "APIGroupList", "groups": [{"name": "hco.kubevirt.io", "versions": [{"version": "v1"}]}]}
                )
            case "/apis/hco.kubevirt.io/v1":
                return ok({"resources": [{"name": "hyperconvergeds", "kind": "HyperConverged"}]})
            case "/apis/hco.kubevirt.io/v1/hyperconvergeds":
                return listed(named("hco", "4"), api_version="hco.kubevirt.io/v1")
            case path:
                return LISTS[path]()

    (found,) = look(routed(answer)[0], RESOURCES).list(HCOS)
    assert found["apiVersion"] == "hco.kubevirt.io/v1"


def test_a_server_that_says_404_to_everything_is_no_empty_cluster() -> None:
    client, _ = routed(lambda _: failure(404))
    with pytest.raises(ClusterError, match="404"):
        look(client, RESOURCES)


def test_what_our_account_may_not_list_is_unavailable_with_the_right_and_the_rest_works() -> None:
    seen: dict[str, tuple[int, str]] = {}

    def note(watched: WatchedResource, count: int, problem: str) -> None:
        seen[watched.kind] = (count, problem)

    client, _ = routed(answering(hyperconvergeds=lambda: failure(403, "no")))
    store = look(client, RESOURCES, seen=note)
    why = (
        "hyperconvergeds.hco.kubevirt.io cannot be read: our account lacks the RBAC verb 'list' on "
        "hyperconvergeds.hco.kubevirt.io cluster-wide"
    )
    assert seen == {"VirtualMachineInstance": (1, ""), "HyperConverged": (0, why), "Node": (1, "")}
    with pytest.raises(FactUnavailable, match="lacks the RBAC verb 'list'"):
        store.list(HCOS)
    assert store.list(NODES)


def test_an_account_that_may_list_nothing_is_an_error() -> None:
    client, _ = routed(lambda _: failure(403, "no"))
    with pytest.raises(ClusterError, match="our account may list none of the resources"):
        look(client, RESOURCES)


def test_a_list_whose_history_is_gone_is_begun_again() -> None:
    pages = iter([listed(named("a", "1"), token="more"), failure(410, "expired"), listed(named("b", "2"))])
    client, _ = routed(answering(virtualmachineinstances=lambda: next(pages)))
    assert [name_of(obj) for obj in look(client, RESOURCES).list(VMIS)] == ["b"]


@pytest.mark.parametrize(
    "reply",
    [
        pytest.param(failure(410, "expired"), id="history-gone-each-time"),
        pytest.param(failure(401), id="unknown"),
        pytest.param(failure(500), id="broken"),
    ],
)
def test_other_failures_are_errors(reply: Reply) -> None:
    client, _ = routed(answering(virtualmachineinstances=lambda: reply))
    with pytest.raises(ClusterError, match=str(reply.status)):
        look(client, RESOURCES)


@pytest.mark.parametrize(
    ("reply", "expected"),
    [
        pytest.param(ok({"status": {"allowed": True}}), True, id="allowed"),
        pytest.param(ok({"status": {"allowed": False}}), False, id="refused"),
        pytest.param(ok({"status": "odd"}), False, id="odd-answer"),
        pytest.param(failure(403, "no"), False, id="may-not-even-ask"),
    ],
)
def test_whether_we_may_ask_for_others_is_asked_of_the_api_server(reply: Reply, expected: bool) -> None:
    client, transport = routed(lambda _: reply)
    assert may_ask_for_others(client) is expected
    (sent,) = transport.sent
    assert sent.body["spec"]["resourceAttributes"] == {
        "verb": "create",
        "group": "authorization.k8s.io",
        "resource": "subjectaccessreviews",
    }


def test_a_failure_to_ask_is_an_error() -> None:
    with pytest.raises(ClusterError, match="500"):
        may_ask_for_others(routed(lambda _: failure(500))[0])
