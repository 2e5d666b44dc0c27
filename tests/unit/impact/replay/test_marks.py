"""Fields that were there and are not on record, and those that were never there."""

import pytest

from webhook.audit.pruning import DROPPED
from webhook.impact.replay.marks import hidden, marked, restored
from webhook.policy.fieldsread import FieldsRead

OBJECT = {"a": {"b": 1, DROPPED: ["c"]}, "list": [{"x": 1, DROPPED: ["y"]}], "map": {"k": {DROPPED: ["*"]}}}


@pytest.mark.parametrize(
    ("path", "whole", "found"),
    [
        pytest.param("a.b", True, "", id="kept"),
        pytest.param("a.c", True, "object.a.c", id="dropped"),
        pytest.param("a.d", True, "", id="was-not-there"),
        pytest.param("a", True, "object.a", id="the-whole-of-what-was-pruned"),
        pytest.param("a", False, "", id="only-that-it-is-there"),
        pytest.param("a.c", False, "object.a.c", id="that-it-was-there-but-not-its-type"),
        pytest.param("map.k.any", True, "object.map.k.any", id="any-name"),
        pytest.param("list.[].x", True, "", id="items"),
        pytest.param("list.[].y", True, "object.list[].y", id="dropped-of-items"),
        pytest.param("list.x", True, "object.list.x", id="a-list-in-place-of-a-mapping"),
        pytest.param("a.[]", True, "", id="keys-of-a-mapping"),
        pytest.param("map.k.[]", True, "object.map.k[]", id="keys-of-which-not-all-are-known"),
        pytest.param("a.b.c", True, "", id="below-a-number"),
    ],
)
def test_a_field_that_is_not_on_record_is_found(path, whole, found):
    paths = frozenset({("object", *path.split("."))})
    assert hidden({"object": OBJECT}, FieldsRead(paths) if whole else FieldsRead(present=paths)) == found


def test_of_what_was_dropped_the_names_are_there():
    again = {"a": {"b": 1, "c": None}, "list": [{"x": 1, "y": None}], "map": {"k": {}}}
    assert restored(OBJECT) == again
    assert marked(OBJECT)
    assert not marked(again)
