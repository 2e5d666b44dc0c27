"""The migration network. Sources: KubeVirt daemonsets.go; Multus k8sclient.go (parsePodNetworkObjectName)."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.builders import (
    Json,
    context,
    create,
    hyperconverged,
    kubevirt,
    migration_policy,
    network_attachment,
    update,
)
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.migrationnetwork import Attachment, attachment_of
from webhook.kubevirt.resources import HYPERCONVERGED, KUBEVIRT, MIGRATION_POLICY
from webhook.model.facts import FactContext


def read(found: FactContext, name: str) -> Any:
    return FACTS[f"config.{name}"].resolve(found)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        pytest.param("migration", ("kubevirt", "migration"), id="daemonsets.go-in-the-pods-namespace"),
        pytest.param("default/migration", ("default", "migration"), id="k8sclient.go-namespace"),
        pytest.param(" default/migration ", ("default", "migration"), id="k8sclient.go-spaces-are-trimmed"),
        pytest.param("a/b/c", ("kubevirt", ""), id="k8sclient.go-two-slashes"),
        pytest.param("migration@eth1", ("kubevirt", ""), id="k8sclient.go-two-interfaces"),
        pytest.param("one,two", ("kubevirt", ""), id="daemonsets.go-only-the-last-of-a-list-is-migration0"),
        pytest.param("migration.net", ("kubevirt", ""), id="k8sclient.go-DNS-1123-label"),
        pytest.param("Migration", ("kubevirt", ""), id="k8sclient.go-upper-case"),
        pytest.param("-x", ("kubevirt", ""), id="k8sclient.go-starts-with-a-dash"),
    ],
)
def test_a_network_is_read_as_multus_does(written: str, expected: tuple[str, str]) -> None:
    assert attachment_of(written, "kubevirt") == Attachment(*expected)


LABELS = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,8}[a-z0-9])?", fullmatch=True)


@given(LABELS, LABELS, LABELS)
def test_a_namespace_in_the_name_wins(home: str, namespace: str, name: str) -> None:
    assert attachment_of(f"{namespace}/{name}", home) == Attachment(namespace, name)
    assert attachment_of(name, home) == Attachment(home, name)


@pytest.mark.parametrize(
    ("network", "objects", "found"),
    [
        pytest.param(None, [], True, id="pod-network"),
        pytest.param("", [], True, id="empty-is-the-pod-network"),
        pytest.param("migration", [network_attachment()], True, id="there"),
        pytest.param("migration", [], False, id="not-there"),
        pytest.param("migration", [network_attachment(namespace="default")], False, id="in-another-namespace"),
        pytest.param("default/migration", [network_attachment(namespace="default")], True, id="named-with-namespace"),
        pytest.param("migration@eth1", [network_attachment()], False, id="no-name"),
    ],
)
def test_it_is_found_in_the_namespace_of_kubevirt(network: str | None, objects: list[Json], found: bool) -> None:
    migrations = {} if network is None else {"network": network}
    assert read(context(create(KUBEVIRT, kubevirt(migrations)), *objects), "networkFound") is found


@pytest.mark.parametrize(
    ("asked", "expected"),
    [
        pytest.param(create(KUBEVIRT, kubevirt(namespace="vms")), "vms", id="KubeVirt-CR"),
        pytest.param(create(HYPERCONVERGED, hyperconverged()), "openshift-cnv", id="HyperConverged"),
        pytest.param(
            update(HYPERCONVERGED, hyperconverged(), hyperconverged(version="v1"), version="v1"),
            "openshift-cnv",
            id="v1",
        ),
        pytest.param(create(MIGRATION_POLICY, migration_policy()), "elsewhere", id="any-other-object"),
    ],
)
def test_the_namespace_is_that_of_the_installation(asked: Any, expected: str) -> None:
    assert read(context(asked, kubevirt(namespace="elsewhere")), "networkNamespace") == expected


def test_without_any_installation_the_first_configured_namespace_is_taken() -> None:
    assert read(context(create(MIGRATION_POLICY, migration_policy())), "networkNamespace") == "kubevirt"
