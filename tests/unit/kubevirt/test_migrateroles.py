"""Which ClusterRoles carry the migrate rights. Source: KubeVirt pkg/virt-operator/resource/generate/rbac."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import EVERYTHING, MIGRATE_RULES, cluster_role, context, hyperconverged, update
from webhook.errors import FactUnavailable
from webhook.kubevirt.catalog import FACTS
from webhook.kubevirt.resources import HYPERCONVERGED
from webhook.model.facts import Deadline, FactContext

Json = dict[str, Any]
TO_ADMIN = {"rbac.authorization.k8s.io/aggregate-to-admin": "true"}
ASKED = update(HYPERCONVERGED, hyperconverged(), hyperconverged())


def migrate_roles(*objects: Json, parameters: Json | None = None) -> list[str]:
    found = FACTS["rbac.migrateRoles"].resolve(context(ASKED, *objects, parameters=parameters))
    assert isinstance(found, list)
    return found


@pytest.mark.parametrize(
    ("found", "told"),
    [
        pytest.param(
            cluster_role("kubevirt.io:upgrademigrate", labels=TO_ADMIN),
            True,
            id="OpenShift document: the role of the upgrade",
        ),
        pytest.param(
            cluster_role("kubevirt.io:upgrademigrate", labels={"kubevirt.io": ""}),
            True,
            id="a copy with KubeVirt's label",
        ),
        pytest.param(cluster_role("movers", MIGRATE_RULES[:1]), True, id="only the subresource"),
        pytest.param(cluster_role(), False, id="rbac/cluster.go: kubevirt.io:migrate is trusted"),
        pytest.param(cluster_role("cluster-admin", EVERYTHING), False, id="cluster-admin is trusted"),
        pytest.param(
            cluster_role("kubevirt.io:admin", labels={"kubevirt.io": ""}), False, id="rbac/cluster.go: up to 1.4"
        ),
        pytest.param(cluster_role("kubevirt-controller"), False, id="rbac/controller.go: virt-controller's own"),
        pytest.param(
            cluster_role("kubevirt-operator.v1.9.0-abc", labels={"olm.owner.kind": "ClusterServiceVersion"}),
            False,
            id="ownerutil/util.go: it came with an operator",
        ),
        pytest.param(cluster_role("everything", EVERYTHING), False, id="a wildcard does not name it"),
        pytest.param(
            cluster_role("admin", aggregates=[{"matchLabels": TO_ADMIN}]),
            False,
            id="aggregated: its components are told",
        ),
        pytest.param(cluster_role("readers", [{**MIGRATE_RULES[1], "verbs": ["get"]}]), False, id="reading"),
    ],
)
def test_roles_are_told_that_carry_the_rights_beside_the_trusted_ones(found: Json, told: bool) -> None:
    assert migrate_roles(found) == ([found["metadata"]["name"]] if told else [])


def test_trusted_roles_are_those_of_parameters() -> None:
    own = {"permission": {"mode": "explicit", "trustedClusterRoles": ["movers"]}}
    objects = cluster_role("movers"), cluster_role("others")
    assert migrate_roles(*objects, parameters=own) == ["others"]


def test_those_that_reach_most_people_come_first_and_ten_are_told() -> None:
    admin = cluster_role("admin", aggregates=[{"matchLabels": TO_ADMIN}])
    many = [cluster_role(f"a{number:02}") for number in range(20)]
    found = migrate_roles(admin, *many, cluster_role("z", labels=TO_ADMIN))
    assert found == ["z", *(f"a{number:02}" for number in range(9))]


def test_the_walk_ends_when_the_time_is_up() -> None:
    late: FactContext = context(ASKED, cluster_role("movers"))
    late.deadline = Deadline.after(-1)
    with pytest.raises(FactUnavailable, match="before all ClusterRoles were looked at"):
        FACTS["rbac.migrateRoles"].resolve(late)
