from __future__ import annotations

from contextlib import suppress

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from webhook.source.parsed import Place, UnparsableError
from webhook.source.yamltext import parse


def one(content: str) -> object:
    (document,) = parse(content)
    return document.value


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("x", "x"),
        ("5", 5),
        ("-5", -5),
        ("0x1f", 31),
        ("1.5", 1.5),
        ("1e3", 1000.0),
        ("true", True),
        ("Yes", True),
        ("off", False),
        ("null", None),
        ("~", None),
        ("", None),
        ("'5'", "5"),
        ("'1e3'", "1e3"),
        ("e3", "e3"),
        ("!!str 5", "5"),
        ("52:54:00:12:34:56", "52:54:00:12:34:56"),
        ("12:30", "12:30"),
        ("1:20.5", "1:20.5"),
        ("2024-01-02", "2024-01-02"),
        ("2024-01-02T03:04:05Z", "2024-01-02T03:04:05Z"),
        ("=", "="),
        ("[1, {a: b}]", [1, {"a": "b"}]),
        ("{1: x, true: y}", {"1": "x", "true": "y"}),
    ],
)
def test_scalars_are_what_kubernetes_takes_them_for(written: str, expected: object) -> None:
    assert one(f"field: {written}\n") == {"field": expected}


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param("a: .nan", "not a number in JSON", id="nan"),
        pytest.param("a: -.inf", "not a number in JSON", id="infinity"),
        pytest.param("a: !!binary aGk=", "has no meaning", id="binary"),
        pytest.param("a: !!set {x}", "has no meaning", id="set"),
        pytest.param("a: !!python/object:os.system x", "has no meaning", id="python"),
        pytest.param("a: !!omap [x: y]", "has no meaning", id="ordered-map"),
        pytest.param("? [a]\n: b", "a key must be a text", id="list-as-key"),
        pytest.param("a: &x [*x]", "names nothing", id="alias-to-itself"),
        pytest.param("a: 1\n<<: 5", "<< must name mappings", id="merge-of-a-number"),
        pytest.param("[" * 5000, "nested deeper", id="deep-brackets"),
        pytest.param("{a: " * 5000, "nested deeper", id="deep-braces"),
        pytest.param("- " * 5000 + "x", "nested deeper", id="deep-dashes"),
        pytest.param("a: b: c", "not valid YAML: mapping values are not allowed", id="broken"),
        pytest.param("a: 'open", "not valid YAML", id="open-quote"),
    ],
)
def test_what_json_cannot_hold_or_nobody_writes_is_refused(content: str, message: str) -> None:
    with pytest.raises(UnparsableError, match=message):
        list(parse(content))


def test_aliases_may_repeat_a_part() -> None:
    content = "a: &x {k: [1, 2]}\nb: *x\nc: {<<: *x, own: 3}\nd: {<<: [{k: 1}, {k: 2, l: 2}], l: 3}\n"
    expected = {"a": {"k": [1, 2]}, "b": {"k": [1, 2]}, "c": {"k": [1, 2], "own": 3}, "d": {"k": 1, "l": 3}}
    assert one(content) == expected


def test_aliases_that_make_far_more_of_a_text_than_it_is_are_refused() -> None:
    bomb = "a0: &a0 [x,x,x,x,x,x,x,x,x]\n" + "".join(
        f"a{level}: &a{level} [{','.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 10)
    )
    with pytest.raises(UnparsableError, match="far larger"):
        list(parse(bomb))


def test_depth_is_counted_through_aliases() -> None:
    chain = "a0: &a0 " + "[" * 60 + "]" * 60 + "\na1: " + "[" * 60 + "*a0" + "]" * 60 + "\n"
    with pytest.raises(UnparsableError, match="nested deeper"):
        list(parse(chain))


def test_places_are_those_of_documents_and_of_their_items() -> None:
    first, second = parse("# a\nitems:\n- x\n-   y\nother: [1, 2]\n---\n\n  b: 1\n")
    assert (first.place, first.items) == (Place(2, 1), [Place(3, 3), Place(4, 5)])
    assert (second.place, second.items) == (Place(8, 3), ())


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**6), 10**6)
    | st.text(st.characters(min_codepoint=32, max_codepoint=126)),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text("abc.:/", max_size=5), inner, max_size=3),
    max_leaves=15,
)


@given(JSON)
def test_what_is_dumped_as_yaml_is_read_back(value: object) -> None:
    assert one(yaml.safe_dump({"value": value})) == {"value": value}


@given(st.text(st.sampled_from("ab:-[]{},&*!?|>'\"# \n\t%@<"), max_size=40))
def test_any_text_is_read_or_refused(content: str) -> None:
    with suppress(UnparsableError):
        for document in parse(content):
            assert document.place.line >= 1
