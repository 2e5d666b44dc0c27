"""Constants that are none, and limits of the runtime that are near."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.unit.authoring.lint.linting import Json, findings, policy, rules_of, validation
from webhook.policy.cel import Compiler, EvaluationError, activation
from webhook.policy.document import Text
from webhook.source.files import parse


@pytest.mark.parametrize(
    ("expression", "bad"),
    [
        pytest.param("object.metadata.name.matches('^a+$')", "", id="pattern"),
        pytest.param("object.metadata.name.matches('[')", "'['", id="bad-pattern"),
        pytest.param("object.metadata.name.matches('(?=a)')", "'(?=a)'", id="pattern-that-re2-refuses"),
        pytest.param("object.metadata.name.find('(') == ''", "'('", id="find"),
        pytest.param("object.metadata.name.matches(params.pattern)", "", id="computed-pattern"),
        pytest.param("quantity(object.spec.memory).isLessThan(quantity('1Gi'))", "", id="quantity"),
        pytest.param("quantity(object.spec.memory).isLessThan(quantity('1GB'))", "quantity('1GB')", id="bad-quantity"),
        pytest.param("timestamp(time.now) > timestamp('2026-13-01T00:00:00Z')", "timestamp('2026-13-01", id="bad-time"),
        pytest.param("timestamp(time.now) - timestamp(time.now) < duration('1h')", "", id="duration"),
        pytest.param(
            "timestamp(time.now) - timestamp(time.now) < duration('1day')", "duration('1day')", id="bad-duration"
        ),
        pytest.param("object.spec.a.all(x, x.matches('['))", "'['", id="in-a-macro"),
        pytest.param("object.spec.a == 1 / 0", "1 / 0", id="division-by-zero"),
        pytest.param("object.spec.a == 7 % (1 - 1)", "7 % (1 - 1", id="remainder-of-zero"),
        pytest.param("object.spec.a == 10 / 5", "", id="division"),
    ],
)
def test_a_constant_is_one(expression: str, bad: str, tmp_path: Path) -> None:
    params = {"type": "object", "properties": {"pattern": {"type": "string", "default": "a"}}}
    uses_params: Json = {"paramSchema": params} if "params" in expression else {}
    found = findings(tmp_path, policy(validations=[validation(expression)], **uses_params))
    assert [one.rule for one in found] == (["bad-constant"] if bad else [])
    assert all(one.message.startswith(bad) for one in found)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("object.metadata.labels.transformMap(k, v, v)", ["unsupported-macro"], id="map"),
        pytest.param("[1, 2].transformMap(i, v, v)", ["unsupported-macro"], id="map-of-a-list"),
        pytest.param("object.metadata.labels.transformMapEntry(k, v, {v: k})", ["unsupported-macro"], id="entries"),
        pytest.param("object.metadata.labels.transformList(k, v, v)", [], id="list"),
    ],
)
def test_the_runtime_refuses_a_macro(expression: str, expected: list[str], tmp_path: Path) -> None:
    given = policy(validations=[validation(f"{expression} != object.spec.a")])
    assert rules_of(tmp_path, given) == expected
    if expected:
        (document,), _ = parse("a: b", "a.yaml")
        compiled = Compiler({}).compile(Text(expression, document), ("dyn", "map(dyn)"))
        with pytest.raises(EvaluationError, match="mapInsert"):
            compiled.evaluate(activation({"object": {"metadata": {"labels": {"a": "b"}}}}))


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        pytest.param("object.spec.a.all(x, x == 1)", [], id="one-list"),
        pytest.param("object.spec.a.all(x, object.spec.b.exists(y, x == y))", ["nested-iteration"], id="two-lists"),
        pytest.param("object.spec.a.all(x, x.b.exists(y, y == 1))", ["nested-iteration"], id="list-in-a-list"),
        pytest.param("object.spec.a.all(x, ['b', 'c'].exists(y, x == y))", [], id="constant-list"),
        pytest.param("vmi.obstacles.all(x, object.spec.b.exists(y, x == y))", [], id="facts-are-short"),
        pytest.param("object.spec.a.filter(x, x == 1).all(y, y == 2)", [], id="one-after-the-other"),
        pytest.param(
            "object.a.all(x, object.b.all(y, object.c.all(z, x == y && y == z)))",
            ["near-limit", "nested-iteration"],
            id="three-lists",
        ),
    ],
)
def test_loops_are_counted(expression: str, expected: list[str], tmp_path: Path) -> None:
    assert rules_of(tmp_path, policy(validations=[validation(expression)])) == expected


@pytest.mark.parametrize(("depth", "expected"), [(10, []), (29, ["near-limit"]), (40, ["cel"])])
def test_an_expression_is_nested(depth: int, expected: list[str], tmp_path: Path) -> None:
    expression = f"{'(' * depth}object.spec.aFieldWithALongName == 'and a long value'{')' * depth}"
    assert rules_of(tmp_path, policy(validations=[validation(expression)])) == expected
