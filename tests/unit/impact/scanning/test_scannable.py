"""Which policies can judge what stands: by what they read, by what they match, and by their own word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.impact.scans import policy, ready
from webhook.errors import InputError
from webhook.impact.scanning.scannable import JUDGES_ACTS, NEEDS_REQUESTER, OUT_BY_ANNOTATION
from webhook.model.objects import GroupVersionResource

VMS = GroupVersionResource("kubevirt.io", "v1", "virtualmachines")


@pytest.mark.parametrize(
    ("made", "reason"),
    [
        pytest.param(policy("p", "true"), "", id="about-objects"),
        pytest.param(policy("p", "true", operations=["*"]), "", id="about-all-operations"),
        pytest.param(policy("p", "true", operations=["UPDATE", "DELETE"]), JUDGES_ACTS, id="about-changes"),
        pytest.param(policy("p", "true", resources=["pods/eviction"], group=""), JUDGES_ACTS, id="about-a-subresource"),
        pytest.param(policy("p", "requester.username != 'x'"), NEEDS_REQUESTER, id="username"),
        pytest.param(policy("p", "request.?userInfo.hasValue()"), NEEDS_REQUESTER, id="optional-access"),
        pytest.param(policy("p", "request['userInfo'] != null"), NEEDS_REQUESTER, id="index-access"),
        pytest.param(
            policy("p", "true", matchConditions=[{"name": "c", "expression": "requester.username == 'x'"}]),
            NEEDS_REQUESTER,
            id="in-a-condition",
        ),
        pytest.param(
            policy(
                "p",
                "variables.outer",
                variables=[
                    {"name": "inner", "expression": "request.userInfo.username == 'x'"},
                    {"name": "outer", "expression": "!variables.inner"},
                ],
            ),
            NEEDS_REQUESTER,
            id="through-variables",
        ),
        pytest.param(
            policy("p", "true", variables=[{"name": "unused", "expression": "requester.username == 'x'"}]),
            "",
            id="in-a-variable-that-decides-nothing",
        ),
        pytest.param(policy("p", "requester.origin == 'User'"), "", id="origin"),
        pytest.param(policy("p", "requester.canMigrate"), "", id="what-only-some-objects-may-need"),
        pytest.param(policy("p", "true", annotations={"migguard.io/scan": "never"}), OUT_BY_ANNOTATION, id="never"),
    ],
)
def test_a_policy_is_used_or_left_out_with_a_reason(tmp_path: Path, made: dict[str, Any], reason: str) -> None:
    found = ready(tmp_path, made)
    assert [one.name for one in found.objects] == ([] if reason else ["p"])
    assert dict(found.left_out) == ({reason: ("p",)} if reason else {})


def test_a_mutation_that_writes_the_requester_needs_one(tmp_path: Path) -> None:
    expression = "{'metadata': {'labels': {'by': requester.username}}}"
    mutation = {"name": "m", "patchType": "ApplyConfiguration", "expression": expression, "warning": "w"}
    assert ready(tmp_path, policy("p", mutations=[mutation])).left_out == {NEEDS_REQUESTER: ("p",)}


def test_each_resource_is_judged_by_the_policies_that_match_its_creation(tmp_path: Path) -> None:
    found = ready(
        tmp_path,
        policy("of-vms", "true"),
        policy("of-everything", "true", resources=["*"], group="*"),
        policy("of-vmis", "true", resources=["virtualmachineinstances"]),
        policy("of-others", "true", group="example.com"),
    )
    assert [one.name for one in found.judging(VMS).policies] == ["of-everything", "of-vms"]


def test_an_annotation_that_means_nothing_is_an_error_with_its_place(tmp_path: Path) -> None:
    with pytest.raises(
        InputError, match=r"policies.yaml:1:1: annotation .* 'somtimes' \(one of objects, migration, never"
    ):
        ready(tmp_path, policy("p", "true", annotations={"migguard.io/scan": "somtimes"}))
