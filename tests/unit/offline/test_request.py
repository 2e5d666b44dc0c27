"""Requests as the API server makes them of what a case says."""

import json
from typing import Any

import pytest

from tests.support.policytests import MIGRATION, Write, case, results
from webhook.offline.request import RequestError, request_of, user_of


def test_a_kind_that_is_not_known_needs_its_resource(write: Write) -> None:
    widget = {"apiVersion": "example.io/v1", "kind": "Widget", "metadata": {"name": "x"}}
    (result,) = results(
        write(case({"allowed": True}, object=widget, resource="widgets", subresource="status", dryRun=True))
    )
    assert result.passed
    request = result.case.request
    assert (str(request.resource), request.subresource, request.namespace) == ("widgets.example.io", "status", "")
    assert request.dry_run


def test_what_is_written_to_a_subresource_may_be_of_a_kind_of_its_own(write: Write) -> None:
    eviction = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": "x", "namespace": "prod"}}
    (result,) = results(write(case({"allowed": True}, object=eviction, resource="pods", subresource="eviction")))
    request = result.case.request
    assert (request.kind.kind, request.resource.group, str(request.resource)) == ("Eviction", "", "pods")
    assert (request.subresource, request.namespace) == ("eviction", "prod")


@pytest.mark.parametrize(
    ("user", "groups"),
    [
        ({"username": "alice", "groups": ["devs"]}, ("devs", "system:authenticated")),
        (
            {"username": "system:serviceaccount:ci:robot"},
            ("system:serviceaccounts", "system:serviceaccounts:ci", "system:authenticated"),
        ),
        ({"username": "system:anonymous"}, ("system:unauthenticated",)),
    ],
)
def test_a_user_gets_the_groups_that_authentication_adds(user: dict[str, Any], groups: tuple[str, ...]) -> None:
    assert user_of(user).groups == groups


REVIEW = {
    "apiVersion": "admission.k8s.io/v1",
    "kind": "AdmissionReview",
    "request": {
        "uid": "1",
        "kind": {"group": "kubevirt.io", "version": "v1", "kind": "VirtualMachineInstanceMigration"},
        "resource": {"group": "kubevirt.io", "version": "v1", "resource": "virtualmachineinstancemigrations"},
        "name": "move",
        "namespace": "prod",
        "operation": "CREATE",
        "userInfo": {"username": "bob"},
        "object": MIGRATION,
    },
}


def test_a_whole_admission_review_can_be_the_request(write: Write) -> None:
    inline = {"name": "inline", "review": REVIEW, "expect": {"allowed": False, "message": "bob may not"}}
    file = {"name": "file", "reviewFrom": "review.json", "expect": {"allowed": False, "message": "bob may not"}}
    folder = write(inline, file)
    (folder / "policies/demo/tests/review.json").write_text(json.dumps(REVIEW))
    assert [result.mismatches for result in results(folder)] == [(), ()]


@pytest.mark.parametrize(
    ("given", "path", "message"),
    [
        pytest.param({"review": {**REVIEW, "kind": "Review"}}, ("review",), "not an AdmissionReview", id="no-review"),
        pytest.param(
            {"review": {**REVIEW, "request": {"uid": "1"}}}, ("review",), "request.operation is", id="no-operation"
        ),
        pytest.param({"review": REVIEW, "operation": "DELETE"}, ("operation",), "both given", id="two-operations"),
        pytest.param({"review": REVIEW, "user": {"username": "eve"}}, ("user",), "both given", id="two-users"),
    ],
)
def test_a_review_that_cannot_be_used_is_told(given: dict[str, Any], path: tuple[str, ...], message: str) -> None:
    with pytest.raises(RequestError, match=message) as raised:
        request_of(given, "uid")
    assert raised.value.path[:1] == path
