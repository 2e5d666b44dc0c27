"""A cluster as it would be with some objects written or deleted."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import namespace, vmi
from tests.support.view import View
from webhook.impact.blastradius.view import PutView
from webhook.kubevirt.indexkeys import label_pair
from webhook.kubevirt.resources import NAMESPACE, VMI
from webhook.model.objects import name_of, namespace_of

PLACES = st.tuples(st.sampled_from(["a", "b"]), st.sampled_from(["x", "y", "z"]))
LABELS = st.sampled_from([{}, {"app": "db"}, {"app": "web", "tier": "gold"}])
OBJECTS = st.dictionaries(PLACES, LABELS, max_size=5)
PUTS = st.dictionaries(PLACES, st.one_of(st.none(), LABELS), max_size=4)


def made(place: tuple[str, str], labels: dict[str, str]) -> dict[str, Any]:
    return vmi(place[1], place[0], labels=labels)


def places(found: Any) -> list[tuple[str, str, Any]]:
    return [(namespace_of(one), name_of(one), one["metadata"].get("labels")) for one in found]


@given(OBJECTS, PUTS)
def test_it_is_as_if_the_objects_were_stored(stored: dict[Any, Any], put: dict[Any, Any]) -> None:
    before = View(*(made(place, labels) for place, labels in stored.items()))
    objects = {place: None if labels is None else made(place, labels) for place, labels in put.items()}
    result = {place: labels for place, labels in {**stored, **put}.items() if labels is not None}
    wanted, seen = View(*(made(place, labels) for place, labels in result.items())), PutView(before, {VMI: objects})
    assert places(seen.list(VMI)) == places(wanted.list(VMI)) == places(seen.last_known(VMI))
    for one in ("a", "b"):
        assert places(seen.select(VMI, "namespace", one)) == places(wanted.select(VMI, "namespace", one))
        for name in ("x", "y", "z"):
            assert (seen.get(VMI, one, name) is None) is (wanted.get(VMI, one, name) is None)
    for key in (label_pair("app", "db"), label_pair("tier", "gold"), label_pair("app", "none")):
        assert places(seen.select(VMI, "label", key)) == places(wanted.select(VMI, "label", key))


def test_what_is_not_written_is_passed_on() -> None:
    stored = View(vmi("db"), namespace())
    seen = PutView(stored, {VMI: {("prod", "db"): None}})
    assert seen.get(NAMESPACE, "", "prod") is stored.get(NAMESPACE, "", "prod")
    assert seen.list(NAMESPACE) == stored.list(NAMESPACE)


def test_one_lies_over_another() -> None:
    first = PutView(View(vmi("db")), {VMI: {("prod", "db"): None, ("prod", "web"): vmi("web")}})
    second = PutView(first, {VMI: {("prod", "db"): vmi("db", labels={"a": "b"})}})
    assert places(second.list(VMI)) == [("prod", "db", {"a": "b"}), ("prod", "web", None)]
