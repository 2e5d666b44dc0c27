"""``migguard review`` judges a fact, not the road that it comes by.

Each dangerous setting is stated by every road that can state it (HyperConverged in both versions, its jsonpatch
annotation in many spellings, the KubeVirt CR in both versions, a MigrationPolicy): the same policy says the same of it.
The safe value is let through by each.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.builders import CRITICAL, hyperconverged, kubevirt, migration_policy, namespace, vmi
from webhook.admission.natives import CATALOG
from webhook.cli import review
from webhook.cli.main import run
from webhook.kubevirt.migrationfields import BY_NAME
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY
from webhook.model.facts import WatchedResource
from webhook.policy.policyset import PolicySet, load

Json = dict[str, Any]

POLICIES = Path(__file__).parents[3] / "policies"
INSTALLED = "openshift-cnv"
SAFE: Json = {
    "allowAutoConverge": False,
    "allowPostCopy": False,
    "bandwidthPerMigration": "64Mi",
    "completionTimeoutPerGiB": 150,
    "parallelMigrationsPerCluster": 5,
    "parallelOutboundMigrationsPerNode": 2,
    "progressTimeout": 150,
}
AT = "/spec/configuration/migrations"


@dataclass(frozen=True, slots=True, kw_only=True)
class Danger:
    """A setting that a policy minds, and one of the same field that it does not."""

    field: str
    value: Any
    safe: Any
    policy: str
    refused: bool = True
    """It is refused; else whoever writes it is warned."""


DANGERS = {
    "post-copy-with-a-critical-vm": Danger(field="allowPostCopy", value=True, safe=False, policy="post-copy-exposure"),
    "tls-disabled": Danger(field="disableTLS", value=True, safe=False, policy="migration-tls"),
    "safety-checks-overridden": Danger(
        field="unsafeMigrationOverride", value=True, safe=False, policy="unsafe-migration-override"
    ),
    "too-parallel": Danger(field="parallelMigrationsPerCluster", value=100, safe=10, policy="parallelism-ceiling"),
    "timeout-out-of-bounds": Danger(field="completionTimeoutPerGiB", value=100_000, safe=600, policy="timeout-bounds"),
    "unlimited-bandwidth": Danger(
        field="bandwidthPerMigration", value="0", safe="128Mi", policy="bandwidth-default", refused=False
    ),
}


@dataclass(frozen=True, slots=True)
class Write:
    """A write that states a setting: the object before (None if it is created) and after."""

    watched: WatchedResource
    old: Json | None
    new: Json


Road = Callable[[str, Any], Write]
"""Makes the write that sets a field to a value."""


def in_hyperconverged(version: str) -> Road:
    def road(field: str, value: Any) -> Write:
        old = hyperconverged(SAFE, version=version)
        return Write(HYPERCONVERGED, old, hyperconverged({**SAFE, field: value}, version=version))

    return road


def in_annotation(version: str, spell: Callable[[str, Any], list[Json]]) -> Road:
    def road(field: str, value: Any) -> Write:
        old = hyperconverged(SAFE, version=version)
        return Write(HYPERCONVERGED, old, hyperconverged(SAFE, version=version, patch=json.dumps(spell(field, value))))

    return road


def in_kubevirt(version: str) -> Road:
    def road(field: str, value: Any) -> Write:
        old, new = (
            {**kubevirt(settings, namespace=INSTALLED), "apiVersion": f"kubevirt.io/{version}"}
            for settings in (SAFE, {**SAFE, field: value})
        )
        return Write(KUBEVIRT, old, new)

    return road


def in_policy(field: str, value: Any) -> Write:
    selectors = {"virtualMachineInstanceSelector": {"app": "db"}}
    return Write(MIGRATION_POLICY, None, migration_policy("road", selectors=selectors, **{field: value}))


def add(path: str, value: Any) -> Json:
    return {"op": "add", "path": path, "value": value}


SPELLINGS: dict[str, Callable[[str, Any], list[Json]]] = {
    "add": lambda field, value: [add(f"{AT}/{field}", value)],
    "replace-after-add": lambda field, value: [
        add(f"{AT}/{field}", None),
        {"op": "replace", "path": f"{AT}/{field}", "value": value},
    ],
    "test-then-add": lambda field, value: [
        {"op": "test", "path": f"{AT}/progressTimeout", "value": 150},
        add(f"{AT}/{field}", value),
    ],
    "parent": lambda field, value: [{"op": "replace", "path": AT, "value": {field: value}}],
    "parent-of-the-parent": lambda field, value: [add("/spec/configuration", {"migrations": {field: value}})],
    "removed-and-made-anew": lambda field, value: [{"op": "remove", "path": AT}, add(AT, {field: value})],
    "another-case-of-the-key": lambda field, value: [add(f"{AT}/{field.upper()}", value)],
    "another-case-of-the-map": lambda field, value: [add("/spec/configuration/Migrations", {field: value})],
    "another-case-of-what-is-around": lambda field, value: [
        add("/spec/CONFIGURATION", {"MIGRATIONS": {field.lower(): value}})
    ],
    "said-twice-the-last-counts": lambda field, value: [
        add(f"{AT}/{field.upper()}", SAFE.get(field)),
        add(f"{AT}/{field.lower()}", value),
    ],
}


def from_another(kind: str) -> Callable[[str, Any], list[Json]]:
    """Bring a boolean over from another field."""

    def spell(field: str, value: Any) -> list[Json]:
        giver = f"{AT}/allowAutoConverge"
        return [add(giver, value), {"op": kind, "from": giver, "path": f"{AT}/{field}"}]

    return spell


VERSIONS = ("v1beta1", "v1")


def roads(field: str) -> Iterator[tuple[str, Road]]:
    """Every road by which a field can be stated."""
    known = BY_NAME[field]
    spellings = dict(SPELLINGS)
    if known.cel_type == "bool":
        spellings |= {"copy-from-another-boolean": from_another("copy"), "move": from_another("move")}
    for version in VERSIONS:
        if known.in_hyperconverged:
            yield f"hyperconverged-{version}", in_hyperconverged(version)
        for name, spell in spellings.items():
            yield f"annotation-{version}-{name}", in_annotation(version, spell)
    yield "kubevirt-v1", in_kubevirt("v1")
    yield "kubevirt-v1alpha3", in_kubevirt("v1alpha3")
    if known.in_policy:
        yield "migrationpolicy", in_policy


CASES = [
    pytest.param(danger, road, id=f"{name}-by-{way}")
    for name, danger in DANGERS.items()
    for way, road in roads(danger.field)
]


@pytest.fixture(scope="module", name="policies")
def all_built_in_policies() -> PolicySet:
    return load([POLICIES], CATALOG)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What ``migguard review`` said."""

    code: int
    said: str
    """The refusal and the warnings."""


