"""Audit records as lines: whole or not at all, through rotation, full disks and crashes."""

import errno
import json
import os
import threading

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.audit.jsonl import JsonLines
from webhook.errors import AuditError


def records_in(path) -> list[object]:
    return [json.loads(line) for line in path.read_text().splitlines() if line]


class FullDisk:
    """os.write on a disk that takes ``room`` more bytes."""

    def __init__(self, room: int) -> None:
        self.room = room

    def __call__(self, descriptor: int, data: bytes | memoryview) -> int:
        taken = min(self.room, len(data))
        if not taken:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self.room -= taken
        return os.write(descriptor, bytes(data[:taken]))


@pytest.mark.parametrize("sync", [True, False], ids=["fsync", "flush"])
def test_records_are_lines_in_the_order_written(tmp_path, sync):
    path = tmp_path / "audit.jsonl"
    log = JsonLines(path, sync=sync)
    for number in range(3):
        log.write({"n": number})
    assert path.read_text() == '{"n":0}\n{"n":1}\n{"n":2}\n'
    log.close()


def test_a_record_is_on_disk_before_write_returns(tmp_path, monkeypatch):
    synced: list[bytes] = []
    path = tmp_path / "audit.jsonl"
    monkeypatch.setattr(os, "fsync", lambda _: synced.append(path.read_bytes()))
    log = JsonLines(path)
    log.write({"n": 1})
    log.close()
    assert synced == [b'{"n":1}\n']


def test_an_existing_file_is_continued(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_text('{"n":0}\n')
    log = JsonLines(path)
    log.write({"n": 1})
    log.close()
    assert records_in(path) == [{"n": 0}, {"n": 1}]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    )
)
def test_any_json_is_one_line_of_ascii(tmp_path_factory, value):
    path = tmp_path_factory.mktemp("audit") / "audit.jsonl"
    log = JsonLines(path, sync=False)
    log.write({"value": value})
    log.close()
    content = path.read_bytes()
    assert content.isascii()
    assert content.count(b"\n") == 1
    assert json.loads(content) == {"value": value}


def test_a_value_that_json_cannot_have_is_an_audit_error_and_writes_nothing(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = JsonLines(path)
    with pytest.raises(AuditError, match="the record is not JSON"):
        log.write({"n": float("nan")})
    log.close()
    assert path.read_bytes() == b""


@pytest.mark.parametrize("rotate", ["move", "remove"])
def test_after_rotation_records_go_to_the_new_file(tmp_path, rotate):
    path, old = tmp_path / "audit.jsonl", tmp_path / "audit.jsonl.1"
    log = JsonLines(path)
    log.write({"n": 0})
    if rotate == "move":
        path.rename(old)
    else:
        path.unlink()
    log.write({"n": 1})
    log.close()
    assert records_in(path) == [{"n": 1}]
    if rotate == "move":
        assert records_in(old) == [{"n": 0}]


def test_a_file_that_rotation_truncates_is_continued_from_its_start(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = JsonLines(path)
    log.write({"n": 0})
    os.truncate(path, 0)
    log.write({"n": 1})
    log.close()
    assert path.read_text() == '{"n":1}\n'


@pytest.mark.parametrize("room", [0, 1, 5, 12])
def test_a_full_disk_is_an_audit_error_and_leaves_no_half_record(tmp_path, room):
    path = tmp_path / "audit.jsonl"
    disk = FullDisk(8 + room)
    log = JsonLines(path, write=disk)
    log.write({"n": 0})
    with pytest.raises(AuditError, match="No space left on device"):
        log.write({"n": 1, "text": "long enough"})
    assert path.read_text() == '{"n":0}\n'
    disk.room = 1000
    log.write({"n": 2})
    log.close()
    assert records_in(path) == [{"n": 0}, {"n": 2}]


def test_half_a_record_that_cannot_be_removed_is_ended_before_the_next(tmp_path, monkeypatch):
    path = tmp_path / "audit.jsonl"
    disk = FullDisk(4)
    log = JsonLines(path, write=disk)

    def refuse(*_):
        raise OSError(errno.EPERM, "append only")

    monkeypatch.setattr(os, "ftruncate", refuse)
    with pytest.raises(AuditError):
        log.write({"n": 1})
    disk.room = 1000
    log.write({"n": 2})
    log.close()
    assert path.read_text() == '{"n"\n{"n":2}\n'


def test_half_a_record_of_a_crash_is_ended_before_the_next(tmp_path):
    path = tmp_path / "audit.jsonl"
    path.write_text('{"n":0}\n{"n":')
    log = JsonLines(path)
    log.write({"n": 2})
    log.close()
    assert path.read_text() == '{"n":0}\n{"n":\n{"n":2}\n'


def test_a_second_writer_is_refused(tmp_path):
    path = tmp_path / "audit.jsonl"
    first = JsonLines(path)
    with pytest.raises(AuditError, match="another process writes to this audit log"):
        JsonLines(path)
    first.close()
    JsonLines(path).close()


@pytest.mark.parametrize("place", ["missing/audit.jsonl", "."], ids=["no-folder", "a-folder"])
def test_a_file_that_cannot_be_opened_is_an_audit_error_with_its_place(tmp_path, place):
    with pytest.raises(AuditError) as error:
        JsonLines(tmp_path / place)
    assert error.value.where == str(tmp_path / place)
    assert "--audit-log" in error.value.hint


def test_a_new_file_is_not_readable_by_everyone(tmp_path):
    path = tmp_path / "audit.jsonl"
    JsonLines(path).close()
    assert path.stat().st_mode & 0o007 == 0


def test_without_a_file_records_go_to_standard_output(capfd):
    log = JsonLines(None)
    log.write({"n": 1})
    log.close()
    assert capfd.readouterr().out == '{"n":1}\n'
    assert log.place == "standard output"


def test_many_threads_write_whole_lines(tmp_path):
    path = tmp_path / "audit.jsonl"
    log = JsonLines(path)
    text = "x" * 5000

    def work(writer: int) -> None:
        for number in range(25):
            log.write({"writer": writer, "number": number, "text": text})

    threads = [threading.Thread(target=work, args=(writer,)) for writer in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    log.close()
    found = records_in(path)
    assert len(found) == 100
    for writer in range(4):
        numbers = [one["number"] for one in found if one["writer"] == writer]  # type: ignore[index]  # JSON
        assert numbers == list(range(25))
