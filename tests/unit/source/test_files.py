"""Documents that know where each of their values stands."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.errors import InputError
from webhook.source.files import Document, find, parse, read
from webhook.source.parsed import FilePath

POLICY = """\
# a comment
kind: GuardPolicy
spec:
  plain: size(x) > 0
  quoted: "size(y) > 0"
  literal: |
    size(z) > 0 &&
      size(zz) > 0
  folded: >-
    one
    + two
  list:
    - {a: 1}
    - b
"""


def only(text: str) -> Document:
    documents, problems = parse(text, "p.yaml")
    assert problems == []
    assert len(documents) == 1
    return documents[0]


@pytest.mark.parametrize(
    ("path", "where"),
    [
        pytest.param((), "p.yaml:2:1", id="document"),
        pytest.param(("kind",), "p.yaml:2:7", id="scalar"),
        pytest.param(("spec", "list", 1), "p.yaml:14:7", id="list item"),
        pytest.param(("spec", "list", 0, "a"), "p.yaml:13:11", id="in a flow mapping"),
        pytest.param(("spec", "list", 0, "gone", "further"), "p.yaml:13:7", id="what is absent is where it would be"),
    ],
)
def test_a_value_is_found_by_its_path(path: FilePath, where: str) -> None:
    assert only(POLICY).where(path) == where


@pytest.mark.parametrize(
    ("field", "word", "where"),
    [
        pytest.param("plain", "> 0", "p.yaml:4:18", id="plain"),
        pytest.param("quoted", "y", "p.yaml:5:17", id="quoted"),
        pytest.param("literal", "z)", "p.yaml:7:10", id="literal"),
        pytest.param("literal", "zz", "p.yaml:8:12", id="second line of a literal"),
        pytest.param("folded", "two", "p.yaml:11:7", id="folded"),
    ],
)
def test_a_character_of_a_text_is_found_in_the_file(field: str, word: str, where: str) -> None:
    document = only(POLICY)
    text = document.value["spec"][field]
    assert document.where_in_text(("spec", field), text.index(word)) == where


@given(st.text(alphabet=" \nab(+", min_size=1).filter(lambda text: text.strip()), st.data())
def test_every_visible_character_of_a_literal_is_found(text: str, data: st.DataObject) -> None:
    lines = ["  " + line for line in ("x" + text).split("\n")]
    content = "\n".join(["key: |-", *lines, ""])
    document = only(content)
    value = document.value["key"]
    visible = [offset for offset, character in enumerate(value) if not character.isspace()]
    offset = data.draw(st.sampled_from(visible))
    line, column = map(int, document.where_in_text(("key",), offset).split(":")[1:])
    assert content.split("\n")[line - 1][column - 1] == value[offset]


def test_what_is_broken_ends_the_file_and_what_is_before_it_is_kept() -> None:
    documents, problems = parse("a: 1\n---\nb: [\n---\nc: 1\n", "p.yaml")
    assert [document.value for document in documents] == [{"a": 1}]
    assert problems[0].where.startswith("p.yaml:")
    assert "not valid YAML" in problems[0].message


def test_empty_documents_are_left_out() -> None:
    documents, problems = parse("---\n---\na: 1\n---\n# nothing\n", "p.yaml")
    assert ([document.value for document in documents], problems) == ([{"a": 1}], [])


def test_files_are_found_in_order_without_hidden_ones_and_skipped_folders(tmp_path: Path) -> None:
    for name in ("b.yaml", "a/policy.yml", "a/tests/t.yaml", "c.json", ".hidden.yaml", "notes.txt", "..data/x.yaml"):
        (tmp_path / name).parent.mkdir(exist_ok=True, parents=True)
        (tmp_path / name).write_text("a: 1")
    found = [str(path.relative_to(tmp_path)) for path in find([tmp_path], skip=frozenset({"tests"}))]
    assert found == ["a/policy.yml", "b.yaml", "c.json"]


def test_a_config_map_mount_is_read_once(tmp_path: Path) -> None:
    (tmp_path / "..2026").mkdir()
    (tmp_path / "..2026" / "p.yaml").write_text("a: 1")
    (tmp_path / "..data").symlink_to("..2026")
    (tmp_path / "p.yaml").symlink_to("..data/p.yaml")
    assert find([tmp_path]) == [tmp_path / "p.yaml"]


def test_a_link_to_a_folder_above_does_not_go_round_for_ever(tmp_path: Path) -> None:
    (tmp_path / "p.yaml").write_text("a: 1")
    (tmp_path / "again").symlink_to(tmp_path)
    assert find([tmp_path]) == [tmp_path / "p.yaml"]


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(lambda _: None, "no such file or directory", id="missing"),
        pytest.param(lambda path: path.mkdir(), r"holds no \.yaml, \.yml, \.json file", id="empty"),
    ],
)
def test_a_path_that_holds_nothing_is_named(tmp_path: Path, make: object, message: str) -> None:
    path = tmp_path / "policies"
    assert callable(make)
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        find([path])
    assert caught.value.where == str(path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"\xff\xfe\x00", "the file is not UTF-8 text .byte 1.", id="not text"),
        pytest.param(b"a" * 100, "is larger than", id="too large"),
    ],
)
def test_a_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "p.yaml"
    path.write_bytes(content)
    with pytest.raises(InputError, match=message):
        read(path, limit=50)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        pytest.param(os.mkfifo, "is not a regular file", id="fifo"),
        pytest.param(lambda path: path.symlink_to("/dev/zero"), "is not a regular file", id="device"),
        pytest.param(lambda path: path.mkdir(), "is not a regular file|cannot be read: Is a directory", id="folder"),
        pytest.param(lambda path: path.symlink_to(path), "cannot be read: Too many levels", id="link to itself"),
    ],
)
def test_what_is_no_file_is_named_and_not_waited_for(
    tmp_path: Path, make: Callable[[Path], object], message: str
) -> None:
    path = tmp_path / "p.yaml"
    make(path)
    with pytest.raises(InputError, match=message) as caught:
        read(path)
    assert caught.value.where == str(path)


def test_a_file_that_is_longer_than_it_says_is_read_only_up_to_the_limit() -> None:
    assert Path("/proc/self/maps").stat().st_size == 0
    with pytest.raises(InputError, match="is larger than"):
        read(Path("/proc/self/maps"), limit=50)
