"""A small world for tests of the server and the command: one policy, one namespace, and reviews to post."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

POLICY = """\
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata:
  name: no-forbidden-names
spec:
  matchConstraints:
    resourceRules:
      - apiGroups: [kubevirt.io]
        apiVersions: ["*"]
        resources: [virtualmachineinstancemigrations]
        operations: [CREATE, UPDATE]
  validations:
    - expression: object.metadata.name != 'forbidden'
      message: this name is forbidden
      remediation: take another name
"""

NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: prod
"""


def small_world(folder: Path) -> tuple[Path, Path]:
    """Write a policy directory and a directory of manifests; return both."""
    policies, cluster = folder / "policies", folder / "cluster"
    policies.mkdir(parents=True)
    cluster.mkdir()
    (policies / "policy.yaml").write_text(POLICY)
    (cluster / "namespace.yaml").write_text(NAMESPACE)
    return policies, cluster


def review(name: str = "move", **request: Any) -> dict[str, Any]:
    """An AdmissionReview of alice creating a VirtualMachineInstanceMigration; denied if its name is ``forbidden``."""
    return {
        "apiVersion": "admission.k8s.io/v1",
        "kind": "AdmissionReview",
        "request": {
            "uid": "705ab4f5-6393-11e8-b7cc-42010a800002",
            "kind": {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachineInstanceMigration"},
            "resource": {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachineinstancemigrations"},
            "operation": "CREATE",
            "namespace": "prod",
            "name": name,
            "userInfo": {"username": "alice", "groups": ["system:authenticated"]},
            "object": {
                "apiVersion": "kubevirt.io/v1",
                "kind": "VirtualMachineInstanceMigration",
                "metadata": {"name": name, "namespace": "prod"},
                "spec": {"vmiName": "db"},
            },
            **request,
        },
    }


def body(name: str = "move", **request: Any) -> bytes:
    """The same as the bytes that the API server would post."""
    return json.dumps(review(name, **request)).encode()
