"""Replaying logs: what counts, what is left out and told, and that processes do not change the result."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.support import builders
from tests.support.engine import NOW, Json, judging, policy, refusing
from tests.unit.impact.replaying import log, migration, policies, recorded, world
from webhook.errors import InputError
from webhook.impact.replay import log as replaylog
from webhook.impact.replay.record import TOO_OLD
from webhook.impact.replay.report import report
from webhook.impact.replay.run import Filters, Setup, replay
from webhook.impact.replay.shown import as_json, as_markdown, as_table
from webhook.impact.replay.tally import Change, Tally
from webhook.policy.policyset import PolicySet

THEN = policies(policy())
NOT_ALICE = policies(judging("request.userInfo.username != 'alice'", "not-alice"))


def month(count: int = 12) -> list[Json]:
    """Decisions of alice and bob, one an hour."""
    return [
        recorded(THEN, migration(f"vm-{one}", user=("alice", "bob")[one % 2]), now=NOW + timedelta(hours=one))
        for one in range(count)
    ]


def replayed(folder: Path, records: list[Json | str], candidate: PolicySet = NOT_ALICE, **rest: object) -> Tally:
    filters = Filters(**{key: rest.pop(key) for key in list(rest) if key in Filters.__slots__})  # type: ignore[arg-type]  # as given
    setup = Setup(candidate=candidate, filters=filters, **rest)  # type: ignore[arg-type]  # the same
    return replay([log(folder, records)], setup, jobs=1)


def test_decisions_that_flip_are_counted_by_policy_user_and_namespace(tmp_path):
    tally = replayed(tmp_path, [*month()])
    ((place, row),) = tally.rows.items()
    assert (place.change, place.policy, place.user, place.namespace) == (Change.REFUSED, "not-alice", "alice", "prod")
    assert (row.decisions, tally.replayed, tally.decisions[Change.REFUSED]) == (6, 12, 6)
    assert row.place.endswith("audit.jsonl:1")


def test_against_other_policies_what_was_decided_then_does_not_count(tmp_path):
    tally = replayed(tmp_path, [*month()], baseline=policies(refusing("everybody")))
    assert tally.decisions == {Change.LET_THROUGH: 6}


@pytest.mark.parametrize(
    ("filters", "counted"),
    [
        pytest.param({"users": frozenset({"alice"})}, 6, id="user"),
        pytest.param({"namespaces": frozenset({"prod"})}, 12, id="namespace"),
        pytest.param({"since": NOW + timedelta(hours=10)}, 2, id="since"),
        pytest.param({"until": NOW + timedelta(hours=10)}, 10, id="until"),
        pytest.param({"since": NOW, "until": NOW + timedelta(microseconds=1)}, 1, id="both"),
    ],
)
def test_filters_leave_out_and_that_is_counted(tmp_path, filters, counted):
    tally = replayed(tmp_path, [*month()], **filters)
    assert (tally.replayed, tally.left_out) == (counted, 12 - counted)


def test_what_is_no_record_is_counted_and_told_with_its_place(tmp_path):
    old = month(1)[0]
    del old["input"]["request"]["object"]
    tally = replayed(tmp_path, ["nonsense", '{"level": "info"}', old, *month(2), '{"decision_id": "x'])
    assert (tally.replayed, tally.foreign, tally.unreadable, dict(tally.unusable)) == (2, 1, 2, {TOO_OLD: 1})
    assert [(one.place.rpartition(":")[2], one.why) for one in tally.troubles] == [
        ("1", "is not JSON"),
        ("6", "is not JSON"),
    ]


def test_a_log_that_breaks_off_says_so(tmp_path):
    path = Path(log(tmp_path, [*month(1), '{"decision_id": "x']))
    path.write_bytes(path.read_bytes()[:-1])
    tally = replay([str(path)], Setup(candidate=THEN), jobs=1)
    assert [one.why for one in tally.troubles] == ["breaks off in the middle of a record"]


@pytest.mark.parametrize(
    ("lines", "filters", "why"),
    [
        pytest.param([], {}, "it is empty", id="empty"),
        pytest.param(["x"], {}, "1 place that cannot be read, first .*:1: is not JSON", id="no-json"),
        pytest.param(["{}"], {}, "1 line of JSON with no audit record", id="something-else"),
        pytest.param([*month(1)], {"users": frozenset({"carol"})}, "1 record left out by the filters", id="filtered"),
    ],
)
def test_nothing_to_replay_is_an_error_and_not_a_green_light(tmp_path, lines, filters, why):
    with pytest.raises(InputError, match=f"holds no decision to replay: {why}"):
        replayed(tmp_path, lines, **filters)


@pytest.mark.parametrize("word_by_word", [False, True])
def test_records_of_the_same_policies_are_reproduced(tmp_path, word_by_word):
    tally = replayed(tmp_path, [*month()], THEN, word_by_word=word_by_word)
    assert (tally.same_revision, tally.reproduced, tally.decisions) == (12, 12, {})


def test_a_record_that_was_tampered_with_is_not_reproduced(tmp_path):
    records = month(2)
    records[1]["result"]["response"]["status"]["message"] = "another"
    quick, thorough = (replayed(tmp_path, [*records], THEN, word_by_word=one) for one in (False, True))
    assert (quick.reproduced, thorough.reproduced) == (2, 1)
    assert thorough.differing[0].why == 'result.response.status.message: on record "another", again ""'


@pytest.fixture(name="many")
def log_of_many_portions(tmp_path, monkeypatch) -> str:
    monkeypatch.setattr(replaylog, "CHUNK_LINES", 5)
    return log(tmp_path, [*month(23), "nonsense"])


@pytest.mark.parametrize("form", [as_table, as_json, as_markdown])
def test_the_number_of_processes_does_not_change_the_result(many, form):
    setup = Setup(candidate=policies(judging("vmi.phase == '' || request.userInfo.username == 'bob'", "phase"), *[]))
    alone, shared = (replay([many], setup, jobs=jobs) for jobs in (1, 2))
    assert alone == shared
    assert form(report(alone, setup, limit=5)) == form(report(shared, setup, limit=5))


def test_todays_state_of_the_cluster_is_told(tmp_path):
    candidate = policies(judging("vmi.phase == 'Running'"))
    tally = replayed(tmp_path, [*month(2)], candidate, cluster=world(builders.vmi("vm-0")))
    assert (tally.today, tally.open, tally.decisions[Change.REFUSED]) == (2, 0, 1)


def test_times_of_other_zones_compare_as_times():
    record = {"timestamp": "2026-03-02T12:00:00.000000Z"}
    tokyo = datetime.fromisoformat("2026-03-02T21:00:00+09:00")
    assert Filters(since=tokyo).wants(record)
    assert not Filters(until=tokyo).wants(record)
    assert replace(Filters(), since=datetime(2026, 3, 3, tzinfo=UTC)).wants(record) is False
