"""The command that grants what is missing."""

from __future__ import annotations

import shlex
from typing import Any

import pytest

from tests.support.builders import (
    cluster_role,
    context,
    create,
    migration_policy,
    request,
    role_binding,
    service_account,
    someone,
    user,
    vmim,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import MIGRATION_POLICY, VMIM
from webhook.model.facts import FactContext
from webhook.model.request import Operation, UserInfo

CREATE = create(VMIM, vmim())
ROBOT = UserInfo(username="system:serviceaccount:ci:robot", groups=("system:serviceaccounts",))


def ask(name: str, found: FactContext) -> Any:
    return FACTS[f"requester.{name}"].resolve(found)


@pytest.mark.parametrize(
    ("who", "command"),
    [
        pytest.param(
            someone("alice"),
            "oc create rolebinding migrate-alice -n prod --clusterrole=kubevirt.io:migrate --user=alice",
            id="user",
        ),
        pytest.param(
            someone("Alice@Example.com"),
            "oc create rolebinding migrate-alice-example-com -n prod --clusterrole=kubevirt.io:migrate "
            "--user=Alice@Example.com",
            id="mail address",
        ),
        pytest.param(
            ROBOT,
            "oc create rolebinding migrate-ci-robot -n prod --clusterrole=kubevirt.io:migrate "
            "--serviceaccount=ci:robot",
            id="service account",
        ),
        pytest.param(
            UserInfo(username="", groups=("devs",)),
            "oc create rolebinding migrate-devs -n prod --clusterrole=kubevirt.io:migrate --group=devs",
            id="only a group",
        ),
        pytest.param(
            someone("a; rm -rf /"),
            "oc create rolebinding migrate-a-rm-rf -n prod --clusterrole=kubevirt.io:migrate '--user=a; rm -rf /'",
            id="hostile name is quoted",
        ),
    ],
)
def test_the_remedy_is_the_command_that_grants_it(who: UserInfo, command: str) -> None:
    assert ask("remedy", context(create(VMIM, vmim(), by=who), cluster_role())) == command


def test_the_remedy_really_is_one() -> None:
    asked = create(VMIM, vmim(), by=ROBOT)
    words = shlex.split(ask("remedy", context(asked, cluster_role())))
    options = dict(word.removeprefix("--").split("=", 1) for word in words if word.startswith("--"))
    where, name = options["serviceaccount"].split(":")
    bound = role_binding(words[3], words[5], service_account(name, where), role=options["clusterrole"])
    after = context(asked, cluster_role(), bound)
    assert (ask("canMigrate", after), ask("remedy", after)) == (True, "")


def test_the_remedy_names_a_trusted_role_that_this_cluster_has() -> None:
    own = {"permission": {"mode": "explicit", "trustedClusterRoles": ["kubevirt.io:migrate", "vm-movers"]}}
    found = context(CREATE, cluster_role("vm-movers"), parameters=own)
    assert "--clusterrole=vm-movers" in ask("remedy", found)
    assert ask("absentRoles", found) == ["kubevirt.io:migrate"]


def test_for_a_cluster_scoped_object_it_is_a_cluster_role_binding() -> None:
    asked = create(MIGRATION_POLICY, migration_policy())
    found = context(asked, cluster_role(), role_binding("b", "prod", user("alice")))
    assert ask("remedy", found).startswith("oc create clusterrolebinding migrate-alice --clusterrole=")


def test_nobody_is_told_to_ask_for_the_right_to_write_a_status() -> None:
    asked = request(VMIM, Operation.UPDATE, old=vmim(), new=vmim(), subresource="status")
    assert ask("remedy", context(asked, cluster_role())) == ""
