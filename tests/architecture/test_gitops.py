"""The sample repository works as its README says: base taken, linted, tested, packed, and reviewed by its CI script."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.support.kubectl import KUBECTL
from webhook.admission.natives import CATALOG
from webhook.cli.main import run
from webhook.policy.policyset import load

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "examples" / "gitops"
BASE = ("migration-limits", "network-budget", "parallelism-ceiling", "vm-volumes-migratable")
"""A release of few policies, which are those that the overlays speak of."""
ENVIRONMENTS = ("dev", "prod")
NOW = "2026-11-24T00:00:00Z"
"""Within the time of the sample's exemption."""


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample with a base, as a Git repository with one commit on its main branch."""
    top = tmp_path_factory.mktemp("gitops")
    release = top / "release"
    for name in BASE:
        shutil.copytree(ROOT / "policies" / name, release / name)
    here = top / "repository"
    shutil.copytree(SAMPLE, here, symlinks=False)
    shutil.copytree(ROOT / "examples" / "cluster", here / "snapshots" / "prod")
    subprocess.run([here / "ci" / "take-base.sh", release], check=True, capture_output=True)
    _git(here, "init", "--quiet", "--initial-branch=main")
    _commit(here, "begin")
    return here


def _git(here: Path, *arguments: str) -> None:
    identity = ["-c", "user.name=somebody", "-c", "user.email=somebody@example.com"]
    subprocess.run(["git", *identity, *arguments], cwd=here, check=True, capture_output=True)


def _commit(here: Path, message: str) -> None:
    _git(here, "add", "--all")
    _git(here, "commit", "--quiet", "--message", message)


def _review(here: Path, environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    command = [str(here / "ci" / "review.sh"), "main", environment]
    return subprocess.run(
        command, env={**os.environ, "PATH": path}, capture_output=True, text=True, check=False, timeout=240
    )


@pytest.mark.parametrize("environment", ENVIRONMENTS)
def test_each_environment_is_one_policy_set_without_a_mistake(
    repository: Path, environment: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(repository)
    parts = ["base", "team", f"overlays/{environment}"]
    assert run(["lint", *parts, "--now", NOW, "--warn-exit-code", "1"]) == 0, capsys.readouterr().out
    names = {policy.name for policy in load([Path(part) for part in parts], CATALOG).policies}
    assert names == {*BASE, "vms-on-hold-stay"}


def test_bindings_say_where_a_policy_refuses(repository: Path) -> None:
    loaded = load([repository / part for part in ("base", "team", "overlays/prod")], CATALOG)
    actions = {one.binding_name: sorted(map(str, one.actions)) for one in loaded.policies if one.binding}
    assert actions == {"hold-deny-in-production": ["Deny"], "hold-warn-elsewhere": ["Audit", "Warn"]}


@pytest.mark.parametrize("folder", ["base", "team", *(f"overlays/{name}" for name in ENVIRONMENTS)])
def test_every_file_of_a_folder_is_in_its_config_map(repository: Path, folder: str) -> None:
    built = subprocess.run(
        [KUBECTL, "kustomize", repository / folder], check=True, capture_output=True, text=True, timeout=60
    )
    packed = yaml.safe_load(built.stdout)
    files = [path for path in (repository / folder).rglob("*.yaml") if "tests" not in path.parts]
    texts = sorted(path.read_text("utf-8") for path in files if path.name != "kustomization.yaml")
    assert sorted(packed["data"].values()) == texts
    assert packed["kind"] == "ConfigMap"
    assert packed["metadata"]["name"].startswith("migguard-policies-")
    assert len(built.stdout) < 1 << 20


def test_what_kustomize_packs_of_all_built_in_policies_fits_into_a_config_map() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "policies").glob("*/policy.yaml")) < 700_000


def test_a_review_of_a_harmless_change_lets_it_be_merged_and_says_what_it_does(repository: Path) -> None:
    _git(repository, "checkout", "--quiet", "-B", "stricter", "main")
    parameters = repository / "overlays/prod/parameters.yaml"
    text = parameters.read_text("utf-8")
    parameters.write_text(text.replace("Cluster: 10", "Cluster: 8"), "utf-8")
    _commit(repository, "stricter")
    done = _review(repository, "prod")
    assert done.returncode == 0, done.stdout + done.stderr
    sections = [line.removeprefix("## ") for line in done.stdout.splitlines() if line.startswith("## ")]
    assert sections == [
        "Mistakes",
        "Tests",
        "Tests of the base",
        "What Git applies",
        "What it changes for running VMs",
        "What changes in the policies",
    ]
    assert "maxParallelMigrationsPerCluster" in done.stdout
    assert "argocd-application-controller" in done.stdout
    assert done.stderr == ""


def test_a_review_of_a_harmful_change_does_not(repository: Path) -> None:
    _git(repository, "checkout", "--quiet", "-B", "broken", "main")
    policy = repository / "team/vms-on-hold-stay/policy.yaml"
    policy.write_text(policy.read_text("utf-8").replace("!(params", "(params"), "utf-8")
    manifest = repository / "cluster/hyperconverged.yaml"
    manifest.write_text(manifest.read_text("utf-8").replace("Cluster: 5", "Cluster: 50"), "utf-8")
    _commit(repository, "broken")
    done = _review(repository, "prod")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "a VM on hold stays" in done.stdout
    assert "parallelism-ceiling" in done.stdout


def test_a_change_that_does_not_load_is_not_merged_either(repository: Path) -> None:
    _git(repository, "checkout", "--quiet", "-B", "unreadable", "main")
    binding = repository / "overlays/dev/bindings.yaml"
    binding.write_text(binding.read_text("utf-8").replace("vm-volumes-migratable", "vm-volumes"), "utf-8")
    _commit(repository, "unreadable")
    done = _review(repository, "dev")
    assert done.returncode in {1, 2}
    assert "no GuardPolicy 'vm-volumes'" in done.stdout


@pytest.mark.parametrize("file", ["ci/github.yaml", "ci/gitlab.yaml", "delivery/argocd.yaml", "delivery/flux.yaml"])
def test_the_recipes_are_yaml_and_name_what_is_there(file: str) -> None:
    text = (SAMPLE / file).read_text("utf-8")
    assert list(yaml.safe_load_all(text))
    for name in re.findall(r"(?:ci|overlays|delivery)/[\w./-]+\w", text):
        assert (SAMPLE / name).exists(), name


def test_a_base_that_is_too_large_for_an_annotation_is_applied_by_the_server() -> None:
    assert "ServerSideApply=true" in (SAMPLE / "delivery/argocd.yaml").read_text("utf-8")


def test_a_comment_fits_however_much_there_is_to_say(repository: Path) -> None:
    _git(repository, "checkout", "--quiet", "-B", "reworded", "main")
    for policy in (repository / "base").glob("*/policy.yaml"):
        policy.write_text(re.sub(r"\bVM\b", "machine", policy.read_text("utf-8")), "utf-8")
    _commit(repository, "reworded")
    done = _review(repository, "prod")
    assert done.returncode == 1
    assert "Cut here" in done.stdout
    assert done.stdout.count("<details>") == done.stdout.count("</details>")
    assert len(done.stdout) < 65_536
    assert len(done.stderr) > 9_000


def test_a_comment_replaces_the_one_with_the_same_mark(tmp_path: Path) -> None:
    calls = tmp_path / "calls"
    program = tmp_path / "gh"
    program.write_text(f'#!/bin/bash\necho "$MARK|$*" >> {calls}\n[[ $* == *--jq* ]] && echo "$FOUND"\nexit 0\n')
    program.chmod(0o755)
    comment = tmp_path / "comment.md"
    comment.write_text("<!-- migguard prod -->\n## Mistakes\n")
    for found in ("", "17"):
        environment = {
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "GITHUB_REPOSITORY": "a/b",
            "FOUND": found,
        }
        command = [str(SAMPLE / "ci" / "comment.sh"), str(comment), "5"]
        subprocess.run(command, env=environment, check=True, capture_output=True)
    lookup, post, _, patch = calls.read_text().splitlines()
    assert lookup.startswith("<!-- migguard prod -->|api --paginate repos/a/b/issues/5/comments")
    assert "--method POST repos/a/b/issues/5/comments" in post
    assert "--method PATCH repos/a/b/issues/comments/17" in patch
