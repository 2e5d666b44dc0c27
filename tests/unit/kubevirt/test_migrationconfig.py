"""The configuration in force. Source: KubeVirt pkg/virt-config, pkg/virt-controller/watch/migration/migration.go."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.support.builders import context, create, hyperconverged, kubevirt, migration_policy, namespace, vmi, vmim
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.migrationfields import FIELDS
from webhook.kubevirt.resources import VMIM
from webhook.model.facts import FactContext

ASKED = create(VMIM, vmim())
HCO = "HyperConverged openshift-cnv/kubevirt-hyperconverged"
RENDERED_NAME = "kubevirt-kubevirt-hyperconverged"


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"migration.{name}"].resolve(found)


def source(name: str, found: FactContext) -> Any:
    return ask("sources", found)[name]


def rendered(migrations: dict[str, Any]) -> dict[str, Any]:
    return kubevirt(migrations, name=RENDERED_NAME, namespace="openshift-cnv")


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("parallelMigrationsPerCluster", 5),
        ("parallelOutboundMigrationsPerNode", 2),
        ("bandwidthPerMigration", 0),
        ("completionTimeoutPerGiB", 150),
        ("progressTimeout", 150),
        ("allowAutoConverge", False),
        ("allowPostCopy", False),
        ("allowWorkloadDisruption", False),
        ("network", ""),
        ("disableTLS", False),
        ("unsafeMigrationOverride", False),
        ("nodeDrainTaintKey", "kubevirt.io/drain"),
        ("matchSELinuxLevelOnMigration", True),
        ("utilityVolumesTimeout", 150),
        ("maxDowntimeMs", 900),
        ("experimental", {}),
        ("policy", ""),
    ],
)
def test_kubevirts_defaults(name: str, value: Any) -> None:
    """Source: KubeVirt pkg/virt-config/configuration.go."""
    found = ask(name, context(ASKED, vmi()))
    assert found == value
    assert type(found) is type(value)


POST_COPY_PATCH = json.dumps([{"op": "add", "path": "/spec/configuration/migrations/allowPostCopy", "value": True}])
GOLD = {"virtualMachineInstanceSelector": {"tier": "gold"}}


@pytest.mark.parametrize(
    ("objects", "on", "named"),
    [
        pytest.param([], False, "KubeVirt default", id="virt-config-defaults"),
        pytest.param(
            [kubevirt({"allowPostCopy": True})],
            True,
            "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy",
            id="setConfigFromKubeVirt-bare-kubevirt",
        ),
        pytest.param(
            [hyperconverged({"allowPostCopy": True})],
            True,
            f"{HCO} spec.liveMigrationConfig.allowPostCopy",
            id="hcLiveMigrationToKv-manifests-with-the-hyperconverged-alone",
        ),
        pytest.param(
            [hyperconverged({"allowPostCopy": True}, version="v1")],
            True,
            f"{HCO} spec.virtualization.liveMigrationConfig.allowPostCopy",
            id="hcLiveMigrationToKv-v1",
        ),
        pytest.param(
            [hyperconverged({"allowPostCopy": True}), rendered({"allowPostCopy": True})],
            True,
            f"{HCO} spec.liveMigrationConfig.allowPostCopy",
            id="getKVConfig-rendered-from-hyperconverged",
        ),
        pytest.param(
            [hyperconverged({}, patch=POST_COPY_PATCH), rendered({"allowPostCopy": True})],
            True,
            f"annotation kubevirt.kubevirt.io/jsonpatch of {HCO}",
            id="applyAnnotationPatch-rendered-from-the-annotation",
        ),
        pytest.param(
            [hyperconverged({"allowPostCopy": False}), rendered({"allowPostCopy": True})],
            True,
            f"KubeVirt openshift-cnv/{RENDERED_NAME} spec.configuration.migrations.allowPostCopy",
            id="the-kubevirt-cr-edited-by-hand",
        ),
        pytest.param(
            [hyperconverged({"allowPostCopy": True}), rendered({"allowPostCopy": False})],
            False,
            f"KubeVirt openshift-cnv/{RENDERED_NAME} spec.configuration.migrations.allowPostCopy",
            id="not-rendered-yet-what-kubevirt-has-is-in-force",
        ),
        pytest.param(
            [hyperconverged({"allowPostCopy": True}), kubevirt({"allowPostCopy": True})],
            True,
            "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy",
            id="a-hyperconverged-of-another-namespace",
        ),
        pytest.param(
            [kubevirt({"allowPostCopy": True}), migration_policy("safe", selectors=GOLD, allowPostCopy=False)],
            False,
            "MigrationPolicy safe",
            id="resolveMigrationConfig-policy-protects",
        ),
        pytest.param(
            [kubevirt({}), migration_policy("fast", selectors=GOLD, allowPostCopy=True)],
            True,
            "MigrationPolicy fast",
            id="resolveMigrationConfig-policy-endangers",
        ),
        pytest.param(
            [
                kubevirt({"allowPostCopy": True}),
                migration_policy("safe", selectors=GOLD, allowPostCopy=False),
                migration_policy(
                    "silent", selectors={**GOLD, "namespaceSelector": {"env": "prod"}}, allowAutoConverge=True
                ),
            ],
            True,
            "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy",
            id="matchPolicy-a-more-specific-silent-policy-takes-the-protection-away",
        ),
        pytest.param(
            [migration_policy("x", selectors={"virtualMachineInstanceSelector": {"tier": "tin"}}, allowPostCopy=True)],
            False,
            "KubeVirt default",
            id="matchPolicy-a-policy-for-other-vms",
        ),
        pytest.param(
            [kubevirt({"allowPostCopy": True}, namespace="elsewhere"), kubevirt({"allowPostCopy": False})],
            False,
            "KubeVirt kubevirt/kubevirt spec.configuration.migrations.allowPostCopy",
            id="a-kubevirt-cr-outside-the-install-namespaces",
        ),
    ],
)
def test_post_copy_is_in_force_by_whatever_road(objects: list[dict[str, Any]], on: bool, named: str) -> None:
    found = context(ASKED, vmi(labels={"tier": "gold"}), namespace(labels={"env": "prod"}), *objects)
    assert (ask("allowPostCopy", found), source("allowPostCopy", found)) == (on, named)
    assert (ask("allowWorkloadDisruption", found), source("allowWorkloadDisruption", found)) == (on, named)


def test_the_policy_that_applies_is_named() -> None:
    policy = migration_policy("fast", selectors={"namespaceSelector": {"env": "prod"}})
    assert ask("policy", context(ASKED, vmi(), namespace(labels={"env": "prod"}), policy)) == "fast"


def test_a_policy_may_select_on_the_node() -> None:
    policy = migration_policy("node", selectors={"virtualMachineInstanceSelector": {"kubevirt.io/nodeName": "node01"}})
    assert ask("policy", context(ASKED, vmi(node="node01"), policy)) == "node"
    assert ask("policy", context(ASKED, vmi(node="node02"), policy)) == ""


def test_a_vmi_without_labels_is_not_caught_by_a_narrow_policy() -> None:
    policy = migration_policy("narrow", selectors={"virtualMachineInstanceSelector": {"app": "web"}})
    assert ask("policy", context(ASKED, vmi(labels=None), policy)) == ""


def test_without_its_vmi_a_request_sees_the_clusters_configuration() -> None:
    found = context(ASKED, kubevirt({"allowPostCopy": True}), migration_policy(selectors={}, allowPostCopy=False))
    assert (ask("allowPostCopy", found), ask("policy", found)) == (True, "")


def test_quantities_are_bytes() -> None:
    found = context(ASKED, vmi(), kubevirt({"bandwidthPerMigration": "1Gi"}))
    assert ask("bandwidthPerMigration", found) == 2**30


def test_every_field_has_a_source() -> None:
    found = context(ASKED, vmi())
    assert set(ask("sources", found)) == {field.name for field in FIELDS}


def released(found: dict[str, Any], release: str) -> dict[str, Any]:
    return {**found, "status": {"versions": [{"name": "operator", "version": release}]}}


@pytest.mark.parametrize(
    ("objects", "value", "named"),
    [
        pytest.param([], 150, "KubeVirt default", id="nothing-is-installed"),
        pytest.param(
            [released(hyperconverged({}), "1.13.0")], 800, "HyperConverged default", id="hc-1.13-manifest-alone"
        ),
        pytest.param(
            [released(hyperconverged({}), "1.20.0")], 20, "HyperConverged default", id="hc-1.20-manifest-alone"
        ),
        pytest.param([hyperconverged({})], 150, "HyperConverged default", id="hc-of-unknown-release"),
        pytest.param(
            [released(hyperconverged({"completionTimeoutPerGiB": 40}), "1.20.0")],
            40,
            f"{HCO} spec.liveMigrationConfig.completionTimeoutPerGiB",
            id="hc-field-beats-its-default",
        ),
        pytest.param(
            [released(hyperconverged({}), "1.20.0"), rendered({"completionTimeoutPerGiB": 20})],
            20,
            "HyperConverged default",
            id="getKVConfig-renders-the-default",
        ),
        pytest.param(
            [released(hyperconverged({}), "1.20.0"), rendered({})],
            150,
            "KubeVirt default",
            id="the-kubevirt-cr-counts-even-where-it-says-less",
        ),
        pytest.param(
            [hyperconverged({}), {**rendered({}), "status": {"observedKubeVirtVersion": "v1.9.0"}}],
            150,
            "KubeVirt default",
            id="a-hyperconverged-default-is-not-in-force-before-it-is-rendered",
        ),
        pytest.param(
            [released(hyperconverged({}), "1.20.0"), rendered({"completionTimeoutPerGiB": 21})],
            21,
            f"KubeVirt openshift-cnv/{RENDERED_NAME} spec.configuration.migrations.completionTimeoutPerGiB",
            id="the-kubevirt-cr-edited-by-hand",
        ),
        pytest.param(
            [kubevirt({"completionTimeoutPerGiB": None})],
            150,
            "KubeVirt default",
            id="setConfigFromKubeVirt-null-is-unset",
        ),
    ],
)
def test_defaults_come_from_whatever_is_installed(objects: list[dict[str, Any]], value: int, named: str) -> None:
    found = context(ASKED, vmi(), *objects)
    assert (ask("completionTimeoutPerGiB", found), source("completionTimeoutPerGiB", found)) == (value, named)


def test_a_later_release_needs_two_switches_for_post_copy() -> None:
    """Source: HyperConverged release-1.19 api/v1 (allowWorkloadDisruption: false by default)."""
    found = context(ASKED, vmi(), released(hyperconverged({"allowPostCopy": True}), "1.19.0"))
    assert (ask("allowPostCopy", found), ask("allowWorkloadDisruption", found)) == (True, False)
    assert source("allowWorkloadDisruption", found) == "HyperConverged default"
