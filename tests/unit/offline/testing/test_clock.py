"""A test that would come out differently at another time has to say what time it is."""

# ruff: noqa: E501 - a rule is one line

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.support.policytests import LABELLED, NAMESPACE, Write, case, mismatches, results

TIMED = """
apiVersion: migguard.io/v1alpha1
kind: GuardPolicy
metadata: {name: timed}
spec:
  matchConstraints:
    resourceRules:
      - {apiGroups: [kubevirt.io], apiVersions: ["*"], resources: [virtualmachineinstancemigrations], operations: [CREATE]}
  validations:
    - {expression: EXPRESSION, message: not now}
"""
WINDOW = {"name": "new-year", "schedule": "0 0 31 12 *", "duration": "48h", "reason": "holiday"}


def clocks(folder: Path) -> list[str]:
    return [one for one in mismatches(folder) if one.startswith("clock:")]


@pytest.fixture(name="timed")
def a_timed_policy(write: Write) -> Write:
    """Like ``write``, with the expression of a further policy."""

    def timed(expression: str, *cases: dict[str, Any], **spec: Any) -> Path:
        folder = write(*(cases or (case({"allowed": True}),)), **spec)
        text = TIMED.replace("EXPRESSION", f'"{expression}"')
        (folder / "policies" / "demo" / "timed.yaml").write_text(text)
        return folder

    return timed


def test_a_fact_about_the_time_needs_a_time(timed: Write) -> None:
    expression = "timestamp(time.now) > timestamp('2020-01-01T00:00:00Z')"
    assert clocks(timed(expression)) == [
        "clock: fact time.now had a part in this, and the test does not say what time it is"
    ]
    assert clocks(timed(expression, now="2026-01-01")) == []
    assert clocks(timed(expression, case({"allowed": True}, now="2026-01-01"))) == []


def test_the_line_to_add_is_told_and_mends_the_test(timed: Write) -> None:
    expression = "timestamp(time.now) > timestamp('2020-01-01T00:00:00Z')"
    (result,) = results(timed(expression))
    (mismatch,) = result.mismatches
    assert re.fullmatch(r'now: "20\d\d-\d\d-\d\dT\d\d:\d\d:\d\dZ"', mismatch.hint)
    assert mismatches(timed(expression, **yaml.safe_load(mismatch.hint))) == []


def test_freezes_depend_on_the_time_where_there_are_windows(timed: Write) -> None:
    assert clocks(timed("!freeze.active || true")) == []
    told = clocks(timed("!freeze.active || true", parameters={"freezeWindows": [WINDOW]}))
    assert told == ["clock: fact freeze.active had a part in this, and the test does not say what time it is"]


@pytest.mark.parametrize(
    ("exempted", "told"),
    [
        pytest.param({}, True, id="whoever"),
        pytest.param({"expires": "2020-01-01", "starts": "2019-12-01"}, True, id="no-longer"),
        pytest.param({"namespaces": ["other"]}, False, id="elsewhere"),
        pytest.param({"policies": ["other"]}, False, id="from-another-policy"),
        pytest.param({"namespaceSelector": {"matchLabels": {"team": "a"}}}, True, id="by-labels-of-the-namespace"),
        pytest.param({"namespaceSelector": {"matchLabels": {"team": "b"}}}, False, id="by-labels-it-has-not"),
        pytest.param({"objectSelector": {"matchLabels": {"priority": "high"}}}, True, id="by-labels-of-the-object"),
        pytest.param({"objectSelector": {"matchLabels": {"priority": "low"}}}, False, id="by-labels-that-has-not"),
    ],
)
def test_the_dates_of_an_exemption_matter_where_the_rest_of_it_fits(
    write: Write, exempted: dict[str, Any], told: bool
) -> None:
    namespace = {**NAMESPACE, "metadata": {"name": "prod", "labels": {"team": "a"}}}
    one = case({"origin": "User"}, user="night-shift", object=LABELLED)
    folder = write(one, objects=[namespace], absent=[{"kind": "ClusterRole"}])
    file = folder / "policies" / "demo" / "policy.yaml"
    *policies, exemption = yaml.safe_load_all(file.read_text())
    exemption["spec"] |= exempted
    others = [{**policies[1], "metadata": {"name": "other"}, "spec": {**policies[1]["spec"], "origins": ["Drain"]}}]
    file.write_text(yaml.safe_dump_all([*policies, *others, exemption]))
    expected = "the dates of exemption until-new-year had a part in this, and the test does not say what time it is"
    assert clocks(folder) == ([f"clock: {expected}"] if told else [])


def test_an_exemption_of_somebody_else_does_not_ask_for_a_time(write: Write) -> None:
    assert mismatches(write(case({"allowed": True}))) == []
