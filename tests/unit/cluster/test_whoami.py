"""Who the API server takes us for."""

from __future__ import annotations

import pytest

from tests.unit.cluster.fakes import failure, ok, scripted
from webhook.cluster.whoami import PATH, whoami
from webhook.errors import ClusterError
from webhook.model.request import UserInfo


def test_the_api_server_says_who_we_are():
    told = {"username": "alice", "uid": "u1", "groups": ["devs", "system:authenticated"], "extra": {"scope": ["a"]}}
    client, transport = scripted(ok({"status": {"userInfo": told}}))
    assert whoami(client) == UserInfo(
        username="alice", uid="u1", groups=("devs", "system:authenticated"), extra={"scope": ("a",)}
    )
    (sent,) = transport.sent
    assert (sent.method, sent.path, sent.body["kind"]) == ("POST", PATH, "SelfSubjectReview")


@pytest.mark.parametrize("answer", [{}, {"status": {"userInfo": None}}, {"status": {"userInfo": {"groups": ["x"]}}}])
def test_an_answer_without_a_name_is_an_error_that_says_what_to_do(answer):
    client, _ = scripted(ok(answer))
    with pytest.raises(ClusterError, match=r"does not say who we are \(name somebody: --as USER\)"):
        whoami(client)


def test_a_refusal_is_passed_on():
    client, _ = scripted(failure(403, "no"))
    with pytest.raises(ClusterError):
        whoami(client)
