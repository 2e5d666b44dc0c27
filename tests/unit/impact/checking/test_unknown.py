"""What is not known without a cluster, or without knowing who asks."""

from __future__ import annotations

import pytest

from tests.support.engine import policy, policy_set
from webhook.admission.natives import CATALOG
from webhook.cluster.store import Store
from webhook.errors import FactUnavailable
from webhook.impact.checking.unknown import NO_CLUSTER, ManifestsAlone, for_anybody
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY, NAMESPACE, NODE, RESOURCES


@pytest.fixture(name="view")
def view_of_one_namespace() -> ManifestsAlone:
    store = Store(RESOURCES)
    for watched in RESOURCES:
        store.replace(watched, ())
    store.put(NAMESPACE, {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": "prod"}})
    return ManifestsAlone(store)


def test_what_is_among_the_manifests_is_known_and_nothing_is_taken_to_be_absent(view: ManifestsAlone) -> None:
    assert view.get(NAMESPACE, "", "prod") is not None
    with pytest.raises(FactUnavailable, match=NO_CLUSTER):
        view.get(NAMESPACE, "", "another")
    with pytest.raises(FactUnavailable, match=NO_CLUSTER):
        view.select(NAMESPACE, "label", "a=b")
    with pytest.raises(FactUnavailable, match=NO_CLUSTER):
        view.list(NODE)
    assert len(view.last_known(NAMESPACE)) == 1


def test_the_migration_configuration_is_what_the_manifests_say(view: ManifestsAlone) -> None:
    assert not any(view.list(watched) for watched in (HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY))


def test_of_the_requester_only_what_holds_for_anybody_is_known() -> None:
    rules = policy_set(policy(), catalog=CATALOG)
    changed = {name for name, fact in for_anybody(rules).catalog.items() if fact is not rules.catalog[name]}
    assert {"requester.canMigrate", "requester.groups", "requester.mayCancelSystemMigrations", "authorizer"} <= changed
    assert not {"requester.username", "requester.origin", "vmi.found", "namespaceObject"} & changed
