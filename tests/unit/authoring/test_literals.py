"""Values as CEL literals, and maps as the typed objects of a MutatingAdmissionPolicy."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from webhook.authoring.literals import Untypable, apply_configuration, json_patch, literal
from webhook.model.objects import JSON
from webhook.policy.cel import Compiler, activation
from webhook.policy.celsyntax import parse
from webhook.policy.document import Text
from webhook.source.files import Document
from webhook.source.parsed import Place

_TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
_VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | _TEXTS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)  # fmt: skip


def _evaluated(text: str) -> JSON:
    source = Text(text, Document("test", text, text, {(): Place(1, 1)}))
    return Compiler({}).compile(source, ("dyn",)).evaluate(activation({}))


@given(_VALUES)
def test_a_literal_means_the_value(value: JSON) -> None:
    if "\0" in repr(value) or "\\x00" in repr(value):  # the runtime cuts texts there, see webhook.policy.cel
        return
    assert _evaluated(f"dyn({literal(value)})") == value


@pytest.mark.parametrize(
    ("text", "result"),
    [
        pytest.param("{}", "Object{}", id="nothing"),
        pytest.param("{'spec': {'a': 1}}", "Object{spec: Object.spec{a: 1}}", id="nested"),
        pytest.param(
            "{'metadata': {'annotations': {'a/b': x}}}",
            "Object{metadata: Object.metadata{annotations: {'a/b': x}}}",
            id="annotations-stay-a-map",
        ),
        pytest.param("a ? {} : {'spec': b}", "a ? Object{} : Object{spec: b}", id="either"),
        pytest.param("a || b ? {} : {}", "(a || b) ? Object{} : Object{}", id="condition-keeps-its-extent"),
        pytest.param("{?'spec': a.?b}", "Object{?spec: a.?b}", id="optional"),
        pytest.param("{'l': [{'x': 1}, 2]}", "Object{l: [Object.l{x: 1}, 2]}", id="list"),
    ],
)
def test_a_map_becomes_a_typed_object(text: str, result: str) -> None:
    assert apply_configuration(parse(text), text) == result


@pytest.mark.parametrize(
    ("text", "result"),
    [
        ("[]", "[]"),
        ("[{'op': 'add', 'path': p, 'value': {'a': 1}}]", "[JSONPatch{op: 'add', path: p, value: {'a': 1}}]"),
        ("a ? [] : [{'op': 'remove', 'path': '/x'}]", "a ? [] : [JSONPatch{op: 'remove', path: '/x'}]"),
        ("x.map(k, {'op': 'remove', 'path': k}) + []", "(x.map(k, JSONPatch{op: 'remove', path: k})) + ([])"),
    ],
)
def test_operations_become_typed(text: str, result: str) -> None:
    assert json_patch(parse(text), text) == result


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("variables.x", "not written out as a map"),
        ("{'a-b': 1}", "'a-b' cannot be written"),
        ("{x: 1}", "x cannot be written"),
    ],
)
def test_what_cannot_be_typed_says_why(text: str, reason: str) -> None:
    with pytest.raises(Untypable, match=reason):
        apply_configuration(parse(text), text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("variables.x", "not written out"),
        ("[variables.x]", "not written out as a map"),
        ("[{'op': 'add', 'where': '/x'}]", "'where' is no field"),
    ],
)
def test_operations_that_cannot_be_typed_say_why(text: str, reason: str) -> None:
    with pytest.raises(Untypable, match=reason):
        json_patch(parse(text), text)
