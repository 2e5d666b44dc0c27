"""The runtime on manifests: what it decides, records, reloads, and says about its readiness."""

import json
import logging
import os
import threading
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

import pytest

from tests.support.process import until
from tests.support.reviews import POLICY, body, small_world
from webhook.admission.pipeline import World
from webhook.admission.review import parse
from webhook.cluster.store import Store
from webhook.errors import AuditError, InputError, PolicyError, UsageError
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import RESOURCES
from webhook.model.facts import Deadline
from webhook.model.request import Phase
from webhook.runtime import Runtime, _Cluster
from webhook.settings import Settings

TIME = datetime(2026, 3, 1, tzinfo=UTC)


@pytest.fixture(name="settings")
def settings_of_a_small_world(tmp_path) -> Settings:
    policies, cluster = small_world(tmp_path)
    return Settings(
        policies=(policies,), cluster=(cluster,), audit_log=tmp_path / "audit.jsonl", replica="r-1", cluster_name="east"
    )


@pytest.fixture(name="runtime")
def runtime_that_is_stopped(settings) -> Iterator[Runtime]:
    runtime = Runtime(settings, clock=lambda: TIME)
    yield runtime
    runtime.stop()


def decide(runtime: Runtime, name: str = "move"):
    request = parse(body(name))
    return request, runtime.decide(request, Phase.VALIDATE, Deadline.after(5), "d-1")


def records(settings: Settings) -> list[Any]:
    assert settings.audit_log is not None
    return [json.loads(line) for line in settings.audit_log.read_text().splitlines()]


def until_reloaded(runtime: Runtime, result: str) -> None:
    """Wait for the reload thread, which may take a second."""
    done = threading.Event()
    for _ in range(100):
        if runtime.metrics.registry.get_sample_value("migguard_policy_reload_total", {"result": result}):
            return
        done.wait(0.05)
    raise AssertionError("not reloaded within 5 s")


@pytest.mark.parametrize(("name", "allowed"), [("move", True), ("forbidden", False)])
def test_requests_are_decided_by_the_policies_on_disk(runtime, name, allowed):
    _, decision = decide(runtime, name)
    assert (decision.allowed, decision.id) == (allowed, "d-1")


def test_a_record_says_when_and_where_it_was_decided(runtime, settings):
    request, decision = decide(runtime)
    runtime.record(request, Phase.VALIDATE, decision)
    (found,) = records(settings)
    assert found["timestamp"] == "2026-03-01T00:00:00.000000Z"
    assert found["labels"]["id"] == "r-1"
    assert found["labels"]["cluster"] == "east"
    assert runtime.metrics.registry.get_sample_value("migguard_audit_records_total") == 1


def test_a_record_has_what_the_decision_can_be_made_again_from(runtime, settings):
    request, decision = decide(runtime)
    runtime.record(request, Phase.VALIDATE, decision)
    (found,) = records(settings)
    kept = found["input"]["request"]["object"]
    assert (kept["metadata"]["name"], kept["spec"]) == ("move", {"vmiName": "db"})
    assert found["input"]["namespaceObject"]["metadata"]["name"] == "prod"
    assert set(found["input"]["parameters"]) >= {"critical", "freezeWindows", "installNamespaces"}


def test_what_is_kept_follows_the_policies_in_force(runtime, settings):
    request = parse(body("move"))
    assert request.object is not None
    noted = replace(request, object={**request.object, "extra": {"read": 1, "not": 2}})
    (settings.policies[0] / "policy.yaml").write_text(POLICY.replace("object.metadata.name", "object.extra.read"))
    runtime.reload_soon()
    runtime._look()
    runtime.record(noted, Phase.VALIDATE, runtime.decide(noted, Phase.VALIDATE, Deadline.after(5), "d-1"))
    (found,) = records(settings)
    assert found["input"]["request"]["object"]["extra"] == {"read": 1, "…": ["not"]}


def test_a_record_that_cannot_be_written_is_counted_and_told(runtime, monkeypatch):
    def full(_):
        raise AuditError("full")

    monkeypatch.setattr(runtime._audit, "write", full)
    request, decision = decide(runtime)
    with pytest.raises(AuditError):
        runtime.record(request, Phase.VALIDATE, decision)
    assert runtime.metrics.registry.get_sample_value("migguard_audit_failures_total") == 1


