"""Label selectors, by the rules of Kubernetes' labels package."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.model.selectors import selects

LABELS = {"tier": "gold", "zone": "a", "empty": ""}


def _expression(key: str, operator: str, *values: str) -> dict[str, Any]:
    return {"matchExpressions": [{"key": key, "operator": operator, "values": list(values)}]}


@pytest.mark.parametrize(
    ("selector", "selected"),
    [
        pytest.param({}, True, id="empty selects everything"),
        pytest.param({"matchLabels": {}}, True, id="no labels asked for"),
        pytest.param({"matchLabels": {"tier": "gold"}}, True, id="label"),
        pytest.param({"matchLabels": {"tier": "gold", "zone": "a"}}, True, id="all labels"),
        pytest.param({"matchLabels": {"tier": "gold", "zone": "b"}}, False, id="one label differs"),
        pytest.param({"matchLabels": {"other": ""}}, False, id="absent is not empty"),
        pytest.param({"matchLabels": {"empty": ""}}, True, id="empty value"),
        pytest.param(_expression("tier", "In", "silver", "gold"), True, id="in"),
        pytest.param(_expression("tier", "In", "silver"), False, id="in others"),
        pytest.param(_expression("other", "In", "silver"), False, id="in, absent"),
        pytest.param(_expression("tier", "NotIn", "silver"), True, id="not in"),
        pytest.param(_expression("tier", "NotIn", "gold"), False, id="not in, but is"),
        pytest.param(_expression("other", "NotIn", "gold"), True, id="not in holds where absent"),
        pytest.param(_expression("empty", "Exists"), True, id="exists"),
        pytest.param(_expression("other", "Exists"), False, id="exists, absent"),
        pytest.param(_expression("other", "DoesNotExist"), True, id="does not exist"),
        pytest.param(_expression("tier", "DoesNotExist"), False, id="does not exist, but does"),
        pytest.param(_expression("tier", "Like", "gold"), False, id="unknown operator"),
        pytest.param(_expression("tier", "in", "gold"), False, id="operators have one spelling"),
        pytest.param(
            {"matchLabels": {"zone": "a"}, **_expression("tier", "NotIn", "gold")}, False, id="both parts must hold"
        ),
    ],
)
def test_a_selector_selects_labels(selector: dict[str, Any], selected: bool) -> None:
    assert selects(selector, LABELS) is selected


labels = st.dictionaries(st.sampled_from("abc"), st.sampled_from("xyz"))
values = st.lists(st.sampled_from("xyz"))


@given(labels, st.sampled_from("abcd"), values)
def test_in_and_not_in_are_opposites_as_are_exists_and_does_not_exist(
    given_labels: dict[str, str], key: str, wanted: list[str]
) -> None:
    assert selects(_expression(key, "In", *wanted), given_labels) is not selects(
        _expression(key, "NotIn", *wanted), given_labels
    )
    assert selects(_expression(key, "Exists"), given_labels) is not selects(
        _expression(key, "DoesNotExist"), given_labels
    )


@given(labels, labels)
def test_match_labels_mean_in_with_one_value_each(asked: dict[str, str], given_labels: dict[str, str]) -> None:
    expressions = [{"key": key, "operator": "In", "values": [item]} for key, item in asked.items()]

    assert selects({"matchLabels": asked}, given_labels) is selects({"matchExpressions": expressions}, given_labels)
