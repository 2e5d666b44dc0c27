"""Every look-up that a fact is read from is named."""

from __future__ import annotations

import pytest

from tests.support import builders
from tests.support.engine import NOW, Json, policy, policy_set, request
from tests.support.view import View
from webhook.admission.natives import CATALOG
from webhook.admission.pipeline import World
from webhook.cluster.store import Store
from webhook.kubevirt.rbac import RBACAuthorizer
from webhook.kubevirt.resources import PVC, RESOURCES, VMIM
from webhook.model.facts import Read
from webhook.offline.tracing.factsource import FactSources, source_of

ROLES = (builders.cluster_role(), builders.role_binding("move", "prod", builders.user("alice")))


def sources(*objects: Json) -> FactSources:
    view = View(builders.namespace(), *objects)
    return FactSources(policy_set(policy(), catalog=CATALOG), World(view, RBACAuthorizer(view)), NOW)


def test_one_object_is_named():
    fact = sources(builders.vmi()).explain("vmi.phase", request())
    assert (fact.value, [one.text for one in fact.sources]) == ("Running", ["VirtualMachineInstance prod/db"])


def test_an_object_that_is_not_there_is_named_too():
    fact = sources().explain("vmi.found", request())
    assert [(one.text, one.count) for one in fact.sources] == [("VirtualMachineInstance prod/db (not found)", 0)]


def test_an_index_says_how_many_it_found_and_which():
    fact = sources(*(builders.vmim(f"m{number:02}") for number in range(12))).explain("migrations.ofVM", request())
    (source,) = fact.sources
    assert source.text == "index vmi of virtualmachineinstancemigrations under prod/db: 12 found"
    assert source.count == 12
    assert source.objects[:2] == (
        "VirtualMachineInstanceMigration prod/m00",
        "VirtualMachineInstanceMigration prod/m01",
    )
    assert len(source.objects) == 10


def test_the_whole_chain_of_a_right_is_named():
    fact = sources(*ROLES).explain("requester.canMigrate", request())
    assert fact.value is True
    texts = [one.text for one in fact.sources]
    assert "index subject of rolebindings under prod/User:alice: 1 found" in texts
    assert "ClusterRole kubevirt.io:migrate" in texts


def test_each_fact_names_its_own_reads_whatever_was_computed_before():
    shared = sources(builders.vmi())
    first, second = (shared.explain(name, request()).sources for name in ("vmi.phase", "vmi.node"))
    assert first == second != ()


def test_a_fact_of_the_request_alone_has_no_source():
    assert sources().explain("requester.username", request()).sources == ()


@pytest.mark.parametrize(
    ("name", "objects", "set_by"),
    [
        pytest.param("migration.allowPostCopy", [builders.vmi()], "KubeVirt default", id="default"),
        pytest.param(
            "migration.bandwidthPerMigration",
            [
                builders.vmi(labels={"speed": "slow"}),
                builders.migration_policy(
                    "gold",
                    selectors={"virtualMachineInstanceSelector": {"speed": "slow"}},
                    bandwidthPerMigration="64Mi",
                ),
            ],
            "MigrationPolicy gold",
            id="policy",
        ),
        pytest.param(
            "vmi.critical",
            [builders.vmi(), builders.vm(template_labels={"migguard.io/critical": "true"})],
            "label migguard.io/critical=true on the template of VirtualMachine prod/db",
            id="critical",
        ),
        pytest.param("vmi.phase", [builders.vmi()], "", id="not-a-setting"),
        pytest.param("migration.policy", [builders.vmi()], "", id="no-field-of-the-configuration"),
    ],
)
def test_what_sets_a_value_is_told(name, objects, set_by):
    assert sources(*objects).explain(name, request()).set_by == set_by


def test_questions_to_the_authorizer_are_told_with_their_answers():
    fact = sources(builders.role_binding("own", "prod", builders.user("alice"), role="own")).explain(
        "requester.canMigrate", request()
    )
    assert fact.value is False
    asked = sources().explain("requester.how", request()).questions
    assert [(one["user"], one["canI"], one["allowed"]) for one in asked] == [
        ("alice", "create virtualmachineinstancemigrations.kubevirt.io -n prod", False),
        ("alice", "update virtualmachines.subresources.kubevirt.io/db --subresource=migrate -n prod", False),
    ]


def test_a_look_up_that_fails_says_why():
    unsynced = Store(RESOURCES)
    assert source_of(unsynced, Read(PVC, namespace="prod", name="db-data")).text == (
        "PersistentVolumeClaim prod/db-data: persistentvolumeclaims have not been listed yet"
    )
    assert source_of(unsynced, Read(VMIM)).text == (
        "virtualmachineinstancemigrations: virtualmachineinstancemigrations.kubevirt.io have not been listed yet"
    )
