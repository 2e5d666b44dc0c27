"""PolicyReports: one for each namespace with findings, bounded, the worst first, and true to the real CRDs."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from webhook.impact.scanning.judge import Scanned
from webhook.impact.scanning.policyreport import MAX_BYTES, MAX_TEXT, Form, reports
from webhook.model.objects import Object
from webhook.output.finding import Examined, Finding, Level, Report, Rule

CRDS = Path(__file__).parents[3] / "support" / "crds"
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
RULES = (
    Rule(name="critical-one", severity="critical", category="data-safety"),
    Rule(name="low-one", severity="low"),
    Rule(name="plain-one"),
)
LEVELS = {"fail": Level.ERROR, "error": Level.ERROR, "warn": Level.WARNING}


def finding(rule: str, result: str = "fail", namespace: str = "prod", name: str = "db", **fields: Any) -> Finding:
    about = {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "namespace": namespace, "name": name}
    properties = {"result": result, "validation": 0, "object": {key: item for key, item in about.items() if item}}
    fields = {"message": f"{name} is bad", "properties": properties, **fields}
    return Finding(rule=rule, level=LEVELS[result], subject=f"VirtualMachine {namespace}/{name}", **fields)


def scanned(*findings: Finding, passed: dict[str, int] | None = None, skipped: dict[str, int] | None = None) -> Scanned:
    examined = tuple(Examined(subject=one.subject, findings=(one,)) for one in findings)
    report = Report(command="scan", rules=RULES, examined=examined, revision="sha256:abc")
    return Scanned(report, passed or {}, skipped or {})


def made(result: Scanned, form: Form = Form.OPENREPORTS, limit: int = 200) -> dict[str, Object]:
    """The reports, by namespace."""
    return {one["metadata"].get("namespace", ""): one for one in reports(result, form, now=NOW, limit=limit)}


def schemas() -> dict[str, Any]:
    """The JSON Schemas of the real CRDs, by kind."""
    documents = [
        one
        for name in ("openreports", "policyreports")
        for one in yaml.safe_load_all((CRDS / f"{name}.yaml").read_text())
    ]
    return {one["spec"]["names"]["kind"]: one["spec"]["versions"][0]["schema"]["openAPIV3Schema"] for one in documents}


SCHEMAS = schemas()


def strict(schema: Any) -> Any:
    """The same schema, which knows no fields but its own: the API server refuses or drops others."""
    if not isinstance(schema, dict):
        return schema
    found = {key: strict(item) for key, item in schema.items()}
    if "properties" in schema and isinstance(schema.get("type"), str):
        found["properties"] = {key: strict(item) for key, item in schema["properties"].items()}
        found["additionalProperties"] = False
    return found


def check(report: Object) -> None:
    schema = strict(SCHEMAS[report["kind"]])
    schema["properties"]["metadata"] = {"type": "object"}
    jsonschema.Draft202012Validator(schema).validate(report)


class TestShape:
    @pytest.mark.parametrize(
        ("form", "api", "kinds"),
        [
            (Form.OPENREPORTS, "openreports.io/v1alpha1", ["ClusterReport", "Report"]),
            (Form.WGPOLICY, "wgpolicyk8s.io/v1alpha2", ["ClusterPolicyReport", "PolicyReport"]),
        ],
    )
    def test_there_is_one_for_the_cluster_and_one_for_each_namespace_with_findings(
        self, form: Form, api: str, kinds: list[str]
    ) -> None:
        found = made(scanned(finding("low-one"), finding("low-one", namespace="")), form)
        assert list(found) == ["", "prod"]
        assert [one["kind"] for one in found.values()] == kinds
        for one in found.values():
            check(one)
            assert one["apiVersion"] == api
            assert one["metadata"]["name"] == "migguard"
            assert one["metadata"]["labels"] == {"app.kubernetes.io/managed-by": "migguard"}
            assert one["metadata"]["annotations"] == {"migguard.io/policy-revision": "sha256:abc"}

    def test_that_of_the_cluster_is_there_also_where_nothing_is_found(self) -> None:
        (report,) = made(scanned(passed={"": 3, "prod": 9})).values()
        assert report["summary"] == {"fail": 0, "error": 0, "warn": 0, "pass": 3, "skip": 0}
        assert report["results"] == []

    def test_a_result_says_which_policy_found_what_in_which_object_and_what_to_do(self) -> None:
        one = finding("critical-one", hint="run: oc delete", field="spec.running")
        (result,) = made(scanned(one))["prod"]["results"]
        assert result == {
            "source": "migguard",
            "policy": "critical-one",
            "rule": "validations[0]",
            "category": "data-safety",
            "severity": "critical",
            "timestamp": {"seconds": int(NOW.timestamp()), "nanos": 0},
            "result": "fail",
            "scored": True,
            "message": "db is bad",
            "resources": [
                {"apiVersion": "kubevirt.io/v1", "kind": "VirtualMachine", "namespace": "prod", "name": "db"}
            ],
            "properties": {"remediation": "run: oc delete", "field": "spec.running"},
        }

    def test_what_is_about_no_object_names_none(self) -> None:
        expired = Finding(rule="low-one", level=Level.WARNING, message="over", properties={"result": "warn"})
        (result,) = made(scanned(expired))[""]["results"]
        assert not {"resources", "rule"} & result.keys()


class TestUnread:
    def test_every_report_names_what_could_not_be_read(self) -> None:
        part = replace(scanned(finding("low-one")), unread=("nodes", "virtualmachines.kubevirt.io"))
        for report in made(part).values():
            assert report["metadata"]["annotations"] == {
                "migguard.io/policy-revision": "sha256:abc",
                "migguard.io/not-scanned": "nodes, virtualmachines.kubevirt.io",
            }
            check(report)


class TestOrder:
    def test_failures_come_first_then_errors_then_warnings_each_by_severity(self) -> None:
        findings = [
            finding("low-one", "warn"),
            finding("critical-one", "warn"),
            finding("plain-one", "error"),
            finding("plain-one", "fail"),
            finding("low-one", "fail", name="b"),
            finding("low-one", "fail", name="a"),
            finding("critical-one", "fail"),
        ]
        listed = made(scanned(*findings))["prod"]["results"]
        assert [(one["result"], one["policy"], one["resources"][0]["name"]) for one in listed] == [
            ("fail", "critical-one", "db"),
            ("fail", "low-one", "a"),
            ("fail", "low-one", "b"),
            ("fail", "plain-one", "db"),
            ("error", "plain-one", "db"),
            ("warn", "critical-one", "db"),
            ("warn", "low-one", "db"),
        ]

    @given(order=st.permutations(range(6)))
    def test_whatever_the_order_in_which_things_were_found(self, order: list[int]) -> None:
        results = [finding("low-one", result, name=name) for result in LEVELS for name in ("a", "b")]
        assert made(scanned(*(results[index] for index in order))) == made(scanned(*results))


class TestBounds:
    def test_what_is_cut_is_counted_in_the_summary_and_said(self) -> None:
        many = [finding("low-one", "warn", name=f"vm-{number:03}") for number in range(300)]
        report = made(scanned(*many, finding("critical-one"), passed={"prod": 7}, skipped={"prod": 2}))["prod"]
        assert len(report["results"]) == 200
        assert report["results"][0]["policy"] == "critical-one"
        assert report["summary"] == {"fail": 1, "error": 0, "warn": 300, "pass": 7, "skip": 2}
        assert report["metadata"]["annotations"]["migguard.io/results-cut"] == "101"
        check(report)

    def test_a_report_never_grows_beyond_what_etcd_takes(self) -> None:
        long = [finding("low-one", name=f"vm-{number:05}", message="語" * 5_000) for number in range(1_000)]
        report = made(scanned(*long), limit=10_000)["prod"]
        assert MAX_BYTES / 2 < len(json.dumps(report)) < 1024 * 1024
        cut = int(report["metadata"]["annotations"]["migguard.io/results-cut"])
        assert (cut + len(report["results"]), report["summary"]["fail"]) == (1_000, 1_000)

    def test_a_long_message_is_shortened_and_control_characters_are_gone(self) -> None:
        (result,) = made(scanned(finding("low-one", message="\x1b[2J" + "x" * 2_000)))["prod"]["results"]
        assert len(result["message"]) == MAX_TEXT
        assert result["message"].startswith("[2Jxxx")
        assert result["message"].endswith("…")
