"""When a refusal of somebody named by name alone may not hold, and which groups would change it."""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.builders import Json
from tests.support.engine import judging
from tests.unit.impact.asking import MAY, VM, answer

ALONE = "alice was judged as a member of system:authenticated alone; name other groups with --as-group"
NONE = " (no binding gives a group the right to migrate in namespace prod)"
THOSE = " (those with the right to migrate in namespace prod: "
ROLE = builders.cluster_role()


def bound(*groups: str, namespace: str = "prod", role: str = "kubevirt.io:migrate") -> Json:
    return builders.role_binding("groups", namespace, *map(builders.group, groups), role=role)


@pytest.mark.parametrize(
    ("objects", "told"),
    [
        pytest.param((), NONE, id="none"),
        pytest.param((ROLE, bound("movers")), THOSE + "movers)", id="bound-there"),
        pytest.param((ROLE, bound("movers", namespace="dev")), NONE, id="bound-elsewhere"),
        pytest.param((ROLE, bound("b", "a", "b")), THOSE + "a, b)", id="each-once-by-name"),
        pytest.param((ROLE, bound(*"gfedcba")), THOSE + "a, b, c, d, e and 2 more)", id="the-first-few"),
        pytest.param((bound("movers"),), NONE, id="the-role-is-not-there"),
        pytest.param(
            (builders.cluster_role("old", builders.MIGRATE_RULES), bound("movers", role="old")),
            NONE,
            id="the-role-is-not-trusted",
        ),
        pytest.param(
            (ROLE, bound("system:serviceaccounts:ci", "system:nodes", "system:authenticated:oauth")),
            THOSE + "system:authenticated:oauth)",
            id="those-of-machines-are-not-named",
        ),
    ],
)
def test_a_refusal_by_name_alone_names_the_groups_that_would_do(objects, told):
    assert answer(*VM, *objects).unsure == ALONE + told


@pytest.mark.parametrize(
    ("objects", "user"),
    [
        pytest.param((), builders.someone("alice", "guests"), id="a-group-is-named"),
        pytest.param(
            (),
            builders.someone("system:serviceaccount:ci:bot", "system:serviceaccounts"),
            id="a-service-account",
        ),
        pytest.param(MAY, builders.someone(), id="who-may"),
        pytest.param((*MAY, builders.vmim("m1")), builders.someone(), id="another-reason"),
    ],
)
def test_otherwise_an_answer_is_certain(objects, user):
    assert answer(*VM, *objects, user=user).unsure == ""


def test_a_policy_that_reads_the_groups_themselves_is_in_doubt_too():
    only = judging("'movers' in requester.groups", "only-movers")
    assert answer(*VM, *MAY, documents=(only,)).unsure == ALONE


def test_a_policy_that_reads_who_it_is_alone_is_not():
    only = judging("requester.username != 'alice' && requester.origin == 'User'", "not-alice")
    assert answer(*VM, *MAY, documents=(only,)).unsure == ""
