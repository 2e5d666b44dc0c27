"""What a policy tells people: its title and severity, what is wrong, and what to do."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from webhook.authoring.lint.expressions import Expressions, Role
from webhook.authoring.lint.found import Found, at
from webhook.authoring.lint.rule import note, warning
from webhook.model.decision import Action, FailurePolicy
from webhook.model.objects import text
from webhook.policy.document import ENGLISH, GuardPolicy
from webhook.policy.spelling import nearest

DUPLICATE_PART = warning(
    "duplicate-part",
    "Two parts of a policy have one name",
    "Match conditions, mutations and audit annotations are told apart by their names in messages and records.",
)
NO_TITLE = warning(
    "no-title", "A policy has no title", "Reports, lists and reviewers show annotation migguard.io/title."
)
NO_SEVERITY = warning(
    "no-severity",
    "A policy has no severity",
    "Annotation migguard.io/severity, one of critical, high, medium, low and info, ranks what is found.",
    bad="migguard.io/severity: hihg",
    good="migguard.io/severity: high",
)
NO_CATEGORY = note("no-category", "A policy has no category", "Reports group by annotation migguard.io/category.")
NO_DESCRIPTION = note(
    "no-description", "A policy has no description", "Annotation migguard.io/description says why it is there."
)
NO_REFERENCE = note(
    "no-reference", "A policy has no reference", "Annotation migguard.io/reference names the document that asks for it."
)
SAME_TITLE = warning(
    "same-title", "Two policies have one title", "People cannot tell them apart where titles are shown."
)
NO_REMEDIATION = warning(
    "no-remediation",
    "A refusal names no next step",
    "A validation of a policy that denies has neither remediation nor remediationExpression.",
)
CONSTANT_MESSAGE = note(
    "constant-message",
    "A refusal says nothing of the object",
    "The policy reads facts or the object, but its message is the same for all; messageExpression can name the values.",
    bad="message: the VM cannot be migrated",
    good="messageExpression: \"'VM ' + vmi.namespace + '/' + vmi.name + ' cannot be migrated: ' + …\"",
)
DENY_IGNORES_ERRORS = warning(
    "deny-ignores-errors",
    "A policy that denies lets pass what it cannot judge",
    "With failurePolicy Ignore whoever makes the evaluation fail is not refused.",
    bad="validationActions: [Deny] with failurePolicy: Ignore",
    good="failurePolicy: Fail",
)

RULES = (
    DUPLICATE_PART,
    NO_TITLE,
    NO_SEVERITY,
    NO_CATEGORY,
    NO_DESCRIPTION,
    NO_REFERENCE,
    SAME_TITLE,
    NO_REMEDIATION,
    CONSTANT_MESSAGE,
    DENY_IGNORES_ERRORS,
)


SEVERITIES = ("critical", "high", "medium", "low", "info")
_ANNOTATIONS = {
    "title": (NO_TITLE, "say in one line what the policy is for"),
    "severity": (NO_SEVERITY, f"one of {', '.join(SEVERITIES)}"),
    "category": (NO_CATEGORY, "such as storage, network or operations"),
    "description": (NO_DESCRIPTION, "say why it is there"),
    "reference": (NO_REFERENCE, "name the document that asks for it"),
}


def check(policy: GuardPolicy, actions: frozenset[Action]) -> Iterator[Found]:
    """Judge what a policy says; ``actions`` are all that its violations lead to under any of its bindings."""
    document = policy.document
    for name, (rule, hint) in _ANNOTATIONS.items():
        if not text(policy.annotations, f"migguard.io/{name}").strip():
            yield at(rule, document, ("metadata", "annotations"), f"annotation migguard.io/{name} is missing", hint)
    severity = text(policy.annotations, "migguard.io/severity").strip()
    if severity and severity not in SEVERITIES:
        path = ("metadata", "annotations", "migguard.io/severity")
        hint = nearest(severity, SEVERITIES) or f"one of {', '.join(SEVERITIES)}"
        yield at(NO_SEVERITY, document, path, f"'{severity}' is no severity", hint)
    yield from _parts(policy)
    if Action.DENY not in actions:
        return
    if policy.failure_policy is FailurePolicy.IGNORE and policy.validations:
        message = "the policy denies, but lets pass what it cannot judge"
        yield at(DENY_IGNORES_ERRORS, document, ("spec", "failurePolicy"), message, "Fail, or say why by lint-ignore")
    for index, validation in enumerate(policy.validations):
        said = validation.remediation[ENGLISH]
        if not said.text and said.expression is None:
            place = ("spec", "validations", index)
            hint = "add remediation or remediationExpression: what should the user do next?"
            yield at(NO_REMEDIATION, document, place, f"validations[{index}] refuses without naming a next step", hint)


def _parts(policy: GuardPolicy) -> Iterator[Found]:
    for field, names in (
        ("matchConditions", [one.name for one in policy.conditions]),
        ("mutations", [one.name for one in policy.mutations]),
        ("auditAnnotations", [one.name for one in policy.audit_annotations]),
    ):
        for index, name in enumerate(names):
            if name in names[:index]:
                message = f"'{name}' stands twice among the {field}"
                yield at(DUPLICATE_PART, policy.document, ("spec", field, index), message, "rename one of them")


def check_titles(policies: Sequence[GuardPolicy]) -> Iterator[Found]:
    """Find titles that two policies have."""
    first: dict[str, GuardPolicy] = {}
    for policy in policies:
        title = " ".join(text(policy.annotations, "migguard.io/title").split())
        other = first.setdefault(title.casefold(), policy) if title else policy
        if other is not policy:
            title_path = ("metadata", "annotations", "migguard.io/title")
            message = f"policy '{other.name}' has the same title"
            yield at(SAME_TITLE, policy.document, title_path, message, "say what sets this one apart")


def check_messages(expressions: Expressions, actions: frozenset[Action], facts: Collection[str]) -> Iterator[Found]:
    """Find refusals whose text is the same whatever the object is."""
    policy, reads = expressions.policy, {"object", "oldObject", *facts}
    if Action.DENY not in actions:
        return
    for part in expressions.of(Role.VALIDATION):
        validation = policy.validations[int(part.name)]
        if validation.message[ENGLISH].expression is None and reads & expressions.names_behind(part.node):
            path = ("spec", "validations", int(part.name), "message")
            message = f"the message of validations[{part.name}] names neither the object nor its values"
            yield at(CONSTANT_MESSAGE, policy.document, path, message, "give it a messageExpression")
