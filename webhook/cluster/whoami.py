"""Who the API server takes us for.

Source: Kubernetes ``authentication.k8s.io/v1`` (``staging/src/k8s.io/api/authentication/v1/types.go``,
SelfSubjectReview), which every known user may create; ``kubectl auth whoami`` asks the same.
"""

from __future__ import annotations

from webhook.cluster.client import Client
from webhook.errors import ClusterError
from webhook.model.objects import mapping, strings, text
from webhook.model.request import UserInfo

PATH = "/apis/authentication.k8s.io/v1/selfsubjectreviews"


def whoami(client: Client) -> UserInfo:
    """Return the user that our requests are of. Raises ClusterError."""
    answer = client.post(PATH, {"apiVersion": "authentication.k8s.io/v1", "kind": "SelfSubjectReview"})
    found = mapping(answer, "status", "userInfo")
    if not text(found, "username"):
        raise ClusterError(
            "the API server does not say who we are", where=client.server, hint="name somebody: --as USER"
        )
    return UserInfo(
        username=text(found, "username"),
        uid=text(found, "uid"),
        groups=tuple(strings(found, "groups")),
        extra={key: tuple(strings(found, "extra", key)) for key in mapping(found, "extra")},
    )
