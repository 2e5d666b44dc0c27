"""Small policies that lint has nothing against, to be spoilt one by one, and a way to lint them."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from webhook.authoring.lint.run import lint
from webhook.output.finding import Finding, Report

Json = dict[str, Any]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RULE: Json = {
    "apiGroups": ["kubevirt.io"],
    "apiVersions": ["*"],
    "resources": ["virtualmachines"],
    "operations": ["CREATE", "UPDATE"],
}
NOTES = {
    f"migguard.io/{name}": value
    for name, value in {
        "severity": "low",
        "category": "operations",
        "description": "So that there is one.",
        "reference": "the runbook",
    }.items()
}


def rule(*operations: str, resource: str = "virtualmachines", group: str = "kubevirt.io", **more: Any) -> Json:
    """A resource rule."""
    return {**RULE, "resources": [resource], "apiGroups": [group], "operations": list(operations), **more}


def validation(expression: str = "!vmi.critical", **fields: Any) -> Json:
    """A validation that says all that it should."""
    said = {"messageExpression": "'VM ' + vmi.name + ' is critical'", "remediation": "leave it alone"}
    return {"expression": expression, **said, **fields}


def policy(name: str = "guard", *, rules: Sequence[Json] = (RULE,), notes: Json | None = None, **spec: Any) -> Json:
    """A GuardPolicy; ``match`` adds to its matchConstraints."""
    annotations = {"migguard.io/title": f"What {name} is for", **NOTES, **(notes or {})}
    match = spec.pop("match", {})
    if not {"validations", "mutations"} & spec.keys():
        spec["validations"] = [validation()]
    return {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "GuardPolicy",
        "metadata": {"name": name, "annotations": annotations},
        "spec": {"matchConstraints": {"resourceRules": list(rules), **match}, **spec},
    }


def binding(policy_name: str = "guard", *, name: str = "bound", **spec: Any) -> Json:
    """A GuardPolicyBinding."""
    return {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "GuardPolicyBinding",
        "metadata": {"name": name},
        "spec": {"policyName": policy_name, **spec},
    }


def exemption(*policies: str, name: str = "spared", notes: Json | None = None, **spec: Any) -> Json:
    """An Exemption for one user in one namespace, for some weeks."""
    limits = {
        "subjects": [{"kind": "User", "name": "alice"}],
        "namespaces": ["prod"],
        "operations": ["UPDATE"],
        "owner": "team-a",
        "reason": "a migration",
        "ticket": "OPS-1",
        "expires": "2026-05-01",
    }
    return {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "Exemption",
        "metadata": {"name": name, **({"annotations": notes} if notes else {})},
        "spec": {
            "policies": list(policies or ["guard"]),
            **{k: v for k, v in (limits | spec).items() if v is not None},
        },
    }


def parameters(**spec: Any) -> Json:
    """A Parameters document."""
    return {"apiVersion": "migguard.io/v1alpha1", "kind": "Parameters", "metadata": {"name": "all"}, "spec": spec}


TEST = """
apiVersion: migguard.io/v1alpha1
kind: PolicyTest
metadata: {name: all}
spec:
  policies: [..]
  cases:
    - name: one
      user: {username: alice}
      operation: CREATE
      object: {apiVersion: kubevirt.io/v1, kind: VirtualMachine, metadata: {name: db, namespace: prod}}
      expect: {allowed: true}
"""


def linted(folder: Path, *documents: Json | str) -> Report:
    """Lint documents that stand in one file each, with a test beside them."""
    (folder / "tests").mkdir(exist_ok=True)
    (folder / "tests" / "test.yaml").write_text(TEST, "utf-8")
    for number, document in enumerate(documents):
        text = document if isinstance(document, str) else yaml.safe_dump(document, sort_keys=False, width=10_000)
        (folder / f"{number}.yaml").write_text(text, "utf-8")
    return lint([[folder]], now=NOW)


def findings(folder: Path, *documents: Json | str) -> tuple[Finding, ...]:
    """What lint finds in these documents."""
    return linted(folder, *documents).findings


def rules_of(folder: Path, *documents: Json | str) -> list[str]:
    """The names of the rules that find something, in order of name, once for each finding."""
    return sorted(finding.rule for finding in findings(folder, *documents))
