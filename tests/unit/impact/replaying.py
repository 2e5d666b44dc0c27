"""Decisions that are really made and put on record, for tests that replay them."""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from typing import Any

from tests.support import builders
from tests.support.engine import NOW, Json, policy_set
from tests.support.engine import request as request_of
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World, decide
from webhook.audit.record import record
from webhook.impact.replay.record import Recorded
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.model.facts import Deadline
from webhook.model.request import AdmissionRequest, Phase
from webhook.policy.policyset import PolicySet
from webhook.recording import basis, keeping

PROD = builders.namespace("prod", labels={"tier": "gold"})


def policies(*documents: Json, now: datetime = NOW) -> PolicySet:
    """A policy set with the real facts."""
    return policy_set(*documents, catalog=CATALOG, now=now)


def world(*objects: Json) -> World:
    """A cluster with the namespace prod and these objects."""
    view = View(PROD, *objects)
    return World(view, RBACAuthorizer(view))


def recorded(
    policy_set: PolicySet,
    request: AdmissionRequest,
    *,
    phase: Phase = Phase.VALIDATE,
    cluster: World | None = None,
    now: datetime = NOW,
) -> Json:
    """Decide a request and return the record, as a reader of the log has it."""
    cluster = cluster or world()
    decision = decide(
        request,
        phase,
        policies=policy_set,
        world=cluster,
        now=now,
        deadline=Deadline.after(30),
        decision_id=f"{request.uid}-{phase}",
    )
    kept = basis(keeping(policy_set), cluster.view, request, decision.revision)
    written = record(request, phase, decision, time=now, replica="r", cluster="", basis=kept)
    found: Json = json.loads(json.dumps(written))
    return found


def migration(vm: str = "db", *, user: str = "alice", **fields: Any) -> AdmissionRequest:
    """Somebody creates a migration of a VM in prod."""
    made = request_of(object=builders.vmim(vmi_name=vm), **fields)
    return replace(made, user=replace(made.user, username=user))


def given(record: Json) -> Recorded:
    """The record as a replay takes it."""
    return Recorded(record)


def log(folder: Path, records: Iterable[Json | str], file: str = "audit.jsonl") -> str:
    """Write records, or lines as they are, as a log; return its path."""
    path = folder / file
    lines = [one if isinstance(one, str) else json.dumps(one) for one in records]
    path.write_text("".join(f"{line}\n" for line in lines))
    return str(path)
