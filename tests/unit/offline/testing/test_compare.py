"""Expectations as authors write them: which pass, and what is told of those that do not."""

# ruff: noqa: E501 - a case is one line

from typing import Any

import pytest

from tests.support.policytests import LABELLED, MIGRATION, Write, case, mismatches, results


@pytest.mark.parametrize(
    "one",
    [
        pytest.param(case({"allowed": True, "code": 200}), id="an-allowed-request"),
        pytest.param(case({"allowed": False, "code": 422, "reason": "Invalid"}, user="bob"), id="a-refused-request"),
        pytest.param(case({"policy": "may-migrate"}, user="bob"), id="the-policy-that-refuses"),
        pytest.param(case({"policy": "priority"}), id="the-policy-that-changes"),
        pytest.param(case({"message": ["bob may", "/refused by .* bob/"]}, user="bob"), id="parts-of-the-message"),
        pytest.param(case({"message": []}), id="no-message"),
        pytest.param(case({"warnings": "the priority was set"}), id="a-warning"),
        pytest.param(case({"warnings": []}, object=LABELLED, phase="validate"), id="no-warning"),
        pytest.param(case({"patched": {"metadata": {"labels": {"priority": "normal"}}}}), id="a-part-of-the-changed-object"),
        pytest.param(
            case({"patch": [{"op": "add", "path": "/metadata/labels", "value": {"priority": "normal"}}]}), id="the-patch"
        ),
        pytest.param(case({"auditAnnotations": {"may-migrate.asked-by": "alice", "other": None}}), id="audit-annotations"),
        pytest.param(case({"allowed": False, "message": "needs a priority"}, phase="validate"), id="validation-alone"),
        pytest.param(case({"allowed": True, "warnings": ["priority"]}, phase="mutate", user="bob"), id="mutation-alone"),
        pytest.param(
            case({"errors": ["/size.*is not a quantity|'big' is not a quantity/"], "allowed": False},
                 object={**MIGRATION, "metadata": {"namespace": "prod", "name": "x", "labels": {"size": "big"}}}),
            id="an-expected-error-of-evaluation",
        ),
    ],
)  # fmt: skip
def test_a_true_expectation_passes(write: Write, one: dict[str, Any]) -> None:
    assert mismatches(write(one)) == []


@pytest.mark.parametrize(
    ("one", "told"),
    [
        pytest.param(case({"allowed": False}), "allowed: expected false, got true", id="allowed"),
        pytest.param(case({"code": 403}, user="bob"), "code: expected 403, got 422", id="code"),
        pytest.param(case({"policy": "priority"}, user="bob"), "policy: expected priority, got may-migrate", id="policy"),
        pytest.param(case({"message": "carol"}, user="bob"), 'message: expected "carol", got "VirtualMachineInstance', id="message"),
        pytest.param(case({"message": []}, user="bob"), 'message: expected none, got "Virtual', id="any-message"),
        pytest.param(case({"warnings": "disk"}), 'warnings: expected "disk", got ["policy priority: the', id="warning"),
        pytest.param(case({"warnings": []}), 'warnings: expected none, got ["policy priority: the', id="any-warning"),
        pytest.param(case({"patch": []}), 'patch: expected [], got [{"op": "add"', id="patch"),
        pytest.param(case({"patched": {"spec": {"vmiName": "web"}}}), 'patched.spec.vmiName: expected "web", got "db"', id="patched"),
        pytest.param(case({"patched": {"spec": {"x": True}}}), "patched.spec.x: expected true, got nothing there", id="patched-absent"),
        pytest.param(case({"auditAnnotations": {"may-migrate.asked-by": None}}), 'auditAnnotations.may-migrate.asked-by: expected none, got "alice"', id="annotation"),
        pytest.param(case({"auditAnnotations": {"x": "y"}}), 'auditAnnotations.x: expected "y", got none', id="no-annotation"),
        pytest.param(case({"errors": ["boom"], "allowed": True}), 'errors: expected "boom", got []', id="no-error"),
        pytest.param(
            case({"allowed": False}, object={**MIGRATION, "metadata": {"namespace": "prod", "name": "x", "labels": {"size": "big"}}}),
            "errors: expected none, got \"policy priority:",
            id="an-error-nobody-expected",
        ),
    ],
)  # fmt: skip
def test_a_false_expectation_fails_with_what_came_instead(write: Write, one: dict[str, Any], told: str) -> None:
    found = mismatches(write(one))
    assert len(found) == 1
    assert found[0].startswith(told)


@pytest.mark.parametrize(
    ("expect", "user", "told"),
    [
        pytest.param({"origin": "User"}, "alice", [], id="origin"),
        pytest.param({"origin": "Drain"}, "alice", ["origin: expected Drain, got User"], id="another-origin"),
        pytest.param({"facts": {"requester.canMigrate": True}}, "alice", [], id="fact"),
        pytest.param({"facts": {"requester.canMigrate": True}}, "bob", ["facts.requester.canMigrate: expected true, got false"], id="another-value-of-a-fact"),
        pytest.param({"facts": {"vmi.found": True}}, "alice", ["facts.vmi.found: expected true, got nothing: no policy that was judged reads it"], id="a-fact-nobody-reads"),
        pytest.param({"results": {"may-migrate": "pass", "priority": "pass"}}, "alice", [], id="results"),
        pytest.param({"results": {"may-migrate": "fail"}}, "bob", [], id="the-result-that-refuses"),
        pytest.param({"results": {"may-migrate": "none"}}, "bob", ["results.may-migrate: expected none, got fail"], id="another-result"),
        pytest.param({"results": {"may-migrate": "skip"}, "exemption": "until-new-year"}, "night-shift", [], id="exemption"),
        pytest.param({"exemption": ""}, "night-shift", ["exemption: expected none, got until-new-year"], id="an-exemption-nobody-expected"),
        pytest.param({"exemption": "until-new-year"}, "alice", ["exemption: expected until-new-year, got none"], id="no-exemption"),
    ],
)  # fmt: skip
def test_how_it_came_to_the_decision_can_be_expected_too(
    write: Write, expect: dict[str, Any], user: str, told: list[str]
) -> None:
    assert mismatches(write(case(expect, user=user), now="2026-12-24")) == told


def test_a_text_that_was_not_found_is_kept_beside_what_was_there(write: Write) -> None:
    (result,) = results(write(case({"message": "carol may not"}, user="bob")))
    (mismatch,) = result.mismatches
    assert mismatch.wanted == "carol may not"
    assert mismatch.found == (result.outcome.last.message,)
