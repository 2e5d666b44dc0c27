"""What is kept of objects, and how they are found."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.builders import (
    CRITICAL,
    cluster_role_binding,
    group,
    role_binding,
    service_account,
    user,
    vm,
    vmi,
    vmim,
)
from webhook.cluster.projection import Projection
from webhook.kubevirt.resources import (
    CLUSTER_ROLE_BINDING,
    POD,
    RESOURCE_QUOTA,
    RESOURCES,
    ROLE_BINDING,
    VM,
    VMI,
    VMIM,
)
from webhook.model.facts import WatchedResource


def keys(watched: WatchedResource, index: str, found: Any) -> list[str]:
    pruned = Projection.of(watched).prune(found)
    return sorted(next(each for each in watched.indexes if each.name == index).keys(pruned))


@pytest.mark.parametrize(
    ("watched", "index", "found", "expected"),
    [
        pytest.param(VMI, "namespace", vmi(), ["prod"], id="VMI by namespace"),
        pytest.param(
            VMI, "label", vmi(labels={"a": "b", **CRITICAL}), ["a=b", "migguard.io/critical=true"], id="by label"
        ),
        pytest.param(VMI, "node", vmi(node="node07"), ["node07"], id="by node"),
        pytest.param(VMI, "node", vmi(node=""), [], id="not scheduled yet"),
        pytest.param(VM, "templateLabel", vm(template_labels=CRITICAL), ["migguard.io/critical=true"], id="VM"),
        pytest.param(VMIM, "vmi", vmim(vmi_name="web"), ["prod/web"], id="VMIM by VMI"),
        pytest.param(VMIM, "inFlight", vmim(phase="Running"), ["*"], id="in flight"),
        pytest.param(VMIM, "inFlight", vmim(), ["*"], id="just created"),
        pytest.param(VMIM, "inFlight", vmim(phase="Failed"), [], id="finished"),
        pytest.param(
            ROLE_BINDING,
            "subject",
            role_binding(
                "b", "prod", user("alice"), group("devs"), service_account("robot"), service_account("x", "ci")
            ),
            [
                "prod/Group:devs",
                "prod/ServiceAccount:ci:x",
                "prod/ServiceAccount:prod:robot",
                "prod/User:alice",
            ],
            id="RoleBinding by subject",
        ),
        pytest.param(
            CLUSTER_ROLE_BINDING,
            "subject",
            cluster_role_binding("b", user("alice"), service_account("robot")),
            ["User:alice"],
            id="ClusterRoleBinding: an account without a namespace is nobody",
        ),
    ],
)
def test_an_object_is_found_by_its_keys(watched: WatchedResource, index: str, found: Any, expected: list[str]) -> None:
    assert keys(watched, index, found) == expected


ODD: list[Any] = [
    None,
    1,
    "x",
    [],
    {},
    {"metadata": None},
    {"metadata": {"labels": [1]}, "subjects": "x", "spec": 7, "status": []},
]


@pytest.mark.parametrize("watched", RESOURCES, ids=lambda watched: watched.kind)
def test_an_odd_object_breaks_neither_projection_nor_indexes(watched: WatchedResource) -> None:
    for found in ODD:
        pruned = Projection.of(watched).prune(found)
        for index in watched.indexes:
            assert all(isinstance(key, str) for key in index.keys(pruned))


def test_secrets_in_cloud_init_never_enter_the_store() -> None:
    volumes = [
        {"name": "init", "cloudInitNoCloud": {"userData": "password: hunter2", "secretRef": {"name": "s"}}},
        {"name": "drive", "cloudInitConfigDrive": {"userDataBase64": "aHVudGVyMg==", "networkData": "hunter2"}},
    ]
    kept = json.dumps(Projection.of(VMI).prune(vmi(volumes=volumes)))
    assert "hunter2" not in kept
    assert "aHVudGVyMg" not in kept
    assert "cloudInitNoCloud" in kept


def test_kinds_are_listed_once() -> None:
    assert len({str(watched.resource) for watched in RESOURCES}) == len(RESOURCES)
    assert len({watched.kind for watched in RESOURCES}) == len(RESOURCES)


def test_of_a_pods_labels_only_those_of_a_launcher_are_kept() -> None:
    labels = {"app": "web", "kubevirt.io": "virt-launcher", "kubevirt.io/created-by": "uid", "pod-template-hash": "x"}
    kept = Projection.of(POD).prune({"metadata": {"name": "p", "labels": labels}})
    assert kept["metadata"]["labels"] == {"kubevirt.io": "virt-launcher", "kubevirt.io/created-by": "uid"}


def test_a_refusal_never_lists_pods_or_quotas_again() -> None:
    assert {watched.kind for watched in RESOURCES if not watched.relisted} == {POD.kind, RESOURCE_QUOTA.kind}
