"""Reports are put where they are read; those of an earlier scan go, and nobody else's."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.cluster.fakes import FakeTransport, Reply, Sent, failure, listed, named, ok, routed
from webhook.errors import ClusterError, InputError
from webhook.impact.scanning.policyreport import Form
from webhook.impact.scanning.reportwriter import served_form, to_cluster, to_files

OPEN, OLD = "/apis/openreports.io/v1alpha1", "/apis/wgpolicyk8s.io/v1alpha2"


def report(namespace: str = "") -> dict[str, Any]:
    metadata = {"name": "migguard", **({"namespace": namespace} if namespace else {})}
    return {"apiVersion": "openreports.io/v1alpha1", "kind": "Report", "metadata": metadata}


def server(*stale: str, **refused: int) -> Callable[[Sent], Reply]:
    """An API server with reports of ours in some namespaces, that refuses methods with a status."""

    def answer(request: Sent) -> Reply:
        if request.method in refused:
            return failure(refused[request.method], "no")
        if request.method == "GET" and request.path.startswith(OLD):
            return failure(404)
        if request.method == "GET" and request.path.endswith("/reports"):
            assert request.query["labelSelector"] == "app.kubernetes.io/managed-by=migguard"
            return listed(*(named("migguard", "3", namespace) for namespace in stale))
        return listed() if request.method == "GET" else ok({})

    return answer


def writes(transport: FakeTransport) -> list[str]:
    return [f"{sent.method} {sent.path}" for sent in transport.sent if sent.method != "GET"]


class TestCluster:
    def test_reports_are_applied_and_those_of_namespaces_without_findings_removed(self) -> None:
        client, transport = routed(server("prod", "gone"))
        assert to_cluster([report(), report("prod")], client, Form.OPENREPORTS) == 2
        assert writes(transport) == [
            f"PATCH {OPEN}/clusterreports/migguard",
            f"PATCH {OPEN}/namespaces/prod/reports/migguard",
            f"DELETE {OPEN}/namespaces/gone/reports/migguard",
        ]

    def test_those_of_the_other_api_are_removed_too(self) -> None:
        client, transport = routed(server("prod"))
        assert to_cluster([report()], client, Form.WGPOLICY) == 1
        assert writes(transport) == [
            f"PATCH {OLD}/clusterpolicyreports/migguard",
            f"DELETE {OPEN}/namespaces/prod/reports/migguard",
        ]

    def test_none_is_removed_where_not_all_was_scanned(self) -> None:
        client, transport = routed(server("prod", "gone"))
        assert to_cluster([report(), report("prod")], client, Form.OPENREPORTS, whole=False) == 2
        assert [write.split()[0] for write in writes(transport)] == ["PATCH", "PATCH"]

    @pytest.mark.parametrize(
        "reply",
        [
            pytest.param(failure(404, 'namespaces "gone" not found'), id="gone"),
            pytest.param(
                failure(403, "unable to create new content in namespace gone because it is being terminated"),
                id="going",
            ),
        ],
    )
    def test_a_namespace_that_vanishes_meanwhile_is_no_failure(self, reply: Reply) -> None:
        def answer(request: Sent) -> Reply:
            return reply if request.method == "PATCH" and "namespaces" in request.path else server()(request)

        assert to_cluster([report(), report("gone")], routed(answer)[0], Form.OPENREPORTS) == 2

    def test_what_cannot_be_written_is_told_after_the_rest_was(self) -> None:
        client, transport = routed(server("gone", PATCH=403))
        with pytest.raises(ClusterError, match=r"2 reports could not be .*'patch' on clusterreports.openreports.io"):
            to_cluster([report(), report("prod")], client, Form.OPENREPORTS)
        assert len(writes(transport)) == 3

    def test_an_account_that_may_not_list_reports_leaves_the_old_ones(self) -> None:
        client, transport = routed(server("gone", GET=403))
        assert to_cluster([report()], client, Form.OPENREPORTS) == 1
        assert writes(transport) == [f"PATCH {OPEN}/clusterreports/migguard"]

    def test_a_broken_api_server_is_an_error(self) -> None:
        with pytest.raises(ClusterError, match="500"):
            to_cluster([report()], routed(server(GET=500))[0], Form.OPENREPORTS)


@pytest.mark.parametrize(
    ("groups", "expected"),
    [
        (["openreports.io", "wgpolicyk8s.io"], Form.OPENREPORTS),
        (["wgpolicyk8s.io"], Form.WGPOLICY),
    ],
)
def test_the_newer_api_is_chosen_where_the_cluster_has_it(groups: list[str], expected: Form) -> None:
    def answer(request: Sent) -> Reply:
        if request.path == "/apis":
            return ok(
                {"kind": "APIGroupList", "groups": [{"name": one, "versions": [{"version": "v1"}]} for one in groups]}
            )
        return ok({"resources": [{"name": "clusterreports"}, {"name": "clusterpolicyreports"}]})

    assert served_form(routed(answer)[0]) is expected


def test_a_cluster_without_either_is_told_what_to_install() -> None:
    with pytest.raises(ClusterError, match=r"neither .*install the CRDs of OpenReports, or write files"):
        served_form(routed(lambda _: ok({"kind": "APIGroupList", "groups": []}))[0])


class TestFiles:
    def test_each_report_is_a_manifest(self, tmp_path: Path) -> None:
        assert to_files([report(), report("prod")], tmp_path / "out") == 2
        found = {str(file.relative_to(tmp_path)): yaml.safe_load(file.read_text()) for file in tmp_path.rglob("*.yaml")}
        assert found == {"out/cluster.yaml": report(), "out/namespaces/prod.yaml": report("prod")}

    def test_those_of_the_last_scan_go_and_other_files_stay(self, tmp_path: Path) -> None:
        to_files([report(), report("prod"), report("gone")], tmp_path)
        (tmp_path / "namespaces" / "mine.yaml").write_text("kind: ConfigMap\n")
        to_files([report(), report("prod")], tmp_path)
        assert sorted(file.name for file in tmp_path.rglob("*.yaml")) == ["cluster.yaml", "mine.yaml", "prod.yaml"]

    def test_but_they_stay_where_not_all_was_scanned(self, tmp_path: Path) -> None:
        to_files([report(), report("prod"), report("gone")], tmp_path)
        to_files([report(), report("prod")], tmp_path, whole=False)
        assert sorted(file.name for file in tmp_path.rglob("*.yaml")) == ["cluster.yaml", "gone.yaml", "prod.yaml"]

    def test_a_file_of_somebody_else_is_not_overwritten(self, tmp_path: Path) -> None:
        (tmp_path / "cluster.yaml").write_text("kind: ConfigMap\n")
        with pytest.raises(InputError, match=r"cluster.yaml: is no report of an earlier scan"):
            to_files([report()], tmp_path)
        assert (tmp_path / "cluster.yaml").read_text() == "kind: ConfigMap\n"

    def test_a_folder_that_cannot_be_written_is_an_error(self, tmp_path: Path) -> None:
        (tmp_path / "file").write_text("")
        with pytest.raises(InputError, match="the reports cannot be written"):
            to_files([report()], tmp_path / "file")
