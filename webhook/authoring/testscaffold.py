"""A test for a policy that is there: one request, and what the policy says of it today."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from webhook.authoring.scaffold import NewFile
from webhook.errors import InputError, PolicyError, UsageError
from webhook.kubevirt.resources import RESOURCES, VMIM
from webhook.model.facts import WatchedResource
from webhook.model.objects import Object
from webhook.model.request import AdmissionRequest, Operation
from webhook.offline.testing.run import CaseResult, run
from webhook.offline.testing.suite import suites
from webhook.policy.document import GuardPolicy
from webhook.policy.schema import API_VERSION, TEST_KIND

NAME, NAMESPACE, USER = "example", "example", "alice"
_ROUNDS = 10
"""What is stated to be absent may lead to further look-ups; so many rounds are far more than any policy takes."""
_HEADER = """\
# Begun by 'migguard new test': this is what the policy says today. Make the request and the cluster what the test is
# about, and the expectation what the policy is meant to say.
"""


def example(policy: GuardPolicy) -> dict[str, Any]:
    """Return a case with the simplest request that a policy covers. Raises UsageError where none can be guessed."""
    for rule in policy.match.rules:
        for row in RESOURCES:
            if {row.resource.group, "*"} & set(rule.groups) and {row.resource.resource, "*"} & set(rule.resources):
                return _case(row, rule.operations[0])
    raise UsageError(
        f"no request can be guessed that policy '{policy.name}' is about",
        where=policy.where,
        hint="give one with -f: an AdmissionReview from the audit log or from the API server",
    )


def case_of(request: AdmissionRequest) -> dict[str, Any]:
    """Return a case with the request of an AdmissionReview."""
    user = request.user
    return {
        "name": "what was asked",
        "user": {"username": user.username, **({"groups": list(user.groups)} if user.groups else {})},
        "operation": str(request.operation),
        "resource": request.resource.resource,
        **({"subresource": request.subresource} if request.subresource else {}),
        **({"object": dict(request.object)} if request.object is not None else {}),
        **({"oldObject": dict(request.old_object)} if request.old_object is not None else {}),
    }


def scaffold(name: str, folder: Path, case: Mapping[str, Any]) -> NewFile:
    """Return a test with one case, decided by the policies in ``folder`` and expected to be decided so.

    Whatever is looked up and is not there is stated to be absent, and the time where it matters. Raises
    InputError where no case can have the request.
    """
    unknown = {"allowed": True}
    spec: dict[str, Any] = {"policies": [str(folder.resolve())], "cases": [{**case, "expect": unknown}]}
    result = _decided(name, spec)
    for _ in range(_ROUNDS):
        if not _stated(result, spec):
            break
        result = _decided(name, spec)
    own: dict[str, Any] = {field: spec[field] for field in ("now", "objects", "absent") if field in spec}
    own["cases"] = [{**case, "expect": _expectation(result)}]
    document = {"apiVersion": API_VERSION, "kind": TEST_KIND, "metadata": {"name": name}, "spec": own}
    text = yaml.safe_dump(document, sort_keys=False, allow_unicode=True, width=110)
    return NewFile(folder / "tests" / f"{name}.yaml", _HEADER + text)


def _case(row: WatchedResource, operation: str) -> dict[str, Any]:
    subject: Object = {
        "apiVersion": f"{row.resource.group}/{row.resource.version}".lstrip("/"),
        "kind": row.kind,
        "metadata": {"name": NAME, **({"namespace": NAMESPACE} if row.namespaced else {})},
        "spec": {"vmiName": NAME} if row is VMIM else {},
    }
    chosen = Operation.CREATE if operation == "*" else Operation(operation)
    fields = {
        Operation.CREATE: ("object",),
        Operation.UPDATE: ("object", "oldObject"),
        Operation.DELETE: ("oldObject",),
        Operation.CONNECT: ("object",),
    }[chosen]
    return {
        "name": "the simplest request",
        "user": {"username": USER},
        "operation": str(chosen),
        **{field: _copy(subject) for field in fields},
    }


def _copy(obj: Object) -> dict[str, Any]:
    return {key: dict(value) if isinstance(value, Mapping) else value for key, value in obj.items()}


def _decided(name: str, spec: Mapping[str, Any]) -> CaseResult:
    document = {"apiVersion": API_VERSION, "kind": TEST_KIND, "metadata": {"name": name}, "spec": spec}
    with tempfile.TemporaryDirectory() as place:
        file = Path(place, "test.yaml")
        file.write_text(yaml.safe_dump(document, allow_unicode=True), "utf-8")
        try:
            (suite,) = suites([file])
            (result,) = run(suite)
        except PolicyError as error:
            first = error.problems[0]
            raise InputError(first.message, where=f"the request of test '{name}'", hint=first.hint) from error
    return result


def _stated(result: CaseResult, spec: dict[str, Any]) -> bool:
    """State what the test lacks, as the result says; False if it lacks nothing."""
    fields = {"cluster", "clock"}
    lacking = [yaml.safe_load(one.hint) for one in result.mismatches if one.field in fields and one.hint]
    for statement in lacking:
        for field, stated in statement.items():
            spec[field] = [*spec.get(field, ()), *stated] if isinstance(stated, list) else stated
    return bool(lacking)


def _expectation(result: CaseResult) -> dict[str, Any]:
    outcome = result.outcome
    violations = [one for evaluation in outcome.evaluations for one in evaluation.violations]
    expected: dict[str, Any] = {"allowed": outcome.last.allowed}
    if not outcome.last.allowed:
        expected["reason"] = outcome.last.reason
        expected["message"] = list(dict.fromkeys(one.message for one in violations)) or [outcome.last.message]
    expected["warnings"] = list(outcome.warnings)
    errors = [evaluation.error for evaluation in outcome.evaluations if evaluation.error]
    return {**expected, **({"errors": errors} if errors else {})}
