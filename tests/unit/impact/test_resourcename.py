"""The resource of a kind that migguard does not know."""

from __future__ import annotations

import pytest

from webhook.impact.resourcename import plural


@pytest.mark.parametrize(
    ("kind", "resource"),
    [
        pytest.param("ServiceAccount", "serviceaccounts", id="most"),
        pytest.param("NetworkPolicy", "networkpolicies", id="y"),
        pytest.param("Gateway", "gateways", id="y-after-a-vowel"),
        pytest.param("Ingress", "ingresses", id="s"),
        pytest.param("Mesh", "meshes", id="sh"),
        pytest.param("Switch", "switches", id="ch"),
        pytest.param("Index", "indexes", id="x"),
        pytest.param("Endpoints", "endpoints", id="plural-already"),
        pytest.param("Y", "ies", id="one-letter"),
    ],
)
def test_a_kind_is_put_in_the_plural(kind: str, resource: str) -> None:
    assert plural(kind) == resource
