"""Whole runs: the built-in policies, several sets, order, levels."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

import yaml
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.unit.authoring.lint.linting import NOW, Json, binding, exemption, findings, linted, parameters, policy
from webhook.authoring.lint.run import lint
from webhook.output.finding import Level

ROOT = Path(__file__).parents[4]


def test_the_built_in_policies_are_clean() -> None:
    report = lint([[ROOT / "policies"]], now=NOW)
    assert [str(one.place) + " " + one.message for one in report.findings] == []
    assert len(report.examined) == len(list((ROOT / "policies").glob("*/policy.yaml"))) + 1


def test_sets_are_independent_of_each_other(tmp_path: Path) -> None:
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        linted(tmp_path / name, policy())
    assert lint([[tmp_path / "a"], [tmp_path / "b"]], now=NOW).exit_code == 0
    together = lint([[tmp_path / "a", tmp_path / "b"]], now=NOW)
    assert {one.rule for one in together.findings} == {"duplicate-name"}


def test_a_base_and_its_overlay_are_one_set(tmp_path: Path) -> None:
    for name in ("base", "overlay"):
        (tmp_path / name).mkdir()
    linted(tmp_path / "base", policy())
    (tmp_path / "overlay" / "b.yaml").write_text(yaml.safe_dump(binding()), "utf-8")
    assert lint([[tmp_path / "base", tmp_path / "overlay"]], now=NOW).findings == ()


def test_findings_of_lower_levels_are_left_out(tmp_path: Path) -> None:
    linted(tmp_path, policy(failurePolicy="Ignore", notes={"migguard.io/category": ""}), binding("gard"))
    counts = [
        len(lint([[tmp_path]], now=NOW, least=least).findings) for least in (Level.ERROR, Level.WARNING, Level.NOTE)
    ]
    assert counts == [1, 2, 3]


def test_the_worst_comes_first_then_what_stands_first(tmp_path: Path) -> None:
    spoilt = policy(
        failurePolicy="Ignore", notes={"migguard.io/title": "", "migguard.io/category": ""}, origins=["Drain"]
    )
    assert [one.rule for one in findings(tmp_path, spoilt)] == [
        "no-title",
        "deny-ignores-errors",
        "origin-never-asks",
        "no-category",
    ]


def test_the_same_input_gives_the_same_report(tmp_path: Path) -> None:
    documents = [policy(failurePolicy="Ignore"), exemption(namespaces=None), binding("gard")]
    assert linted(tmp_path, *documents) == linted(tmp_path, *documents)


def test_every_document_is_examined(tmp_path: Path) -> None:
    report = linted(tmp_path, policy(), binding(), exemption())
    assert [one.subject for one in report.examined] == [
        "GuardPolicy guard",
        "GuardPolicyBinding bound",
        "Exemption spared",
    ]


GOOD = (policy(), binding(params={"a": 1}), exemption(), parameters(exemptions={"maxDays": 9}))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=6) | st.sampled_from(["object.a", "*", "Group", "~"]),
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(st.text(max_size=6), inner, max_size=2),
    max_leaves=6,
)


@st.composite
def mangled(draw: st.DrawFn) -> Json:
    """A good document of which some part is replaced by arbitrary JSON."""

    def mangle(node: Any) -> Any:
        if isinstance(node, dict) and node and draw(st.integers(0, 4)):
            key = draw(st.sampled_from(sorted(node)))
            return {**node, key: mangle(node[key])}
        if isinstance(node, list) and node and draw(st.integers(0, 4)):
            return [mangle(node[0]), *node[1:]]
        return draw(JSON)

    found: Json = mangle(draw(st.sampled_from(GOOD)))
    return found


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(st.lists(mangled(), min_size=1, max_size=3))
def test_no_document_breaks_lint_and_each_finding_has_a_place(documents: list[Json]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        for one in linted(Path(folder), policy("other"), *documents).findings:
            assert Path(one.place.file).is_relative_to(folder)
            assert one.message
