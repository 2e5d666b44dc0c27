"""All that keeps a policy set from being loaded, at once, each with its place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import (
    NOW,
    Json,
    binding,
    exemption,
    findings,
    linted,
    parameters,
    policy,
    rules_of,
    validation,
)
from webhook.admission.natives import CATALOG
from webhook.authoring.lint.run import lint
from webhook.errors import InputError, PolicyError
from webhook.policy import loader
from webhook.policy.compiled import compile_policies

WINDOW: Json = {"name": "w", "schedule": "* * * * *", "duration": "2h", "reason": "r"}


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        pytest.param([policy()], [], id="good"),
        pytest.param([policy(validationAction=["Deny"])], ["schema"], id="unknown-field"),
        pytest.param([policy(), "kind: GuardPolicyBindin\n"], ["schema"], id="unknown-kind"),
        pytest.param([policy(), "a: b\n"], ["schema"], id="no-kind"),
        pytest.param([policy(), "kind: Kustomization\n"], [], id="foreign-kind"),
        pytest.param([policy(), "a: [\n"], ["unreadable"], id="not-yaml"),
        pytest.param([policy(), "a: \x00\n"], ["unreadable"], id="control-character"),
        pytest.param([policy(validations=[validation("vmi.critcal")])], ["cel"], id="unknown-fact"),
        pytest.param([policy(validations=[validation("vmi.name")])], ["cel"], id="wrong-type"),
        pytest.param([policy(paramSchema={"type": "objekt"})], ["parameter"], id="no-schema"),
        pytest.param([policy(), binding(params={"a": 1})], ["parameter"], id="unknown-parameter"),
        pytest.param([policy(), parameters(params={"a": 1})], ["parameter"], id="unknown-shared-parameter"),
        pytest.param([policy(), policy()], ["duplicate-name"], id="two-policies"),
        pytest.param([policy(), binding(), binding()], ["duplicate-name"], id="two-bindings"),
        pytest.param([policy(), parameters(), parameters()], ["duplicate-name"], id="two-parameters"),
        pytest.param([policy(), binding("gard")], ["unknown-name"], id="binding-of-nothing"),
        pytest.param([policy(), exemption("guard", "gard")], ["unknown-name"], id="exemption-of-nothing"),
        pytest.param([policy(), exemption(expires="2026-13-01")], ["exemption-dates"], id="no-date"),
        pytest.param([policy(), exemption(expires="2027-01-01")], ["exemption-dates"], id="too-long"),
        pytest.param([policy(), exemption(starts="2026-06-01")], ["exemption-dates"], id="ends-before-it-starts"),
        pytest.param(
            [policy(), exemption(expires="2026-05-01"), parameters(exemptions={"maxDays": 7})],
            ["exemption-dates"],
            id="longer-than-parameters-allow",
        ),
        pytest.param([policy(), parameters(freezeWindows=[WINDOW])], ["freeze-window"], id="frozen-for-ever"),
        pytest.param([parameters()], ["not-loadable"], id="no-policy"),
    ],
)
def test_what_the_webhook_refuses_is_an_error(documents: list[Json | str], expected: list[str], tmp_path: Path) -> None:
    report = linted(tmp_path, *documents)
    assert [one.rule for one in report.findings] == expected
    assert report.exit_code == (1 if expected else 0)
    assert loads(tmp_path) is (not expected)


def loads(folder: Path) -> bool:
    """Whether the webhook would put the set in force."""
    try:
        documents = loader.load([folder], now=NOW)
    except PolicyError:
        return False
    return not compile_policies(documents, CATALOG)[1]


def test_everything_is_told_at_once(tmp_path: Path) -> None:
    found = rules_of(
        tmp_path,
        policy("a", validationAction=["Deny"]),
        policy("b", validations=[validation("vmi.critcal")]),
        policy("c", failurePolicy="Ignore"),
        binding("a"),
        binding("d", name="other"),
        "a: [\n",
    )
    assert found == ["cel", "deny-ignores-errors", "schema", "unknown-name", "unreadable"]


def test_a_parameter_may_be_that_of_a_policy_that_cannot_be_read(tmp_path: Path) -> None:
    broken = policy("a", validationAction=["Deny"], paramSchema={"type": "object", "properties": {"x": {}}})
    assert rules_of(tmp_path, broken, policy("b"), parameters(params={"x": 1})) == ["schema"]


def test_a_problem_has_its_place_and_a_hint(tmp_path: Path) -> None:
    (one,) = findings(tmp_path, policy(), binding("gard"))
    line = (tmp_path / "1.yaml").read_text("utf-8").splitlines()[one.place.line - 1]
    assert (one.place.file, line[one.place.column - 1 :]) == (str(tmp_path / "1.yaml"), "gard")
    assert (one.message, one.hint) == ("no GuardPolicy 'gard'", "did you mean 'guard'?")


def test_a_file_that_is_no_text_is_a_finding_and_the_others_are_linted(tmp_path: Path) -> None:
    (tmp_path / "z.yaml").write_bytes(b"\xff\xfe")
    report = linted(tmp_path, policy(failurePolicy="Ignore"))
    assert [one.rule for one in report.findings] == ["deny-ignores-errors", "unreadable"]
    assert [one.subject for one in report.examined] == ["GuardPolicy guard", str(tmp_path / "z.yaml")]


def test_a_path_that_is_missing_is_wrong_use(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        lint([[tmp_path / "missing"]], now=NOW)