def test_what_is_undecided_bears_the_policy_set_that_was_in_force(runtime):
    request, decided = decide(runtime)
    undecided = runtime.undecided(request, Phase.VALIDATE, "why", "d-2")
    assert not undecided.allowed
    assert undecided.revision == decided.revision != ""


def test_on_manifests_it_is_ready_at_once_and_says_with_what(runtime):
    assert runtime.ready
    texts = {condition.name: condition.message for condition in runtime.conditions()}
    assert texts["policies"].startswith("1 policies in force, revision sha256:")
    assert texts["cluster"] == "1 objects from manifests"


def test_while_it_drains_it_is_not_ready_but_decides(runtime):
    runtime.drain()
    assert [condition.name for condition in runtime.conditions() if not condition.ok] == ["serving"]
    assert decide(runtime)[1].allowed


@pytest.fixture(name="live")
def live_cluster_that_a_test_plays(runtime):
    """Put a live cluster in the place of the manifests: its store, and the problems that it will tell."""
    store = Store(RESOURCES, max_staleness=120)
    problems: list[str] = []
    live = SimpleNamespace(problems=lambda: problems, start=lambda: None, stop=lambda: None)
    runtime._cluster = _Cluster(World(store, RBACAuthorizer(store), None), store, live)  # type: ignore[arg-type]  # a fake
    return store, problems


def test_until_the_caches_are_synced_it_is_not_ready_and_says_why(runtime, live):
    store, problems = live
    assert not runtime.ready
    assert runtime.conditions()[2].message.endswith("resources are not listed yet")
    problems += ["nodes have not been listed yet: connection refused", "more"]
    assert runtime.conditions()[2].message == "nodes have not been listed yet: connection refused (and 1 more)"
    for watched in RESOURCES:
        store.replace(watched, ())
    problems.clear()
    assert runtime.ready


def test_caches_that_become_stale_show_but_do_not_take_the_replica_away(runtime, live):
    store, problems = live
    for watched in RESOURCES:
        store.replace(watched, ())
    problems.append("no contact for 130 s")
    assert runtime.ready
    assert runtime.conditions()[2].message == "0 objects cached; trouble: no contact for 130 s"
    staleness = runtime.metrics.registry.get_sample_value("migguard_cache_staleness_seconds", {"resource": "nodes"})
    assert staleness is not None


def test_state_is_shown_as_metrics(runtime):
    value = runtime.metrics.registry.get_sample_value
    assert value("migguard_policies_loaded") == 1
    assert value("migguard_policy_problem") == 0
    assert value("migguard_cache_objects", {"resource": "namespaces"}) == 1
    assert value("migguard_cache_staleness_seconds", {"resource": "namespaces"}) is None


def test_an_edited_policy_is_in_force_within_a_second_or_so(runtime, settings):
    runtime.start()
    (settings.policies[0] / "policy.yaml").write_text(POLICY.replace("'forbidden'", "'other-name'"))
    until_reloaded(runtime, "success")
    assert decide(runtime, "forbidden")[1].allowed
    assert not decide(runtime, "other-name")[1].allowed


def test_a_broken_policy_leaves_the_last_good_set_in_force_and_shows(runtime, settings, caplog):
    runtime.start()
    (settings.policies[0] / "policy.yaml").write_text(POLICY.replace("object.metadata", "objekt.metadata"))
    until_reloaded(runtime, "error")
    assert not decide(runtime, "forbidden")[1].allowed
    assert runtime.ready
    assert "the files on disk have 1 problem(s)" in runtime.conditions()[1].message
    assert runtime.metrics.registry.get_sample_value("migguard_policy_problem") == 1
    assert any("last good policy set" in record.getMessage() for record in caplog.records)


def test_what_nobody_foresaw_does_not_end_the_following_and_shows(runtime, settings, monkeypatch, caplog):
    def fail():
        raise RuntimeError("unforeseen")

    runtime.start()
    with monkeypatch.context() as patched:
        patched.setattr(runtime._holder, "reload", fail)
        runtime.reload_soon()
        until_reloaded(runtime, "error")
        assert "looking at the files on disk failed, see the log: RuntimeError" in runtime.conditions()[1].message
        assert runtime.metrics.registry.get_sample_value("migguard_policy_problem") == 1
    assert any(record.exc_info for record in caplog.records)
    until_reloaded(runtime, "success")  # tried again without another edit
    assert "failed" not in runtime.conditions()[1].message
    assert runtime.metrics.registry.get_sample_value("migguard_policy_problem") == 0
    (settings.policies[0] / "policy.yaml").write_text(POLICY.replace("'forbidden'", "'other-name'"))
    until(lambda: decide(runtime, "forbidden")[1].allowed, seconds=5, what="the next edit counts")


