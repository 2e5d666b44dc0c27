"""Variables and parameters that nothing reads."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, findings, policy, rules_of, validation


def variables(**expressions: str) -> list[Json]:
    return [{"name": name, "expression": expression} for name, expression in expressions.items()]


@pytest.mark.parametrize(
    ("spec", "unused"),
    [
        pytest.param({"validations": [validation("variables.a")]}, [], id="in-a-validation"),
        pytest.param(
            {"validations": [validation(messageExpression="string(variables.a) + vmi.name")]}, [], id="in-a-message"
        ),
        pytest.param(
            {"validations": [validation(translations={"ja": {"messageExpression": "variables.a ? 'か' : vmi.name"}})]},
            [],
            id="in-a-translation",
        ),
        pytest.param(
            {"auditAnnotations": [{"key": "a", "valueExpression": "string(variables.a)"}]}, [], id="in-an-annotation"
        ),
        pytest.param({}, ["a"], id="nowhere"),
        pytest.param({"validations": [validation("vmi.name != 'variables.a'")]}, ["a"], id="in-a-text-constant"),
    ],
)
def test_a_variable_is_read(spec: Json, unused: list[str], tmp_path: Path) -> None:
    given = policy(variables=variables(a="vmi.found"), **spec)
    found = [one for one in findings(tmp_path, given) if one.rule == "unused-variable"]
    assert [one.message for one in found] == [f"nothing reads variables.{name}" for name in unused]


def test_what_only_an_unused_variable_reads_is_unused_too(tmp_path: Path) -> None:
    given = policy(variables=variables(a="vmi.found", b="variables.a", c="variables.b"))
    assert rules_of(tmp_path, given) == ["unused-variable"] * 3


def declared(*names: str) -> Json:
    return {"type": "object", "properties": {name: {"type": "string", "default": "x"} for name in names}}


@pytest.mark.parametrize(
    ("expression", "unused"),
    [
        pytest.param("vmi.name == params.a", ["b"], id="field"),
        pytest.param("vmi.name == params['a']", ["b"], id="index"),
        pytest.param("vmi.name == params.a + params.b", [], id="both"),
        pytest.param("vmi.name in params", [], id="all-of-them"),
        pytest.param("params[vmi.name] == 'x'", [], id="computed-name"),
        pytest.param("has(params.a)", ["b"], id="asked-for"),
        pytest.param("vmi.name == 'params.a'", ["a", "b"], id="text"),
        pytest.param("object.params.a == 'x'", ["a", "b"], id="field-of-the-object"),
    ],
)
def test_a_parameter_is_read(expression: str, unused: list[str], tmp_path: Path) -> None:
    given = policy(paramSchema=declared("a", "b"), validations=[validation(expression)])
    found = findings(tmp_path, given)
    assert [(one.rule, one.message) for one in found] == [("unused-param", f"nothing reads params.{n}") for n in unused]
