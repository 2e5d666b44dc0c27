"""Policies that would judge blindly from a snapshot, and the fields that it does not hold."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.unit.impact.scans import NOW, policy, ready, vm
from webhook.admission.natives import CATALOG
from webhook.impact.scanning.run import look_over
from webhook.impact.scanning.scannable import scannable
from webhook.impact.scanning.unkept import unkept
from webhook.offline.snapshot import take
from webhook.offline.state import ClusterSource
from webhook.policy.policyset import load

POLICIES = Path(__file__).parents[4] / "policies"


@pytest.mark.parametrize(
    ("made", "missing"),
    [
        pytest.param(policy("p", "object.spec.runStrategy != 'Halted'"), ("spec.runStrategy",), id="not-kept"),
        pytest.param(policy("p", "object.spec.?runStrategy.orValue('') != ''"), ("spec.runStrategy",), id="optional"),
        pytest.param(policy("p", "'a' in object.metadata.annotations"), ("metadata.annotations",), id="annotations"),
        pytest.param(policy("p", "'a' in object.metadata.labels"), (), id="labels"),
        pytest.param(policy("p", "object.metadata.name != '' && object.kind != ''"), (), id="identity"),
        pytest.param(policy("p", "has(object.spec.template.spec.evictionStrategy)"), (), id="kept"),
        pytest.param(policy("p", "object.spec.template.spec.domain.cpu.cores > 1"), (), id="kept-deep-down"),
        pytest.param(policy("p", "has(object.spec.template.spec.domain)"), (), id="above-what-is-kept"),
        pytest.param(policy("p", "object.spec.template.spec.volumes.all(v, has(v.name))"), (), id="items-of-a-list"),
        pytest.param(policy("p", "vm.labelsChange"), (), id="facts-alone"),
        pytest.param(
            policy("p", "object.spec.x > 1", resources=["widgets"], group="a.io"), (), id="kind-without-facts"
        ),
        pytest.param(policy("p", "object.spec.x > 1", operations=["UPDATE"]), (), id="not-scanned"),
        pytest.param(
            policy("p", "variables.on", variables=[{"name": "on", "expression": "object.spec.running"}]),
            ("spec.running",),
            id="through-a-variable",
        ),
    ],
)
def test_fields_that_decide_and_are_not_kept_are_named(
    tmp_path: Path, made: dict[str, Any], missing: tuple[str, ...]
) -> None:
    assert dict(unkept(ready(tmp_path, made))) == ({"p": missing} if missing else {})


def test_the_built_in_policies_see_all_that_they_need() -> None:
    assert unkept(scannable(load([POLICIES], CATALOG, now=NOW))) == {}


def test_a_scan_of_a_snapshot_says_so_and_one_of_manifests_does_not(tmp_path: Path) -> None:
    (tmp_path / "dump.yaml").write_text(yaml.safe_dump(vm("db")))
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy("p", "object.spec.running")))
    policies = load([tmp_path / "policy.yaml"], CATALOG, now=NOW)
    take(ClusterSource(manifests=(tmp_path / "dump.yaml",)), tmp_path / "snap", force=False, now=NOW, tell=print)
    told: dict[str, list[str]] = {"snap": [], "dump.yaml": []}
    for name, lines in told.items():
        look_over(policies, ClusterSource(manifests=(tmp_path / name,)), now=NOW, tell=lines.append)
    assert told == {
        "snap": ["policy p judges object.spec.running, which a snapshot does not hold: scan the live cluster by it"],
        "dump.yaml": [],
    }
