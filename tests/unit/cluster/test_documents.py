from __future__ import annotations

from pathlib import Path

import pytest

from webhook.cluster.documents import Found, read_file
from webhook.errors import Problem


def read(path: Path) -> list[str]:
    return [
        f"{item.place} {item.value.get('kind')} {item.value.get('apiVersion')}"
        if isinstance(item, Found)
        else str(item)
        for item in read_file(path)
    ]


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        pytest.param("kind: A\n", ["1:1 A None"], id="one"),
        pytest.param("", [], id="empty"),
        pytest.param("---\n---\n", [], id="empty-documents"),
        pytest.param("kind: List\nitems: null\n", [], id="empty-list"),
        pytest.param("kind: WidgetList\nspec: {}\n", ["1:1 WidgetList None"], id="a-kind-that-only-ends-in-list"),
        pytest.param(
            "kind: WidgetList\napiVersion: a/v1\nitems:\n- {metadata: {}}\n- {kind: B}\n",
            ["4:3 Widget a/v1", "5:3 B a/v1"],
            id="typed-list",
        ),
    ],
)
def test_documents_and_lists_become_objects_with_their_places(
    tmp_path: Path, content: str, expected: list[str]
) -> None:
    path = tmp_path / "a.yaml"
    path.write_text(content)
    assert read(path) == expected


def test_what_comes_before_something_broken_is_read(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("kind: A\n---\nkind: [\n---\nkind: B\n")
    found, problem = read_file(path)
    assert isinstance(found, Found)
    assert isinstance(problem, Problem)
    assert problem.where == f"{path}:4:1"


def test_the_suffix_tells_json_from_yaml_and_a_byte_order_mark_is_left_out(tmp_path: Path) -> None:
    for name in ("a.json", "a.yaml"):
        (tmp_path / name).write_bytes(b'\xef\xbb\xbf{"kind": "A",\t"apiVersion": "v1"}')
        assert read(tmp_path / name) == ["1:1 A v1"]
