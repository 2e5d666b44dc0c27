"""migguard's documents as frozen values: what the YAML says, with the place each expression came from.

Field names and meaning follow Kubernetes' ValidatingAdmissionPolicy and MutatingAdmissionPolicy
(admissionregistration v1).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from webhook.model.decision import Action, FailurePolicy
from webhook.model.request import Phase
from webhook.source.files import Document
from webhook.source.parsed import FilePath

ENGLISH = "en"
"""The language that every policy speaks."""


@dataclass(frozen=True, slots=True)
class Text:
    """A CEL expression as written, and where it stands."""

    text: str
    document: Document = field(repr=False, compare=False)
    path: FilePath = ()

    @property
    def where(self) -> str:
        """``file:line:column`` of the expression."""
        return self.document.where(self.path)


@dataclass(frozen=True, slots=True, kw_only=True)
class ResourceRule:
    """Which requests a rule covers; ``*`` stands for all, ``pods/status`` for a subresource, ``pods/*`` for all."""

    groups: tuple[str, ...]
    versions: tuple[str, ...]
    resources: tuple[str, ...]
    operations: tuple[str, ...]
    names: tuple[str, ...] = ()
    scope: str = "*"


@dataclass(frozen=True, slots=True, kw_only=True)
class MatchResources:
    """VAP's MatchResources. No rules at all (only possible in a binding) means every request."""

    rules: tuple[ResourceRule, ...] = ()
    excluded: tuple[ResourceRule, ...] = ()
    namespace_selector: Mapping[str, Any] | None = None
    object_selector: Mapping[str, Any] | None = None
    exact: bool = False
    """``matchPolicy: Exact``: the version in the rule must be the one the client used."""


@dataclass(frozen=True, slots=True)
class Named:
    """A match condition, a variable or an audit annotation: a name and an expression."""

    name: str
    expression: Text


@dataclass(frozen=True, slots=True)
class Wording:
    """What a person is told, in one language: a fixed text, and an expression that says it better where it can."""

    text: str = ""
    expression: Text | None = None


Wordings = Mapping[str, Wording]
"""One thing to say, by language. English is always there; others stand under ``translations``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Validation:
    """One condition that must hold, and what the user is told where it does not."""

    expression: Text
    message: Wordings
    remediation: Wordings
    reason: str = "Forbidden"
    field: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Mutation:
    """One default or correction: an expression that gives a patch, and what is said if it changed something."""

    name: str
    json_patch: bool
    """``patchType: JSONPatch`` (a list of operations) rather than ``ApplyConfiguration`` (a partial object)."""
    expression: Text
    warning: Wordings


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicy:
    """One policy document."""

    name: str
    annotations: Mapping[str, str]
    match: MatchResources
    conditions: tuple[Named, ...] = ()
    origins: frozenset[str] = frozenset()
    """Origin classes it applies to; empty for all."""
    param_schema: Mapping[str, Any]
    variables: tuple[Named, ...] = ()
    validations: tuple[Validation, ...] = ()
    mutations: tuple[Mutation, ...] = ()
    audit_annotations: tuple[Named, ...] = ()
    actions: frozenset[Action] = frozenset({Action.DENY})
    failure_policy: FailurePolicy = FailurePolicy.FAIL
    phase: Phase = Phase.VALIDATE
    """In which webhook call the validations are judged. Mutating webhooks are called before any validating one: what a
    validating webhook of somebody else does as a side effect can be forestalled there only."""
    document: Document = field(repr=False, compare=False)

    @property
    def where(self) -> str:
        """``file:line:column`` of the document."""
        return self.document.where()


@dataclass(frozen=True, slots=True, kw_only=True)
class GuardPolicyBinding:
    """Where and how strictly a policy applies. A policy with bindings applies only where one of them matches."""

    name: str
    policy_name: str
    match: MatchResources
    actions: frozenset[Action] | None = None
    """None: the policy's own."""
    params: Mapping[str, Any]
    document: Document = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True)
class Subject:
    """Who an exemption is for; a ServiceAccount is matched by its full user name."""

    kind: str
    name: str
    namespace: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Exemption:
    """Requests that some policies let through unjudged, for a time, with an owner, a reason and a ticket."""

    name: str
    policies: tuple[str, ...]
    subjects: tuple[Subject, ...]
    namespaces: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    namespace_selector: Mapping[str, Any] | None = None
    object_selector: Mapping[str, Any] | None = None
    operations: tuple[str, ...] = ()
    owner: str
    reason: str
    ticket: str
    starts: datetime | None = None
    expires: datetime
    document: Document = field(repr=False, compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Documents:
    """All documents of a policy set, in file order."""

    policies: tuple[GuardPolicy, ...]
    bindings: tuple[GuardPolicyBinding, ...]
    exemptions: tuple[Exemption, ...]
    parameters: Mapping[str, Any]
    """The ``spec`` of the Parameters document, or of none, with every default filled in."""
    digest: str
    """SHA-256 over the content of the files, wherever they lie and in whatever order they are given."""
    texts: Mapping[str, str] = field(repr=False, compare=False)
    """The content of the files, by their paths."""
    parameters_document: Document | None = None
