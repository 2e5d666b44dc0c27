"""``migguard replay``: options, forms and exit codes."""

import gzip
import json
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support.engine import Json, judging, policy, write
from tests.unit.impact.replaying import log, migration, policies, recorded
from webhook.cli.main import run

ALICE_STAYS = judging("request.userInfo.username != 'alice'", "alice-stays")


@pytest.fixture(name="audit")
def log_of_two_decisions(tmp_path: Path) -> str:
    then = policies(policy())
    return log(tmp_path, [recorded(then, migration(user=user)) for user in ("alice", "bob")])


def directory(folder: Path, *documents: Json) -> str:
    write(folder, *documents)
    return str(folder)


@pytest.mark.parametrize(
    ("documents", "options", "code"),
    [
        pytest.param([policy()], [], 0, id="nothing-flips"),
        pytest.param([ALICE_STAYS], [], 1, id="one-flips"),
        pytest.param([ALICE_STAYS], ["--fail-on", "deny"], 1, id="to-denied"),
        pytest.param([ALICE_STAYS], ["--fail-on", "none"], 0, id="never-fails"),
        pytest.param([ALICE_STAYS], ["--user", "bob"], 0, id="of-another-user"),
        pytest.param([ALICE_STAYS], ["--policy", "guard"], 0, id="by-another-policy-that-is-on-record"),
        pytest.param([ALICE_STAYS], ["--policy", "alice-stay"], 2, id="by-a-policy-that-there-is-not"),
        pytest.param([ALICE_STAYS], ["--since", "2026-03-02", "--until", "2026-03-03T00:00:00+09:00"], 1, id="times"),
        pytest.param([policy()], ["--verify"], 0, id="verified"),
        pytest.param([ALICE_STAYS], ["--verify"], 2, id="nothing-to-verify"),
        pytest.param([policy()], ["--until", "2026-03-01"], 2, id="nothing-left"),
        pytest.param([policy()], ["--since", "yesterday"], 2, id="no-time"),
        pytest.param([{**policy(), "kind": "Policy"}], [], 2, id="no-policies"),
    ],
)
def test_the_exit_code_says_what_came_of_it(tmp_path, audit, documents, options, code):
    assert run(["replay", audit, "--policies", directory(tmp_path / "new", *documents), *options]) == code


def test_a_refusal_that_goes_does_not_fail_a_run_that_fails_on_new_ones(tmp_path):
    audit = log(tmp_path, [recorded(policies(ALICE_STAYS), migration())])
    arguments = ["replay", audit, "--policies", directory(tmp_path / "new", policy())]
    assert run(arguments) == 1
    assert run([*arguments, "--fail-on", "deny"]) == 0


def test_other_policies_stand_in_for_what_was_decided(tmp_path, audit, capsys):
    old, new = directory(tmp_path / "old", ALICE_STAYS), directory(tmp_path / "new", policy())
    assert run(["replay", audit, "--policies", new, "--against", old, "-o", "json"]) == 1
    found = json.loads(capsys.readouterr().out)
    assert found["changes"] == {
        "allowedToDenied": 0,
        "deniedToAllowed": 1,
        "warningGained": 0,
        "warningLost": 0,
        "patchChanged": 0,
    }


def test_logs_may_be_directories_compressed_and_standard_input(tmp_path, audit, capsys, monkeypatch):
    text = Path(audit).read_bytes()
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "b.gz").write_bytes(gzip.compress(text))
    (tmp_path / "logs" / "a.log").write_bytes(text)
    with Path(audit).open("rb") as stream:
        monkeypatch.setattr(sys, "stdin", SimpleNamespace(buffer=stream))
        arguments = ["replay", str(tmp_path / "logs"), "-", "--policies", directory(tmp_path / "new", policy())]
        assert run([*arguments, "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["records"]["replayed"] == 6


def test_a_record_that_was_altered_fails_the_verification_with_its_place(tmp_path, audit, capsys):
    path = Path(audit)
    path.write_text(path.read_text().replace('"allowed": true', '"allowed": false', 1))
    assert run(["replay", audit, "--policies", directory(tmp_path / "new", policy()), "--verify"]) == 1
    assert f"{audit}:1: result.response.allowed: on record false, again true" in capsys.readouterr().out


def test_a_cluster_stands_in_for_what_is_not_on_record(tmp_path, audit, capsys):
    cluster = tmp_path / "cluster.yaml"
    cluster.write_text("{apiVersion: v1, kind: Namespace, metadata: {name: prod}}")
    new = directory(tmp_path / "new", judging("vmi.found", "vm-there"))
    assert run(["replay", audit, "--policies", new]) == 0
    assert "2 undetermined" in capsys.readouterr().out
    assert run(["replay", audit, "--policies", new, "--cluster", str(cluster)]) == 1
    assert "2 decided with facts of today's state of the cluster" in capsys.readouterr().out


def test_the_comment_is_markdown(tmp_path, audit, capsys):
    assert run(["replay", audit, "--policies", directory(tmp_path / "new", ALICE_STAYS), "-o", "markdown"]) == 1
    assert capsys.readouterr().out.startswith("<!-- migguard replay -->\n### migguard replay: 1 allowed -\\> denied\n")


def test_a_policy_that_there_is_not_is_told_with_what_was_meant(tmp_path, audit, capsys):
    new = directory(tmp_path / "new", ALICE_STAYS)
    assert run(["replay", audit, "--policies", new, "--policy", "alice-stay"]) == 2
    message = "--policy: no policy is called 'alice-stay', now or on record (did you mean 'alice-stays'?)"
    assert message in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "code"),
    [
        pytest.param(lambda text: text + b'{"decision_id": "x', 0, id="a-last-line-that-is-being-written"),
        pytest.param(lambda text: text + b"\x00\xff", 2, id="a-last-line-of-something-else"),
        pytest.param(lambda text: text + b"\x00\xff\n" * 1001, 2, id="binary-lines"),
        pytest.param(lambda text: text + b'{"decision_id": "x\n' + text, 2, id="half-a-record-in-the-middle"),
        pytest.param(lambda text: gzip.compress(text) + gzip.compress(text)[:-20], 2, id="half-a-compressed-log"),
    ],
)
def test_a_log_that_cannot_be_read_as_a_whole_is_no_green_light(tmp_path, audit, capsys, content, code):
    log_file = tmp_path / "some.log"
    log_file.write_bytes(content(Path(audit).read_bytes()))
    assert run(["replay", str(log_file), "--policies", directory(tmp_path / "new", policy()), "-o", "json"]) == code
    shown = capsys.readouterr()
    assert json.loads(shown.out)["records"]["replayed"] >= 2, "what can be read is shown in any case"
    assert ("cannot be read, so this is not the whole result" in shown.err) == (code == 2)
