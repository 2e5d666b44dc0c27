"""Which subjects are crowds. Source: Kubernetes apiserver/pkg/authentication/user/user.go, serviceaccount/util.go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.support.builders import cluster_role_binding, group, service_account, user
from webhook.kubevirt.widesubjects import wide_subjects


@pytest.mark.parametrize(
    ("subject", "wide"),
    [
        pytest.param(group("system:authenticated"), True, id="user.go: AllAuthenticated"),
        pytest.param(group("system:unauthenticated"), True, id="user.go: AllUnauthenticated"),
        pytest.param(group("system:authenticated:oauth"), True, id="oauth-apiserver: all people of OpenShift"),
        pytest.param(group("system:serviceaccounts"), True, id="serviceaccount/util.go: AllServiceAccountsGroup"),
        pytest.param(group("system:serviceaccounts:ci"), True, id="serviceaccount/util.go: ServiceAccountGroupPrefix"),
        pytest.param(user("system:anonymous"), True, id="user.go: Anonymous"),
        pytest.param(group("system:serviceaccounts:"), False, id="serviceaccount/util.go: of no namespace"),
        pytest.param(group("system:masters"), False, id="user.go: SystemPrivilegedGroup"),
        pytest.param(group("system:nodes"), False, id="user.go: NodesGroup"),
        pytest.param(group("devs"), False, id="a group of people"),
        pytest.param(user("system:authenticated"), False, id="a user named like the group"),
        pytest.param(group("system:anonymous"), False, id="a group named like the user"),
        pytest.param(service_account("default", "ci"), False, id="one service account"),
        pytest.param({"kind": "Group", "name": None}, False, id="without a name"),
    ],
)
def test_crowds_are_told_from_people(subject: dict[str, Any], wide: bool) -> None:
    binding = cluster_role_binding("b", user("alice"), subject)
    assert wide_subjects(binding) == ([subject["name"]] if wide else [])


def test_each_crowd_is_told_once() -> None:
    everybody = group("system:authenticated")
    assert wide_subjects(cluster_role_binding("b", everybody, everybody)) == ["system:authenticated"]


@pytest.mark.parametrize("binding", [None, {}, {"subjects": None}, {"subjects": ["x", 7]}], ids=str)
def test_what_has_no_subjects_has_no_crowds(binding: dict[str, Any] | None) -> None:
    assert wide_subjects(binding) == []
