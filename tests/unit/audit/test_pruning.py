"""What is kept of an object, and that what is dropped shows."""

# ruff: noqa: E501 - a case is one line

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.anyjson import ANY_JSON
from webhook.audit import pruning
from webhook.audit.pruning import DROPPED, Pruner

NAME = ("spec", "name")


@pytest.mark.parametrize(
    ("whole", "present", "obj", "kept"),
    [
        pytest.param([NAME], [], {"spec": {"name": "a"}}, {"spec": {"name": "a"}}, id="all-is-wanted"),
        pytest.param([NAME], [], {"spec": {"name": "a", "b": 1, "a": 2}, "status": {}}, {"spec": {"name": "a", DROPPED: ["a", "b"]}, DROPPED: ["status"]}, id="others-leave-their-names"),
        pytest.param([NAME], [], {"spec": {}}, {"spec": {}}, id="absent-stays-absent"),
        pytest.param([], [NAME], {"spec": {"name": {"x": 1}}}, {"spec": {"name": {DROPPED: ["x"]}}}, id="only-that-it-is-there"),
        pytest.param([], [NAME], {"spec": {"name": "a"}}, {"spec": {"name": "a"}}, id="a-text-is-there-as-it-is"),
        pytest.param([], [NAME], {"spec": {"name": [{"x": 1}]}}, {"spec": {"name": [{DROPPED: ["x"]}]}}, id="a-list-keeps-its-length"),
        pytest.param([("spec", "v", "[]", "n")], [], {"spec": {"v": [{"n": 1, "m": 2}, {}]}}, {"spec": {"v": [{"n": 1, DROPPED: ["m"]}, {}]}}, id="items"),
        pytest.param([("spec", "v", "[]", "n")], [], {"spec": {"v": {"n": {"m": 1}}}}, {"spec": {"v": {DROPPED: ["n"]}}}, id="of-a-mapping-for-a-list-the-keys"),
        pytest.param([("spec", "[]"), NAME], [], {"spec": {"name": "a", "b": 1}}, {"spec": {"name": "a", DROPPED: ["b"]}}, id="keys-and-one-of-the-values"),
        pytest.param([("spec",), NAME], [], {"spec": {"name": "a", "b": 1}}, {"spec": {"name": "a", "b": 1}}, id="the-shorter-path-wins"),
        pytest.param([("spec",)], [], {"spec": {DROPPED: ["forged"]}}, {"spec": {DROPPED: [DROPPED]}}, id="a-forged-mark"),
        pytest.param([("spec",)], [], {"spec": {"a": "x" * 2000}}, {"spec": {DROPPED: ["a"]}}, id="long-text"),
        pytest.param([("spec",)], [], {"spec": {"a": [0] * 200}}, {"spec": {DROPPED: ["a"]}}, id="long-list"),
        pytest.param([NAME], [], {"k" * 200: 1}, {DROPPED: ["*"]}, id="long-name"),
    ],
)  # fmt: skip
def test_what_is_kept(whole, present, obj, kept):
    assert Pruner(whole, present).prune(obj) == kept


@pytest.mark.parametrize(
    "obj",
    [
        pytest.param({"spec": {"cloudInitNoCloud": {"userData": "secret"}}}, id="cloud-init"),
        pytest.param({"spec": {"volumes": [{"cloudInitConfigDrive": {"networkDataBase64": "secret"}}]}}, id="in-a-list"),
        pytest.param({"data": {"password": "secret"}}, id="secret"),
        pytest.param({"stringData": {"password": "secret"}}, id="secret-as-written"),
        pytest.param({"metadata": {"annotations": {"kubectl.kubernetes.io/last-applied-configuration": "secret"}}}, id="last-applied"),
        pytest.param({"metadata": {"annotations": {"kubevirt.io/ignitiondata": "secret"}}}, id="ignition"),
        pytest.param({"spec": {"template": {"metadata": {"annotations": {"hooks.kubevirt.io/hookSidecars": "secret"}}}}}, id="hook-sidecars-of-a-template"),
        pytest.param({"spec": {"domain": {"firmware": {"kernelBoot": {"kernelArgs": "secret"}}}}}, id="kernel-arguments"),
        pytest.param({"spec": {"source": {"http": {"url": "https://user:secret@images/fedora.qcow2"}}}}, id="a-password-in-a-url"),
        pytest.param({"spec": {"args": ["--from", "get https://secret@images/fedora.qcow2"]}}, id="a-token-in-a-url"),
    ],
)  # fmt: skip
def test_secrets_are_never_kept_even_if_a_policy_reads_them(obj):
    kept = Pruner([("spec",), ("data",), ("stringData",), ("metadata",)]).prune(obj)
    assert "secret" not in str(kept)
    assert DROPPED in str(kept)


def test_a_url_without_user_information_is_kept_as_it_is():
    obj = {"spec": {"url": "docker://images/fedora@sha256:1", "who": "alice@example.org"}}
    assert Pruner([("spec",)]).prune(obj) == obj


def test_a_label_may_be_called_data():
    assert Pruner([("metadata",)]).prune({"metadata": {"labels": {"data": "x"}}}) == {
        "metadata": {"labels": {"data": "x"}}
    }


def values(node: Any) -> int:
    if isinstance(node, dict):
        return sum(1 + values(item) for item in node.values())
    return sum(1 + values(item) for item in node) if isinstance(node, list) else 0


@given(spec=ANY_JSON)
def test_whatever_there_is_each_field_is_kept_or_named(spec):
    obj = {"spec": spec, "other": 1}
    kept = Pruner([("spec",)]).prune(obj)
    names = kept.get(DROPPED, [])
    assert "*" in names or {*kept, *names} - {DROPPED} == {*obj}


@given(st.integers(min_value=0, max_value=60))
def test_an_object_is_kept_within_bounds(width):
    obj = {"spec": {f"a{one}": {f"b{two}": "x" * 900 for two in range(width)} for one in range(width)}}
    kept = Pruner([("spec",)]).prune(obj)
    assert values(kept) <= 2 * pruning.MAX_VALUES + pruning.MAX_NAMES * width
    assert (
        sum(
            len(text)
            for one in kept["spec"].values()
            if isinstance(one, dict)
            for text in one.values()
            if isinstance(text, str)
        )
        <= pruning.MAX_CHARACTERS
    )
