"""What a policy says, shown by one of its own tests: decided by the engine, in every language."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from webhook.admission.wording import PHRASES
from webhook.model.decision import Action, PatchOperation
from webhook.model.objects import mapping
from webhook.model.request import AdmissionRequest
from webhook.offline.outcome import Outcome
from webhook.offline.testing.run import CaseResult, run
from webhook.offline.testing.suite import Suite, suites
from webhook.policy.document import ENGLISH, GuardPolicy
from webhook.source.files import Document

DECISION = "0b7ce1f4-6a52-4c1d-9d3e-5f2a8c904b17"
"""The decision id in every example; a real one is another each time."""


@dataclass(frozen=True, slots=True)
class Told:
    """What one person is told, in one language."""

    text: str
    """The refusal, or the warnings as kubectl shows them."""
    remediation: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """One case of a policy's tests and what it came to."""

    file: Path
    case: str
    request: AdmissionRequest
    refused: bool
    patch: tuple[PatchOperation, ...]
    told: Mapping[str, Told]
    """By language."""


def example(policy: GuardPolicy, folder: Path) -> Example:
    """Return the first case of the tests below ``folder`` in which the policy does what it is there for.

    That is to refuse; where it does not, to warn or to change something. Tests that keep to the default parameters come
    first. Raises LookupError if there is no such case: then the policy is not tested.
    """
    wanted = _refuses if policy.validations and Action.DENY in policy.actions else _warns
    for suite in sorted(suites([folder]), key=lambda one: one.parameters is not None):
        for result in run(speaking(suite, ENGLISH)):
            if wanted(result.outcome, policy.name):
                return _example(policy.name, suite, result)
    raise LookupError(f"no case below {folder} shows what policy {policy.name} refuses, warns about or changes")


def _example(policy: str, suite: Suite, english: CaseResult) -> Example:
    def is_same(name: str) -> bool:
        return name == f"{suite.name}/{english.case.name}"

    told = {language: _told(next(run(speaking(suite, language), is_same)).outcome, policy) for language in PHRASES}
    return Example(
        file=Path(suite.document.file),
        case=english.case.name,
        request=english.case.request,
        refused=not english.outcome.last.allowed,
        patch=english.outcome.patch,
        told=told,
    )


def speaking(suite: Suite, language: str) -> Suite:
    """Return a policy test with this language in its parameters."""
    given = mapping(suite.parameters.value, "spec") if suite.parameters else {}
    base = suite.parameters or suite.document
    spec = {"spec": {**given, "language": language}}
    return replace(suite, parameters=Document(base.file, spec, base.text, {(): base.positions[()]}))


def _refuses(outcome: Outcome, policy: str) -> bool:
    refusing = {one.policy for one in outcome.evaluations if one.violations and Action.DENY in one.actions}
    return not outcome.last.allowed and refusing == {policy}


def _warns(outcome: Outcome, policy: str) -> bool:
    warning = {one.policy for one in outcome.evaluations if one.patch or one.violations}
    return outcome.last.allowed and bool(outcome.warnings) and warning == {policy}


def _told(outcome: Outcome, policy: str) -> Told:
    steps = [one.remediation for found in outcome.evaluations if found.policy == policy for one in found.violations]
    refusal = outcome.last.message.replace(outcome.last.id, DECISION)
    return Told(refusal or "\n".join(f"Warning: {text}" for text in outcome.warnings), next(iter(steps), ""))
