"""``migguard review``: decide one AdmissionReview as the webhook would, without a server."""

from __future__ import annotations

import json
import sys
import uuid
from datetime import UTC, datetime
from pathlib import Path

import click

from webhook.admission import review
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.cluster.manifests import store_from
from webhook.errors import InputError, ReviewError
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.policyset import load
from webhook.source import files

SECONDS = 30.0
"""For the decision: the most that an API server would wait."""


@click.command("review", short_help="Decide one AdmissionReview, without a server.")
@click.option("-f", "--filename", metavar="FILE", required=True, help="AdmissionReview, JSON or YAML; - for stdin.")
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
def command(filename: str, policies: tuple[str, ...], cluster: tuple[str, ...], phase: str) -> int:
    """Decide one AdmissionReview as the webhook would, and print the AdmissionReview that would be answered.

    Exit code: 0 allowed, 1 denied, 2 wrong use or input, 3 an error.
    """
    request = _read(filename)
    store, _ = store_from([Path(path) for path in cluster], RESOURCES)
    decision = decide(
        request,
        Phase(phase),
        policies=load([Path(path) for path in policies], CATALOG),
        world=World(store, RBACAuthorizer(store), None),
        now=datetime.now(UTC),
        deadline=Deadline.after(SECONDS),
        decision_id=str(uuid.uuid4()),
    )
    click.echo(json.dumps(json.loads(review.render(decision)), indent=2, ensure_ascii=False).encode())  # JSON is UTF-8
    return 0 if decision.allowed else 1


def _read(filename: str) -> AdmissionRequest:
    """Read the review; JSON goes the same way as what the API server posts. Raises InputError with its place."""
    name = "standard input" if filename == "-" else filename
    content = _content(filename, name)
    if not content.lstrip().startswith(b"{"):
        content = _json_from_yaml(content, name)
    try:
        return review.parse(content)
    except ReviewError as error:
        raise InputError(error.message, where=name, hint=error.hint) from error


def _content(filename: str, name: str) -> bytes:
    try:
        return sys.stdin.buffer.read() if filename == "-" else Path(filename).read_bytes()
    except OSError as error:
        raise InputError(f"cannot be read: {error.strerror}", where=name) from error


def _json_from_yaml(content: bytes, name: str) -> bytes:
    try:
        documents, problems = files.parse(content.decode("utf-8-sig"), name)
    except UnicodeDecodeError as error:
        raise InputError(f"is not UTF-8: byte {error.start}", where=name) from error
    if problems:
        raise InputError(problems[0].message, where=problems[0].where, hint=problems[0].hint)
    if len(documents) != 1:
        raise InputError(f"holds {len(documents)} documents, not one AdmissionReview", where=name)
    try:
        return json.dumps(documents[0].value, allow_nan=False).encode()
    except (TypeError, ValueError) as error:
        raise InputError(f"holds a value that JSON cannot have: {error}", where=name) from error
