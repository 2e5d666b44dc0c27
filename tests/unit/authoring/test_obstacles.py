"""What the API server does not understand; tests/e2e/test_native_policies.py asks the API server itself."""

from __future__ import annotations

import pytest

from webhook.authoring import obstacles
from webhook.policy.celsyntax import parse


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("cel.bind(x, 1, x > 0)", "cel.bind is not known", id="bind"),
        pytest.param("math.greatest(1, 2) > 1", "math.greatest is not known", id="math"),
        pytest.param("base64.encode(b'x') == ''", "base64.encode is not known", id="base64"),
        pytest.param("[1].existsOne(x, x == 1)", "existsOne is not known", id="exists-one"),
        pytest.param("object.`a/b` == 1", "back quotes", id="quoted-field"),
        pytest.param("request.uid == ''", "request.uid is not known", id="uid"),
        pytest.param("request.?namespace.orValue('x') == ''", "what is empty is left out", id="optional"),
        pytest.param("request['name'] == ''", "request is known field by field", id="the-request-as-a-whole"),
        pytest.param(
            "'groups' in request.userInfo", "request.userInfo is known field by field", id="the-user-as-a-whole"
        ),
        pytest.param("has(request.name)", "means something else", id="has-of-what-is-left-out"),
        pytest.param("jsonpatch.escapeKey('a') == 'a'", "in mutations only", id="escape-key"),
    ],
)
def test_what_the_api_server_does_not_know_is_named(text: str, reason: str) -> None:
    assert reason in "; ".join(obstacles.foreign(parse(text), text))


@pytest.mark.parametrize(
    "text", ["object.spec.a == '`'", "['a'].join(',') == 'a'", "has(request.options)", "bind.cel(1) == 1"]
)
def test_what_it_knows_is_not(text: str) -> None:
    assert list(obstacles.foreign(parse(text), text)) == []


def test_a_fact_that_only_we_know_is_named() -> None:
    found = list(
        obstacles._foreign_facts(frozenset({"vmi.name", "requester.username", "authorizer", "namespaceObject"}))
    )
    assert found == ["it reads vmi.name, which only migguard knows"]


def test_a_mutation_may_escape_keys() -> None:
    text = "[{'op': 'add', 'path': '/metadata/labels/' + jsonpatch.escapeKey('a/b'), 'value': 'x'}]"
    assert list(obstacles.foreign(parse(text), text, mutating=True)) == []
