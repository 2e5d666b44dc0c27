"""A small policy set and a small cluster, scanned."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import yaml

from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.impact.scanning.inventory import from_manifests, wanted
from webhook.impact.scanning.judge import Scanned, scan
from webhook.impact.scanning.scannable import NO_REQUESTER, Scannable, scannable
from webhook.impact.unasked import NobodyAsks
from webhook.offline.state import ClusterSource, world_from
from webhook.policy.policyset import load

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)

Json = dict[str, Any]


def policy(
    name: str,
    *validations: str,
    resources: Sequence[str] = ("virtualmachines",),
    group: str = "kubevirt.io",
    operations: Sequence[str] = ("CREATE", "UPDATE"),
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Json:
    """A policy whose validations say their own text."""
    rule = {"apiGroups": [group], "apiVersions": ["*"], "resources": list(resources), "operations": list(operations)}
    judged = [{"expression": one, "message": f"not so: {one}"} for one in validations]
    return {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "GuardPolicy",
        "metadata": {"name": name, "annotations": {"migguard.io/severity": "high", **(annotations or {})}},
        "spec": {
            "matchConstraints": {"resourceRules": [rule]},
            **({"validations": judged} if judged else {}),
            **spec,
        },
    }


def exemption(name: str, *policies: str, expires: str = "2026-04-01", **spec: Any) -> Json:
    return {
        "apiVersion": "migguard.io/v1alpha1",
        "kind": "Exemption",
        "metadata": {"name": name},
        "spec": {
            "policies": list(policies),
            "subjects": [{"kind": "User", "name": "olga"}],
            "owner": "team-db",
            "reason": "it takes until then",
            "ticket": "OPS-7",
            "starts": "2026-02-01",
            "expires": expires,
            **spec,
        },
    }


def vm(name: str, namespace: str = "prod", **spec: Any) -> Json:
    metadata = {"name": name, "namespace": namespace}
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachine",
        "metadata": metadata,
        "spec": {"running": True, **spec},
    }


def vmi(name: str, namespace: str = "prod", phase: str = "Running", **metadata: Any) -> Json:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstance",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"domain": {}},
        "status": {"phase": phase},
    }


def vmim(name: str, vmi_name: str, namespace: str = "prod", phase: str = "Running", **metadata: Any) -> Json:
    return {
        "apiVersion": "kubevirt.io/v1",
        "kind": "VirtualMachineInstanceMigration",
        "metadata": {"name": name, "namespace": namespace, **metadata},
        "spec": {"vmiName": vmi_name},
        "status": {"phase": phase},
    }


def namespace(name: str, **labels: str) -> Json:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name, "labels": labels}}


def cluster(folder: Path, *objects: Json) -> Path:
    """Write manifests, with the namespaces prod and dev unless they are given; return where."""
    known = {text["metadata"]["name"] for text in objects if text["kind"] == "Namespace"}
    path = folder / "cluster.yaml"
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(yaml.safe_dump_all([*(namespace(one) for one in ("dev", "prod") if one not in known), *objects]))
    return path


def policies_in(folder: Path, *documents: Json) -> Path:
    path = folder / "policies.yaml"
    path.write_text(yaml.safe_dump_all(documents))
    return path


def ready(folder: Path, *documents: Json, now: datetime = NOW) -> Scannable:
    """The policies of these documents, as a scan uses them."""
    return scannable(load([policies_in(folder, *documents)], CATALOG, now=now))


def scanned(folder: Path, documents: Sequence[Json], objects: Sequence[Json], now: datetime = NOW) -> Scanned:
    """Scan these objects by these policies."""
    place = cluster(folder / "state", *objects)
    policies = ready(folder, *documents, now=now)
    world = World(world_from(ClusterSource(manifests=(place,))).view, NobodyAsks(NO_REQUESTER), None)
    resources = wanted(policies.rules()) | {("kubevirt.io", "virtualmachineinstances")}
    return scan(policies, from_manifests([place], resources), world, now=now, settings={})


def found(result: Scanned) -> list[tuple[str, str]]:
    """Subjects with the policies that found something in them, in order."""
    return [(one.subject, finding.rule) for one in result.report.examined for finding in one.findings]
