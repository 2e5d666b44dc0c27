"""Policies and a test of them, as the tests of ``migguard test`` write them to a directory."""

# ruff: noqa: E501 - a rule is one line

from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from webhook.offline.testing.run import CaseResult, run
from webhook.offline.testing.suite import suites

POLICIES = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: may-migrate}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachineinstancemigrations], operations: ["*"]}
  validations:
    - expression: requester.canMigrate
      messageExpression: "requester.username + ' may not'"
      translations: {ja: {messageExpression: "requester.username + ' は許可されていません'"}}
      reason: Invalid
  auditAnnotations:
    - {key: asked-by, valueExpression: requester.username}
---
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: priority}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachineinstancemigrations], operations: [CREATE]}
  paramSchema:
    properties: {priority: {type: string, default: normal}}
  mutations:
    - name: priority
      patchType: ApplyConfiguration
      expression: "{'metadata': {'labels': {'priority': object.metadata.?labels.?priority.orValue(params.priority)}}}"
      warning: the priority was set
  validations:
    - expression: object.metadata.?labels.?priority.orValue('none') != 'none'
      message: a migration needs a priority
    - expression: quantity(object.metadata.?labels.?size.orValue('1')).isLessThan(quantity('1Gi'))
      message: too large
---
apiVersion: migguard.io/v1alpha1
kind: Exemption
metadata: {name: until-new-year}
spec:
  policies: [may-migrate]
  subjects: [{kind: User, name: night-shift}]
  owner: operations
  reason: the rollout of the role takes until then
  ticket: OPS-1
  starts: 2026-11-01
  expires: 2027-01-01
"""

MIGRATION = {
    "apiVersion": "kubevirt.io/v1",
    "kind": "VirtualMachineInstanceMigration",
    "metadata": {"name": "move", "namespace": "prod"},
    "spec": {"vmiName": "db"},
}
BINDING = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "RoleBinding",
    "metadata": {"name": "movers", "namespace": "prod"},
    "roleRef": {"apiGroup": "rbac.authorization.k8s.io", "kind": "ClusterRole", "name": "kubevirt.io:migrate"},
    "subjects": [{"apiGroup": "rbac.authorization.k8s.io", "kind": "User", "name": "alice"}],
}
ROLE = {
    "apiVersion": "rbac.authorization.k8s.io/v1",
    "kind": "ClusterRole",
    "metadata": {"name": "kubevirt.io:migrate"},
    "rules": [
        {
            "apiGroups": ["kubevirt.io"],
            "resources": ["virtualmachineinstancemigrations"],
            "verbs": ["get", "create", "update", "delete"],
        },
        {"apiGroups": ["subresources.kubevirt.io"], "resources": ["virtualmachines/migrate"], "verbs": ["update"]},
    ],
}
NAMESPACE = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}}

LABELLED = {**MIGRATION, "metadata": {**MIGRATION["metadata"], "labels": {"priority": "high"}}}  # type: ignore[dict-item]  # YAML

Write = Callable[..., Path]


def writing(root: Path) -> Write:
    """A function that writes a PolicyTest of some cases beside the policies, and returns the directory."""

    def write(*cases: dict[str, Any], **spec: Any) -> Path:
        folder = root / "policies" / "demo" / "tests"
        folder.mkdir(parents=True, exist_ok=True)
        (folder.parent / "policy.yaml").write_text(POLICIES)
        document = {
            "apiVersion": "migguard.io/v1alpha1",
            "kind": "PolicyTest",
            "metadata": {"name": "demo"},
            "spec": {"objects": [NAMESPACE, ROLE, BINDING], **spec, "cases": list(cases)},
        }
        (folder / "suite.yaml").write_text(yaml.safe_dump(document, sort_keys=False))
        return root

    return write


def case(expect: dict[str, Any], name: str = "it", user: str = "alice", **fields: Any) -> dict[str, Any]:
    """A case in which somebody starts a migration."""
    base = {"name": name, "user": {"username": user}, "operation": "CREATE", "object": MIGRATION}
    return {**base, **fields, "expect": expect}


def results(folder: Path) -> list[CaseResult]:
    """What came of all tests below a folder."""
    return [result for suite in suites([folder]) for result in run(suite)]


def mismatches(folder: Path) -> list[str]:
    """What did not come out as expected."""
    return [str(mismatch) for result in results(folder) for mismatch in result.mismatches]
