"""JSON and YAML hold all of a report."""

from __future__ import annotations

import json

import yaml

from tests.support.findings import REPORT
from webhook.output.structured import as_json, as_yaml


def test_json_holds_everything_in_the_order_of_the_report() -> None:
    made = json.loads(as_json(REPORT))
    assert list(made) == ["command", "revision", "settings", "summary", "examined", "leftOut", "problems", "rules"]
    assert made["summary"] == {**REPORT.summary, "exitCode": 2}
    assert made["examined"][0]["findings"][0] == {
        "rule": "critical-flag",
        "level": "error",
        "message": "VirtualMachine prod/db is flagged critical",
        "hint": "ask a migration admin",
        "place": {"file": "apps/db.yaml", "line": 14, "column": 7},
        "subject": "VirtualMachine prod/db",
        "field": "metadata.labels",
        "properties": {"policy": "critical-flag", "code": 403},
    }
    assert made["examined"][0]["notes"] == ["another VM of this name is in staging"]
    assert made["examined"][2]["skipped"] == "exemption 'old-vms' lets it through"
    assert made["leftOut"] == {"no policy is about ConfigMap": 2}
    assert made["problems"] == [
        {
            "place": {"file": "apps/bad.yaml", "line": 3, "column": 5},
            "message": "not valid YAML",
            "hint": "check the indentation",
        }
    ]
    assert made["rules"][1] == {
        "name": "timeout-bounds",
        "title": "Timeouts have bounds",
        "severity": "low",
        "reference": "KubeVirt, user guide",
    }


def test_yaml_holds_the_same_without_anchors() -> None:
    assert yaml.safe_load(as_yaml(REPORT)) == json.loads(as_json(REPORT))
    assert "&id" not in as_yaml(REPORT)
