"""What there is to scan: from files with their places, from a cluster page by page, and never a secret."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.cluster.fakes import Reply, Sent, failure, listed, named, ok, routed
from webhook.cluster.store import Store
from webhook.errors import ClusterError
from webhook.impact.scanning.inventory import Item, Unread, from_cluster, from_manifests, resource_of, unread, wanted
from webhook.kubevirt.resources import NODE, POD, RESOURCES
from webhook.model.objects import name_of
from webhook.policy.document import ResourceRule

VMS, NODES = ("kubevirt.io", "virtualmachines"), ("", "nodes")
KNOWN = frozenset((row.resource.group, row.resource.resource) for row in RESOURCES)


def rule(groups: str, resources: str) -> ResourceRule:
    return ResourceRule(
        groups=tuple(groups.split(",")), versions=("*",), resources=tuple(resources.split(",")), operations=("CREATE",)
    )


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        pytest.param([rule("kubevirt.io", "virtualmachines")], {VMS}, id="named"),
        pytest.param([rule("example.com", "widgets")], {("example.com", "widgets")}, id="unknown-kind"),
        pytest.param([rule("kubevirt.io", "virtualmachines/status")], set(), id="subresource"),
        pytest.param([rule(",kubevirt.io", "nodes")], {NODES, ("kubevirt.io", "nodes")}, id="several-groups"),
        pytest.param([rule("*", "virtualmachines")], {VMS}, id="any-group"),
        pytest.param(
            [rule("migrations.kubevirt.io", "*")], {("migrations.kubevirt.io", "migrationpolicies")}, id="any"
        ),
        pytest.param([rule("*", "*/*")], set(KNOWN), id="everything-is-what-migguard-knows"),
        pytest.param([rule("", "secrets")], set(), id="never-a-secret"),
        pytest.param([], set(), id="no-rules"),
    ],
)
def test_resources_are_those_that_rules_name(rules: list[ResourceRule], expected: set[tuple[str, str]]) -> None:
    assert wanted(rules) == expected


@pytest.mark.parametrize(
    ("api_version", "kind", "expected"),
    [
        ("kubevirt.io/v1alpha3", "VirtualMachine", "virtualmachines.kubevirt.io"),
        ("k8s.cni.cncf.io/v1", "NetworkAttachmentDefinition", "network-attachment-definitions.k8s.cni.cncf.io"),
        ("pool.kubevirt.io/v1beta1", "VirtualMachinePool", "virtualmachinepools.pool.kubevirt.io"),
        ("networking.k8s.io/v1", "NetworkPolicy", "networkpolicies.networking.k8s.io"),
        ("networking.k8s.io/v1", "Ingress", "ingresses.networking.k8s.io"),
        ("v1", "ConfigMap", "configmaps"),
        (7, None, "s"),
    ],
)
def test_the_resource_of_a_kind_is_known_or_guessed_as_kubernetes_does(
    api_version: Any, kind: Any, expected: str
) -> None:
    assert str(resource_of({"apiVersion": api_version, "kind": kind})) == expected


def test_files_give_what_is_wanted_in_order_and_where_it_stands(tmp_path: Path) -> None:
    (tmp_path / "b.yaml").write_text(
        "apiVersion: v1\nkind: Node\nmetadata: {name: worker-1}\n---\n"
        "apiVersion: v1\nkind: Secret\nmetadata: {name: s, namespace: prod}\n---\n"
        "apiVersion: kubevirt.io/v1\nkind: VirtualMachine\nmetadata: {name: web, namespace: prod}\n"
    )
    (tmp_path / "c.json").write_text(
        '{"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachineList", "items": [\n'
        '{"metadata": {"name": "db", "namespace": "prod"}}]}'
    )
    (tmp_path / "snapshot.yaml").write_text("apiVersion: migguard.io/v1alpha1\nkind: ClusterSnapshot\n")
    found = list(from_manifests([tmp_path], frozenset({VMS, NODES, ("migguard.io", "clustersnapshots")})))
    assert [(name_of(item.obj), str(item.place).rpartition("/")[2]) for item in found] == [
        ("worker-1", "b.yaml:1:1"),
        ("db", "c.json:2:1"),
        ("web", "b.yaml:9:1"),
    ]


def test_what_a_snapshot_could_not_be_taken_of_is_named_if_it_is_wanted() -> None:
    store = Store(RESOURCES)
    for watched in RESOURCES:
        store.absent(watched)
    for watched in (NODE, POD):
        store.refuse(watched, f"{watched.resource} cannot be read: no right (when the snapshot was taken)")
    assert list(unread(store, frozenset({NODES, VMS}), "snap")) == [
        Unread("nodes", "no right (when the snapshot was taken)", "snap")
    ]


GROUPS = {"kind": "APIGroupList", "groups": [{"name": "kubevirt.io", "versions": [{"version": "v1"}]}]}


class TestCluster:
    def answer(self, request: Sent) -> Reply:
        match request.path:
            case "/apis":
                return ok(GROUPS)
            case "/apis/kubevirt.io/v1":
                kinds = {"virtualmachines": "VirtualMachine", "virtualmachineinstances": "VirtualMachineInstance"}
                return ok({"resources": [{"name": name, "kind": kind} for name, kind in kinds.items()]})
            case "/api/v1":
                return ok({"resources": [{"name": "nodes", "kind": "Node"}]})
            case "/api/v1/nodes":
                return failure(403, "no")
            case "/apis/kubevirt.io/v1/virtualmachines":
                first = {**named("db", "3"), "extra": 1}
                first["metadata"]["managedFields"] = [{"manager": "kubectl"}]
                more = listed(first, token="t", api_version="kubevirt.io/v1")
                return listed(named("web", "4"), api_version="kubevirt.io/v1") if "continue" in request.query else more
            case _:
                return listed(named("db", "5"), api_version="kubevirt.io/v1")

    def test_objects_come_whole_but_for_managed_fields_vms_first(self) -> None:
        resources = frozenset({("kubevirt.io", "virtualmachineinstances"), VMS, ("gone.io", "things")})
        found = [one for one in from_cluster(routed(self.answer)[0], resources) if isinstance(one, Item)]
        assert [(item.obj["kind"], name_of(item.obj)) for item in found] == [
            ("VirtualMachine", "db"),
            ("VirtualMachine", "web"),
            ("VirtualMachineInstance", "db"),
        ]
        assert found[0].obj["extra"] == 1
        assert found[0].obj["apiVersion"] == "kubevirt.io/v1"
        assert "managedFields" not in found[0].obj["metadata"]
        assert str(found[0].place) == ""

    def test_a_page_is_asked_for_when_the_one_before_is_used_up(self) -> None:
        client, transport = routed(self.answer)
        items = from_cluster(client, frozenset({VMS}))
        next(items)
        assert sum(sent.path.endswith("/virtualmachines") for sent in transport.sent) == 1

    def test_what_may_not_be_listed_comes_as_a_problem_with_the_right(self) -> None:
        (nodes, db, _) = from_cluster(routed(self.answer)[0], frozenset({NODES, VMS}))
        assert isinstance(nodes, Unread)
        assert isinstance(db, Item)
        assert str(nodes.problem) == (
            "https://api.test:6443: nodes are not scanned: our account lacks the RBAC verb 'list' on nodes cluster-wide"
        )

    def test_another_failure_is_an_error(self) -> None:
        def broken(request: Sent) -> Reply:
            return failure(500) if request.path.endswith("virtualmachines") else self.answer(request)

        with pytest.raises(ClusterError, match="500"):
            list(from_cluster(routed(broken)[0], frozenset({VMS})))
