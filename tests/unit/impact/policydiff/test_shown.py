"""How a comparison of policy sets is shown."""

from __future__ import annotations

import json
import re

import pytest

from tests.unit.impact.policydiffsets import Json, exemption, parameters, policy, sided
from webhook.impact.policydiff.compare import PolicyDiff, diff
from webhook.impact.policydiff.effect import Flip, PolicyFlip, Trial
from webhook.impact.policydiff.shown import as_json, as_markdown, as_table
from webhook.output.comment import MAX_CHARACTERS

FLIP = Flip(
    subject="moves/bob moves",
    where="tests/moves.yaml:9:5",
    allowed_before=False,
    allowed_after=True,
    policies=(PolicyFlip("guard", "deny", "warn"),),
)
TRIAL = Trial(title="cases of tests", judged=3, flips=(FLIP,), notices=("test x was not run",))


def compared(old: list[Json], new: list[Json]) -> PolicyDiff:
    return diff(sided(*old, name="old"), sided(*new, name="new"))


EDITED = compared(
    [policy(), policy("gone")],
    [
        policy(validationActions=["Warn"], validations=[{"expression": "vmi.critical || vmi.found", "message": "yes"}]),
        exemption(expires="2026-03-01"),
        parameters(permission={"mode": "effective"}),
    ],
)


def test_a_table_shows_what_is_weaker_first_with_why_and_where() -> None:
    lines = re.sub(r":1:\d\d+", ":1:N", as_table(EDITED, [TRIAL])).splitlines()
    assert lines[0] == "old -> new: 7 differences: 4 weaker, 3 wording only"
    assert lines[2:] == [
        "WEAKER",
        "  GuardPolicy gone is removed",
        "    - Deny, 1 validation",
        "    old/1.yaml:1:1",
        "  GuardPolicy guard validationActions: Deny -> Warn  (no longer refuses)",
        "    new/0.yaml:1:N",
        "  GuardPolicy guard validations[0]: vmi.critical -> vmi.critical || vmi.found",
        "    new/0.yaml:1:N",
        "  Parameters parameters permission.mode: explicit -> effective",
        "    new/2.yaml:1:N",
        "",
        "WORDING ONLY",
        "  GuardPolicy guard validations[0].message (en): no -> yes",
        "    new/0.yaml:1:N",
        "  GuardPolicy guard validations[0].remediation (en): ask -> none",
        "    old/0.yaml:1:N",
        "  Exemption batch is added  (it has expired)",
        "    + guard for Group ops in all namespaces until 2026-03-01 (owner team-a, ticket T-1)",
        "    new/1.yaml:1:1",
        "",
        "1 of 3 cases of tests is judged otherwise",
        "  REQUEST          WHOLE SET           POLICIES",
        "  moves/bob moves  refused -> allowed  guard: deny -> warn  tests/moves.yaml:9:5",
        "note: test x was not run",
        "note: exemption 'batch' (owner team-a, ticket T-1) expired on 2026-03-01 and no longer applies",
    ]


def test_sets_that_do_not_differ_are_one_line() -> None:
    assert as_table(compared([policy()], [policy()]), []) == "old -> new: no difference"


def test_json_has_all_of_it() -> None:
    content = json.loads(re.sub(r":1:\d\d+", ":1:N", as_json(EDITED, [TRIAL])))
    assert content["old"]["source"] == "old"
    assert content["new"]["revision"].startswith("sha256:")
    assert content["summary"] == {"weaker": 4, "changed": 0, "stricter": 0, "wording": 3}
    assert content["changes"][1] == {
        "effect": "weaker",
        "kind": "GuardPolicy",
        "name": "guard",
        "field": "validationActions",
        "before": ["Deny"],
        "after": ["Warn"],
        "note": "no longer refuses",
        "where": "new/0.yaml:1:N",
    }
    assert content["trials"] == [
        {
            "title": "cases of tests",
            "judged": 3,
            "differ": 1,
            "requests": [
                {
                    "request": "moves/bob moves",
                    "where": "tests/moves.yaml:9:5",
                    "allowed": {"before": False, "after": True},
                    "policies": [{"policy": "guard", "before": "deny", "after": "warn"}],
                }
            ],
            "notices": ["test x was not run"],
        }
    ]
    assert len(content["notices"]) == 1


def test_markdown_is_a_comment_with_tables() -> None:
    text = as_markdown(EDITED, [TRIAL])
    assert text.startswith("<!-- migguard diff -->\n### migguard diff: 7 differences: 4 weaker, 3 wording only\n")
    assert "| GuardPolicy guard validationActions | Deny | Warn | no longer refuses |" in text
    assert "vmi.critical \\|\\| vmi.found" in text
    assert "<details><summary>Wording only: 3</summary>" in text
    assert "| moves/bob moves | refused -&gt; allowed | guard: deny -&gt; warn |" in text.replace("\\>", "&gt;")


def test_markdown_is_never_longer_than_a_comment_may_be() -> None:
    long = "x" * 300
    flips = tuple(
        Flip(subject=f"moves/{number} {long}", allowed_before=True, allowed_after=False, policies=())
        for number in range(900)
    )
    text = as_markdown(EDITED, [Trial(title="cases", judged=900, flips=flips)])
    assert len(text) <= MAX_CHARACTERS + 500
    shown = text.count("| moves/")
    assert f"{900 - shown} lines left out" in text
    assert text.rstrip().endswith("has them all.")


@pytest.mark.parametrize("shown", [as_table, as_markdown])
def test_what_a_terminal_would_obey_is_not_shown(shown) -> None:
    nasty = compared([policy()], [policy(annotations={"migguard.io/title": "a\x1b[31m\u202eb"})])
    text = shown(nasty, [])
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_a_list_of_many_requests_is_cut_in_a_table() -> None:
    flips = tuple(
        Flip(subject=f"m/{number}", allowed_before=True, allowed_after=True, policies=()) for number in range(12)
    )
    text = as_table(EDITED, [Trial(title="cases", judged=12, flips=flips)])
    assert "… and 2 more" in text
    assert "m/9" in text
    assert "m/10" not in text
