"""``migguard can-migrate``: the examples, with everybody in them."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

from webhook.cli.main import run
from webhook.model.request import UserInfo

ROOT = Path(__file__).parents[3]
POLICIES = ("critical-vm-no-post-copy", "requester-can-migrate", "vm-can-migrate", "vm-volumes-migratable")
WORLD = [
    *(argument for name in POLICIES for argument in ("--policies", str(ROOT / "policies" / name / "policy.yaml"))),
    "--cluster",
    str(ROOT / "examples" / "cluster"),
]
"""The examples, with those of the built-in policies that have to do with them: to load all takes a second."""


@pytest.mark.parametrize(
    ("arguments", "code", "answer", "by"),
    [
        pytest.param(["prod/web", "--as", "alice"], 0, "yes: alice may migrate VM prod/web now", "", id="alice-web"),
        pytest.param(
            ["prod/db", "--as", "alice"],
            1,
            "no: alice cannot migrate VM prod/db now: one thing is in the way",
            "(policy critical-vm-no-post-copy)",
            id="alice-db",
        ),
        pytest.param(
            ["prod/build", "--as", "alice"],
            1,
            "no: alice cannot migrate VM prod/build now: one thing is in the way",
            "(policy vm-volumes-migratable)",
            id="alice-build",
        ),
        pytest.param(
            ["prod/web", "--as", "bob"],
            1,
            "no: bob cannot migrate VM prod/web now: one thing is in the way",
            "(policy requester-can-migrate)",
            id="bob-web",
        ),
        pytest.param(
            ["prod/db", "--as", "bob"],
            1,
            "no: bob cannot migrate VM prod/db now: 2 things are in the way",
            "(policy critical-vm-no-post-copy)",
            id="bob-db",
        ),
        pytest.param(
            ["prod/web", "--as", "carol"],
            1,
            "no: carol cannot migrate VM prod/web now: one thing is in the way",
            "(policy requester-can-migrate and Kubernetes (RBAC))",
            id="carol-web",
        ),
        pytest.param(
            ["web", "-n", "prod", "--as", "root", "--as-group", "platform-team"],
            0,
            "yes: root may migrate VM prod/web now",
            "",
            id="platform-team-web",
        ),
    ],
)
def test_the_answer_is_yes_or_no_and_who_says_no(capsys, arguments, code, answer, by):
    assert run(["can-migrate", *arguments, *WORLD]) == code
    printed = capsys.readouterr().out
    assert printed.splitlines()[0] == answer
    assert by in printed


@pytest.mark.parametrize(
    ("options", "told"),
    [
        pytest.param([], True, id="by-name-alone"),
        pytest.param(["--as-group", "guests"], False, id="with-a-group"),
    ],
)
def test_a_no_for_want_of_a_right_says_which_groups_were_assumed_and_which_would_do(capsys, options, told):
    assert run(["can-migrate", "prod/web", "--as", "carol", *options, *WORLD]) == 1
    note = (
        "Note: carol was judged as a member of system:authenticated alone; name other groups with --as-group "
        "(those with the right to migrate in namespace prod: platform-team).\n"
    )
    assert (note in capsys.readouterr().out) is told


def test_what_the_api_server_knows_of_oneself_is_not_doubted(capsys, monkeypatch):
    alone = UserInfo(username="carol", groups=("system:authenticated",))
    monkeypatch.setattr(importlib.import_module("webhook.cli.can_migrate"), "_current", lambda _: alone)
    assert run(["can-migrate", "prod/web", *WORLD]) == 1
    assert "--as-group" not in capsys.readouterr().out


def test_a_refusal_tells_the_command_that_helps(capsys):
    run(["can-migrate", "prod/web", "--as", "carol", *WORLD])
    assert (
        "-> ask a cluster administrator to run: oc create rolebinding migrate-carol -n prod "
        "--clusterrole=kubevirt.io:migrate --user=carol"
    ) in capsys.readouterr().out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["prod/dbb", "--as", "alice"], "there is no VM prod/dbb (did you mean 'db'?)", id="no-such-vm"),
        pytest.param(["db", "--as", "alice"], "'db' does not name a VM (write NAMESPACE/NAME)", id="no-namespace"),
        pytest.param(["prod/db"], "manifests do not say who asks (name somebody: --as USER)", id="nobody"),
        pytest.param(["prod/db", "--as-group", "x"], "--as-group needs --as", id="group-alone"),
    ],
)
def test_wrong_use_is_told_in_one_line(capsys, arguments, says):
    assert run(["can-migrate", *arguments, *WORLD]) == 2
    captured = capsys.readouterr()
    assert says in captured.err
    assert len(captured.err.splitlines()) == 1
    assert captured.out == ""


def test_programs_get_json(capsys):
    assert run(["can-migrate", "prod/db", "--as", "alice", "-o", "json", *WORLD]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["canMigrate"] is False
    assert [reason["by"] for reason in told["reasons"]] == [["critical-vm-no-post-copy"]]


def test_the_same_question_has_the_same_answer(capsys):
    answers = []
    for _ in range(2):
        run(["can-migrate", "prod/db", "--as", "bob", *WORLD])
        answers.append(capsys.readouterr().out)
    assert answers[0] == answers[1]


def test_the_help_has_examples_and_exit_codes(capsys):
    assert run(["can-migrate", "--help"], "kubectl migguard") == 0
    printed = capsys.readouterr().out
    assert "Usage: kubectl migguard can-migrate [OPTIONS] NAMESPACE/VM" in printed
    assert "    migguard can-migrate prod/db --as alice" in printed
    assert "Exit code: 0 yes, 1 no, 2 wrong use or no such VM, 3 an error." in printed


def test_manifests_need_no_client_of_the_api_server(capsys, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "kubernetes"]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "kubernetes", None)
    assert run(["can-migrate", "prod/web", "--as", "alice", *WORLD]) == 0
    assert capsys.readouterr().out.startswith("yes: ")
