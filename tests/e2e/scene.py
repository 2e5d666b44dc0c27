"""Where a story happens: a namespace of its own, its people, its VMs, and the cluster's migration configuration."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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
    vmim,
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

    def vms(self, names: Sequence[str], *, access_mode: str, labels: dict[str, str]) -> None:
        """Create many running VMs at once, and wait until migguard knows the last one."""
        claims = [pvc(f"{name}-data", access_mode) for name in names]
        self.admin.must("create", "-f", "-", manifest=self.listed(claims))
        running = [vmi(name, claim=f"{name}-data", access_mode=access_mode, labels=labels) for name in names]
        self.admin.must("create", "-f", "-", manifest=self.listed(running))

    @staticmethod
    def listed(objects: Sequence[Object]) -> Object:
        """One List of these objects, which kubectl creates one by one."""
        return {"apiVersion": "v1", "kind": "List", "items": list(objects)}

    @contextmanager
    def nodes(self, *nodes: Object) -> Iterator[None]:
        """While the block runs, the cluster has these nodes, ready for work."""
        for each in nodes:
            self.admin.must("create", "-f", "-", manifest=each)
            name = each["metadata"]["name"]
            # The API server's own admission taints a new node until its controller says that it is ready.
            self.admin.must("patch", "node", name, "--type=merge", "-p", '{"spec":{"taints":null}}')
            status = json.dumps({"status": each["status"]})
            self.admin.must("patch", "node", name, "--subresource=status", "--type=merge", "-p", status)
        try:
            yield
        finally:
            self.admin.must("delete", "node", *(each["metadata"]["name"] for each in nodes))

    def owner(self, name: str) -> Kubectl:
        """kubectl as somebody who may relabel this namespace."""
        role = f"owner-of-{self.namespace}"
        resources = "--resource=namespaces,namespaces/status,namespaces/finalize"
        rights = ("--verb=get,update,patch", resources, f"--resource-name={self.namespace}")
        self.admin.must("create", "clusterrole", role, *rights)
        self.admin.must("create", "clusterrolebinding", role, f"--clusterrole={role}", f"--user={name}")
        owner = self.person(name)
        question = ("auth", "can-i", "update", f"namespaces/{self.namespace}")
        until(lambda: owner(*question).ok, seconds=_SYNC_SECONDS, what=f"{name} may relabel {self.namespace}")
        return owner

    def records_of_vmims(self, **wanted: str) -> list[dict[str, Any]]:
        """The records of migrations created in this namespace, with these values (``path="validate"``)."""
        records = self.webhook.records(namespace=self.namespace, operation="CREATE")
        created = [each for each in records if each["input"]["request"]["kind"]["kind"].endswith("Migration")]
        return [each for each in created if wanted.items() <= each.items()]

    def wait_until(self, holds: Callable[[], bool]) -> None:
        """Wait until migguard has seen what the objects of this story make true."""
        until(holds, seconds=_SYNC_SECONDS, what="migguard has seen it")

    def wait_until_finished(self, name: str) -> None:
        """Wait until migguard has seen that a migration has ended, so that its VM may be asked to migrate again."""
        asked = vmim("is-it-over", self.admin.read("vmim", name)["spec"]["vmiName"])
        ask = ("create", "-f", "-", "--dry-run=server")
        self.wait_until(lambda: f"{self.namespace}/{name}" not in self.admin(*ask, manifest=asked).stderr)

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
