"""Metrics with bounded labels, and logs without secrets."""

import io
import json
import logging
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import generate_latest

from webhook.model.decision import Decision, Evaluation, Result
from webhook.model.objects import GroupVersionKind, GroupVersionResource
from webhook.model.request import AdmissionRequest, Operation, Phase, UserInfo
from webhook.telemetry import JSONFormatter, Metrics, State, TextFormatter, configure_logging, redact


def vmim(resource="virtualmachineinstancemigrations", *, dry_run=False) -> AdmissionRequest:
    return AdmissionRequest(
        uid="u",
        kind=GroupVersionKind("kubevirt.io", "v1", "VirtualMachineInstanceMigration"),
        resource=GroupVersionResource("kubevirt.io", "v1", resource),
        operation=Operation.CREATE,
        user=UserInfo(username="alice"),
        dry_run=dry_run,
    )


def decision(**changes) -> Decision:
    return Decision(
        **{"id": "d", "uid": "u", "allowed": True, "origin": "User", "seconds": {"total": 0.004}, **changes}
    )


@pytest.fixture(name="metrics")
def metrics_of_a_vmim_guard() -> Metrics:
    return Metrics({"virtualmachineinstancemigrations.kubevirt.io"})


def labels(**changes) -> dict[str, str]:
    return {
        "phase": "validate",
        "operation": "CREATE",
        "resource": "virtualmachineinstancemigrations.kubevirt.io",
        "origin": "User",
        "result": "allowed",
        "dry_run": "false",
        **changes,
    }


@pytest.mark.parametrize(
    ("request_", "decided", "expected"),
    [
        pytest.param(vmim(), decision(), labels(), id="allowed"),
        pytest.param(vmim(), decision(allowed=False), labels(result="denied"), id="denied"),
        pytest.param(vmim(), decision(warnings=("w",)), labels(result="warned"), id="warned"),
        pytest.param(vmim(), decision(patch=({"op": "add"},)), labels(result="mutated"), id="mutated"),
        pytest.param(vmim(dry_run=True), decision(), labels(dry_run="true"), id="dry-run"),
        pytest.param(vmim("made-up"), decision(), labels(resource="other"), id="unknown-resource"),
        pytest.param(vmim(), decision(origin="evil\n"), labels(origin="unknown"), id="unknown-origin"),
    ],
)
def test_a_decision_is_counted_under_bounded_labels(metrics, request_, decided, expected):
    metrics.decided(request_, Phase.VALIDATE, decided)
    assert metrics.registry.get_sample_value("migguard_decisions_total", expected) == 1


def test_results_and_time_of_a_decision_are_counted(metrics):
    results = (Evaluation(policy="p", result=Result.PASS), Evaluation(policy="q", result=Result.ERROR))
    metrics.decided(vmim(), Phase.MUTATE, decision(evaluations=results))
    value = metrics.registry.get_sample_value
    assert value("migguard_policy_results_total", {"policy": "p", "result": "pass"}) == 1
    assert value("migguard_policy_results_total", {"policy": "q", "result": "error"}) == 1
    assert value("migguard_decision_seconds_bucket", {"phase": "mutate", "le": "0.005"}) == 1
    assert value("migguard_decision_seconds_bucket", {"phase": "mutate", "le": "0.0025"}) == 0


def test_events_are_counted(metrics):
    metrics.reloaded(ok=True)
    metrics.reloaded(ok=False)
    metrics.recorded(ok=True)
    metrics.recorded(ok=False)
    metrics.refused(415)
    metrics.certificate_expires(datetime(2026, 1, 1, tzinfo=UTC))
    value = metrics.registry.get_sample_value
    assert value("migguard_policy_reload_total", {"result": "success"}) == 1
    assert value("migguard_policy_reload_total", {"result": "error"}) == 1
    assert value("migguard_audit_records_total") == 1
    assert value("migguard_audit_failures_total") == 1
    assert value("migguard_review_errors_total", {"status": "415"}) == 1
    assert value("migguard_certificate_expiry_timestamp_seconds") == 1767225600


