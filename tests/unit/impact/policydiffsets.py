"""Small policy sets, written as the documents that they are made of."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from webhook.admission.natives import CATALOG
from webhook.impact.policydiff.compare import Side, side_of
from webhook.policy import loader

Json = dict[str, Any]
NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
RULES = [
    {
        "apiGroups": ["kubevirt.io"],
        "apiVersions": ["*"],
        "resources": ["virtualmachineinstancemigrations"],
        "operations": ["CREATE"],
    }
]


def _document(kind: str, name: str, spec: Mapping[str, Any], **metadata: Any) -> Json:
    made = {"apiVersion": "migguard.io/v1alpha1", "kind": kind, "metadata": {"name": name, **metadata}}
    return {**made, "spec": dict(spec)}


def policy(name: str = "guard", *, annotations: Mapping[str, str] | None = None, **spec: Any) -> Json:
    """A policy about migrations with one validation; a field that is None is left out."""
    base: Json = {
        "matchConstraints": {"resourceRules": RULES},
        "validations": [{"expression": "vmi.critical", "message": "no", "remediation": "ask"}],
    }
    whole = {field: item for field, item in {**base, **spec}.items() if item is not None}
    return _document("GuardPolicy", name, whole, **({"annotations": dict(annotations)} if annotations else {}))


def binding(name: str = "here", *, of: str = "guard", **spec: Any) -> Json:
    """A binding of a policy."""
    return _document("GuardPolicyBinding", name, {"policyName": of, **spec})


def exemption(name: str = "batch", **spec: Any) -> Json:
    """An exemption of a group, for two weeks from NOW on."""
    base: Json = {
        "policies": ["guard"],
        "subjects": [{"kind": "Group", "name": "ops"}],
        "owner": "team-a",
        "reason": "a window",
        "ticket": "T-1",
        "expires": "2026-03-16",
    }
    return _document("Exemption", name, {**base, **spec})


def parameters(**spec: Any) -> Json:
    """The Parameters document."""
    return _document("Parameters", "parameters", spec)


def sided(*documents: Json, name: str = "set") -> Side:
    """A policy set of these documents, each in a file of its own."""
    texts = {f"{name}/{index}.yaml": json.dumps(one) for index, one in enumerate(documents)}
    return side_of(name, loader.load_texts(texts, now=NOW), CATALOG, now=NOW)
