"""A scan from end to end: policies and a cluster in, what was found out, and where it is put."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from webhook.admission.pipeline import World
from webhook.cluster.snapshot import header_of
from webhook.impact.policyrules import SEVERITIES
from webhook.impact.scanning import inventory, reportwriter
from webhook.impact.scanning.inventory import Item, Unread
from webhook.impact.scanning.judge import Scanned, scan
from webhook.impact.scanning.policyreport import APIS, Form, reports
from webhook.impact.scanning.scannable import NO_REQUESTER, Scannable, scannable
from webhook.impact.scanning.unkept import unkept
from webhook.impact.unasked import NobodyAsks
from webhook.kubevirt.resources import VMI
from webhook.model.objects import text
from webhook.offline.state import ClusterSource, State, Tell, state_from
from webhook.output.finding import Report
from webhook.policy.policyset import PolicySet

if TYPE_CHECKING:
    from webhook.cluster.client import Client


@dataclass(frozen=True, slots=True)
class Looked:
    """What a scan found, and the live cluster in which it did, if it was one."""

    scanned: Scanned
    client: Client | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reporting:
    """Where reports are to be put, and how."""

    folder: Path | None = None
    """None: into the cluster."""
    form: Form | None = None
    """None: what the cluster has."""
    limit: int


def look_over(policies: PolicySet, source: ClusterSource, *, now: datetime, tell: Tell) -> Looked:
    """Scan a live cluster, or manifests of one. ``tell`` is told what could not be read.

    Raises:
        InputError: manifests or the kubeconfig cannot be read, or an annotation of a policy means nothing.
        UsageError: no cluster is given.
        ClusterError: the API server cannot be reached, or does not know us.
    """
    ready = scannable(policies)
    state = state_from(source, tell=tell)
    world = World(state.store, NobodyAsks(NO_REQUESTER), None)
    where = state.client.server if state.client else ", ".join(map(str, source.manifests))
    if any(folder.is_dir() and header_of(folder) for folder in source.manifests):
        for name, fields in unkept(ready).items():
            tell(
                f"policy {name} judges {', '.join(f'object.{field}' for field in fields)}, which a snapshot does not "
                "hold: scan the live cluster by it"
            )
    items = _items(source, state, ready, where)
    return Looked(scan(ready, items, world, now=now, settings={"cluster": where}), state.client)


def _items(source: ClusterSource, state: State, policies: Scannable, where: str) -> Iterator[Item | Unread]:
    wanted = inventory.wanted(policies.rules())
    if policies.migration:
        wanted |= {(VMI.resource.group, VMI.resource.resource)}
    if state.client is not None:
        return inventory.from_cluster(state.client, wanted)
    return chain(inventory.unread(state.store, wanted, where), inventory.from_manifests(source.manifests, wanted))


def write_reports(looked: Looked, reporting: Reporting, *, now: datetime) -> int:
    """Put the reports of a scan where they are wanted; return how many there are.

    Those of an earlier scan go only if all was read: nobody knows whether what they tell of is mended.

    Raises:
        InputError: the folder cannot be written.
        ClusterError: the cluster has no such API, or did not take some of them.
    """
    client, form, whole = looked.client, reporting.form, not looked.scanned.unread
    if form is None:
        form = next(iter(APIS)) if client is None else reportwriter.served_form(client)
    made = reports(looked.scanned, form, now=now, limit=reporting.limit)
    if client is None or reporting.folder is not None:
        return reportwriter.to_files(made, reporting.folder or Path(), whole=whole)
    return reportwriter.to_cluster(made, client, form, whole=whole)


def by_policy(report: Report) -> tuple[Sequence[str], list[Sequence[object]]]:
    """Return headers and rows of a summary: what each policy found, the most severe first."""
    counts: dict[str, Counter[str]] = {}
    for finding in report.findings:
        counts.setdefault(finding.rule, Counter())[text(finding.properties, "result")] += 1
    severities = {rule.name: rule.severity for rule in report.rules}
    order = {severity: rank for rank, severity in enumerate(SEVERITIES)}
    names = sorted(counts, key=lambda name: (order.get(severities[name], len(order)), name))
    results = ("fail", "error", "warn")
    rows: list[Sequence[object]] = [(severities[name], name, *(counts[name][one] for one in results)) for name in names]
    return ("severity", "policy", *results), rows
