"""The README's terminal session is what really happens: its commands are run, and must print what it shows."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.e2e.objects import pvc, vmi, vmim
from tests.e2e.scene import Scene
from tests.support.controlplane import ControlPlane
from tests.support.kubectl import KUBECTL
from tests.support.webhook import ROOT, Webhook

NAMESPACE = "prod"
FIRST = "$ kubectl create -f vmim.yaml --as alice"
_BLOCK = re.compile(r"^```\w*\n(" + re.escape(FIRST) + r"\n.*?)^```$", re.DOTALL | re.MULTILINE)
_DECISION = re.compile(r"\(decision [^)]+\)")
DEFAULT = f"""\
{FIRST}
$ kubectl create rolebinding alice-migrates --clusterrole=kubevirt.io:migrate --user=alice
{FIRST}
"""
"""The session that is shown where the README has none yet."""


@pytest.fixture
def prod(control_plane: ControlPlane, webhook: Webhook) -> Iterator[Scene]:
    """The README's scene: alice administers the namespace prod, through a role left over from the upgrade."""
    control_plane.kubectl.must("create", "namespace", NAMESPACE)
    scene = Scene(control_plane, webhook, NAMESPACE)
    scene.bind("admin", user="alice")
    scene.admin.must("create", "-f", "-", manifest=pvc("web-data", "ReadWriteMany"))
    web = vmi("web", claim="web-data", access_mode="ReadWriteMany", labels={})
    scene.admin.must("create", "-f", "-", manifest=web)
    yield scene
    scene.admin.must("delete", "virtualmachineinstances.kubevirt.io", "--all")


def test_the_readmes_terminal_session_is_what_happens(prod: Scene, tmp_path: Path) -> None:
    (tmp_path / "vmim.yaml").write_text(yaml.safe_dump(vmim("move-web", "web"), sort_keys=False))
    block = _BLOCK.search((ROOT / "README.md").read_text())
    shown = block.group(1) if block else DEFAULT
    commands = [line.removeprefix("$ ") for line in shown.splitlines() if line.startswith("$ ")]
    really = "".join(f"$ {command}\n{_run(command, prod, tmp_path)}" for command in commands)
    assert block is not None, f"README.md has no block that starts with '{FIRST}'; this is what happens:\n\n{really}"
    assert _DECISION.sub("(decision …)", shown) == _DECISION.sub("(decision …)", really)


def _run(command: str, scene: Scene, folder: Path) -> str:
    """Run one line of the session as its reader would: in a shell, with the namespace as the context's default."""
    kubeconfig = yaml.safe_load(scene.plane.kubeconfig.read_text())
    kubeconfig["contexts"][0]["context"]["namespace"] = NAMESPACE
    path = folder / "kubeconfig"
    path.write_text(yaml.safe_dump(kubeconfig))
    environment = {
        **os.environ,
        "KUBECONFIG": str(path),
        "KUBERC": "off",
        "KUBECACHEDIR": str(folder / "cache"),
        "PATH": f"{KUBECTL.parent}:{os.environ['PATH']}",
    }
    done = subprocess.run(
        ["bash", "-c", command],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    return done.stdout
