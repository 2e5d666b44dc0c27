"""Room for a second pod in ResourceQuotas. Sources: domain.md section f; Kubernetes quota/v1/evaluator/core/pods.go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import Json, context, create, launcher, quota, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.quota import shortages
from webhook.kubevirt.resources import VMIM
from webhook.model.facts import FactContext

ASKED = create(VMIM, vmim())
VM = [vmi(), launcher(memory="8Gi")]


def memory(hard: str, used: str, key: str = "requests.memory", **spec: Any) -> Json:
    return quota({key: hard}, {key: used}, **spec)


def read(found: FactContext, name: str) -> Any:
    return FACTS[f"capacity.{name}"].resolve(found)


@pytest.mark.parametrize(
    ("quotas", "fits"),
    [
        pytest.param([], True, id="no-quota"),
        pytest.param([memory("16Gi", "8Gi")], True, id="domain.md-f-holds-both-pods"),
        pytest.param([memory("16Gi", "8193Mi")], False, id="domain.md-f-one-mebibyte-short"),
        pytest.param([memory("16Gi", "20Gi")], False, id="quota-that-was-lowered"),
        pytest.param([memory("8Gi", "8Gi", key="memory")], False, id="pods.go-memory-means-requests"),
        pytest.param([memory("8Gi", "8Gi", key="limits.memory")], False, id="pods.go-limits-are-at-least-requests"),
        pytest.param([memory("16Gi", "8Gi", key="limits.memory")], True, id="limit-that-may-fit"),
        pytest.param([memory("3", "2", key="pods")], True, id="pods.go-one-more-pod"),
        pytest.param([memory("2", "2", key="pods")], False, id="pods.go-no-more-pods"),
        pytest.param([memory("2", "2", key="count/pods")], False, id="pods.go-object-count"),
        pytest.param([memory("0", "0", key="requests.cpu")], True, id="cpu-is-not-judged"),
        pytest.param([quota({"requests.memory": "1Gi"}, {})], True, id="use-that-is-not-counted-yet"),
        pytest.param([memory("lots", "8Gi")], False, id="amount-that-is-none-holds-nothing"),
        pytest.param([memory("32Gi", "8Gi"), memory("9Gi", "8Gi", name="tight")], False, id="all-of-several-must-hold"),
        pytest.param([memory("8Gi", "8Gi", namespace="test")], True, id="quota-of-another-namespace"),
        pytest.param([memory("8Gi", "8Gi", scopes=["NotTerminating"])], False, id="pods.go-scope-NotTerminating"),
        pytest.param([memory("8Gi", "8Gi", scopes=["NotBestEffort"])], False, id="pods.go-scope-NotBestEffort"),
        pytest.param([memory("8Gi", "8Gi", scopes=["Terminating"])], True, id="pods.go-scope-Terminating"),
        pytest.param([memory("8Gi", "8Gi", scopes=["BestEffort"])], True, id="pods.go-scope-BestEffort"),
        pytest.param(
            [memory("8Gi", "8Gi", scopes=["NotTerminating", "PriorityClass"])], True, id="pods.go-all-scopes-must-match"
        ),
        pytest.param(
            [
                memory(
                    "8Gi",
                    "8Gi",
                    scopeSelector={"matchExpressions": [{"scopeName": "NotTerminating", "operator": "Exists"}]},
                )
            ],
            False,
            id="pods.go-scope-selector",
        ),
        pytest.param(
            [
                memory(
                    "8Gi",
                    "8Gi",
                    scopeSelector={
                        "matchExpressions": [{"scopeName": "PriorityClass", "operator": "In", "values": ["high"]}]
                    },
                )
            ],
            True,
            id="priority-class-is-not-judged",
        ),
    ],
)
def test_the_quotas_of_the_namespace_must_hold_a_second_pod(quotas: list[Json], fits: bool) -> None:
    found = context(ASKED, *VM, *quotas)
    assert read(found, "quotaFits") is fits
    assert (read(found, "quotaObstacle") == "") is fits
    assert (read(found, "quotaShortages") == []) is fits


def test_the_obstacle_names_the_quota_and_the_numbers() -> None:
    found = context(ASKED, *VM, memory("16Gi", "9Gi"))
    expected = "ResourceQuota prod/compute leaves 7Gi of 16Gi requests.memory, a second pod needs 8Gi"
    assert read(found, "quotaObstacle") == expected
    assert read(found, "quotaShortages") == [
        {
            "quota": "ResourceQuota prod/compute",
            "resource": "requests.memory",
            "needs": "8Gi",
            "left": "7Gi",
            "hard": "16Gi",
        }
    ]


def test_pods_are_counted_in_numbers() -> None:
    found = context(ASKED, *VM, memory("2", "2", key="pods"))
    assert read(found, "quotaObstacle") == "ResourceQuota prod/compute leaves 0 of 2 pods, a second pod needs 1"


def test_without_a_vm_every_quota_holds() -> None:
    assert shortages(context(ASKED, memory("0", "0"))) == []
