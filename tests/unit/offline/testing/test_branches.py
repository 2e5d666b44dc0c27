"""Which conditions an expression has, and that their probes tell what they were."""

# ruff: noqa: E501 - a case is one line

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.offline.testing.branches import branches, readings
from webhook.policy.cel import Compiler, EvaluationError, activation
from webhook.policy.celsyntax import SyntaxProblem
from webhook.policy.document import Text
from webhook.source.files import Document
from webhook.source.parsed import Place

NOWHERE = Document("policy.yaml", {}, "", {(): Place(1, 1)})
COMPILER = Compiler({})
VARIABLES = dict.fromkeys("vw", COMPILER.compile(Text("dyn(1)", NOWHERE), ("dyn",)).type)


def holds(expression: str, **values: Any) -> bool:
    """What a boolean expression on ``object`` gives, where each variable is false."""
    compiled = COMPILER.compile(Text(expression, NOWHERE), ("bool",), variables=VARIABLES)
    return compiled.test(activation({"object": values, "variables.v": False, "variables.w": False}))


@pytest.mark.parametrize(
    ("text", "boolean", "conditions"),
    [
        pytest.param("a || b && !c", True, ["a", "b", "c"], id="operands"),
        pytest.param("(a || (b)) || c", True, ["a", "b", "c"], id="parentheses"),
        pytest.param("a", True, [], id="the-whole-expression-is-none"),
        pytest.param("!(!a)", True, [], id="nor-is-what-it-negates"),
        pytest.param("f(!a)", False, ["a"], id="but-an-argument-that-is-negated"),
        pytest.param("a ? 'x' : b ? 'y' : 'z'", False, ["a", "b"], id="choices-of-values"),
        pytest.param("a ? b : !c", True, ["a", "b", "c"], id="choices-of-conditions"),
        pytest.param("a && true", True, ["a"], id="constants-are-none"),
        pytest.param("[a && b] == c.d(e || f)", True, ["a", "b", "e", "f"], id="inside-values"),
        pytest.param("l.all(x, x.a)", True, ["x.a"], id="of-each-element"),
        pytest.param("l.exists(x, x.l.exists(y, y.a && x.b))", True, ["x.l.exists(y, y.a && x.b)", "y.a", "x.b"], id="nested"),
        pytest.param("l.map(x, x.a)", False, [], id="what-map-gives-is-none"),
        pytest.param("l.map(x, x.a, x.b ? 1 : 2)", False, ["x.a", "x.b"], id="map-with-a-filter"),
        pytest.param("m.transformList(k, v, v.a, k)", False, ["v.a"], id="two-variables"),
        pytest.param("o.optMap(x, x.a && x.b)", False, ["x.a", "x.b"], id="optional"),
        pytest.param("cel.bind(x, a ? b : c, x || d)", True, ["a", "x", "d"], id="bound"),
        pytest.param("{a && b ? 'k' : 'l': c || d}", False, ["a", "b", "c", "d"], id="keys-and-values"),
    ],
)  # fmt: skip
def test_conditions_are_found_where_they_stand(text: str, boolean: bool, conditions: list[str]) -> None:
    assert [text[one.start : one.end] for one in branches(text, boolean=boolean)] == conditions


