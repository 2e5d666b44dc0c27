"""Where a story happens: a namespace of its own, its people, its VMs, and the cluster's migration configuration."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from tests.e2e.objects import (
    HCO_NAME,
    INSTALL_NAMESPACE,
    KUBEVIRT_NAME,
    SAFE,
    Object,
    hyperconverged,
    kubevirt,
    pvc,
    vmi,
)
from tests.support.controlplane import ControlPlane
from tests.support.kubectl import Answer, Kubectl
from tests.support.process import until
from tests.support.webhook import Webhook

_DENIED = re.compile(r'admission webhook "[a-z.]+\.migguard\.io" denied the request: (.*)', re.DOTALL)
_SYNC_SECONDS = 15
"""How long a change may take to reach migguard's caches; it is milliseconds unless the machine is busy."""


def refused(answer: Answer) -> str:
    """Return what migguard gave as the reason; AssertionError unless kubectl failed by migguard's refusal."""
    found = _DENIED.search(answer.stderr)
    assert found is not None, f"not refused by migguard: exit {answer.code}\n{answer.stdout}{answer.stderr}"
    assert not answer.ok
    return found.group(1)


def allowed(answer: Answer) -> str:
    """Return kubectl's stdout; AssertionError unless it succeeded."""
    assert answer.ok, f"kubectl exited {answer.code}:\n{answer.stderr}"
    return answer.stdout


@dataclass(frozen=True, slots=True)
class Scene:
    """A namespace of its own for one test."""

    plane: ControlPlane
    webhook: Webhook
    namespace: str

    @property
    def admin(self) -> Kubectl:
        """kubectl as a cluster admin, in this namespace."""
        return self.plane.kubectl.within(self.namespace)

    def person(self, name: str, *groups: str) -> Kubectl:
        """kubectl as this person, in this namespace."""
        return self.admin.as_user(name, *groups)

    def controller(self, name: str, namespace: str = INSTALL_NAMESPACE) -> Kubectl:
        """kubectl as a controller's service account, in this namespace."""
        return self.admin.as_service_account(namespace, name)

    def bind(self, role: str, **subject: str) -> None:
        """``kubectl create rolebinding`` in this namespace: ``bind("admin", user="bob")``."""
        (kind, name), *_ = subject.items()
        binding = re.sub(r"[^a-z0-9]+", "-", f"{role}-{name}")
        self.admin.must("create", "rolebinding", binding, f"--clusterrole={role}", f"--{kind}={name}")
        self.wait_for_right(role, kind, name)

    def wait_for_right(self, role: str, kind: str, name: str) -> None:
        """Wait until the API server's own authorizer has seen a binding, which is not migguard's to speed up."""
        who = {
            "user": ["--as", name],
            "group": ["--as", "anyone", "--as-group", name],
            "serviceaccount": ["--as", f"system:serviceaccount:{name}"],
        }[kind]
        verb = "get" if role in {"view", "edit"} else "create"
        question = ("auth", "can-i", verb, "virtualmachineinstancemigrations.kubevirt.io", *who)
        until(lambda: self.admin(*question).ok, seconds=_SYNC_SECONDS, what=f"the API server knows that {name} may")

    def vm(self, name: str, *, access_mode: str = "ReadWriteMany", labels: dict[str, str] | None = None) -> str:
        """Create a running VM with one disk ``data`` on the claim ``NAME-data``; return its name."""
        claim = f"{name}-data"
        self.admin.must("create", "-f", "-", manifest=pvc(claim, access_mode))
        running = vmi(name, claim=claim, access_mode=access_mode, labels=labels or {})
        self.admin.must("create", "-f", "-", manifest=running)
        return name

    def exists(self, kind: str, name: str) -> bool:
        """Whether the API server holds the object."""
        return self.admin("get", kind, name).ok

    def wait_until_refused(self, kubectl: Kubectl, *arguments: str, manifest: Object | None = None) -> None:
        """Wait until migguard has seen what makes it refuse this, by asking with ``--dry-run=server``."""
        dry = (*arguments, "--dry-run=server")
        until(
            lambda: "denied the request" in kubectl(*dry, manifest=manifest).stderr,
            seconds=_SYNC_SECONDS,
            what=f"migguard refuses kubectl {' '.join(arguments)}",
        )

    def wait_until_allowed(self, kubectl: Kubectl, *arguments: str, manifest: Object | None = None) -> None:
        """Wait until this is allowed, by asking with ``--dry-run=server``."""
        dry = (*arguments, "--dry-run=server")
        until(
            lambda: kubectl(*dry, manifest=manifest).ok,
            seconds=_SYNC_SECONDS,
            what=f"kubectl {' '.join(arguments)} is allowed",
        )


