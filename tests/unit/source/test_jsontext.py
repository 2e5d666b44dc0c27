from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.source.jsontext import parse
from webhook.source.parsed import Place, UnparsableError


@pytest.mark.parametrize(
    ("content", "message", "place"),
    [
        pytest.param('{"a": 1,\n "b": }', "not valid JSON: Expecting value", Place(2, 7), id="broken"),
        pytest.param('\n{"a": 1, "a": 2}', "the key 'a' is there twice", Place(2, 1), id="duplicate-key"),
        pytest.param('{"a": NaN}', "NaN is not a number in JSON", Place(1, 1), id="nan"),
        pytest.param('{"a": 1}\n{"b": 2}', "more text after the value", Place(2, 1), id="two-values"),
        pytest.param("[" * 200 + "]" * 200, "nested deeper than 100", Place(1, 1), id="deep"),
        pytest.param("[" * 100_000, "nested deeper than 100", None, id="very-deep"),
    ],
)
def test_what_is_not_json_is_refused_with_its_place(content: str, message: str, place: Place | None) -> None:
    with pytest.raises(UnparsableError, match=message) as raised:
        list(parse(content))
    assert raised.value.place == place


def test_an_empty_text_is_no_document() -> None:
    assert list(parse(" \n ")) == []


def test_places_are_those_of_the_document_and_of_its_items() -> None:
    (document,) = parse('\n {"kind": "List", "x": {"items": [0]},\n"items": [{"a": 1},\n\t {"b": [2]} ] , "y": 1}')
    assert (document.place, list(document.items)) == (Place(2, 2), [Place(3, 11), Place(4, 3)])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=15,
)


@given(JSON, st.lists(JSON, max_size=4), st.sampled_from([None, 0, 1, 3]))
def test_what_is_dumped_is_read_back_and_every_item_has_its_place(
    value: object, listed: list[object], indent: int | None
) -> None:
    content = json.dumps({"before": value, "items": listed, "after": value}, indent=indent, ensure_ascii=False)
    (document,) = parse(content)
    assert document.value == {"before": value, "items": listed, "after": value}
    lines = content.split("\n")
    for item, place in zip(listed, document.items, strict=True):
        rest = "\n".join([lines[place.line - 1][place.column - 1 :], *lines[place.line :]])
        assert json.JSONDecoder().raw_decode(rest)[0] == item
