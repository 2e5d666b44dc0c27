"""What the built-in policies match is what the API server sends us, as the examples register migguard."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from webhook.admission.natives import CATALOG
from webhook.authoring.lint.shapes import Shape, matched
from webhook.model.request import Operation, Phase
from webhook.policy.document import GuardPolicy
from webhook.policy.policyset import load

ROOT = Path(__file__).parents[2]
REGISTRATIONS = ("webhook-configuration.yaml", "eviction-guard.yaml")
KINDS = {Phase.VALIDATE: "ValidatingWebhookConfiguration", Phase.MUTATE: "MutatingWebhookConfiguration"}


@cache
def _policies() -> Mapping[str, GuardPolicy]:
    return {policy.name: policy.document for policy in load([ROOT / "policies"], CATALOG).policies}


@cache
def _rules(phase: Phase) -> tuple[Mapping[str, Any], ...]:
    """All resource rules of the webhooks that are called in a phase."""
    documents = [
        document
        for name in REGISTRATIONS
        for document in yaml.safe_load_all((ROOT / "examples" / name).read_text("utf-8"))
        if document["kind"] == KINDS[phase]
    ]
    return tuple(rule for document in documents for webhook in document["webhooks"] for rule in webhook["rules"])


def _is_sent(shape: Shape, phase: Phase) -> bool:
    resource = f"{shape.resource}/{shape.subresource}" if shape.subresource else shape.resource
    return any(
        shape.group in rule["apiGroups"] and resource in rule["resources"] and shape.operation in rule["operations"]
        for rule in _rules(phase)
    )


def _phases(policy: GuardPolicy) -> Iterable[Phase]:
    """In which calls a policy does something."""
    return {Phase.MUTATE for _ in policy.mutations} | {policy.phase for _ in policy.validations}


@pytest.mark.parametrize("name", sorted(path.name for path in (ROOT / "policies").iterdir() if path.is_dir()))
def test_what_a_policy_matches_is_sent(name: str) -> None:
    policy = _policies()[name]
    shapes = matched(policy.match)
    sent = {shape for shape in shapes for phase in _phases(policy) if _is_sent(shape, phase)}
    # A subresource is not created or deleted: there one of the operations is enough.
    parts = {(shape.group, shape.resource, shape.subresource) for shape in sent if shape.subresource}
    unsent = [
        str(shape)
        for shape in shapes
        if shape not in sent and (shape.group, shape.resource, shape.subresource) not in parts
    ]
    assert unsent == []


@pytest.mark.parametrize(
    ("resource", "sent"), [("virtualmachineinstancemigrations", True), ("virtualmachineinstancemigration", False)]
)
def test_a_misspelt_resource_would_be_noticed(resource: str, sent: bool) -> None:
    shape = Shape(group="kubevirt.io", resource=resource, subresource="", operation=Operation.CREATE)
    assert _is_sent(shape, Phase.VALIDATE) is sent