@dataclass(frozen=True, slots=True)
class Configuration:
    """The cluster's HyperConverged, and the KubeVirt CR as the HCO operator would render it."""

    scene: Scene

    @property
    def admin(self) -> Kubectl:
        """kubectl as a cluster admin, in the install namespace."""
        return self.scene.admin.within(INSTALL_NAMESPACE)

    def patch_hco(self, settings: Object, *flags: str, version: str = "v1beta1") -> Answer:
        """A cluster admin edits the migration configuration of the HyperConverged."""
        config: Object = {"liveMigrationConfig": settings}
        spec = {"virtualization": config} if version == "v1" else config
        return self._patch(f"hyperconvergeds.{version}.hco.kubevirt.io", HCO_NAME, {"spec": spec}, *flags)

    def annotate_hco(self, operations: list[Object] | None, *flags: str) -> Answer:
        """A cluster admin sets (or with None removes) HCO's jsonpatch annotation."""
        text = None if operations is None else json.dumps(operations)
        metadata = {"metadata": {"annotations": {"kubevirt.kubevirt.io/jsonpatch": text}}}
        return self._patch("hyperconvergeds.v1beta1.hco.kubevirt.io", HCO_NAME, metadata, *flags)

    def patch_kubevirt(self, settings: Object, *flags: str, version: str = "v1") -> Answer:
        """A cluster admin edits the KubeVirt CR directly."""
        spec = {"spec": {"configuration": {"migrations": settings}}}
        return self._patch(f"kubevirts.{version}.kubevirt.io", KUBEVIRT_NAME, spec, *flags)

    def render(self, settings: Object) -> None:
        """Write the KubeVirt CR as the HCO operator's reconcile does."""
        operator = self.admin.as_service_account(INSTALL_NAMESPACE, "hyperconverged-cluster-operator")
        spec = json.dumps({"spec": {"configuration": {"migrations": settings}}})
        operator.must("patch", "kubevirts.v1.kubevirt.io", KUBEVIRT_NAME, "--type=merge", "-p", spec)

    def stored_hco(self, version: str = "v1beta1") -> dict[str, Any]:
        """The migration configuration that the API server holds."""
        spec = self.admin.read(f"hyperconvergeds.{version}.hco.kubevirt.io", HCO_NAME)["spec"]
        found = (spec["virtualization"] if version == "v1" else spec)["liveMigrationConfig"]
        assert isinstance(found, dict)
        return found

    def stored_kubevirt(self) -> dict[str, Any]:
        """The migration configuration of the KubeVirt CR that the API server holds."""
        found = self.admin.read("kubevirts.v1.kubevirt.io", KUBEVIRT_NAME)["spec"]["configuration"]["migrations"]
        assert isinstance(found, dict)
        return found

    def create(self) -> None:
        """Create both with the safe configuration."""
        self.admin.must("create", "-f", "-", manifest=hyperconverged(SAFE))
        self.admin.must("create", "-f", "-", manifest=kubevirt(SAFE))

    def restore(self) -> None:
        """Bring both back to the safe configuration, whatever a test made of them."""
        self.scene.admin.must("delete", "migrationpolicies", "--all")
        allowed(self.annotate_hco(None))
        allowed(self.patch_hco(SAFE))
        unset = dict.fromkeys(self.stored_kubevirt().keys() - SAFE.keys())
        allowed(self.patch_kubevirt(SAFE | unset))

    def _patch(self, resource: str, name: str, patch: Object, *flags: str) -> Answer:
        return self.admin("patch", resource, name, "--type=merge", "-p", json.dumps(patch), *flags)
