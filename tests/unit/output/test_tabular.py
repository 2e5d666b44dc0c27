"""The table for a terminal."""

from __future__ import annotations

from dataclasses import replace

from tests.support.findings import DENIED, REPORT, report_of
from webhook.output.finding import Place
from webhook.output.tabular import write


def test_a_finding_is_a_row_with_its_message_and_hint_below() -> None:
    assert write(REPORT).split("\n") == [
        "LEVEL    PLACE              OBJECT                  RULE",
        "error    apps/db.yaml:14:7  VirtualMachine prod/db  critical-flag",
        "    VirtualMachine prod/db is flagged critical",
        "    ask a migration admin",
        "warning  apps/db.yaml:20:3  VirtualMachine prod/db  timeout-bounds",
        "    the timeout of 5 s is short",
        "note     apps/db.yaml:14:7  VirtualMachine prod/db  timeout-bounds",
        "    sets spec.timeout to 30",
        "note     apps/db.yaml:1:1   VirtualMachine prod/db",
        "    another VM of this name is in staging",
        "",
        "SKIPPED                  PLACE               WHY",
        "VirtualMachine prod/old  apps/web.yaml:30:1  exemption 'old-vms' lets it through",
        "",
        "asked as: jane",
        "not examined: 2 (no policy is about ConfigMap)",
        "1 error, 1 warning, 2 notes (3 examined, 1 failed, 1 skipped); 1 problem in what could not be read",
    ]


def test_a_column_that_nothing_fills_is_left_out() -> None:
    heading = write(report_of(replace(DENIED, place=Place()))).splitlines()[0]
    assert heading.split() == ["LEVEL", "OBJECT", "RULE"]


def test_nothing_found_is_one_line() -> None:
    assert write(report_of()) == "nothing found (1 examined, 0 failed)"


def test_text_cannot_move_the_cursor_or_start_a_row_of_its_own() -> None:
    written = write(report_of(replace(DENIED, message="\x1b[2Jgone\nerror  forged.yaml:1:1")))
    assert "\x1b" not in written
    assert "    [2Jgone error  forged.yaml:1:1" in written.splitlines()