def test_state_is_read_at_each_scrape(metrics):
    states = [
        State(),
        State(
            revision="sha256:1",
            policies=3,
            policy_problem=True,
            cache_objects={"nodes": 2},
            cache_staleness={"nodes": 1.5},
        ),
    ]
    metrics.watch(lambda: states[-1])
    value = metrics.registry.get_sample_value
    assert value("migguard_policy_set_info", {"revision": "sha256:1"}) == 1
    assert value("migguard_policies_loaded") == 3
    assert value("migguard_policy_problem") == 1
    assert value("migguard_cache_objects", {"resource": "nodes"}) == 2
    assert value("migguard_cache_staleness_seconds", {"resource": "nodes"}) == 1.5
    states.pop()
    assert value("migguard_policies_loaded") == 0
    assert value("migguard_policy_set_info", {"revision": "sha256:1"}) is None


def test_all_metrics_can_be_scraped_and_bear_the_prefix(metrics):
    metrics.watch(State)
    families = [line for line in generate_latest(metrics.registry).decode().splitlines() if line.startswith("# TYPE")]
    names = {line.split()[2] for line in families}
    assert {name for name in names if not name.startswith(("process_", "python_"))} >= {"migguard_decisions_total"}
    assert all(name.startswith(("migguard_", "process_", "python_")) for name in names)


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefghijklmnop",
        "{'authorization': 'Bearer abcdefghijklmnop'}",
        'headers {"Authorization":"Basic abcdefghijklmnop="}',
        "sent bearer abcdefghijklmnop to the server",
        "https://host/?access_token=abcdefghijklmnop&x=1",
        'token: "abcdefghijklmnop"',
        "password=abcdefghijklmnop",
        "a JWT eyJhbGciOi.eyJhbcdefghijklmnop.abcdefghijklmnop",
        "-----BEGIN EC PRIVATE KEY-----\nabcdefghijklmnop\n-----END EC PRIVATE KEY-----",
    ],
)
def test_secrets_are_taken_out(text):
    assert "abcdefghijklmnop" not in redact(text)
    assert "[redacted]" in redact(text)


@pytest.mark.parametrize(
    "text",
    ["policies loaded", "alice lacks create virtualmachineinstancemigrations.kubevirt.io -n prod", "a bearer of news"],
)
def test_plain_text_is_left_alone(text):
    assert redact(text) == text


def logged(formatter: logging.Formatter, message: str, *args: object, level=logging.INFO, **extra: object) -> str:
    record = logging.LogRecord("webhook.test", level, __file__, 1, message, args, None)
    vars(record).update(extra)
    return formatter.format(record)


@given(st.text(), st.text())
def test_a_json_log_line_is_one_line_of_json(message, value):
    line = logged(JSONFormatter(), "%s", message, decision_id=value)
    assert "\n" not in line
    assert {"time", "level", "logger", "message", "decision_id"} <= json.loads(line).keys()


def test_a_json_log_line_has_its_fields_and_no_secret():
    line = json.loads(logged(JSONFormatter(), "loaded %d", 3, revision="r", problems=["token=abcdef"], count=2))
    assert line["message"] == "loaded 3"
    assert (line["level"], line["logger"]) == ("info", "webhook.test")
    assert (line["revision"], line["count"]) == ("r", 2)
    assert line["problems"] == ["token=[redacted]"]


def test_a_text_log_line_shows_severity_fields_and_lists():
    line = logged(
        TextFormatter(), "reload failed", level=logging.ERROR, revision="r", problems=["a:1: wrong", "b:2: too"]
    )
    assert line == "migguard: error: reload failed (revision: r)\n  a:1: wrong\n  b:2: too"


def test_a_traceback_is_kept_in_both_forms():
    error = ValueError("token=abcdefghijk")
    record = logging.LogRecord("x", logging.ERROR, __file__, 1, "failed", (), (ValueError, error, None))
    assert "ValueError: token=[redacted]" in json.loads(JSONFormatter().format(record))["traceback"]
    assert "ValueError: token=[redacted]" in TextFormatter().format(record)


@pytest.fixture(name="untouched_logging")
def restore_logging():
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = handlers, level


@pytest.mark.usefixtures("untouched_logging")
@pytest.mark.parametrize(("form", "begins"), [("json", '{"time":'), ("text", "migguard: hello"), ("auto", '{"time":')])
def test_logs_go_to_one_stream_in_the_chosen_form(form, begins):
    stream = io.StringIO()
    configure_logging(form, "info", stream)
    logging.getLogger("webhook").info("hello")
    logging.getLogger("urllib3").info("library chatter")
    assert stream.getvalue().startswith(begins)
    assert len(stream.getvalue().splitlines()) == 1
