"""The comment on a pull request."""

from __future__ import annotations

from dataclasses import replace

from tests.support.findings import DENIED, NOTED, REPORT, WARNED, report_of
from webhook.output.markdownreport import MAX_CHARACTERS, write


def test_the_comment_starts_with_a_mark_and_the_totals() -> None:
    first, second, *_ = write(REPORT).splitlines()
    assert first == "<!-- migguard check -->"
    assert second.startswith("### migguard check: 1 error, 1 warning, 2 notes (3 examined")


def test_a_finding_is_a_row_of_a_table() -> None:
    assert (
        "| critical-flag | VirtualMachine prod/db | apps/db.yaml:14:7 "
        "| VirtualMachine prod/db is flagged critical<br>ask a migration admin |"
    ) in write(REPORT).splitlines()


def test_notes_and_long_lists_are_collapsed() -> None:
    short, long = write(report_of(WARNED, NOTED)), write(report_of(*[WARNED] * 11))
    assert "**Warnings: 1**" in short
    assert "<details><summary>Notes: 1</summary>" in short
    assert "<details><summary>Warnings: 11</summary>" in long
    assert long.count("<details>") == long.count("</details>")


def test_a_comment_is_bounded_and_says_what_it_leaves_out() -> None:
    findings = [replace(DENIED, message=f"{number} " + "x" * 400) for number in range(1000)]
    comment = write(report_of(*findings, WARNED, NOTED))
    shown = comment.count("| critical-flag |")
    assert MAX_CHARACTERS - 2000 < len(comment) <= MAX_CHARACTERS
    assert comment.endswith(
        f"**{1002 - shown} lines left out**: a comment has an end. The output of the job has all of them."
    )
    assert comment.count("<details>") == comment.count("</details>")


def test_an_endless_message_is_cut() -> None:
    comment = write(report_of(replace(DENIED, message="*" * 10_000), WARNED))
    assert len(comment) < 5_000
    assert "…" in comment
    assert "timeout-bounds" in comment


def test_text_cannot_become_markup() -> None:
    row = next(
        line
        for line in write(report_of(replace(DENIED, hint="", message="a|b <img> @team `x`\n| forged |"))).splitlines()
        if line.startswith("| critical-flag")
    )
    assert row.endswith("| a\\|b \\<img\\> @\u200bteam \\`x\\`<br>\\| forged \\| |")
