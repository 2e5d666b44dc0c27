"""``migguard check``: the manifests of a Git repository, judged before they are applied."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from pathlib import Path

import jsonschema
import pytest
import xmlschema
import yaml

from tests.support.reviews import small_world
from webhook.cli.main import run

MOVE = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachineInstanceMigration
metadata:
  name: {name}
  namespace: prod
spec: {{vmiName: db}}
"""


@pytest.fixture(name="repository")
def git_repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A working directory with policies, a cluster's manifests, and one manifest that passes and one that does not."""
    small_world(tmp_path)
    apps = tmp_path / "apps"
    apps.mkdir()
    (apps / "good.yaml").write_text(MOVE.format(name="move"))
    (apps / "bad.yaml").write_text(MOVE.format(name="forbidden"))
    monkeypatch.chdir(tmp_path)
    return ["check", "--policies", "policies"]


def test_a_repository_is_judged_and_the_worst_decides(
    repository: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert run([*repository, "-f", "apps", "--cluster", "cluster", "--as", "alice"]) == 1
    assert capsys.readouterr().out.splitlines() == [
        "LEVEL    PLACE              OBJECT                                          RULE",
        "error    apps/bad.yaml:1:1  VirtualMachineInstanceMigration prod/forbidden  no-forbidden-names",
        "    this name is forbidden",
        "    take another name",
        "",
        "applied by: alice",
        "operation: CREATE or UPDATE, as the cluster has it",
        "cluster: cluster",
        "1 error (2 examined, 1 failed)",
    ]


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        pytest.param(["-f", "apps/good.yaml", "--no-cluster"], 0, id="what-passes"),
        pytest.param(["-f", "apps/bad.yaml", "--no-cluster"], 1, id="what-does-not"),
        pytest.param(["-f", "apps/bad.yaml", "--no-cluster", "--operation", "DELETE"], 0, id="another-operation"),
        pytest.param(["-f", "apps/bad.yaml", "--no-cluster", "--policy", "no-forbidden-names"], 1, id="one-policy"),
        pytest.param(["-f", "apps/bad.yaml", "--no-cluster", "--policy", "nothing"], 2, id="an-unknown-policy"),
        pytest.param(["-f", "apps", "-f", "missing", "--no-cluster"], 2, id="a-missing-path-outweighs"),
        pytest.param(["-f", "apps", "--no-cluster", "--cluster", "cluster"], 2, id="a-cluster-and-none"),
        pytest.param(["-f", "apps", "--no-cluster", "--operation", "UPDATE"], 2, id="an-update-of-the-unknown"),
        pytest.param(["--no-cluster"], 2, id="nothing-to-judge"),
        pytest.param(["-f", "apps", "--kubeconfig", "missing"], 2, id="no-such-kubeconfig"),
    ],
)
def test_the_exit_code_says_how_it_ended(repository: list[str], arguments: list[str], code: int) -> None:
    assert run([*repository, *arguments]) == code


def test_warnings_exit_with_the_code_that_is_asked_for(repository: list[str]) -> None:
    file = Path("policies/policy.yaml")
    file.write_text(file.read_text() + "  validationActions: [Warn]\n")
    assert run([*repository, "-f", "apps", "--no-cluster"]) == 0
    assert run([*repository, "-f", "apps", "--no-cluster", "--warn-exit-code", "4"]) == 4


def test_what_cannot_be_read_is_told_all_at_once_and_the_rest_is_judged(
    repository: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    Path("apps/broken.yaml").write_text("a: [1\n")
    Path("apps/twice.yaml").write_text("a: 1\na: 2\n")
    assert run([*repository, "-f", "apps", "--no-cluster"]) == 2
    printed = capsys.readouterr()
    assert "this name is forbidden" in printed.out
    broken, twice = printed.err.splitlines()
    assert broken.startswith("migguard: apps/broken.yaml:2:1: not valid YAML: did not find expected ',' or ']'")
    assert twice == "migguard: apps/twice.yaml:2:1: the key 'a' is there twice (remove one of them)"


def test_standard_input_is_judged_as_kustomize_writes_it(
    repository: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    stream = f"{MOVE.format(name='move')}---\n{MOVE.format(name='forbidden')}"
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(stream.encode())))
    assert run([*repository, "-f", "-", "--no-cluster", "-o", "github"]) == 1
    assert capsys.readouterr().out.startswith("::error file=standard input,line=8,col=1,title=no-forbidden-names%3A")


def test_a_kustomize_that_failed_before_the_pipe_is_not_green(
    repository: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO()))
    assert run([*repository, "-f", "-", "--no-cluster"]) == 2
    assert capsys.readouterr().err == (
        "migguard: standard input: holds no document (see whether the command before the pipe failed)\n"
    )


def test_without_any_cluster_the_way_out_is_told(
    repository: list[str], capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.delenv("KUBECONFIG", raising=False)
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert run([*repository, "-f", "apps"]) == 2
    assert "or judge by the manifests alone with --no-cluster" in capsys.readouterr().err


def test_every_form_is_what_its_readers_expect(
    repository: list[str], capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    schemas = request.config.rootpath / "tests/support/schemas"

    def written(form: str) -> str:
        assert run([*repository, "-f", "apps", "--cluster", "cluster", "-o", form]) == 1
        return capsys.readouterr().out

    assert json.loads(written("json")) == yaml.safe_load(written("yaml"))
    jsonschema.validate(json.loads(written("sarif")), json.loads((schemas / "sarif-2.1.0.json").read_text()))
    xmlschema.XMLSchema(str(schemas / "junit-10.xsd")).validate(written("junit"))
    assert "| no-forbidden-names |" in written("markdown")


def test_nothing_that_speaks_to_a_cluster_is_imported(repository: list[str]) -> None:
    code = (
        "import sys; from webhook.cli.main import run; "
        f"code = run({[*repository, '-f', 'apps', '--no-cluster', '-o', 'json']!r}); "
        "assert code == 1, code; assert not {'kubernetes', 'flask', 'gunicorn'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
