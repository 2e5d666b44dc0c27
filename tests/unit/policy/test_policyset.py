"""The policy set in force: identity, replacement as a whole, and what happens when the files are wrong."""

from __future__ import annotations

import logging
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.support.engine import CATALOG, NOW, Json, exemption, judging, parameters, policy, refusing, write
from webhook.errors import PolicyError
from webhook.policy import loader
from webhook.policy.policyset import PolicyHolder, load


def _names(holder: PolicyHolder) -> list[str]:
    return [one.name for one in holder.current.policies]


def _holder(folder: Path, *documents: Json) -> PolicyHolder:
    write(folder, *documents)
    return PolicyHolder([folder], CATALOG)


# Identity


def test_a_policy_set_has_a_revision_made_from_its_content(tmp_path: Path) -> None:
    write(tmp_path / "a", policy("one"), file="1.yaml")
    write(tmp_path / "a", policy("two"), file="2.yaml")
    write(tmp_path / "b", policy("one"), file="deep/er/y.yaml")
    write(tmp_path / "c", policy("two"), file="x.yml")
    write(tmp_path / "d", policy("two", failurePolicy="Ignore"), file="x.yml")

    whole = load([tmp_path / "a"], CATALOG, now=NOW)
    apart = load([tmp_path / "c", tmp_path / "b"], CATALOG, now=NOW)
    other = load([tmp_path / "d", tmp_path / "b"], CATALOG, now=NOW)

    assert whole.revision == apart.revision
    assert whole.revision != other.revision
    assert whole.revision.startswith("sha256:")
    assert [one.name for one in whole.policies] == [one.name for one in apart.policies] == ["one", "two"]


def test_a_policy_set_holds_parameters_exemptions_and_the_facts_it_was_compiled_against(tmp_path: Path) -> None:
    write(tmp_path, policy(), exemption(), parameters(critical={"label": "vip"}))

    made = load([tmp_path], CATALOG, now=NOW)

    assert made.parameters["critical"] == {"label": "vip", "value": "true"}
    assert [one.name for one in made.exemptions] == ["move-week"]
    assert made.catalog is CATALOG
    assert made.notices == ()


def test_an_exemption_that_ran_out_is_noticed_with_its_owner(tmp_path: Path) -> None:
    write(tmp_path, policy(), exemption(expires="2026-03-01"))

    (notice,) = load([tmp_path], CATALOG, now=NOW).notices

    assert notice.startswith(f"{tmp_path}/policies.yaml:")
    assert notice.endswith("exemption 'move-week' (owner storage team) ran out on 2026-03-01 and no longer applies")


def test_problems_of_expressions_are_policy_errors(tmp_path: Path) -> None:
    write(tmp_path, judging("requester.canMigrat"), judging("1", "other"))

    with pytest.raises(PolicyError) as caught:
        load([tmp_path], CATALOG, now=NOW)

    assert len(caught.value.problems) == 2


# Reload


def test_the_first_load_must_succeed(tmp_path: Path) -> None:
    with pytest.raises(PolicyError, match="no such file or directory"):
        PolicyHolder([tmp_path / "missing"], CATALOG)


def test_an_edited_file_is_noticed_and_put_in_force(tmp_path: Path) -> None:
    holder = _holder(tmp_path, policy("old"))
    before = holder.current
    assert not holder.changed()

    write(tmp_path, policy("new"), policy("newer"))

    assert holder.changed()
    assert holder.reload()
    assert not holder.changed()
    assert _names(holder) == ["new", "newer"]
    assert holder.current.revision != before.revision
    assert [one.name for one in before.policies] == ["old"]


def test_a_file_touched_without_another_content_swaps_nothing(tmp_path: Path) -> None:
    holder = _holder(tmp_path, policy())
    os.utime(tmp_path / "policies.yaml", ns=(0, 0))

    assert holder.changed()
    assert not holder.reload()
    assert not holder.changed()
    assert holder.problem is None


