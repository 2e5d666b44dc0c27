"""What was dropped from a record cannot be taken for absent by a fact that is computed anew."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from webhook.audit.pruning import DROPPED
from webhook.impact.replay.guard import HiddenError, guarded, nothing
from webhook.model.objects import labels_of, mapping, text, value

OBJECT = guarded({"spec": {"kept": "x", DROPPED: ["gone"]}, "metadata": {"labels": {"a": "b"}}, DROPPED: ["status"]})


@pytest.mark.parametrize(
    ("read", "found"),
    [
        pytest.param(lambda: text(OBJECT, "spec", "kept"), "x", id="kept"),
        pytest.param(lambda: value(OBJECT, "spec", "never"), None, id="was-never-there"),
        pytest.param(lambda: "never" in OBJECT["spec"], False, id="is-not-in-it"),
        pytest.param(lambda: labels_of(OBJECT), {"a": "b"}, id="a-part-that-is-whole"),
        pytest.param(lambda: guarded([{"a": 1}]), [{"a": 1}], id="a-list"),
    ],
)
def test_what_is_on_record_is_read_as_it_is(read: Callable[[], Any], found: Any) -> None:
    assert read() == found


@pytest.mark.parametrize(
    "read",
    [
        pytest.param(lambda: value(OBJECT, "spec", "gone"), id="get"),
        pytest.param(lambda: OBJECT["spec"]["gone"], id="item"),
        pytest.param(lambda: "gone" in OBJECT["spec"], id="in"),
        pytest.param(lambda: list(OBJECT["spec"]), id="iterate"),
        pytest.param(lambda: dict(OBJECT["spec"]), id="copy"),
        pytest.param(lambda: {**OBJECT["spec"]}, id="spread"),
        pytest.param(lambda: len(OBJECT["spec"]), id="length"),
        pytest.param(lambda: bool(OBJECT["spec"]), id="truth"),
        pytest.param(lambda: OBJECT["spec"] == {"kept": "x"}, id="equality"),
        pytest.param(OBJECT["spec"].items, id="items"),
        pytest.param(lambda: json.dumps(OBJECT), id="text"),
        pytest.param(lambda: mapping(nothing(), "spec"), id="an-object-of-which-nothing-is-known"),
    ],
)
def test_what_was_dropped_cannot_be_passed_over(read: Callable[[], Any]) -> None:
    with pytest.raises(HiddenError):
        read()
