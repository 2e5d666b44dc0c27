"""The commands that give a right of migguard's own."""

from __future__ import annotations

import json
import shlex

import pytest

from tests.support.builders import cluster_role, context, create, someone, vmim
from webhook.kubevirt.ownright import grant
from webhook.kubevirt.resources import VMIM
from webhook.model.facts import Attributes
from webhook.model.request import UserInfo

RULE = {"apiGroups": ["migguard.io"], "resources": ["systemmigrations"], "verbs": ["cancel"]}
RIGHT = Attributes(verb="cancel", group="migguard.io", resource="systemmigrations", namespace="prod")
ROLE = "migguard.io:cancel"


def commands(by: UserInfo, right: Attributes = RIGHT, *rules: dict[str, list[str]]) -> list[str]:
    objects = [cluster_role(ROLE, rules)] if rules else []
    return grant(context(create(VMIM, vmim(), by=by), *objects), right, ROLE).split(" && ")


def test_the_role_is_applied_as_an_object_because_create_clusterrole_refuses_a_resource_that_is_not_served() -> None:
    """Source: Kubernetes kubectl/pkg/cmd/create/create_role.go validateResource."""
    applied, bound = commands(someone())
    words = shlex.split(applied)
    assert (words[0], words[2:]) == ("echo", ["|", "oc", "apply", "-f", "-"])
    assert json.loads(words[1]) == {
        "apiVersion": "rbac.authorization.k8s.io/v1",
        "kind": "ClusterRole",
        "metadata": {"name": ROLE},
        "rules": [RULE],
    }
    assert bound == f"oc create rolebinding cancel-alice -n prod --clusterrole={ROLE} --user=alice"


def test_a_role_that_is_there_is_only_bound() -> None:
    assert len(commands(someone(), RIGHT, RULE)) == 1


def test_a_role_of_that_name_that_grants_something_else_is_put_right() -> None:
    assert len(commands(someone(), RIGHT, {**RULE, "verbs": ["get"]})) == 2


@pytest.mark.parametrize(
    ("by", "words"),
    [
        pytest.param(
            someone("Ann O'Hara"), ["cancel-ann-o-hara", "--user=Ann O'Hara"], id="a name with odd characters"
        ),
        pytest.param(someone("alice; rm -rf /"), ["cancel-alice-rm-rf", "--user=alice; rm -rf /"], id="a hostile name"),
        pytest.param(
            someone("system:serviceaccount:ci:bot"),
            ["cancel-ci-bot", "--serviceaccount=ci:bot"],
            id="a service account",
        ),
        pytest.param(someone("x" * 80), ["cancel-" + "x" * 56, "--user=" + "x" * 80], id="a long name"),
        pytest.param(someone("日本"), ["cancel", "--user=日本"], id="a name without a letter that names may have"),
    ],
)
def test_the_binding_is_for_the_requester(by: UserInfo, words: list[str]) -> None:
    bound = shlex.split(commands(by, RIGHT, RULE)[0])
    assert (bound[3], bound[-1]) == tuple(words)


def test_a_right_everywhere_takes_a_clusterrolebinding() -> None:
    everywhere = Attributes(verb="cancel", group="migguard.io", resource="systemmigrations")
    assert commands(someone(), everywhere, RULE) == [
        f"oc create clusterrolebinding cancel-alice --clusterrole={ROLE} --user=alice"
    ]
