"""The VM that somebody names, and the migration that they would write."""

from __future__ import annotations

import json
import shlex
from collections.abc import Sequence

import pytest

from tests.support import builders
from tests.support.view import View
from webhook.cluster.store import Store
from webhook.errors import FactUnavailable, InputError, UsageError
from webhook.impact.vm.name import Presence, VMName, migration_command, migration_request
from webhook.kubevirt.resources import RESOURCES, VMI
from webhook.model.facts import WatchedResource
from webhook.model.request import Operation, UserInfo


@pytest.mark.parametrize(
    ("text", "namespace", "named"),
    [
        pytest.param("prod/db", "", VMName("prod", "db"), id="both"),
        pytest.param("db", "prod", VMName("prod", "db"), id="namespace-beside"),
        pytest.param("prod/db", "prod", VMName("prod", "db"), id="said-twice"),
    ],
)
def test_a_vm_is_named(text, namespace, named):
    assert VMName.parse(text, namespace) == named


@pytest.mark.parametrize(
    ("text", "namespace", "says"),
    [
        pytest.param("db", "", "'db' does not name a VM", id="no-namespace"),
        pytest.param("prod/", "", "'prod/' does not name a VM", id="no-name"),
        pytest.param("/db", "", "'/db' does not name a VM", id="empty-namespace"),
        pytest.param("a/b/c", "", "'a/b/c' does not name a VM", id="too-long"),
        pytest.param("prod/db", "dev", "prod/db is not in namespace dev", id="two-namespaces"),
    ],
)
def test_what_names_no_vm_is_refused(text, namespace, says):
    with pytest.raises(UsageError, match=says):
        VMName.parse(text, namespace)


def test_a_vm_that_runs_and_one_that_does_not_are_both_there():
    view = View(builders.vm("stopped"), builders.vmi("bare"))
    assert Presence.of(VMName("prod", "stopped"), view).vmi is None
    assert Presence.of(VMName("prod", "bare"), view).vm is None


@pytest.mark.parametrize(
    ("named", "hint"),
    [
        pytest.param(VMName("prod", "database"), "did you mean 'databaze'?", id="name"),
        pytest.param(VMName("dev", "web"), "did you mean 'prod/web'?", id="other-namespace"),
        pytest.param(VMName("prod", "qqq"), "namespace prod has databaze, web", id="nothing-like-it"),
        pytest.param(VMName("produ", "qqq"), "did you mean 'prod'?", id="namespace"),
        pytest.param(VMName("xyz", "qqq"), "namespace xyz has no VM", id="nothing"),
    ],
)
def test_of_a_vm_that_is_not_there_the_nearest_is_named(named, hint):
    view = View(builders.namespace(), builders.vmi("databaze"), builders.vm("web"))
    with pytest.raises(InputError) as caught:
        Presence.of(named, view)
    assert (caught.value.message, caught.value.hint) == (f"there is no VM {named}", hint)


def readable(*resources: WatchedResource, objects: Sequence[builders.Json] = ()) -> Store:
    """A cluster of which our account may list only some resources."""
    store = Store(RESOURCES)
    for watched in resources:
        store.replace(watched, [one for one in objects if one["kind"] == watched.kind])
    return store


def test_of_a_vm_that_runs_the_virtual_machine_need_not_be_readable():
    found = Presence.of(VMName("prod", "db"), readable(VMI, objects=[builders.vmi()]))
    assert (found.vm, found.vmi is not None) == (None, True)
    with pytest.raises(FactUnavailable):
        Presence.of(VMName("prod", "db"), readable(VMI))


def test_where_migrations_cannot_be_read_the_first_name_is_proposed():
    assert migration_request(VMName("prod", "db"), builders.someone(), readable(VMI)).name == "migrate-db"


def test_the_request_is_what_the_api_server_would_make_of_it():
    user = UserInfo(username="system:serviceaccount:ci:robot", extra={"scope": ("a", "b")})
    asked = migration_request(VMName("prod", "db"), user, View())
    assert (asked.operation, asked.namespace, asked.name) == (Operation.CREATE, "prod", "migrate-db")
    assert str(asked.resource) == "virtualmachineinstancemigrations.kubevirt.io"
    assert asked.object is not None
    assert asked.object["spec"] == {"vmiName": "db"}
    assert "system:serviceaccounts:ci" in asked.user.groups
    assert asked.user.extra == {"scope": ("a", "b")}


def test_a_name_that_is_taken_is_not_proposed():
    view = View(builders.vmim("migrate-db"), builders.vmim("migrate-db-2"))
    assert migration_request(VMName("prod", "db"), builders.someone(), view).name == "migrate-db-3"


def test_the_command_is_one_that_a_shell_understands():
    words = shlex.split(migration_command(VMName("prod", "db"), View()))
    assert (words[0], words[2:]) == ("echo", ["|", "oc", "create", "-f", "-"])
    assert json.loads(words[1])["spec"] == {"vmiName": "db"}