@pytest.mark.parametrize(
    ("text", "values", "seen"),
    [
        pytest.param("object.a || object.b", {"a": True, "b": True}, {"object.a": {True}}, id="or-ends-with-what-is-true"),
        pytest.param("object.a || object.b", {"a": False, "b": True}, {"object.a": {False}, "object.b": {True}}, id="or-goes-on"),
        pytest.param("object.a && !object.b", {"a": True, "b": True}, {"object.a": {True}, "object.b": {True}}, id="and-goes-on"),
        pytest.param("object.a && object.b", {"a": False, "b": True}, {"object.a": {False}}, id="and-ends-with-what-is-false"),
        pytest.param("object.a ? object.b : object.c", {"a": False, "b": True, "c": False}, {"object.a": {False}, "object.c": {False}}, id="one-side-of-a-choice"),
        pytest.param("has(object.x) && object.x.y", {}, {"has(object.x)": {False}}, id="a-guard"),
        pytest.param("object.x.y || object.b", {"b": True}, {}, id="an-error-is-in-the-way"),
        pytest.param("object.l.exists(v, v > 1 && v < 3)", {"l": [1, 2]}, {"v > 1": {True, False}, "v < 3": {True}}, id="elements-differ"),
        pytest.param("object.l.all(v, v > 1)", {"l": []}, {}, id="no-element"),
        pytest.param("object.l.filter(v, v > 1).map(v, v > 2 ? 'a' : 'b') == []", {"l": [1, 2]}, {"v > 1": {True, False}, "v > 2": {False}}, id="filtered-elements"),
        pytest.param("object.l.exists(v, v.l.all(w, w == v.n || w == 0))", {"l": [{"n": 1, "l": [1, 0]}]}, {"v.l.all(w, w == v.n || w == 0)": {True}, "w == v.n": {True, False}, "w == 0": {True}}, id="inner-elements"),
        pytest.param("object.?a.optMap(v, v > 1 || v < 0).orValue(false) && object.b", {"a": 1, "b": True}, {"v > 1": {False}, "v < 0": {False}, "object.?a.optMap(v, v > 1 || v < 0).orValue(false)": {False}}, id="optional-value"),
        pytest.param("object.?a.optMap(v, v > 1 || v < 0).orValue(true) && object.b", {"b": True}, {"object.?a.optMap(v, v > 1 || v < 0).orValue(true)": {True}, "object.b": {True}}, id="no-value"),
        pytest.param("cel.bind(v, object.a, v || object.b)", {"a": False, "b": True}, {"v": {False}, "object.b": {True}}, id="bound-value"),
        pytest.param("object.m.all(k, v, k == 'x' || v == 1)", {"m": {"x": 2, "y": 1}}, {"k == 'x'": {True, False}, "v == 1": {True}}, id="keys-and-values"),
        pytest.param("object.l.all(v, v > 1 || v == 0)", {"l": [0, 1, 2]}, {"v > 1": {False}, "v == 0": {True, False}}, id="all-ends-with-the-first-that-is-false"),
        pytest.param("object.l.exists(v, v > 1 && v < 3)", {"l": [2, 1, 4]}, {"v > 1": {True}, "v < 3": {True}}, id="exists-ends-with-the-first-that-is-true"),
        pytest.param("object.l.exists_one(v, v > 1 && v < 3)", {"l": [2, 1, 4]}, {"v > 1": {True, False}, "v < 3": {True, False}}, id="exists-one-has-to-see-them-all"),
        pytest.param("object.l.all(i, v, i == 0 || v == 1)", {"l": [2, 2, 1]}, {"i == 0": {True, False}, "v == 1": {False}}, id="numbered-elements-end-too"),
        pytest.param("object.l.exists(i, v, i > 0 && v == 1)", {"l": [1, 1, 2]}, {"i > 0": {True, False}, "v == 1": {True}}, id="and-numbered-ones-of-exists"),
        pytest.param("object.m.all(k, k != 'x' || size(k) > 1)", {"m": {"x": 2, "y": 1}}, {"k != 'x'": {True, False}, "size(k) > 1": {False}}, id="keys-have-no-order"),
        pytest.param("object.m.all(k, v, v == 1 || k == 'a')", {"m": {"x": 2, "y": 1}}, {"v == 1": {True, False}, "k == 'a'": {False}}, id="nor-have-entries"),
        pytest.param("object.l.all(v, v.all(w, w > 1 || w == 0))", {"l": [[0], [1, 2], [3]]}, {"v.all(w, w > 1 || w == 0)": {True, False}, "w > 1": {False}, "w == 0": {True, False}}, id="inner-and-outer-end"),
    ],
)  # fmt: skip
def test_probes_tell_what_was_reached(text: str, values: dict[str, Any], seen: dict[str, set[bool]]) -> None:
    told: dict[str, set[bool]] = {}
    for branch in branches(text, boolean=True):
        for outcome, probe in ((True, branch.true), (False, branch.false)):
            try:
                reached = holds(probe, **values)
            except EvaluationError:
                continue
            if reached:
                told.setdefault(text[branch.start : branch.end], set()).add(outcome)
    assert told == seen


@pytest.mark.parametrize(
    ("text", "values", "read"),
    [
        pytest.param("variables.v == 1", {}, {"v"}, id="always"),
        pytest.param("object.a || variables.v", {"a": True}, set(), id="or-ends"),
        pytest.param("object.a || variables.v", {"a": False}, {"v"}, id="or-goes-on"),
        pytest.param("object.a && f(variables.v.x)", {"a": False}, set(), id="and-ends"),
        pytest.param("object.a ? variables.v : variables.w", {"a": False}, {"w"}, id="one-side-of-a-choice"),
        pytest.param("object.a && variables.v || variables.v == 1", {"a": False}, {"v"}, id="one-of-two-places"),
        pytest.param("object.l.map(x, variables.v)", {"l": []}, set(), id="no-element"),
        pytest.param("object.l.map(x, x > 1, variables.v[x])", {"l": [1, 2]}, {"v"}, id="some-element"),
        pytest.param("object.l.all(x, x > 1 || x < 1 && variables.v)", {"l": [1, 0]}, set(), id="an-element-too-late"),
        pytest.param("cel.bind(x, variables.v, object.a || x)", {"a": True}, {"v"}, id="bound"),
        pytest.param("'variables.v' == object.variables.v", {}, set(), id="no-variable"),
    ],
)  # fmt: skip
def test_a_variable_is_read_where_the_expression_gets_to_it(text: str, values: dict[str, Any], read: set[str]) -> None:
    assert {name for name, probe in readings(text).items() if holds(probe, **values)} == read


CONDITIONS = st.recursive(
    st.sampled_from(["object.a", "object.b", "object.c"]),
    lambda inner: st.one_of(
        st.builds("({} && {})".format, inner, inner),
        st.builds("({} || {})".format, inner, inner),
        st.builds("!{}".format, inner),
        st.builds("({} ? {} : {})".format, inner, inner, inner),
    ),
    max_leaves=8,
)


@given(CONDITIONS, st.fixed_dictionaries({name: st.booleans() for name in "abc"}))
def test_a_condition_that_is_reached_is_either_true_or_false_and_some_are_reached(
    text: str, values: dict[str, bool]
) -> None:
    found = branches(text, boolean=True)
    outcomes = [(holds(one.true, **values), holds(one.false, **values)) for one in found]
    assert (True, True) not in outcomes
    assert not found or (True, False) in outcomes or (False, True) in outcomes
    reached = [text[one.start : one.end] for one, outcome in zip(found, outcomes, strict=True) if outcome[0]]
    assert all(values[name.removeprefix("object.")] for name in reached)


def test_what_is_no_expression_is_told() -> None:
    with pytest.raises(SyntaxProblem):
        branches("a &&", boolean=True)
