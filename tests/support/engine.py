"""A small world for tests of the policy engine: documents, a catalogue of facts of its own, requests and cases."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from webhook.model.facts import CelType, Fact, FactCatalog, FactContext
from webhook.model.objects import JSON, GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, UserInfo
from webhook.policy.compiled import CompiledPolicy
from webhook.policy.evaluate import Case
from webhook.policy.match import Subject
from webhook.policy.policyset import PolicySet, load

Json = dict[str, Any]

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
EVERYTHING: Json = {"apiGroups": ["*"], "apiVersions": ["*"], "resources": ["*/*"], "operations": ["*"]}


def _constant(name: str, cel_type: CelType, value: JSON) -> Fact:
    return Fact(name, cel_type, f"A {cel_type} for tests.", lambda _: value)


def _origin(context: FactContext) -> str:
    """The part of the user name before a colon names the origin: ``Drain:virt-controller``."""
    origin, colon, _ = context.request.user.username.partition(":")
    return origin if colon else "User"


CATALOG: FactCatalog = {
    fact.name: fact
    for fact in (
        Fact("requester.origin", "string", "Who asks.", _origin),
        _constant("requester.canMigrate", "bool", True),
        _constant("requester.missing", "list(string)", []),
        _constant("vmi.labels", "map(string)", {"app": "db"}),
        _constant("vmi.critical", "bool", False),
        _constant("volumes", "list(map)", [{"name": "data", "migratable": True}]),
        _constant("migration.bandwidth", "int", 64),
        _constant("migration.ratio", "double", 0.5),
        _constant("config.after", "map(dyn)", {}),
        _constant("config.raw", "dyn", None),
    )
}
"""One fact of every type."""


# Documents


def policy(name: str = "guard", **spec: Any) -> Json:
    """A GuardPolicy for every request; it always holds unless it is given something to do."""
    rest = {"matchConstraints": {"resourceRules": [EVERYTHING]}, **spec}
    if not {"validations", "mutations", "auditAnnotations"} & set(spec):
        rest["validations"] = [{"expression": "true", "message": "never said"}]
    return _document("GuardPolicy", name, rest)


def refusing(name: str = "guard", message: str = "no", **spec: Any) -> Json:
    """A GuardPolicy that finds a violation in every request."""
    return policy(name, validations=[{"expression": "false", "message": message}], **spec)


def judging(expression: str, name: str = "guard", **spec: Any) -> Json:
    """A GuardPolicy with one validation."""
    return policy(name, validations=[{"expression": expression, "message": "it does not hold"}], **spec)


def mutating(expression: str, name: str = "guard", *, patch_type: str = "ApplyConfiguration", **spec: Any) -> Json:
    """A GuardPolicy with one mutation."""
    mutation = {"name": "default", "patchType": patch_type, "expression": expression, "warning": "was defaulted"}
    return policy(name, mutations=[mutation], **spec)


def binding(name: str = "everywhere", policy_name: str = "guard", **spec: Any) -> Json:
    """A GuardPolicyBinding."""
    return _document("GuardPolicyBinding", name, {"policyName": policy_name, **spec})


def exemption(name: str = "move-week", **spec: Any) -> Json:
    """An Exemption of alice from the policy guard, for a month from NOW; None leaves a field out."""
    whole = {
        "policies": ["guard"],
        "subjects": [{"kind": "User", "name": "alice"}],
        "owner": "storage team",
        "reason": "moving to the new array",
        "ticket": "OPS-7",
        "expires": "2026-04-01",
        **spec,
    }
    return _document("Exemption", name, {key: item for key, item in whole.items() if item is not None})


def parameters(**spec: Any) -> Json:
    """A Parameters document."""
    return _document("Parameters", "parameters", spec)


def _document(kind: str, name: str, spec: Json) -> Json:
    return {"apiVersion": "migguard.io/v1alpha1", "kind": kind, "metadata": {"name": name}, "spec": spec}


def write(folder: Path, *documents: Json, file: str = "policies.yaml") -> Path:
    """Write documents as one YAML file below a folder; return the file."""
    path = folder / file
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all(documents, sort_keys=False, allow_unicode=True))
    return path


def policy_set(*documents: Json, catalog: FactCatalog = CATALOG, now: datetime = NOW) -> PolicySet:
    """Load documents as the server would. Raises PolicyError."""
    with tempfile.TemporaryDirectory() as folder:
        write(Path(folder), *documents)
        return load([Path(folder)], catalog, now=now)


def compiled(*documents: Json) -> tuple[CompiledPolicy, ...]:
    """The compiled policies of these documents."""
    return policy_set(*documents).policies


# Requests

KIND = GroupVersionKind("kubevirt.io", "v1", "VirtualMachineInstanceMigration")
RESOURCE = GroupVersionResource("kubevirt.io", "v1", "virtualmachineinstancemigrations")


def request(**fields: Any) -> AdmissionRequest:
    """Alice creates a migration of the VM db in the namespace prod, but for these fields."""
    made = AdmissionRequest(
        uid="7f2c7b46",
        kind=KIND,
        resource=RESOURCE,
        name="move",
        namespace="prod",
        operation=Operation.CREATE,
        user=UserInfo(username="alice", groups=("developers", "system:authenticated")),
        object=migration(),
    )
    return replace(made, **fields)


def migration(**fields: Any) -> Json:
    """A VirtualMachineInstanceMigration, with these fields besides or instead."""
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": "move", "namespace": "prod"},
        "spec": {"vmiName": "db"},
        **fields,
    }


def labelled(**labels: Any) -> Json:
    """The same migration with labels."""
    return migration(metadata={"name": "move", "namespace": "prod", "labels": labels})


def case(
    asked: AdmissionRequest | None = None,
    *,
    facts: Mapping[str, JSON] | None = None,
    unavailable: Mapping[str, str] | None = None,
    origin: str = "User",
    namespace: Callable[[], Mapping[str, Any]] = dict,
) -> Case:
    """A case in which facts have the values of CATALOG or these, and some are not available."""
    asked = asked or request()
    missing = unavailable or {}

    def resolve(names: Iterable[str]) -> tuple[dict[str, JSON], dict[str, str]]:
        wanted = set(names)
        values = {name: CATALOG[name].resolve(None) for name in wanted if name != "requester.origin"}  # type: ignore[arg-type]  # constants
        values |= {name: value for name, value in (facts or {}).items() if name in wanted}
        return (
            {name: value for name, value in values.items() if name not in missing},
            {name: why for name, why in missing.items() if name in wanted},
        )

    natives = {
        "object": asked.object,
        "oldObject": asked.old_object,
        "request": {"operation": str(asked.operation), "namespace": asked.namespace, "name": asked.name},
    }
    return Case(Subject(asked, origin, namespace), natives, resolve)
