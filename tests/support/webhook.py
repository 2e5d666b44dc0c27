"""migguard as its users run it: the ``migguard serve`` command as a process, registered with a real kube-apiserver."""

from __future__ import annotations

import base64
import json
import shutil
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from string import Template
from typing import Any

from tests.support.controlplane import ControlPlane
from tests.support.kubectl import Kubectl
from tests.support.process import Process, ProcessError, free_port, until

ROOT = Path(__file__).parents[2]
REGISTRATION = ROOT / "examples" / "webhook-configuration.yaml"
EVICTION_GUARD = ROOT / "examples" / "eviction-guard.yaml"
KUBEVIRT_NAMESPACE = "kubevirt-hyperconverged"
"""Where KubeVirt is installed in the tests' cluster."""
_MIGGUARD = Path(sys.executable).with_name("migguard")
_GROUPS = ("system:serviceaccounts", "system:serviceaccounts:migguard")

_RELOADED = "policies reloaded"

_PROBE = """\
apiVersion: kubevirt.io/v1
kind: VirtualMachineInstanceMigration
metadata: {name: registration-probe, namespace: default}
spec: {vmiName: none}
"""


class Webhook:
    """One migguard: its policies (a copy that tests may edit), its audit log and its process on fixed ports."""

    def __init__(self, plane: ControlPlane, folder: Path) -> None:
        self.policies = folder / "policies"
        self.audit_log = folder / "audit.jsonl"
        self._plane = plane
        self._state = folder / "state"
        self._readiness = ""
        self._listen, self._health = f"127.0.0.1:{free_port()}", f"127.0.0.1:{free_port()}"
        shutil.copytree(ROOT / "policies", self.policies)
        command: list[str | Path] = [_MIGGUARD, "serve", "--policies", self.policies]
        command += ["--kubeconfig", plane.kubeconfig_for("system:serviceaccount:migguard:migguard", _GROUPS)]
        command += ["--listen", self._listen, "--health-listen", self._health]
        command += ["--audit-log", self.audit_log, "--state-dir", self._state, "--log-format", "text"]
        self._process = Process("migguard", command, log=folder / "migguard.log")

    @property
    def log(self) -> str:
        """All it has logged so far."""
        return self._process.log.read_text()

    def start(self) -> None:
        """Start it and wait until it is ready: policies loaded, caches synced."""
        try:
            self._process.start(self.ready, seconds=60)
        except ProcessError as error:
            raise ProcessError(f"{error}\n/readyz said: {self._readiness}") from None

    def stop(self) -> None:
        """End it as a rollout would: SIGTERM, and wait."""
        self._process.stop(seconds=40)

    def kill(self) -> None:
        """End it as a crash would, and wait until its workers have noticed."""
        self._process.kill()
        until(lambda: self.get("/healthz")[0] == 0, seconds=20, what="the workers end after the crash")

    @contextmanager
    def paused(self) -> Iterator[None]:
        """Stop its clock while the block runs: connections are accepted and nothing answers."""
        with self._process.paused():
            yield

    def ready(self) -> bool:
        """Whether ``/readyz`` answers 200."""
        code, self._readiness = self.get("/readyz")
        return code == 200

    @contextmanager
    def edited(self, path: str, text: str) -> Iterator[None]:
        """While the block runs, a file below ``policies`` has this text, and migguard has loaded it."""
        file = self.policies / path
        before = file.read_text() if file.exists() else None
        self.edit(path, text)
        try:
            yield
        finally:
            self.edit(path, before)

    def edit(self, path: str, text: str | None) -> None:
        """Give a file below ``policies`` this text, or with None delete it, and wait until migguard has loaded it."""
        file = self.policies / path
        reloads = self.log.count(_RELOADED)
        if text is None:
            file.unlink()
        else:
            file.parent.mkdir(exist_ok=True)
            scratch = self._state / "edited"  # renamed into place, so that nobody reads half a file
            scratch.write_text(text)
            scratch.replace(file)
        until(lambda: self.log.count(_RELOADED) > reloads, seconds=20, what=f"migguard loads {file}")

    def get(self, path: str) -> tuple[int, str]:
        """GET a path of the health listener; status 0 where nobody answers."""
        try:
            with urllib.request.urlopen(f"http://{self._health}{path}", timeout=5) as answer:
                return int(answer.status), answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()
        except (urllib.error.URLError, OSError) as error:
            return 0, str(error)

    def register(self, registration: Path = REGISTRATION) -> None:
        """Tell the API server about it and wait until the API server asks."""
        ca_bundle = next(self._state.rglob("ca.crt")).read_bytes()
        values = {
            "MIGGUARD_URL": f"https://{self._listen}",
            "MIGGUARD_CA_BUNDLE": base64.b64encode(ca_bundle).decode(),
            "KUBEVIRT_NAMESPACE": KUBEVIRT_NAMESPACE,
        }
        manifest = Template(registration.read_text()).safe_substitute(values)
        self._plane.kubectl.must("apply", "-f", "-", manifest=manifest)
        until(self._asked, seconds=30, what="the API server asks migguard")

    def records(self, **wanted: str) -> list[dict[str, Any]]:
        """The records of its audit log whose request has these values (``namespace``, ``name``, ``operation``…)."""
        text = self.audit_log.read_text() if self.audit_log.exists() else ""
        records = [json.loads(line) for line in text.splitlines()]
        return [each for each in records if wanted.items() <= each["input"]["request"].items()]

    def tail(self) -> str:
        """The end of its log."""
        return self._process.tail()

    def _asked(self) -> bool:
        self._plane.kubectl("create", "--dry-run=server", "-f", "-", manifest=_PROBE)
        phases = {record["path"] for record in self.records(name="registration-probe")}
        return {"mutate", "validate"} <= phases


@contextmanager
def registered_webhook(plane: ControlPlane, folder: Path) -> Iterator[Webhook]:
    """A started migguard that the API server asks; ended and unregistered when the block is left."""
    webhook = Webhook(plane, folder)
    try:
        webhook.start()
        webhook.register()
        yield webhook
    finally:
        _unregister(plane.kubectl)
        webhook.stop()


def _unregister(kubectl: Kubectl) -> None:
    kinds = "validatingwebhookconfigurations,mutatingwebhookconfigurations"
    kubectl("delete", kinds, "migguard", "--ignore-not-found")
