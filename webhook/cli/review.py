"""``migguard review``: decide one AdmissionReview as the webhook would, without a server."""

from __future__ import annotations

import json
import uuid
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission import review
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.audit.jsonl import JsonLines
from webhook.audit.record import record
from webhook.cluster.manifests import store_from
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Deadline
from webhook.model.objects import JSON
from webhook.model.request import Phase
from webhook.offline.admit import SECONDS
from webhook.offline.reviewfile import read_review
from webhook.policy.policyset import load
from webhook.recording import basis, keeping


@click.command("review", short_help="Decide one AdmissionReview, without a server.")
@click.option(
    "-f",
    "--filename",
    type=click.Path(),
    metavar="FILE",
    required=True,
    help="AdmissionReview, JSON or YAML; - for stdin.",
)
@click.option(
    "--policies", metavar="DIR", multiple=True, required=True, help="Policies: directory or file; many times."
)
@click.option("--cluster", metavar="DIR", multiple=True, required=True, help="Manifests of the cluster; many times.")
@click.option(
    "--phase",
    type=click.Choice([phase.value for phase in Phase]),
    default=Phase.VALIDATE.value,
    show_default=True,
    help="Which of the two calls to decide.",
)
@click.option("--audit-log", metavar="FILE", default="", help="Append the record of the decision, as the server would.")
def command(filename: str, policies: tuple[str, ...], cluster: tuple[str, ...], phase: str, audit_log: str) -> int:
    """Decide one AdmissionReview as the webhook would, and print the AdmissionReview that would be answered.

    \b
      migguard review -f request.yaml --policies policies/ --cluster prod-snapshot/

    With --audit-log the decision also goes on record, for 'migguard replay'.

    Exit code: 0 allowed, 1 denied, 2 wrong use or input, 3 an error.
    """  # noqa: D301 - click's own mark
    request = read_review(filename)
    store, _ = store_from([Path(path) for path in cluster], RESOURCES)
    loaded, now = load([Path(path) for path in policies], CATALOG), datetime.now(UTC)
    decision = decide(
        request,
        Phase(phase),
        policies=loaded,
        world=World(store, RBACAuthorizer(store), None),
        now=now,
        deadline=Deadline.after(SECONDS),
        decision_id=str(uuid.uuid4()),
    )
    if audit_log:
        kept = basis(keeping(loaded), store, request, decision.revision)
        written = record(request, Phase(phase), decision, time=now, replica="review", cluster="", basis=kept)
        _append(Path(audit_log), written)
    click.echo(json.dumps(json.loads(review.render(decision)), indent=2, ensure_ascii=False).encode())  # JSON is UTF-8
    return 0 if decision.allowed else 1


def _append(path: Path, written: Mapping[str, JSON]) -> None:
    log = JsonLines(path)
    try:
        log.write(written)
    finally:
        log.close()
