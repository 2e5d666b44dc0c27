"""Reading logs: files, directories, compressed ones, and what is broken in them."""

import gzip
import io
from pathlib import Path
from types import SimpleNamespace

import pytest

from webhook.errors import InputError
from webhook.impact.replay import log as replaylog
from webhook.impact.replay.log import Line, Trouble, chunks, lines_of, log_files


def test_a_directory_stands_for_its_files_by_name_but_not_the_hidden_ones(tmp_path):
    for name in ("b.jsonl", "a.jsonl.gz", "2026/c.jsonl", ".lock"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    found = log_files([str(tmp_path), str(tmp_path / "b.jsonl"), "-"])
    assert found == (*(str(tmp_path / name) for name in ("2026/c.jsonl", "a.jsonl.gz", "b.jsonl")), "-")


def test_what_is_not_there_is_told(tmp_path):
    with pytest.raises(InputError, match="no such file"):
        log_files([str(tmp_path / "none")])
    with pytest.raises(InputError, match="holds no file"):
        log_files([str(tmp_path)])


def test_lines_have_their_place_and_empty_ones_do_not_count(tmp_path):
    log = tmp_path / "a.jsonl"
    log.write_bytes(b'{"a": 1}\n\n  {"b": 2}  \r\n{"c"')
    assert list(lines_of(str(log))) == [
        Line(str(log), 1, b'{"a": 1}'),
        Line(str(log), 3, b'{"b": 2}'),
        Line(str(log), 4, b'{"c"', ended=False),
    ]
    assert next(iter(lines_of(str(log)))).place == f"{log}:1"


def test_compressed_logs_are_told_by_their_content(tmp_path):
    log = tmp_path / "a.log"
    log.write_bytes(gzip.compress(b"{}\n"))
    assert list(lines_of(str(log))) == [Line(str(log), 1, b"{}")]


def test_a_compressed_log_that_breaks_off_gives_what_there_is(tmp_path):
    log = tmp_path / "a.gz"
    log.write_bytes(gzip.compress(b"{}\n" * 100_000)[:-20])
    *lines, last = lines_of(str(log))
    assert lines
    assert isinstance(last, Trouble)
    assert "cannot be read further" in last.why


def test_a_line_that_is_too_long_is_skipped_and_told(tmp_path, monkeypatch):
    monkeypatch.setattr(replaylog, "MAX_LINE", 10)
    log = tmp_path / "a.jsonl"
    log.write_bytes(b"x" * 35 + b"\n{}\n")
    trouble, line = lines_of(str(log))
    assert isinstance(trouble, Trouble)
    assert trouble.place == f"{log}:1"
    assert line == Line(str(log), 2, b"{}")


def test_standard_input_is_a_log_too(monkeypatch):
    monkeypatch.setattr("sys.stdin", SimpleNamespace(buffer=io.BytesIO(b"{}\n")))
    assert list(lines_of("-")) == [Line("standard input", 1, b"{}")]


def test_portions_go_across_files_and_lose_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(replaylog, "CHUNK_LINES", 3)
    files = [str(tmp_path / name) for name in ("a", "b")]
    for file in files:
        Path(file).write_text("{}\n" * 4)
    portions = list(chunks(files))
    assert [len(portion) for portion in portions] == [3, 3, 2]
    places = [line.place for portion in portions for line in portion]
    assert places == [f"{one}:{number}" for one in files for number in range(1, 5)]
