"""What goes on record of a request besides facts."""

import pytest

from tests.support import builders
from tests.support.engine import request
from webhook.audit.basis import Keeping, digests
from webhook.audit.pruning import DROPPED

PARAMETERS = builders.PARAMETERS


def keeping(*whole: tuple[str, ...]) -> Keeping:
    return Keeping("sha256:1", PARAMETERS, lambda _: (set(whole), set()))


def test_of_an_object_metadata_is_kept_that_selects_and_what_policies_read():
    labels = {"app": "db"}
    obj = {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {
            "name": "a",
            "uid": "1",
            "labels": labels,
            "annotations": {"note": "private"},
            "finalizers": ["f"],
            "ownerReferences": [{"kind": "Owner", "name": "private"}],
        },
        "spec": {"read": 1, "other": "private"},
    }
    kept = keeping(("spec", "read")).basis(request(object=obj), "sha256:1", None).object
    assert kept == {
        "apiVersion": "v1",
        "kind": "Thing",
        "metadata": {
            "name": "a",
            "labels": labels,
            "annotations": {DROPPED: ["note"]},
            "finalizers": ["f"],
            "ownerReferences": [{"kind": "Owner", DROPPED: ["name"]}],
            DROPPED: ["uid"],
        },
        "spec": {"read": 1, DROPPED: ["other"]},
    }


def test_of_the_namespace_name_labels_and_phase_are_kept():
    space = {**builders.namespace("prod", labels={"tier": "1"}), "status": {"phase": "Active", "conditions": []}}
    kept = keeping().basis(request(), "sha256:1", space).namespace
    assert kept == {
        "metadata": {"name": "prod", "labels": {"tier": "1"}},
        "status": {"phase": "Active", DROPPED: ["conditions"]},
        DROPPED: ["apiVersion", "kind"],
    }


def test_a_decision_of_another_policy_set_has_no_parameters():
    kept = keeping().basis(request(), "sha256:other", None, "the cache is stale")
    assert (kept.parameters, kept.namespace_unavailable) == ({}, "the cache is stale")


@pytest.mark.parametrize(
    ("changed", "differ"),
    [
        pytest.param({"freezeWindows": [{"name": "w"}]}, {"freezeWindows"}, id="what-a-fact-reads"),
        pytest.param({"params": {"x": 1}, "language": "ja", "exemptions": {"maxDays": 1}}, set(), id="what-none-reads"),
    ],
)
def test_parameters_are_told_apart_by_what_facts_depend_on(changed, differ):
    before, after = digests(PARAMETERS), digests({**PARAMETERS, **changed})
    assert {name for name in {*before, *after} if before.get(name) != after.get(name)} == differ


def test_options_are_kept_without_their_type():
    options = {"apiVersion": "meta.k8s.io/v1", "kind": "CreateOptions", "fieldManager": "kubectl"}
    kept = keeping().basis(request(options=options), "sha256:1", None).options
    assert kept == {"fieldManager": "kubectl", DROPPED: ["apiVersion", "kind"]}