@pytest.mark.parametrize("change", ["added", "removed", "renamed"])
def test_files_that_come_and_go_are_noticed(tmp_path: Path, change: str) -> None:
    write(tmp_path, policy("second"), file="second.yaml")
    holder = _holder(tmp_path, policy("first"))

    if change == "added":
        write(tmp_path, policy("third"), file="third.yaml")
    elif change == "removed":
        (tmp_path / "second.yaml").unlink()
    else:
        (tmp_path / "second.yaml").rename(tmp_path / "other.yaml")

    assert holder.changed()
    assert holder.reload() is (change != "renamed")


def test_a_config_map_is_swapped_through_its_data_link_and_read_once(tmp_path: Path) -> None:
    write(tmp_path, policy("old"), file="..2026_01/policies.yaml")
    write(tmp_path, policy("new"), file="..2026_02/policies.yaml")
    (tmp_path / "..data").symlink_to("..2026_01")
    (tmp_path / "policies.yaml").symlink_to("..data/policies.yaml")
    holder = PolicyHolder([tmp_path], CATALOG)
    assert _names(holder) == ["old"]
    assert not holder.changed()

    (tmp_path / "..data_tmp").symlink_to("..2026_02")
    (tmp_path / "..data_tmp").replace(tmp_path / "..data")

    assert holder.changed()
    assert holder.reload()
    assert _names(holder) == ["new"]
    assert not holder.changed()


BROKEN = [
    pytest.param("kind: [", id="no YAML"),
    pytest.param("kind: Nothing", id="unknown kind"),
    pytest.param("", id="empty"),
    pytest.param("{{}", id="key that is no text"),
    pytest.param("kind: GuardPolicy\napiVersion: migguard.io/v2", id="wrong version"),
]


@pytest.mark.parametrize("content", BROKEN)
def test_a_broken_file_leaves_the_last_good_set_in_force_until_it_is_mended(
    tmp_path: Path, content: str, caplog: pytest.LogCaptureFixture
) -> None:
    holder = _holder(tmp_path, policy("good"))
    good, loaded_at = holder.current, holder.loaded_at
    (tmp_path / "policies.yaml").write_text(content)

    with caplog.at_level(logging.ERROR):
        assert not holder.reload()

    assert holder.current is good
    assert holder.loaded_at == loaded_at
    assert holder.problem is not None
    assert holder.problem.problems
    assert "the last good policy set stays in force" in caplog.text
    assert not holder.changed(), "what was tried is not tried again and again"

    write(tmp_path, policy("mended"))
    assert holder.changed()
    assert holder.reload()
    assert _names(holder) == ["mended"]
    assert holder.problem is None


def test_a_directory_that_goes_away_leaves_the_last_good_set_in_force(tmp_path: Path) -> None:
    folder = tmp_path / "policies"
    holder = _holder(folder, policy("good"))
    folder.rename(tmp_path / "away")

    assert holder.changed()
    assert not holder.reload()
    assert holder.problem is not None
    assert _names(holder) == ["good"]
    assert not holder.changed()

    (tmp_path / "away").rename(folder)
    assert holder.changed()
    holder.reload()
    assert holder.problem is None


def test_files_that_change_while_they_are_read_are_never_put_in_force_as_a_mixture(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, policy("a-old"), file="a.yaml")
    write(tmp_path, policy("b-old"), file="b.yaml")
    holder = PolicyHolder([tmp_path], CATALOG)
    whole = loader.load

    def load_while_someone_writes(*args: Any, **options: Any) -> Any:
        loaded = whole(*args, **options)
        write(tmp_path, policy("b-new"), file="b.yaml")
        os.utime(tmp_path / "b.yaml", ns=(1, 1))
        return loaded

    write(tmp_path, policy("a-new"), file="a.yaml")
    with monkeypatch.context() as patched:
        patched.setattr(loader, "load", load_while_someone_writes)
        assert not holder.reload()
    assert _names(holder) == ["a-old", "b-old"]

    assert holder.changed()
    assert holder.reload()
    assert _names(holder) == ["a-new", "b-new"]