Ask = Callable[[Write], Verdict]


@pytest.fixture(name="ask")
def ask_migguard(
    tmp_path: Path, policies: PolicySet, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Ask:
    """Ask the command about a write to a cluster with safe settings on which one critical VM runs."""
    # The command reads the policies anew each time; they are the same here.
    monkeypatch.setattr(review, "load", lambda *_: policies)
    cluster = tmp_path / "cluster"
    cluster.mkdir()
    objects = [
        namespace("prod"),
        vmi(labels={**CRITICAL, "app": "db"}),
        hyperconverged(SAFE),
        kubevirt(SAFE, name="kubevirt-kubevirt-hyperconverged", namespace=INSTALLED),
    ]
    (cluster / "objects.yaml").write_text(yaml.safe_dump_all(objects))

    def ask(write: Write) -> Verdict:
        file = tmp_path / "review.json"
        file.write_text(json.dumps(review_of(write)))
        code = run(["review", "-f", str(file), "--policies", str(POLICIES), "--cluster", str(cluster)])
        response = json.loads(capsys.readouterr().out)["response"]
        return Verdict(code, "\n".join([response.get("status", {}).get("message", ""), *response.get("warnings", [])]))

    return ask


def review_of(write: Write) -> Json:
    """The AdmissionReview that the API server would post."""
    version = write.new["apiVersion"].rpartition("/")[2]
    group, metadata = write.watched.resource.group, write.new["metadata"]
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": group, "version": version, "kind": write.watched.kind},
            "resource": {"group": group, "version": version, "resource": write.watched.resource.resource},
            "operation": "UPDATE" if write.old else "CREATE",
            "name": metadata["name"],
            **({"namespace": metadata["namespace"]} if "namespace" in metadata else {}),
            "userInfo": {"username": "carol", "groups": ["system:authenticated"]},
            "object": write.new,
            "oldObject": write.old,
        },
    }


@pytest.mark.parametrize(("danger", "road"), CASES)
def test_a_dangerous_setting_gets_the_same_verdict_by_every_road(ask: Ask, danger: Danger, road: Road) -> None:
    verdict = ask(road(danger.field, danger.value))
    assert verdict.code == (1 if danger.refused else 0), verdict.said
    assert f"policy {danger.policy}:" in verdict.said or f"by policy {danger.policy}" in verdict.said


@pytest.mark.parametrize(("danger", "road"), CASES)
def test_the_safe_value_is_let_through_by_every_road(ask: Ask, danger: Danger, road: Road) -> None:
    verdict = ask(road(danger.field, danger.safe))
    assert verdict.code == 0, verdict.said
    assert danger.policy not in verdict.said


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("field", ["disableTLS", "unsafeMigrationOverride"])
def test_a_field_that_hyperconverged_does_not_have_is_of_no_effect(ask: Ask, field: str, version: str) -> None:
    verdict = ask(in_hyperconverged(version)(field, True))
    assert verdict.code == 0, verdict.said


@pytest.mark.parametrize(("written", "place"), [("v1", "spec"), ("v1beta1", "spec.virtualization")])
def test_a_field_at_the_other_versions_place_is_of_no_effect(ask: Ask, written: str, place: str) -> None:
    new = hyperconverged(SAFE, version=written)
    spec = new["spec"] if place == "spec" else new["spec"].setdefault("virtualization", {})
    spec["liveMigrationConfig"] = {**SAFE, "allowPostCopy": True} if written == "v1" else {"allowPostCopy": True}
    verdict = ask(Write(HYPERCONVERGED, hyperconverged(SAFE, version=written), new))
    assert verdict.code == 0, verdict.said
