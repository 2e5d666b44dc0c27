"""``migguard diff``: policies and manifests as people compare them."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.builders import CRITICAL, Json, hyperconverged, kubevirt, migration_policy, namespace, vmi
from tests.unit.impact.policydiffsets import policy
from webhook.cli.main import run

ROOT = Path(__file__).parents[3]


def store(path: Path, *documents: Json) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents))
    return str(path)


def git(folder: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=t", "-c", "user.email=t@example.com", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *identity, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture(name="here")
def a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two policy sets, a cluster of two VMs, and no kubeconfig."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    monkeypatch.setenv("KUBECONFIG", "")
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    store(tmp_path / "old" / "guard.yaml", policy())
    store(tmp_path / "new" / "guard.yaml", policy(validationActions=["Warn"]))
    store(
        tmp_path / "cluster" / "all.yaml",
        hyperconverged({"allowPostCopy": False}),
        kubevirt({"allowPostCopy": False}, namespace="openshift-cnv"),
        namespace(),
        vmi("db", labels=CRITICAL),
        vmi("web"),
    )
    return tmp_path


def test_sets_that_decide_otherwise_exit_with_1(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "old", "new"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "old -> new: 1 difference: 1 weaker",
        "",
        "WEAKER",
        "  GuardPolicy guard validationActions: Deny -> Warn  (no longer refuses)",
        "    new/guard.yaml:17:3",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["old", "old"], 0, id="the same"),
        pytest.param(["old", "new", "--exit-zero"], 0, id="differences that are no failure"),
        pytest.param(["old", "new", "-o", "json"], 1, id="in JSON too"),
        pytest.param(["--manifest", "cluster/all.yaml", "--cluster", "cluster"], 0, id="what is there already"),
        pytest.param(["--manifest", "fast.yaml", "--delete", "--cluster", "cluster"], 1, id="what is deleted"),
    ],
)
def test_the_exit_code_is_that_of_diff(here: Path, arguments: list[str], code: int) -> None:
    fast = migration_policy("fast", selectors={}, allowPostCopy=True)
    store(here / "fast.yaml", fast)
    if "--delete" in arguments:
        store(here / "cluster" / "fast.yaml", fast)
    assert run(["diff", *arguments]) == code


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        pytest.param(["old"], "two things are compared, and 1 is given", id="one set"),
        pytest.param(["old", "new", "old"], "two things are compared, and 3 are given", id="three sets"),
        pytest.param(["old", "nope"], "nope: no such file or directory", id="no such folder"),
        pytest.param(["old", "nope:new"], "the revision 'nope' cannot be read", id="no repository"),
        pytest.param(["old", "broken"], "broken/x.yaml:2:7: unknown kind 'GardPolicy'", id="a set that does not load"),
        pytest.param(["old", "new", "--tests"], "no PolicyTest was found", id="no tests"),
        pytest.param(["old", "--manifest", "x.yaml"], "OLD NEW means nothing where", id="a manifest and a set"),
        pytest.param(["old", "new", "--as", "bob"], "--as without a cluster means nothing", id="nobody to ask"),
        pytest.param(["old", "new", "--policies", "old"], "--policies means nothing where", id="policies of policies"),
        pytest.param(["cluster", "cluster", "--tests"], "--tests means nothing where", id="tests of manifests"),
        pytest.param(["old", "new", "--delete"], "--delete needs --manifest", id="nothing to delete"),
        pytest.param(["--manifest", "old", "--cluster", "cluster"], "holds nothing that decides", id="no manifest"),
        pytest.param(["--manifest", "cluster/all.yaml"], "there is no kubeconfig", id="no cluster"),
        pytest.param(["--manifest", "gone.yaml", "--cluster", "cluster"], "gone.yaml: no such file", id="no file"),
        pytest.param(["--manifest", "cluster", "--delete", "--cluster", "cluster"], "is no configuration", id="VMs"),
    ],
)
def test_wrong_use_exits_with_2_and_one_line(
    here: Path, capsys: pytest.CaptureFixture[str], arguments: list[str], message: str
) -> None:
    store(here / "broken" / "x.yaml", {**policy(), "kind": "GardPolicy"})
    assert run(["diff", *arguments]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert message in line


def test_revisions_are_compared_as_git_spells_them(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(here, "init", "-q", "-b", "main")
    shutil.copytree(here / "old", here / "policies")
    git(here, "add", "policies")
    git(here, "commit", "-q", "-m", "old")
    shutil.copytree(here / "new", here / "policies", dirs_exist_ok=True)
    git(here, "add", "policies")
    git(here, "commit", "-q", "-m", "new")
    outputs = []
    for arguments in (
        ["HEAD~1:policies", "main:policies"],
        ["--git", "HEAD~1..main"],
        ["--git", "main~1...main", "policies"],
    ):
        assert run(["diff", *arguments, "-o", "json"]) == 1
        outputs.append(json.loads(capsys.readouterr().out)["changes"])
    assert outputs[0] == outputs[1] == outputs[2]
    assert outputs[0][0]["where"] == "main:policies/guard.yaml:17:3"
    assert run(["diff", "--git", "HEAD"]) == 0
    assert run(["diff", "--git", "HEAD~1..main", "policies", "overlay-to-come"]) == 1
    assert run(["diff", "HEAD~1:policies", "policies"]) == 1


def test_what_a_partial_clone_lacks_is_not_said_to_be_added(
    here: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    origin = here / "origin"
    origin.mkdir()
    git(origin, "init", "-q", "-b", "main")
    git(origin, "config", "uploadpack.allowFilter", "true")
    for actions in (["Deny"], ["Warn"]):
        store(origin / "base" / "a.yaml", policy("a"))
        store(origin / "team" / "b.yaml", policy("b", validationActions=actions))
        git(origin, "add", ".")
        git(origin, "commit", "-q", "-m", "policies")
    git(here, "clone", "-q", "--no-local", "--no-checkout", "--filter=blob:none", str(origin), "clone")
    monkeypatch.chdir(here / "clone")
    assert run(["diff", "--git", "HEAD~1..HEAD", "base/a.yaml", "team/b.yaml"]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert "this is a partial clone" in line
    git(here / "clone", "fetch", "-q", "--refetch", "--no-filter")
    assert run(["diff", "--git", "HEAD~1..HEAD", "base/a.yaml", "team/b.yaml"]) == 1
    assert "GuardPolicy b validationActions: Deny -> Warn  (no longer refuses)" in capsys.readouterr().out


def test_a_file_of_a_revision_is_compared_with_the_one_on_disk(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    git(here, "init", "-q", "-b", "main")
    store(here / "hco.yaml", hyperconverged({"allowPostCopy": False}))
    git(here, "add", "hco.yaml")
    git(here, "commit", "-q", "-m", "old")
    store(here / "hco.yaml", hyperconverged({"allowPostCopy": True}))
    assert run(["diff", "main:hco.yaml", "hco.yaml", "--cluster", "cluster"]) == 1
    assert "changes 2 of 2 running VMs, 1 critical" in capsys.readouterr().out


def test_a_manifest_is_compared_with_the_cluster(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = store(here / "mp.yaml", migration_policy("fast", selectors={}, allowPostCopy=True))
    assert run(["diff", "--manifest", file, "--cluster", "cluster", "-o", "json"]) == 1
    content = json.loads(capsys.readouterr().out)
    assert [one["setting"] for one in content["settings"]] == ["allowPostCopy", "allowWorkloadDisruption"]
    assert run(["diff", "--manifest", file, "--cluster", "cluster", "-o", "markdown"]) == 1
    assert "| allowPostCopy | false (HyperConverged" in capsys.readouterr().out


def test_the_label_of_critical_vms_is_that_of_the_policies(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    spec = {"critical": {"label": "other/label", "value": "yes"}}
    store(
        here / "old" / "parameters.yaml",
        {"apiVersion": "migguard.io/v1alpha1", "kind": "Parameters", "metadata": {"name": "p"}, "spec": spec},
    )
    file = store(here / "hco.yaml", hyperconverged({"allowPostCopy": True}))
    assert run(["diff", "--manifest", file, "--cluster", "cluster", "--policies", "old"]) == 1
    assert "changes 2 of 2 running VMs, 0 critical" in capsys.readouterr().out


def test_with_tests_and_a_cluster_the_requests_are_told_too(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(ROOT / "policies" / "target-node-exists"), str(ROOT / "policies"), "--exit-zero"]) == 0
    assert "GuardPolicy vm-can-migrate is added" in capsys.readouterr().out
    strict = policy(validations=[{"expression": "vmi.critical", "message": "only critical VMs move"}])
    store(here / "old" / "guard.yaml", strict)
    store(here / "new" / "guard.yaml", {**strict, "spec": {**strict["spec"], "validationActions": ["Warn"]}})
    move = {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "move", "namespace": "prod"},
        "spec": {"vmiName": "web"},
    }
    store(
        here / "new" / "tests" / "moves.yaml",
        {
            "apiVersion": "migguard.io/v1alpha1",
            "kind": "PolicyTest",
            "metadata": {"name": "moves"},
            "spec": {
                "cluster": ["../../cluster"],
                "cases": [
                    {
                        "name": "a VM that is not critical",
                        "user": {"username": "bob"},
                        "operation": "CREATE",
                        "object": move,
                        "expect": {"allowed": True},
                    }
                ],
            },
        },
    )
    assert run(["diff", "old", "new", "--tests", "--cluster", "cluster"]) == 1
    shown = capsys.readouterr().out
    assert "1 of 1 cases of tests is judged otherwise" in shown
    assert "moves/a VM that is not critical  refused -> allowed  guard: deny -> warn" in shown
    assert "2 of 4 migrations of running VMs are judged otherwise" in shown
    assert "prod/web, for a drain of its node" in shown


def test_the_built_in_policies_do_not_differ_from_themselves(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", str(ROOT / "policies"), str(ROOT / "policies")]) == 0
    assert capsys.readouterr().out.rstrip().endswith(": no difference")


def test_neither_the_kubernetes_client_nor_a_web_server_is_needed() -> None:
    code = (
        "import sys; from webhook.cli.main import run; "
        "code = run(['diff', '--manifest', 'examples/cluster', '--cluster', 'examples/cluster']); "
        "assert code == 0; "
        "sys.exit(any(name in sys.modules for name in ('kubernetes', 'flask', 'gunicorn')))"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True, capture_output=True)


def test_help_has_examples_and_exit_codes(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["diff", "--help"]) == 0
    shown = capsys.readouterr().out
    assert "migguard diff main:policies policies --tests" in shown
    assert "Exit code: 0 no difference, 1 differences" in shown