def test_readers_see_the_whole_old_set_or_the_whole_new_one(tmp_path: Path) -> None:
    sets = [[refusing(f"policy-{index}", message=f"set {number}") for index in range(8)] for number in range(2)]
    holder = _holder(tmp_path, *sets[0])
    revisions = {holder.current.revision}
    write(tmp_path, *sets[1])
    holder.reload()
    revisions.add(holder.current.revision)
    done = threading.Event()

    def read() -> int:
        seen = 0
        while not done.is_set() or not seen:
            current = holder.current
            messages = {one.validations[0].message for one in current.policies}
            assert len(messages) == 1
            assert len(current.policies) == 8
            assert current.revision in revisions
            seen += 1
        return seen

    with ThreadPoolExecutor(2) as pool:
        readers = [pool.submit(read) for _ in range(2)]
        try:
            for number in range(6):
                write(tmp_path, *sets[number % 2])
                assert holder.reload()
        finally:
            done.set()

    assert all(reader.result() for reader in readers)


def test_concurrent_reloads_do_not_trip_over_each_other(tmp_path: Path) -> None:
    holder = _holder(tmp_path, policy("old"))
    write(tmp_path, policy("new"))

    with ThreadPoolExecutor(4) as pool:
        swapped = list(pool.map(lambda _: holder.reload(), range(4)))

    assert sum(swapped) == 1
    assert _names(holder) == ["new"]


# Replacing a process


class _Kept:
    """What outlives a process, in memory; ``full`` refuses to take more."""

    def __init__(self) -> None:
        self.content: bytes | None = None
        self.full = False

    def found(self) -> bytes | None:
        return self.content

    def leave(self, content: bytes) -> None:
        if self.full:
            raise OSError(28, "No space left on device")
        self.content = content


def test_a_process_that_replaces_another_goes_on_with_its_set_if_the_files_are_broken_by_now(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = _Kept()
    write(tmp_path, policy("one"), parameters(critical={"label": "vip"}))
    before = PolicyHolder([tmp_path], CATALOG, kept).current
    (tmp_path / "policies.yaml").write_text("kind: [")

    holder = PolicyHolder([tmp_path], CATALOG, kept)

    assert holder.current.revision == before.revision
    assert holder.current.parameters == before.parameters
    assert _names(holder) == ["one"]
    assert holder.problem is not None
    assert not holder.changed()
    assert any("the process that this one replaces" in record.getMessage() for record in caplog.records)
    write(tmp_path, policy("two"))
    assert holder.changed()
    assert holder.reload()
    assert _names(holder) == ["two"]
    assert PolicyHolder([tmp_path], CATALOG, kept).problem is None


def test_each_good_set_is_kept_and_no_broken_one(tmp_path: Path) -> None:
    kept = _Kept()
    write(tmp_path, policy("one"))
    holder = PolicyHolder([tmp_path], CATALOG, kept)
    write(tmp_path, policy("two"))
    holder.reload()
    second = kept.content
    (tmp_path / "policies.yaml").write_text("kind: [")
    holder.reload()
    assert kept.content == second
    assert _names(PolicyHolder([tmp_path], CATALOG, kept)) == ["two"]


def test_without_anything_kept_the_first_load_must_succeed(tmp_path: Path) -> None:
    write(tmp_path, policy(failurePolicy="Never"))
    with pytest.raises(PolicyError):
        PolicyHolder([tmp_path], CATALOG, _Kept())


def test_a_set_that_cannot_be_kept_is_in_force_all_the_same_and_told(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    kept = _Kept()
    kept.full = True
    write(tmp_path, policy("one"))
    assert _names(PolicyHolder([tmp_path], CATALOG, kept)) == ["one"]
    assert any("the policy set cannot be kept" in record.getMessage() for record in caplog.records)
