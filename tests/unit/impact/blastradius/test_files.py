"""Telling manifests from policies, and reading them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.support.builders import hyperconverged, migration_policy, vmim
from tests.unit.impact.policydiffsets import policy
from webhook.errors import InputError
from webhook.impact.blastradius.files import are_manifests, read
from webhook.model.objects import name_of


@pytest.mark.parametrize(
    ("documents", "manifests"),
    [
        pytest.param([hyperconverged({})], True, id="a HyperConverged"),
        pytest.param([vmim(), migration_policy("p")], True, id="a MigrationPolicy among others"),
        pytest.param([vmim()], False, id="others only"),
        pytest.param([policy()], False, id="a policy"),
        pytest.param([policy(), hyperconverged({})], False, id="a policy among manifests"),
    ],
)
@pytest.mark.parametrize("form", ["json", "yaml"])
def test_manifests_are_told_from_policies(tmp_path: Path, documents: list[object], manifests: bool, form: str) -> None:
    for number, one in enumerate(documents):
        (tmp_path / f"{number}.{form}").write_text(json.dumps(one, indent=2))
    assert are_manifests(tmp_path) is manifests


def test_the_tests_of_policies_are_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "tests").mkdir()
    (tmp_path / "tests" / "x.yaml").write_text(json.dumps(policy()))
    (tmp_path / "hco.yaml").write_text("kind: 'HyperConverged'\n")
    assert are_manifests(tmp_path)


def test_what_is_not_there_is_no_manifest(tmp_path: Path) -> None:
    assert not are_manifests(tmp_path / "nope")


def test_what_does_not_decide_how_vms_migrate_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "all.yaml").write_text("\n---\n".join(map(json.dumps, [vmim(), migration_policy("p")])))
    assert [name_of(one) for one in read([tmp_path])] == ["p"]
    (tmp_path / "all.yaml").write_text(json.dumps(vmim()))
    with pytest.raises(InputError, match=r"VirtualMachineInstanceMigration\.kubevirt\.io \(kinds that do: HyperConv"):
        read([tmp_path])
