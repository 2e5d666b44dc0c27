"""The result of a replay as it is shown."""

# ruff: noqa: E501 - a line of a table is one line

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.support import builders
from tests.support.engine import Json, judging, mutating, policy, refusing
from tests.unit.impact.replaying import log, migration, policies, recorded
from webhook.impact.replay.report import ReplayReport, report
from webhook.impact.replay.run import Setup, replay
from webhook.impact.replay.shown import as_json, as_markdown, as_table
from webhook.model.request import Phase
from webhook.policy.policyset import PolicySet

SAYING = policy(
    "critical",
    validations=[{"expression": "object.spec.vmiName != 'db'", "messageExpression": "'VM ' + object.spec.vmiName + ' stays'", "remediation": "ask"}],
)  # fmt: skip


def result(
    folder: Path, records: list[Json], *documents: Json, limit: int = 5, baseline: PolicySet | None = None
) -> ReplayReport:
    setup = Setup(candidate=policies(*documents), baseline=baseline)
    return report(replay([log(folder, list(records))], setup, jobs=1), setup, limit=limit)


def test_a_table_tells_who_is_concerned_and_what_they_would_read(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    then = policies(policy())
    found = result(Path(), [recorded(then, migration("db")), recorded(then, migration("web"))], SAYING)
    lines = as_table(found).splitlines()
    assert lines[0].startswith("2 decisions (2026-03-02T12:00:00Z) under sha256:")
    assert lines[1] == "  1 allowed -> denied"
    assert lines[3:] == [
        "CHANGE             POLICY    DECISIONS    USERS    NAMESPACES",
        "allowed -> denied  critical  1            1        1",
        "",
        "allowed -> denied by critical: 1 decision",
        "  alice in prod: 1 (2026-03-02T12:00:00Z)",
        "    CREATE VirtualMachineInstanceMigration prod/move (audit.jsonl:1)",
        "      VirtualMachineInstanceMigration prod/move was refused by policy critical: VM db stays",
        "      Next step: ask",
        "      (decision 7f2c7b46-validate)",
    ]


@pytest.mark.parametrize(
    ("then", "now", "phase", "change", "message"),
    [
        pytest.param(refusing(message="never"), policy(), Phase.VALIDATE, "deniedToAllowed", "was refused by policy guard: never", id="let-through"),
        pytest.param(policy(), refusing(message="careful", validationActions=["Warn"]), Phase.VALIDATE, "warningGained", "policy guard: careful", id="warned"),
        pytest.param(refusing(message="careful", validationActions=["Warn"]), policy(), Phase.VALIDATE, "warningLost", "careful", id="no-longer-warned"),
        pytest.param(policy(), mutating("{'spec': {'x': 'y'}}"), Phase.MUTATE, "patchChanged", 'was none, would be [{"op": "add", "path": "/spec/x", "value": "y"}]', id="patched"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("against", [False, True], ids=["what-was-decided", "other-policies"])
def test_each_change_says_what_is_said(*, tmp_path, then, now, phase, change, message, against):
    before = policies(then)
    found = result(tmp_path, [recorded(before, migration(), phase=phase)], now, baseline=before if against else None)
    group = next(one for one in json.loads(as_json(found))["groups"] if one["change"] == change)
    assert message in group["concerned"][0]["example"]["message"]


def test_totals_are_complete_where_the_named_ones_are_limited(tmp_path):
    then = policies(policy())
    records = [recorded(then, migration("db", user=f"user-{one}")) for one in range(4) for _ in range(one + 1)]
    found = result(tmp_path, records, SAYING, limit=2)
    (group,) = found.groups
    assert (group.decisions, group.users, group.left_out) == (10, 4, 2)
    assert [one.user for one in group.concerned] == ["user-3", "user-2"]
    assert "… and 2 more of user and namespace; see --limit" in as_table(found)


def test_what_cannot_be_told_is_shown_with_its_reason(tmp_path):
    records = [recorded(policies(policy()), migration())]
    found = result(tmp_path, records, judging("vmi.phase == 'Running'", "running"))
    table = as_table(found)
    assert "1 undetermined: their verdict rests on what is not on record" in table
    assert "  running   fact vmi.phase was not recorded  1            1" in table
    (gap,) = json.loads(as_json(found))["gaps"]
    assert gap == {"policy": "running", "reason": "fact vmi.phase was not recorded", "decisions": 1, "verdictOpen": 1}


def test_nothing_a_user_wrote_reaches_the_terminal_or_the_comment_as_markup(tmp_path):
    evil = "\x1b[31m@team <script>|\n# x"
    asked = replace(migration("db"), name=evil, object=builders.vmim(evil))
    asked = replace(asked, user=replace(asked.user, username=evil))
    found = result(tmp_path, [recorded(policies(policy()), asked)], SAYING)
    assert "\x1b" not in as_table(found) + as_markdown(found)
    assert "<script>" not in as_markdown(found)
    assert "@team" not in as_markdown(found)


def test_a_comment_begins_with_its_mark_and_stays_within_what_a_forge_takes(tmp_path):
    then = policies(policy())
    records = [recorded(then, migration("db", user=f"user-{one}-{'x' * 200}")) for one in range(200)]
    text = as_markdown(result(tmp_path, records, SAYING, limit=0))
    assert text.startswith("<!-- migguard replay -->\n### migguard replay: 200 allowed")
    assert len(text) < 65_536
    assert "left out: `-o json` has them all" in text
