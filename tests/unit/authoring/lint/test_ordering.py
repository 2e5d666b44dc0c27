"""Lists made of maps, whose order is another in each run, where the order matters."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.unit.authoring.lint.linting import Json, findings, policy, rules_of, validation
from webhook.admission.natives import CATALOG


def saying(expression: str, **spec: Any) -> Json:
    return policy(validations=[validation("!vmi.critical", messageExpression=expression)], **spec)


@pytest.mark.parametrize(
    ("expression", "stable"),
    [
        pytest.param("object.spec.map(k, k).join(',')", False, id="joined"),
        pytest.param("object.spec.map(k, k).sort().join(',')", True, id="sorted"),
        pytest.param("object.metadata.labels.map(k, k + '=' + object.metadata.labels[k]).join()", False, id="labels"),
        pytest.param("object.metadata.?labels.orValue({}).map(k, k).join()", False, id="optional"),
        pytest.param("vmi.labels.filter(k, k.startsWith('a')).join()", False, id="fact"),
        pytest.param("vmi.labels.filter(k, k == 'a').join()", True, id="one-key"),
        pytest.param("vmi.labels.map(k, 'x').join()", True, id="all-the-same"),
        pytest.param("vmi.labels.transformList(k, v, v).join()", False, id="values"),
        pytest.param("vmi.labels.map(k, k)[0]", False, id="indexed"),
        pytest.param("size(vmi.labels) == 1 ? vmi.labels.map(k, k)[0] : ''", True, id="counted"),
        pytest.param("vmi.labels.map(k, k).first().orValue('')", False, id="first"),
        pytest.param("vmi.labels.map(k, k).map(k, k + '!').join()", False, id="mapped-twice"),
        pytest.param("vmi.labels.map(k, k).sort().map(k, k + '!').join()", True, id="sorted-in-between"),
        pytest.param("(['z'] + vmi.labels.map(k, k)).join()", False, id="added"),
        pytest.param("{'a': 1, 'b': 2}.map(k, k).join()", False, id="literal"),
        pytest.param("{'a': 1}.map(k, k).join()", True, id="literal-of-one-key"),
        pytest.param("variables.names.join()", False, id="variable"),
        pytest.param("variables.map.map(k, k).join()", False, id="map-in-a-variable"),
        pytest.param("vmi.labels.map(k, k).join() == '' ? 'none' : 'some'", True, id="empty-or-not"),
        pytest.param("vmi.labels.map(k, k).join(',').contains('a') ? 'a' : ''", True, id="looked-through"),
        pytest.param("vmi.labels.exists(k, k == 'a') ? 'a' : 'b'", True, id="exists"),
        pytest.param("string(vmi.labels.map(k, k).size())", True, id="size"),
        pytest.param("object.spec.volumes.map(v, v.name).join()", True, id="list-perhaps"),
        pytest.param("vmi.obstacles.map(one, one.code).join()", True, id="fact-that-is-a-list"),
        pytest.param("['b', 'a'].map(x, x).join()", True, id="list"),
        pytest.param("object.metadata.labels['a']", True, id="key"),
    ],
)
def test_an_order_is_stable(expression: str, stable: bool, tmp_path: Path) -> None:
    variables = [
        {"name": "names", "expression": "vmi.labels.map(k, k)"},
        {"name": "map", "expression": "object.?metadata.?labels.orValue({})"},
    ]
    used = [one for one in variables if f"variables.{one['name']}" in expression]
    found = rules_of(tmp_path, saying(expression, **({"variables": used} if used else {})))
    assert found == ([] if stable else ["unstable-order"])


def test_the_list_is_told_of_where_it_is_joined(tmp_path: Path) -> None:
    (found,) = findings(tmp_path, saying("'it has ' + vmi.labels.map(k, k).join(',')"))
    line = (tmp_path / "0.yaml").read_text("utf-8").splitlines()[found.place.line - 1]
    assert line[found.place.column - 1 :].startswith("vmi.labels.map")
    assert found.hint == "sort() it before"


def test_the_facts_of_these_tests_are_maps_and_lists() -> None:
    assert CATALOG["vmi.labels"].cel_type == "map(string)"
    assert CATALOG["vmi.obstacles"].cel_type == "list(map)"
