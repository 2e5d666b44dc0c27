"""``migguard check`` before an apply says what the apply then meets, by either side's apply."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.e2e.objects import CRITICAL, SAFE, Object, hyperconverged, migration_policy, vm, vmim
from tests.e2e.scene import Configuration, Scene, allowed, refused
from tests.support.kubectl import Answer, Kubectl
from webhook.cli.main import run

POLICIES = str(Path(__file__).parents[2] / "policies")
ROOT = ("system:masters", "system:authenticated")
APPLIES = (("--server-side", "--force-conflicts"), ())
"""As Flux does it, and as kubectl does it by itself."""


@dataclass(frozen=True, slots=True)
class Checked:
    """What ``migguard check`` says of one manifest."""

    code: int
    errors: dict[str, str]
    """Messages, by policy."""
    lesser: list[str]
    """Other messages."""


class Gate:
    """A pull request's check, and the apply after it, both by one person."""

    def __init__(self, who: Kubectl, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
        self._who = who
        self._file = folder / "manifest.yaml"
        self._capsys = capsys

    def check(self, manifest: Object) -> Checked:
        """Judge the manifest as this person's."""
        self._file.write_text(yaml.safe_dump(manifest))
        arguments = ["check", "-f", str(self._file), "--policies", POLICIES, "--namespace", self._who.namespace]
        arguments += ["--kubeconfig", str(self._who.kubeconfig), "--as", self._who.user]
        arguments += [f"--as-group={group}" for group in self._who.groups]
        self._capsys.readouterr()
        code = run([*arguments, "-o", "json"])
        [one] = json.loads(self._capsys.readouterr().out)["examined"]
        found: list[dict[str, Any]] = one["findings"]
        errors = {each["rule"]: each["message"] for each in found if each["level"] == "error"}
        return Checked(code, errors, [each["message"] for each in found if each["level"] != "error"])

    def applies(self, manifest: Object) -> list[Answer]:
        """Apply it in either way, for the last time in earnest."""
        dry = [self._who.apply(manifest, *flags, "--dry-run=server") for flags in APPLIES]
        return [*dry, self._who.apply(manifest)]

    def refuses(self, manifest: Object, policy: str) -> None:
        """See that both refuse the manifest, by this policy and with the same words."""
        checked = self.check(manifest)
        assert checked.code == 1
        assert policy in checked.errors
        for answer in self.applies(manifest):
            message = refused(answer)
            assert [text for text in checked.errors.values() if text not in message] == []

    def passes(self, manifest: Object) -> Checked:
        """See that both let the manifest through."""
        checked = self.check(manifest)
        assert (checked.code, checked.errors) == (0, {})
        for answer in self.applies(manifest):
            allowed(answer)
        return checked


@pytest.fixture(name="gate")
def gate_of_a_cluster_admin(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Gate:
    return Gate(scene.person("root", *ROOT), tmp_path, capsys)


def selecting(scene: Scene, **settings: Any) -> Object:
    return migration_policy(f"hand-{scene.namespace}", {"team": scene.namespace}, **settings)


def test_a_setting_that_git_leaves_out_and_somebody_made_by_hand_stays(
    scene: Scene, configuration: Configuration, gate: Gate
) -> None:
    elsewhere = migration_policy(f"hand-{scene.namespace}", {"team": "none-such"}, allowPostCopy=True)
    configuration.admin.must("create", "-f", "-", manifest=elsewhere)
    scene.vm("db", labels=CRITICAL)
    manifest = selecting(scene)
    scene.wait_until_refused(scene.admin, "apply", "-f", "-", manifest=manifest)
    gate.refuses(manifest, "post-copy-exposure")


@pytest.fixture(name="mira")
def writer_of_migration_policies(scene: Scene) -> Iterator[Kubectl]:
    """Somebody who may write MigrationPolicies, and may not take a critical VM's protection away."""
    role, resource = f"policies-{scene.namespace}", "migrationpolicies.migrations.kubevirt.io"
    scene.admin.must("create", "clusterrole", role, "--verb=get,create,update,patch", f"--resource={resource}")
    scene.admin.must("create", "clusterrolebinding", role, f"--clusterrole={role}", "--user=mira")
    mira = scene.person("mira", "system:authenticated")
    scene.wait_until(lambda: mira("auth", "can-i", "update", resource).ok)
    yield mira
    scene.admin.must("delete", "clusterrole,clusterrolebinding", role)


def test_a_protection_that_git_leaves_out_goes_only_with_replace(
    scene: Scene, configuration: Configuration, mira: Kubectl, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    safe = selecting(scene, allowPostCopy=False, allowWorkloadDisruption=False)
    configuration.admin.must("create", "-f", "-", manifest=safe)
    scene.vm("db", labels=CRITICAL)
    scene.wait_until_refused(mira, "replace", "-f", "-", manifest=selecting(scene))
    replaced = refused(mira("replace", "-f", "-", manifest=selecting(scene)))
    [warning] = Gate(mira, tmp_path, capsys).passes(selecting(scene)).lesser
    condition, message = warning.split(": ", 1)
    assert condition == (
        "only if spec.allowPostCopy, spec.allowWorkloadDisruption, which the manifest leaves out, go "
        "(as with kubectl replace)"
    )
    assert message in replaced


def test_a_label_that_leaves_git_goes(scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    allowed(scene.admin.apply(vm("db", labels=CRITICAL)))
    scene.bind("edit", user="edith")
    edith = Gate(scene.person("edith", "system:authenticated"), tmp_path, capsys)
    checked = edith.check(vm("db"))
    assert checked.code == 1
    scene.wait_until_refused(scene.person("edith"), "apply", "-f", "-", manifest=vm("db"))
    message = refused(scene.person("edith").apply(vm("db")))
    assert checked.errors["critical-flag"] in message


def test_a_label_that_leaves_git_goes_with_flux_too(
    scene: Scene, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flux = ("--server-side", "--field-manager=kustomize-controller")
    allowed(scene.admin.apply(vm("db", labels=CRITICAL), *flux))
    scene.bind("edit", user="edith")
    edith = scene.person("edith", "system:authenticated")
    checked = Gate(edith, tmp_path, capsys).check(vm("db"))
    assert checked.code == 1
    scene.wait_until_refused(edith, "apply", "-f", "-", *flux, manifest=vm("db"))
    assert checked.errors["critical-flag"] in refused(edith.apply(vm("db"), *flux))


def test_settings_of_the_whole_cluster(
    configuration: Configuration, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    gate = Gate(configuration.admin.as_user("root", *ROOT), tmp_path, capsys)
    gate.refuses(hyperconverged(SAFE | {"parallelMigrationsPerCluster": 500}), "parallelism-ceiling")
    gate.passes(hyperconverged(SAFE))
    assert configuration.stored_hco()["parallelMigrationsPerCluster"] == SAFE["parallelMigrationsPerCluster"]


def test_a_migration_is_refused_for_its_disk_and_for_who_asks(
    scene: Scene, gate: Gate, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    scene.vm("tied", access_mode="ReadWriteOnce")
    scene.wait_until_refused(scene.admin, "apply", "-f", "-", manifest=vmim("move", "tied"))
    gate.refuses(vmim("move", "tied"), "vm-volumes-migratable")
    scene.vm("free")
    scene.bind("admin", user="bob")
    scene.wait_until_allowed(scene.admin, "apply", "-f", "-", manifest=vmim("go", "free"))
    bob = Gate(scene.person("bob", "system:authenticated"), tmp_path, capsys)
    bob.refuses(vmim("go", "free"), "requester-can-migrate")
    gate.passes(vmim("go", "free"))
