"""``migguard explain``: one request or one VM."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.reviews import body, small_world
from webhook.cli.main import run

ROOT = Path(__file__).parents[3]
EXAMPLES = ROOT / "examples"
POLICIES = (
    "bandwidth-default",
    "critical-vm-no-post-copy",
    "drain-taint-key",
    "freeze-window",
    "parallelism-ceiling",
    "requester-can-migrate",
    "vm-volumes-migratable",
)
WORLD = [
    *(argument for name in POLICIES for argument in ("--policies", str(ROOT / "policies" / name / "policy.yaml"))),
    "--cluster",
    str(EXAMPLES / "cluster"),
]
"""The examples, with those of the built-in policies that have to do with them: to load all takes a second."""


@pytest.fixture(name="small")
def small_world_arguments(tmp_path) -> list[str]:
    policies, cluster = small_world(tmp_path)
    return ["--policies", str(policies), "--cluster", str(cluster)]


@pytest.mark.parametrize(
    ("file", "code", "verdict"),
    [
        pytest.param("1-allowed.yaml", 0, "ALLOWED in ", id="allowed"),
        pytest.param("2-no-right.yaml", 1, "DENIED by requester-can-migrate in ", id="no-right"),
        pytest.param("3-read-write-once.yaml", 1, "DENIED by vm-volumes-migratable in ", id="read-write-once"),
        pytest.param("4-critical-post-copy.yaml", 1, "DENIED by critical-vm-no-post-copy in ", id="post-copy"),
        pytest.param("6-too-parallel.yaml", 1, "DENIED by parallelism-ceiling in ", id="too-parallel"),
    ],
)
def test_a_request_is_explained(capsys, file, code, verdict):
    assert run(["explain", "-f", str(EXAMPLES / "requests" / file), *WORLD]) == code
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith(verdict)
    assert lines[1].endswith(" ms")


def test_a_mutation_is_shown_with_its_patch(capsys):
    assert run(["explain", "-f", str(EXAMPLES / "requests" / "5-bandwidth-defaulted.yaml"), *WORLD]) == 0
    printed = capsys.readouterr().out
    assert "ok    bandwidth-default: changes the object (1 operation)" in printed
    assert '          add /spec/liveMigrationConfig/bandwidthPerMigration "64Mi"' in printed


def test_a_review_is_read_from_standard_input(small, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(body("forbidden"))))
    assert run(["explain", "-f", "-", *small]) == 1
    assert "this name is forbidden" in capsys.readouterr().out


def test_a_vm_has_its_settings_and_the_migration_that_somebody_would_start(capsys):
    assert run(["explain", "--vm", "prod/db", "--as", "alice", *WORLD]) == 1
    printed = capsys.readouterr().out
    assert printed.startswith("Migration settings of VM prod/db\n")
    assert "MigrationPolicy fast-lane applies: it selects it by label example.com/migration=fast of the VM." in printed
    assert "fact migration.allowPostCopy = true, set by MigrationPolicy fast-lane" in printed
    assert "DENIED by critical-vm-no-post-copy" in printed


def test_a_refusal_of_a_person_by_name_alone_names_the_groups_that_would_do(capsys):
    assert run(["explain", "--vm", "prod/web", "--as", "carol", *WORLD]) == 1
    assert "(those with the right to migrate in namespace prod: platform-team)." in capsys.readouterr().out


def test_a_vm_alone_has_its_settings(capsys):
    assert run(["explain", "--vm", "prod/web", *WORLD]) == 0
    assert "Nobody is named who would migrate it (--as USER), so no policy was judged." in capsys.readouterr().out


def test_only_one_policy_and_one_phase_can_be_looked_at(capsys):
    arguments = ["--vm", "prod/db", "--as", "bob", "--policy", "freeze-window", "--phase", "validate"]
    assert run(["explain", *arguments, *WORLD]) == 0
    printed = capsys.readouterr().out
    assert "ok    freeze-window" in printed
    assert "critical-vm-no-post-copy" not in printed
    assert "== mutate" not in printed


def test_policies_for_other_requests_are_named_on_demand(capsys):
    arguments = ["explain", "--vm", "prod/web", "--as", "alice", *WORLD]
    run(arguments)
    assert "drain-taint-key" not in capsys.readouterr().out
    run([*arguments, "--all"])
    assert "drain-taint-key: no resource rule covers CREATE" in capsys.readouterr().out


@pytest.mark.parametrize("form", ["json", "yaml"])
def test_programs_get_the_same_in_json_and_yaml(small, capsys, tmp_path, form):
    path = tmp_path / "review"
    path.write_bytes(body("forbidden"))
    assert run(["explain", "-f", str(path), "-o", form, *small]) == 1
    printed = capsys.readouterr().out
    told = json.loads(printed) if form == "json" else yaml.safe_load(printed)
    assert told["refusedBy"] == ["no-forbidden-names"]
    assert "&id" not in printed
    (policy,) = told["phases"][1]["policies"]
    assert policy["validations"][0]["message"] == "this name is forbidden"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param([], "say what to explain", id="nothing"),
        pytest.param(["-f", "x", "--vm", "prod/db"], "say what to explain", id="both"),
        pytest.param(["-f", "none.yaml"], "none.yaml: cannot be read", id="no-file"),
        pytest.param(["-f", "x", "--as", "alice"], "--as goes with --vm", id="who-asks-twice"),
        pytest.param(["--vm", "prod/dbb"], "there is no VM prod/dbb", id="no-such-vm"),
        pytest.param(["--vm", "db"], "'db' does not name a VM (write NAMESPACE/NAME)", id="no-namespace"),
        pytest.param(
            ["--vm", "prod/db", "--policy", "freeze-windw"],
            "there is no policy 'freeze-windw' (did you mean 'freeze-window'?)",
            id="no-such-policy",
        ),
    ],
)
def test_wrong_use_is_told_in_one_line(capsys, arguments, says):
    assert run(["explain", *arguments, *WORLD]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_the_help_has_examples_and_exit_codes(capsys):
    assert run(["explain", "--help"]) == 0
    printed = capsys.readouterr().out
    assert "    migguard explain -f review.yaml --policies policies --cluster examples/cluster" in printed
    assert "Exit code: 0 allowed, 1 denied, 2 wrong use or input, 3 an error." in printed
