"""Names in expressions: which stand for something outside, and how they are replaced."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.authoring.rewriting import references, rewritten
from webhook.policy.celsyntax import parse


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("a.b.c == d", ["a.b.c", "d"]),
        ("a[b.c].d", ["a", "b.c"]),
        ("list.all(x, x.y == z.x)", ["list", "z.x"]),
        ("list.exists(i, x, x > i && y)", ["list", "y"]),
        ("x.filter(x, x > 0)", ["x"]),
        ("a.map(x, x.filter(y, y == x && z)).size()", ["a", "z"]),
        ("f(a.b, 'a.b')", ["a.b"]),
        ("has(a.b) ? {'a': b} : [c]", ["a.b", "b", "c"]),
        ("a.?b.orValue(c)", ["a.b", "c"]),
        ("authorizer.group('g').check(v)", ["authorizer", "v"]),
    ],
)
def test_what_stands_for_something_outside_is_found(text: str, found: list[str]) -> None:
    assert [node.dotted for node in references(parse(text))] == found


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("params.max > 3", "variables.params.max > 3"),
        ("has(params.max) && 'params' in object.params", "has(variables.params.max) && 'params' in object.params"),
        ("[1].map(params, params + 1)", "[1].map(params, params + 1)"),
        ("params.all(x, x == params.y)", "variables.params.all(x, x == variables.params.y)"),
        ("{'params': params}", "{'params': variables.params}"),
        ("object.x  // params\n == params", "object.x  // params\n == variables.params"),
    ],
)
def test_a_name_is_replaced_where_it_is_one(text: str, result: str) -> None:
    assert rewritten(text, lambda name: "variables.params" if name == "params" else None) == result


def test_the_longest_name_wins() -> None:
    names = {"a": "A", "a.b": "AB"}
    assert rewritten("a.b.c + a.c", names.get) == "AB.c + A.c"


@given(st.text(alphabet="ab.?:&|!()[]{}' ,=<+1e", max_size=30))
def test_replacing_nothing_changes_nothing(text: str) -> None:
    try:
        parse(text)
    except Exception:  # noqa: BLE001 - whatever is no expression is not the matter here
        return
    assert rewritten(text, lambda _: None) == text