def test_files_that_are_not_looked_at_any_more_show(runtime, monkeypatch):
    assert "stuck" not in runtime.conditions()[1].message
    looked = runtime.metrics.registry.get_sample_value("migguard_policy_check_timestamp_seconds")
    assert looked == pytest.approx(time.time(), abs=60)
    monkeypatch.setattr(runtime, "_looked", runtime._looked - 100)
    assert "stuck: the files on disk were last looked at 10" in runtime.conditions()[1].message
    later = runtime.metrics.registry.get_sample_value("migguard_policy_check_timestamp_seconds")
    assert later == pytest.approx(looked - 100, abs=1)


def test_a_fifo_among_the_policies_is_a_problem_like_any_other(runtime, settings):
    runtime.start()
    os.mkfifo(settings.policies[0] / "pipe.yaml")
    until_reloaded(runtime, "error")
    assert "pipe.yaml: is not a regular file" in runtime.conditions()[1].message
    (settings.policies[0] / "pipe.yaml").unlink()
    until_reloaded(runtime, "success")


def test_a_runtime_that_replaces_another_goes_on_with_its_policies(settings):
    kept: list[bytes] = []
    keep = SimpleNamespace(found=lambda: kept[-1] if kept else None, leave=kept.append)
    Runtime(settings, keep=keep).stop()
    (settings.policies[0] / "policy.yaml").write_text("kind: [")
    replacement = Runtime(settings, keep=keep)
    assert not decide(replacement, "forbidden")[1].allowed
    assert "the files on disk have 1 problem(s)" in replacement.conditions()[1].message
    replacement.stop()


def test_an_audit_log_that_cannot_be_opened_is_wrong_use(settings, tmp_path):
    with pytest.raises(UsageError, match="audit records cannot be written"):
        Runtime(replace(settings, audit_log=tmp_path / "nowhere" / "audit.jsonl"))


def test_policies_that_vanish_leave_the_last_set_in_force_until_they_are_back(runtime, settings, tmp_path):
    runtime.start()
    settings.policies[0].rename(tmp_path / "away")
    until_reloaded(runtime, "error")
    assert not decide(runtime, "forbidden")[1].allowed
    (tmp_path / "away").rename(settings.policies[0])
    (settings.policies[0] / "policy.yaml").write_text(POLICY.replace("'forbidden'", "'other-name'"))
    until_reloaded(runtime, "success")
    assert decide(runtime, "forbidden")[1].allowed


def test_policies_are_loaded_anew_when_asked_though_nothing_changed(runtime):
    runtime.start()
    runtime.reload_soon()
    until_reloaded(runtime, "success")


def test_what_was_started_is_stopped(settings):
    runtime = Runtime(settings)
    before = set(threading.enumerate())
    runtime.start()
    assert set(threading.enumerate()) - before
    runtime.stop()
    assert not set(threading.enumerate()) - before
    Runtime(settings).stop()


def test_the_start_is_told_in_the_log(runtime, caplog):
    with caplog.at_level(logging.INFO, logger="webhook.runtime"):
        runtime.start()
    loaded = next(record for record in caplog.records if record.getMessage() == "policies loaded")
    assert vars(loaded)["policies"] == 1
    assert any("audit records go to" in record.getMessage() for record in caplog.records)


@pytest.mark.parametrize(
    ("broken", "error"),
    [
        pytest.param("policies", InputError, id="no-policies"),
        pytest.param("policies/policy.yaml", PolicyError, id="broken-policy"),
        pytest.param("cluster", InputError, id="no-manifests"),
        pytest.param("cluster/namespace.yaml", InputError, id="broken-manifest"),
    ],
)
def test_what_it_cannot_start_with_is_an_error_that_names_the_place(settings, tmp_path, broken, error):
    path = tmp_path / broken
    if path.is_dir():
        path.rename(tmp_path / "gone")
    else:
        path.write_text("spec: [")
    with pytest.raises(error) as raised:
        Runtime(settings)
    assert str(path) in str(raised.value)
